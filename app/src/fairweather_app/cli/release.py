"""Commands: ``flask --app fairweather_app <command>``.

Results go to stdout, everything else to stderr. A command exits 0 on success, 1 when the answer
is no, 2 on wrong use; an operator's mistake gets a sentence, never a stack trace.
"""

from __future__ import annotations

import sys
from dataclasses import asdict

import click
from fairweather_interface.software import dump_software
from flask import Flask
from flask.cli import with_appcontext

from fairweather_app.cli.models import models
from fairweather_app.cli.observations import observations
from fairweather_app.cli.output import as_json_option, say, show_json, show_table, told
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
@told
def software() -> None:
    """Print this release's software manifest: what it supports, as JSON.

    Example: flask --app fairweather_app software > app.json
    """
    click.echo(
        dump_software(describe_software(current_context().catalogue.backends)).decode().rstrip()
    )


@click.command("check")
@as_json_option
@with_appcontext
@told
def check(*, as_json: bool) -> None:
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
        names = sorted(catalogue.refresher.names())
    except StoreError as error:
        raise click.UsageError(str(error)) from None
    seen = sys.stderr.isatty()
    with click.progressbar(names, label="checking", file=sys.stderr, hidden=not seen) as progress:
        deliveries = (catalogue.refresher.ingest(name) for name in progress)
        found = find_regressions(each for each in deliveries if each is not None)
    release = describe_software(catalogue.backends)
    name, store = f"{release.name} {release.version}", str(catalogue.store)
    if as_json:
        show_json(
            {
                "release": name,
                "store": store,
                "deliveries": found.deliveries,
                "lost": [asdict(each) for each in found.lost],
                "areas": list(found.areas),
                "unreadable": found.unreadable,
            }
        )
    else:
        _print_regressions(found, name, store)
    if found.lost:
        raise SystemExit(1)


def _print_regressions(found: Regressions, release: str, store: str) -> None:
    rows = [
        (each.delivery_id, each.model_type or "-", each.code, each.reason) for each in found.lost
    ]
    show_table(("lost", "type", "code", "reason"), rows)
    lost = f"{len(found.lost) or 'none'} of {found.deliveries} deliveries in {store}"
    if not found.lost:
        say(f"{release} would lose {lost}")
        return
    counts = ", ".join(f"{n} {code}" for code, n in count_refusals(found.lost).items())
    say(f"{release} would lose {lost}: {counts}")
    say(f"areas left without any model: {', '.join(found.areas) or 'none'}")
    if found.unreadable:
        say(
            f"of {found.unreadable} lost the metadata cannot be read here: "
            "which areas they declare is not known"
        )
