"""Ingestion: from a delivery in the store to a model that can serve, or to the reason why not.

Copy → verify → read the metadata that *this* release obeys → load with the first runtime that takes
it → compare the signature → replay the examples, which also warms the model. Whatever fails becomes
an entry with its reason; no content of a delivery can stop the app.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import fairweather_interface.errors as interface
from fairweather_interface.delivery import Delivery
from fairweather_interface.refusals import Code

from fairweather_app.catalogue.delivery_cache import DeliveryCache
from fairweather_app.catalogue.entries import Entry, State, describe, describe_variables
from fairweather_app.errors import LoadError, RemoteUnavailableError
from fairweather_app.models_backend import ModelsBackend
from fairweather_app.models_backend.acceptance import accept, check_roles, check_supply, check_units
from fairweather_app.models_backend.loading import estimate_memory, load
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.models_backend.session import Session
from fairweather_app.text import mask

FindKnown = Callable[[str, str], Entry | None]
"""Finds the entry of a delivery id and a digest that were ingested before."""

_DECLINED = {Code.SCHEMA_TOO_NEW, Code.RUNTIME_UNAVAILABLE, Code.OBSERVATIONS_MISSING}
"""The codes of sound deliveries."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ingested:
    """An entry fresh from ingestion, with what was opened on the way.

    The `delivery` is there whenever its bytes were verified and its metadata read; the `model` when
    it is live and was accepted just now, not known from before.
    """

    entry: Entry
    delivery: Delivery | None = None
    model: RuntimeModel | None = None


class Ingestion:
    """Makes entries of deliveries, with the runtimes of this process, the preferred first.

    What was accepted before and can no longer be read or loaded is `LoadError`.
    """

    def __init__(self, cache: DeliveryCache, backends: Sequence[ModelsBackend]) -> None:
        self._cache = cache
        self.backends = tuple(backends)

    def ingest(
        self,
        delivery_id: str,
        fingerprint: str,
        find_known: FindKnown = lambda _delivery_id, _digest: None,
    ) -> Ingested:
        """Ingest a delivery; one that is known is verified, and not tested again.

        One without a manifest, which is not there (any more), is `IncompleteDeliveryError`; a store
        or cache that fails, which tells nothing about the delivery, is `OSError`.
        """
        entry = Entry(delivery_id=delivery_id, state=State.LIVE, fingerprint=fingerprint)
        try:
            delivery = self._cache.fetch_verified(delivery_id)
        except interface.IncompleteDeliveryError:
            raise
        except interface.UnsupportedSchemaError as error:
            return Ingested(entry=_refused(entry, Code.SCHEMA_TOO_NEW, str(error)))
        except interface.FairweatherError as error:
            return Ingested(entry=_refused(entry, Code.CORRUPT, "; ".join(error.problems)))
        known = find_known(delivery_id, delivery.digest)
        if known is not None:
            return Ingested(entry=replace(known, fingerprint=fingerprint), delivery=delivery)
        try:
            check_roles(delivery.metadata)
            check_units(delivery.metadata)
            check_supply(delivery.metadata)
            model = load(delivery, self.backends)
            accept(model)
        except LoadError as error:
            code, reason = error.code, str(error)
        except OSError:
            raise
        except Exception as error:
            logger.exception("the ingestion of delivery %s failed", delivery_id)
            code = Code.CORRUPT
            reason = mask(f"this release failed on it: {type(error).__name__}: {error}")
        else:
            entry = _described(entry, delivery, model.session.runtime)
            return Ingested(entry=entry, delivery=delivery, model=model)
        entry = _refused(_described(entry, delivery, None), code, reason)
        return Ingested(entry=entry, delivery=delivery)

    def reload(self, entry: Entry) -> RuntimeModel:
        """Load what was accepted before: bytes verified now, signature and examples not tested."""
        with _opening():
            delivery = self._cache.open_verified(entry.delivery_id, str(entry.digest))
            return load(delivery, self.backends)

    def measure(self, entry: Entry) -> int:
        """Estimate the memory of a model before it is loaded; 0 where `reload` will fail."""
        with suppress(interface.FairweatherError, OSError):
            delivery = self._cache.open_described(entry.delivery_id, str(entry.digest))
            return estimate_memory(delivery, self.backends)
        return 0

    def describe(self, entry: Entry, session: Session) -> RuntimeModel:
        """Make the model of an entry that was accepted before, run by the given session."""
        with _opening():
            delivery = self._cache.open_described(entry.delivery_id, str(entry.digest))
            return RuntimeModel(delivery=delivery, session=session)


def _refused(entry: Entry, code: Code, reason: str) -> Entry:
    state = State.REFUSED if code in _DECLINED else State.QUARANTINED
    return replace(entry, state=state, code=code, reason=reason)


def _described(entry: Entry, delivery: Delivery, runtime: str | None) -> Entry:
    return replace(
        entry,
        digest=delivery.digest,
        model_type=delivery.metadata.model_type,
        areas=tuple(delivery.metadata.areas),
        variables=delivery.metadata.variables,
        rows=describe_variables(delivery.metadata),
        record=describe(delivery.metadata, runtime),
    )


@contextmanager
def _opening() -> Iterator[None]:
    """Raise what keeps a copy from being opened as `LoadError`."""
    try:
        yield
    except RemoteUnavailableError as error:
        raise LoadError(Code.RUNTIME_UNAVAILABLE, str(error)) from error
    except (OSError, interface.IncompleteDeliveryError) as error:
        why = getattr(error, "strerror", None) or error
        reason = f"its bytes cannot be read or copied at the moment ({why})"
        raise LoadError(Code.RUNTIME_UNAVAILABLE, reason) from error
    except interface.FairweatherError as error:
        raise LoadError(Code.CORRUPT, "; ".join(error.problems)) from error
