"""Commands: ``flask --app fairweather_app <command>``.

Results go to stdout, everything else to stderr. A command exits 0 on success, 1 when the answer
is no, 2 on wrong use; an operator's mistake gets a sentence, never a stack trace.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
from fairweather_interface.software import dump_software
from flask import Flask
from flask.cli import AppGroup, with_appcontext

from fairweather_app.api.routes import current_context
from fairweather_app.api.schemas import ModelSummary, RefusedDelivery, count_refusals
from fairweather_app.api.summaries import store_report, summarize_all
from fairweather_app.cli_decisions import add_decisions
from fairweather_app.errors import AppError, ArchiveError, NoApplicableModelError, StoreError
from fairweather_app.forecasts import decide
from fairweather_app.losses import Losses, find_losses
from fairweather_app.observations import Archive
from fairweather_app.pins import pins
from fairweather_app.software import describe_software
from fairweather_app.times import parse_time

P = ParamSpec("P")
R = TypeVar("R")


def register_commands(app: Flask) -> None:
    """Give the app its commands."""
    app.cli.add_command(observations)
    app.cli.add_command(models)
    app.cli.add_command(software)
    app.cli.add_command(check)


def _told(command: Callable[P, R]) -> Callable[P, R]:
    """Let an error of the app's own end the command with its sentence and exit code 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except AppError as error:
            raise click.ClickException(str(error)) from None

    return run


def _read_time(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> datetime | None:
    try:
        return None if value is None else parse_time(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


# ------------------------------------------------------------------------------ observations

observations = AppGroup("observations", help="Observations: what models are fed with.")


@observations.command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE...",
)
@_told
def import_files(files: Sequence[Path]) -> None:
    """Import archives: Parquet or CSV, columns area, time, variable, unit, value.

    All files are checked first; when anything is wrong in any of them, everything that is wrong
    is listed and nothing is imported. Importing a file again changes nothing; importing a
    corrected one replaces what it corrects.

    Example: flask --app fairweather_app observations import new-york.parquet
    """
    from fairweather_app.observations.reading import read_archive  # noqa: PLC0415 - brings pyarrow

    archives: list[Archive] = []
    wrong = 0
    for path in files:
        try:
            archives.append(read_archive(path))
        except ArchiveError as error:
            wrong += 1
            for problem in error.problems:
                click.echo(f"{path}: {problem}", err=True)
    if wrong:
        raise click.ClickException(f"nothing was imported: {wrong} of {len(files)} files are wrong")
    store = current_context().observations
    for archive in archives:
        store.add(archive)
        areas = sorted({area for area, _ in archive.series})
        click.echo(
            f"{archive.path}: {len(archive)} observations of {', '.join(areas) or 'no area'}"
        )


# ------------------------------------------------------------------------------------ models

models = AppGroup("models", help="Deliveries: which are live, and why the others are not.")


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as GET /models answers.")
@_told
def list_models(*, as_json: bool) -> None:
    """List every delivery in the store with its state and the reason for it.

    Exits 1 when the store, or any delivery in it, cannot be read.

    Example: flask --app fairweather_app models list
    """
    app_context = current_context()
    snapshot = app_context.catalogue.refresh()
    summaries = summarize_all(app_context, snapshot.contents, snapshot.entries.values())
    if as_json:
        content = {
            "store": store_report(snapshot).model_dump(mode="json"),
            "pins": [asdict(each) for each in pins(current_context())],
            "models": [each.model_dump(mode="json") for each in summaries],
        }
        click.echo(json.dumps(content, indent=2))
    else:
        rows = [
            (
                each.delivery_id,
                each.state,
                each.model_type or "-",
                ", ".join(each.areas) or "-",
                ", ".join(each.capabilities) or "-",
                _why(each),
            )
            for each in summaries
        ]
        _table(("delivery", "state", "type", "areas", "can", "why"), rows)
    for pin in pins(current_context()):
        click.echo(str(pin), err=True)
    if snapshot.problem:
        raise click.ClickException(snapshot.problem)
    if not summaries:
        click.echo("the store holds no delivery yet", err=True)


@models.command("why")
@click.argument("area")
@click.option(
    "--at", "time", callback=_read_time, help="Reference time, such as 2013-12-20T00:00Z."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_told
def why(area: str, time: datetime | None, *, as_json: bool) -> None:
    """Say which delivery answers for AREA, and why each other one was passed over.

    Exits 1 when none answers. Without --at it asks for when the app's clock says.

    Example: flask --app fairweather_app models why LGA --at 2013-12-20T00:00Z
    """
    context = current_context()
    snapshot = context.catalogue.refresh()
    if snapshot.problem and not snapshot.not_ready:  # else it is the answer, told below
        click.echo(snapshot.problem, err=True)
    for pin in pins(context):
        if pin.area == area:
            click.echo(str(pin), err=True)
    try:
        decision = decide(context, area, reference_time=time)
    except NoApplicableModelError as error:
        _print_why(area, None, error.refused, as_json=as_json)
        raise
    _print_why(area, decision.model.delivery_id, decision.refused, as_json=as_json)


def _print_why(
    area: str,
    answering: str | None,
    refusals: Sequence[RefusedDelivery],
    *,
    as_json: bool,
) -> None:
    if as_json:
        refused = [each.model_dump() for each in refusals]
        click.echo(
            json.dumps({"area": area, "delivery_id": answering, "refused": refused}, indent=2)
        )
        return
    if answering is not None:
        click.echo(f"{answering} answers for {area}")
    _table(
        ("refused", "type", "code", "reason"),
        [(each.delivery_id, each.model_type or "-", each.code, each.reason) for each in refusals],
    )


@models.command("score")
@click.argument("delivery_id", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_told
def score(delivery_id: str | None, *, as_json: bool) -> None:
    """Say how past forecasts did against what came: of DELIVERY_ID, or of every delivery.

    Only forecasts count of which nothing had been observed when they were made. Bias is forecast
    minus observed; lead day 1 is the first 24 hours; both figures are in the variable's unit.
    Exits 1 when nothing can be scored yet.

    Example: flask --app fairweather_app models score
    """
    live = current_context().live
    scores = live.all() if delivery_id is None else live.of(delivery_id)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in scores], indent=2))
    rows = [
        (
            *(each.delivery_id, each.area, each.variable, str(each.lead_day), str(each.count)),
            *(f"{each.mae:.2f}", f"{each.bias:+.2f}"),
        )
        for each in scores
    ]
    if not as_json:
        _table(("delivery", "area", "variable", "lead day", "values", "mae", "bias"), rows)
    if not scores:
        raise click.ClickException(
            "no forecast can be scored yet: none was kept, or nothing it speaks of was observed"
        )


add_decisions(models, _told, current_context)

# ---------------------------------------------------------------------------------- software


@click.command("software")
@with_appcontext
def software() -> None:
    """Print this release's software manifest: what it supports, as JSON.

    Example: flask --app fairweather_app software > app.json
    """
    click.echo(dump_software(describe_software(current_context().backends)).decode().rstrip())


@click.command("check")
@with_appcontext
def check() -> None:
    """Hold this release against every delivery in the store: what would it lose?

    Run it in a new release's environment, with its settings, before it serves. Each delivery is
    picked up as a serving app does it, its examples are replayed within tolerance, and the
    verdict on each (serve, or which refusal) is held against the one it expects. Lists every
    delivery that this release would not serve as it asks to be, and the areas that would have no
    model left.

    Exits 0 when nothing would be lost, 1 when anything would, 2 when the store cannot be read.

    Example: flask --app fairweather_app check
    """
    context = current_context()
    catalogue = context.catalogue
    try:
        names = sorted(catalogue.names())
    except StoreError as error:
        raise click.UsageError(str(error)) from None
    seen = sys.stderr.isatty()
    with click.progressbar(names, label="checking", file=sys.stderr, hidden=not seen) as progress:
        entries = (catalogue.pick_up(name) for name in progress)
        losses = find_losses(entry for entry in entries if entry is not None)
    release = describe_software(context.backends)
    _print_losses(losses, f"{release.name} {release.version}", str(catalogue.store))
    if losses.lost:
        raise SystemExit(1)


def _print_losses(losses: Losses, release: str, store: str) -> None:
    rows = [
        (each.delivery_id, each.model_type or "-", each.code, " ".join(each.reason.split()))
        for each in losses.lost
    ]
    _table(("lost", "type", "code", "reason"), rows)
    lost = f"{len(losses.lost) or 'none'} of {losses.deliveries} deliveries in {store}"
    if not losses.lost:
        click.echo(f"{release} would lose {lost}")
        return
    counts = ", ".join(f"{n} {code}" for code, n in count_refusals(losses.lost).items())
    click.echo(f"{release} would lose {lost}: {counts}")
    click.echo(f"areas left without any model: {', '.join(losses.areas) or 'none'}")
    if losses.unreadable:
        click.echo(
            f"of {losses.unreadable} lost the metadata cannot be read here: "
            "which areas they declare is not known"
        )


def _why(summary: ModelSummary) -> str:
    if summary.code is None:
        return f"runs on {summary.runtime}"
    # of a withdrawal the reason begins with the same word
    return (
        str(summary.reason)
        if summary.code == summary.state
        else (f"{summary.code}: {summary.reason}")
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as they need to be; nothing when there are no rows."""
    if not rows:
        return
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())
