"""Commands: ``flask --app fairweather_app <command>``.

Results go to stdout, everything else to stderr. A command exits 0 on success, 1 when the answer
is no, 2 on wrong use; an operator's mistake gets a sentence, never a stack trace.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields

import click
from fairweather_interface.software import dump_software
from flask import Flask
from flask.cli import with_appcontext

from fairweather_app.cli import output
from fairweather_app.cli.models import models
from fairweather_app.cli.observations import observations
from fairweather_app.errors import StoreError
from fairweather_app.forecasting.context import current_context
from fairweather_app.forecasting.release_check import Regressions, find_regressions
from fairweather_app.models_backend.software import describe_software
from fairweather_app.refusals import count_refusals


def register_commands(app: Flask) -> None:
    """Give the app its commands."""
    app.cli.add_command(observations)
    app.cli.add_command(models)
    app.cli.add_command(software)
    app.cli.add_command(check)


@click.command("software")
@with_appcontext
@output.handle_errors
def software() -> None:
    """Print this release's software manifest: what it supports, as JSON.

    Example: flask --app fairweather_app software > app.json
    """
    manifest = describe_software(current_context().catalogue.backends)
    click.echo(dump_software(manifest).decode().rstrip())


@dataclass(frozen=True, kw_only=True)
class ReleaseCheck(Regressions):
    """The deliveries that this release cannot serve.

    Attributes:
        release: name and version.
        deliveries: number of deliveries in the store.
        lost: those that this release would not serve as declared.
        areas: areas that would have no model left.
        unreadable: number of lost deliveries whose metadata this release cannot read.
    """

    release: str
    store: str


@click.command("check")
@output.answers(ReleaseCheck)
def check(*, as_json: bool) -> None:
    """Check which deliveries this release cannot serve.

    Run it in a new release's environment, with its settings, before it serves. Each delivery is
    ingested as by a serving app, its examples are replayed within tolerance, and the verdict on
    each (serve, or which refusal) is compared with the expected one. Lists every delivery that
    this release would not serve as declared, and the areas that would have no model left.

    Exits 0 when nothing would be lost, 1 when anything would, 2 when the store cannot be read.

    Example: flask --app fairweather_app check
    """
    context = current_context()
    catalogue = context.catalogue
    try:
        names = sorted(catalogue.refresher.names())
    except StoreError as error:
        raise click.UsageError(str(error)) from None
    shown = sys.stderr.isatty()
    with click.progressbar(names, label="checking", file=sys.stderr, hidden=not shown) as progress:
        deliveries = (catalogue.refresher.ingest(name) for name in progress)
        regressions = find_regressions(each for each in deliveries if each is not None)
    manifest = describe_software(catalogue.backends)
    found = ReleaseCheck(
        release=f"{manifest.name} {manifest.version}",
        store=str(catalogue.store),
        **{each.name: getattr(regressions, each.name) for each in fields(regressions)},
    )
    rows = [
        (each.delivery_id, each.model_type or "-", each.code, each.reason) for each in found.lost
    ]
    output.print_answer(found, ("lost", "type", "code", "reason"), rows, as_json=as_json)
    if not as_json:
        counts = ", ".join(f"{n} {code}" for code, n in count_refusals(found.lost).items())
        output.print_text(
            f"{found.release} would lose {len(found.lost) or 'none'} of {found.deliveries} "
            f"deliveries in {found.store}{f': {counts}' if counts else ''}"
        )
        if found.lost:
            output.print_text(f"Areas left without any model: {', '.join(found.areas) or 'none'}.")
        if found.unreadable:
            lost = (
                f"{found.unreadable} lost {'delivery' if found.unreadable == 1 else 'deliveries'}"
            )
            output.print_text(f"The areas of {lost} are unknown (unreadable metadata).")
    if found.lost:
        raise SystemExit(1)
