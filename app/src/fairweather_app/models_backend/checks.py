"""Fitness: may this model answer this request, and is what it says a forecast at all?

Each check looks at one thing and returns a refusal, or None when there is nothing against it.
The rules are the contract's; here they meet windows and arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from fairweather_interface.applicability import check_applicability, check_missing
from fairweather_interface.definitions import VARIABLES
from fairweather_interface.metadata import ModelMetadata, Output
from fairweather_interface.refusals import Code, Refusal

from fairweather_app.models_backend.runtime_model import Prediction, Values
from fairweather_app.observations.windows import Window


def check_windows(metadata: ModelMetadata, windows: Mapping[str, Window]) -> Refusal | None:
    """Every window has at least the share of values that its input asks for."""
    reasons = []
    for required in metadata.required_inputs:
        window = windows[required.name]
        refusal = check_missing(required, window.observed.missing)
        if refusal is not None:
            reasons.append(f"{refusal.reason}; missing {window.describe_gaps()}")
    if not reasons:
        return None
    return Refusal(code=Code.OBSERVATIONS_MISSING, reason="; ".join(reasons))


def check_observed(
    metadata: ModelMetadata, windows: Mapping[str, Window], *, margins: Mapping[str, float]
) -> Refusal | None:
    """Every window is inside the domain that the model declares, and the margin of its variable.

    A margin widens a minimum as much as a maximum; a share of missing values has none.
    """
    observed = {name: window.observed for name, window in windows.items()}
    return check_applicability(metadata, observed, margins=margins)


def check_predictions(
    metadata: ModelMetadata, predictions: Mapping[str, Prediction]
) -> Refusal | None:
    """What is forecast of every variable is a forecast; the first that is not is told."""
    for output in metadata.outputs:
        refusal = check_output(output, predictions[output.variable])
        if refusal is not None:
            return refusal
    return None


def check_output(output: Output, prediction: Prediction) -> Refusal | None:
    """Values, and their band where there is one, are what a forecast can be.

    Every one is finite and, where the contract knows the variable, physically possible, and at no
    step does the lower bound lie above the upper one.
    """
    lower, upper = prediction.lower, prediction.upper
    problem = _impossible(output, output.variable, prediction.value)
    for name, bound in (("lower", lower), ("upper", upper)):
        if problem is None and bound is not None:
            problem = _impossible(output, f"the {name} bound of {output.variable}", bound)
    if problem is None and lower is not None and upper is not None and (lower > upper).any():
        step = int(np.argmax(lower > upper))
        problem = (
            f"its band of {output.variable} is upside down: at step {step + 1} the lower bound is "
            f"{lower[step]:g} {output.unit}, the upper one {upper[step]:g}"
        )
    return None if problem is None else Refusal(code=Code.INVALID_OUTPUT, reason=problem)


def _impossible(output: Output, what: str, values: Values) -> str | None:
    lowest, highest = float(np.minimum.reduce(values)), float(np.maximum.reduce(values))
    if not (math.isfinite(lowest) and math.isfinite(highest)):  # NaN is the minimum of whatever
        return f"it forecasts a value of {what} that is no number"
    variable = VARIABLES.get(output.variable)
    if variable is None or (variable.minimum <= lowest and highest <= variable.maximum):
        return None
    return (
        f"it forecasts {what} from {lowest:g} to {highest:g} {output.unit}, possible is "
        f"{variable.minimum:g} to {variable.maximum:g}"
    )
