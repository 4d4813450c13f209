"""Settings: what an operator can choose, where it is read from, and what is said when it is wrong.

In order of precedence: what `create_app` is given, the environment (``FAIRWEATHER_<NAME>``), the
YAML file named by ``FAIRWEATHER_CONFIG`` (keys are the names in lower case, without the prefix),
the defaults.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from fairweather_interface.metadata import DELIVERY_ID_PATTERN
from pydantic import ByteSize, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from fairweather_app.errors import SettingsError

PREFIX = "FAIRWEATHER_"

CONFIG = PREFIX + "CONFIG"

NO_SETTINGS = (PREFIX + "WITHOUT_CHART", PREFIX + "DEMO")
"""Variables that other parts of the repository read."""

DATABASES = ("sqlite", "postgresql")

_DEFAULT_PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


class Settings(BaseSettings):
    """Everything that can be chosen, with its default. Frozen: a running app does not change it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, validate_default=True
    )

    store: str = Field(
        default="store",
        description="Where deliveries arrive: a folder, or any URL of fsspec such as "
        "s3://bucket/prefix.",
    )
    observations: str = Field(
        default="sqlite:///observations.sqlite",
        description="SQLAlchemy URL of the observation database: SQLite or PostgreSQL.",
    )
    provider: str = Field(
        default="open-meteo",
        description="Where `observations fetch` gets observations: open-meteo, the name of an "
        "installed entry point, or package.module:callable.",
    )
    provider_url: str | None = Field(
        default=None, description="The address it asks at; without it, the provider's own."
    )
    clock: Literal["latest-observation", "now"] = Field(
        default="latest-observation",
        description="When a forecast starts if the request does not say: at the latest "
        "observation of the area, or at the last full hour.",
    )
    reload_seconds: float = Field(
        default=10.0, gt=0, le=86_400, description="How often a serving app looks at the store."
    )
    overrides: Path | None = Field(
        default=None, description="YAML file of override_cities: narrows what deliveries may serve."
    )
    domain_margin: float = Field(
        default=3.0,
        ge=0,
        le=100,
        description="How far beyond the lowest and highest temperature it declares itself fit for "
        "a model may still be used (degC).",
    )
    humidity_margin: float = Field(
        default=5.0,
        ge=0,
        le=100,
        description="The same for humidity (%).",
    )
    refuse_below_baseline: bool = Field(
        default=False, description="Refuse models whose skill for the area is 0 or less."
    )
    cache: Path = Field(
        default=Path("~/.cache/fairweather-app"),
        description="Where verified copies of deliveries are kept; can be deleted at any time.",
    )
    model_memory: ByteSize = Field(
        default=ByteSize(1 << 30),
        ge=1 << 20,
        description="How much memory loaded models may take in each process; those used last stay.",
    )
    tensorflow: bool = Field(
        default=False,
        description="Also run TensorFlow SavedModels. They are programs, not data: switch this on "
        "only when everyone who can write to the store may run code here.",
    )
    backends: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Further backends, separated by commas, that run artifacts which the app's own "
        "cannot: names of installed entry points, or package.module:callable.",
    )
    time_limit: float = Field(
        default=2.0,
        gt=0,
        le=600,
        description="How long a model, or the observation database, may take for a request (s). "
        "A model that takes longer is passed over with timed-out, and the next one is tried.",
    )
    shadow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Ids of deliveries, separated by commas, that predict beside the chosen one "
        "and never answer; their live scores are told like any other's.",
    )
    body_limit: int = Field(
        default=8 * 1024 * 1024, ge=1024, description="The largest request body, in bytes."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins, separated by commas, whose pages may read the answers from a "
        "browser, such as https://weather.example; * lets all in.",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="How the log is written; auto is text on a terminal, else JSON."
    )
    log_requests: bool = Field(
        default=True, description="Whether a production server writes a line for each request."
    )
    inference_url: str | None = Field(
        default=None,
        description="A server of the Open Inference Protocol V2 that runs the deliveries' models, "
        "each under its delivery id; without it they run here.",
    )
    inference_seconds: float = Field(
        default=2.0, gt=0, le=60, description="How long that server may take for an answer."
    )

    @property
    def domain_margins(self) -> dict[str, float]:
        """Variable to how far beyond its bounds a model may still be used, in its unit."""
        return {"temperature": self.domain_margin, "humidity": self.humidity_margin}

    @field_validator("store", mode="before")
    @classmethod
    def _reachable_store(cls, value: object) -> object:
        if not isinstance(value, str | Path):
            return value
        text = str(value)
        if not is_remote(text):
            return str(Path(text.removeprefix("file://")).expanduser())
        protocol = text.partition("://")[0]
        try:
            from fsspec import get_filesystem_class  # type: ignore[import-untyped]  # noqa: PLC0415 - a folder needs none

            get_filesystem_class(protocol)
        except ImportError as error:
            raise ValueError(
                f"expected what {protocol} needs to be installed ({error}); for s3 "
                "pip install 'fairweather-app[s3]' brings it"
            ) from None
        except ValueError:
            raise ValueError("expected a folder or a URL that fsspec knows") from None
        return text

    @field_validator("backends", "shadow", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(name.strip() for name in value.split(",") if name.strip())

    @field_validator("shadow")
    @classmethod
    def _delivery_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in value if not re.fullmatch(DELIVERY_ID_PATTERN, name)]:
            raise ValueError(f"expected delivery ids separated by commas, not {wrong[0]!r}")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "*" in value and len(value) > 1:
            raise ValueError("expected either * or a list of origins, not both")
        for each in value:
            if each != "*" and (problem := validate_origin(each)):
                raise ValueError(problem)
        return value

    @field_validator("overrides", "cache")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @field_validator("observations")
    @classmethod
    def _known_database(cls, value: str) -> str:
        try:
            url = make_url(value)
        except ArgumentError:
            raise ValueError("expected a SQLAlchemy URL, such as sqlite:///file.sqlite") from None
        if url.get_backend_name() not in DATABASES:
            raise ValueError(f"expected a database of {' or '.join(DATABASES)}")
        if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
            raise ValueError("expected a file: a database in memory is empty in every other thread")
        return value

    @field_validator("inference_url", "provider_url")
    @classmethod
    def _known_protocol(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/\s]+(/\S*)?", value):
            raise ValueError("expected an address, such as http://inference:8080")
        return value

    @field_validator("tensorflow")
    @classmethod
    def _tensorflow_is_installed(cls, value: bool) -> bool:  # noqa: FBT001 - pydantic calls it
        if value and find_spec("tensorflow") is None:
            raise ValueError(
                "expected false, because TensorFlow is not installed here; "
                "pip install 'fairweather-app[tensorflow]' brings it"
            )
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings passes it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings passes it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Say where settings come from, the strongest first."""
        file = InitSettingsSource(settings_cls, init_kwargs=_read_config_file())
        return init_settings, env_settings, file


def load_settings(given: Settings | Mapping[str, Any] | None = None) -> Settings:
    """Settings from what is given, the environment, the configuration file and the defaults.

    Raises:
        SettingsError: names every wrong setting, its value, and what is expected.
    """
    if isinstance(given, Settings):
        return given
    try:
        return Settings(**(given or {}))
    except ValidationError as error:
        raise SettingsError([_sentence(dict(each)) for each in error.errors()]) from None


def validate_origin(text: str) -> str | None:
    """What is wrong with an origin, and what is expected; None when a browser may send it so.

    It is compared as it is, so what a browser writes otherwise would never match: a path, capitals,
    letters beyond ASCII, the port that its scheme has anyway.
    """
    expected = "expected an origin as browsers send it, such as https://weather.example"
    if text == "null":
        return f"{expected}; null is what any sandboxed page and any file sends"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        return f"{expected}, not {text!r} ({error})"
    if parts.scheme not in _DEFAULT_PORTS:
        return f"{expected}, not {text!r}: it begins with http:// or https://"
    host = parts.netloc if port is None else parts.netloc.removesuffix(f":{port}")
    if not _HOST.fullmatch(host.lower()):
        return (
            f"{expected}, not {text!r}: a host is letters, digits, dots and hyphens "
            "(other letters as xn--), without wildcard or user"
        )
    suffix = "" if port is None or port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    sent = f"{parts.scheme}://{host.lower()}{suffix}"
    return None if text == sent else f"{expected}, not {text!r}; browsers send {sent!r}"


def find_named(
    setting: str, name: str, group: str, packaged: Mapping[str, str] | None = None
) -> Callable[..., Any]:
    """The callable that a setting names: packaged, an entry point, or ``package.module:callable``.

    Raises:
        SettingsError: there is none of that name, or it cannot be imported. Whatever code of
            somebody else's raises on the way is told in the sentence.
    """
    told = f"{PREFIX}{setting.upper()} is {name!r}"
    named = {each.name: each.value for each in entry_points(group=group)} | dict(packaged or {})
    module, _, attribute = named.get(name, name).partition(":")
    if not attribute:
        known = f"{', '.join(sorted(named))}, or " if named else ""
        raise SettingsError([f"{told}: expected {known}package.module:callable"])
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # noqa: BLE001 - a module of somebody else's may raise anything
        problem = f"{told}: {module}:{attribute} cannot be had ({error})"
        raise SettingsError([problem]) from None
    if not callable(found):
        raise SettingsError([f"{told}: expected a callable, found {found!r}"])
    made: Callable[..., Any] = found
    return made


def cannot_write_cache(cache: Path, error: OSError) -> str:
    """What is said of a cache that cannot be written."""
    why = error.strerror or error
    return f"{PREFIX}CACHE is {str(cache)!r}: expected a folder that can be written to ({why})"


def unknown_variables() -> list[str]:
    """A sentence for each variable of the environment that looks like a setting and is none."""
    known = [CONFIG, *(PREFIX + name.upper() for name in Settings.model_fields)]
    found = [name for name in os.environ if name.upper().startswith(PREFIX)]
    return [
        f"{name} is not a setting and is ignored{_nearest(name.upper(), known)}"
        for name in sorted(found)
        if name.upper() not in {*known, *NO_SETTINGS}
    ]


def _nearest(name: str, known: list[str]) -> str:
    """The known name that may have been meant, compared without what all of them share."""
    bare = [each.removeprefix(PREFIX) for each in known]
    alike = get_close_matches(name.removeprefix(PREFIX), bare, n=1)
    return f"; did you mean {PREFIX}{alike[0]}?" if alike else ""


def _read_config_file() -> dict[str, Any]:
    name = os.environ.get(CONFIG)
    if not name:
        return {}
    expected = "expected a YAML file of settings, such as 'store: /srv/deliveries'"
    try:
        content = yaml.safe_load(Path(name).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError([f"{CONFIG} is {name!r}: {expected} ({error})"]) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError([f"{CONFIG} is {name!r}: {expected}, found a {type(content).__name__}"])
    return {str(key): value for key, value in content.items()}


def _sentence(error: dict[str, Any]) -> str:
    name = str(error["loc"][0])
    variable = PREFIX + name.upper()
    if error["type"] == "extra_forbidden":
        known = ", ".join(sorted(Settings.model_fields))
        return f"{variable} ({name!r}) is not a setting; the settings are: {known}"
    value = "the given URL" if name == "observations" and "@" in str(error["input"]) else None
    message = str(error["msg"]).removeprefix("Value error, ")
    expected = message.replace("Input should be", "expected", 1)
    return f"{variable} is {value or repr(error['input'])}: {expected}"


def is_remote(url: str) -> bool:
    """Whether a store is reached through fsspec."""
    return "://" in url and not url.startswith("file://")
