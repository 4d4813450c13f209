"""What can be wrong, as one tree.

::

    FairweatherError
    ├── DurationError                 "30 dayz" is not a duration
    ├── DefinitionsError              a definitions file cannot be used
    ├── SoftwareError                 a software manifest cannot be used
    ├── ArchiveError                  an archive of observations cannot be used
    ├── PackError                     a model cannot be packed into a delivery
    ├── MetadataError                 metadata.json breaks the contract
    │   ├── UnsupportedSchemaError    ... because its schema is too new for this reader
    │   └── NotExpressibleError       ... or an older schema has no words for it
    ├── EnvelopeError                 manifest.dsse.json is no envelope of signatures
    └── DeliveryError                 a delivery cannot be used
        ├── IncompleteDeliveryError   there is no manifest: it is not there yet
        └── CorruptDeliveryError      its bytes are not what the manifest promises

Every message names what was found, what was expected and what to do; ``problems`` holds them
one by one, so that a caller can show all at once.
"""

from __future__ import annotations

import copyreg
import reprlib
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

_MOST_PROBLEMS = 20
_LONGEST = 2000  # characters of one problem
_LONGEST_MESSAGE = _LONGEST * (_MOST_PROBLEMS + 2)
_repr = reprlib.Repr()
_repr.maxlevel, _repr.maxstring, _repr.maxother, _repr.maxlong = 3, 80, 80, 80


class FairweatherError(Exception):
    """The base of everything this package raises on purpose.

    Attributes:
        problems: the problems found, each a whole sentence; never empty. Of more than 20 the
            first ones, and how many more there are; of a long one its two ends.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...] = ()) -> None:
        super().__init__(_cut(message, _LONGEST_MESSAGE))
        self.problems = _bounded(problems or (message,))

    def __reduce__(self) -> tuple[Any, ...]:
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]  # crosses processes whole


class DurationError(FairweatherError, ValueError):
    """A text that should be a duration such as ``30 days`` is not one."""


class DefinitionsError(FairweatherError):
    """A definitions file is missing, is not YAML or holds something we cannot use."""


class SoftwareError(FairweatherError):
    """A software manifest is not one."""


class ArchiveError(FairweatherError):
    """An archive of observations holds something we cannot use."""


class PackError(FairweatherError):
    """A model, its description and its examples make no delivery."""


class MetadataError(FairweatherError):
    """Metadata breaks the contract."""


class UnsupportedSchemaError(MetadataError):
    """Metadata has a schema that this reader must not read.

    Attributes:
        found: the schema version the metadata needs a reader to know.
        supported: the newest schema version the reader obeys.
    """

    def __init__(self, message: str, *, found: str, supported: str) -> None:
        super().__init__(message)
        self.found = found
        self.supported = supported


class NotExpressibleError(MetadataError):
    """Metadata declares what an older schema cannot; ``problems`` names every lost meaning."""


class EnvelopeError(FairweatherError):
    """What lies beside a manifest as its signatures is no envelope."""


class DeliveryError(FairweatherError):
    """A delivery cannot be used.

    Attributes:
        path: the delivery's folder.
    """

    def __init__(self, message: str, *, path: Path, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, problems=problems)
        self.path = path


class IncompleteDeliveryError(DeliveryError):
    """The folder has no manifest: its writer has not finished, or never will."""


class CorruptDeliveryError(DeliveryError):
    """The folder's bytes, layout or metadata disagree with each other."""


def short(value: object) -> str:
    """Return the representation of a found value, cut so that a message stays readable."""
    try:
        text = _repr.repr(value)
    except ValueError:  # Python does not write numbers of more than 4300 digits
        text = "a number too long to write"
    return text if len(text) <= 100 else f"{text[:97]}..."  # noqa: PLR2004 - a line


def in_words(names: Iterable[object], most: int = 20) -> str:
    """Return names with commas between them; of very many the first ones and the number of all.

    >>> in_words(["Hebron", "Jerusalem", "Safed"], 2)
    'Hebron, Jerusalem and 1 more'
    """
    every = iter(names)
    shown = ", ".join(_cut(str(name), 100) for name in islice(every, most))
    more = sum(1 for _ in every)
    return f"{shown} and {more} more" if more else shown


def _cut(text: str, longest: int) -> str:
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


def _bounded(problems: Sequence[str]) -> tuple[str, ...]:
    shown = tuple(_cut(problem, _LONGEST) for problem in problems[: _MOST_PROBLEMS + 1])
    if len(problems) == len(shown):  # also what was bounded before
        return shown
    return (*shown[:-1], f"and {len(problems) - _MOST_PROBLEMS} more")


def listed(headline: str, problems: tuple[str, ...]) -> str:
    """Return ``headline`` with every problem on a line of its own, of very many the first ones.

    >>> print(listed("2 problems in a.yaml:", ("no areas", "no inputs")))
    2 problems in a.yaml:
      - no areas
      - no inputs
    """
    return "\n".join([headline, *(f"  - {problem}" for problem in _bounded(problems))])
