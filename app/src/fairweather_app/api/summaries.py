"""The catalogue, and how its deliveries did, as answers show it."""

from __future__ import annotations

import logging

from fairweather_app.api.schemas import LiveScoreSummary, ModelSummary, StoreReport
from fairweather_app.capabilities import names_of
from fairweather_app.catalogue import Snapshot
from fairweather_app.errors import ObservationStoreError
from fairweather_app.live import LiveScores
from fairweather_app.pickup import Entry

logger = logging.getLogger(__name__)


def summarize(entry: Entry) -> ModelSummary:
    """One delivery; what its metadata would tell is null while that cannot be read."""
    metadata = entry.delivery.metadata if entry.delivery else None
    return ModelSummary(
        delivery_id=entry.delivery_id,
        state=entry.state,
        code=entry.code.value if entry.code else None,
        reason=entry.reason,
        digest=entry.delivery.digest if entry.delivery else None,
        schema_version=metadata.schema_version if metadata else None,
        model_type=metadata.model_type if metadata else None,
        topic=metadata.topic if metadata else None,
        author=metadata.author if metadata else None,
        areas=list(metadata.areas) if metadata else [],
        variables=list(metadata.variables) if metadata else [],
        capabilities=names_of(metadata) if metadata else [],
        train_end_time=metadata.training.train_end_time if metadata else None,
        synthetic=metadata.training.synthetic if metadata else None,
        runtime=entry.model.session.runtime if entry.model else None,
        unknown_fields=list(metadata.unknown_fields) if metadata else [],
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
    return [
        LiveScoreSummary(
            area=each.area,
            variable=each.variable,
            lead_day=each.lead_day,
            count=each.count,
            mae=each.mae,
            bias=each.bias,
        )
        for each in found
    ]
