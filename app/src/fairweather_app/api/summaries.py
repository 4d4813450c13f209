"""The catalogue, and how its deliveries did, as answers show it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from fairweather_app.api.schemas import LiveScoreSummary, ModelSummary, StoreReport
from fairweather_app.entries import Entry
from fairweather_app.errors import ObservationStoreError
from fairweather_app.live import LiveScores
from fairweather_app.snapshot import Snapshot

logger = logging.getLogger(__name__)


def summarize(entry: Entry) -> ModelSummary:
    """One delivery; what its metadata would tell is null while that cannot be read."""
    declared = entry.declared
    return ModelSummary(
        delivery_id=entry.delivery_id,
        state=entry.state,
        code=entry.code.value if entry.code else None,
        reason=entry.reason,
        digest=entry.digest,
        schema_version=declared.schema_version if declared else None,
        model_type=declared.model_type if declared else None,
        topic=declared.topic if declared else None,
        author=declared.author if declared else None,
        areas=list(entry.areas),
        variables=list(declared.variables) if declared else [],
        capabilities=list(declared.capabilities) if declared else [],
        train_end_time=datetime.fromtimestamp(declared.train_end_time, UTC) if declared else None,
        synthetic=declared.synthetic if declared else None,
        runtime=declared.runtime if declared else None,
        unknown_fields=list(declared.unknown_fields) if declared else [],
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
