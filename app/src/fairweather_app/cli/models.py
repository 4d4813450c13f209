"""Commands about deliveries: ``models list | why | score``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

import click
from fairweather_interface.names import plain_name
from flask.cli import AppGroup

from fairweather_app import errors
from fairweather_app.api.model_listing import store_report, summarize
from fairweather_app.api.schemas import Models, ModelSummary
from fairweather_app.cli import output
from fairweather_app.cli.decisions import COMMANDS
from fairweather_app.common.times import write_time
from fairweather_app.forecasting.context import AppContext, current_context
from fairweather_app.forecasting.forecaster import ForecastRequest
from fairweather_app.forecasting.live_scores import LiveScore
from fairweather_app.forecasting.pins import pins
from fairweather_app.refusals import Refusals, RefusedDelivery

ADVICE = (
    "`observations status --area {area}` shows the age and the gaps of its observations; "
    "`observations import` or `observations fetch` adds newer ones"
)
"""What helps where a model waits for observations."""

models = AppGroup("models", help="Deliveries: which are live, and why the others are not.")
for _command in COMMANDS:
    models.add_command(_command)


@models.command("list")
@output.answers(Models)
def list_models(*, as_json: bool) -> None:
    """List every delivery with its state and the reason for it.

    Exits 1 when the store, or any delivery in it, cannot be read.

    Example: flask --app fairweather_app models list
    """
    context = current_context()
    with output.only_reading(context):
        snapshot = context.catalogue.refresh()
    rollout = snapshot.contents.rollout
    summaries = [summarize(each, rollout) for each in snapshot.entries.values()]
    pinned = pins(context.selectors.rules, snapshot.contents)
    ids = output.short_ids(each.delivery_id for each in summaries)
    output.print_answer(
        Models(store=store_report(snapshot), pins=list(pinned), models=summaries),
        ("delivery", "state", "type", "areas", "capabilities", "signed by", "reason"),
        [
            (
                ids[each.delivery_id],
                each.state,
                each.model_type or "-",
                ", ".join(each.areas) or "-",
                ", ".join(each.capabilities) or "-",
                ", ".join(each.signed_by or ()) or "-",
                _reason(each),
            )
            for each in summaries
        ],
        as_json=as_json,
    )
    for sentence in (*map(str, pinned), *sorted(context.unmatched_settings(snapshot.contents))):
        output.print_text(sentence, err=True)
    if snapshot.problem:
        raise click.ClickException(snapshot.problem)
    if not summaries:
        output.print_text("the store holds no delivery yet", err=True)


def _reason(summary: ModelSummary) -> str:
    if summary.code is None:
        untrusted = [f"no key vouches for it: {summary.trust_problem}"]
        states = [f"{each.state} for {each.area}" for each in summary.rollout]
        return "; ".join(
            [f"runs on {summary.runtime}", *(untrusted if summary.trust_problem else ()), *states]
        )
    said = summary.code == summary.state  # of a withdrawal: its reason begins with the same word
    return str(summary.reason) if said else f"{summary.code}: {summary.reason}"


Verdict = Literal["answers", "refused", "ranks-lower"]


@dataclass(frozen=True, kw_only=True)
class RefusedCandidate(RefusedDelivery):
    """A candidate that was tried and refuses."""

    verdict: Verdict = "refused"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A candidate that answers, or that ranks lower and was not tried.

    Attributes:
        verdict: `answers`, `refused` (ranks higher and refuses) or `ranks-lower` (not tried).
        synthetic: of the others than `refused`: trained on synthetic observations.
        skill: likewise: skill for the area by variable, null where none is stated.
        train_end_time: likewise: training data up to.
        rollout: its state for the area under a rollout by evidence, null where it ranks as it is.
        lived: how its past forecasts compare with those of others, which outranks what is declared.
        signed_by: the names of the keys that vouch for it, null where none are asked.
    """

    delivery_id: str
    model_type: str | None
    verdict: Verdict
    synthetic: bool | None
    skill: Mapping[str, float | None]
    train_end_time: datetime | None
    rollout: str | None
    lived: tuple[str, ...]
    signed_by: list[str] | None

    def __str__(self) -> str:
        skills = [
            f"{name} {'unstated' if skill is None else format(skill, '.2f')}"
            for name, skill in self.skill.items()
        ]
        parts = [f"skill: {', '.join(skills)}"] if skills else []
        if self.train_end_time is not None:
            parts.append(f"trained until {self.train_end_time:%Y-%m-%d}")
        parts += ["synthetic observations"] * bool(self.synthetic)
        if self.signed_by is not None:
            parts.append(f"signed by {', '.join(self.signed_by) or 'no trusted key'}")
        return "; ".join([*filter(None, (self.rollout,)), *self.lived, *parts])


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The candidates for an area in their order, and all refusals.

    Attributes:
        area: what was asked for.
        reference_time: when the forecast starts.
        delivery_id: the delivery that answers, or null.
        ranking: the candidates, the best first.
        refused: all that refuse: the candidates among them first.
        refused_counts: number by code.
    """

    area: str
    reference_time: datetime
    delivery_id: str | None
    ranking: tuple[RefusedCandidate | Candidate, ...]
    refused: tuple[RefusedDelivery, ...]
    refused_counts: Mapping[str, int]


@models.command("why")
@click.argument("area", type=plain_name)
@click.option(
    "--at",
    "time",
    metavar="TIME",
    callback=output.read_time,
    help="Reference time, such as 2013-12-20T00:00Z. [default: as of FAIRWEATHER_CLOCK]",
)
@output.answers(Ranking)
def why(area: str, time: datetime | None, *, as_json: bool) -> None:
    """Show which delivery answers for AREA, how the candidates rank, and why others do not.

    Candidates are tried in the order of their rank until one does not refuse, as for a request
    for all variables that arrives now. Exits 1 when none answers.

    Example: flask --app fairweather_app models why LGA --at 2013-12-20T00:00Z
    """
    context = current_context()
    with output.only_reading(context):
        snapshot = context.catalogue.refresh()
        if snapshot.problem and not snapshot.not_ready:  # else it is the error, printed below
            output.print_text(snapshot.problem, err=True)
        for pin in pins(context.selectors.rules, snapshot.contents):
            if pin.area == area:
                output.print_text(str(pin), err=True)
        try:
            decision = context.forecaster.decide(ForecastRequest(area=area, reference_time=time))
        except errors.NoApplicableModelError as error:
            moment = time or context.clock(area)
            _print_ranking(_ranking(context, area, moment, None, error.refused), as_json=as_json)
            if isinstance(error, errors.AwaitingObservationsError):
                output.print_text(ADVICE.format(area=area), err=True)
            raise
        answering, moment = decision.model.delivery_id, decision.reference_time
        found = _ranking(context, area, moment, answering, decision.refused)
        _print_ranking(found, as_json=as_json)


def _ranking(
    context: AppContext, area: str, time: datetime, answering: str | None, refused: Refusals
) -> Ranking:
    contents = context.catalogue.snapshot.contents
    order = list(context.selectors.of(contents).ranked(area))
    names = [each.delivery_id for each in order]
    candidates = set(names)  # so that of very many refusals few are kept
    refusals = {each.delivery_id: each for each in refused if each.delivery_id in candidates}
    if answering in candidates and not refusals.keys() & set(names[: names.index(answering)]):
        order.sort(key=lambda each: each.delivery_id != answering)  # a canary was asked first
        names = [each.delivery_id for each in order]
    place = names.index(answering) if answering in names else len(names)
    ranking: list[RefusedCandidate | Candidate] = []
    for number, entry in enumerate(order):
        refusal, declared = refusals.get(entry.delivery_id), entry.declared
        if refusal is not None and number < place:
            ranking.append(RefusedCandidate(**asdict(refusal)))
        elif refusal is None and number >= place and declared is not None:
            candidate = Candidate(
                delivery_id=entry.delivery_id,
                model_type=entry.model_type,
                verdict="ranks-lower" if number > place else "answers",
                synthetic=declared.synthetic,
                skill={name: declared.skill(area, name) for name in declared.variables},
                train_end_time=datetime.fromtimestamp(declared.train_end_time, UTC),
                rollout=contents.rollout.describe(entry.digest, area),
                lived=tuple(map(str, contents.rollout.compared(entry.delivery_id, area))),
                signed_by=entry.signed_by,
            )
            ranking.append(candidate)
    return Ranking(
        area=area,
        reference_time=time,
        delivery_id=answering,
        ranking=tuple(ranking),
        refused=tuple(refused),
        refused_counts=refused.counts,
    )


def _print_ranking(found: Ranking, *, as_json: bool) -> None:
    """Print candidates with their rank, then every other delivery with its refusal."""
    if found.delivery_id is not None and not as_json:
        time = write_time(found.reference_time)
        output.print_text(f"{found.delivery_id} answers for {found.area} at {time}")
    ranked = {each.delivery_id for each in found.ranking}
    listed = (*found.ranking, *(each for each in found.refused if each.delivery_id not in ranked))
    ids = output.short_ids(each.delivery_id for each in listed)
    rows = [
        (
            str(number) if number <= len(ranked) else "-",
            ids[each.delivery_id],
            each.model_type or "-",
            *(
                (each.verdict.replace("-", " "), str(each))
                if isinstance(each, Candidate)
                else (each.code, each.reason)
            ),
        )
        for number, each in enumerate(listed, 1)
    ]
    header = ("rank", "delivery", "type", "verdict", "reason")
    output.print_answer(found, header, rows, as_json=as_json)


@models.command("score")
@click.argument("delivery_id", metavar="[ID]", required=False)
@output.answers(list[LiveScore])
def score(delivery_id: str | None, *, as_json: bool) -> None:
    """Show the errors of past forecasts by lead day: of the delivery ID, or of every delivery.

    Only forecasts made before their first observation count. Bias is forecast minus observed;
    lead day 1 is the first 24 hours; both are in the variable's unit. Exits 1 when nothing can be
    scored yet.

    Example: flask --app fairweather_app models score
    """
    context = current_context()
    output.require_database(context)
    if delivery_id is None:
        scores = context.live.all()
    else:
        entries = context.catalogue.refresh().entries
        delivery_id = output.resolve_id(delivery_id, lambda: entries)
        scores = context.live.of(delivery_id)
        if not scores and delivery_id not in entries:
            raise errors.UnknownDeliveryError(delivery_id)
    ids = output.short_ids(each.delivery_id for each in scores)
    rows = [
        (
            *(ids[each.delivery_id], each.area, each.variable, str(each.lead_day)),
            *(str(each.count), f"{each.mae:.2f}", f"{each.bias:+.2f}"),
        )
        for each in scores
    ]
    header = ("delivery", "area", "variable", "lead day", "values", "mae", "bias")
    output.print_answer(scores, header, rows, as_json=as_json)
    if not scores:
        raise click.ClickException(
            "no forecast can be scored yet: none was stored, or nothing was observed since"
        )
