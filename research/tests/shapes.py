"""A shape of a network, and inputs of it."""

from __future__ import annotations

import numpy as np

from fairweather_research.dataset.climatology import TERMS, terms
from fairweather_research.networks.base import (
    NetworkInputs,
    NetworkShape,
)

SHAPE = NetworkShape(
    inputs=2, steps=60, steps_a_day=24, areas=3, calendar=TERMS - 1, outputs=2, leads=30
)


def inputs(rows: int = 16, *, seed: int = 1) -> NetworkInputs:
    rng = np.random.default_rng(seed)
    present = (rng.random((rows, SHAPE.inputs, SHAPE.steps)) > 0.2).astype(np.float32)
    anomalies = rng.normal(size=present.shape).astype(np.float32) * present
    area = np.eye(SHAPE.areas, dtype=np.float32)[rng.integers(0, SHAPE.areas, rows)]
    calendar = terms(1_372_000_000 + 3600 * np.arange(rows))[:, 1:].astype(np.float32)
    return NetworkInputs(anomalies=anomalies, present=present, area=area, calendar=calendar)
