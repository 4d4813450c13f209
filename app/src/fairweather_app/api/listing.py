"""Listing: the deliveries that somebody asks for, a page of them at a time.

Deliveries are listed by id, so that a page goes on after the id of the last one on the page before,
whatever came or went meanwhile.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import orjson
from pydantic import ValidationError

from fairweather_app.api.reading import told_of
from fairweather_app.api.schemas import ModelsQuery
from fairweather_app.entries import Entry
from fairweather_app.errors import InvalidRequestError
from fairweather_app.snapshot import Contents

TEXTS_KEPT = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """One page: its deliveries, how many match in all, and after which id the next page begins."""

    entries: tuple[Entry, ...]
    total: int
    next_after: str | None


def read_models_query(arguments: Iterable[tuple[str, str]]) -> ModelsQuery:
    """What is asked of ``/models``.

    Raises:
        InvalidRequestError: it cannot be asked; `problems` lists everything.
    """
    pairs = list(arguments)
    asked = dict(pairs)
    problems = [
        f"{name}: given more than once" for name in asked if [n for n, _ in pairs].count(name) > 1
    ]
    try:
        found = ModelsQuery.model_validate(asked)
    except ValidationError as error:
        for each in error.errors():
            name, message = told_of(each)
            if each["type"] == "extra_forbidden":
                known = ", ".join(ModelsQuery.model_fields)
                problems.append(f"{name}: not a parameter; expected {known}")
            else:
                wanted = message.replace("Input should be", "expected", 1)
                problems.append(f"{name}: found {each['input']!r}; {wanted}")
        raise InvalidRequestError(problems, status=400) from None
    if problems:
        raise InvalidRequestError(problems, status=400)
    return found


def list_deliveries(contents: Contents, query: ModelsQuery) -> Listing:
    """Return the page of deliveries that a query asks for, by delivery id."""
    matching = list(_matching(contents, query))
    ids = [each.delivery_id for each in matching]
    start = 0 if query.after is None else bisect_right(ids, query.after)
    page = matching[start : start + query.limit]
    more = start + len(page) < len(matching)
    return Listing(
        entries=tuple(page),
        total=len(matching),
        next_after=page[-1].delivery_id if more else None,
    )


def _matching(contents: Contents, query: ModelsQuery) -> Iterable[Entry]:
    found: Iterable[Entry] = contents.entries.values()
    if query.area is not None:
        found = contents.declaring.get(query.area, ())
    if query.state is not None:
        found = (each for each in found if each.state == query.state)
    if query.q is not None:
        words = query.q.casefold().split()
        found = (each for each in found if all(word in _text(each) for word in words))
    return found


def _text(entry: Entry) -> str:
    """Everything of a delivery that is searched, in one case."""
    said = (entry.delivery_id, entry.state, entry.code or "", entry.reason or "")
    return "\n".join(said).casefold() + "\n" + _declared_text(entry.record)


@lru_cache(maxsize=TEXTS_KEPT)
def _declared_text(record: bytes) -> str:
    if not record:
        return ""
    told = orjson.loads(record)
    parts = (told["model_type"], told["topic"], told["author"], *told["areas"], *told["variables"])
    return "\n".join(parts).casefold()
