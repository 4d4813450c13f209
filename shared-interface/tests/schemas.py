"""The schemas that tests speak of by their place: no test writes the newest one as a number.

A number in a test is a fact of history, such as the schema that brought a field; it stays when the
schema is raised.
"""

from __future__ import annotations

from fairweather_interface.versions import SCHEMA_VERSION, SchemaVersion

NEWEST = SCHEMA_VERSION
LAST_MAJOR = "0.4"
"""The newest schema of the major before."""
OWN = f"{SchemaVersion.parse(NEWEST).major}.0"
"""The first schema of this major: what a reader of it needs who obeys nothing newer."""
NEXT = f"{SchemaVersion.parse(NEWEST).major}.98"
"""A newer minor, of which nothing is known here."""
NEXT_MAJOR = f"{SchemaVersion.parse(NEWEST).major + 1}.0"
"""A newer major."""
