"""The schemas that tests name by their place: no test writes the newest one as a number.

A number in a test is a fact of history, such as the schema that brought a field.
"""

from __future__ import annotations

from fairweather_interface.history import STEPS
from fairweather_interface.versions import SCHEMA_VERSION, SchemaVersion

from fairweather_app.models_backend.software import NEWEST_SCHEMA

SO_FAR = (*STEPS, SCHEMA_VERSION)
"""Every schema there is, the oldest first."""
NEXT = f"{SchemaVersion.parse(NEWEST_SCHEMA).major}.98"
"""A newer minor, of which nothing is known here."""
NEXT_MAJOR = f"{SchemaVersion.parse(NEWEST_SCHEMA).major + 1}.0"
"""A newer major."""
