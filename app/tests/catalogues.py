"""A catalogue and its parts as the app puts them together, without the app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.decisions import Decisions, DecisionStore
from fairweather_app.catalogue.delivery_cache import Cache
from fairweather_app.catalogue.index import Index
from fairweather_app.catalogue.ingestion import Ingested, Pickup, Proven
from fairweather_app.catalogue.stores import open_store
from fairweather_app.models_backend import ModelsBackend, OnnxBackend
from fairweather_app.models_backend.software import NEWEST_SCHEMA

PickUp = Callable[[Path], Ingested]


class CountingPickup(Pickup):
    """Counts what is picked up and what is proven, and can be told to find the disk broken."""

    picked: list[str]
    proven: list[str]
    broken = False
    meanwhile: Callable[[str], None] = staticmethod(lambda _name: None)

    def __call__(self, name: str, *, proven: Proven | None = None) -> Ingested:
        self.picked.append(name)
        self.meanwhile(name)
        if self.broken:
            raise OSError(5, "Input/output error")
        picked = super().__call__(name, proven=proven)
        if picked.model is not None:
            self.proven.append(name)
        return picked


class NoDecisions(DecisionStore):
    """An operator who decided nothing."""

    def __init__(self) -> None:
        """Need no database."""

    def read(self) -> Decisions:
        return Decisions()


class Kit:
    """What one process has of a store and a cache."""

    def __init__(self, cache: Path, store: Path | str, **more: Any) -> None:
        self.cache = Cache(cache, store=open_store(str(store)), reader=NEWEST_SCHEMA)
        backends: Sequence[ModelsBackend] = [OnnxBackend(self.cache.bring)]
        self.pickup = CountingPickup(self.cache, backends)
        self.pickup.picked, self.pickup.proven = [], []
        self.index = Index(self.cache.folder, lambda: "tests")
        more.setdefault("decisions", NoDecisions())
        self.catalogue = Catalogue(self.cache, self.pickup, self.index, **more)

    @property
    def live(self) -> list[str]:
        return [each.delivery_id for each in self.catalogue.snapshot.live]


def live(catalogue: Catalogue) -> list[str]:
    return [each.delivery_id for each in catalogue.snapshot.live]
