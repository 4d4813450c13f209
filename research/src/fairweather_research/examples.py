"""Examples: held-out windows that prove to a reader that it runs the model right.

Among them are windows at the edge of what was seen, and the cases in which converters and runtimes
fail silently: missing values inside a window and at its newest end, and a window out of domain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from fairweather_interface.definitions import VARIABLES
from fairweather_interface.refusals import Code

if TYPE_CHECKING:
    import numpy.typing as npt

    from fairweather_research.dataset import WindowSet

__all__ = ["SERVE", "choose_examples"]

SERVE = "serve"

_REGULAR = 8
_CONSIDERED = 500  # windows looked at, so that those of a minute's rate fit in memory
_BEYOND = 25.0  # degC above the highest value seen: past any reader's margin
_HOTTEST = VARIABLES["temperature"].maximum  # no reader takes a value that cannot be real

_Arrays: TypeAlias = "dict[str, npt.NDArray[Any]]"


def choose_examples(
    windows: WindowSet,
    *,
    max_temperature_seen: float | None,
    max_humidity_seen: float | None = None,
) -> _Arrays:
    """Choose examples from held-out windows; outputs are for the model to add.

    Where a window to serve goes beyond a bound, its values are cut at the bound: the edge of the
    domain itself is an example, and no reader may refuse it.

    Returns:
        ``input/<name>`` for every input of the signature, ``area``, ``reference_time`` and
        ``expect``, all with one row an example: eight spread over areas and time, the windows of
        lowest and highest mean of the first input, one with as many missing values as are allowed
        (where any are) and, when there is a bound on temperature that real weather can pass, one
        beyond it.
    """
    stride = -(-len(windows) // _CONSIDERED)
    windows = windows.rows(np.arange(len(windows)) % stride == 0)
    inputs = windows.inputs()
    temperatures = [plan.name for plan in windows.plan.inputs if plan.variable == "temperature"]
    level = np.nanmean(inputs[windows.plan.inputs[0].name], axis=1)
    spread = np.linspace(0, len(windows) - 1, _REGULAR).round().astype(np.int64)
    rows = [*spread.tolist(), int(level.argmin()), int(level.argmax())]
    expect = [SERVE] * len(rows)

    gappy = any(int(plan.max_missing * plan.samples) for plan in windows.plan.inputs)
    beyond = max_temperature_seen is not None and max_temperature_seen < _HOTTEST
    rows += [len(windows) // 2] * (gappy + beyond)
    expect += [SERVE] * gappy + [str(Code.OUT_OF_DOMAIN)] * beyond

    chosen = {name: values[rows] for name, values in inputs.items()}
    if gappy:
        for plan in windows.plan.inputs:
            _lose(chosen[plan.name][_REGULAR + 2], int(plan.max_missing * plan.samples))
    bounds = {"temperature": max_temperature_seen, "humidity": max_humidity_seen}
    for plan in windows.plan.inputs:
        bound = bounds.get(plan.variable)
        if bound is not None:
            chosen[plan.name] = np.minimum(chosen[plan.name], _below(bound))
    if beyond and max_temperature_seen is not None:
        for name in temperatures:
            last = chosen[name][-1]
            raised = last + (max_temperature_seen + _BEYOND - np.nanmax(last))
            chosen[name][-1] = np.minimum(raised, np.float32(_HOTTEST))

    names = np.array(list(windows.plan.areas))
    return {
        **{f"input/{name}": values for name, values in chosen.items()},
        "input/reference_time": windows.reference[rows],
        "input/area_index": windows.area[rows],
        "area": names[windows.area[rows]],
        "reference_time": windows.reference[rows],
        "expect": np.array(expect),
    }


def _below(bound: float) -> np.float32:
    """The largest float32 that is not above the bound; windows are float32, bounds are not."""
    nearest = np.float32(bound)
    return nearest if nearest <= bound else np.nextafter(nearest, np.float32(-np.inf))


def _lose(window: npt.NDArray[np.float32], allowed: int) -> None:
    """Lose as many values as are allowed: the newest one, and a stretch in the middle."""
    missing = int(np.isnan(window).sum())
    for place in (len(window) - 1, *range(len(window) // 2, len(window) - 1)):
        if missing >= allowed:
            return
        if not np.isnan(window[place]):
            window[place] = np.nan
            missing += 1
