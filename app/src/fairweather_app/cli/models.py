"""Commands about deliveries: ``models list | why | score``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import AppGroup

from fairweather_app.api.model_listing import store_report, summarize
from fairweather_app.api.schemas import ModelSummary
from fairweather_app.catalogue.entries import Entry
from fairweather_app.cli.decisions import COMMANDS
from fairweather_app.cli.output import (
    as_json_option,
    only_reading,
    read_time,
    require_database,
    resolve_id,
    say,
    show_json,
    show_table,
    shown_ids,
    told,
)
from fairweather_app.common.times import write_time
from fairweather_app.errors import NoApplicableModelError, UnknownDeliveryError
from fairweather_app.forecasting.context import AppContext, current_context
from fairweather_app.forecasting.forecaster import ForecastRequest
from fairweather_app.forecasting.pins import pins
from fairweather_app.refusals import Refusals, RefusedDelivery

models = AppGroup("models", help="Deliveries: which are live, and why the others are not.")
for _command in COMMANDS:
    models.add_command(_command)


@models.command("list")
@as_json_option
@told
def list_models(*, as_json: bool) -> None:
    """List every delivery in the store with its state and the reason for it.

    Exits 1 when the store, or any delivery in it, cannot be read.

    Example: flask --app fairweather_app models list
    """
    context = current_context()
    with only_reading(context):
        snapshot = context.catalogue.refresh()
    summaries = [summarize(each) for each in snapshot.entries.values()]
    pinned = pins(context.selectors.rules, snapshot.contents)
    if as_json:
        show_json(
            {
                "store": store_report(snapshot).model_dump(mode="json"),
                "pins": [asdict(each) for each in pinned],
                "models": [each.model_dump(mode="json") for each in summaries],
            }
        )
    else:
        ids = shown_ids(each.delivery_id for each in summaries)
        rows = [
            (
                ids[each.delivery_id],
                each.state,
                each.model_type or "-",
                ", ".join(each.areas) or "-",
                ", ".join(each.capabilities) or "-",
                _why(each),
            )
            for each in summaries
        ]
        show_table(("delivery", "state", "type", "areas", "can", "why"), rows)
    for pin in pinned:
        say(str(pin), err=True)
    if snapshot.problem:
        raise click.ClickException(snapshot.problem)
    if not summaries:
        say("the store holds no delivery yet", err=True)


def _why(summary: ModelSummary) -> str:
    if summary.code is None:
        return f"runs on {summary.runtime}"
    if summary.code == summary.state:  # of a withdrawal: its reason begins with the same word
        return str(summary.reason)
    return f"{summary.code}: {summary.reason}"


# ------------------------------------------------------------------------------------- why


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """How an area is answered: the candidates in their order, and everybody else's refusal.

    `passed_over` rank before `answering` and refuse; `further` rank after it, and were not
    asked. `refused` are all refusals, those of `passed_over` among them.
    """

    area: str
    reference_time: datetime
    passed_over: tuple[RefusedDelivery, ...]
    answering: Entry | None
    further: tuple[Entry, ...]
    refused: Refusals


@models.command("why")
@click.argument("area")
@click.option("--at", "time", callback=read_time, help="Reference time, such as 2013-12-20T00:00Z.")
@as_json_option
@told
def why(area: str, time: datetime | None, *, as_json: bool) -> None:
    """Say which delivery answers for AREA, in which order they rank, and why the others do not.

    It asks as a request would that comes in now, for all variables: candidates are tried in the
    order of their rank until one holds. Exits 1 when none answers. Without --at it asks for when
    the app's clock says.

    Example: flask --app fairweather_app models why LGA --at 2013-12-20T00:00Z
    """
    context = current_context()
    with only_reading(context):
        _say_why(context, area, time, as_json=as_json)


def _say_why(context: AppContext, area: str, time: datetime | None, *, as_json: bool) -> None:
    snapshot = context.catalogue.refresh()
    if snapshot.problem and not snapshot.not_ready:  # else it is the answer, told below
        say(snapshot.problem, err=True)
    for pin in pins(context.selectors.rules, snapshot.contents):
        if pin.area == area:
            say(str(pin), err=True)
    try:
        decision = context.forecaster.decide(ForecastRequest(area=area, reference_time=time))
    except NoApplicableModelError as error:
        moment = time or context.clock(area)
        _show_why(_ranking(context, area, moment, None, error.refused), as_json=as_json)
        raise
    found = _ranking(
        context, area, decision.reference_time, decision.model.delivery_id, decision.refused
    )
    _show_why(found, as_json=as_json)


def _ranking(
    context: AppContext, area: str, time: datetime, answering: str | None, refused: Refusals
) -> Ranking:
    contents = context.catalogue.snapshot.contents
    order = list(context.selectors.of(contents).ranked(area))
    candidates = {each.delivery_id for each in order}
    refusals = {each.delivery_id: each for each in refused if each.delivery_id in candidates}
    tried = [each.delivery_id for each in order]
    last = tried.index(answering) if answering in tried else len(tried)
    return Ranking(
        area=area,
        reference_time=time,
        passed_over=tuple(refusals[name] for name in tried[:last] if name in refusals),
        answering=contents.entries.get(answering) if answering else None,
        further=tuple(each for each in order[last + 1 :] if each.delivery_id not in refusals),
        refused=refused,
    )


def _show_why(found: Ranking, *, as_json: bool) -> None:
    answering = None if found.answering is None else found.answering.delivery_id
    if as_json:
        show_json(
            {
                "area": found.area,
                "reference_time": found.reference_time,
                "delivery_id": answering,
                "ranking": [
                    *({**asdict(each), "verdict": "refused"} for each in found.passed_over),
                    *([] if found.answering is None else [_stated(found.answering, found.area)]),
                    *(
                        {**_stated(each, found.area), "verdict": "ranks-lower"}
                        for each in found.further
                    ),
                ],
                "refused": [asdict(each) for each in found.refused],
                "refused_counts": found.refused.counts,
            }
        )
        return
    if answering is not None:
        say(f"{answering} answers for {found.area} at {write_time(found.reference_time)}")
    _show_ranking(found)


def _show_ranking(found: Ranking) -> None:
    """One table: candidates with their rank, then everybody else with a refusal."""
    tried = {each.delivery_id for each in found.passed_over}
    candidates = [each for each in (found.answering, *found.further) if each is not None]
    rows: list[tuple[str, str, str, str]] = [
        (each.delivery_id, each.model_type or "-", each.code, each.reason)
        for each in found.passed_over
    ]
    rows += [
        (
            each.delivery_id,
            each.model_type or "-",
            "answers" if each is found.answering else "ranks lower",
            _in_words(each, found.area),
        )
        for each in candidates
    ]
    ranks = [str(number) for number in range(1, len(rows) + 1)]
    rows += [
        (each.delivery_id, each.model_type or "-", each.code, each.reason)
        for each in found.refused
        if each.delivery_id not in tried
    ]
    ids = shown_ids(name for name, *_ in rows)
    ranks += ["-"] * (len(rows) - len(ranks))
    show_table(
        ("rank", "delivery", "type", "says", "why"),
        [(rank_, ids[name], *rest) for rank_, (name, *rest) in zip(ranks, rows, strict=True)],
    )


def _stated(entry: Entry, area: str) -> dict[str, Any]:
    """What a candidate is ranked by, for programs."""
    declared = entry.declared
    return {
        "delivery_id": entry.delivery_id,
        "model_type": entry.model_type,
        "verdict": "answers",
        "synthetic": None if declared is None else declared.synthetic,
        "skill": {}
        if declared is None
        else {name: declared.skill(area, name) for name in declared.variables},
        "train_end_time": None
        if declared is None
        else datetime.fromtimestamp(declared.train_end_time, UTC),
    }


def _in_words(entry: Entry, area: str) -> str:
    """What a candidate is ranked by, for people."""
    stated = _stated(entry, area)
    skills = [
        f"{name} {'unstated' if skill is None else format(skill, '.2f')}"
        for name, skill in stated["skill"].items()
    ]
    parts = [f"skill: {', '.join(skills)}"] if skills else []
    if stated["train_end_time"] is not None:
        parts.append(f"trained until {stated['train_end_time']:%Y-%m-%d}")
    return "; ".join([*parts, *(["synthetic observations"] if stated["synthetic"] else [])])


# ------------------------------------------------------------------------------------ score


@models.command("score")
@click.argument("delivery_id", metavar="[ID]", required=False)
@as_json_option
@told
def score(delivery_id: str | None, *, as_json: bool) -> None:
    """Say how past forecasts did against what came: of the delivery ID, or of every delivery.

    Only forecasts count of which nothing had been observed when they were made. Bias is forecast
    minus observed; lead day 1 is the first 24 hours; both figures are in the variable's unit.
    Exits 1 when nothing can be scored yet.

    Example: flask --app fairweather_app models score
    """
    context = current_context()
    require_database(context)
    if delivery_id is None:
        scores = context.live.all()
    else:
        entries = context.catalogue.refresh().entries
        delivery_id = resolve_id(delivery_id, lambda: entries)
        scores = context.live.of(delivery_id)
        if not scores and delivery_id not in entries:
            raise UnknownDeliveryError(delivery_id)
    if as_json:
        show_json([asdict(each) for each in scores])
    else:
        ids = shown_ids(each.delivery_id for each in scores)
        rows = [
            (
                *(ids[each.delivery_id], each.area, each.variable, str(each.lead_day)),
                *(str(each.count), f"{each.mae:.2f}", f"{each.bias:+.2f}"),
            )
            for each in scores
        ]
        show_table(("delivery", "area", "variable", "lead day", "values", "mae", "bias"), rows)
    if not scores:
        raise click.ClickException(
            "no forecast can be scored yet: none was kept, or nothing it speaks of was observed"
        )
