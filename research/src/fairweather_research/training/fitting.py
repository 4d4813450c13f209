"""Fit a network to chosen windows. Only the training process imports this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fairweather_research.dataset.branches import Switch
from fairweather_research.dataset.climatology import terms, usual_at
from fairweather_research.dataset.split import Part
from fairweather_research.dataset.stacked_windows import StackedWindows
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.dataset.windows import SampledSeries
from fairweather_research.environment import memory_limit
from fairweather_research.errors import NetworkError
from fairweather_research.evaluation.scores import BASELINES
from fairweather_research.export.graph import Constants, Multiplexed, views
from fairweather_research.networks.base import (
    NETWORKS,
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
    refuse_other_numbers,
    validate_network,
    wrap_errors,
)
from fairweather_research.networks.keras_network import KerasNetwork, drawn_rows
from fairweather_research.recipes.blueprint import Blueprint
from fairweather_research.training.calibration import shrinkage

# What is held in memory at once of the forecasts that trust and bands are found with.
_MOST_VALUES = 9_000_000
_MOST_ROWS = 4096  # whole batches of ``predict``
_MOST_SHOWN = 50_000_000  # values of the sample that an external network scales its layers to

# A series that never moves would otherwise be divided by nothing.
_LEAST_SPREAD = 1e-3

_IN_MEMORY = (
    "`network`: found {:.1f} GB of windows, which a network that fits itself is given whole, "
    "expected at most the {:.1f} GB of memory that are here; take fewer areas, months or years, or "
    "build a Keras model, which is given them batch by batch"
)

_FOREIGN = (
    "`switch`: found a network of another framework, expected one in TensorFlow: only these can "
    "share a graph; take `switch` out, or choose another `network`"
)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A trained network, the constants of the graph, and the record of the training."""

    network: Any  # what the graph calls: a Keras model, or the like; see ``foreign``
    foreign: ExportsOnnx | None  # the network, where it is not in TensorFlow
    windows: WindowSet  # that trust and bands are found with: all, or many drawn of very many
    predicted: npt.NDArray[np.float32]  # its output for these windows, [rows, outputs, leads]
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
    climatology and shrinkage are found on all windows together, shrinkage on as many as are held in
    memory. The values of held-out blocks are not looked at, save as the past of a forecast.

    Raises:
        NetworkError: the network cannot be had, or does not keep what a network promises.
    """
    usual = _measure(windows)
    scaled = _scaled(windows.truths, usual, "output")
    training, calibration = (
        windows.observed(part, scaled) for part in (Part.TRAINING, Part.CALIBRATION)
    )
    inputs = _network_inputs(windows, usual)
    shape = NetworkShape(
        inputs=len(windows.plan.inputs),
        steps=windows.plan.steps,
        steps_a_day=windows.plan.steps_a_day,
        areas=len(windows.plan.areas),
        calendar=inputs.calendar.shape[1],
        outputs=len(windows.plan.outputs),
        leads=windows.plan.leads,
    )
    drawn = drawn_rows(len(windows), _MOST_VALUES // (shape.outputs * shape.leads))
    predicted = np.zeros((len(drawn), shape.outputs, shape.leads), np.float32)
    others = _others(windows.plan)
    late = np.zeros_like(predicted) if others else np.zeros(0, np.float32)
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
            shape,
            network,
            plan,
            record,
            (inputs.rows(rows), training[rows], calibration[rows]),
            shared=switch is not None,
        )
        places = np.flatnonzero(branch[drawn] == number)
        for some in np.split(places, range(_MOST_ROWS, len(places), _MOST_ROWS)):
            with wrap_errors(network, "asking it"):
                predicted[some] = fitted.predict(inputs.rows(drawn[some]).loaded())
                for output, unread in enumerate(others):
                    shown = inputs.rows(drawn[some]).loaded()
                    for values in (shown.anomalies, shown.present):  # without their newest day
                        values[:, unread, -shape.steps_a_day :] = 0.0
                    late[some, output] = fitted.predict(shown)[:, output]
        networks.append(fitted)
        best.append(
            min(epochs[before:], key=lambda epoch: epoch.calibration).number
            if len(epochs) > before
            else before
        )
    held = calibration[drawn].counts().any(axis=1)
    kept = windows.rows(drawn[held])
    block = kept.split.block(kept.lead_times())
    targets = np.asarray(calibration[drawn[held]], np.float64)
    unseen, persisted = _rivals(kept, usual)
    factors = [
        shrinkage(
            predicted[held, output].astype(np.float64),
            targets[:, output],
            block,
            steps_a_day=windows.plan.steps_a_day,
            unseen=unseen[:, output],
            kept=persisted[:, output],
        )
        for output in range(len(windows.plan.outputs))
    ]
    foreign = isinstance(networks[0], ExportsOnnx)
    models = [] if foreign else [one.model for one in networks]
    return Fitted(
        network=Multiplexed(models, switch) if switch else next(iter(models), None),
        foreign=networks[0] if foreign else None,
        windows=windows.rows(drawn),
        predicted=predicted,
        predicted_late=late if others else None,
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


def _fit_one(
    shape: NetworkShape,
    network: str,
    plan: FitPlan,
    progress: Callable[[EpochRecord], None],
    samples: tuple[NetworkInputs, StackedWindows, StackedWindows],
    *,
    shared: bool,
) -> Any:  # noqa: ANN401 - whatever the network is
    """Build a network and fit it to ``samples``: inputs, training and calibration targets."""
    inputs, *targets = samples
    teaching, checking = (
        Lessons(inputs.rows(rows), target[rows])  # type: ignore[arg-type]  # read like an array
        for target in targets
        for rows in [target.counts().any(axis=1)]
    )
    sample = teaching.inputs
    if network not in NETWORKS:
        most = _MOST_SHOWN // (2 * shape.inputs * shape.steps)
        sample = sample.rows(drawn_rows(len(sample), most)).loaded()
    built = build_network(network, shape, sample)
    if isinstance(built, ExportsOnnx) and shared:
        raise NetworkError(network, [_FOREIGN])
    if network not in NETWORKS and type(built) is not KerasNetwork:
        values = shape.outputs * shape.leads + 2 * shape.inputs * shape.steps
        needed = 4 * values * sum(len(each.targets) for each in (teaching, checking))
        if needed > memory_limit():
            raise NetworkError(network, [_IN_MEMORY.format(needed / 1e9, memory_limit() / 1e9)])
        teaching, checking = (
            Lessons(each.inputs.loaded(), np.asarray(each.targets)) for each in (teaching, checking)
        )
    with wrap_errors(network, "fitting it"):
        built.fit(teaching, checking, plan, progress)
    if network not in NETWORKS and hasattr(built, "model"):
        refuse_other_numbers(network, built.model, teaching.inputs)
    validate_network(network, built.predict, shape, inputs)
    return built


def _measure(windows: WindowSet) -> dict[str, npt.NDArray[np.float64]]:
    """Measure climatology, and the spread around it, of every series outside held-out time."""
    coarse = {key: windows.coarse_input(*key) for key in windows.sources}
    measured: dict[str, npt.NDArray[np.float64]] = {}
    for kind, series in (("input", coarse), ("output", windows.truths)):
        measured[f"{kind}_usual"], spread = windows.climatology(series)
        measured[f"{kind}_spread"] = np.maximum(spread, _LEAST_SPREAD)
    return measured


def _scaled(
    series: Mapping[tuple[int, int], SampledSeries],
    usual: dict[str, npt.NDArray[np.float64]],
    kind: str,
) -> dict[tuple[int, int], SampledSeries]:
    """Return series of this kind, input or output, as scaled anomalies, by number and area."""
    usually, spread = usual[f"{kind}_usual"], usual[f"{kind}_spread"]
    return {
        key: each._replace(
            value=(each.value - usual_at(each.time, usually[key[::-1]])) / spread[key[::-1]]
        )
        for key, each in series.items()
    }


def _network_inputs(windows: WindowSet, usual: dict[str, npt.NDArray[np.float64]]) -> NetworkInputs:
    """Compute what the graph computes for the network, from whole series at once.

    The anomalies and where they are present are cut out of the series when they are read.
    """
    plan = windows.plan
    coarse = {key: windows.coarse_input(*key) for key in windows.sources}
    scaled = _scaled(coarse, usual, "input")
    known = {
        key: each._replace(value=np.where(np.isnan(each.value), np.nan, 1.0))
        for key, each in scaled.items()
    }
    anomalies, present = (
        StackedWindows(
            series=each,
            area=windows.area,
            end=windows.reference,
            samples=plan.steps,
            missing=0.0,
            begins=[plan.steps - wanted.period // plan.step for wanted in plan.inputs],
        )
        for each in (scaled, known)
    )
    return NetworkInputs(
        anomalies=anomalies,  # type: ignore[arg-type]  # read like an array
        present=present,  # type: ignore[arg-type]
        area=np.eye(len(plan.areas), dtype=np.float32)[windows.area],
        calendar=terms(windows.reference)[:, 1:].astype(np.float32),
    )
