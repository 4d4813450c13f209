"""Windows: what a model is fed with, made of observations exactly as the contract says.

The window of an input at reference time t0 has N = period / sample_rate samples, oldest first.
Sample k stands for t_k = t0 - (N - k) * sample_rate and is the mean of the observations in
(t_k - sample_rate, t_k]; NaN where there is none. For a region each member's window is made
first; then, sample by sample, the mean of the members that have a value, NaN unless at least half
of them do. Times are counted in whole microseconds, so that edges are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Protocol

import numpy as np
import numpy.typing as npt
from fairweather_interface.applicability import Observed
from fairweather_interface.definitions import VARIABLES
from fairweather_interface.durations import format_duration
from fairweather_interface.metadata import Input

from fairweather_app.common.request_trace import RequestTrace
from fairweather_app.common.times import MICROSECOND, to_microseconds, write_time
from fairweather_app.errors import UnsuppliedInputError
from fairweather_app.observations.series import Times, Values

LONGEST_PERIOD = timedelta(days=366)
SHORTEST_SAMPLE_RATE = timedelta(minutes=1)
GAPS_TOLD = 3


class Observations(Protocol):
    """Where observations come from; `ObservationStore` is one."""

    def series(
        self, area: str, variable: str, after: datetime, until: datetime
    ) -> tuple[Times, Values]:
        """Times (microseconds) and values of the observations in (after, until]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which window: of one variable for one area, or for a region given by its members."""

    areas: tuple[str, ...]
    variable: str
    reference_time: datetime
    period: timedelta
    sample_rate: timedelta


class Windows(Protocol):
    """Where windows come from; `ReadyWindows` is one."""

    def window(self, wanted: Wanted, trace: RequestTrace | None = None) -> Window:
        """Return the window that `read_window` would read now, counted in the `trace`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """The observations one input is fed with: float32, shape (samples,), NaN where missing."""

    values: npt.NDArray[np.float32]
    reference_time: datetime
    sample_rate: timedelta

    @cached_property
    def observed(self) -> Observed:
        """Its lowest and highest value and how many are missing, as the contract's rules ask."""
        missing = int(np.count_nonzero(np.isnan(self.values)))
        if missing == self.values.size:
            return Observed(lowest=None, highest=None, missing=missing)
        return Observed(
            lowest=float(np.fmin.reduce(self.values)),  # which passes over NaN
            highest=float(np.fmax.reduce(self.values)),
            missing=missing,
        )

    @cached_property
    def digest(self) -> bytes:
        """Differs when a value does."""
        return blake2b(self.values.tobytes(), digest_size=16).digest()

    def gaps(self) -> tuple[tuple[datetime, datetime], ...]:
        """Where samples are missing, longest gap first: no observation lies in (from, to]."""
        missing = np.concatenate([[False], np.isnan(self.values), [False]])
        starts, ends = np.flatnonzero(np.diff(missing.astype(np.int8))).reshape(-1, 2).T.tolist()
        oldest = self.reference_time - len(self.values) * self.sample_rate
        spans = sorted(zip(starts, ends, strict=True), key=lambda span: (span[0] - span[1], span))
        return tuple(
            (oldest + start * self.sample_rate, oldest + end * self.sample_rate)
            for start, end in spans
        )

    def describe_gaps(self) -> str:
        """The longest gaps in words, with times in UTC."""
        gaps = self.gaps()
        told = [f"from {write_time(start)} to {write_time(end)}" for start, end in gaps[:GAPS_TOLD]]
        more = f" and {len(gaps) - GAPS_TOLD} shorter gaps" if len(gaps) > GAPS_TOLD else ""
        return ", ".join(told) + more


def what_to_read(wanted: Input) -> tuple[str, timedelta, timedelta]:
    """Variable, period and sample rate of an input that the app's own observations can feed.

    Raises:
        UnsuppliedInputError: they never can; the message says why.
    """

    def never(reason: str) -> UnsuppliedInputError:
        return UnsuppliedInputError(f"input {wanted.name!r} cannot be supplied: {reason}")

    if wanted.variable is None or wanted.variable not in VARIABLES:
        known = ", ".join(VARIABLES)
        raise never(f"this release keeps no observations of {wanted.variable!r}, only of {known}")
    unit = VARIABLES[wanted.variable].unit
    if wanted.unit != unit:
        raise never(f"it wants {wanted.variable} in {wanted.unit!r}, observations are in {unit!r}")
    if wanted.period is None or wanted.period > LONGEST_PERIOD:
        raise never(f"its period is longer than {format_duration(LONGEST_PERIOD)}")
    if wanted.sample_rate is None or wanted.sample_rate < SHORTEST_SAMPLE_RATE:
        raise never(f"its sample rate is shorter than {format_duration(SHORTEST_SAMPLE_RATE)}")
    return wanted.variable, wanted.period, wanted.sample_rate


def get_inputs(
    required_inputs: Iterable[Input],
    area: str,
    reference_time: datetime,
    observations: Windows,
    *,
    given: Mapping[str, Window] | None = None,
    trace: RequestTrace | None = None,
) -> dict[str, Window]:
    """The window of every required input, by input name; what is `given` is not read.

    Raises:
        UnsuppliedInputError: an input is not given and can never be read here.
    """
    windows = dict(given or {})
    for wanted in required_inputs:
        if wanted.name not in windows:
            variable, period, sample_rate = what_to_read(wanted)
            windows[wanted.name] = observations.window(
                Wanted(
                    areas=tuple(wanted.areas or (area,)),
                    variable=variable,
                    reference_time=reference_time,
                    period=period,
                    sample_rate=sample_rate,
                ),
                trace,
            )
    return windows


def read_window(observations: Observations, wanted: Wanted) -> Window:
    """Make a window of the observations that there are."""
    until = wanted.reference_time
    members = [
        sample_means(
            *observations.series(area, wanted.variable, until - wanted.period, until),
            reference_time=until,
            samples=wanted.period // wanted.sample_rate,
            sample_rate=wanted.sample_rate,
        )
        for area in wanted.areas
    ]
    values = region_mean(np.stack(members)) if len(members) > 1 else members[0]
    return Window(
        values=values.astype(np.float32), reference_time=until, sample_rate=wanted.sample_rate
    )


def sample_means(
    times: Times,
    values: Values,
    *,
    reference_time: datetime,
    samples: int,
    sample_rate: timedelta,
) -> Values:
    """The mean of the observations of each sample, shape (samples,); NaN where there is none.

    `times` (microseconds) may be in any order and reach beyond the window; NaN values do not count.
    """
    rate = sample_rate // MICROSECOND
    oldest = to_microseconds(reference_time) - samples * rate
    positions = (times - oldest - 1) // rate
    counted = (positions >= 0) & (positions < samples) & ~np.isnan(values)
    positions = positions[counted]
    counts = np.bincount(positions, minlength=samples)
    sums = np.bincount(positions, weights=values[counted], minlength=samples)
    means: Values = np.divide(sums, counts, out=np.full(samples, np.nan), where=counts > 0)
    return means


def region_mean(members: npt.NDArray[np.float64]) -> Values:
    """The mean over members, shape (members, samples) -> (samples,); NaN below half of them."""
    present = ~np.isnan(members)
    counts = present.sum(axis=0)
    sums = np.where(present, members, 0.0).sum(axis=0)
    enough = (2 * counts >= len(members)) & (counts > 0)
    means: Values = np.divide(sums, counts, out=np.full(members.shape[1], np.nan), where=enough)
    return means
