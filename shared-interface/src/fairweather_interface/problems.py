"""The problems that a validation finds, in our words: the path, what was found and expected."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from pydantic import ValidationError

from fairweather_interface.errors import short

_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}
_NO_MAPPING = {"dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"}

_MOST = 20  # problems in words; others are counted


def problems_of(
    error: ValidationError, root: str = "", *, known: Collection[str] = ()
) -> tuple[str, ...]:
    """Return each problem of a validation as ``path: found what, expected what``.

    An unknown key is told with the one of the ``known`` that looks most like it.
    """
    every = error.errors(include_url=False)
    parts = every[:_MOST]
    places = [part["loc"] for part in parts]
    problems: list[str] = []
    for part, place in zip(parts, places, strict=True):
        if part["type"] == "too_short" and any(
            other != place and other[: len(place)] == place for other in places
        ):
            continue  # the items are there, and wrong; each is listed by itself
        path = root
        for step in place:
            path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
        prefix = f"{path}: " if path else ""
        texts = _words(part["type"], part["msg"], part["input"])
        if part["type"] in _UNKNOWN_KEY and (likely := get_close_matches(str(place[-1]), known, 1)):
            texts = [f"{texts[0]}; did you mean {likely[0]}?"]
        problems += [f"{prefix}{text}" for text in texts]
    more = len(every) - len(parts)
    return (*problems, f"and {more} more") if more else tuple(problems)


def _words(kind: str, message: str, value: object) -> list[str]:
    if kind == "missing":
        return ["not found, expected a value"]
    if kind in _UNKNOWN_KEY:
        return [f"found {short(value)}, expected no such key"]
    if kind == "value_error":
        return message.removeprefix("Value error, ").split("\n")
    if kind in _NO_MAPPING:
        return [f"found {short(value)}, expected a mapping"]
    if kind == "string_type":
        return [f"found {short(value)}, expected a text: put it in quotes"]
    rest = message.replace("Input should be", "expected").replace("Input should", "expected to")
    return [f"found {short(value)}, {rest[:1].lower()}{rest[1:]}"]
