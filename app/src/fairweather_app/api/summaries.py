"""The catalogue, and how its deliveries did, as answers show it."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import UTC, datetime
from urllib.parse import urlencode

from fairweather_interface.delivery import CARD

from fairweather_app.api.listing import list_deliveries
from fairweather_app.api.schemas import (
    LiveScoreSummary,
    ModelDetail,
    Models,
    ModelsQuery,
    ModelSummary,
    PinSummary,
    StoreReport,
)
from fairweather_app.app_context import AppContext
from fairweather_app.entries import Entry
from fairweather_app.errors import ObservationStoreError
from fairweather_app.live import LiveScores
from fairweather_app.pins import pins
from fairweather_app.snapshot import Snapshot

logger = logging.getLogger(__name__)


def summarize(entry: Entry) -> ModelSummary:
    """One delivery; what its metadata would tell is null while that cannot be read."""
    declared = entry.declared
    texts = ("schema_version", "model_type", "topic", "author", "synthetic", "runtime")
    lists = ("variables", "valid_months", "capabilities", "unknown_fields")
    return ModelSummary(
        delivery_id=entry.delivery_id,
        state=entry.state,
        code=entry.code.value if entry.code else None,
        reason=entry.reason,
        digest=entry.digest,
        areas=list(entry.areas),
        train_end_time=datetime.fromtimestamp(declared.train_end_time, UTC) if declared else None,
        **{name: getattr(declared, name, None) for name in texts},
        **{name: list(getattr(declared, name, ())) for name in lists},
    )


def models_page(app_context: AppContext, query: ModelsQuery, *, path: str) -> Models:
    """A page of deliveries; `path` is the address that the next page is asked from."""
    snapshot = app_context.catalogue.snapshot
    contents = snapshot.contents
    listing = list_deliveries(contents, query)
    following = None
    if listing.next_after is not None:
        asked = query.model_dump(exclude_none=True, exclude_unset=True)
        following = f"{path}?{urlencode(asked | {'after': listing.next_after})}"
    return Models(
        store=store_report(snapshot),
        pins=[PinSummary(**asdict(each)) for each in pins(app_context, contents)],
        models=[summarize(each) for each in listing.entries],
        total=None if listing.total == len(listing.entries) else listing.total,
        next=following,
    )


def model_detail(app_context: AppContext, delivery_id: str, *, card: str) -> ModelDetail:
    """One delivery with its metadata; `card` is the address of its card, if it has one.

    Raises:
        UnknownDeliveryError: there is none.
    """
    entry = app_context.catalogue.snapshot.entry(delivery_id)
    delivery = app_context.catalogue.delivery(entry)
    metadata = None
    has_card = False
    if delivery is not None:
        metadata = delivery.metadata.model_dump(mode="json", exclude_none=True)
        has_card = CARD in delivery.manifest.files
    return ModelDetail(
        **summarize(entry).model_dump(),
        shadow=delivery_id in app_context.settings.shadow,
        live_scores=live_scores(app_context.live, delivery_id),
        card=card if has_card else None,
        metadata=metadata,
    )


def store_report(snapshot: Snapshot) -> StoreReport:
    """How the last look at the store went."""
    return StoreReport(checked_at=snapshot.checked_at, problem=snapshot.problem)


def live_scores(live: LiveScores, delivery_id: str) -> list[LiveScoreSummary] | None:
    """The live scores of one delivery; None while the database cannot be used."""
    try:
        found = live.of(delivery_id)
    except ObservationStoreError as error:
        logger.warning("no live scores: %s", error)
        return None
    return [LiveScoreSummary.model_validate(each, from_attributes=True) for each in found]
