"""The software manifest: what this release supports, as data."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata as packages

from fairweather_interface.definitions import VARIABLES
from fairweather_interface.software import SchemaRange, Software

from fairweather_app.models_backend import ModelsBackend
from fairweather_app.models_backend.runtime_model import ROLES
from fairweather_app.observations.windows import LONGEST_PERIOD, SHORTEST_SAMPLE_RATE

OLDEST_SCHEMA = "0.1"
NEWEST_SCHEMA = "1.0"
"""The newest metadata schema whose fields this release obeys.

The installed interface may be newer and read more; obeying a field is the app's work.
"""


def describe_software(backends: Sequence[ModelsBackend]) -> Software:
    """Return this release's software manifest, with the runtimes of this process."""
    return Software(
        name="fairweather-app",
        version=packages.version("fairweather-app"),
        readable_schemas=SchemaRange(oldest=OLDEST_SCHEMA, newest=NEWEST_SCHEMA),
        runtimes=tuple(backend.describe() for backend in backends),
        roles=ROLES,
        variables={name: variable.unit for name, variable in VARIABLES.items()},
        longest_period=LONGEST_PERIOD,
        shortest_sample_rate=SHORTEST_SAMPLE_RATE,
    )
