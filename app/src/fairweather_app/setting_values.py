"""What the values of settings must be; where one is not, a sentence states what was expected."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import yaml
from fairweather_interface.definitions import load_yaml
from fairweather_interface.metadata import DELIVERY_ID_PATTERN
from fairweather_interface.variables import VARIABLES
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

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
        return str(expand_home(Path(text.removeprefix("file://"))))
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


def expand_home(path: Path) -> Path:
    """Return a path with the home folder in place of ``~``."""
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


def _parse_share(value: object) -> object:
    text = str(value).strip()
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise ValueError("expected a share, such as 5 % or 0.05") from None


def is_remote(url: str) -> bool:
    """Return whether a store is reached through fsspec."""
    return "://" in url and not url.startswith("file://")


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
DeliveryIds = Annotated[Names, AfterValidator(_delivery_ids)]
Origins = Annotated[Names, AfterValidator(_origins)]
StoreAddress = Annotated[str, BeforeValidator(_local_or_remote)]
DatabaseUrl = Annotated[str, AfterValidator(_supported_database)]
ServerAddress = Annotated[str, AfterValidator(_address)]
PathPrefix = Annotated[str, AfterValidator(_path_prefix)]
LocalPath = Annotated[Path, AfterValidator(expand_home)]
Margin = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1), BeforeValidator(_parse_share)]
Margins = Annotated[Mapping[str, Margin], NoDecode, BeforeValidator(_parse_margins)]
IfTensorFlow = Annotated[bool, AfterValidator(_installed_tensorflow)]
