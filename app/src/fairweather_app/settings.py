"""The settings of an operator: their names, defaults and checks.

In order of precedence: what `create_app` is given, the environment (``FAIRWEATHER_<NAME>``), the
YAML file named by ``FAIRWEATHER_CONFIG`` (keys are the names in lower case, without the prefix),
the defaults. The descriptions are the table in ``docs/settings.md``: after a change of one, run
``python tests/test_documents.py``.
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
from fairweather_interface.definitions import load_yaml
from fairweather_interface.metadata import DELIVERY_ID_PATTERN
from fairweather_interface.variables import VARIABLES
from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from fairweather_app.errors import SettingsError

PREFIX = "FAIRWEATHER_"
CONFIG = PREFIX + "CONFIG"
NO_SETTINGS = (PREFIX + "WITHOUT_CHART", PREFIX + "DEMO")
"""Variables that other parts of the repository read."""

DATABASES = ("sqlite", "postgresql")

_ALIKE = 0.9  # one letter that is wrong, missing or too many

_ORIGIN = re.compile(  # the port: not the scheme's own, 65535 at most
    r"(http(?!.*:80$)|https(?!.*:443$))://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])"
    r"(:(?!6553[6-9]|655[4-9]\d|65[6-9]\d\d|6[6-9]\d{3}|[7-9]\d{4})[1-9]\d{0,4})?"
)

PATH_PREFIX = re.compile(r"(/(?!\.\.?(/|$))[\w.~-]+)*", re.ASCII)


def _check_authority(url: str) -> None:
    """Refuse an address that is cut in the middle of its password, part of which would be shown."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise ValueError(
            "expected a number for the port, and / : @ # ? in a user or password as %2F %3A %40 "
            "%23 %3F"
        ) from None


def _local_or_remote(value: str | Path) -> str:
    text = str(value)
    if not is_remote(text):
        return str(_expanded(Path(text.removeprefix("file://"))))
    _check_authority(text)
    protocol = text.partition("://")[0]
    if protocol.rpartition(":")[2] in {"http", "https"}:
        raise ValueError(
            "expected a folder or a store that lists its files, such as s3://bucket/prefix, which "
            "a web server does not do reliably"
        )
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


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("expected a path without ~: that home folder is not known here") from None


def _supported_database(value: str) -> str:
    _check_authority(value)
    try:
        url = make_url(value)
        dialect = url.get_dialect()
    except (ArgumentError, ValueError):  # the port
        raise ValueError("expected a SQLAlchemy URL, such as sqlite:///file.sqlite") from None
    if dialect.name not in DATABASES or dialect.is_async:
        raise ValueError(f"expected a database of {' or '.join(DATABASES)}")
    try:
        dialect.import_dbapi()
        dialect().create_connect_args(url)
    except (SQLAlchemyError, ImportError, ValueError, TypeError) as error:
        why = str(error).partition("\n")[0]
        raise ValueError(
            f"expected a URL that can be used here ({why}); for PostgreSQL "
            "pip install 'fairweather-app[postgresql]' brings the driver"
        ) from None
    if dialect.name == "sqlite":
        if url.database in {None, "", ":memory:"} or url.query.get("mode") == "memory":
            raise ValueError("expected a file: a database in memory is empty in every other thread")
        path = Path(str(url.database).removeprefix("file:"))
        if path.is_dir() or not path.parent.is_dir():
            raise ValueError("expected a file in a folder that is there")
    return value


def _address(value: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", value):
        raise ValueError("expected an address, such as http://inference:8080")
    _check_authority(value)
    return value


def _path_prefix(value: str) -> str:
    if not PATH_PREFIX.fullmatch(value):
        raise ValueError(
            "expected a path such as /wx: a slash before each part and none at the end, and only "
            "letters, digits and . _ ~ -"
        )
    return value


def is_misspelt(variable: str) -> bool:
    """Return whether a name is almost, and not quite, that of a variable of the contract."""
    return variable not in VARIABLES and bool(get_close_matches(variable, VARIABLES, cutoff=_ALIKE))


def _parse_margins(value: object) -> object:
    try:
        given = load_yaml(value) if isinstance(value, str) else value
    except yaml.YAMLError:
        given = None
    names = list(given) if isinstance(given, Mapping) else [""]
    for name in names:
        if not re.fullmatch(r"[A-Za-z]\w*", str(name)) or is_misspelt(str(name)):
            raise ValueError(
                "expected margins by variable, such as {temperature: 3}; the variables are "
                + ", ".join(VARIABLES)
                + ", and those that deliveries declare"
            )
    return given


def _split(value: object) -> object:
    return (
        tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value
    )


def _delivery_ids(value: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := [name for name in value if not re.fullmatch(DELIVERY_ID_PATTERN, name)]:
        raise ValueError(f"expected delivery ids separated by commas, not {wrong[0]!r}")
    return value


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in value and len(value) > 1:
        raise ValueError("expected either * or a list of origins, not both")
    for origin in value:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                "expected origins as browsers send them, such as https://weather.example: scheme "
                "and host in lower case (other letters as xn--), the port unless it is the "
                f"scheme's own, and nothing else; not {origin!r}"
            )
    return value


def _installed_tensorflow(value: bool) -> bool:  # noqa: FBT001 - pydantic calls it
    if value and find_spec("tensorflow") is None:
        raise ValueError(
            "expected false, because TensorFlow is not installed here; "
            "pip install 'fairweather-app[tensorflow]' brings it"
        )
    return value


_List = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
_Path = Annotated[Path, AfterValidator(_expanded)]
_Address = Annotated[str, AfterValidator(_address)]
_Margin = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Margins = Annotated[Mapping[str, _Margin], NoDecode, BeforeValidator(_parse_margins)]


class Settings(BaseSettings):
    """All settings with their defaults. Frozen: a running app does not change them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, validate_default=True
    )

    store: Annotated[str, BeforeValidator(_local_or_remote)] = Field(
        default="store",
        description="Where deliveries arrive: a folder, or any URL of "
        "[fsspec](https://filesystem-spec.readthedocs.io) such as `s3://bucket/prefix`, but not of "
        "a web server, which does not list its files reliably. Keys, "
        "regions and endpoints come from the client's own variables (`AWS_ENDPOINT_URL`, "
        "`AWS_ACCESS_KEY_ID`, …).",
    )
    observations: Annotated[str, AfterValidator(_supported_database)] = Field(
        default="sqlite:///observations.sqlite",
        description="SQLAlchemy URL of the database, SQLite or PostgreSQL. It holds observations, "
        "withdrawals, pins and the forecasts to be scored.",
    )
    provider: str = Field(
        default="open-meteo",
        description="Where `observations fetch` gets observations: a packaged provider, the name "
        "of an installed entry point, or `package.module:callable`. "
        "[More](commands.md#another-provider)",
    )
    provider_url: _Address | None = Field(
        default=None, description="Address of the provider; default: the provider's own."
    )
    clock: Literal["latest-observation", "now"] = Field(
        default="latest-observation",
        description="Reference time of a request without one: the area's latest observation (else "
        "the latest of all areas, else now), or with `now` the last full hour.",
    )
    reload_seconds: float = Field(
        default=10.0, gt=0, le=86_400, description="Seconds between two scans of the store."
    )
    overrides: _Path | None = Field(
        default=None,
        description="YAML file of [override_cities](settings.md#override_cities), which narrows "
        "the areas of deliveries.",
    )
    margins: _Margins = Field(
        default_factory=dict,
        description="By variable, how far beyond a declared bound a model may still be used, in "
        "the variable's unit, so that a record day does not stop the service: "
        "`{temperature: 3, humidity: 5}`. What is not named keeps the margin of the contract, or "
        "of the model where the contract does not know the variable.",
    )
    domain_margin: _Margin | None = Field(
        default=None, description="Older form of `temperature` in `FAIRWEATHER_MARGINS`."
    )
    humidity_margin: _Margin | None = Field(
        default=None, description="Older form of `humidity` in `FAIRWEATHER_MARGINS`."
    )
    refuse_below_baseline: bool = Field(
        default=False,
        description="Refuse a model when a variable it would forecast has a skill of 0 or less "
        "for the area.",
    )
    cache: _Path = Field(
        default=Path("~/.cache/fairweather-app"),
        description="Verified copies of deliveries and an index of what was found out about them; "
        "can be deleted at any time. All worker processes of a machine share it.",
    )
    model_memory: ByteSize = Field(
        default=ByteSize(1 << 30),
        ge=1 << 20,
        description="Memory for loaded models in each process, estimated from their files. The "
        "least recently used are unloaded first, never one that runs.",
    )
    tensorflow: Annotated[bool, AfterValidator(_installed_tensorflow)] = Field(
        default=False,
        description="Also run TensorFlow SavedModels. They are programs: only when everyone who "
        "can write to the store may run code here.",
    )
    backends: _List = Field(
        default=(),
        description="Additional [backends](architecture.md#add-a-backend), separated by commas: "
        "names of installed entry points, or `package.module:callable`.",
    )
    time_limit: float = Field(
        default=2.0,
        gt=0,
        le=600,
        description="Seconds that a model, or the database, may take for a request. A model that "
        "takes longer is refused as `timed-out` and the next one is tried.",
    )
    shadow: Annotated[_List, AfterValidator(_delivery_ids)] = Field(
        default=(),
        description="Ids of **shadows**, separated by commas: deliveries that run in parallel, "
        "are scored and never served.",
    )
    body_limit: int = Field(
        default=8 * 1024 * 1024, ge=1024, description="Largest request body, in bytes."
    )
    cors_origins: Annotated[_List, AfterValidator(_origins)] = Field(
        default=(),
        description="Origins, separated by commas, whose pages may read answers in a browser "
        "(`https://weather.example,http://localhost:8080`), or `*` for all. "
        "[More](http-api.md#from-a-page-in-a-browser)",
    )
    path_prefix: Annotated[str, AfterValidator(_path_prefix)] | None = Field(
        default=None,
        description="Path below which a proxy serves the app, such as `/wx`: links, redirects "
        "and cookies begin with it. [More](operations.md#behind-a-proxy)",
    )
    proxies: int = Field(
        default=0,
        ge=0,
        description="How many proxies before the app are trusted, that is, set `X-Forwarded-For`, "
        "`-Host`, `-Prefix` and `-Proto`; with 0 these headers change nothing. "
        "[More](operations.md#behind-a-proxy)",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="`json`, `text`, or `auto`: text on a terminal, JSON elsewhere."
    )
    log_requests: bool = Field(
        default=True, description="Write a line for each request, in production servers."
    )
    inference_url: _Address | None = Field(
        default=None,
        description="Server of the Open Inference Protocol V2 that runs the models instead of "
        "this app, each under its delivery id. "
        "[More](operations.md#models-that-run-elsewhere)",
    )
    inference_seconds: float = Field(
        default=2.0, gt=0, le=60, description="Seconds that this server may take for an answer."
    )

    @property
    def domain_margins(self) -> dict[str, float]:
        """Return the margin of each variable, in its unit; `margins` outrank the older settings."""
        older = {"temperature": self.domain_margin, "humidity": self.humidity_margin}
        given = {name: value for name, value in older.items() if value is not None}
        return {name: each.margin for name, each in VARIABLES.items()} | given | {**self.margins}

    @classmethod
    def settings_customise_sources(
        cls,
        *_: Any,  # noqa: ANN401 - as pydantic-settings passes them
        **sources: Any,  # noqa: ANN401 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, the strongest first."""
        file = InitSettingsSource(cls, init_kwargs=_read_config_file())
        return sources["init_settings"], sources["env_settings"], file


def load_settings(given: Settings | Mapping[str, Any] | None = None) -> Settings:
    """Return settings from what is given, the environment, the configuration file and the defaults.

    Raises:
        SettingsError: names every wrong setting, its value, and what is expected.
    """
    if isinstance(given, Settings):
        return given
    try:
        return Settings(**(given or {}))
    except ValidationError as error:
        raise SettingsError([_sentence(dict(each)) for each in error.errors()]) from None


def find_named(
    setting: str, name: str, group: str, packaged: Mapping[str, str] | None = None
) -> Callable[..., Any]:
    """Return the callable of a name: packaged, an entry point, or ``package.module:callable``.

    Raises:
        SettingsError: there is none of that name, or importing it failed, for whatever reason.
    """
    prefix = f"{PREFIX}{setting.upper()} is {name!r}"
    named = {each.name: each.value for each in entry_points(group=group)} | dict(packaged or {})
    module, _, attribute = named.get(name, name).partition(":")
    if not attribute:
        known = f"{', '.join(sorted(named))}, or " if named else ""
        raise SettingsError([f"{prefix}: expected {known}package.module:callable"])
    try:
        found: Callable[..., Any] = getattr(import_module(module), attribute)
    except Exception as error:  # noqa: BLE001 - a module of somebody else's may raise anything
        raise SettingsError([f"{prefix}: cannot import {module}:{attribute} ({error})"]) from None
    if not callable(found):
        raise SettingsError([f"{prefix}: expected a callable, found {found!r}"])
    return found


def cannot_write_cache(cache: Path, error: OSError) -> str:
    """Return the problem of a cache that cannot be written."""
    why = error.strerror or error
    return f"{PREFIX}CACHE is {str(cache)!r}: expected a folder that can be written to ({why})"


def unknown_variables() -> list[str]:
    """Return a sentence for each variable of the environment that only looks like a setting."""
    known = ["CONFIG", *map(str.upper, Settings.model_fields)]
    sentences = []
    for name in sorted(os.environ):
        bare = name.upper().removeprefix(PREFIX)
        if not name.upper().startswith(PREFIX) or {bare, name.upper()} & {*known, *NO_SETTINGS}:
            continue
        alike = "".join(f"; did you mean {PREFIX}{n}?" for n in get_close_matches(bare, known, n=1))
        sentences.append(f"{name} is not a setting and is ignored{alike}")
    return sentences


def _read_config_file() -> dict[str, Any]:
    name = os.environ.get(CONFIG)
    if not name:
        return {}
    expected = (
        f"{CONFIG} is {name!r}: expected a YAML file of settings, such as 'store: /srv/deliveries'"
    )
    try:
        content = load_yaml(_expanded(Path(name)).read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError([f"{expected} ({error})"]) from None
    if not isinstance(content, dict):
        raise SettingsError([f"{expected}, found a {type(content).__name__}"])
    return {str(key): value for key, value in content.items()}


def _sentence(error: dict[str, Any]) -> str:
    name = str(error["loc"][0])
    variable = PREFIX + name.upper()
    if error["type"] == "extra_forbidden":
        known = ", ".join(sorted(Settings.model_fields))
        return f"{variable} ({name!r}) is not a setting; the settings are: {known}"
    given = str(error["input"]) if isinstance(error["input"], Path) else error["input"]
    message = str(error["msg"]).removeprefix("Value error, ")
    expected = message.replace("Input should be", "expected", 1)
    return f"{variable} is {given!r}: {expected}"


def is_remote(url: str) -> bool:
    """Return whether a store is reached through fsspec."""
    return "://" in url and not url.startswith("file://")
