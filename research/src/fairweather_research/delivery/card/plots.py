"""Plots of the model card, each with a text that describes it.

The text is both caption and description: a reader who cannot see a drawing has the same.
"""

from __future__ import annotations

import calendar
import hashlib
import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, cycle, pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fairweather_interface.metadata import Bounds, Input
from fairweather_interface.variables import Variable

from fairweather_research.dataset.input_statistics import InputStatistics
from fairweather_research.dataset.split import DAY
from fairweather_research.delivery.card.svg import Axis, Chart, label, ticks
from fairweather_research.evaluation.coverage import Coverage, CoverageCount
from fairweather_research.evaluation.scores import BASELINES, DayScore, Evaluation, Trace
from fairweather_research.networks.base import EpochRecord

_MONTHS = calendar.month_abbr


class Plot(NamedTuple):
    """One drawing, and its description, which stands in the element called ``name``."""

    svg: str
    text: str
    name: str


def error_plot(evaluation: Evaluation, spec: Variable) -> Plot:
    """Plot the mean absolute error by lead day beside the baselines."""
    days = evaluation.days
    rows = [
        (name, f"baseline {name}", shape, [score.baselines[name] for score in days])
        for name, shape in zip(BASELINES, cycle(("triangle", "square")), strict=False)
    ]
    rows.append(("this model", "model", "dot", [score.mae for score in days]))
    every = [value for *_, values in rows for value in values]
    chart = Chart(_lead_axis(days), Axis.fitting(f"error, {spec.symbol}", *every, include=(0.0,)))
    for name, kind, mark, values in rows:
        chart.line([day.day for day in days], values, kind, name, mark)
    return _plot(
        chart,
        f"Mean absolute error of {spec.label.lower()} at {evaluation.area} by lead day, beside "
        f"{' and '.join(BASELINES)}. Lower is better; the table has the numbers.",
    )


def bias_plot(evaluation: Evaluation, spec: Variable) -> Plot:
    """Plot the mean error, with its sign, by lead day."""
    bias = [score.bias for score in evaluation.days]
    name = f"forecast \N{MINUS SIGN} observed, {spec.symbol}"
    chart = Chart(_lead_axis(evaluation.days), Axis.fitting(name, *bias, include=(0.0,), room=0.15))
    chart.level(0.0, "bound", "no bias")
    chart.line([day.day for day in evaluation.days], bias, "model", "this model", "dot")
    return _plot(
        chart,
        f"Bias of {spec.label.lower()} at {evaluation.area} by lead day: above the dashed line it "
        "forecasts too much on average, below it too little.",
    )


def week_plot(
    evaluation: Evaluation, spec: Variable, trace: Trace, timezone: str, *, rule: str, most: int
) -> Plot:
    """Plot one forecast beside the observations, in local time.

    It was chosen by ``rule``, ``median`` or ``largest``; a line has ``most`` points at most.
    """
    zone = ZoneInfo(timezone)
    stride = -(-len(trace.time) // most)
    times = trace.time[::stride]
    lines = {
        "climatology": ("baseline climatology", trace.climatology[::stride]),
        "observed": ("truth", trace.observed[::stride]),
        "forecast": ("model", trace.forecast[::stride]),
    }
    edges = [edge[::stride] for edge in trace.band or ()]
    every = [*chain(*edges, *(values for _, values in lines.values()))]
    begin, end = trace.reference_time, trace.time[-1]
    chart = Chart(
        Axis(f"local time, {timezone}", begin, end, list(_moments(begin, end, zone))),
        Axis.fitting(spec.symbol, *every),
    )
    if edges:
        chart.area(times, edges[0], edges[1], "band", "band")
    for name, (kind, values) in lines.items():
        chart.line(times, values, kind, name)
    start = datetime.fromtimestamp(begin, tz=zone)
    word = {"median": "Typical", "largest": "Worst"}[rule]
    return _plot(
        chart,
        f"{word}: {spec.label.lower()} at {evaluation.area} as forecast from "
        f"{start:%Y-%m-%d %H:%M %Z}, and as it came; mean absolute error "
        f"{trace.mae:.2f} {spec.symbol}, the {rule} of {trace.among:,} held-out forecasts "
        "that were observed in full.",
    )


def coverage_plot(evaluation: Evaluation, spec: Variable, coverage: Coverage) -> Plot:
    """Plot the share of held-out values inside the band by lead day, with its interval."""
    inside = [100 * day.inside for day in coverage.days]
    reach = [100 * edge for day in coverage.days for edge in day.interval or ()]
    low = 10 * math.floor(min([60.0, *inside, *reach]) / 10)
    chart = Chart(_lead_axis(coverage.days), _percent_axis("inside the band, %", low))
    chart.level(100 * coverage.declared, "bound", "declared")
    for held in coverage.days:
        if held.interval:
            edges = (100 * held.interval[0], 100 * held.interval[1])
            chart.line((held.day, held.day), edges, "reach")
    name = "held, 95 % interval"
    chart.marks([held.day for held in coverage.days], inside, "reach", name, "dot")
    return _plot(
        chart,
        f"{spec.label} at {evaluation.area}: the share of held-out "
        "values inside the band by lead day, with its 95 % interval, beside the "
        f"{100 * coverage.declared:g} % that it declares.",
    )


def reliability_plot(evaluation: Evaluation, spec: Variable, coverage: Coverage) -> Plot:
    """Plot how often the observed value was not above each quantile, by lead day."""
    chart = Chart(_lead_axis(coverage.days), _percent_axis("not above, %", 0))
    for place, probability in enumerate(coverage.probabilities):
        below = [100 * day.below[place] for day in coverage.days]
        chart.level(100 * probability, "bound", "declared")
        chart.line([day.day for day in coverage.days], below, "model", "held", "dot")
    quantiles = ", ".join(f"{100 * probability:g} %" for probability in coverage.probabilities)
    return _plot(
        chart,
        f"{spec.label} at {evaluation.area}: how often what came was not "
        f"above the {quantiles} quantile, by lead day. A reliable quantile keeps to its dashed "
        "line.",
    )


def spread_plot(item: Input, spec: Variable, bounds: Bounds, statistics: InputStatistics) -> Plot:
    """Plot the histogram of an input's training values, with its bounds."""
    edges = [edge for edge in (bounds.minimum, bounds.maximum) if edge is not None]
    total = sum(statistics.counts)
    shares = [100 * count / total for count in statistics.counts]
    chart = Chart(
        Axis.fitting(f"{spec.label.lower()}, {spec.symbol}", *statistics.edges, *edges),
        Axis.fitting("share of values, %", *shares, include=(0.0,)),
    )
    sides = [side for pair in pairwise(statistics.edges) for side in pair]
    chart.area(sides, [0.0] * len(sides), [share for share in shares for _ in range(2)], "bar")
    if bounds.minimum is not None:
        chart.wall(bounds.minimum, "bound", f"from {label(round(bounds.minimum, 1))}")
    if bounds.maximum is not None:
        text = f"up to {label(round(bounds.maximum, 1))}"
        chart.wall(bounds.maximum, "bound", text, leftwards=True)
    return _plot(
        chart,
        f"{named(item, spec)}: the distribution of its {total:,} training values"
        f"{', with the declared bounds (dashed)' if edges else '; no bound is declared'}.",
    )


def season_plot(item: Input, spec: Variable, bounds: Bounds, statistics: InputStatistics) -> Plot:
    """Plot the range of an input in every month of training, with its bounds."""
    edges = [edge for edge in (bounds.minimum, bounds.maximum) if edge is not None]
    every = [value for month in statistics.months for value in (month.lowest, month.highest)]
    letters = [(float(number), _MONTHS[number][:1]) for number in range(1, 13)]
    chart = Chart(
        Axis("month, local calendar", 0.4, 12.6, letters),
        Axis.fitting(spec.symbol, *every, *edges),
    )
    for month in statistics.months:
        sides = (month.month - 0.32, month.month + 0.32)
        chart.area(sides, (month.low, month.low), (month.high, month.high), "bar", "9 of 10")
        chart.line(sides, (month.middle, month.middle), "truth", "median")
        chart.line((month.month, month.month), (month.lowest, month.highest), "reach", "all")
    for edge in edges:
        chart.level(edge, "bound", "bound")
    return _plot(
        chart,
        f"{named(item, spec)} by month, as training held it: all values, nine of ten, "
        f"and the median{'; dashed: the bounds declared' if edges else ''}. "
        "No column: no training data that month.",
    )


def training_plot(epochs: Sequence[EpochRecord], best: Sequence[int]) -> Plot:
    """Plot the loss on training and on calibration time, and the epochs that were kept."""
    last = len(epochs) + 0.5
    whole = [(tick, label(tick)) for tick in ticks(0.5, last, 10) if tick % 1 == 0]
    every = [loss for epoch in epochs for loss in (epoch.training, epoch.calibration)]
    chart = Chart(Axis("epoch", 0.5, last, whole), Axis.fitting("loss", *every))
    for epoch in best:
        chart.wall(float(epoch), "bound", f"kept: {epoch}", leftwards=epoch > len(epochs) / 2)
    numbers = [epoch.number for epoch in epochs]
    mark = "dot" if len(epochs) == 1 else ""
    losses = [epoch.training for epoch in epochs]
    chart.line(numbers, losses, "baseline persistence", "training time", mark)
    losses = [epoch.calibration for epoch in epochs]
    chart.line(numbers, losses, "model", "calibration time", mark)
    return _plot(
        chart,
        "Loss by epoch on training time and on calibration time; the weights of "
        f"epoch{'s' if len(best) > 1 else ''} {' and '.join(map(str, best))} were kept.",
    )


def _plot(chart: Chart, text: str) -> Plot:
    name = f"p{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return Plot(chart.svg(name), text, name)


def _lead_axis(days: Sequence[DayScore | CoverageCount]) -> Axis:
    stride = -(-len(days) // 10)
    named = [(float(each.day), str(each.day)) for each in days[::stride]]
    return Axis("lead day", days[0].day - 0.4, days[-1].day + 0.4, named)


def _percent_axis(name: str, low: float) -> Axis:
    return Axis(name, low, 102.0, [(tick, label(tick)) for tick in ticks(low, 100.0)])


def _moments(begin: int, end: int, zone: ZoneInfo) -> Iterator[tuple[float, str]]:
    """Yield local midnights inside a stretch of seconds, with their dates; days may have 23 hours.

    In a stretch of up to two days every sixth hour is added.
    """
    first, last = (datetime.fromtimestamp(moment, tz=zone).date() for moment in (begin, end))
    days = (last - first).days
    for number in range(0, days + 1, max(1, -(-days // 8))):
        day = first + timedelta(days=number)
        for hour in (0, 6, 12, 18) if end - begin <= 2 * DAY else (0,):
            moment = datetime(day.year, day.month, day.day, hour, tzinfo=zone).timestamp()
            if begin <= moment <= end - (end - begin) / 30:  # a date needs room
                yield moment, f"{hour:02}:00" if hour else f"{day.day} {_MONTHS[day.month]}"


def named(item: Input, spec: Variable) -> str:
    """Return an input's name for people."""
    over = f" over {', '.join(item.areas)}" if item.areas else ""
    return spec.label + over
