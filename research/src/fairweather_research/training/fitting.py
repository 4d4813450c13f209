"""Fit a network to chosen windows. Only the training process imports this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.branches import Switch
from fairweather_research.dataset.climatology import terms, usual_at
from fairweather_research.dataset.split import Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.errors import NetworkError
from fairweather_research.evaluation.scores import BASELINES
from fairweather_research.export.graph import Constants, Multiplexed, views
from fairweather_research.networks.base import (
    EpochRecord,
    ExportsOnnx,
    FitPlan,
    Lessons,
    NetworkInputs,
    NetworkShape,
)
from fairweather_research.networks.external import (
    build_network,
    provenance_of,
    validate_network,
    wrap_errors,
)
from fairweather_research.recipes.blueprint import Blueprint
from fairweather_research.training.calibration import shrinkage

__all__ = ["Fitted", "fit"]

# A series that never moves would otherwise be divided by nothing.
_LEAST_SPREAD = 1e-3

_FOREIGN = (
    "`switch`: found a network of another framework, expected one in TensorFlow: only these can "
    "share a graph; take `switch` out, or choose another `network`"
)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A trained network, the constants of the graph, and the record of the training."""

    network: Any  # what the graph calls: a Keras model, or the like; see ``foreign``
    foreign: ExportsOnnx | None  # the network, where it is not in TensorFlow
    predicted: npt.NDArray[np.float32]  # its output for all windows, [rows, outputs, leads]
    #: The same without the newest day of what an output does not go by; None where none is so.
    predicted_late: npt.NDArray[np.float32] | None = None
    constants: Constants
    epochs: tuple[EpochRecord, ...]  # of one network after the other, numbered through
    best_epochs: tuple[int, ...]  # whose weights each network kept
    switch: Switch | None  # how the networks share the windows, where there are several
    origin: dict[str, str]  # provenance of an external network


def fit(
    windows: WindowSet,
    plan: FitPlan,
    network: str,
    progress: Callable[[EpochRecord], None],
    switch: Switch | None = None,
) -> Fitted:
    """Fit a network on training time, stop it and shrink it on calibration time.

    With a switch, each branch has a network of its own, fitted on the branch's windows alone;
    climatology and shrinkage are found on all windows together. The values of held-out blocks are
    not looked at, save as the past of a forecast.

    Raises:
        NetworkError: the network cannot be had, or does not keep what a network promises.
    """
    usual = _measure(windows)
    spread = usual["output_spread"][windows.area][:, :, None]
    scaled = (windows.targets() - windows.usual(usual["output_usual"])) / spread  # anomalies
    parts = windows.parts()[:, None, :]
    training = np.where(parts == Part.TRAINING, scaled, np.nan)
    calibration = np.where(parts == Part.CALIBRATION, scaled, np.nan)
    inputs = _network_inputs(windows, usual)
    predicted = np.zeros(scaled.shape, np.float32)
    others = _others(windows.plan)
    late = np.zeros(scaled.shape, np.float32) if others else None
    branch = np.zeros(len(windows), np.int64) if switch is None else switch.of(windows)
    epochs: list[EpochRecord] = []
    best: list[int] = []
    networks = []

    def record(epoch: EpochRecord) -> None:
        epochs.append(epoch.model_copy(update={"number": len(epochs) + 1}))
        progress(epochs[-1])

    for number in range(1 if switch is None else switch.branches):
        rows, before = branch == number, len(epochs)
        fitted = _fit_one(
            _shape(windows, inputs),
            network,
            plan,
            record,
            (inputs.rows(rows), training[rows], calibration[rows]),
            shared=switch is not None,
        )
        with wrap_errors(network, "asking it"):
            predicted[rows] = fitted.predict(inputs.rows(rows))
            if late is not None:
                for output, unread in enumerate(others):
                    without = _without_newest(inputs.rows(rows), unread, windows.plan.steps_a_day)
                    late[rows, output] = fitted.predict(without)[:, output]
        networks.append(fitted)
        best.append(
            min(epochs[before:], key=lambda epoch: epoch.calibration).number
            if len(epochs) > before
            else before
        )
    calibrated = np.atleast_1d(np.isfinite(calibration).any(axis=(1, 2)))
    some = windows.rows(calibrated)
    block = windows.split.block(some.lead_times())
    unseen, kept = _rivals(some, usual)
    factors = [
        shrinkage(
            predicted[calibrated, output].astype(np.float64),
            calibration[calibrated, output],
            block,
            steps_a_day=windows.plan.steps_a_day,
            unseen=unseen[:, output],
            kept=kept[:, output],
        )
        for output in range(len(windows.plan.outputs))
    ]
    foreign = isinstance(networks[0], ExportsOnnx)
    models = [] if foreign else [one.model for one in networks]
    return Fitted(
        network=Multiplexed(models, switch) if switch else next(iter(models), None),
        foreign=networks[0] if foreign else None,
        predicted=predicted,
        predicted_late=late,
        constants=Constants(**usual, shrinkage=np.stack(factors), delay=windows.delay),
        epochs=tuple(epochs),
        best_epochs=tuple(best),
        switch=switch,
        origin=provenance_of(network, networks[0]),
    )


def _rivals(
    windows: WindowSet, usual: dict[str, npt.NDArray[np.float64]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return two forecasts as scaled anomalies, [rows, outputs, leads].

    A climatology that was fitted without the time it is for, and persistence; of a record too short
    for the first, the climatology itself and nothing.
    """
    known = windows.usual(usual["output_usual"])
    unseen, kept = known, np.full(known.shape, np.nan)
    for there, split in windows.split.folds(windows.lead_times()):
        forecast = BASELINES["climatology"].predict(replace(windows, split=split))
        unseen = np.where(there[:, None], forecast, unseen)
        kept = BASELINES["persistence"].predict(windows)
    spread = usual["output_spread"][windows.area][:, :, None]
    return (unseen - known) / spread, (kept - known) / spread


def _others(plan: Blueprint) -> list[list[int]]:
    """Return for every output the inputs that it does not go by; nothing where it goes by all."""
    of_views, view_of = views(plan)
    every = range(len(plan.inputs))
    found = [[number for number in every if number not in of_views[view]] for view in view_of]
    return found if plan.oldest and any(found) else []


def _without_newest(inputs: NetworkInputs, unread: list[int], steps: int) -> NetworkInputs:
    """Take the newest steps of some inputs for missing, in place."""
    inputs.anomalies[:, unread, -steps:] = 0.0
    inputs.present[:, unread, -steps:] = 0.0
    return inputs


def _shape(windows: WindowSet, inputs: NetworkInputs) -> NetworkShape:
    plan = windows.plan
    return NetworkShape(
        inputs=len(plan.inputs),
        steps=plan.steps,
        steps_a_day=plan.steps_a_day,
        areas=len(plan.areas),
        calendar=inputs.calendar.shape[1],
        outputs=len(plan.outputs),
        leads=plan.leads,
    )


def _fit_one(
    shape: NetworkShape,
    network: str,
    plan: FitPlan,
    progress: Callable[[EpochRecord], None],
    samples: tuple[NetworkInputs, npt.NDArray[np.float64], npt.NDArray[np.float64]],
    *,
    shared: bool,
) -> Any:  # noqa: ANN401 - whatever the network is
    """Build a network and fit it to ``samples``: inputs, training and calibration targets."""
    inputs, training, calibration = samples
    training_rows = np.atleast_1d(np.isfinite(training).any(axis=(1, 2)))
    checking = np.atleast_1d(np.isfinite(calibration).any(axis=(1, 2)))
    built = build_network(network, shape, inputs.rows(training_rows))
    if isinstance(built, ExportsOnnx) and shared:
        raise NetworkError(network, [_FOREIGN])
    with wrap_errors(network, "fitting it"):
        built.fit(
            Lessons(inputs.rows(training_rows), training[training_rows].astype(np.float32)),
            Lessons(inputs.rows(checking), calibration[checking].astype(np.float32)),
            plan,
            progress,
        )
    validate_network(network, built.predict, shape, inputs)
    return built


def _measure(windows: WindowSet) -> dict[str, npt.NDArray[np.float64]]:
    """Measure climatology, and the spread around it, of every series outside held-out time."""
    plan = windows.plan

    measured: dict[str, npt.NDArray[np.float64]] = {}
    for kind, number, series_of in (
        ("input", len(plan.inputs), windows.coarse_input),
        ("output", len(plan.outputs), lambda output, area: windows.truths[output, area]),
    ):
        found = [
            [windows.climatology(series_of(series, area)) for series in range(number)]
            for area in range(len(plan.areas))
        ]
        measured[f"{kind}_usual"] = np.array([[usual for usual, _ in row] for row in found])
        measured[f"{kind}_spread"] = np.array(
            [[max(spread, _LEAST_SPREAD) for _, spread in row] for row in found]
        )
    return measured


def _network_inputs(windows: WindowSet, usual: dict[str, npt.NDArray[np.float64]]) -> NetworkInputs:
    """Compute what the graph computes for the network, from whole series at once."""
    plan = windows.plan
    shape = (len(windows), len(plan.inputs), plan.steps)
    anomalies, present = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for area in range(len(plan.areas)):
        rows = windows.area == area
        for number, wanted in enumerate(plan.inputs):
            series = windows.coarse_input(number, area)
            expected = usual_at(series.time, usual["input_usual"][area, number])
            scaled = (series.value - expected) / usual["input_spread"][area, number]
            seen = series._replace(value=scaled).windows(windows.reference[rows], plan.steps)
            seen[:, : plan.steps - wanted.period // plan.step] = np.nan
            there = np.isfinite(seen)
            anomalies[rows, number] = np.where(there, seen, 0.0)
            present[rows, number] = there
    one_hot = np.eye(len(plan.areas), dtype=np.float32)[windows.area]
    calendar = terms(windows.reference)[:, 1:].astype(np.float32)
    return NetworkInputs(anomalies=anomalies, present=present, area=one_hot, calendar=calendar)
