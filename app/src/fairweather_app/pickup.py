"""Pickup: from a delivery in the store to a model that can serve, or to the reason why not.

Copied → verified → metadata read for what *this* release obeys → a runtime found → loaded →
signature compared → examples replayed. Whatever fails becomes an entry that says so; nothing
that a delivery holds can stop the app.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from fairweather_interface.delivery import Delivery
from fairweather_interface.errors import (
    FairweatherError,
    IncompleteDeliveryError,
    UnsupportedSchemaError,
)
from fairweather_interface.refusals import Code

from fairweather_app.cache import Cache
from fairweather_app.errors import LoadError
from fairweather_app.models_backend import ModelsBackend
from fairweather_app.models_backend.proof import check_roles, check_units, prove
from fairweather_app.models_backend.protocol import artifact_of
from fairweather_app.runtime_model import RuntimeModel

Fingerprint = tuple[tuple[str, int, int], ...]
"""Path, size and modification time (ns) of every file below a delivery: did its bytes change?"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """One delivery as the catalogue knows it.

    `code` and `reason` are None exactly when it is live, and then there is a `model`. The
    `delivery` is there whenever its bytes were verified and its metadata read.
    """

    delivery_id: str
    state: Literal["live", "refused", "quarantined"]
    fingerprint: Fingerprint
    code: Code | None = None
    reason: str | None = None
    delivery: Delivery | None = None
    model: RuntimeModel | None = None


def fingerprint(folder: Path) -> Fingerprint:
    """What changes when a delivery's bytes do, without reading them.

    Raises:
        OSError: the folder cannot be read.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        found.append((path.relative_to(folder).as_posix(), about.st_size, about.st_mtime_ns))
    return tuple(found)


class Pickup:
    """Makes entries of deliveries, with the runtimes this process has, the preferred first."""

    def __init__(self, cache: Cache, backends: Sequence[ModelsBackend]) -> None:
        self._cache = cache
        self._backends = tuple(backends)

    def __call__(self, folder: Path) -> Entry:
        """Pick a delivery up.

        Raises:
            IncompleteDeliveryError: its manifest is gone: it is not there (any more).
            OSError: the store or the cache failed, which says nothing about the delivery.
        """
        entry = partial(Entry, delivery_id=folder.name, fingerprint=fingerprint(folder))
        try:
            delivery = self._cache.bring(folder)
        except IncompleteDeliveryError:
            raise
        except UnsupportedSchemaError as error:
            return entry(state="refused", code=Code.SCHEMA_TOO_NEW, reason=str(error))
        except FairweatherError as error:
            reason = "; ".join(error.problems)
            return entry(state="quarantined", code=Code.CORRUPT, reason=reason)
        try:
            model = self._load(delivery)
        except LoadError as error:
            reason = str(error)
            return entry(state=error.state, code=error.code, reason=reason, delivery=delivery)
        except OSError:
            raise
        except Exception as error:
            logger.exception("the pickup of delivery %s failed", folder.name)
            reason = f"this release failed on it: {type(error).__name__}: {error}"
            return entry(state="quarantined", code=Code.CORRUPT, reason=reason, delivery=delivery)
        return entry(state="live", delivery=delivery, model=model)

    def _load(self, delivery: Delivery) -> RuntimeModel:
        """Load with the first runtime that takes one of the artifacts, and prove the model."""
        check_roles(delivery.metadata)
        check_units(delivery.metadata)
        reasons = []
        for backend in self._backends:
            artifact = artifact_of(delivery, backend.format)
            if artifact is None:
                continue
            reason = backend.cannot_run(artifact)
            if reason is not None:
                reasons.append(f"{artifact.path} {reason}")
                continue
            try:
                model = backend.load_by_id(delivery.metadata.delivery_id)
            except LoadError as error:
                if error.code is not Code.RUNTIME_UNAVAILABLE:
                    raise
                reasons.append(str(error))
                continue
            prove(model)
            return model
        raise LoadError(
            Code.RUNTIME_UNAVAILABLE,
            "; ".join(reasons) or self._no_artifact(delivery),
            state="refused",
        )

    def _no_artifact(self, delivery: Delivery) -> str:
        carried = ", ".join(
            each.format for each in delivery.metadata.artifacts if each.path is not None
        )
        runs = ", ".join(backend.format for backend in self._backends)
        omitted = [
            f" ({each.format} was left out: {each.omitted})"
            for each in delivery.metadata.artifacts
            if each.omitted is not None
        ]
        return f"it carries {carried}, this app runs {runs}" + "".join(omitted)
