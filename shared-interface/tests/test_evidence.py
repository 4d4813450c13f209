"""What a model gives in evidence: how good each day is, and how good when observations are late."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from conftest import as_json, full_document
from fairweather_interface import create_metadata, dump_metadata, read_metadata
from fairweather_interface.errors import NotExpressibleError
from fairweather_interface.metadata import (
    AgeScore,
    DayScore,
    Performance,
    Score,
    derive_min_reader,
    newer_meanings,
)
from schemas import LAST_MAJOR, OWN

_HOUR = timedelta(hours=1)


def _performance() -> Performance:
    return read_metadata(as_json(full_document())).performance[0]


def test_a_day_and_an_age_have_the_skill_of_the_better_baseline() -> None:
    performance = _performance()
    assert performance.by_lead_day is not None
    assert performance.by_age is not None
    assert [row.day for row in performance.by_lead_day] == [1, 2]
    assert [row.skill for row in performance.by_lead_day] == pytest.approx([0.34, 0.1])
    assert [row.age for row in performance.by_age] == [3 * _HOUR, 6 * _HOUR]
    assert [row.skill for row in performance.by_age] == pytest.approx([0.2, 0.05])
    assert performance.by_lead_day[0].baselines == {"persistence": 3.0, "climatology": 2.0}
    assert performance.by_lead_day[0].coverage == 0.8


def test_on_each_day_the_baseline_that_is_better_there_is_the_one_to_beat() -> None:
    near = Score(mae=1.0, baselines={"persistence": 2.0, "climatology": 4.0})
    far = Score(mae=1.0, baselines={"persistence": 5.0, "climatology": 4.0})
    assert (near.skill, far.skill) == (0.5, 0.75)
    assert Score(mae=3.0, baselines={"persistence": 2.0}).skill == -0.5
    assert Score(mae=1.0, baselines={"climatology": 0.0}).skill is None


def test_a_writer_hands_over_records_and_a_reader_gets_them_back(fields: dict[str, Any]) -> None:
    baselines = {"persistence": 2.88, "climatology": 2.99}
    days = (DayScore(day=1, mae=1.86, baselines=baselines, coverage=0.8),)
    ages = (AgeScore(age=24 * _HOUR, mae=3.27, baselines=baselines, coverage=0.53),)
    (row,) = fields["performance"]
    row = row.model_copy(update={"by_lead_day": days, "by_age": ages})
    metadata = create_metadata(**fields | {"performance": (row,)})
    assert metadata.performance == (row,)
    assert metadata.min_reader == OWN
    (written,) = json.loads(dump_metadata(metadata))["performance"]
    assert written["by_age"] == [
        {"mae": 3.27, "baselines": baselines, "coverage": 0.53, "age": "P1D"}
    ]
    assert newer_meanings(metadata, "0.3") == (
        "performance[].by_age", "performance[].by_lead_day",
    )  # fmt: skip


def test_readers_of_older_schemas_read_all_that_they_may_ignore() -> None:
    document = full_document(schema=LAST_MAJOR)
    assert derive_min_reader(document, schema=LAST_MAJOR) == "0.1"
    newest = read_metadata(as_json(document))
    for reader in ("0.1", "0.2", "0.3", "0.4"):
        assert read_metadata(as_json(document), reader=reader) == newest
    lost = (
        "contact", "intended_use", "licence", "limitations", "performance[].by_age",
        "performance[].by_lead_day", "variables",
    )  # fmt: skip
    assert newer_meanings(newest, "0.3") == lost
    with pytest.raises(NotExpressibleError) as caught:
        dump_metadata(newest, schema="0.3")
    told = tuple(
        problem.partition(": schema 0.3 has no such")[0] for problem in caught.value.problems
    )
    assert told == lost
