"""Golden windows: raw series and the exact windows they must give.

Research and the app sample observations each in code of its own, held against these:

* A window of N = period / sample_rate samples ends at the reference time t0. Sample k = 1..N
  stands for t_k = t0 - (N - k) * sample_rate and is the mean of the observations with
  t_k - sample_rate < time <= t_k; it is missing where there are none. Observations that are
  NaN do not count, and everything is reckoned in UTC.
* The window of a region is made of its areas' windows: each sample is the mean over the areas
  that have it, and missing unless at least half of the areas do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources

import yaml

from fairweather_interface.durations import parse_duration


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenWindow:
    """A raw series and the window it must give.

    Attributes:
        name: what the case is about, as a sentence.
        areas: whose observations are wanted; several make a region.
        series: raw observations of each area, aware UTC times and values, in no special order.
        reference_time: the end of the window.
        period: its length.
        sample_rate: the spacing of its samples.
        expected: the samples, oldest first; ``None`` where missing.
    """

    name: str
    areas: tuple[str, ...]
    series: Mapping[str, tuple[tuple[datetime, float], ...]]
    reference_time: datetime
    period: timedelta
    sample_rate: timedelta
    expected: tuple[float | None, ...]


def _load() -> tuple[GoldenWindow, ...]:
    text = (resources.files(__package__) / "golden_windows.yaml").read_text(encoding="utf-8")
    return tuple(
        GoldenWindow(
            name=case["name"],
            areas=tuple(case["series"]),
            series={
                area: tuple(
                    (datetime.fromisoformat(time), math.nan if value is None else float(value))
                    for time, value in (series or {}).items()
                )
                for area, series in case["series"].items()
            },
            reference_time=datetime.fromisoformat(case["reference_time"]),
            period=parse_duration(case["period"]),
            sample_rate=parse_duration(case["sample_rate"]),
            expected=tuple(case["expected"]),
        )
        for case in yaml.safe_load(text)
    )


GOLDEN_WINDOWS = _load()
"""Every golden window, read once."""
