"""Pickup: from a delivery in the store to a model that can serve, or to the reason why not.

Copied → verified → metadata read for what *this* release obeys → a runtime found → loaded →
signature compared → examples replayed, which also warms it. Whatever fails becomes an entry that
says so; nothing that a delivery holds can stop the app.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fairweather_interface.delivery import Delivery
from fairweather_interface.errors import (
    FairweatherError,
    IncompleteDeliveryError,
    UnsupportedSchemaError,
)
from fairweather_interface.manifest import artifact_files
from fairweather_interface.metadata import Artifact
from fairweather_interface.refusals import Code

from fairweather_app.catalogue.delivery_cache import Cache
from fairweather_app.catalogue.entries import Entry, State, describe
from fairweather_app.catalogue.model_cache import Loaded, estimate
from fairweather_app.errors import LoadError, RemoteUnavailableError
from fairweather_app.models_backend import ModelsBackend
from fairweather_app.models_backend.acceptance import check_roles, check_units, prove
from fairweather_app.models_backend.protocol import artifact_of
from fairweather_app.models_backend.runtime_model import RuntimeModel
from fairweather_app.models_backend.session import Session

Proven = Callable[[str, str], Entry | None]
"""What was found out before about a delivery's id and digest."""

_DECLINED = {Code.SCHEMA_TOO_NEW, Code.RUNTIME_UNAVAILABLE}
"""What is refused with one of these is sound."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ingested:
    """An entry fresh from pickup, with what was opened on the way.

    The `delivery` is there whenever its bytes were verified and its metadata read, the `model`
    when it is live and was proven just now, and not found among what was proven before. `size` is
    the memory that the model is taken to need.
    """

    entry: Entry
    delivery: Delivery | None = None
    model: RuntimeModel | None = None
    size: int = 0

    @property
    def loaded(self) -> Loaded | None:
        """The proven session."""
        return None if self.model is None else Loaded(session=self.model.session, size=self.size)


class Pickup:
    """Makes entries of deliveries, with the runtimes this process has, the preferred first."""

    def __init__(self, cache: Cache, backends: Sequence[ModelsBackend]) -> None:
        self._cache = cache
        self.backends = tuple(backends)

    def __call__(self, name: str, *, proven: Proven | None = None) -> Ingested:
        """Pick a delivery up; what is among `proven` is verified, and not proven again.

        Raises:
            IncompleteDeliveryError: its manifest is gone: it is not there (any more).
            OSError: the store or the cache failed, which says nothing about the delivery.
        """
        fingerprint = self._cache.store.fingerprint(name)
        return self._pick_up(name, fingerprint, proven)

    def load(self, delivery: Delivery) -> tuple[RuntimeModel, int]:
        """Load with the first runtime that takes one of the artifacts; also the memory it takes.

        Raises:
            LoadError: none does.
        """
        reasons = []
        for backend in self.backends:
            artifact = artifact_of(delivery, backend.format)
            if artifact is None:
                continue
            reason = backend.cannot_run(artifact)
            if reason is not None:
                reasons.append(f"{artifact.path} {reason}")
                continue
            try:
                model = backend.load(delivery)
            except LoadError as error:
                if error.code is not Code.RUNTIME_UNAVAILABLE:
                    raise
                reasons.append(str(error))
                continue
            return model, estimate(_size(delivery, artifact))
        raise LoadError(Code.RUNTIME_UNAVAILABLE, "; ".join(reasons) or self._no_artifact(delivery))

    def load_again(self, entry: Entry) -> Loaded:
        """Load what was proven before: bytes verified now, signature and examples not replayed.

        Raises:
            LoadError: its bytes cannot be had any more, or no runtime takes them.
        """
        try:
            delivery = self._cache.verified(entry.delivery_id, str(entry.digest))
            model, size = self.load(delivery)
        except (FairweatherError, OSError) as error:
            raise _cannot_have(error) from error
        return Loaded(session=model.session, size=size)

    def measure(self, entry: Entry) -> int:
        """The memory that the first artifact a runtime here takes will need, before it is loaded.

        0 while its metadata cannot be had; `load_again` will say why.
        """
        try:
            delivery = self._cache.described(entry.delivery_id, str(entry.digest))
        except (FairweatherError, OSError):
            return 0
        for backend in self.backends:
            artifact = artifact_of(delivery, backend.format)
            if artifact is not None and backend.cannot_run(artifact) is None:
                return estimate(_size(delivery, artifact))
        return 0

    def describe(self, entry: Entry, session: Session) -> RuntimeModel:
        """A model of what was proven before, run by a session of its own making.

        Raises:
            LoadError: its metadata cannot be had any more.
        """
        try:
            delivery = self._cache.described(entry.delivery_id, str(entry.digest))
        except (FairweatherError, OSError) as error:
            raise _cannot_have(error) from error
        return RuntimeModel(delivery=delivery, session=session)

    def _pick_up(self, name: str, fingerprint: str, proven: Proven | None) -> Ingested:
        def refused(code: Code, reason: str, delivery: Delivery | None = None) -> Ingested:
            state = State.REFUSED if code in _DECLINED else State.QUARANTINED
            entry = _entry(name, fingerprint, state, delivery, code=code, reason=reason)
            return Ingested(entry=entry, delivery=delivery)

        try:
            delivery = self._cache.bring(name)
        except IncompleteDeliveryError:
            raise
        except UnsupportedSchemaError as error:
            return refused(Code.SCHEMA_TOO_NEW, str(error))
        except FairweatherError as error:
            return refused(Code.CORRUPT, "; ".join(error.problems))
        known = None if proven is None else proven(name, delivery.digest)
        if known is not None:
            return Ingested(entry=replace(known, fingerprint=fingerprint), delivery=delivery)
        try:
            check_roles(delivery.metadata)
            check_units(delivery.metadata)
            model, size = self.load(delivery)
            prove(model)
        except LoadError as error:
            return refused(error.code, str(error), delivery=delivery)
        except OSError:
            raise
        except Exception as error:
            logger.exception("the pickup of delivery %s failed", name)
            reason = f"this release failed on it: {type(error).__name__}: {error}"
            return refused(Code.CORRUPT, reason, delivery=delivery)
        entry = _entry(name, fingerprint, State.LIVE, delivery, runtime=model.session.runtime)
        return Ingested(entry=entry, delivery=delivery, model=model, size=size)

    def _no_artifact(self, delivery: Delivery) -> str:
        carried = ", ".join(
            each.format for each in delivery.metadata.artifacts if each.path is not None
        )
        runs = ", ".join(backend.format for backend in self.backends)
        omitted = [
            f" ({each.format} was left out: {each.omitted})"
            for each in delivery.metadata.artifacts
            if each.omitted is not None
        ]
        return f"it carries {carried}, this app runs {runs}" + "".join(omitted)


def _entry(
    name: str,
    fingerprint: str,
    state: State,
    delivery: Delivery | None,
    *,
    code: Code | None = None,
    reason: str | None = None,
    runtime: str | None = None,
) -> Entry:
    entry = Entry(delivery_id=name, state=state, fingerprint=fingerprint, code=code, reason=reason)
    if delivery is None:
        return entry
    return replace(
        entry,
        digest=delivery.digest,
        model_type=delivery.metadata.model_type,
        areas=tuple(delivery.metadata.areas),
        record=describe(delivery.metadata, runtime),
    )


def _size(delivery: Delivery, artifact: Artifact) -> int:
    files = artifact_files(delivery.manifest.files, str(artifact.path))
    return sum(each.size for each in files.values())


def _cannot_have(error: FairweatherError | OSError) -> LoadError:
    """Why what was proven cannot be loaded again."""
    if isinstance(error, FairweatherError) and not isinstance(error, IncompleteDeliveryError):
        return LoadError(Code.CORRUPT, "; ".join(error.problems))
    if isinstance(error, RemoteUnavailableError):
        return LoadError(Code.RUNTIME_UNAVAILABLE, str(error))
    why = error.strerror or error if isinstance(error, OSError) else error
    reason = f"its bytes cannot be read or copied at the moment ({why})"
    return LoadError(Code.RUNTIME_UNAVAILABLE, reason)
