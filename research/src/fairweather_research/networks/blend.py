"""The mean of the linear regression (``recent_anomalies``) and of the ``mixer``.

Each is fitted by itself. On time that is not held out, with three folds of six days of New York,
the mean took 37.4 % of persistence's error of the first day's temperature (either alone 36.9) and
28.8 % of climatology's of humidity (29.3 and 27.6), and 7.6 % on the second day (5.7 and 8.9). The
passes that it reports are the mixer's.
"""

from __future__ import annotations

from collections.abc import Callable

import keras  # type: ignore[import-untyped]  # ships no types

from fairweather_research.networks import mixer, recent_anomalies
from fairweather_research.networks.base import (
    EpochRecord,
    FitPlan,
    Lessons,
    NetworkInputs,
    NetworkShape,
)
from fairweather_research.networks.keras_network import KerasNetwork
from fairweather_research.networks.recent_anomalies import inputs_of


class Blend(KerasNetwork):
    """Two networks and their mean; see ``networks.Network``."""

    def __init__(self, shape: NetworkShape, sample: NetworkInputs) -> None:
        self._linear = recent_anomalies.build(shape, sample)
        self._mixer = mixer.build(shape, sample)
        inputs = inputs_of(shape)
        outputs = [part.model(inputs) for part in (self._linear, self._mixer)]
        super().__init__(keras.Model(inputs, keras.layers.Average()(outputs)), shape)

    def fit(
        self,
        teaching: Lessons,
        checking: Lessons,
        plan: FitPlan,
        progress: Callable[[EpochRecord], None],
    ) -> None:
        """Fit one after the other."""
        self._linear.fit(teaching, checking, plan, lambda _: None)
        self._mixer.fit(teaching, checking, plan, progress)


build = Blend
