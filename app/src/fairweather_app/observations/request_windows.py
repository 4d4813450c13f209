"""Observations that a request brings along, held against the inputs that could take them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
from fairweather_interface.definitions import VARIABLES
from fairweather_interface.metadata import Input

from fairweather_app.errors import InvalidRequestError, UnsuppliedInputError
from fairweather_app.observations.series import Values
from fairweather_app.observations.windows import Window

Series = Sequence[float | None]
"""What a request gives of one input, oldest first; None where a value is missing."""


class GivenObservations:
    """Values by input name, oldest first, None where missing, checked against all candidates.

    Raises:
        InvalidRequestError: a name that no candidate has, a length that no candidate takes, or
            a value that cannot be real; `problems` lists all of them.
    """

    def __init__(self, values: Mapping[str, Series], candidates: Iterable[Sequence[Input]]) -> None:
        self._values: dict[str, Values] = {
            name: np.asarray(series, dtype=np.float64)  # None becomes NaN
            for name, series in values.items()
        }
        takers: dict[str, list[Input]] = defaultdict(list)
        for required in candidates:
            for each in required:
                takers[each.name].append(each)
        if not values or not takers:
            return
        problems = [
            problem
            for name, series in self._values.items()
            for problem in _problems(name, series, takers)
        ]
        if problems:
            raise InvalidRequestError(problems)

    def windows(
        self, required_inputs: Iterable[Input], reference_time: datetime
    ) -> dict[str, Window]:
        """The windows of one model's inputs that were given.

        Raises:
            UnsuppliedInputError: a series was given that has not the length this model takes.
        """
        windows = {}
        for wanted in required_inputs:
            series = self._values.get(wanted.name)
            if series is None or wanted.sample_rate is None:
                continue
            if len(series) != wanted.samples:
                raise UnsuppliedInputError(
                    f"input {wanted.name!r} takes {wanted.samples} values, {len(series)} were given"
                )
            windows[wanted.name] = Window(
                values=series.astype(np.float32),
                reference_time=reference_time,
                sample_rate=wanted.sample_rate,
            )
        return windows


def _problems(name: str, series: Values, takers: Mapping[str, Sequence[Input]]) -> list[str]:
    if name not in takers:
        names = ", ".join(sorted(takers))
        return [f"observations.{name}: no model for this area has such an input; expected {names}"]
    lengths = sorted({each.samples for each in takers[name]})
    if len(series) not in lengths:
        expected = " or ".join(str(length) for length in lengths)
        found = f"found {len(series)} values"
        return [f"observations.{name}: {found}; expected {expected}, oldest first"]
    variable = VARIABLES.get(takers[name][0].variable or "")
    low, high = (-1e30, 1e30) if variable is None else (variable.minimum, variable.maximum)
    # what passes over NaN finds NaN where there is nothing else, which lies nowhere
    if not (np.fmin.reduce(series) < low or np.fmax.reduce(series) > high):
        return []
    position = int(np.argmax((series < low) | (series > high)))
    possible = f"possible is {low:g} to {high:g}, null where missing"
    return [f"observations.{name}: value {position + 1} is {series[position]:g}; {possible}"]
