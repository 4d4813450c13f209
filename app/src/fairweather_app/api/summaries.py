"""The catalogue as answers show it."""

from __future__ import annotations

from datetime import UTC, datetime

from fairweather_app.api.schemas import ModelSummary, StoreReport
from fairweather_app.entries import Entry
from fairweather_app.snapshot import Snapshot


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
