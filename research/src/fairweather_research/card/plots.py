"""Plots of the model card, as SVG text in a light and a dark version.

Colour never carries meaning alone: lines differ in dashes, bars in hatching, and all are labelled.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import matplotlib as mpl
from fairweather_interface.definitions import VARIABLES
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import ConciseDateFormatter, DayLocator
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes

    from fairweather_research.coverage import Coverage
    from fairweather_research.evaluation import Judgement
    from fairweather_research.results import EpochRecord

__all__ = ["Plot", "coverage_plot", "error_plot", "forecast_plot", "training_plot"]


class _Theme(NamedTuple):
    ink: str
    faint: str
    model: str
    persistence: str
    climatology: str


_LIGHT = _Theme("#1c2733", "#c9d1d9", "#0b62a8", "#b5541c", "#5f6b76")
_DARK = _Theme("#e4e9ee", "#3c4752", "#6cb6ff", "#f0965a", "#a5b1bc")


class Plot(NamedTuple):
    """One plot in both versions, and what it shows in words."""

    light: str
    dark: str
    text: str


def forecast_plot(judgement: Judgement, timezone: str) -> Plot | None:
    """The forecast of median error beside what came; None when none was observed in full."""
    trace = judgement.trace
    if trace is None:
        return None
    spec = VARIABLES[judgement.variable]
    zone = ZoneInfo(timezone)
    times = [datetime.fromtimestamp(second, tz=zone) for second in trace.time]
    begin = datetime.fromtimestamp(trace.reference_time, tz=zone)

    def draw(axes: Axes, theme: _Theme) -> None:
        if trace.band is not None:
            axes.fill_between(
                times,  # type: ignore[arg-type]  # dates are fine
                *trace.band,
                facecolor=theme.model,
                edgecolor="none",
                alpha=0.2,
                label="band",
            )
        axes.plot(times, trace.climatology, ":", color=theme.climatology, label="climatology")  # type: ignore[arg-type]  # dates are fine
        axes.plot(times, trace.observed, "-", color=theme.ink, linewidth=1.1, label="observed")  # type: ignore[arg-type]
        axes.plot(times, trace.forecast, "--", color=theme.model, linewidth=2, label="forecast")  # type: ignore[arg-type]
        axes.set_ylabel(f"{spec.label} ({spec.symbol})")
        days = DayLocator(tz=zone)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(days)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(days, tz=zone))  # type: ignore[no-untyped-call]
        axes.set_xlabel(f"local time, {timezone}")

    return _render(
        draw,
        f"{spec.label} at {judgement.area} in the week after {begin:%Y-%m-%d %H:%M %Z}: forecast, "
        f"{'its band, ' if trace.band else ''}observation and climatology. Of the held-out "
        "forecasts that were observed in full, this one has the median error.",
    )


def coverage_plot(judgement: Judgement, coverage: Coverage) -> Plot:
    """The share of held-out values inside the band by lead day, with its interval."""
    spec = VARIABLES[judgement.variable]
    days = [day.day for day in coverage.days]
    inside = [100 * day.inside for day in coverage.days]
    known = [(day.day, day.inside, day.interval) for day in coverage.days if day.interval]

    def draw(axes: Axes, theme: _Theme) -> None:
        axes.axhline(
            100 * coverage.declared, color=theme.ink, linestyle=":", linewidth=1.2, label="declared"
        )
        axes.vlines(
            [day for day, _, _ in known],
            [100 * low for _, _, (low, _) in known],
            [100 * high for _, _, (_, high) in known],
            color=theme.model,
            linewidth=1.5,
            label="95 % interval",
        )
        axes.plot(days, inside, "o", color=theme.model, label="inside the band")
        axes.set_xticks(days)
        axes.set_ylim(min([50.0, *inside, *(100 * low for _, _, (low, _) in known)]) - 5, 105)
        axes.set_xlabel("lead day")
        axes.set_ylabel("inside the band (%)")

    return _render(
        draw,
        f"{spec.label} at {judgement.area}: the share of held-out values inside the band by lead "
        f"day, with its 95 % interval, beside the {100 * coverage.declared:g} % that it declares.",
    )


def error_plot(judgement: Judgement) -> Plot:
    """Mean absolute error by lead day beside both baselines."""
    spec = VARIABLES[judgement.variable]
    days = [score.day for score in judgement.days]

    def draw(axes: Axes, theme: _Theme) -> None:
        for offset, label, color, hatch, values in (
            (
                -0.27,
                "persistence",
                theme.persistence,
                "//",
                [s.persistence_mae for s in judgement.days],
            ),
            (
                0.0,
                "climatology",
                theme.climatology,
                "..",
                [s.climatology_mae for s in judgement.days],
            ),
            (0.27, "this model", theme.model, "", [s.mae for s in judgement.days]),
        ):
            axes.bar(
                [day + offset for day in days],
                values,
                width=0.25,
                label=label,
                facecolor=color if not hatch else "none",
                edgecolor=color,
                hatch=hatch,
            )
        axes.set_xticks(days)
        axes.set_xlabel("lead day")
        axes.set_ylabel(f"mean absolute error ({spec.symbol})")

    return _render(
        draw,
        f"Mean absolute error of {spec.label.lower()} at {judgement.area} by lead day: "
        "persistence, climatology and this model. The numbers stand in the table.",
    )


def training_plot(epochs: Sequence[EpochRecord], best: Sequence[int]) -> Plot:
    """The loss on training and on calibration time, and where each network went back to."""
    kept = " and ".join(map(str, best))
    numbers = [epoch.number for epoch in epochs]
    marker = "o" if len(epochs) == 1 else ""

    def draw(axes: Axes, theme: _Theme) -> None:
        axes.plot(
            numbers,
            [e.training for e in epochs],
            "--",
            marker=marker,
            color=theme.persistence,
            label="training time",
        )
        axes.plot(
            numbers,
            [e.calibration for e in epochs],
            "-",
            marker=marker,
            color=theme.model,
            label="calibration time",
        )
        for place, epoch in enumerate(best):
            label = None if place else f"kept: epoch {kept}"
            axes.axvline(epoch, color=theme.ink, linewidth=1, linestyle=":", label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return _render(
        draw,
        "Loss by epoch on training time and on calibration time; "
        f"the weights of epoch {kept} were kept.",
    )


def _render(draw: Callable[[Axes, _Theme], None], text: str) -> Plot:
    return Plot(_svg(draw, _LIGHT), _svg(draw, _DARK), text)


def _svg(draw: Callable[[Axes, _Theme], None], theme: _Theme) -> str:
    with _style(theme):
        figure = Figure(figsize=(7.2, 3.0), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        draw(axes, theme)
        axes.grid(axis="y", color=theme.faint, linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False
        )
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


@contextmanager
def _style(theme: _Theme) -> Iterator[None]:
    with mpl.rc_context(
        {
            "svg.fonttype": "none",  # the reader's own fonts; nothing is loaded
            "font.family": "sans-serif",
            "svg.hashsalt": "fairweather",
            "font.size": 10,
            "text.color": theme.ink,
            "axes.labelcolor": theme.ink,
            "axes.edgecolor": theme.ink,
            "xtick.color": theme.ink,
            "ytick.color": theme.ink,
            "hatch.linewidth": 1.2,
        }
    ):
        yield
