"""The catalogue, and how its deliveries did, as answers show it."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime

import orjson
from fairweather_interface.delivery import CARD
from flask import url_for

from fairweather_app.api import schemas
from fairweather_app.catalogue.entries import Entry
from fairweather_app.catalogue.snapshot import Snapshot
from fairweather_app.errors import ObservationStoreError
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.pins import pins
from fairweather_app.rollout.trials import Rollout

logger = logging.getLogger(__name__)


def summarize(entry: Entry, rollout: Rollout) -> schemas.ModelSummary:
    """Summarize one delivery; what stands in its metadata is null while that cannot be read."""
    declared = entry.declared
    texts = ("schema_version", "model_type", "topic", "author", "synthetic", "runtime")
    lists = ("variables", "valid_months", "capabilities", "unknown_fields")
    return schemas.ModelSummary(
        delivery_id=entry.delivery_id,
        state=entry.state,
        code=entry.code.value if entry.code else None,
        reason=entry.reason,
        digest=entry.digest,
        areas=list(entry.areas),
        rollout=[
            schemas.RolloutState.model_validate(each, from_attributes=True)
            for area in entry.areas
            if rollout.began and (each := rollout.change(entry.digest, area)) is not None
        ],
        train_end_time=datetime.fromtimestamp(declared.train_end_time, UTC) if declared else None,
        signed_by=entry.signed_by,
        trust_problem=entry.trust.problem if entry.trust else None,
        **{name: getattr(declared, name, None) for name in texts},
        **{name: list(getattr(declared, name, ())) for name in lists},
    )


def models_page(
    app_context: AppContext, query: schemas.ModelsQuery, *, most: int = schemas.MOST_LISTED
) -> schemas.Models:
    """Return a page of at most so many deliveries, with the address of the next one."""
    snapshot = app_context.catalogue.snapshot
    contents = snapshot.contents
    found: Iterable[Entry] = contents.entries.values()
    if query.area is not None:
        found = contents.declaring.get(query.area, ())
    if query.state is not None:
        found = (each for each in found if each.state == query.state)
    if query.q is not None:
        words = query.q.casefold().split()
        found = (each for each in found if all(word in _text(each) for word in words))
    matching = list(found)
    ids = [each.delivery_id for each in matching]
    start = 0 if query.after is None else bisect_right(ids, query.after)
    end = start + min(query.limit, most)
    following = None
    if end < len(matching):
        asked = query.model_dump(exclude_none=True, exclude_unset=True)
        following = url_for("api.list_models", **asked | {"after": ids[end - 1]})
    page = matching[start:end]
    return schemas.Models(
        store=store_report(snapshot),
        pins=list(pins(app_context.selectors.rules, contents)),
        models=[summarize(each, contents.rollout) for each in page],
        total=None if len(page) == len(matching) else len(matching),
        next=following,
    )


def model_detail(app_context: AppContext, delivery_id: str) -> schemas.ModelDetail:
    """Describe one delivery with its metadata and its card, or raise `UnknownDeliveryError`."""
    snapshot = app_context.catalogue.snapshot
    entry, rollout = snapshot.entry(delivery_id), snapshot.contents.rollout
    delivery = app_context.catalogue.delivery(entry)
    card = url_for("api.get_model_card", delivery_id=delivery_id)
    live_scores = None
    try:
        live_scores = [
            schemas.LiveScoreSummary.model_validate(each, from_attributes=True)
            for each in app_context.live.of(delivery_id)
        ]
    except ObservationStoreError as error:
        logger.warning("no live scores: %s", error)
    return schemas.ModelDetail(
        **summarize(entry, rollout).model_dump(),
        shadow=delivery_id in app_context.settings.shadow,
        live_scores=live_scores,
        lived_skill=rollout.compared(delivery_id),
        card=card if delivery and CARD in delivery.manifest.files else None,
        metadata=delivery and delivery.metadata.model_dump(mode="json", exclude_none=True),
    )


def store_report(snapshot: Snapshot) -> schemas.StoreReport:
    """Return how the last refresh from the store went."""
    return schemas.StoreReport(checked_at=snapshot.checked_at, problem=snapshot.problem)


def _text(entry: Entry) -> str:
    """Return all text of a delivery that is searched, in one case."""
    declared = orjson.loads(entry.record) if entry.record else {}
    texts = [entry.delivery_id, entry.state, entry.code, entry.reason, entry.model_type]
    texts += [declared.get("topic"), declared.get("author"), *entry.areas, *entry.variables]
    return "\n".join(filter(None, texts)).casefold()
