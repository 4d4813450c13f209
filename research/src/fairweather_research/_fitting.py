"""Fitting: from chosen windows to a trained network. Only the training process comes here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research._epochs import fit_network
from fairweather_research._graph import Constants
from fairweather_research.calibration import shrinkage
from fairweather_research.climatology import fit_climatology, terms
from fairweather_research.networks import NetworkInputs, NetworkShape, load_network
from fairweather_research.split import Part

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from fairweather_research.blueprint import Blueprint
    from fairweather_research.dataset import WindowSet
    from fairweather_research.recipe import FitPlan
    from fairweather_research.results import EpochRecord
    from fairweather_research.windows import SampledSeries

__all__ = ["Fitted", "fit"]

# A series that never moves would otherwise be divided by nothing.
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A trained network, what surrounds it, and how it came about."""

    network: Any  # a Keras model
    inputs: NetworkInputs  # what the network was shown, all windows
    constants: Constants
    epochs: tuple[EpochRecord, ...]
    best_epoch: int


def fit(
    windows: WindowSet,
    plan: FitPlan,
    network: str,
    progress: Callable[[EpochRecord], None],
) -> Fitted:
    """Fit a network on training time, stop it and shrink it on calibration time.

    The values of held-out blocks are not looked at, save as the past of a forecast.
    """
    usual = _measure(windows)
    scaled = _scaled_targets(windows, usual)
    parts = windows.parts()[:, None, :]
    learn = np.where(parts == Part.TRAINING, scaled, np.nan)
    calibrate = np.where(parts == Part.CALIBRATION, scaled, np.nan)

    inputs = _network_inputs(windows, usual)
    teaching = np.atleast_1d(np.isfinite(learn).any(axis=(1, 2)))
    checking = np.atleast_1d(np.isfinite(calibrate).any(axis=(1, 2)))
    shape = NetworkShape(
        inputs=len(windows.plan.inputs),
        steps=windows.plan.steps,
        steps_a_day=windows.plan.steps_a_day,
        areas=len(windows.plan.areas),
        outputs=len(windows.plan.outputs),
        leads=windows.plan.leads,
    )
    model = load_network(network)(shape, _rows(inputs, teaching))
    epochs = fit_network(
        model,
        _loss(windows.plan),
        plan,
        teaching=(_rows(inputs, teaching).arrays(), learn[teaching].astype(np.float32)),
        checking=(_rows(inputs, checking).arrays(), calibrate[checking].astype(np.float32)),
        progress=progress,
    )
    said = model.predict(_rows(inputs, checking).arrays(), batch_size=1024, verbose=0)
    block = windows.split.block(windows.lead_times()[checking])
    factors = [
        shrinkage(
            said[:, output].astype(np.float64),
            calibrate[checking, output],
            block,
            steps_a_day=windows.plan.steps_a_day,
        )
        for output in range(shape.outputs)
    ]
    return Fitted(
        network=model,
        inputs=inputs,
        constants=Constants(**usual, shrinkage=np.stack(factors)),
        epochs=epochs,
        best_epoch=min(epochs, key=lambda epoch: epoch.calibration).number,
    )


def _loss(plan: Blueprint) -> Callable[[Any, Any], Any]:
    """The mean square error over the targets that are there, near leads weighing more.

    What can be known of the weather fades with the lead; a loss in which all leads weigh the same
    stops at the first epoch, when the hopeless ones begin to learn noise. Weights fade by a factor
    of e a day and average to one.
    """
    fading = np.exp(-np.arange(plan.leads) / plan.steps_a_day)
    weights = tf.constant(fading / fading.mean(), tf.float32)

    def near_squares(target: Any, said: Any) -> Any:  # noqa: ANN401 - tensors have no types
        absent = tf.math.is_nan(target)
        error = tf.where(absent, tf.zeros_like(said), said - tf.where(absent, said, target))
        number = tf.reduce_sum(1.0 - tf.cast(absent, tf.float32))
        return tf.reduce_sum(weights * tf.square(error)) / tf.maximum(number, 1.0)

    return near_squares


def _measure(windows: WindowSet) -> dict[str, npt.NDArray[np.float64]]:
    """What is usual, and the usual spread, of every series on time that is not held out."""
    plan = windows.plan

    def known(series: SampledSeries) -> tuple[npt.NDArray[np.float64], float]:
        open_time = windows.split.part(series.time) != Part.HELD_OUT
        time, value = series.time[open_time], series.value[open_time]
        coefficients = fit_climatology(time, value)
        spread = float(np.nanstd(value - terms(time) @ coefficients))
        return coefficients, max(spread, _LEAST_SPREAD)

    measured: dict[str, npt.NDArray[np.float64]] = {}
    for kind, number, series_of in (
        ("input", len(plan.inputs), windows.coarse_input),
        ("output", len(plan.outputs), lambda output, area: windows.truths[output, area]),
    ):
        found = [
            [known(series_of(series, area)) for series in range(number)]
            for area in range(len(plan.areas))
        ]
        measured[f"{kind}_usual"] = np.array([[usual for usual, _ in row] for row in found])
        measured[f"{kind}_spread"] = np.array([[spread for _, spread in row] for row in found])
    return measured


def _scaled_targets(
    windows: WindowSet, usual: dict[str, npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    """Targets as scaled anomalies, [rows, outputs, leads]."""
    return windows.targets(
        {
            (output, area): series._replace(
                value=(series.value - terms(series.time) @ usual["output_usual"][area, output])
                / usual["output_spread"][area, output]
            )
            for (output, area), series in windows.truths.items()
        }
    )


def _network_inputs(windows: WindowSet, usual: dict[str, npt.NDArray[np.float64]]) -> NetworkInputs:
    """What the graph will hand to the network, made from whole series at once."""
    plan = windows.plan
    shape = (len(windows), len(plan.inputs), plan.steps)
    anomalies, present = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for area in range(len(plan.areas)):
        rows = windows.area == area
        for number, wanted in enumerate(plan.inputs):
            series = windows.coarse_input(number, area)
            expected = terms(series.time) @ usual["input_usual"][area, number]
            scaled = (series.value - expected) / usual["input_spread"][area, number]
            seen = series._replace(value=scaled).windows(windows.reference[rows], plan.steps)
            seen[:, : plan.steps - wanted.period // plan.step] = np.nan
            there = np.isfinite(seen)
            anomalies[rows, number] = np.where(there, seen, 0.0)
            present[rows, number] = there
    one_hot = np.eye(len(plan.areas), dtype=np.float32)[windows.area]
    return NetworkInputs(anomalies=anomalies, present=present, area=one_hot)


def _rows(inputs: NetworkInputs, use: npt.NDArray[np.bool_]) -> NetworkInputs:
    return NetworkInputs(
        anomalies=inputs.anomalies[use], present=inputs.present[use], area=inputs.area[use]
    )
