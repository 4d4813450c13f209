"""The settings of an operator: their names, defaults and checks.

In order of precedence: what `create_app` is given, the environment (``FAIRWEATHER_<NAME>``), the
YAML file named by ``FAIRWEATHER_CONFIG`` (keys are the names in lower case, without the prefix),
the defaults. The descriptions are the table in ``docs/settings.md``: after a change of one, run
``python tests/test_documents.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

import pydantic_settings
import yaml
from fairweather_interface.definitions import load_yaml
from fairweather_interface.variables import VARIABLES
from pydantic import ByteSize, Field, ValidationError

from fairweather_app import setting_values as values
from fairweather_app.errors import SettingsError

PREFIX = "FAIRWEATHER_"
CONFIG = PREFIX + "CONFIG"
NO_SETTINGS = (PREFIX + "WITHOUT_CHART", PREFIX + "DEMO")
"""Variables that other parts of the repository read."""


class Settings(pydantic_settings.BaseSettings):
    """All settings with their defaults. Frozen: a running app does not change them."""

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, validate_default=True
    )

    store: values.StoreAddress = Field(
        default="store",
        description="Where deliveries arrive: a folder, or any URL of "
        "[fsspec](https://filesystem-spec.readthedocs.io) such as `s3://bucket/prefix`, but not of "
        "a web server, which does not list its files reliably. Keys, "
        "regions and endpoints come from the client's own variables (`AWS_ENDPOINT_URL`, "
        "`AWS_ACCESS_KEY_ID`, …).",
    )
    observations: values.DatabaseUrl = Field(
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
    provider_url: values.ServerAddress | None = Field(
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
    overrides: values.LocalPath | None = Field(
        default=None,
        description="YAML file of [override_cities](settings.md#override_cities), which narrows "
        "the areas of deliveries.",
    )
    keys: values.LocalPath | None = Field(
        default=None,
        description="YAML file of the [keys](operations.md#signed-deliveries) that may speak for "
        "deliveries, outside the store; read at every scan. Needs "
        "`pip install 'fairweather-app[signed]'`.",
    )
    margins: values.Margins = Field(
        default_factory=dict,
        description="By variable, how far beyond a declared bound a model may still be used, in "
        "the variable's unit, so that a record day does not stop the service: "
        "`{temperature: 3, humidity: 5}`. What is not named keeps the margin of the contract, or "
        "of the model where the contract does not know the variable.",
    )
    domain_margin: values.Margin | None = Field(
        default=None, description="Older form of `temperature` in `FAIRWEATHER_MARGINS`."
    )
    humidity_margin: values.Margin | None = Field(
        default=None, description="Older form of `humidity` in `FAIRWEATHER_MARGINS`."
    )
    refuse_below_baseline: bool = Field(
        default=False,
        description="Refuse a model when a variable it would forecast has a skill of 0 or less "
        "for the area.",
    )
    cache: values.LocalPath = Field(
        default=Path("~/.cache/fairweather-app"),
        description="Verified copies of deliveries and an index of what was found out about them; "
        "can be deleted at any time. All worker processes of a machine share it.",
    )
    delivery_limit: ByteSize = Field(
        default=ByteSize(2 << 30),
        ge=1 << 20,
        description="Largest delivery that is picked up, all its files together. A larger one is "
        "refused before its files are read. [More](operations.md#who-writes-to-the-store)",
    )
    model_memory: ByteSize = Field(
        default=ByteSize(1 << 30),
        ge=1 << 20,
        description="Memory for loaded models in each process, as each took when it was tested. "
        "The least recently used are unloaded first, never one that runs. All runs together may "
        "take as much again, and so may the test of a delivery.",
    )
    tensorflow: values.IfTensorFlow = Field(
        default=False,
        description="Also run TensorFlow SavedModels. They are programs: only when everyone who "
        "can write to the store may run code here, or [keys](operations.md#signed-deliveries) "
        "say whose may.",
    )
    backends: values.Names = Field(
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
    shadow: values.DeliveryIds = Field(
        default=(),
        description="Ids of **shadows**, separated by commas: deliveries that run in parallel, "
        "are scored and never served.",
    )
    rollout: Literal["immediate", "evidence", "canary"] = Field(
        default="immediate",
        description="When a new delivery answers: at once, as it ranks (`immediate`); once its "
        "forecasts were not worse than those of the one it would replace (`evidence`); or so, and "
        "until then in `FAIRWEATHER_ROLLOUT_SHARE` of the answers (`canary`). "
        "[More](operations.md#promotion-by-evidence)",
    )
    rollout_forecasts: int = Field(
        default=100, ge=2, description="How many forecasts of the same hours decide, at least."
    )
    rollout_days: float = Field(
        default=3.0, ge=0, le=20, description="Over how many days they have to lie, at least."
    )
    rollout_share: values.Share = Field(
        default=0.05, description="The share of answers that trials give under `canary`: `5 %`."
    )
    rollout_demote: bool = Field(
        default=False,
        description="Whether a promoted delivery is demoted that becomes worse than the one that "
        "it replaced.",
    )
    body_limit: int = Field(
        default=8 * 1024 * 1024, ge=1024, description="Largest request body, in bytes."
    )
    cors_origins: values.Origins = Field(
        default=(),
        description="Origins, separated by commas, whose pages may read answers in a browser "
        "(`https://weather.example,http://localhost:8080`), or `*` for all. "
        "[More](http-api.md#from-a-page-in-a-browser)",
    )
    path_prefix: values.PathPrefix | None = Field(
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
    inference_url: values.ServerAddress | None = Field(
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
    ) -> tuple[pydantic_settings.PydanticBaseSettingsSource, ...]:
        """Return where settings come from, the strongest first."""
        file = pydantic_settings.InitSettingsSource(cls, init_kwargs=_read_config_file())
        return sources["init_settings"], sources["env_settings"], file


def load_settings(given: Settings | Mapping[str, Any] | None = None) -> Settings:
    """Return settings from what is given, the environment, the configuration file and the defaults.

    `SettingsError` names every wrong setting, its value, and what is expected.
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

    One that is not there, or cannot be imported, is `SettingsError`.
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
        content = load_yaml(values.expand_home(Path(name)).read_text(encoding="utf-8")) or {}
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
