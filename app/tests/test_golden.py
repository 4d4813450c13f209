"""What released producers delivered, kept for ever: served by this release, or refused as it must.

The folders are named in ``pyproject.toml``; twins from the next minor and the next major are there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from fairweather_interface.examples import EXAMPLES, SERVE
from fairweather_interface.refusals import Code
from fairweather_interface.versions import SchemaVersion
from flask import Flask

from answers import refused_with
from catalogues import Ingest
from fairweather_app.common.times import write_time
from fairweather_app.forecasting.release_check import find_regression
from fairweather_app.models_backend.software import NEWEST_SCHEMA


def is_of_a_later_major(delivery: Path) -> bool:
    schema: str = json.loads((delivery / "metadata.json").read_text())["schema_version"]
    return SchemaVersion.parse(schema).major > SchemaVersion.parse(NEWEST_SCHEMA).major


def test_a_golden_delivery_is_lost_only_where_its_major_is_a_later_one(
    ingest: Ingest, golden_delivery: Path
) -> None:
    found = ingest(golden_delivery)
    if is_of_a_later_major(golden_delivery):
        refused_with(found, "refused", Code.SCHEMA_TOO_NEW, f"up to {NEWEST_SCHEMA}", "upgrade")
    else:
        assert find_regression(found) is None


def test_a_golden_delivery_answers_with_what_its_trainer_computed_or_is_shown_as_refused(
    make_app: Callable[..., Flask], golden_delivery: Path
) -> None:
    client = make_app().test_client()
    if is_of_a_later_major(golden_delivery):
        shown = client.get(f"/models/{golden_delivery.name}").json
        assert shown is not None
        assert (shown["state"], shown["code"]) == ("refused", "schema-too-new")
        return
    metadata = json.loads((golden_delivery / "metadata.json").read_text())
    with np.load(golden_delivery / EXAMPLES) as file:
        examples = {name: file[name] for name in file.files}
    row = int(np.flatnonzero(examples["expect"] == SERVE)[0])
    windows = {
        each["name"]: [
            None if np.isnan(value) else float(value)
            for value in examples[f"input/{each['name']}"][row]
        ]
        for each in metadata["inputs"]
        if each["role"] == "observations"
    }
    start = datetime.fromtimestamp(int(examples["reference_time"][row]), UTC)
    asked = {
        "area": str(examples["area"][row]),
        "reference_time": write_time(start),
        "observations": windows,
    }
    answer = client.post("/weather/predict", json=asked).json
    assert answer is not None
    assert answer["receipt"]["delivery_id"] == golden_delivery.name
    for output in metadata["outputs"]:
        expected = examples[f"output/{output['name']}"][row]
        tolerance = metadata["tolerance"][output["name"]]
        assert answer["forecast"][output["variable"]]["value"] == pytest.approx(
            expected.tolist(), abs=tolerance["absolute"], rel=tolerance["relative"]
        )
