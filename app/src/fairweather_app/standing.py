"""Which delivery ranks first, by area, variable and month.

This follows from what deliveries declare and from what the operator decided, as `selection` ranks
them; no observation is read. It is computed once for each snapshot and area, on the first question:
some 20 ms for an area that 300 deliveries declare.
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

Firsts = tuple[Entry | None, ...]
"""By month, January first: who comes first in it; None where nobody declares it."""

_kept: WeakKeyDictionary[Contents, dict[tuple[int, str], Mapping[str | None, Firsts]]] = (
    WeakKeyDictionary()
)


def firsts(app_context: AppContext, contents: Contents, area: str) -> Mapping[str | None, Firsts]:
    """Return who ranks first for an area, by variable; under None, for all variables at once."""
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


def kept_from_answering(app_context: AppContext, entry: Entry) -> Refusal | None:
    """Return why a live delivery may answer for none of its areas; None where it may for one.

    The reason of one area stands for all.
    """
    refusals = [held_back(app_context, entry, area) for area in entry.areas]
    return refusals[0] if refusals and all(refusals) else None


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
