"""Resolve what a recipe names: definitions by name or path, observations beside its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fairweather_interface.definitions import (
    load_definitions,
    packaged_definitions,
    parse_definitions,
    plain_definitions,
)
from fairweather_interface.errors import DefinitionsError

__all__ = ["resolve_definitions"]


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
