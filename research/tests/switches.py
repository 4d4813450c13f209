"""Conditions that tests switch by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fairweather_research.dataset.branches import ByInput
from fairweather_research.dataset.climatology import TERMS


def by_humidity(*, steps: int, areas: int, **changes: Any) -> ByInput:
    """By the mean of humidity's newest steps, at 60 %, where nothing is usual."""
    plain = ByInput(
        input=0,
        steps=steps,
        statistic="mean",
        at=(60.0,),
        usual=np.zeros((areas, TERMS)),
        described=(f"mean humidity of the last {steps} hours", "%"),
    )
    return replace(plain, **changes)
