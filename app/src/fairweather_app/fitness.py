"""Fitness: may this model answer this request, and is what it says a forecast at all?

Each check looks at one thing and returns a refusal, or None when there is nothing against it.
The rules are the contract's; here they meet windows and arrays.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from fairweather_interface.applicability import check_domain, check_missing
from fairweather_interface.definitions import VARIABLES
from fairweather_interface.metadata import ModelMetadata, Output
from fairweather_interface.refusals import Code, Refusal

from fairweather_app.observations.windows import Window


def check_windows(metadata: ModelMetadata, windows: Mapping[str, Window]) -> Refusal | None:
    """Every window has at least the share of values that its input asks for."""
    reasons = []
    for required in metadata.required_inputs:
        window = windows[required.name]
        refusal = check_missing(required, int(np.isnan(window.values).sum()))
        if refusal is not None:
            reasons.append(f"{refusal.reason}; missing {window.describe_gaps()}")
    if not reasons:
        return None
    return Refusal(code=Code.OBSERVATIONS_MISSING, reason="; ".join(reasons))


def check_observed(
    metadata: ModelMetadata, windows: Mapping[str, Window], *, margins: Mapping[str, float]
) -> Refusal | None:
    """No observed value is further out than the model has seen in training, and the margin."""
    return check_domain(metadata, _highest(metadata, windows), margins=margins)


def check_output(output: Output, values: npt.NDArray[np.float32]) -> Refusal | None:
    """Every value is finite and, where the contract knows the variable, physically possible."""
    variable = VARIABLES.get(output.variable)
    if not np.isfinite(values).all():
        return Refusal(
            code=Code.INVALID_OUTPUT, reason=f"it forecasts a {output.variable} that is no number"
        )
    if variable is None:
        return None
    lowest, highest = float(values.min()), float(values.max())
    if variable.minimum <= lowest and highest <= variable.maximum:
        return None
    return Refusal(
        code=Code.INVALID_OUTPUT,
        reason=f"it forecasts {output.variable} from {lowest:g} to {highest:g} {output.unit}, "
        f"possible is {variable.minimum:g} to {variable.maximum:g}",
    )


def _highest(metadata: ModelMetadata, windows: Mapping[str, Window]) -> dict[str, float | None]:
    """The highest value of each variable over all windows that hold it."""
    highest: dict[str, float | None] = {}
    for required in metadata.required_inputs:
        found = windows[required.name].highest
        if required.variable is not None and found is not None:
            before = highest.get(required.variable)
            highest[required.variable] = found if before is None else max(before, found)
    return highest
