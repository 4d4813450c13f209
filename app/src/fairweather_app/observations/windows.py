"""Windows of observations: the inputs of models, computed exactly as the contract defines them.

The window of an input at reference time t0 has N = period / sample_rate samples, oldest first.
Sample k stands for t_k = t0 - (N - k) * sample_rate and is the mean of the observations in
(t_k - sample_rate, t_k]; NaN where there is none. For a region each member's window is made
first; then, sample by sample, the mean of the members that have a value, NaN unless at least half
of them do. Times are counted in whole microseconds, so that edges are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
from fairweather_interface.applicability import Observed
from fairweather_interface.durations import format_duration
from fairweather_interface.metadata import Input
from fairweather_interface.variables import VARIABLES, Variable

from fairweather_app.common.times import MICROSECOND, to_microseconds, write_time
from fairweather_app.errors import UnsuppliedInputError
from fairweather_app.observations.store import Times, Values

LONGEST_PERIOD = timedelta(days=366)
SHORTEST_SAMPLE_RATE = timedelta(minutes=1)
GAPS_SHOWN = 3

Read = Callable[[str, str, datetime, datetime], tuple[Times, Values]]  # (after, until] of a series


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowSpec:
    """The window of a variable for an area or a region's members; `unit` None is any."""

    areas: tuple[str, ...]
    variable: str
    reference_time: datetime
    period: timedelta
    sample_rate: timedelta
    unit: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """The values of one input: float32, shape (samples,), NaN where missing."""

    values: npt.NDArray[np.float32]
    reference_time: datetime
    sample_rate: timedelta

    @cached_property
    def observed(self) -> Observed:
        """Its range, how many are missing and how old the newest is, for the contract's rules."""
        gaps = np.isnan(self.values)
        missing = int(np.count_nonzero(gaps))
        if missing == self.values.size:
            return Observed(lowest=None, highest=None, missing=missing)
        newest = int(np.argmin(gaps[::-1])) if gaps[-1] else 0  # counted from the end
        return Observed(
            lowest=float(np.fmin.reduce(self.values)),  # which ignores NaN
            highest=float(np.fmax.reduce(self.values)),
            missing=missing,
            age=newest * self.sample_rate,
        )

    @cached_property
    def digest(self) -> bytes:
        """A hash of the values."""
        return blake2b(self.values.tobytes(), digest_size=16).digest()

    def gaps(self) -> tuple[tuple[datetime, datetime], ...]:
        """Return the gaps, the longest first: no observation lies in (from, to]."""
        missing = np.concatenate([[False], np.isnan(self.values), [False]])
        starts, ends = np.flatnonzero(np.diff(missing.astype(np.int8))).reshape(-1, 2).T.tolist()
        oldest = self.reference_time - len(self.values) * self.sample_rate
        spans = sorted(zip(starts, ends, strict=True), key=lambda span: (span[0] - span[1], span))
        return tuple(
            (oldest + start * self.sample_rate, oldest + end * self.sample_rate)
            for start, end in spans
        )

    def describe_gaps(self) -> str:
        """Return the longest gaps in words, with times in UTC."""
        gaps = self.gaps()
        longest = [f"from {write_time(a)} to {write_time(b)}" for a, b in gaps[:GAPS_SHOWN]]
        more = f" and {len(gaps) - GAPS_SHOWN} shorter gaps" if len(gaps) > GAPS_SHOWN else ""
        return ", ".join(longest) + more


def _window_spec(
    wanted: Input, area: str, reference_time: datetime, variables: Mapping[str, Variable]
) -> WindowSpec:
    """Return the window of an input, or raise why no observations here can ever supply it."""

    def never(reason: str) -> UnsuppliedInputError:
        return UnsuppliedInputError(f"input {wanted.name!r} cannot be supplied: {reason}")

    if wanted.variable is None or wanted.variable not in variables:
        known = ", ".join(variables)
        raise never(f"this release keeps no observations of {wanted.variable!r}, only of {known}")
    unit = variables[wanted.variable].unit
    if wanted.unit != unit:
        raise never(f"it wants {wanted.variable} in {wanted.unit!r}, observations are in {unit!r}")
    if wanted.period is None or wanted.period > LONGEST_PERIOD:
        raise never(f"its period is longer than {format_duration(LONGEST_PERIOD)}")
    if wanted.sample_rate is None or wanted.sample_rate < SHORTEST_SAMPLE_RATE:
        raise never(f"its sample rate is shorter than {format_duration(SHORTEST_SAMPLE_RATE)}")
    return WindowSpec(
        areas=tuple(wanted.areas or (area,)),
        variable=wanted.variable,
        reference_time=reference_time,
        period=wanted.period,
        sample_rate=wanted.sample_rate,
        unit=unit,
    )


def get_inputs(
    required_inputs: Iterable[Input],
    area: str,
    reference_time: datetime,
    read: Callable[[WindowSpec], Window],
    *,
    given: Mapping[str, Window] | None = None,
    variables: Mapping[str, Variable] = VARIABLES,
) -> dict[str, Window]:
    """Return the window of every required input, by input name; what is not `given` is read.

    `variables` are the rows of those that the contract or the model knows. An input that can never
    be read here is `UnsuppliedInputError`.
    """
    windows = dict(given or {})
    for wanted in required_inputs:
        if wanted.name not in windows:
            windows[wanted.name] = read(_window_spec(wanted, area, reference_time, variables))
    return windows


def check_unit(spec: WindowSpec, stored: str | None) -> None:
    """Raise `UnsuppliedInputError` where observations are `stored` in another unit than wanted."""
    if spec.unit is not None and stored is not None and stored != spec.unit:
        raise UnsuppliedInputError(
            f"{spec.variable} is wanted in {spec.unit!r}, its observations are in {stored!r}"
        )


def read_window(read: Read, spec: WindowSpec) -> Window:
    """Compute a window from the observations that `read` finds, which may reach beyond it."""
    until, rate = spec.reference_time, spec.sample_rate
    members = [
        sample_means(
            *read(area, spec.variable, until - spec.period, until),
            reference_time=until,
            samples=spec.period // rate,
            sample_rate=rate,
        )
        for area in spec.areas
    ]
    values = region_mean(np.stack(members)) if len(members) > 1 else members[0]
    return Window(values=values.astype(np.float32), reference_time=until, sample_rate=rate)


def sample_means(
    times: Times, values: Values, *, reference_time: datetime, samples: int, sample_rate: timedelta
) -> Values:
    """Return the mean of the observations of each sample, shape (samples,); NaN without any.

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
    """Return the mean over members, (members, samples) -> (samples,); NaN below half of them."""
    present = ~np.isnan(members)
    counts = present.sum(axis=0)
    sums = np.where(present, members, 0.0).sum(axis=0)
    enough = (2 * counts >= len(members)) & (counts > 0)
    means: Values = np.divide(sums, counts, out=np.full(members.shape[1], np.nan), where=enough)
    return means
