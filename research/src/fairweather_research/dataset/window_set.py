"""The windows a recipe chooses from its observations, and the targets that go with them.

``WindowSet.choose`` applies the recipe's rules: ``reference_times`` whose local month is in the
season, inputs with few enough missing values, at least one target that was observed. It refuses,
naming the key, observations that cannot carry the recipe.

A model declares the months of its season, so every area must have windows in each of them: a whole
day of reference times whose forecasts were observed, with at least one that is trained on. Those
that reach held-out time alone count towards the day, because a block may cover most of a month that
the record barely reaches, and the model is evaluated there.
"""

from __future__ import annotations

import calendar
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
from fairweather_interface.durations import format_duration

from fairweather_research.dataset.climatology import YEAR, fit_climatology, usual_at
from fairweather_research.dataset.reference_times import (
    delay_by_phase,
    local_month,
    reference_times,
)
from fairweather_research.dataset.shortage import absent, needed, too_seldom
from fairweather_research.dataset.split import DAY, Part, TimeSplit
from fairweather_research.dataset.stacked_windows import StackedWindows
from fairweather_research.dataset.stray_times import stray_times
from fairweather_research.dataset.windows import SampledSeries, coarsen, region_mean, sample
from fairweather_research.document import StrictModel
from fairweather_research.errors import UnfitDataError
from fairweather_research.observations.series import Archive
from fairweather_research.recipes.blueprint import Blueprint
from fairweather_research.recipes.recipe import Recipe

# What is held in memory at once of an input's windows.
_MOST_WINDOWS = 256
_MOST_VALUES = 2_000_000


class InputRange(StrictModel):
    """The range of one input in windows, in the input's unit."""

    lowest: float
    highest: float
    missing: float  # the largest share of a window that was missing


@dataclass(frozen=True, kw_only=True)
class WindowSet:
    """Chosen windows: row i is a forecast from ``reference[i]`` for area number ``area[i]``.

    Rows are in order of area, then time.
    """

    plan: Blueprint
    split: TimeSplit
    reference: npt.NDArray[np.int64]  # [rows] seconds since 1970-01-01T00:00Z
    area: npt.NDArray[np.int64]  # [rows] position in plan.areas
    sources: dict[tuple[int, int], SampledSeries]  # (input, area) -> series at its sample rate
    truths: dict[tuple[int, int], SampledSeries]  # (output, area) -> series at the step
    #: By phase of the day, in ``plan.reference_seconds``: seconds since the last one observed.
    delay: npt.NDArray[np.int64]

    @classmethod
    def choose(cls, recipe: Recipe, archive: Archive) -> WindowSet:
        """Choose the windows of a recipe.

        Raises:
            UnfitDataError: the observations lack an area or variable, are too short, hold nothing
                in the season or in a month of it, or too little of a part of the split; every
                problem names its key.
        """
        plan = recipe.blueprint
        source = recipe.observations.source
        _refuse(source, [*absent(recipe, archive), *stray_times(plan, archive)])
        lost = archive.report.many_dropped(needed(plan))
        reference = reference_times(plan, archive)
        _refuse(source, _too_short(recipe, plan, reference), lost)
        delay = delay_by_phase(plan, archive)
        sources, truths = _sampled(plan, archive, reference)
        split = TimeSplit(recipe.split, newest=int(reference[-1]))
        reference = reference[delay[reference % DAY // plan.reference_seconds] == 0]
        chosen = []
        problems: list[str] = []
        for number, (name, area) in enumerate(plan.areas.items()):
            season = np.isin(local_month(reference, area.timezone), recipe.season)
            if not season.any():
                problems.append(
                    f"`season`: no observation at {name} falls in the months "
                    f"{', '.join(map(str, recipe.season))}; they run from {_day(reference[0])} to "
                    f"{_day(reference[-1])}; choose months inside, or bring more observations"
                )
                continue
            fit = season
            for place, wanted in enumerate(plan.inputs):
                present = sources[place, number].present(reference, wanted.samples)
                fit = fit & ((wanted.samples - present) / wanted.samples <= wanted.max_missing)
            if not fit.any():
                problems.append(
                    f"`max_missing`: no window of {name} in the season has at most "
                    f"{recipe.max_missing:.0%} of its values missing; "
                    + too_seldom(plan, archive, name)
                )
                continue
            chosen.append((reference[fit], np.full(fit.sum(), number)))
        _refuse(source, problems, lost)
        windows = cls(
            plan=plan,
            split=split,
            reference=np.concatenate([times for times, _ in chosen]),
            area=np.concatenate([areas for _, areas in chosen]),
            sources=sources,
            truths=truths,
            delay=delay,
        )
        counts = {part: windows.observed(part).counts() for part in Part}
        seldom = windows._without_windows(recipe.season, counts)
        _refuse(source, [*seldom, *windows._too_little(counts)], lost)
        return windows

    def __len__(self) -> int:
        return len(self.reference)

    @property
    def a_day(self) -> int:
        """Number of reference times in 24 hours."""
        return int(np.sum(self.delay == 0))

    def lead_times(self) -> npt.NDArray[np.int64]:
        """Return the valid time of each target, shape [rows, leads]."""
        return self.reference[:, None] + self.plan.step_seconds * np.arange(
            1, self.plan.leads + 1, dtype=np.int64
        )

    def parts(self) -> npt.NDArray[np.int8]:
        """Return the part of the split each target belongs to, shape [rows, leads]."""
        return self.split.part(self.lead_times())

    def targets(self) -> npt.NDArray[np.float64]:
        """Return what was observed, shape [rows, outputs, leads], NaN where nothing was."""
        return np.asarray(self._ahead(self.truths), np.float64)

    def usual(self, coefficients: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return what is usual at each target, by coefficients of shape [areas, outputs, terms]."""
        usual = {
            key: series._replace(value=usual_at(series.time, coefficients[key[::-1]]))
            for key, series in self.truths.items()
        }
        return np.asarray(self._ahead(usual), np.float64)

    def observed(
        self, part: Part, series: Mapping[tuple[int, int], SampledSeries] | None = None
    ) -> StackedWindows:
        """Return ``targets`` that are cut when they are read, NaN outside a part of the split.

        Another series of each (output, area) may be read in place of the observed one.
        """
        masked = {
            key: each._replace(
                value=np.where(self.split.part(each.time) == part, each.value, np.nan)
            )
            for key, each in (series or self.truths).items()
        }
        return self._ahead(masked)

    def reaching(self, part: Part, leads: int | None = None) -> npt.NDArray[np.bool_]:
        """Return whose forecasts, or first leads, reach into a part of the split, shape [rows]."""
        parts = ((batch.parts()[:, :leads] == part).any(axis=1) for _, batch in self.batches())
        return np.concatenate([np.zeros(0, dtype=np.bool_), *parts])

    def last_day(self) -> npt.NDArray[np.float64]:
        """Return the last 24 hours of each output's variable, [rows, outputs, steps a day]."""
        return np.asarray(self._windows(self.truths, self.plan.steps_a_day), np.float64)

    def _ahead(self, series: Mapping[tuple[int, int], SampledSeries]) -> StackedWindows:
        """Return the leads of each (output, area)."""
        leads = self.plan.leads
        return self._windows(series, leads, after=leads * self.plan.step_seconds)

    def _windows(
        self, series: Mapping[tuple[int, int], SampledSeries], samples: int, after: int = 0
    ) -> StackedWindows:
        """Return the windows that end ``after`` seconds past the reference times."""
        end = self.reference + after
        return StackedWindows(series=series, area=self.area, end=end, samples=samples)

    def as_of_newest(self) -> WindowSet:
        """Return the windows as the graph takes them, each once, with all the leads it needs.

        A window whose newest values are missing is taken as of the time of the oldest newest one,
        and a forecast made then for as many leads more as it is old (``export.graph``).
        """
        age = np.zeros(len(self), dtype=np.int64)
        for number, area in self.sources:
            rows = self.area == area
            series = self.coarse_input(number, area)
            steps = np.arange(len(series.value)) // series.phases
            seen = np.where(np.isfinite(series.value), steps, -self.plan.steps)
            late = steps - series.accumulate(np.maximum, seen)
            age[rows] = np.maximum(age[rows], late[series.place(self.reference[rows])])
        origin = self.reference - self.plan.step_seconds * np.minimum(age, self.plan.oldest)
        _, first = np.unique(np.stack([self.area, origin]), axis=1, return_index=True)
        return replace(
            self,
            plan=replace(self.plan, leads=self.plan.leads + self.plan.oldest),
            reference=origin[first],
            area=self.area[first],
        )

    def rows(self, use: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> WindowSet:
        """Return the windows where a mask ``use`` is true, or at the positions ``use``, in turn."""
        return replace(self, reference=self.reference[use], area=self.area[use])

    def inputs(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the model's inputs by name, float32 [rows, samples], NaN where missing."""
        found = {}
        for number, plan in enumerate(self.plan.inputs):
            series = {(0, area): self.sources[number, area] for area in range(len(self.plan.areas))}
            found[plan.name] = np.asarray(self._windows(series, plan.samples))[:, 0]
        return found

    def batches(self, size: int | None = None) -> Iterator[tuple[slice, WindowSet]]:
        """Yield the windows in order, at most ``size`` at a time, each batch with its place.

        Without a size there are 256, or fewer where they are long: 30 days by the minute are
        43,200 values a window.
        """
        if size is None:
            longest = max(plan.samples for plan in self.plan.inputs)
            size = max(min(_MOST_WINDOWS, _MOST_VALUES // longest), 1)
        for first in range(0, len(self), size):
            place = slice(first, min(first + size, len(self)))
            yield place, self.rows(np.arange(place.start, place.stop))

    def coarse_input(self, number: int, area: int) -> SampledSeries:
        """Return an input's series brought to the step, as the graph does it."""
        series, step = self.sources[number, area], self.plan.step_seconds
        factor, every = step // series.rate, self.plan.reference_seconds
        times = np.arange(series.start, int(series.time[-1]) + 1, every)
        values = coarsen(series.windows(times, factor), factor)[:, 0]
        return SampledSeries(series.start, step, values, step // every)

    def climatology(
        self, series: Mapping[tuple[int, int], SampledSeries]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Fit what is usual of series at the step, by number and area, on time not held out.

        Return the coefficients, [areas, numbers, terms], and the standard deviation around it,
        [areas, numbers]. Only whole steps from reference times count. All series have as many
        yearly waves as the shortest output tells.
        """
        observed = (each.time[np.isfinite(each.value)] for each in self.truths.values())
        days = min(self.split.days(time) for time in observed)
        phases = np.arange(0, DAY, self.plan.reference_seconds)[self.delay == 0]
        usual, spread = [], []
        for _, each in sorted(series.items(), key=lambda item: item[0][::-1]):
            known = np.isin(each.time % each.rate, phases % each.rate)
            known &= self.split.part(each.time) != Part.HELD_OUT
            time, value = each.time[known], each.value[known]
            usual.append(fit_climatology(time, value, days * DAY / YEAR))
            spread.append(np.nanstd(value - usual_at(time, usual[-1])))
        shape = len(self.plan.areas), len(series) // len(self.plan.areas)
        return np.reshape(usual, (*shape, -1)), np.reshape(spread, shape)

    def input_ranges(self) -> dict[str, InputRange]:
        """Return the range of every input in these windows, by input name."""
        found: dict[str, InputRange] = {}
        for number, plan in enumerate(self.plan.inputs):
            values, missing = [], []
            for area in np.unique(self.area).tolist():
                series, reference = self.sources[number, area], self.reference[self.area == area]
                values.append(series.value[series.covered(reference, plan.samples)])
                present = series.present(reference, plan.samples)
                missing.append((plan.samples - present) / plan.samples)
            found[plan.name] = InputRange(
                lowest=float(np.nanmin(np.concatenate(values))),
                highest=float(np.nanmax(np.concatenate(values))),
                missing=float(np.concatenate(missing).max()),
            )
        return found

    def _without_windows(
        self, season: tuple[int, ...], counts: Mapping[Part, npt.NDArray[np.int64]]
    ) -> list[str]:
        """Return the months of the season that an area has too few windows in, for people.

        ``counts`` are those of the targets observed in each part, [rows, outputs].
        """
        training = counts[Part.TRAINING].min(axis=1) > 0
        observed = np.stack([*counts.values()]).max(axis=0).min(axis=1) > 0
        least = self.a_day
        found: dict[tuple[str, tuple[int, ...]], list[str]] = {}
        for number, (name, area) in enumerate(self.plan.areas.items()):
            rows = self.area == number
            month = local_month(self.reference[rows], area.timezone)
            trained = np.bincount(month[training[rows]], minlength=13)
            enough = np.bincount(month[observed[rows]], minlength=13) >= least
            never = tuple(m for m in _in_turn(season) if not trained[m])
            seldom = tuple(m for m in _in_turn(season) if trained[m] and not enough[m])
            for words, months in (
                ("no training window", never),
                (f"fewer than {least} windows", seldom),
            ):
                if months:
                    found.setdefault((words, months), []).append(name)
        return [
            f"`season`: {words} of {_and(areas)} in "
            f"{_and([calendar.month_name[month] for month in months])}; "
            f"take {'this month' if len(months) == 1 else 'these months'} out "
            "or bring more observations"
            for (words, months), areas in found.items()
        ]

    def _too_little(self, counts: Mapping[Part, npt.NDArray[np.int64]]) -> list[str]:
        problems = []
        for number, area in enumerate(self.plan.areas):
            rows = self.area == number
            for position, output in enumerate(self.plan.outputs):
                for part in Part:
                    found = int(counts[part][rows, position].sum())
                    if found < self.a_day:
                        name = part.name.lower().replace("_", "-")
                        problems.append(
                            f"`split`: too short a record of {output.variable} at {area}: "
                            f"{found} {name} values in the season, expected at least "
                            f"{self.a_day}; bring more observations, widen `season`, "
                            "or make `split.every` (or `split.last`) shorter"
                        )
        return problems


def _refuse(source: str, problems: list[str], lost: str = "") -> None:
    """Refuse with these problems; ``lost`` ends the last, as what quality control dropped."""
    if problems:
        raise UnfitDataError(source, [*problems[:-1], problems[-1] + lost])


def _sampled(
    plan: Blueprint, archive: Archive, reference: npt.NDArray[np.int64]
) -> tuple[dict[tuple[int, int], SampledSeries], dict[tuple[int, int], SampledSeries]]:
    """Sample inputs at their rates and outputs at the step, for all reference times."""
    start, every = int(reference[0]), plan.reference_seconds

    def sampled(area: str, variable: str, rate: int) -> SampledSeries:
        phases = rate // math.gcd(rate, every)
        count = (len(reference) - 1) * (every * phases // rate) + 1
        series = archive.series(area, variable)
        return sample(series, start=start, rate=rate, count=count, phases=phases)

    sources, truths = {}, {}
    for position, area in enumerate(plan.areas):
        for number, wanted in enumerate(plan.inputs):
            rate = int(wanted.sample_rate.total_seconds())
            members = [sampled(read, wanted.variable, rate) for read in wanted.areas_read(area)]
            mean = region_mean([member.value for member in members])
            sources[number, position] = members[0]._replace(value=mean)
        for number, output in enumerate(plan.outputs):
            truths[number, position] = sampled(area, output.variable, plan.step_seconds)
    return sources, truths


def _too_short(recipe: Recipe, plan: Blueprint, reference: npt.NDArray[np.int64]) -> list[str]:
    longest = max(wanted.period for wanted in plan.inputs)
    needed = longest + recipe.horizon
    span = timedelta(seconds=int(reference[-1] - reference[0])) + plan.step
    if span >= needed:
        return []
    problem = (
        f"`observations`: too short a record: {span.days} days from {_day(reference[0])}; one "
        f"window and its forecast need {format_duration(needed)} (period "
        f"{format_duration(longest)}, horizon {format_duration(recipe.horizon)}); bring more "
        "observations or shorten either"
    )
    return [problem]


def _in_turn(season: tuple[int, ...]) -> tuple[int, ...]:
    """Return the months from the first of the season: a winter begins in October."""
    first = next((m for m in season if (m - 2) % 12 + 1 not in season), season[0])
    return tuple(sorted(season, key=lambda month: (month - first) % 12))


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _day(seconds: int | np.int64) -> str:
    return f"{datetime.fromtimestamp(int(seconds), tz=UTC):%Y-%m-%d}"
