"""The comparison of networks says what was found, and what misses a target."""

from __future__ import annotations

import importlib.util
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fairweather_research import load_recipe
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.evaluation.scores import BASELINES, Baseline

SKILL = Path(__file__).parents[1] / "checks" / "skill"


@pytest.fixture(scope="module")
def table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("skill_table", SKILL / "table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def judgement(variable: str, unit: str) -> dict[str, Any]:
    days = [
        {"day": 1, "mae": 1.0, "persistence_mae": 2.0, "climatology_mae": 3.0, "skill": 0.5},
        {"day": 2, "mae": 3.02, "persistence_mae": 4.0, "climatology_mae": 3.0, "skill": -0.0067},
    ]
    held = [{"day": 1, "inside": 0.79}, {"day": 2, "inside": 0.85}]
    return {
        "area": "JFK",
        "variable": variable,
        "unit": unit,
        "days": days,
        "coverage": {"days": held},
    }


@pytest.fixture
def run() -> dict[str, Any]:
    return {
        "place": "new-york",
        "network": "blend",
        "step_minutes": 60.0,
        "held_out": ["2013-01-01 to 2013-01-12"],
        "fit_seconds": 12.4,
        "judgements": [judgement("temperature", "degC"), judgement("humidity", "%")],
    }


def test_every_error_stands_beside_its_baselines_with_its_skill(
    table: ModuleType, run: dict[str, Any]
) -> None:
    other = deepcopy(run) | {"network": "mine:build"}
    lines = table.tables([run, other])
    assert lines[0] == "new-york, steps of 60 minutes; held out: 2013-01-01 to 2013-01-12"
    assert "| JFK temperature °C | climatology | 3.00 | 3.00 |" in lines
    assert "|  | persistence | 2.00 | 4.00 |" in lines
    assert "|  | blend | 1.00 (50 %) | 3.02 (-1 %) |" in lines
    assert lines.count("|  | mine:build | 1.00 (50 %) | 3.02 (-1 %) |") == 2
    assert "| blend, 12 s | JFK temperature | 79 | 85 |" in lines


def test_a_baseline_more_has_its_row(
    table: ModuleType, run: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BASELINES, "guess", Baseline("a guess", "", WindowSet.targets))
    for one in run["judgements"]:
        for day in one["days"]:
            day["guess_mae"] = 1.25
    lines = table.tables([run])
    assert "| JFK temperature °C | guess | 1.25 | 1.25 |" in lines


def test_what_reaches_every_target_misses_none(table: ModuleType, run: dict[str, Any]) -> None:
    assert table.targets([run]) == []


@pytest.mark.parametrize(
    ("day", "skill", "told"),
    [
        (0, 0.295, "JFK temperature, day 1: found skill 0.295, expected at least 0.30"),
        (1, -0.013, "JFK temperature, day 2: found skill -0.013, expected at least -0.01"),
    ],
)
def test_a_skill_that_is_too_small_is_told(
    table: ModuleType, run: dict[str, Any], day: int, skill: float, told: str
) -> None:
    run["judgements"][0]["days"][day]["skill"] = skill
    assert table.targets([run]) == [f"blend: {told}"]


@pytest.mark.parametrize("inside", [0.74, 0.86])
def test_a_band_that_holds_too_little_or_too_much_is_told(
    table: ModuleType, run: dict[str, Any], inside: float
) -> None:
    run["judgements"][1]["coverage"]["days"][1]["inside"] = inside
    (told,) = table.targets([run])
    assert told.startswith(f"blend: JFK humidity, day 2: found {inside:.3f} inside the band")


def test_only_new_york_is_held_to_the_targets(table: ModuleType, run: dict[str, Any]) -> None:
    run["judgements"][0]["days"][0]["skill"] = 0.0
    assert table.targets([run | {"place": "graz"}]) == []


def test_every_place_has_a_recipe_that_leaves_the_network_open() -> None:
    places = {path.stem: load_recipe(path) for path in (SKILL / "recipes").glob("*.yaml")}
    assert set(places) == {"graz", "new-york"}
    for recipe in places.values():
        assert recipe.quantiles == (0.1, 0.9)
        assert recipe.split.held_out == timedelta(days=12)
        assert len(recipe.season) == 12
