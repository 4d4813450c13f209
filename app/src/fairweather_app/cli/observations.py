"""Commands about observations: ``observations import | fetch | status``."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from fairweather_interface.archive import Origin
from fairweather_interface.metadata import Area
from flask.cli import AppGroup

from fairweather_app.cli.output import (
    as_json_option,
    in_words,
    read_time,
    require_database,
    say,
    show_json,
    show_table,
    told,
)
from fairweather_app.common.times import write_time
from fairweather_app.errors import ArchiveError, UnknownAreaError
from fairweather_app.forecasting.areas import areas_to_observe, find_place, known_areas
from fairweather_app.forecasting.context import AppContext, current_context
from fairweather_app.observations import Archive
from fairweather_app.observations.fetch import store_readings
from fairweather_app.observations.providers import Reading, find_provider
from fairweather_app.observations.quality import SeriesQuality, assess_quality

OVERLAP = timedelta(days=1)
REACH = timedelta(days=31)
DAYS = 30

observations = AppGroup("observations", help="Observations: what models are fed with.")


@observations.command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE...",
)
@as_json_option
@told
def import_files(files: Sequence[Path], *, as_json: bool) -> None:
    """Import archives: Parquet or CSV, columns area, time, variable, unit, value.

    All files are checked first; when anything is wrong in any of them, everything that is wrong
    is listed and nothing is imported. Importing a file again changes nothing; importing a
    corrected one replaces what it corrects. A Parquet file that says that its weather is made up
    is imported all the same, and it is said: the database keeps no mark of it.

    Example: flask --app fairweather_app observations import new-york.parquet
    """
    from fairweather_app.observations.archive_file import (  # noqa: PLC0415 - brings pyarrow
        read_archive,
    )

    archives: list[Archive] = []
    wrong = 0
    for path in files:
        try:
            archives.append(read_archive(path))
        except ArchiveError as error:
            wrong += 1
            for problem in error.problems:
                say(f"{path}: {problem}", err=True)
    if wrong:
        raise click.ClickException(f"nothing was imported: {wrong} of {len(files)} files are wrong")
    store = current_context().observations
    imported = []
    for archive in archives:
        store.add(archive)
        areas = sorted({area for area, _ in archive.series})
        origin = archive.origin
        imported.append(
            {
                "file": str(archive.path),
                "observations": len(archive),
                "areas": areas,
                "synthetic": None if origin is None else origin.synthetic,
                "attribution": None if origin is None else origin.attribution,
            }
        )
        if not as_json:
            told = f"{len(archive)} observations of {', '.join(areas) or 'no area'}"
            say("; ".join([f"{archive.path}: {told}", *_origin_in_words(origin)]))
    if as_json:
        show_json(imported)


def _origin_in_words(origin: Origin | None) -> list[str]:
    if origin is None:
        return []
    made_up = ["synthetic: this weather was generated, nobody observed it"] * origin.synthetic
    return [*made_up, *([f"attribution: {origin.attribution}"] if origin.attribution else [])]


# ----------------------------------------------------------------------------------- fetch


@observations.command("fetch")
@click.option("--area", "areas", multiple=True, metavar="AREA", help="Where; may be repeated.")
@click.option(
    "--all", "everywhere", is_flag=True, help="Wherever live deliveries need observations."
)
@click.option(
    "--since",
    callback=read_time,
    metavar="TIME",
    help="From when on, such as 2013-12-20T00:00Z. By default from a day before an area's latest "
    "observation, but not from more than 31 days ago.",
)
@as_json_option
@told
def fetch(areas: Sequence[str], since: datetime | None, *, everywhere: bool, as_json: bool) -> None:
    """Fetch observations from the provider that FAIRWEATHER_PROVIDER names, up to now.

    What cannot be real, or lies in the future, is dropped and counted; what cannot be understood
    ends it, and nothing is kept, of no area. Fetching again changes nothing. A running app sees at
    once what came. Exits 1 when the provider cannot be used, or knows nothing of an area.

    Example: flask --app fairweather_app observations fetch --area JFK --since 2024-05-01T00:00Z
    """
    if bool(areas) == everywhere:
        raise click.UsageError("say which areas: --area AREA, once or more, or --all")
    context = current_context()
    settings = context.settings
    provider = find_provider(settings.provider, settings.provider_url)
    now = datetime.now(UTC)
    if since is not None and since > now:
        raise click.UsageError(f"--since {write_time(since)} is not over yet")
    context.catalogue.refresh()
    places = _places(context, areas_to_observe(context.catalogue) if everywhere else areas)
    if not places:
        raise click.ClickException("no live delivery needs observations: say --area AREA")
    starts = {area: since or _start(context, area, now) for area in sorted(places)}
    groups: dict[datetime, list[str]] = defaultdict(list)
    for area, start in starts.items():
        groups[start].append(area)

    def readings() -> Iterator[Reading]:
        for start, names in sorted(groups.items()):
            if sys.stderr.isatty():
                asked = names[0] if len(names) == 1 else f"{len(names)} areas"
                say(f"asking {settings.provider} for {asked}...", err=True)
            wanted = {name: places[name] for name in names}
            yield from provider.fetch(wanted, since=start, until=now)

    results = store_readings(
        context.observations, readings(), provider=settings.provider, since=starts, until=now
    )
    if as_json:
        show_json([asdict(each) for each in results])
    else:
        counted = ("new", "changed", "known", "missing", "impossible", "repeated", "future")
        rows = [
            (
                each.area,
                write_time(each.since),
                write_time(each.latest) if each.latest else "-",
                *(str(getattr(each, name)) for name in counted),
            )
            for each in results
        ]
        show_table(("area", "since", "latest", *counted), rows)
    if nothing := [each.area for each in results if not each.readings]:
        raise click.ClickException(f"{settings.provider} knows nothing of {', '.join(nothing)}")


def _places(context: AppContext, areas: Sequence[str]) -> Mapping[str, Area]:
    """Where each area lies.

    Raises:
        UnknownAreaError: nobody says where one lies.
    """
    contents = context.catalogue.snapshot.contents
    places = {area: find_place(contents, area) for area in dict.fromkeys(areas)}
    for area, place in places.items():
        if place is None:
            known = [
                each
                for each in known_areas(contents, context.windows)
                if find_place(contents, each)
            ]
            raise UnknownAreaError(area, known=known)
    return {area: place for area, place in places.items() if place is not None}


def _start(context: AppContext, area: str, now: datetime) -> datetime:
    """From when on an area is asked for, if nobody says: at a full hour."""
    latest = context.observations.latest(area)
    earliest = now - REACH
    start = earliest if latest is None else max(latest - OVERLAP, earliest)
    return min(start, now).replace(minute=0, second=0, microsecond=0)


# ---------------------------------------------------------------------------------- status


@observations.command("status")
@click.option("--area", "areas", multiple=True, metavar="AREA", help="Only this; may be repeated.")
@click.option(
    "--days",
    type=click.IntRange(1, 366),
    default=DAYS,
    show_default=True,
    help="How many days before its latest observation each series is looked at.",
)
@as_json_option
@told
def status(areas: Sequence[str], days: int, *, as_json: bool) -> None:
    """Say how old, how whole and how good the observations of each area are.

    A series is `stale` when it lags three of its steps behind (now where FAIRWEATHER_CLOCK is
    now, else the latest observation of all), has `gaps`, is `stuck` on one value for a day or
    longer, or holds `impossible` values. Areas that live deliveries declare and that nobody
    observed are listed too. Exits 1 when an area that was asked for, or every area, has none.

    Example: flask --app fairweather_app observations status --area JFK
    """
    context = current_context()
    require_database(context)
    store = context.observations
    observed = store.areas()
    context.catalogue.refresh()
    declared = {area for each in context.catalogue.snapshot.live for area in each.areas}
    known = known_areas(context.catalogue.snapshot.contents, context.windows)
    for area in areas:
        if area not in observed and area not in known:
            raise UnknownAreaError(area, known=known)
    now = datetime.now(UTC)
    latest = store.latest()
    behind = now if context.settings.clock == "now" or latest is None else latest
    wanted = tuple(dict.fromkeys(areas)) or tuple(sorted({*observed, *declared}))
    found = assess_quality(store, wanted, days=days, now=now, behind=behind)
    if as_json:
        show_json([_for_programs(each) for each in found])
    else:
        header = ("area", "variable", "latest", "age", "seen", "missing", "gap")
        show_table((*header, "quality"), [_for_people(each) for each in found])
    unobserved = [each.area for each in found if each.variable is None]
    if not observed or set(areas) & set(unobserved):
        raise click.ClickException(
            f"nobody observed {', '.join(unobserved) or 'anything'} yet; 'observations import' "
            "and 'observations fetch' bring observations"
        )


def _for_people(each: SeriesQuality) -> tuple[str, ...]:
    if each.variable is None or each.latest is None or each.age is None:
        return (each.area, *("-",) * 6, "none")
    gap = "-"
    if each.gap is not None:
        gap = in_words((each.gap[1] - each.gap[0]).total_seconds())
    return (
        each.area,
        each.variable,
        write_time(each.latest),
        in_words(each.age.total_seconds()),
        str(each.observations),
        str(each.missing),
        gap,
        ", ".join(each.quality) or "good",
    )


def _for_programs(each: SeriesQuality) -> dict[str, object]:
    def seconds(duration: timedelta | None) -> float | None:
        return None if duration is None else duration.total_seconds()

    return {
        "area": each.area,
        "variable": each.variable,
        "latest": each.latest,
        "age_seconds": seconds(each.age),
        "step_seconds": seconds(each.step),
        "observations": each.observations,
        "missing": each.missing,
        "longest_gap": None if each.gap is None else {"after": each.gap[0], "until": each.gap[1]},
        "stuck_seconds": seconds(each.stuck),
        "impossible": each.impossible,
        "quality": list(each.quality),
    }
