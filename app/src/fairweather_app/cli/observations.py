"""Commands about observations: ``observations import | fetch | status | remove``."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import filterfalse
from pathlib import Path

import click
from fairweather_interface.metadata import Area
from fairweather_interface.names import plain_name
from fairweather_interface.variables import VARIABLES, Variable
from flask.cli import AppGroup

from fairweather_app.cli import output
from fairweather_app.cli.decisions import remove
from fairweather_app.common.times import write_time
from fairweather_app.errors import ArchiveError, UnknownAreaError
from fairweather_app.forecasting.areas import areas_to_observe, find_place, known_areas
from fairweather_app.forecasting.context import AppContext, current_context
from fairweather_app.observations import Archive
from fairweather_app.observations.fetch import Fetched, store_readings
from fairweather_app.observations.providers import Reading, find_provider
from fairweather_app.observations.quality import SeriesQuality, assess_quality
from fairweather_app.text import LONGEST_SENTENCE, cut, join_some

OVERLAP = timedelta(days=1)
REACH = timedelta(days=31)
DAYS = 30

observations = AppGroup("observations", help="Observations: the input of the models.")
observations.add_command(remove)
_areas = partial(click.option, "--area", "areas", multiple=True, type=plain_name, metavar="AREA")


@dataclass(frozen=True, kw_only=True)
class Imported:
    """One imported file.

    Attributes:
        observations: their number.
        future: how many more there were, later than now; they were dropped.
        synthetic: true where the file states that its values are synthetic; null where it states
            nothing, as CSV.
        attribution: the source that the file asks to be named, or null.
    """

    file: str
    observations: int
    future: int
    areas: tuple[str, ...]
    synthetic: bool | None
    attribution: str | None

    def __str__(self) -> str:
        """Return the sentence for people."""
        of = f" of {join_some(self.areas)}" if self.areas else ""
        parts = [f"{self.file}: {self.observations} observations{of}"]
        if self.future:
            parts.append(f"{self.future} of the future were dropped")
        if self.synthetic:
            parts.append("synthetic: these values were generated, not observed")
        if self.attribution:
            parts.append(f"attribution: {self.attribution}")
        return "; ".join(parts)


@observations.command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE...",
)
@output.answers(list[Imported])
def import_files(files: Sequence[Path], *, as_json: bool) -> None:
    """Import archives: Parquet or CSV, columns area, time, variable, unit, value.

    All files are checked first; when anything is wrong in any of them, all problems are listed
    and nothing is imported. Importing a file again changes nothing; importing a corrected one
    replaces what it corrects. Future values are dropped and counted. A variable that neither the
    contract nor a live delivery knows is kept in its unit as written, with a notice. Synthetic
    weather is imported with a notice: the database does not mark it. Exits 1 when all values of a
    file are of the future.

    Example: flask --app fairweather_app observations import new-york.parquet
    """
    context = current_context()

    @cache
    def declared() -> Mapping[str, Variable]:
        return context.catalogue.refresh().contents.variables

    def find(name: str) -> Variable | None:
        return VARIABLES.get(name) or declared().get(name)

    archives = _read_archives(files, find, context.observations.units())
    imported = []
    for archive in archives:
        context.observations.add(archive)
        for name in filterfalse(find, archive.units):
            output.print_text(
                f"{archive.path}: no live delivery declares {name} (yet); it is kept in "
                f"{archive.units[name]!r} as written, and its values are not checked",
                err=True,
            )
        source = archive.origin.attribution if archive.origin else None
        imported.append(
            Imported(
                file=str(archive.path),
                observations=len(archive),
                future=archive.future,
                areas=tuple(sorted({area for area, _ in archive.series})),
                synthetic=archive.origin.synthetic if archive.origin else None,
                attribution=cut(source, LONGEST_SENTENCE) if source else None,
            )
        )
        if not as_json:
            output.print_text(str(imported[-1]))
    if as_json:
        output.print_json(imported)
    if nothing := [each.file for each in imported if each.future and not each.observations]:
        raise click.ClickException(f"all values of {', '.join(nothing)} are of the future")


def _read_archives(
    files: Sequence[Path], find: Callable[[str], Variable | None], stored: Mapping[str, str]
) -> list[Archive]:
    from fairweather_app.observations.archive_file import (  # noqa: PLC0415 - brings pyarrow
        read_archive,
    )

    archives: list[Archive] = []
    wrong = 0
    for path in files:
        try:
            archives.append(read_archive(path, find, stored))
        except ArchiveError as error:
            wrong += 1
            for problem in error.problems:
                output.print_text(f"{path}: {problem}", err=True)
    if wrong:
        raise click.ClickException(f"nothing was imported: {wrong} of {len(files)} files are wrong")
    return archives


@observations.command("fetch")
@_areas(help="Area; may be repeated.")
@click.option(
    "--all",
    "everywhere",
    is_flag=True,
    help="All areas for which live deliveries need observations.",
)
@click.option(
    "--since",
    callback=output.read_time,
    metavar="TIME",
    help="Earliest time, such as 2013-12-20T00:00Z. [default: a day before an area's latest "
    "observation, at most 31 days ago]",
)
@output.answers(list[Fetched])
def fetch(areas: Sequence[str], since: datetime | None, *, everywhere: bool, as_json: bool) -> None:
    """Fetch observations up to now from the provider that FAIRWEATHER_PROVIDER names.

    Impossible and future values are dropped and counted. If the response cannot be parsed, nothing
    is saved. Fetching again changes nothing. A running app uses new observations at once. Exits 1
    when the provider cannot be used, or has no data for an area.

    Example: flask --app fairweather_app observations fetch --area JFK --since 2024-05-01T00:00Z
    """
    if bool(areas) == everywhere:
        raise click.UsageError("give --area AREA, once or more, or --all")
    context = current_context()
    settings = context.settings
    provider = find_provider(settings.provider, settings.provider_url)
    now = datetime.now(UTC)
    if since is not None and since > now:
        raise click.UsageError(f"--since {write_time(since)} is in the future")
    context.catalogue.refresh()
    places = _places(context, areas_to_observe(context.catalogue) if everywhere else areas)
    if not places:
        raise click.ClickException("no live delivery needs observations: give --area AREA")
    starts = {}
    groups: dict[datetime, list[str]] = defaultdict(list)
    for area in sorted(places):
        latest = context.observations.latest(area)
        default = now - REACH if latest is None else max(min(latest - OVERLAP, now), now - REACH)
        starts[area] = since or default.replace(minute=0, second=0, microsecond=0)
        groups[starts[area]].append(area)

    def readings() -> Iterator[Reading]:
        for start, names in sorted(groups.items()):
            if sys.stderr.isatty():
                asked = names[0] if len(names) == 1 else f"{len(names)} areas"
                output.print_text(f"fetching {asked} from {settings.provider}...", err=True)
            wanted = {name: places[name] for name in names}
            yield from provider.fetch(wanted, since=start, until=now)

    results = store_readings(
        context.observations,
        readings(),
        provider=settings.provider,
        since=starts,
        until=now,
        variables=context.catalogue.snapshot.contents.variables,
    )
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
    output.print_answer(results, ("area", "since", "latest", *counted), rows, as_json=as_json)
    if nothing := [each.area for each in results if not each.readings]:
        raise click.ClickException(f"{settings.provider} has no data for {', '.join(nothing)}")


def _places(context: AppContext, areas: Sequence[str]) -> dict[str, Area]:
    """Return the place of each area; one that nothing has the place of is unknown."""
    contents, found = context.catalogue.snapshot.contents, {}
    for area in areas:
        place = find_place(contents, area)
        if place is None:
            known = known_areas(contents, context.windows)
            raise UnknownAreaError(area, known=[a for a in known if find_place(contents, a)])
        found[area] = place
    return found


@observations.command("status")
@_areas(help="Only this; may be repeated.")
@click.option(
    "--days",
    metavar="N",
    type=click.IntRange(1, 366),
    default=DAYS,
    show_default=True,
    help="Length of the checked period, up to the latest observation of each series.",
)
@output.answers(list[SeriesQuality])
def status(areas: Sequence[str], days: int, *, as_json: bool) -> None:
    """Show age, gaps and quality of observations.

    A series is `stale` when it lags three of its steps behind (now where FAIRWEATHER_CLOCK is
    now, else the latest observation of all), has `gaps`, is `stuck` on one value for a day or
    longer, or holds values that are `impossible` or of the `future`, which no forecast starts from.
    Areas of live deliveries without observations are listed too. Exits 1 when an area named by
    --area, or every area, has none.

    Example: flask --app fairweather_app observations status --area JFK
    """
    context = current_context()
    output.require_database(context)
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
    variables = context.catalogue.snapshot.contents.variables
    found = assess_quality(store, wanted, variables, days=days, now=now, behind=behind)
    header = ("area", "variable", "latest", "age", "seen", "missing", "gap", "quality")
    output.print_answer(found, header, [_row(each) for each in found], as_json=as_json)
    unobserved = [each.area for each in found if each.variable is None]
    if not observed or set(areas) & set(unobserved):
        raise click.ClickException(
            f"no observations of {', '.join(unobserved) or 'any area'} yet; 'observations import' "
            "and 'observations fetch' add them"
        )


def _row(each: SeriesQuality) -> tuple[str, ...]:
    if each.variable is None or each.latest is None or each.age_seconds is None:
        return (each.area, each.variable or "-", *"-----", *each.quality)
    gap = each.longest_gap
    return (
        each.area,
        each.variable,
        write_time(each.latest),
        output.format_duration(each.age_seconds),
        str(each.observations),
        str(each.missing),
        output.format_duration((gap.until - gap.after).total_seconds()) if gap else "-",
        ", ".join(each.quality) or "good",
    )
