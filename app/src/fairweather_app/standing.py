"""Standing: which delivery comes first where, and which comes first nowhere.

A live delivery is **superseded** when it comes first nowhere: for every area, month and variable
that it declares, another delivery ranks before it. It still answers when those before it refuse.
What the operator lets answer nowhere (a shadow, one that is narrowed to no city) has no other
before it, so it is not called superseded.

What is said here follows from what deliveries declare and from what the operator decided, as
`selection` ranks them; no observation is looked at. Of one snapshot it is worked out once, area by
area, when somebody asks: some 20 ms for an area that 300 deliveries declare. So what lists many
deliveries asks `superseded_in_lists`, which answers only while there are few.
"""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from fairweather_interface.refusals import Refusal

from fairweather_app.app_context import AppContext
from fairweather_app.entries import Entry
from fairweather_app.selection import held_back, ranked_entries
from fairweather_app.snapshot import Contents

MONTHS = range(1, 13)

MOST_IN_LISTS = 2000
"""Where more are live, no list says which are superseded; each one's own page does."""

Firsts = tuple[Entry | None, ...]
"""By month, January first: who comes first in it; None where nobody declares it."""

_kept: WeakKeyDictionary[Contents, dict[tuple[int, str], Mapping[str | None, Firsts]]] = (
    WeakKeyDictionary()
)


def firsts(app_context: AppContext, contents: Contents, area: str) -> Mapping[str | None, Firsts]:
    """Who comes first for an area, by variable; under None, when everything is asked for."""
    of_contents = _kept.setdefault(contents, {})
    key = (id(app_context), area)
    if key not in of_contents:
        declared = [entry.declared for entry in contents.declaring.get(area, ()) if entry.live]
        variables = {name for each in declared if each is not None for name in each.variables}
        of_contents[key] = {
            wanted: _by_month(app_context, contents, area, wanted)
            for wanted in (None, *sorted(variables))
        }
    return of_contents[key]


def is_superseded(app_context: AppContext, contents: Contents, entry: Entry) -> bool | None:
    """Whether a live delivery comes first nowhere; None for one that is not live."""
    if not entry.live:
        return None
    if kept_from_answering(app_context, entry) is not None:
        return False
    return not any(
        entry in found
        for area in entry.areas
        for found in firsts(app_context, contents, area).values()
    )


def kept_from_answering(app_context: AppContext, entry: Entry) -> Refusal | None:
    """Why a live delivery may answer nowhere, whatever is asked; None where it may somewhere.

    The reason of one area stands for all.
    """
    refusals = [held_back(app_context, entry, area) for area in entry.areas]
    return refusals[0] if refusals and all(refusals) else None


def says_superseded(contents: Contents) -> bool:
    """Whether lists of these deliveries say which are superseded."""
    return len(contents.live) <= MOST_IN_LISTS


def superseded_in_lists(app_context: AppContext, contents: Contents, entry: Entry) -> bool | None:
    """As `is_superseded`; None too where lists do not say it."""
    return is_superseded(app_context, contents, entry) if says_superseded(contents) else None


def _by_month(app_context: AppContext, contents: Contents, area: str, wanted: str | None) -> Firsts:
    found: dict[int, Entry] = {}
    variables = None if wanted is None else (wanted,)
    for entry in ranked_entries(area, app_context, variables, contents):
        declared = entry.declared
        for month in declared.valid_months if declared is not None else ():
            found.setdefault(month, entry)
        if len(found) == len(MONTHS):
            break
    return tuple(found.get(month) for month in MONTHS)
