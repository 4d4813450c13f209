"""The winter recipe, trained whole on the real year: the demonstration must keep its promises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fairweather_interface.applicability import check_start
from fairweather_interface.metadata import ONNX

from conftest import RECIPES, domain_verdict
from fairweather_research import train

if TYPE_CHECKING:
    from fairweather_interface.delivery import Delivery


@pytest.fixture(scope="module")
def winter(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    return train(RECIPES / "winter-predictor.yaml", tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def judgements(winter: Delivery) -> list[dict[str, Any]]:
    metrics = json.loads((winter.path / "card" / "metrics.json").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = metrics["judgements"]
    return found


def test_the_first_day_is_clearly_better_than_both_baselines(
    judgements: list[dict[str, Any]],
) -> None:
    for one in judgements:
        first = one["days"][0]
        better = min(first["persistence_mae"], first["climatology_mae"])
        assert first["mae"] < 0.85 * better, (one["area"], one["variable"])


def test_no_lead_day_is_worse_than_climatology(judgements: list[dict[str, Any]]) -> None:
    for one in judgements:
        assert [day["day"] for day in one["days"]] == list(range(1, 8))
        for day in one["days"]:
            assert day["mae"] <= 1.01 * day["climatology_mae"], (one["area"], day["day"])


def test_skill_is_above_zero_with_its_whole_interval(winter: Delivery) -> None:
    for one in winter.metadata.performance:
        assert one.skill_interval is not None
        assert one.skill_interval[0] > 0


def test_bands_of_eighty_percent_hold_about_that_on_every_lead_day(
    judgements: list[dict[str, Any]],
) -> None:
    for one in judgements:
        coverage = one["coverage"]
        assert coverage["declared"] == 0.8
        assert 0.75 < coverage["whole"]["inside"] < 0.85, (one["area"], one["variable"])
        for day in coverage["days"]:
            assert 0.7 < day["inside"] < 0.9, (one["area"], one["variable"], day["day"])
            low, high = day["below"]
            assert low < 0.2, (one["area"], one["variable"], day["day"])
            assert high > 0.8, (one["area"], one["variable"], day["day"])


def test_it_may_be_asked_at_the_end_of_its_year_and_has_onnx(winter: Delivery) -> None:
    metadata = winter.metadata
    with np.load(winter.path / "examples.npz") as examples:
        last = metadata.training.train_end_time.replace(month=12, day=30)
        for area in metadata.areas:
            assert check_start(metadata, area, last) is None
        for row, expected in enumerate(examples["expect"]):
            assert domain_verdict(metadata, examples, row, 3.0) == expected
    onnx = next(artifact for artifact in metadata.artifacts if artifact.format == ONNX)
    assert onnx.omitted is None
