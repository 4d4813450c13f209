"""The exceptions of this package.

::

    FairweatherError                    the root all three packages share
    └── ResearchError                   anything this package refuses to do
        ├── RecipeError                 the recipe cannot be used as it is written
        │   ├── UnfitDataError          the observations cannot carry what it asks for
        │   ├── PlanError               a plan, or a recipe that it makes, cannot be used
        │   └── NetworkError            the network it names does not keep what a network promises
        │       └── AbsentNetworkError  its code is not here, or cannot be imported
        ├── UnsupportedError            no live software supports what a recipe asks for
        ├── ObservationsError           a source of observations cannot be read
        ├── TrainingError               the training process failed
        ├── ReproduceError              a delivery cannot be rebuilt with what was given
        ├── PublishError                a delivery was not copied to a store
        ├── AppError                    a running app cannot be asked
        ├── SigningError                a delivery was not signed
        └── SigningKeyError             a key cannot be signed with

Every message says what was found, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairweather_interface.errors import FairweatherError, listed


class ResearchError(FairweatherError):
    """Base of all errors of this package."""


class RecipeError(ResearchError):
    """A recipe that cannot be used; ``source`` names the file, ``problems`` lists all problems."""

    _where = "in the recipe"

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source = source
        found = tuple(problems)
        head = f"{source}: {len(found)} problem{'s' if len(found) != 1 else ''} {self._where}"
        super().__init__(listed(head, found), problems=found)


class UnfitDataError(RecipeError):
    """The recipe is valid, but its observations hold too little data for it.

    ``source`` names the observations.
    """

    _where = "with these observations for this recipe"


class PlanError(RecipeError):
    """A plan that cannot be used; problems of its recipes name these recipes."""

    _where = "in the plan"


class UnsupportedError(ResearchError):
    """No live software supports what a recipe asks for; nothing was trained."""

    def __init__(self, problems: Iterable[str]) -> None:
        found = tuple(problems)
        super().__init__(listed("no live software supports this yet:", found), problems=found)


class ReproduceError(ResearchError):
    """A delivery that cannot be rebuilt with what was given; nothing was compared."""


class NetworkError(RecipeError):
    """The network that the recipe names cannot be imported, fails, or breaks a rule for networks.

    ``source`` names the network.
    """

    _where = "with this network"


class AbsentNetworkError(NetworkError):
    """The code of the network that the recipe names cannot be imported where it would train."""


class PublishError(ResearchError):
    """A delivery that was not copied to a store; nothing of it became visible there."""


class AppError(ResearchError):
    """A running app that cannot be asked; what was published stays."""


class SigningError(ResearchError):
    """A delivery that was not signed; what lies there as its signatures is as it was."""


class SigningKeyError(ResearchError):
    """A key that cannot be signed with; nothing was trained, copied or signed."""


class ObservationsError(ResearchError):
    """A source of observations that cannot be read; ``source`` names it."""

    def __init__(self, source: str, message: str) -> None:
        self.source = source
        super().__init__(f"{source}: {message}")


class TrainingError(ResearchError):
    """The training process ended without a result; nothing has been delivered."""
