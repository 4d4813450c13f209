"""Windows made of the observations in a request, checked against the inputs that may take them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
from fairweather_interface.metadata import Input
from fairweather_interface.variables import VARIABLES, Variable

from fairweather_app.errors import InvalidRequestError, UnsuppliedInputError
from fairweather_app.observations.store import Values
from fairweather_app.observations.windows import Window

Series = Sequence[float | None]
"""The values of one input in a request, oldest first; None where one is missing."""


class RequestObservations:
    """Values by input name, oldest first, None where missing, checked against all candidates.

    `variables` hold the limits of those that are known. `InvalidRequestError` lists the names that
    no candidate has, the lengths that none takes, and the values that cannot be real.
    """

    def __init__(
        self,
        values: Mapping[str, Series],
        candidates: Iterable[Sequence[Input]],
        variables: Mapping[str, Variable] = VARIABLES,
    ) -> None:
        self._values: dict[str, Values] = {
            name: np.asarray(series, dtype=np.float64)  # None becomes NaN
            for name, series in values.items()
        }
        takers: dict[str, list[Input]] = defaultdict(list)
        for required in candidates:
            for each in required:
                takers[each.name].append(each)
        if not takers:
            return
        found = {
            name: _problem(name, series, takers, variables) for name, series in self._values.items()
        }
        problems = [f"observations.{name}: {problem}" for name, problem in found.items() if problem]
        if problems:
            raise InvalidRequestError(problems)

    def windows(
        self, required_inputs: Iterable[Input], reference_time: datetime
    ) -> dict[str, Window]:
        """Return the windows of one model's inputs that the request has, by input name.

        A series of another length than the model takes is `UnsuppliedInputError`.
        """
        windows = {}
        for required in required_inputs:
            series = self._values.get(required.name)
            if series is None or required.sample_rate is None:
                continue
            if len(series) != required.samples:
                raise UnsuppliedInputError(
                    f"input {required.name!r} takes {required.samples} values, {len(series)} were "
                    "given"
                )
            windows[required.name] = Window(
                values=series.astype(np.float32),
                reference_time=reference_time,
                sample_rate=required.sample_rate,
            )
        return windows


def _problem(
    name: str,
    series: Values,
    takers: Mapping[str, Sequence[Input]],
    variables: Mapping[str, Variable],
) -> str | None:
    if name not in takers:
        names = ", ".join(sorted(takers))
        return f"no model for this area has such an input; expected {names}"
    lengths = sorted({each.samples for each in takers[name]})
    if len(series) not in lengths:
        expected = " or ".join(str(length) for length in lengths)
        return f"found {len(series)} values; expected {expected}, oldest first"
    variable = variables.get(takers[name][0].variable or "")
    low, high = (-1e30, 1e30) if variable is None else (variable.minimum, variable.maximum)
    # fmin and fmax ignore NaN, unless there is nothing else: NaN compares as False
    if not (np.fmin.reduce(series) < low or np.fmax.reduce(series) > high):
        return None
    position = int(np.argmax((series < low) | (series > high)))
    possible = f"possible is {low:g} to {high:g}, null where missing"
    return f"value {position + 1} is {series[position]:g}; {possible}"
