"""One window alone, from the functions that training applies to whole series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from fairweather_research.dataset.windows import region_mean, sample
from fairweather_research.observations.series import Series


def window(
    members: Sequence[Series], *, reference_time: int, period: int, sample_rate: int
) -> npt.NDArray[Any]:
    """One window, shape [period / sample_rate]; several members make it a region's.

    Times and durations in seconds. Reference times may be any second.
    """
    count = period // sample_rate
    start = reference_time - (count - 1) * sample_rate
    sampled = [sample(series, start=start, rate=sample_rate, count=count) for series in members]
    return region_mean([series.value for series in sampled])
