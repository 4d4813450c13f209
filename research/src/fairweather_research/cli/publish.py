"""The commands about a delivery in another store, and in an app."""

from __future__ import annotations

from typing import Annotated

import typer

from fairweather_research.cli.sign import Key
from fairweather_research.cli.terminal import NEGATIVE, console, echo, handle_errors, printed
from fairweather_research.errors import AppError

_LATE = 3


def _address(found: str | None) -> str | None:
    from fairweather_research.delivery.app_client import App  # noqa: PLC0415 - pydantic is slow

    try:
        return None if found is None else App(found).address
    except AppError as error:
        raise typer.BadParameter(str(error)) from None


def publish_command(
    delivery: Annotated[
        str,
        typer.Argument(metavar="DELIVERY", help="The delivery's folder: a path or a URL."),
    ],
    store: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where to: a folder, or any URL of fsspec such as s3://bucket/prefix.",
        ),
    ],
    sign: Key = None,
    follow: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Wait until the app at this address, which reads the store, has it.",
            callback=_address,
        ),
    ] = None,
    wait: Annotated[
        int, typer.Option(metavar="SECONDS", min=0, help="How long to wait with --follow.")
    ] = 300,
) -> None:
    """Verify a delivery and copy it to another store, visible there whole or not at all.

    Publishing what is there already adds the signatures that are missing there, and changes nothing
    else. The last line of stdout is its path or URL.

    With --follow what the app makes of it comes after that line: live, on trial, refused or
    quarantined with code and reason, and where it ranks in each of its areas. Exit code 0: it is
    live or on trial; 1: it is not; 3: the app did not look at it in time.

    Example: fairweather-research publish store/ID --store s3://bucket/deliveries
    """
    with handle_errors("interrupted; the delivery is there whole, or not at all"):
        from fairweather_research.delivery.app_client import App, state_lines  # noqa: PLC0415
        from fairweather_research.delivery.keys import load_key  # noqa: PLC0415
        from fairweather_research.delivery.publish import publish  # noqa: PLC0415 - fsspec is slow

        app = None if follow is None else App(follow)
        where = publish(delivery, store, None if sign is None else load_key(sign))
        typer.echo(printed(where))
        if app is None:
            return
        try:
            found, why = app.wait_for(where.rpartition("/")[2], wait), ""
        except AppError as error:
            found, why = None, f": {error}"
        if found is None:
            echo(f"{app.address} did not look at it within {wait} seconds{why}")
            raise typer.Exit(_LATE)
        for line in state_lines(app, found):
            typer.echo(printed(line))
    if not found.is_live:
        raise typer.Exit(NEGATIVE)


def skill_command(
    delivery: Annotated[
        str, typer.Argument(metavar="DELIVERY", help="The delivery's folder: a path or a URL.")
    ],
    app: Annotated[
        str,
        typer.Option(metavar="URL", help="Address of the app that serves it.", callback=_address),
    ],
) -> None:
    """Show how the forecasts of a delivery did in an app, beside the skill that it declares.

    A table of each area and variable: the error on day 1 of what was forecast and then observed,
    the number of those values, the share of the error of other deliveries that it takes away, and
    the skill it declares. Exit code 1: the app does not have the delivery.

    Example: fairweather-research standing store/ID --app https://weather.example.org
    """
    with handle_errors("interrupted"):
        from fairweather_interface.delivery import open_delivery  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415 - rich is slow

        from fairweather_research.delivery.app_client import (  # noqa: PLC0415
            App,
            skill_rows,
            state_lines,
        )
        from fairweather_research.delivery.stores import reaching, verified  # noqa: PLC0415

        running = App(app)
        with reaching(delivery), verified(delivery) as folder:
            metadata = open_delivery(folder).metadata
        found = running.delivery(metadata.delivery_id)
        if found is None:
            typer.echo(f"{running.address} does not know {metadata.delivery_id}")
            raise typer.Exit(NEGATIVE)
        columns = ("area", "variable", "error on day 1", "values", "lived skill", "declared skill")
        table = Table(*columns, show_lines=True)
        for row in skill_rows(found, metadata):
            table.add_row(*map(printed, row))
        for line in state_lines(running, found):
            typer.echo(printed(line))
        console(stderr=False).print(table, markup=False)
