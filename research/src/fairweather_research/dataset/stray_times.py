"""Find observations whose time is a mistake: so far from all others that no record is so long.

The grid of a training covers a record from its first observation to its last, so that one value of
the year 9999 would cost minutes, and memory for 70 million hours.
"""

from __future__ import annotations

import numpy as np

from fairweather_research.observations.series import Archive, epoch_seconds
from fairweather_research.recipes.blueprint import Blueprint

_YEAR = 365.25 * 86_400
_LONG = 10  # years: so long may a station be closed, where it observed enough before and after
_LONGEST = 300  # years: no instrument is so old


def stray_times(plan: Blueprint, archive: Archive) -> list[str]:
    """Return, for people, the series whose largest gap shows that times are wrong.

    It is longer than any record, or longer than 10 years with too few observations for a single
    window and its forecast on one side.
    """
    problems = []
    for (area, variable), rows in archive.table.groupby(["area", "variable"], sort=True):
        time = epoch_seconds(rows["time"])
        gaps = np.diff(time)
        if not len(gaps):
            continue
        last = int(gaps.argmax())  # before the gap
        years, after = gaps[last] / _YEAR, len(time) - last - 1
        few = min(last + 1, after) < plan.steps + plan.leads
        if years > _LONGEST or (few and years > _LONG):
            number = after if after <= last else last + 1
            end, begin = time[last : last + 2].astype("datetime64[s]").astype("datetime64[D]")
            problems.append(
                f"`observations`: found a gap of {years:,.0f} years in {variable} at {area}, from "
                f"{end} to {begin}, and {number} of {len(time)} values on one side of it; correct "
                "the time of these, or take them out"
            )
    return problems
