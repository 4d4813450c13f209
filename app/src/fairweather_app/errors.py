"""The exception tree of the app.

::

    AppError
    ├── SettingsError               .problems     a setting is wrong; nothing starts
    ├── OverridesError              .path         the file of override_cities is wrong
    ├── ArchiveError                .path .problems   an observation file is wrong; nothing imported
    ├── ProviderError               .provider     a provider of observations cannot be used
    ├── StoreError                                the store of deliveries cannot be read
    ├── ObservationStoreError                     the observation database cannot be used
    │   └── ReadOnlyError                         or can be read alone
    ├── UnsuppliedInputError                      neither request nor observations have an input
    ├── LoadError                   .code         a delivery cannot be served by this release
    ├── PredictionError             .code         a runtime failed to run a model
    ├── DecisionError                             a withdrawal or a pin that was not stored
    ├── GivenUpError                              a model or the database took too long
    ├── RemoteUnavailableError                    a server that runs models cannot be reached
    │   └── PendingTestError                      the test of a delivery has not ended yet
    └── RequestError                              no forecast for a request
        ├── NotReadyError                         nothing is live, and the store is not known
        ├── InvalidRequestError     .problems     it is not a valid request
        ├── UnknownAreaError        .area .known  no delivery, definition or observation has it
        ├── UnknownDeliveryError    .delivery_id
        └── NoApplicableModelError  .area .refused    every delivery refuses
            └── AwaitingObservationsError .retry_after  waiting for observations helps
                ├── ObservationsMissingError            every candidate lacks some
                └── ObservationsStaleError              or has only old ones
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from fairweather_interface.refusals import Code

from fairweather_app.refusals import Refusals, RefusedDelivery
from fairweather_app.text import LONGEST_ERROR, LONGEST_SENTENCE, bounded, cut, join_some, mask

RETRY_SECONDS = 5
"""When a request may be repeated that failed because of the database or the store."""


class AppError(Exception):
    """Base of all that the app raises on purpose: fit for an operator, cut, no secret in it."""

    def __init__(self, text: str = "") -> None:
        super().__init__(mask(cut(text, LONGEST_ERROR)))


class SettingsError(AppError):
    """One or more settings are wrong; `problems` names each, its value and what is expected."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class OverridesError(AppError):
    """The file named by ``FAIRWEATHER_OVERRIDES`` cannot be read or is wrong."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class ArchiveError(AppError):
    """A file of observations was not imported; `problems` lists everything that is wrong in it."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__(f"{path}: " + "; ".join(self.problems))


class ProviderError(AppError):
    """A provider of observations cannot be reached, or its response cannot be used."""

    def __init__(self, provider: str, problem: str) -> None:
        self.provider = provider
        super().__init__(f"nothing was fetched from {provider}: {problem}")


class ObservationStoreError(AppError):
    """The observation database cannot be opened, read or written."""


class ReadOnlyError(ObservationStoreError):
    """The observation database may be read and not be written: nothing can be kept in it."""


class StoreError(AppError):
    """The store of deliveries cannot be read."""


class LoadError(AppError):
    """This release cannot serve a delivery; it is refused with `code`.

    ``runtime-unavailable`` where the delivery is sound and this release cannot run it, else
    something is wrong with the delivery itself.
    """

    def __init__(self, code: Code, reason: str) -> None:
        self.code = code
        super().__init__(cut(reason, LONGEST_SENTENCE))


class UnsuppliedInputError(AppError):
    """Neither the request nor, ever, this release's own observations have an input."""


class PredictionError(AppError):
    """A runtime failed to run a model, or to load it again; the model is refused with `code`."""

    def __init__(self, reason: str, *, code: Code = Code.INVALID_OUTPUT) -> None:
        self.code = code
        super().__init__(cut(reason, LONGEST_SENTENCE))


class DecisionError(AppError):
    """A withdrawal or a pin was not stored; the text names the remedy."""


class GivenUpError(AppError):
    """Something did not answer within its time limit, now or a moment ago."""


class RemoteUnavailableError(AppError, OSError):
    """A server that runs models cannot be reached, or not yet: worth another attempt."""


class PendingTestError(RemoteUnavailableError):
    """The acceptance test of a delivery has not ended yet, here or in another process."""


class RequestError(AppError):
    """A request has no forecast for an answer."""


class NotReadyError(RequestError):
    """Nothing is live, and the store has not been scanned or cannot be read."""


class InvalidRequestError(RequestError):
    """The request is wrong; `problems` lists the first of everything, and counts the others.

    `status` is the HTTP status: 400 when it cannot even be parsed, 422 when a value is wrong.
    """

    def __init__(self, problems: Sequence[str], *, status: Literal[400, 422] = 422) -> None:
        self.problems = bounded(problems)
        self.status = status
        super().__init__("; ".join(self.problems))


class UnknownAreaError(RequestError):
    """No delivery, definition or observation has the area; `known` lists the areas there are."""

    def __init__(self, area: str, *, known: Sequence[str]) -> None:
        self.area = area
        self.known = tuple(known)
        super().__init__(f"Unknown area {cut(area)!r}. Known areas: {join_some(known) or 'none'}.")


class UnknownDeliveryError(RequestError):
    """No delivery of this id is in the catalogue."""

    def __init__(self, delivery_id: str) -> None:
        self.delivery_id = delivery_id
        name = cut(delivery_id)
        super().__init__(f"Unknown delivery {name!r}. The known ones are listed at /models.")


class NoApplicableModelError(RequestError):
    """Every delivery refuses; `refused` has the reasons, of those that declare the area first."""

    def __init__(self, area: str, *, refused: Sequence[RefusedDelivery]) -> None:
        self.area = area
        self.refused = refused if isinstance(refused, Refusals) else Refusals(refused)
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        if not self.refused:
            return f"No model covers {self.area}: the store holds no delivery yet."
        counts = self.refused.counts
        codes = [f"{count} {code}" if len(counts) > 1 else code for code, count in counts.items()]
        what = "covers" if set(counts) == {Code.AREA_NOT_DECLARED} else "can be used for"
        return f"No model {what} {self.area} ({len(self.refused)} refused: {', '.join(codes)})."


class AwaitingObservationsError(NoApplicableModelError):
    """Every model that could answer at this time of the year waits for observations.

    `retry_after` is when the next of them is due, in seconds from now.
    """

    code: ClassVar[Code]
    what: ClassVar[str]

    def __init__(self, area: str, *, refused: Sequence[RefusedDelivery], retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(area, refused=refused)

    def _sentence(self) -> str:
        reason = next(each.reason for each in self.refused if each.code == self.code)
        return f"{self.what.format(area=self.area)}: {reason}."


class ObservationsMissingError(AwaitingObservationsError):
    """Each of them lacks observations to start from."""

    code = Code.OBSERVATIONS_MISSING
    what = "Observations for {area} are missing"


class ObservationsStaleError(AwaitingObservationsError):
    """Each of them lacks observations to start from, or has only such as are too old for it."""

    code = Code.OBSERVATIONS_STALE
    what = "The newest observations for {area} are too old"
