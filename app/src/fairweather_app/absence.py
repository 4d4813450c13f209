"""What has gone from the store: when it is believed, and what stays live until then.

A store that is unmounted, emptied by mistake or moved while it is looked at seems to lose its
deliveries. So what covers an area alone, and what goes together with many others, stays live until
several looks in a row have missed it. A delivery that somebody removed goes at the next look. What
may not answer for an area (withdrawn, a shadow, narrowed by the operator) does not cover it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from fairweather_app.entries import Entry

LOOKS_UNTIL_BELIEVED = 6
MayAnswer = Callable[[Entry, str], bool]
"""Whether a live delivery may answer for an area that it declares."""

FEW = 3
"""So many deliveries, or half of all, may go at one look and are believed to have gone."""


class Absences:
    """Counts the looks in a row that have missed a delivery."""

    def __init__(self) -> None:
        self._missed: dict[str, int] = {}

    def believe(
        self,
        gone: Sequence[Entry],
        there: Mapping[str, Entry],
        may_answer: MayAnswer,
        store: str,
    ) -> tuple[list[Entry], list[str]]:
        """Who stays although it has gone, and why, in sentences.

        Args:
            gone: what this look has missed and was known before.
            there: what this look has found, by delivery id.
            may_answer: who covers an area, of those that are live and declare it.
            store: what the sentences call the store.
        """
        before, self._missed = self._missed, {}
        all_known = len(gone) + len(there)
        many = len(gone) > max(FEW, all_known // 2)
        alone = _alone(gone, there.values(), may_answer)
        stay, problems = [], []
        for entry in gone:
            areas = alone.get(entry.delivery_id, [])
            missed = before.get(entry.delivery_id, 0) + 1
            if not (many or areas) or missed >= LOOKS_UNTIL_BELIEVED:
                continue
            self._missed[entry.delivery_id] = missed
            stay.append(entry)
            if not many:
                problems.append(
                    f"delivery {entry.delivery_id} has gone from {store} and is the last model for "
                    f"{', '.join(areas)}: it stays live until {LOOKS_UNTIL_BELIEVED} looks in a "
                    "row have missed it"
                )
        if many and stay:
            problems.append(
                f"{len(gone)} of {all_known} deliveries have gone from {store} at once: they stay "
                f"until {LOOKS_UNTIL_BELIEVED} looks in a row have missed them"
            )
        return stay, problems


def _alone(
    gone: Sequence[Entry], there: Iterable[Entry], may_answer: MayAnswer
) -> Mapping[str, list[str]]:
    """By delivery id, the areas that one of `gone` may answer for and nobody who is there."""
    areas = {
        entry.delivery_id: [area for area in entry.areas if may_answer(entry, area)]
        for entry in gone
        if entry.live
    }
    left = {area for each in areas.values() for area in each}
    for entry in there:
        if not left:
            break
        if entry.live:
            left -= {area for area in left.intersection(entry.areas) if may_answer(entry, area)}
    return {name: [area for area in each if area in left] for name, each in areas.items()}
