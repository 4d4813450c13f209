"""Examples: held-out windows that prove to a reader that it runs the model right.

Among them are windows at the edge of what was seen, and the cases in which converters and runtimes
fail silently: missing values inside a window and at its newest end, and a window out of domain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from fairweather_interface.refusals import Code

if TYPE_CHECKING:
    import numpy.typing as npt

    from fairweather_research.dataset import WindowSet

__all__ = ["SERVE", "choose_examples"]

SERVE = "serve"

_REGULAR = 8
_BEYOND = 25.0  # degC above the highest value seen: past any reader's margin

_Arrays: TypeAlias = "dict[str, npt.NDArray[Any]]"


def choose_examples(windows: WindowSet, *, max_temperature_seen: float | None) -> _Arrays:
    """Choose examples from held-out windows; outputs are for the model to add.

    Returns:
        ``input/<name>`` for every input of the signature, ``area``, ``reference_time`` and
        ``expect``, all with one row an example: eight spread over areas and time, the windows of
        lowest and highest mean of the first input, one with as many missing values as are allowed
        (where any are) and, when there is a bound, one beyond it.
    """
    inputs = windows.inputs()
    candidates = np.arange(len(windows))
    temperatures = [plan.name for plan in windows.plan.inputs if plan.variable == "temperature"]
    if max_temperature_seen is not None:
        highest = np.max([np.nanmax(inputs[name], axis=1) for name in temperatures], axis=0)
        candidates = np.flatnonzero(highest <= max_temperature_seen)
    level = np.nanmean(inputs[windows.plan.inputs[0].name][candidates], axis=1)
    spread = np.linspace(0, len(candidates) - 1, _REGULAR).round().astype(np.int64)
    rows = list(candidates[[*spread, level.argmin(), level.argmax()]])
    expect = [SERVE] * len(rows)

    middle = candidates[len(candidates) // 2]
    gappy = any(int(plan.max_missing * plan.samples) for plan in windows.plan.inputs)
    beyond = max_temperature_seen is not None
    rows += [middle] * (gappy + beyond)
    expect += [SERVE] * gappy + [str(Code.OUT_OF_DOMAIN)] * beyond

    chosen = {name: values[rows].copy() for name, values in inputs.items()}
    if gappy:
        for plan in windows.plan.inputs:
            _lose(chosen[plan.name][_REGULAR + 2], int(plan.max_missing * plan.samples))
    if max_temperature_seen is not None:
        for name in temperatures:
            last = chosen[name][-1]
            last += max_temperature_seen + _BEYOND - np.nanmax(last)

    names = np.array(list(windows.plan.areas))
    return {
        **{f"input/{name}": values for name, values in chosen.items()},
        "input/reference_time": windows.reference[rows],
        "input/area_index": windows.area[rows],
        "area": names[windows.area[rows]],
        "reference_time": windows.reference[rows],
        "expect": np.array(expect),
    }


def _lose(window: npt.NDArray[np.float32], allowed: int) -> None:
    """Lose as many values as are allowed: the newest one, and a stretch in the middle."""
    missing = int(np.isnan(window).sum())
    for place in (len(window) - 1, *range(len(window) // 2, len(window) - 1)):
        if missing >= allowed:
            return
        if not np.isnan(window[place]):
            window[place] = np.nan
            missing += 1
