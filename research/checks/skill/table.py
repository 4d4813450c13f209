"""What the comparison prints: tables in Markdown, and what misses a target."""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

from typing import Any

from fairweather_research.evaluation.scores import BASELINES

#: What the default network must reach on New York: shares of the better baseline's error taken
#: away on the first day, the most that a later day may be worse, and what 80 % bands must hold.
FIRST_DAY = {"temperature": 0.30, "humidity": 0.25}
WORSE = 0.01
INSIDE = (0.75, 0.85)
HELD_TO = "new-york"

_UNITS = {"degC": "°C"}


def tables(runs: list[dict[str, Any]]) -> list[str]:
    """Every place: its held-out time, errors by lead day, shares inside the bands, seconds."""
    lines: list[str] = []
    for place in dict.fromkeys(run["place"] for run in runs):
        here = [run for run in runs if run["place"] == place]
        first = here[0]
        days = [day["day"] for day in first["judgements"][0]["days"]]
        lines += [
            f"{place}, steps of {first['step_minutes']:g} minutes; held out: "
            + ", ".join(first["held_out"]),
            "",
            "Mean absolute error by lead day, and skill against the better baseline of that day:",
            "",
            _row("area, variable", "", *days),
            _row("---", "---", *("---" for _ in days)),
        ]
        for number, judged in enumerate(first["judgements"]):
            unit = _UNITS.get(judged["unit"], judged["unit"])
            name = f"{judged['area']} {judged['variable']} {unit}"
            for baseline in reversed(BASELINES):
                errors = (f"{day[f'{baseline}_mae']:.2f}" for day in judged["days"])
                lines.append(_row(name, baseline, *errors))
                name = ""
            for run in here:
                days_of = run["judgements"][number]["days"]
                cells = (f"{day['mae']:.2f} ({_whole(day['skill'])})" for day in days_of)
                lines.append(_row("", run["network"], *cells))
        lines += [
            "",
            "Share of held-out values inside the 80 % band, in per cent; fitting time:",
            "",
        ]
        lines += [
            _row("network", "area, variable", *days),
            _row("---", "---", *("---" for _ in days)),
        ]
        for run in here:
            name = f"{run['network']}, {run['fit_seconds']:.0f} s"
            for judged in run["judgements"]:
                held = (f"{100 * day['inside']:.0f}" for day in judged["coverage"]["days"])
                lines.append(_row(name, f"{judged['area']} {judged['variable']}", *held))
                name = ""
        lines.append("")
    return lines


def targets(runs: list[dict[str, Any]]) -> list[str]:
    """Every target that a run for New York misses, in a sentence."""
    missed = []
    for run in runs:
        if run["place"] != HELD_TO:
            continue
        for judged in run["judgements"]:
            what = f"{run['network']}: {judged['area']} {judged['variable']}"
            for day in judged["days"]:
                least = FIRST_DAY[judged["variable"]] if day["day"] == 1 else -WORSE
                if day["skill"] < least:
                    missed.append(
                        f"{what}, day {day['day']}: found skill {day['skill']:.3f}, expected at "
                        f"least {least:.2f}"
                    )
            missed += [
                f"{what}, day {day['day']}: found {day['inside']:.3f} inside the band, expected "
                f"{INSIDE[0]} to {INSIDE[1]}"
                for day in judged["coverage"]["days"]
                if not INSIDE[0] <= day["inside"] <= INSIDE[1]
            ]
    return missed


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _whole(share: float) -> str:
    return f"{round(100 * share) + 0} %"
