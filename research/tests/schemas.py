"""Schemas by what they are: a test that names a number breaks with every new one."""

from __future__ import annotations

from fairweather_interface.metadata import WRITTEN_SCHEMAS
from fairweather_interface.versions import SCHEMA_VERSION

NEWEST = SCHEMA_VERSION
WRITTEN = ", ".join(WRITTEN_SCHEMAS)
