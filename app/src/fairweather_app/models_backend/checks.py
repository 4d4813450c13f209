"""The checks of one forecast in their order, and what obeys each duty of the contract.

`CHECKS` is the only place where the order is written: a request (`forecasting.forecaster`) and the
release check iterate it. A field that readers must obey is named by the check that obeys it; a test
names what obeys the others, and compares all with the ledger up to `NEWEST_SCHEMA`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from fairweather_interface import applicability
from fairweather_interface.metadata import ModelMetadata, Output
from fairweather_interface.refusals import Code, Phase, Refusal
from fairweather_interface.variables import Variable

from fairweather_app.models_backend.runtime_model import Prediction, Predictions, Values
from fairweather_app.observations.windows import Window


@dataclass(kw_only=True, slots=True)
class Trial:
    """What is known of one model's forecast so far; windows and predictions are filled in.

    `margins` are how far beyond a minimum or maximum the operator goes, by variable.
    """

    metadata: ModelMetadata
    area: str
    reference_time: datetime
    margins: Mapping[str, float]
    windows: Mapping[str, Window] = field(default_factory=dict)
    predictions: Predictions = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One check: when it can be made, and the ledger's fields that it obeys."""

    phase: Phase
    find: Callable[[Trial], Refusal | None]
    obeys: tuple[str, ...] = ()


def first_refusal(trial: Trial, phase: Phase | None = None) -> Refusal | None:
    """Return the first refusal of the checks of a phase, or of all, in their order."""
    for check in CHECKS:
        if phase is None or check.phase is phase:
            refusal = check.find(trial)
            if refusal is not None:
                return refusal
    return None


def check_windows(metadata: ModelMetadata, windows: Mapping[str, Window]) -> Refusal | None:
    """Refuse when a window lacks more of its values than its input allows."""
    reasons = []
    for required in metadata.required_inputs:
        window = windows[required.name]
        refusal = applicability.check_missing(required, window.observed.missing)
        if refusal is not None:
            reasons.append(f"{refusal.reason}; missing {window.describe_gaps()}")
    if not reasons:
        return None
    return Refusal(code=Code.OBSERVATIONS_MISSING, reason="; ".join(reasons))


def check_observed(
    metadata: ModelMetadata, windows: Mapping[str, Window], *, margins: Mapping[str, float]
) -> Refusal | None:
    """Refuse when a window lies outside the domain that the model declares, and its margin.

    A margin widens a minimum as much as a maximum; a share of missing values has none. Where
    `margins` do not name a variable, the margin that the model declares holds.
    """
    declared = (metadata.declared_variables or {}).items()
    margins = {name: each.margin or 0.0 for name, each in declared} | dict(margins)
    return applicability.check_applicability(metadata, _observed(windows), margins=margins)


def _observed(windows: Mapping[str, Window]) -> dict[str, applicability.Observed]:
    return {name: window.observed for name, window in windows.items()}


def check_predictions(
    metadata: ModelMetadata, predictions: Mapping[str, Prediction]
) -> Refusal | None:
    """Refuse when the prediction of a variable is no forecast; the first is named."""
    rows = metadata.variable_table
    for output in metadata.outputs:
        name = output.variable
        refusal = check_output(output, predictions[name], rows.get(name))
        if refusal is not None:
            return refusal
    return None


def check_output(
    output: Output, prediction: Prediction, variable: Variable | None
) -> Refusal | None:
    """Refuse values, or their band where there is one, that cannot be a forecast.

    Every one is finite and, where the `variable` is known, physically possible, and at no step does
    the lower bound lie above the upper one.
    """
    lower, upper = prediction.lower, prediction.upper
    problem = _impossible(output, variable, output.variable, prediction.value)
    for name, bound in (("lower", lower), ("upper", upper)):
        if problem is None and bound is not None:
            problem = _impossible(output, variable, f"the {name} bound of {output.variable}", bound)
    if problem is None and lower is not None and upper is not None and (lower > upper).any():
        step = int(np.argmax(lower > upper))
        problem = (
            f"its band of {output.variable} is upside down: at step {step + 1} the lower bound is "
            f"{lower[step]:g} {output.unit}, the upper one {upper[step]:g}"
        )
    return None if problem is None else Refusal(code=Code.INVALID_OUTPUT, reason=problem)


def _impossible(output: Output, variable: Variable | None, what: str, values: Values) -> str | None:
    lowest, highest = float(np.minimum.reduce(values)), float(np.maximum.reduce(values))
    if not (math.isfinite(lowest) and math.isfinite(highest)):  # NaN is the minimum of whatever
        return f"it forecasts a value of {what} that is no number"
    if variable is None or (variable.minimum <= lowest and highest <= variable.maximum):
        return None
    return (
        f"it forecasts {what} from {lowest:g} to {highest:g} {output.unit}, possible is "
        f"{variable.minimum:g} to {variable.maximum:g}"
    )


CHECKS = (
    Check(  # no observation helps a model that may not be asked at this time
        phase=Phase.START,
        find=lambda trial: applicability.check_start(
            trial.metadata, trial.area, trial.reference_time
        ),
        obeys=("valid_months", "areas{}.timezone"),
    ),
    Check(
        phase=Phase.WINDOWS,
        find=lambda trial: check_windows(trial.metadata, trial.windows),
        obeys=("inputs[].max_missing",),
    ),
    Check(
        phase=Phase.WINDOWS,
        find=lambda trial: applicability.check_age(trial.metadata, _observed(trial.windows)),
        obeys=("inputs[].max_age",),
    ),
    Check(
        phase=Phase.WINDOWS,
        find=lambda trial: check_observed(trial.metadata, trial.windows, margins=trial.margins),
        obeys=(
            "applicability_domain",
            "applicability_domain{}.minimum",
            "applicability_domain{}.maximum",
            "applicability_domain{}.max_missing",
        ),
    ),
    Check(phase=Phase.RUN, find=lambda trial: check_predictions(trial.metadata, trial.predictions)),
)
"""Every check of a forecast, in the order in which they are made."""
