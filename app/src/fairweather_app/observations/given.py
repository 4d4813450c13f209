"""Observations that a request brings along, held against the inputs that could take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
from fairweather_interface.definitions import VARIABLES
from fairweather_interface.metadata import Input

from fairweather_app.errors import InvalidRequestError, UnsuppliedInputError
from fairweather_app.observations.windows import Window


class GivenObservations:
    """Values by input name, oldest first, None where missing, checked against all candidates.

    Raises:
        InvalidRequestError: a name that no candidate has, a length that no candidate takes, or
            a value that cannot be real; `problems` lists all of them.
    """

    def __init__(
        self, values: Mapping[str, Sequence[float | None]], candidates: Iterable[Sequence[Input]]
    ) -> None:
        self._values = values
        inputs = [list(each) for each in candidates]
        if not values or not inputs:
            return
        problems = [
            problem
            for name, series in values.items()
            for problem in _problems(
                name, series, [each for required in inputs for each in required]
            )
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
                values=np.array(series, dtype=np.float32),
                reference_time=reference_time,
                sample_rate=wanted.sample_rate,
            )
        return windows


def _problems(name: str, series: Sequence[float | None], inputs: Sequence[Input]) -> list[str]:
    takers = [each for each in inputs if each.name == name]
    if not takers:
        names = ", ".join(sorted({each.name for each in inputs}))
        return [f"observations.{name}: no model for this area has such an input; expected {names}"]
    lengths = sorted({each.samples for each in takers})
    if len(series) not in lengths:
        expected = " or ".join(str(length) for length in lengths)
        found = f"found {len(series)} values"
        return [f"observations.{name}: {found}; expected {expected}, oldest first"]
    variable = VARIABLES.get(takers[0].variable or "")
    low, high = (-1e30, 1e30) if variable is None else (variable.minimum, variable.maximum)
    for position, value in enumerate(series):
        if value is not None and not low <= value <= high:
            possible = f"possible is {low:g} to {high:g}, null where missing"
            return [f"observations.{name}: value {position + 1} is {value:g}; {possible}"]
    return []
