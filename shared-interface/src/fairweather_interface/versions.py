"""Schema versions and who may read what.

The version of the *schema* moves when the contract does; it is not the version of this
package, nor of any other. A reader looks at two top-level strings before anything else, and
these two keep their names and meaning for ever:

``schema_version``
    the schema the document was written in.
``min_reader``
    the oldest schema whose readers understand everything the document demands of them.

The policy, for a reader that obeys schemas up to ``reader``:

* a ``min_reader`` above the document's own schema, or of another major: a mistake;
* a newer major: refused;
* ``min_reader`` above ``reader``: refused;
* everything else is read: older documents are upgraded, newer ones keep what is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import total_ordering

from packaging.version import InvalidVersion, Version

from fairweather_interface.errors import MetadataError, UnsupportedSchemaError, short

SCHEMA_VERSION = "1.0"
"""The newest schema this package reads and the one it writes."""

SCHEMA_VERSION_PATTERN = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$"
_LONGEST = 20


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class SchemaVersion:
    """A schema version: two whole numbers, ordered as numbers (0.10 comes after 0.9).

    It compares with its like and with `packaging.version.Version`; with anything else it has no
    order and is not equal.

    >>> SchemaVersion(0, 10) > Version("0.9")
    True
    """

    major: int
    minor: int

    @classmethod
    def parse(cls, text: object) -> SchemaVersion:
        """Return the version a text such as ``"0.1"`` names.

        Nothing but that form is taken: no ``v``, no third number, no surrounding space, and no
        number in place of the text (YAML and JSON read an unquoted 0.10 as 0.1).

        Raises:
            MetadataError: the value is anything else.
        """
        fits = isinstance(text, str) and len(text) <= _LONGEST
        match = re.fullmatch(SCHEMA_VERSION_PATTERN, str(text)) if fits else None
        if match is None:
            raise MetadataError(
                f"found schema version {short(text)}, expected a string of two whole numbers such "
                f'as "{SCHEMA_VERSION}": write it in quotes, without prefix, suffix or third number'
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SchemaVersion):
            return (self.major, self.minor) == (other.major, other.minor)
        return Version(str(self)) == other

    def __lt__(self, other: object) -> bool:
        if isinstance(other, SchemaVersion):
            return (self.major, self.minor) < (other.major, other.minor)
        return Version(str(self)) < other if isinstance(other, Version) else _refuse(self, other)

    def __hash__(self) -> int:
        return hash(Version(str(self)))


class SchemaText(str):
    """A schema version as the text that stands in a document: it equals texts and has no order.

    As texts, "0.10" would come before "0.9".
    """

    __slots__ = ()

    def _refused(self, other: object) -> bool:
        return _refuse(self, other)

    __lt__ = __le__ = __gt__ = __ge__ = _refused


def _refuse(found: object, other: object) -> bool:
    """Raise the error for a schema version that is compared with something else."""
    raise TypeError(
        f"found the schema version {found} compared with {short(other)}, expected two versions: "
        "compare metadata.schema, such as metadata.schema >= Version('0.3'), or ask whether a "
        "model can() do what you need"
    )


def known_version(text: str) -> str:
    """Return ``text`` when it is the version of a package, as PEP 440 has it.

    Raises:
        ValueError: it is not.
    """
    try:
        Version(text)
    except InvalidVersion:
        raise ValueError(f"found {text!r}, expected a version such as '2.21.0'") from None
    return text


def check_readable(document: Mapping[str, object], *, reader: str) -> SchemaVersion:
    """Return the document's schema version if a reader that obeys ``reader`` may read it.

    No reader obeys more than this package knows: a newer ``reader`` counts as ``SCHEMA_VERSION``.
    Only the envelope is looked at, so that a document from the future gets an answer whatever
    else it holds.

    Raises:
        MetadataError: the envelope is missing or malformed.
        UnsupportedSchemaError: the policy above refuses the document; the message names what
            was found, what is supported and the remedy.
    """
    versions = []
    for field in ("schema_version", "min_reader"):
        if field not in document:
            raise MetadataError(
                f"{field}: not found; metadata of every schema starts with it, so this is not "
                "metadata of a delivery"
            )
        try:
            versions.append(SchemaVersion.parse(document[field]))
        except MetadataError as error:
            raise MetadataError(f"{field}: {error}") from None
    schema, min_reader = versions
    ours = min(SchemaVersion.parse(reader), SchemaVersion.parse(SCHEMA_VERSION))
    of_its_own = min_reader <= schema and min_reader.major == schema.major
    if schema.major <= ours.major and not of_its_own:
        raise MetadataError(
            f"min_reader: found {min_reader} of a document of schema {schema}, expected "
            f"{schema.major}.0 to {schema}: a document never needs more than the schema it is "
            "written in, and no reader of an older major reads it"
        )
    if schema.major > ours.major or min_reader > ours:
        needed = min_reader if schema.major == ours.major else schema
        raise UnsupportedSchemaError(
            f"found metadata of schema {schema} that needs a reader of schema {needed}, supported "
            f"here: up to {ours}; upgrade this software to a release that reads schema {needed}, "
            f"or have the model delivered again in schema {ours}",
            found=str(needed),
            supported=str(ours),
        )
    return schema
