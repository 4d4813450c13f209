"""Commands by which an operator decides: ``models withdraw | restore | pin | unpin``.

Each writes one row; the serving processes follow within one reload period.
"""

from __future__ import annotations

import getpass

import click
from flask.cli import with_appcontext

from fairweather_app.catalogue.decisions import Action, Decisions
from fairweather_app.catalogue.entries import Entry
from fairweather_app.cli.output import (
    as_json_option,
    require_database,
    resolve_id,
    say,
    show_json,
    told,
)
from fairweather_app.errors import DecisionError
from fairweather_app.forecasting.context import AppContext, current_context
from fairweather_app.forecasting.pins import why_not


def _some_text(_context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """An option's text; one of blanks alone tells nobody anything."""
    if value is not None and not value.strip():
        raise click.BadParameter(f"found {value!r}: expected some words", param=option)
    return value


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


_author = click.option(
    "--author",
    default=_user,
    show_default="the user",
    callback=_some_text,
    help="Who decides this.",
)


@click.command("withdraw")
@click.argument("delivery_id", metavar="ID")
@click.option(
    "--reason",
    required=True,
    callback=_some_text,
    help="Why, for those who ask where it has gone.",
)
@_author
@as_json_option
@click.option("--force", is_flag=True, help="Also when it is an area's last model, or unknown.")
@with_appcontext
@told
def withdraw(delivery_id: str, reason: str, author: str, *, force: bool, as_json: bool) -> None:
    """Let a delivery answer nowhere, from the next look at the store on.

    Exits 1 when it is the last model for an area, unless --force is given.

    Example: flask --app fairweather_app models withdraw ID --reason "too warm at night"
    """
    delivery_id = _whole_id(current_context(), delivery_id)
    if not force:
        check_withdrawal(current_context(), delivery_id)
    done = f"{delivery_id} is withdrawn"
    _decide(
        current_context(),
        "withdraw",
        delivery_id,
        done,
        author=author,
        reason=reason,
        as_json=as_json,
    )


@click.command("restore")
@click.argument("delivery_id", metavar="ID")
@_author
@as_json_option
@with_appcontext
@told
def restore(delivery_id: str, author: str, *, as_json: bool) -> None:
    """Let a delivery that was withdrawn answer again.

    Example: flask --app fairweather_app models restore ID
    """
    delivery_id = _whole_id(current_context(), delivery_id)
    if delivery_id not in current_context().catalogue.decisions.read().withdrawals:
        raise DecisionError(f"{delivery_id} is not withdrawn; nothing was changed")
    done = f"{delivery_id} is restored"
    _decide(current_context(), "restore", delivery_id, done, author=author, as_json=as_json)


@click.command("pin")
@click.argument("area")
@click.argument("delivery_id", metavar="ID")
@click.option("--reason", callback=_some_text, help="Why.")
@_author
@as_json_option
@with_appcontext
@told
def pin(area: str, delivery_id: str, reason: str | None, author: str, *, as_json: bool) -> None:
    """Let one delivery answer for AREA before all others, as long as it may and can.

    Where it is not live, may not answer or refuses, the ranking decides. Exits 1, and pins
    nothing, when it may not answer for AREA now.

    Example: flask --app fairweather_app models pin JFK ID
    """
    delivery_id = _whole_id(current_context(), delivery_id)
    check_pin(current_context(), area, delivery_id)
    done = f"{area} is pinned to {delivery_id}"
    _decide(
        current_context(),
        "pin",
        area,
        done,
        author=author,
        delivery_id=delivery_id,
        reason=reason,
        as_json=as_json,
    )


@click.command("unpin")
@click.argument("area")
@_author
@as_json_option
@with_appcontext
@told
def unpin(area: str, author: str, *, as_json: bool) -> None:
    """Let the best delivery answer for AREA again.

    Example: flask --app fairweather_app models unpin JFK
    """
    require_database(current_context())
    if area not in current_context().catalogue.decisions.read().pins:
        raise DecisionError(f"{area} is not pinned; nothing was changed")
    _decide(current_context(), "unpin", area, f"{area} is unpinned", author=author, as_json=as_json)


COMMANDS = (withdraw, restore, pin, unpin)


def _decide(
    context: AppContext,
    action: Action,
    subject: str,
    done: str,
    *,
    author: str,
    as_json: bool,
    delivery_id: str | None = None,
    reason: str | None = None,
) -> None:
    """Write a decision down, and say so."""
    context.catalogue.decisions.add(
        action, subject, author=author, delivery_id=delivery_id, reason=reason
    )
    seconds = context.settings.reload_seconds
    if as_json:
        show_json(
            {
                "action": action,
                "subject": subject,
                "delivery_id": delivery_id,
                "author": author,
                "reason": reason,
                "within_seconds": seconds,
            }
        )
        return
    say(f"{done}; every serving process follows within {seconds:g} seconds")


def _whole_id(context: AppContext, text: str) -> str:
    """The id that an operator means: of a delivery in the store, or of a withdrawn one."""
    require_database(context)
    return resolve_id(
        text,
        lambda: {
            *context.catalogue.refresh().entries,
            *context.catalogue.decisions.read().withdrawals,
        },
    )


def check_withdrawal(context: AppContext, delivery_id: str) -> None:
    """Hold a withdrawal against what is live now.

    Raises:
        DecisionError: nobody knows the delivery, or an area would be left without any model that
            may answer for it: shadows, and what the operator narrowed, may not.
    """
    entry = _entry(context, delivery_id, context.catalogue.decisions.read())
    declaring = context.catalogue.snapshot.contents.declaring
    alone = [
        area
        for area in entry.areas
        if [
            each
            for each in declaring[area]
            if each.live and context.selectors.rules.may_answer(each, area)
        ]
        == [entry]
    ]
    if alone:
        raise DecisionError(
            f"{delivery_id} is the last live model for {', '.join(alone)}; nothing was changed. "
            "Deliver another first, or say --force; 'models why' says who else declares an area, "
            "and why it may not answer"
        )


def check_pin(context: AppContext, area: str, delivery_id: str) -> None:
    """Hold a pin against what is live now.

    Raises:
        DecisionError: the delivery is not live, or may not answer for the area.
    """
    problem = why_not(
        context.selectors.rules,
        area,
        _entry(context, delivery_id, context.catalogue.decisions.read()),
    )
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
