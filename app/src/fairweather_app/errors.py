"""The exception tree of the app.

::

    AppError
    ├── SettingsError               .problems     a setting is wrong; nothing starts
    ├── OverridesError              .path         the file of override_cities is wrong
    ├── ArchiveError                .path .problems   an observation file is wrong; nothing imported
    ├── ProviderError               .provider     a provider of observations cannot be used
    ├── StoreError                                the store of deliveries cannot be read
    ├── ObservationStoreError                     the observation database cannot be used
    ├── UnsuppliedInputError                      neither request nor observations can feed an input
    ├── LoadError                   .code         a delivery cannot be served by this release
    ├── PredictionError             .code         a runtime failed to run a model
    ├── DecisionError                             an operator's decision that was not taken
    ├── GivenUpError                              a model or the database took too long
    ├── RemoteUnavailableError                    a server that runs models cannot be reached
    └── RequestError                              a request that cannot be answered with a forecast
        ├── NotReadyError                         nothing is live, and the store is not known
        ├── InvalidRequestError     .problems     it is not a valid request
        ├── UnknownAreaError        .area .known  nobody knows the name
        ├── UnknownDeliveryError    .delivery_id
        └── NoApplicableModelError  .area .refused    every delivery refuses
            └── ObservationsMissingError              every candidate lacks observations
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from fairweather_interface.refusals import Code

from fairweather_app.refusals import Refusals, RefusedDelivery

RETRY_SECONDS = 5
"""When to ask again what failed because the observation database or the store did."""


class AppError(Exception):
    """Base of everything the app raises on purpose; its text is fit for an operator."""


class SettingsError(AppError):
    """One or more settings are wrong; `problems` names each, its value and what is expected."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class OverridesError(AppError):
    """The file named by ``FAIRWEATHER_OVERRIDES`` cannot be read or says what it cannot say."""

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
    """A provider of observations cannot be asked, or what it answers cannot be used."""

    def __init__(self, provider: str, problem: str) -> None:
        self.provider = provider
        super().__init__(f"nothing was fetched from {provider}: {problem}")


class ObservationStoreError(AppError):
    """The observation database cannot be opened, read or written."""


class StoreError(AppError):
    """The store of deliveries cannot be read."""


class LoadError(AppError):
    """A delivery cannot be served by this release; `code` is what it is refused with.

    ``runtime-unavailable`` where the delivery is sound and this release has nothing to run it
    with, else something is wrong with the delivery itself.
    """

    def __init__(self, code: Code, reason: str) -> None:
        self.code = code
        super().__init__(reason)


class UnsuppliedInputError(AppError):
    """An input that neither the request nor, ever, this release's own observations can feed."""


class PredictionError(AppError):
    """A runtime failed to run a model, or to load it again; `code` is what it is refused with.

    The model's own failure, unless it is said to be the runtime's.
    """

    def __init__(self, reason: str, *, code: Code = Code.INVALID_OUTPUT) -> None:
        self.code = code
        super().__init__(reason)


class DecisionError(AppError):
    """A withdrawal or a pin that was not taken; its text says what to do."""


class GivenUpError(AppError):
    """Something did not answer within its time limit, now or a moment ago."""


class RemoteUnavailableError(AppError, OSError):
    """A server that runs models elsewhere cannot be reached, or not yet: worth trying again."""


class RequestError(AppError):
    """A request that cannot be answered with what it asks for."""


class NotReadyError(RequestError):
    """Nothing is live, and the store has not been looked at or cannot be read; its text says so."""


class InvalidRequestError(RequestError):
    """The request itself is wrong; `problems` lists everything that is.

    `status` is the HTTP status: 400 when it cannot even be read, 422 when it says what cannot be.
    """

    def __init__(self, problems: Sequence[str], *, status: Literal[400, 422] = 422) -> None:
        self.problems = tuple(problems)
        self.status = status
        super().__init__("; ".join(self.problems))


class UnknownAreaError(RequestError):
    """No delivery, definition or observation knows the area; `known` lists the names there are."""

    def __init__(self, area: str, *, known: Sequence[str]) -> None:
        self.area = area
        self.known = tuple(known)
        super().__init__(
            f"nobody knows the area {area!r}; the areas there are: "
            f"{', '.join(self.known) or 'none'}"
        )


class UnknownDeliveryError(RequestError):
    """No delivery of this id is in the catalogue."""

    def __init__(self, delivery_id: str) -> None:
        self.delivery_id = delivery_id
        super().__init__(f"no delivery {delivery_id!r} is known; /models lists those that are")


class NoApplicableModelError(RequestError):
    """Every delivery refuses; `refused` says why, those that declare the area first."""

    def __init__(self, area: str, *, refused: Sequence[RefusedDelivery]) -> None:
        self.area = area
        self.refused = refused if isinstance(refused, Refusals) else Refusals(refused)
        super().__init__(self._sentence())

    @property
    def refused_counts(self) -> dict[str, int]:
        """How many deliveries refuse with each code."""
        return self.refused.counts

    def _sentence(self) -> str:
        if not self.refused:
            return f"no model can answer for {self.area}: no delivery is in the catalogue yet"
        counts = ", ".join(f"{count} with {code}" for code, count in self.refused_counts.items())
        return f"no model may answer for {self.area}; refused: {counts}"


class ObservationsMissingError(NoApplicableModelError):
    """Models declare the area, but each of them lacks observations to start from."""

    def _sentence(self) -> str:
        lacking = (each.reason for each in self.refused if each.code == "observations-missing")
        return f"observations for {self.area} are missing: {next(lacking)}"
