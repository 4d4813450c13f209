"""Read documents - recipes, plans - and resolve what they name; the strict base of their parts."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import yaml
from fairweather_interface.definitions import (
    load_definitions,
    load_yaml,
    packaged_definitions,
    parse_definitions,
    plain_definitions,
)
from fairweather_interface.durations import format_duration, parse_duration
from fairweather_interface.errors import DefinitionsError
from fairweather_interface.manifest import read_document
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

#: Bytes of a document that a user writes or names, at most.
LARGEST = 4 << 20

#: A duration, written in words.
Duration = Annotated[
    timedelta,
    BeforeValidator(lambda found: found if isinstance(found, timedelta) else parse_duration(found)),
    PlainSerializer(format_duration, return_type=str),
]


class StrictModel(BaseModel):
    """Frozen, with no other keys than its own, and with numbers that JSON can say.

    The string below a field describes it: the tables of keys in ``docs/recipes.md`` are made of
    them (``python tests/test_documents.py``).
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


def read_yaml(path: Path) -> object:
    """Read a YAML file.

    Raises:
        ValueError: it cannot be read, is no file or larger than ``LARGEST``, or is not YAML in
            which every key stands once.
    """
    try:
        data = read_document(path, LARGEST, follow_links=True)
    except OSError as error:
        raise ValueError(
            f"cannot be read ({error.strerror}); give the path of a YAML file"
        ) from error
    try:
        return load_yaml(data.decode())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ValueError(f"not valid YAML{line}: {reason}") from error


def resolve_definitions(document: dict[str, Any], folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Replace the name or path of definitions, and of observations, by what it stands for.

    Returns:
        The resolved document, and what is wrong with the definitions.
    """
    resolved = dict(document)
    problems: list[str] = []
    named = document.get("definitions")
    try:
        if isinstance(named, str):
            packaged = named in packaged_definitions()
            definitions = load_definitions(named if packaged else folder / named)
            resolved["definitions"] = plain_definitions(definitions)
        elif isinstance(named, dict):
            resolved["definitions"] = plain_definitions(
                parse_definitions(named, source="definitions")
            )
    except DefinitionsError as error:
        resolved["definitions"] = None
        problems += [f"`definitions`: {problem}" for problem in error.problems]
    plan = document.get("observations")
    if isinstance(plan, dict) and isinstance(plan.get("source"), str):
        beside = folder / plan["source"]
        if beside.suffix and beside.is_file():
            resolved["observations"] = {**plan, "source": str(beside)}
    return resolved, problems


def nearest(key: object, keys: Collection[str]) -> str:
    """Suggest a key in place of an unknown one."""
    close = difflib.get_close_matches(str(key), keys, n=1)
    return f"did you mean `{close[0]}`?" if close else f"expected one of {', '.join(keys)}"
