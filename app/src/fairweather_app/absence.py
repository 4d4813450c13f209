"""What has gone from the store: when it is believed, and what stays live until then.

A store that is unmounted, emptied by mistake or moved while it is looked at seems to lose its
deliveries. So what covers an area alone, and what goes together with many others, stays live until
several looks in a row have missed it. A delivery that somebody removed goes at the next look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from fairweather_app.entries import Entry

LOOKS_UNTIL_BELIEVED = 6
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
        withdrawn: Collection[str],
        store: str,
    ) -> tuple[list[Entry], list[str]]:
        """Who stays although it has gone, and why, in sentences.

        Args:
            gone: what this look has missed and was known before.
            there: what this look has found, by delivery id.
            withdrawn: the ids of deliveries that cover no area, for they may not answer.
            store: what the sentences call the store.
        """
        before, self._missed = self._missed, {}
        all_known = len(gone) + len(there)
        many = len(gone) > max(FEW, all_known // 2)
        covered = _areas(there.values(), withdrawn)
        stay, problems = [], []
        for entry in gone:
            areas = [area for area in _areas([entry], withdrawn) if area not in covered]
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


def _areas(entries: Iterable[Entry], withdrawn: Collection[str]) -> dict[str, None]:
    """The areas for which any of these may answer, in their order."""
    serving = (each for each in entries if each.live and each.delivery_id not in withdrawn)
    return dict.fromkeys(area for each in serving for area in each.areas)
