"""The schemas before the newest, each with its step to the one after it, over plain JSON data.

A step moves meaning and nothing else: ``schema_version`` and ``min_reader`` stay what they are,
so that a document never claims to have been written in a schema it was not. Each module is
frozen with the release that brings the newer schema; its docstring is its line in the changelog.
The laws of a step inside a major:

* ``downgrade(upgrade(d)) == d`` for every document of the older schema;
* ``upgrade(downgrade(d)) == d`` for every document of the newer one that it does not refuse;
* a downgrade keeps what readers of the older schema may ignore, and refuses what they would
  have to obey and would not see.

Across a major the words change and the meaning stays: ``upgrade(downgrade(upgrade(d))) ==
upgrade(d)`` for every document of the older schema, though it may come back with a bound said in
two forms or in the tighter one; and ``upgrade(downgrade(d)) == d``, where an absent list may come
back empty. A downgrade refuses also what lacks a field that the older schema asks for.

No step changes what it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from fairweather_interface.errors import NotExpressibleError, listed
from fairweather_interface.history import v0_1, v0_2, v0_3, v0_4
from fairweather_interface.versions import SchemaVersion

Document = dict[str, Any]


class Step(Protocol):
    """One older schema: how its documents become those of the next one, and back."""

    def upgrade(self, document: Document, /) -> Document:
        """Return the document in the words of the next schema."""

    def downgrade(self, document: Document, /) -> Document:
        """Return a document of the next schema in the words of this one."""


STEPS: Mapping[str, Step] = {"0.1": v0_1, "0.2": v0_2, "0.3": v0_3, "0.4": v0_4}
"""Every schema before the newest with its step to the next one, oldest first."""


def upgrade(document: Document, *, schema: str) -> Document:
    """Return a document written in ``schema`` in the words of the newest one.

    The very same object is returned where nothing changes.
    """
    for version, step in STEPS.items():
        if SchemaVersion.parse(version) >= SchemaVersion.parse(schema):
            document = step.upgrade(document)
    return document


def downgrade(document: Document, *, schema: str) -> Document:
    """Return a document of the newest schema in the words of ``schema``.

    Raises:
        NotExpressibleError: readers of ``schema`` would have to obey what it has no words for;
            ``problems`` names all of it, of every step on the way.
    """
    problems: list[str] = []
    for version, step in reversed(tuple(STEPS.items())):
        if SchemaVersion.parse(version) >= SchemaVersion.parse(schema):
            try:
                document = step.downgrade(document)
            except NotExpressibleError as error:
                problems += error.problems
    if problems:
        raise not_expressible(schema, tuple(problems))
    return document


def uncarried(document: Document, *, schema: str = "0.1") -> Document:
    """Return the document without what fields older than ``schema`` brought say as well.

    By default without everything that an older field carries: what is left decides who may read.
    """
    older = SchemaVersion.parse(schema) < SchemaVersion.parse("0.3")
    return v0_2.uncarried(document) if older else document


def not_expressible(schema: str, lost: tuple[str, ...]) -> NotExpressibleError:
    """Return the error that names every meaning which ``schema`` cannot carry."""
    return NotExpressibleError(
        listed(
            f"found what schema {schema} cannot say; write a newer schema, or leave it out:", lost
        ),
        problems=lost,
    )
