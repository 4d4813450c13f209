"""Spells: stretches of four days, and how sure a share is that was counted over few of them.

Weather keeps for about that long, so the hours of one spell are no independent evidence; what is
drawn anew, a thousand times, is whole spells.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.split import DAY

__all__ = ["share_interval"]

_SPELL = 4  # days
_RESAMPLES = 1000


def share_interval(
    part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64], times: npt.NDArray[np.int64]
) -> tuple[float, float] | None:
    """Return the 95 % interval of ``sum(part) / sum(whole)`` over resampled spells.

    All of one shape, values belonging to the moment (seconds) at the same place. None with fewer
    than two spells, or where a spell adds nothing to the whole.
    """
    _, spell = np.unique((times - 1) // (_SPELL * DAY), return_inverse=True)
    parts, wholes = np.bincount(spell, weights=part), np.bincount(spell, weights=whole)
    if len(parts) < 2 or not wholes.all():  # noqa: PLR2004 - nothing to resample
        return None
    draws = np.random.default_rng(0).integers(len(parts), size=(_RESAMPLES, len(parts)))
    shares = parts[draws].sum(axis=1) / wholes[draws].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)
