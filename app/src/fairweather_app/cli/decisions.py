"""Commands by which an operator decides.

``models withdraw | restore | pin | unpin | promote | hold`` and ``observations remove``. Each
writes one row (promote and hold one for each area); the serving processes follow within one reload
period, whatever the store does.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

import click
from fairweather_interface.names import plain_name

from fairweather_app.catalogue.decisions import Action
from fairweather_app.catalogue.entries import Entry
from fairweather_app.catalogue.snapshot import Snapshot
from fairweather_app.cli import output
from fairweather_app.common.time_limit import TimeLimit
from fairweather_app.common.times import write_time
from fairweather_app.errors import DecisionError, GivenUpError
from fairweather_app.forecasting.context import AppContext, current_context
from fairweather_app.forecasting.pins import why_not
from fairweather_app.rollout.trials import Change, State

STORE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Decided:
    """One decision, as it was stored.

    Attributes:
        action: `withdraw`, `restore`, `pin`, `unpin`, `promote`, `hold` or `remove`.
        subject: the delivery id; of a pin the area; of observations how many, and which.
        delivery_id: what the area is pinned to, else null.
        reason: or null.
        within_seconds: until every serving process follows.
    """

    action: Action | Literal["promote", "hold"]
    subject: str
    delivery_id: str | None = None
    author: str
    reason: str | None = None
    within_seconds: float


def _some_text(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
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
    metavar="NAME",
    default=_user,
    show_default="the user",
    callback=_some_text,
    help="Who decides this.",
)
_id = click.argument("delivery_id", metavar="ID")
_answers = output.answers(Decided)


@click.command("withdraw")
@_id
@click.option("--reason", metavar="TEXT", required=True, callback=_some_text, help="Why.")
@_author
@click.option("--force", is_flag=True, help="Also when it is an area's last model, or unknown.")
@_answers
def withdraw(delivery_id: str, reason: str, author: str, *, force: bool, as_json: bool) -> None:
    """Stop serving a delivery.

    Exits 1 when it is the last live model that may be served for an area, unless --force is given.
    A shadow may not be served, nor what is narrowed by the operator or below the baseline; what
    was not promoted is the last one only where nothing else may be served.

    Example: flask --app fairweather_app models withdraw ID --reason "too warm at night"
    """
    context, delivery_id = current_context(), _whole_id(delivery_id)
    if not force:
        entry = _entry(context, delivery_id)
        declaring, covers = context.catalogue.snapshot.contents.declaring, context.catalogue.covers
        alone = [
            area
            for area in entry.areas
            if [each for each in declaring[area] if each.live and covers(each, area)] == [entry]
        ]
        if alone:
            raise DecisionError(
                f"{delivery_id} is the last live model for {', '.join(alone)}; nothing was "
                "changed. Deliver another first, or use --force; 'models why' lists the other "
                "deliveries of an area with the reason why each is not served"
            )
    done = f"{delivery_id} is withdrawn"
    _decide("withdraw", delivery_id, done, author=author, reason=reason, as_json=as_json)


@click.command("restore")
@_id
@_author
@_answers
def restore(delivery_id: str, author: str, *, as_json: bool) -> None:
    """Serve a withdrawn delivery again.

    Example: flask --app fairweather_app models restore ID
    """
    delivery_id = _whole_id(delivery_id)
    if delivery_id not in current_context().catalogue.decisions.read().withdrawals:
        raise DecisionError(f"{delivery_id} is not withdrawn; nothing was changed")
    _decide("restore", delivery_id, f"{delivery_id} is restored", author=author, as_json=as_json)


@click.command("pin")
@click.argument("area", type=plain_name)
@_id
@click.option("--reason", metavar="TEXT", callback=_some_text, help="Why.")
@_author
@_answers
def pin(area: str, delivery_id: str, reason: str | None, author: str, *, as_json: bool) -> None:
    """Prefer one delivery for AREA.

    The ranking decides where it is not live, is not allowed for AREA or refuses. Exits 1, and
    pins nothing, when it is not allowed for AREA now.

    Example: flask --app fairweather_app models pin JFK ID
    """
    context, chosen = current_context(), _whole_id(delivery_id)
    problem = why_not(context.selectors.rules, area, _entry(context, chosen))
    if problem is not None:
        raise DecisionError(f"{chosen} may not answer for {area}: {problem}; nothing was changed")
    done = f"{area} is pinned to {chosen}"
    _decide("pin", area, done, author=author, delivery_id=chosen, reason=reason, as_json=as_json)


@click.command("unpin")
@click.argument("area", type=plain_name)
@_author
@_answers
def unpin(area: str, author: str, *, as_json: bool) -> None:
    """Remove the pin of AREA, so that the ranking decides again.

    Example: flask --app fairweather_app models unpin JFK
    """
    output.require_database(current_context())
    if area not in current_context().catalogue.decisions.read().pins:
        raise DecisionError(f"{area} is not pinned; nothing was changed")
    _decide("unpin", area, f"{area} is unpinned", author=author, as_json=as_json)


@click.command("promote")
@_id
@click.option("--reason", metavar="TEXT", callback=_some_text, help="Why.")
@_author
@_answers
def promote(delivery_id: str, reason: str | None, author: str, *, as_json: bool) -> None:
    """Let a delivery answer as it ranks, without further trial; see FAIRWEATHER_ROLLOUT.

    Example: flask --app fairweather_app models promote ID
    """
    reason = reason or "an operator promoted it"
    _set_state(State.PROMOTED, "promote", delivery_id, author, reason, as_json=as_json)


@click.command("hold")
@_id
@click.option("--reason", metavar="TEXT", required=True, callback=_some_text, help="Why.")
@_author
@_answers
def hold(delivery_id: str, reason: str, author: str, *, as_json: bool) -> None:
    """Let a delivery answer only where no other does; see FAIRWEATHER_ROLLOUT.

    To stop it everywhere, withdraw it.

    Example: flask --app fairweather_app models hold ID --reason "not before the review"
    """
    _set_state(State.HELD, "hold", delivery_id, author, reason, as_json=as_json)


@click.command("remove")
@click.option("--area", type=plain_name, metavar="AREA", help="Those of this area.")
@click.option("--variable", metavar="NAME", help="Those of this variable.")
@click.option("--since", callback=output.read_time, metavar="TIME", help="From this time on.")
@click.option("--until", callback=output.read_time, metavar="TIME", help="Up to this time.")
@click.option("--provider", metavar="NAME", help="Those fetched from this provider.")
@click.option("--reason", metavar="TEXT", required=True, callback=_some_text, help="Why.")
@_author
@_answers
def remove(*, reason: str, author: str, as_json: bool, **wanted: Any) -> None:  # noqa: ANN401 - as click passes them
    """Remove the observations that match every option, of which there must be one.

    Those of a file have no provider, nor those that earlier releases than 0.5 stored. A running
    app forgets them at once. Exits 1 when nothing matches.

    Example: flask --app fairweather_app observations remove --area JFK --reason "sensor in the sun"
    """
    given = {name: value for name, value in wanted.items() if value is not None}
    if not given:
        raise click.UsageError("give --area, --variable, --since, --until or --provider")
    context = current_context()
    output.require_database(context)
    which = ", ".join(
        f"{name} {write_time(value) if isinstance(value, datetime) else value}"
        for name, value in sorted(given.items())
    )
    with context.observations.database.transaction(patient=True) as connection:
        count = context.observations.remove(connection, **given)
        if not count:
            raise DecisionError(f"no observation matches {which}; nothing was changed")
        subject = f"{count} observations: {which}"
        decisions = context.catalogue.decisions
        decisions.add("remove", subject, connection, author=author, reason=reason)
    _print("remove", subject, f"removed {subject}", author=author, reason=reason, as_json=as_json)


COMMANDS = (withdraw, restore, pin, unpin, promote, hold)


def _set_state(
    state: State,
    action: Literal["promote", "hold"],
    delivery_id: str,
    author: str,
    reason: str,
    *,
    as_json: bool,
) -> None:
    context, delivery_id = current_context(), _whole_id(delivery_id)
    if context.settings.rollout == "immediate":
        raise DecisionError(
            "FAIRWEATHER_ROLLOUT is immediate: every live delivery answers as it ranks; nothing "
            "was changed"
        )
    entry = _entry(context, delivery_id)
    if not entry.live:
        raise DecisionError(f"{delivery_id} is {entry.summary}; nothing was changed")
    rollout = context.catalogue.snapshot.contents.rollout
    before = [rollout.change(entry.digest, area) for area in entry.areas]
    changes = [
        Change(
            delivery_id=delivery_id,
            digest=str(entry.digest),
            area=area,
            state=state,
            reason=reason,
            author=author,
            since=known.since if known else 0,
        )
        for area, known in zip(entry.areas, before, strict=True)
    ]
    if not context.catalogue.decisions.rollout.add(list(zip(changes, before, strict=True))):
        raise DecisionError(f"{delivery_id} came to another state just now; nothing was changed")
    done = f"{delivery_id} is {state} for {', '.join(entry.areas)}"
    _print(action, delivery_id, done, author=author, reason=reason, as_json=as_json)


def _decide(
    action: Action, subject: str, done: str, *, author: str, as_json: bool, **more: str | None
) -> None:
    current_context().catalogue.decisions.add(action, subject, author=author, **more)
    _print(action, subject, done, author=author, as_json=as_json, **more)


def _print(
    action: Action | Literal["promote", "hold"],
    subject: str,
    done: str,
    *,
    author: str,
    as_json: bool,
    **more: str | None,
) -> None:
    seconds = current_context().settings.reload_seconds
    if as_json:
        decided = Decided(
            action=action, subject=subject, author=author, within_seconds=seconds, **more
        )
        output.print_json(decided)
    else:
        output.print_text(f"{done}; every serving process follows within {seconds:g} seconds")


def _known(context: AppContext) -> Snapshot:
    """Scan the store; where it does not answer, return what was known of it before."""
    store = f"the store {context.catalogue.store}"
    try:
        return TimeLimit(STORE_SECONDS, pause=0).run(store, partial(context.catalogue.refresh, 0))
    except GivenUpError as error:
        output.print_text(f"{error}; what was known of it before counts", err=True)
        return context.catalogue.follow_decisions(STORE_SECONDS)


def _whole_id(text: str) -> str:
    """Return the id of a delivery in the store, or of a withdrawn one."""
    context = current_context()
    output.require_database(context)
    withdrawn = context.catalogue.decisions.read().withdrawals
    return output.resolve_id(text, lambda: {*_known(context).entries, *withdrawn})


def _entry(context: AppContext, delivery_id: str) -> Entry:
    """Return the entry of a delivery that lies in the store now and was not withdrawn before."""
    before = context.catalogue.decisions.read().withdrawals.get(delivery_id)
    if before is not None:
        raise DecisionError(f"{delivery_id} was withdrawn by {before}; nothing was changed")
    snapshot = _known(context)
    entry = snapshot.entries.get(delivery_id)
    if entry is None:
        raise DecisionError(
            f"no delivery {delivery_id} is known; nothing was changed. 'models list' shows those "
            f"that are{f' ({snapshot.problem})' if snapshot.problem else ''}"
        )
    return entry
