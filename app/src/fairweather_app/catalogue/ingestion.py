"""Ingestion: from a delivery in the store to a model that can serve, or to the reason why not.

Hold manifest and envelope against the operator's keys → copy → verify → read the metadata that
*this* release obeys → test in a process of its own (load with the first runtime that takes it, and
that its keys allow, compare the signature, replay the examples) → load it here. Whatever fails
becomes an entry with its reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import fairweather_interface.errors as interface
from fairweather_interface.delivery import Delivery, Manifest
from fairweather_interface.refusals import Code

from fairweather_app.catalogue.delivery_cache import DeliveryCache
from fairweather_app.catalogue.entries import Entry, State, describe, describe_variables
from fairweather_app.catalogue.trust import Trust
from fairweather_app.errors import LoadError, RemoteUnavailableError
from fairweather_app.models_backend import ModelsBackend
from fairweather_app.models_backend.acceptance import (
    check_roles,
    check_supply,
    check_times,
    check_units,
)
from fairweather_app.models_backend.acceptance_process import AcceptanceTests
from fairweather_app.models_backend.protocol import load
from fairweather_app.models_backend.runtime_model import RuntimeModel, Session
from fairweather_app.text import mask

FindKnown = Callable[[str, str], Entry | None]
"""Finds the entry of a delivery id and a digest that were ingested before."""

_DECLINED = {
    Code.SCHEMA_TOO_NEW,
    Code.RUNTIME_UNAVAILABLE,
    Code.OBSERVATIONS_MISSING,
    Code.NOT_TRUSTED,
}
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

    A model may take so many bytes of `memory`. What was accepted before and can no longer be read
    or loaded is `LoadError`.
    """

    def __init__(
        self,
        cache: DeliveryCache,
        backends: Sequence[ModelsBackend],
        trust: Trust | None = None,
        *,
        memory: int = 1 << 30,
    ) -> None:
        self._cache = cache
        self._tests = AcceptanceTests(memory)
        self.backends = tuple(backends)
        self.trust = trust or Trust()

    def ingest(
        self,
        delivery_id: str,
        fingerprint: str,
        find_known: FindKnown = lambda _delivery_id, _digest: None,
        patience: float | None = None,
    ) -> Ingested:
        """Ingest a delivery; one that is known is verified, and not tested again.

        One without a manifest, which is not there (any more), is `IncompleteDeliveryError`; a store
        or cache that fails, which tells nothing about the delivery, is `OSError`; a test that goes
        on after `patience` seconds, `PendingTestError`.
        """
        entry = Entry(delivery_id=delivery_id, state=State.LIVE, fingerprint=fingerprint)
        try:
            manifest = self._cache.store.manifest(delivery_id)
            envelope, untrusted = self._read_envelope(entry, manifest, find_known)
            if untrusted is not None:
                return Ingested(entry=untrusted)
            delivery = self._cache.fetch_verified(delivery_id, manifest)
        except interface.IncompleteDeliveryError:
            raise
        except interface.UnsupportedSchemaError as error:
            return Ingested(entry=_refused(entry, Code.SCHEMA_TOO_NEW, str(error)))
        except interface.FairweatherError as error:
            return Ingested(entry=_refused(entry, Code.CORRUPT, "; ".join(error.problems)))
        known = find_known(delivery_id, delivery.digest)
        if known is not None:
            kept = replace(known, fingerprint=fingerprint, envelope=envelope)
            return Ingested(entry=redescribe(kept, delivery), delivery=delivery)
        described = _described(replace(entry, envelope=envelope), delivery)
        return self._accept(described, delivery, patience)

    def _read_envelope(
        self, entry: Entry, manifest: Manifest, find_known: FindKnown
    ) -> tuple[bytes, Entry | None]:
        """Return the envelope beside a manifest; and the entry, where no key vouches for it.

        Nothing but the manifest is read before, and of what is not trusted nothing after it. An
        entry that was accepted stays live here: `Trust.apply` refuses it as long as that is so.
        """
        if self.trust.policy is None:
            return b"", None
        name, envelope, broken = entry.delivery_id, b"", None
        try:
            envelope = self._cache.store.envelope(name)
        except interface.EnvelopeError as error:
            broken = str(error)
        known = find_known(name, manifest.digest)
        found = replace(known or entry, fingerprint=entry.fingerprint, envelope=envelope)
        refusal = self.trust.refusal(replace(found, digest=manifest.digest))
        if refusal is None:
            return envelope, None
        if known is None:
            found = _refused(found, Code.NOT_TRUSTED, broken or str(refusal.problem))
        return envelope, replace(found, fingerprint="") if refusal.signed_at else found

    def _accept(self, entry: Entry, delivery: Delivery, patience: float | None) -> Ingested:
        """Load a delivery that was described, and accept its model or refuse it."""
        allowed: Sequence[ModelsBackend] = self.backends
        try:
            allowed = self.trust.allowed(entry, self.backends)
            check_times(delivery.metadata, self.trust.now())
            check_roles(delivery.metadata)
            check_units(delivery.metadata)
            check_supply(delivery.metadata)
            model = self._tests.load_tested(delivery, allowed, patience)
        except LoadError as error:
            code, reason = error.code, str(error)
            if code is Code.RUNTIME_UNAVAILABLE and len(allowed) < len(self.backends):
                code, reason = Code.NOT_TRUSTED, f"its keys let nothing else run here: {reason}"
        except OSError:
            raise
        except Exception as error:
            logger.exception("the ingestion of delivery %s failed", entry.delivery_id)
            code = Code.CORRUPT
            reason = mask(f"this release failed on it: {type(error).__name__}: {error}")
        else:
            entry = _described(entry, delivery, model.session.runtime, model.format, model.memory)
            return Ingested(entry=entry, delivery=delivery, model=model)
        return Ingested(entry=_refused(entry, code, reason), delivery=delivery)

    def reload(self, entry: Entry) -> RuntimeModel:
        """Load what was accepted before: bytes verified now, signature and examples not tested."""
        with _opening():
            delivery = self._cache.open_verified(entry.delivery_id, str(entry.digest))
            model = load(delivery, self.trust.allowed(entry, self.backends))
            return replace(model, memory=self.measure(entry))

    @staticmethod
    def measure(entry: Entry) -> int:
        """Return the bytes that a model took when it was tested."""
        return entry.declared.memory if entry.declared else 0

    def describe(self, entry: Entry, session: Session) -> RuntimeModel:
        """Make the model of an entry that was accepted before, run by the given session."""
        with _opening():
            delivery = self._cache.open_described(entry.delivery_id, str(entry.digest))
            return RuntimeModel(delivery=delivery, session=session)


def _refused(entry: Entry, code: Code, reason: str) -> Entry:
    state = State.REFUSED if code in _DECLINED else State.QUARANTINED
    return replace(entry, state=state, code=code, reason=reason)


def redescribe(entry: Entry, delivery: Delivery) -> Entry:
    """Return a kept entry with what the verified metadata declare: an index is not believed."""
    ran = entry.declared
    return _described(entry, delivery, ran.runtime, ran.format, ran.memory) if ran else entry


def _described(
    entry: Entry,
    delivery: Delivery,
    runtime: str | None = None,
    format_: str | None = None,
    memory: int = 0,
) -> Entry:
    return replace(
        entry,
        digest=delivery.digest,
        model_type=delivery.metadata.model_type,
        areas=tuple(delivery.metadata.areas),
        variables=delivery.metadata.variables,
        rows=describe_variables(delivery.metadata),
        record=describe(delivery.metadata, runtime, format_, memory),
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
