"""Fitting: from chosen windows to a trained network. Only the training process comes here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairweather_research.dataset.branches import Switch
from fairweather_research.dataset.climatology import fit_climatology, terms
from fairweather_research.dataset.split import Part
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.dataset.windows import SampledSeries
from fairweather_research.errors import NetworkError
from fairweather_research.export.graph import Constants, Multiplexed
from fairweather_research.networks.base import (
    EpochRecord,
    ExportsOnnx,
    FitPlan,
    Lessons,
    NetworkInputs,
    NetworkShape,
)
from fairweather_research.networks.external import build_network, doing, hold_to_promises, origin
from fairweather_research.training.calibration import shrinkage

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt


__all__ = ["Fitted", "fit"]

# A series that never moves would otherwise be divided by nothing.
_LEAST_SPREAD = 1e-3

_FOREIGN = (
    "`switch`: found a network of another framework, expected one in TensorFlow: only these can "
    "share a graph; take `switch` out, or choose another `network`"
)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A trained network, what surrounds it, and how it came about."""

    network: Any  # what the graph calls: a Keras model, or the like; see ``foreign``
    foreign: ExportsOnnx | None  # the network, where it is not in TensorFlow; the graph goes around
    said: npt.NDArray[np.float32]  # what the network answers to all windows, [rows, outputs, leads]
    constants: Constants
    epochs: tuple[EpochRecord, ...]  # of one network after the other, numbered through
    best_epochs: tuple[int, ...]  # what each network went back to
    switch: Switch | None  # how the networks share the windows, where there are several
    origin: dict[str, str]  # what provenance says of a network of somebody else's


def fit(
    windows: WindowSet,
    plan: FitPlan,
    network: str,
    progress: Callable[[EpochRecord], None],
    switch: Switch | None = None,
) -> Fitted:
    """Fit a network on training time, stop it and shrink it on calibration time.

    With a switch, each branch has a network of its own that learns from the branch's windows alone;
    what is usual, and how far to trust the answer, is found on all windows together. The values of
    held-out blocks are not looked at, save as the past of a forecast.

    Raises:
        NetworkError: the network cannot be had, or does not keep what a network promises.
    """
    usual = _measure(windows)
    scaled = _scaled_targets(windows, usual)
    parts = windows.parts()[:, None, :]
    learn = np.where(parts == Part.TRAINING, scaled, np.nan)
    calibrate = np.where(parts == Part.CALIBRATION, scaled, np.nan)
    inputs = _network_inputs(windows, usual)
    said = np.zeros(learn.shape, np.float32)
    branch = np.zeros(len(windows), np.int64) if switch is None else switch.of(windows)
    epochs: list[EpochRecord] = []
    best: list[int] = []
    learners = []

    def told(epoch: EpochRecord) -> None:
        epochs.append(epoch.model_copy(update={"number": len(epochs) + 1}))
        progress(epochs[-1])

    for number in range(1 if switch is None else switch.branches):
        rows, before = branch == number, len(epochs)
        lessons = (inputs.rows(rows), learn[rows], calibrate[rows])
        learner = _learn(windows, plan, network, told, lessons, alone=switch is None)
        with doing(network, "asking it"):
            said[rows] = learner.predict(inputs.rows(rows))
        learners.append(learner)
        best.append(
            min(epochs[before:], key=lambda epoch: epoch.calibration).number
            if len(epochs) > before
            else before
        )
    checking = np.isfinite(calibrate).any(axis=(1, 2))
    block = windows.split.block(windows.lead_times()[checking])
    factors = [
        shrinkage(
            said[checking, output].astype(np.float64),
            calibrate[checking, output],
            block,
            steps_a_day=windows.plan.steps_a_day,
        )
        for output in range(len(windows.plan.outputs))
    ]
    foreign = isinstance(learners[0], ExportsOnnx)
    models = [] if foreign else [learner.model for learner in learners]
    return Fitted(
        network=Multiplexed(models, switch) if switch else next(iter(models), None),
        foreign=learners[0] if foreign else None,
        said=said,
        constants=Constants(**usual, shrinkage=np.stack(factors)),
        epochs=tuple(epochs),
        best_epochs=tuple(best),
        switch=switch,
        origin=origin(network, learners[0]),
    )


def _learn(
    windows: WindowSet,
    plan: FitPlan,
    network: str,
    progress: Callable[[EpochRecord], None],
    lessons: tuple[NetworkInputs, npt.NDArray[np.float64], npt.NDArray[np.float64]],
    *,
    alone: bool,
) -> Any:  # noqa: ANN401 - whatever the network is
    """Build one network and fit it; ``lessons`` are inputs, what to learn, what to check with."""
    inputs, learn, calibrate = lessons
    teaching = np.atleast_1d(np.isfinite(learn).any(axis=(1, 2)))
    checking = np.atleast_1d(np.isfinite(calibrate).any(axis=(1, 2)))
    shape = NetworkShape(
        inputs=len(windows.plan.inputs),
        steps=windows.plan.steps,
        steps_a_day=windows.plan.steps_a_day,
        areas=len(windows.plan.areas),
        calendar=inputs.calendar.shape[1],
        outputs=len(windows.plan.outputs),
        leads=windows.plan.leads,
    )
    learner = build_network(network, shape, inputs.rows(teaching))
    if isinstance(learner, ExportsOnnx) and not alone:
        raise NetworkError(network, [_FOREIGN])
    with doing(network, "fitting it"):
        learner.fit(
            Lessons(inputs.rows(teaching), learn[teaching].astype(np.float32)),
            Lessons(inputs.rows(checking), calibrate[checking].astype(np.float32)),
            plan,
            progress,
        )
    hold_to_promises(network, learner.predict, shape, inputs)
    return learner


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
    calendar = terms(windows.reference)[:, 1:].astype(np.float32)
    return NetworkInputs(anomalies=anomalies, present=present, area=one_hot, calendar=calendar)
