"""Block bootstrap: 95 % intervals from resampled blocks of four days.

Weather keeps for about four days, so the hours of one block are no independent evidence. Whole
blocks are resampled, a thousand times.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.split import DAY

_BLOCK = 4  # days
_RESAMPLES = 1000

_Floats = npt.NDArray[np.float64]


def block_numbers(times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the number of the block that each time, in seconds, lies in, counted from zero."""
    return np.unique((times - 1) // (_BLOCK * DAY), return_inverse=True)[1].astype(np.int64)


def interval(sums: _Floats, statistic: Callable[[_Floats], _Floats]) -> tuple[float, float] | None:
    """Return the 95 % interval of a statistic of sums over resampled blocks.

    ``sums`` has shape [..., blocks]; the statistic takes shape [..., resamples] and returns
    [resamples]. None with fewer than two blocks, or where it is not finite for a resample.
    """
    blocks = sums.shape[-1]
    if blocks < 2:  # noqa: PLR2004 - nothing to resample
        return None
    draws = np.random.default_rng(0).integers(blocks, size=(_RESAMPLES, blocks))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = statistic(sums[..., draws].sum(axis=-1))
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
