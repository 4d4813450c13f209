"""A catalogue and its parts as the app puts them together, without the app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.decisions import Decisions, DecisionStore
from fairweather_app.catalogue.delivery_cache import DeliveryCache
from fairweather_app.catalogue.index import Index
from fairweather_app.catalogue.ingestion import Ingested, Ingestion
from fairweather_app.catalogue.stores import open_store
from fairweather_app.models_backend import ModelsBackend, OnnxBackend
from fairweather_app.models_backend.software import NEWEST_SCHEMA

Ingest = Callable[[Path], Ingested]


class CountingIngestion(Ingestion):
    """Notes what it ingests and what it accepts, and can find the disk broken."""

    ingested: list[str]
    accepted: list[str]
    broken = False
    meanwhile: Callable[[str], None] = staticmethod(lambda _name: None)

    def ingest(self, delivery_id: str, fingerprint: str, *more: Any) -> Ingested:
        self.ingested.append(delivery_id)
        self.meanwhile(delivery_id)
        if self.broken:
            raise OSError(5, "Input/output error")
        found = super().ingest(delivery_id, fingerprint, *more)
        if found.model is not None:
            self.accepted.append(delivery_id)
        return found


class NoDecisions(DecisionStore):
    """An operator who decided nothing."""

    def __init__(self) -> None:
        """Need no database."""

    def read(self) -> Decisions:
        return Decisions()


class Kit:
    """What one process has of a store and a cache."""

    def __init__(self, cache: Path, store: Path | str, **more: Any) -> None:
        self.cache = DeliveryCache(
            cache,
            store=open_store(str(store)),
            reader=NEWEST_SCHEMA,
            limit=more.pop("limit", 1 << 30),
        )
        backends: Sequence[ModelsBackend] = [OnnxBackend(self.cache.fetch_verified)]
        self.ingestion = CountingIngestion(self.cache, backends)
        self.ingestion.ingested, self.ingestion.accepted = [], []
        self.index = Index(self.cache.folder, lambda: "tests")
        more.setdefault("decisions", NoDecisions())
        more.setdefault("budget", 1 << 30)
        self.catalogue = Catalogue(self.cache, self.ingestion, self.index, **more)

    def ingest(self, delivery_id: str) -> Ingested:
        fingerprint = self.cache.store.fingerprint(delivery_id)
        return self.ingestion.ingest(delivery_id, fingerprint)

    @property
    def live(self) -> list[str]:
        return [each.delivery_id for each in self.catalogue.snapshot.live]


def live(catalogue: Catalogue) -> list[str]:
    return [each.delivery_id for each in catalogue.snapshot.live]
