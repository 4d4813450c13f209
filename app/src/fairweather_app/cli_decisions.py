"""Commands by which an operator decides: ``models withdraw | restore | pin | unpin``.

Each writes one row; the serving processes follow within one reload period.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable

import click
from flask.cli import AppGroup

from fairweather_app.app_context import AppContext
from fairweather_app.decisions import Decisions
from fairweather_app.entries import Entry
from fairweather_app.errors import DecisionError
from fairweather_app.pins import why_not

Command = Callable[..., None]


def add_decisions(
    models: AppGroup, told: Callable[[Command], Command], current_context: Callable[[], AppContext]
) -> None:
    """Give the group its commands; `told` turns the app's errors into sentences."""

    def soon() -> str:
        seconds = current_context().settings.reload_seconds
        return f"every serving process follows within {seconds:g} seconds"

    author = click.option(
        "--author", default=_user, show_default="the user", help="Who decides this."
    )

    @models.command("withdraw")
    @click.argument("delivery_id", metavar="ID")
    @click.option("--reason", required=True, help="Why, for those who ask where it has gone.")
    @author
    @click.option("--force", is_flag=True, help="Also when it is an area's last model, or unknown.")
    @told
    def withdraw(delivery_id: str, reason: str, author: str, *, force: bool) -> None:
        """Let a delivery answer nowhere, from the next look at the store on.

        Exits 1 when it is the last model for an area, unless --force is given.

        Example: flask --app fairweather_app models withdraw ID --reason "too warm at night"
        """
        context = current_context()
        if not force:
            check_withdrawal(context, delivery_id)
        context.decisions.add("withdraw", delivery_id, author=author, reason=reason)
        click.echo(f"{delivery_id} is withdrawn; {soon()}")

    @models.command("restore")
    @click.argument("delivery_id", metavar="ID")
    @author
    @told
    def restore(delivery_id: str, author: str) -> None:
        """Let a delivery that was withdrawn answer again.

        Example: flask --app fairweather_app models restore ID
        """
        context = current_context()
        if delivery_id not in context.decisions.read().withdrawals:
            raise DecisionError(f"{delivery_id} is not withdrawn; nothing was changed")
        context.decisions.add("restore", delivery_id, author=author)
        click.echo(f"{delivery_id} is restored; {soon()}")

    @models.command("pin")
    @click.argument("area")
    @click.argument("delivery_id", metavar="ID")
    @click.option("--reason", help="Why.")
    @author
    @told
    def pin(area: str, delivery_id: str, reason: str | None, author: str) -> None:
        """Let one delivery answer for AREA before all others, as long as it may and can.

        Where it is not live, may not answer or refuses, the ranking decides. Exits 1, and pins
        nothing, when it may not answer for AREA now.

        Example: flask --app fairweather_app models pin JFK ID
        """
        context = current_context()
        check_pin(context, area, delivery_id)
        context.decisions.add("pin", area, author=author, delivery_id=delivery_id, reason=reason)
        click.echo(f"{area} is pinned to {delivery_id}; {soon()}")

    @models.command("unpin")
    @click.argument("area")
    @author
    @told
    def unpin(area: str, author: str) -> None:
        """Let the best delivery answer for AREA again.

        Example: flask --app fairweather_app models unpin JFK
        """
        context = current_context()
        if area not in context.decisions.read().pins:
            raise DecisionError(f"{area} is not pinned; nothing was changed")
        context.decisions.add("unpin", area, author=author)
        click.echo(f"{area} is unpinned; {soon()}")


def check_withdrawal(context: AppContext, delivery_id: str) -> None:
    """Hold a withdrawal against what is live now.

    Raises:
        DecisionError: nobody knows the delivery, or an area would be left without any model.
    """
    entry = _entry(context, delivery_id, context.decisions.read())
    declaring, shadows = context.catalogue.snapshot.contents.declaring, context.overrides.shadows
    alone = [
        area
        for area in entry.areas
        if [each for each in declaring[area] if each.live and each.delivery_id not in shadows]
        == [entry]
    ]
    if alone:
        raise DecisionError(
            f"{delivery_id} is the last live model for {', '.join(alone)}; nothing was changed. "
            "Deliver another first, or say --force"
        )


def check_pin(context: AppContext, area: str, delivery_id: str) -> None:
    """Hold a pin against what is live now.

    Raises:
        DecisionError: the delivery is not live, or may not answer for the area.
    """
    problem = why_not(context, area, _entry(context, delivery_id, context.decisions.read()))
    if problem is not None:
        raise DecisionError(
            f"{delivery_id} may not answer for {area}: {problem}; nothing was changed"
        )


def _entry(context: AppContext, delivery_id: str, decisions: Decisions) -> Entry:
    """The entry of a delivery that lies in the store now and was not withdrawn before."""
    before = decisions.withdrawals.get(delivery_id)
    if before is not None:
        raise DecisionError(f"{delivery_id} was withdrawn by {before}; nothing was changed")
    entry = context.catalogue.refresh().entries.get(delivery_id)
    if entry is None:
        problem = context.catalogue.snapshot.problem
        raise DecisionError(
            f"no delivery {delivery_id} is known; nothing was changed. 'models list' shows those "
            f"that are{f' ({problem})' if problem else ''}"
        )
    return entry


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
