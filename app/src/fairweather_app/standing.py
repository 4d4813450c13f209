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

from fairweather_interface.refusals import Refusal

from fairweather_app.app_context import AppContext
from fairweather_app.entries import Entry
from fairweather_app.selector import Firsts
from fairweather_app.snapshot import Contents

MOST_IN_LISTS = 2000
"""Where more are live, no list says which are superseded; each one's own page does."""


def firsts(app_context: AppContext, contents: Contents, area: str) -> Mapping[str | None, Firsts]:
    """Who comes first for an area, by variable; under None, when everything is asked for."""
    return app_context.selectors.of(contents).firsts(area)


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
    refusals = [app_context.selectors.rules.held_back(entry, area) for area in entry.areas]
    return refusals[0] if refusals and all(refusals) else None


def says_superseded(contents: Contents) -> bool:
    """Whether lists of these deliveries say which are superseded."""
    return len(contents.live) <= MOST_IN_LISTS


def superseded_in_lists(app_context: AppContext, contents: Contents, entry: Entry) -> bool | None:
    """As `is_superseded`; None too where lists do not say it."""
    return is_superseded(app_context, contents, entry) if says_superseded(contents) else None
