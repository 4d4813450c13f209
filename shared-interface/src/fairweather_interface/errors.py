"""What can be wrong, as one tree.

::

    FairweatherError
    ├── DurationError                 "30 dayz" is not a duration
    ├── DefinitionsError              a definitions file cannot be used
    ├── SoftwareError                 a software manifest cannot be used
    ├── ArchiveError                  an archive of observations cannot be used
    ├── MetadataError                 metadata.json breaks the contract
    │   ├── UnsupportedSchemaError    ... because its schema is too new for this reader
    │   └── NotExpressibleError       ... or an older schema has no words for it
    └── DeliveryError                 a delivery cannot be used
        ├── IncompleteDeliveryError   there is no manifest: it is not there yet
        └── CorruptDeliveryError      its bytes are not what the manifest promises

Every message names what was found, what was expected and what to do; ``problems`` holds them
one by one, so that a caller can show all at once.
"""

from __future__ import annotations

import copyreg
import reprlib
from pathlib import Path
from typing import Any

_repr = reprlib.Repr()
_repr.maxlevel, _repr.maxstring, _repr.maxother, _repr.maxlong = 3, 80, 80, 80


class FairweatherError(Exception):
    """The base of everything this package raises on purpose.

    Attributes:
        problems: every problem found, each a whole sentence; never empty.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)

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


def listed(headline: str, problems: tuple[str, ...]) -> str:
    """Return ``headline`` with every problem on a line of its own.

    >>> print(listed("2 problems in a.yaml:", ("no areas", "no inputs")))
    2 problems in a.yaml:
      - no areas
      - no inputs
    """
    return "\n".join([headline, *(f"  - {problem}" for problem in problems)])
