"""What Schemathesis is told beside the document: which times there are, and what to count."""

# ruff: noqa: INP001 - Schemathesis loads it as a module of its own

from __future__ import annotations

import atexit
import json
import os
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies as st

COUNTS = Path(os.environ["API_COUNTS"])
ZONES = ("Z", "+00:00", "-05:00", "+05:30")

_counted: dict[str, Counter[str]] = defaultdict(Counter)

# the app reads whole seconds from 1900 to 2200, as the document says in words
_times = st.builds(
    lambda seconds, zone: f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{zone}",
    st.integers(-2_000_000_000, 7_000_000_000),
    st.sampled_from(ZONES),
)
schemathesis.openapi.format("date-time", _times)


@schemathesis.hook
def before_add_examples(context: Any, examples: list[Any]) -> None:  # noqa: ANN401 - Schemathesis' own
    """Forecasts from observations take windows as long as a model declares: a few that are."""
    operation = context.operation
    if operation.label == "POST /weather/predict":
        bodies = json.loads(os.environ["API_BODIES"])
        examples += [operation.Case(body=body, media_type="application/json") for body in bodies]


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:  # noqa: ANN401 - Schemathesis' own
    """Count a case by what was answered."""
    _counted[case.operation.label][f"{response.status_code // 100}xx"] += 1


@atexit.register
def _write() -> None:
    COUNTS.write_text(json.dumps(_counted), encoding="utf-8")
