"""Block bootstrap: the 95 % interval of a share, with blocks of four days.

Weather keeps for about four days, so the hours of one block are no independent evidence. Whole
blocks are resampled, a thousand times.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.split import DAY

__all__ = ["share_interval"]

_BLOCK = 4  # days
_RESAMPLES = 1000


def share_interval(
    part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64], times: npt.NDArray[np.int64]
) -> tuple[float, float] | None:
    """Return the 95 % interval of ``sum(part) / sum(whole)`` over resampled blocks.

    All three have one shape; ``times``, in seconds, are those of the values. None with fewer than
    two blocks, or where a block adds nothing to the whole.
    """
    _, block = np.unique((times - 1) // (_BLOCK * DAY), return_inverse=True)
    parts, wholes = np.bincount(block, weights=part), np.bincount(block, weights=whole)
    if len(parts) < 2 or not wholes.all():  # noqa: PLR2004 - nothing to resample
        return None
    draws = np.random.default_rng(0).integers(len(parts), size=(_RESAMPLES, len(parts)))
    shares = parts[draws].sum(axis=1) / wholes[draws].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)
