"""Plots of the model card: what is drawn, and in words what it shows.

The words are both caption and description: whoever does not see a drawing reads the same.
"""

from __future__ import annotations

import calendar
import hashlib
import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import cycle
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fairweather_interface.definitions import VARIABLES
from fairweather_interface.metadata import Bounds, Input

from fairweather_research.card._svg import Axis, Chart, label, ticks
from fairweather_research.coverage import Coverage
from fairweather_research.evaluation import BASELINES, Judgement, Trace
from fairweather_research.networks import EpochRecord
from fairweather_research.portrait import Portrait

__all__ = [
    "Plot",
    "bias_plot",
    "coverage_plot",
    "error_plot",
    "reliability_plot",
    "season_plot",
    "spread_plot",
    "training_plot",
    "week_plot",
]

_DAY = timedelta(days=1)
_MONTHS = calendar.month_abbr


class Plot(NamedTuple):
    """One drawing, and what it shows in words, which stand in the element called ``name``."""

    svg: str
    text: str
    name: str


def error_plot(judgement: Judgement) -> Plot:
    """Mean absolute error by lead day beside the baselines."""
    spec = VARIABLES[judgement.variable]
    days = [float(score.day) for score in judgement.days]
    rows = [
        (name, f"baseline {name}", shape, [score.baselines[name] for score in judgement.days])
        for name, shape in zip(BASELINES, cycle(("triangle", "square")), strict=False)
    ]
    rows.append(("this model", "model", "dot", [score.mae for score in judgement.days]))
    every = [value for *_, values in rows for value in values]
    chart = Chart(
        _day_axis(days),
        Axis.around(*every, include=(0.0,)),
        x_label="lead day",
        y_label=f"error, {spec.symbol}",
    )
    for name, kind, shape, values in rows:
        chart.line(days, values, kind)
        chart.marks(days, values, kind, shape)
        chart.name(name, kind, shape)
    return _plot(
        chart,
        f"Mean absolute error of {spec.label.lower()} at {judgement.area} by lead day, beside "
        f"{' and '.join(BASELINES)}. Lower is better; the numbers stand in the table.",
    )


def bias_plot(judgement: Judgement) -> Plot:
    """Mean error, with its sign, by lead day."""
    spec = VARIABLES[judgement.variable]
    days = [float(score.day) for score in judgement.days]
    bias = [score.bias for score in judgement.days]
    chart = Chart(
        _day_axis(days),
        Axis.around(*bias, include=(0.0,), room=0.15),
        x_label="lead day",
        y_label=f"forecast \N{MINUS SIGN} observed, {spec.symbol}",
    )
    chart.level(0.0, "bound")
    chart.line(days, bias, "model")
    chart.marks(days, bias, "model", "dot")
    chart.name("no bias", "bound")
    chart.name("this model", "model", "dot")
    return _plot(
        chart,
        f"Bias of {spec.label.lower()} at {judgement.area} by lead day: above the dashed line it "
        "forecasts too much on average, below it too little.",
    )


def week_plot(judgement: Judgement, trace: Trace, timezone: str, *, rule: str, most: int) -> Plot:
    """One forecast beside what came, in local time.

    Args:
        judgement: whose forecast it is.
        trace: the forecast.
        timezone: of the area.
        rule: how it was chosen: ``median`` or ``largest``.
        most: points a line may have; further ones are passed over.
    """
    spec = VARIABLES[judgement.variable]
    zone = ZoneInfo(timezone)
    stride = -(-len(trace.time) // most)
    times = [float(second) for second in trace.time[::stride]]
    lines = [
        ("baseline climatology", trace.climatology[::stride]),
        ("truth", trace.observed[::stride]),
        ("model", trace.forecast[::stride]),
    ]
    edges = [edge[::stride] for edge in trace.band or ()]
    every = [value for values in (*edges, *(line for _, line in lines)) for value in values]
    begin, end = trace.reference_time, trace.time[-1]
    chart = Chart(
        Axis(begin, end, tuple(_moments(begin, end, zone))),
        Axis.around(*every),
        x_label=f"local time, {timezone}",
        y_label=spec.symbol,
    )
    if trace.band:
        chart.area(times, edges[0], edges[1], "band")
    for kind, values in lines:
        chart.line(times, values, kind)
    if trace.band:
        chart.name("band", "band", "fill")
    chart.name("climatology", "baseline climatology")
    chart.name("observed", "truth")
    chart.name("forecast", "model")
    start = datetime.fromtimestamp(begin, tz=zone)
    word = {"median": "Typical", "largest": "Worst"}[rule]
    return _plot(
        chart,
        f"{word}: {spec.label.lower()} at {judgement.area} as forecast from "
        f"{start:%Y-%m-%d %H:%M %Z}, and as it came; mean absolute error "
        f"{trace.mae:.2f} {spec.symbol}, the {rule} of {trace.among:,} held-out forecasts "
        "that were observed in full.",
    )


def coverage_plot(judgement: Judgement, coverage: Coverage) -> Plot:
    """The share of held-out values inside the band by lead day, with its interval."""
    spec = VARIABLES[judgement.variable]
    days = [float(day.day) for day in coverage.days]
    inside = [100 * day.inside for day in coverage.days]
    reach = [100 * edge for day in coverage.days for edge in day.interval or ()]
    low = 10 * math.floor(min([60.0, *inside, *reach]) / 10)
    chart = Chart(
        _day_axis(days), _percent_axis(low), x_label="lead day", y_label="inside the band, %"
    )
    chart.level(100 * coverage.declared, "bound")
    for day, held in zip(days, coverage.days, strict=True):
        if held.interval:
            chart.upright(day, 100 * held.interval[0], 100 * held.interval[1], "reach")
    chart.marks(days, inside, "model", "dot")
    chart.name("declared", "bound")
    chart.name("held, 95 % interval", "reach", "dot")
    return _plot(
        chart,
        f"{spec.label} at {judgement.area}: the share of held-out values inside the band by lead "
        f"day, with its 95 % interval, beside the {100 * coverage.declared:g} % that it declares.",
    )


def reliability_plot(judgement: Judgement, coverage: Coverage) -> Plot:
    """How often what came was not above each quantile, by lead day."""
    spec = VARIABLES[judgement.variable]
    days = [float(day.day) for day in coverage.days]
    chart = Chart(_day_axis(days), _percent_axis(0), x_label="lead day", y_label="not above, %")
    for place, probability in enumerate(coverage.probabilities):
        below = [100 * day.below[place] for day in coverage.days]
        chart.level(100 * probability, "bound")
        chart.line(days, below, "model")
        chart.marks(days, below, "model", "dot")
    chart.name("declared", "bound")
    chart.name("held", "model", "dot")
    quantiles = ", ".join(f"{100 * probability:g} %" for probability in coverage.probabilities)
    return _plot(
        chart,
        f"{spec.label} at {judgement.area}: how often what came was not above the {quantiles} "
        "quantile, by lead day. A reliable quantile keeps to its dashed line.",
    )


def spread_plot(item: Input, bounds: Bounds | None, portrait: Portrait) -> Plot:
    """The histogram of an input's training values, with its bounds."""
    spec = VARIABLES[item.variable or ""]
    edges = [edge for edge in _edges(bounds) if edge is not None]
    total = sum(portrait.counts)
    shares = [100 * count / total for count in portrait.counts]
    chart = Chart(
        Axis.around(*portrait.edges, *edges),
        Axis.around(*shares, include=(0.0,)),
        x_label=f"{spec.label.lower()}, {spec.symbol}",
        y_label="share of values, %",
    )
    chart.bars(portrait.edges, shares, "bar")
    least, most = _edges(bounds)
    if least is not None:
        chart.wall(least, "bound", f"from {label(round(least, 1))}")
    if most is not None:
        chart.wall(most, "bound", f"up to {label(round(most, 1))}", leftwards=True)
    return _plot(
        chart,
        f"How the {total:,} training values of {_called(item)} were spread"
        f"{', and the bounds declared (dashed)' if edges else '; no bound is declared'}.",
    )


def season_plot(item: Input, bounds: Bounds | None, portrait: Portrait) -> Plot:
    """What every month of training held of an input, with its bounds."""
    spec = VARIABLES[item.variable or ""]
    edges = [edge for edge in _edges(bounds) if edge is not None]
    every = [value for month in portrait.months for value in (month.lowest, month.highest)]
    chart = Chart(
        Axis(0.4, 12.6, tuple((float(n), _MONTHS[n][:1]) for n in range(1, 13))),
        Axis.around(*every, *edges),
        x_label="month, local calendar",
        y_label=spec.symbol,
    )
    for edge in edges:
        chart.level(edge, "bound")
    for month in portrait.months:
        sides = (month.month - 0.32, month.month + 0.32)
        chart.area(sides, (month.low, month.low), (month.high, month.high), "bar")
        chart.upright(month.month, month.lowest, month.highest, "reach")
        chart.line(sides, (month.middle, month.middle), "truth")
    chart.name("9 of 10", "bar", "fill")
    chart.name("median", "truth")
    chart.name("all", "reach")
    if edges:
        chart.name("bound", "bound")
    return _plot(
        chart,
        f"{_called(item).capitalize()} by month, as training held it: all values, nine of ten, "
        f"and the median{'; dashed: the bounds declared' if edges else ''}. "
        "A month without a column taught nothing.",
    )


def training_plot(epochs: Sequence[EpochRecord], best: Sequence[int]) -> Plot:
    """The loss on training and on calibration time, and where each network went back to."""
    kept = " and ".join(map(str, best))
    numbers = [float(epoch.number) for epoch in epochs]
    rows = (
        ("baseline persistence", "training time", [epoch.training for epoch in epochs]),
        ("model", "calibration time", [epoch.calibration for epoch in epochs]),
    )
    every = [value for _, _, values in rows for value in values]
    whole = tuple(
        (tick, label(tick)) for tick in ticks(0.5, len(epochs) + 0.5, 10) if tick % 1 == 0
    )
    chart = Chart(
        Axis(0.5, len(epochs) + 0.5, whole),
        Axis.around(*every),
        x_label="epoch",
        y_label="loss",
    )
    for epoch in best:
        chart.wall(float(epoch), "bound", f"kept: {epoch}", leftwards=epoch > len(epochs) / 2)
    for kind, name, values in rows:
        chart.line(numbers, values, kind)
        if len(epochs) == 1:
            chart.marks(numbers, values, kind, "dot")
        chart.name(name, kind)
    return _plot(
        chart,
        "Loss by epoch on training time and on calibration time; "
        f"the weights of epoch{'s' if len(best) > 1 else ''} {kept} were kept.",
    )


def _plot(chart: Chart, text: str) -> Plot:
    name = f"p{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return Plot(chart.svg(name), text, name)


def _day_axis(days: Sequence[float]) -> Axis:
    stride = -(-len(days) // 10)
    named = tuple((day, f"{day:g}") for day in days[::stride])
    return Axis(days[0] - 0.4, days[-1] + 0.4, named)


def _percent_axis(low: float) -> Axis:
    return Axis(low, 102.0, tuple((tick, label(tick)) for tick in ticks(low, 100.0)))


def _moments(begin: int, end: int, zone: ZoneInfo) -> Iterator[tuple[float, str]]:
    """Local midnights inside a stretch of seconds, with their dates; some days have 23 hours.

    In a stretch of up to two days every sixth hour stands besides.
    """
    first = datetime.fromtimestamp(begin, tz=zone).date()
    days = (datetime.fromtimestamp(end, tz=zone).date() - first).days
    stride = max(1, -(-days // 8))
    short = end - begin <= 2 * _DAY.total_seconds()
    for number in range(0, days + 1, stride):
        day = first + number * _DAY
        for hour in (0, 6, 12, 18) if short else (0,):
            moment = datetime(day.year, day.month, day.day, hour, tzinfo=zone).timestamp()
            if begin <= moment <= end - (end - begin) / 30:  # a date needs room
                yield moment, f"{hour:02}:00" if hour else f"{day.day} {_MONTHS[day.month]}"


def _edges(bounds: Bounds | None) -> tuple[float | None, float | None]:
    return (bounds.minimum, bounds.maximum) if bounds else (None, None)


def _called(item: Input) -> str:
    over = f" over {', '.join(item.areas)}" if item.areas else ""
    return VARIABLES[item.variable or ""].label.lower() + over
