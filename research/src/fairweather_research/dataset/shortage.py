"""Find why observations cannot carry a recipe, from all that was read of their source."""

from __future__ import annotations

from datetime import timedelta

from fairweather_interface.durations import format_duration

from fairweather_research.observations.report import some
from fairweather_research.observations.series import Archive
from fairweather_research.recipes.blueprint import Blueprint
from fairweather_research.recipes.recipe import Recipe


def needed(plan: Blueprint) -> set[tuple[str, str]]:
    """Return the (area, variable) of every series that a model is trained on."""
    return {
        (read, i.variable) for a in plan.areas for i in plan.inputs for read in i.areas_read(a)
    } | {(area, output.variable) for area in plan.areas for output in plan.outputs}


def absent(recipe: Recipe, archive: Archive) -> list[str]:
    """List the series of which nothing was read, or nothing kept."""
    source, reports = recipe.observations.source, archive.report.by_name
    kept, wanted = archive.series_names(), needed(recipe.blueprint)
    read = kept | {name for name, report in reports.items() if not report.kept}
    areas = {area for area, _ in read}
    named = areas | {area for area, _ in reports}
    problems = [
        f"`areas`: no observations at {area}; {source} holds {some(named - {area}, area)}; "
        "choose one of these or another `observations`"
        for area in sorted({area for area, _ in wanted} - areas)
    ]
    for area, variable in sorted(wanted - kept):
        if (area, variable) in read:
            loss = reports[area, variable].loss()
            problems.append(f"`observations`: no {variable} at {area} can be used: {loss}")
        elif area in areas:
            there = ", ".join(sorted(v for a, v in read | set(reports) if a == area))
            problems.append(
                f"`variables`: no observations of {variable} at {area}; {source} holds "
                f"{there} there"
            )
    return problems


def too_seldom(plan: Blueprint, archive: Archive, area: str) -> str:
    """Return what to do where an area has no window: read what was seldom observed as seldom."""
    slow: dict[str, timedelta] = {}
    for each in plan.inputs:
        for read in each.areas_read(area):
            report = archive.report.by_name.get((read, each.variable))
            if report and report.cadence and report.cadence > each.sample_rate:
                slow[each.variable] = report.cadence
    if not slow:
        return "choose other months, raise `max_missing`, or bring more observations"
    found = " and ".join(f"{name} every {format_duration(time)}" for name, time in slow.items())
    rates = (timedelta(minutes=m) for m in range(1, 1441) if not 1440 % m)  # they divide a day
    rate = format_duration(next((r for r in rates if r >= max(slow.values())), timedelta(days=1)))
    return (
        f"there is {found}, less often than the sample rate says; write `sample_rate: {rate}` for "
        f"what comes so seldom, and `step: {rate}`"
    )
