"""A variable that the packaged table lacks: a row of the definitions, and no code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from fairweather_interface.definitions import VARIABLES
from fairweather_interface.delivery import verify_delivery
from fairweather_interface.errors import NotExpressibleError
from fairweather_interface.metadata import dump_metadata, read_metadata
from typer.testing import CliRunner

from fairweather_research import ObservationsError, Recipe, RecipeError, load_observations, train
from fairweather_research.cli.main import app
from fairweather_research.cli.progress import show_skill
from fairweather_research.dataset.source_data import observations_of
from fairweather_research.delivery.compatibility import check_compatibility
from fairweather_research.delivery.metadata import expected_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

RAIN = {
    "unit": "mm",
    "minimum": 0.0,
    "maximum": 500.0,
    "symbol": "mm/h",
    "label": "Rain",
    "margin": 5.0,
    "largest_step": {"minute": 5.0, "hour": 60.0},
    "conversions": [{"unit": "m", "factor": 1000.0}],
}
DECLARED = {"unit": "mm", "minimum": 0.0, "maximum": 500.0, "label": "Rain", "margin": 5.0}


@pytest.fixture(scope="session")
def rain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months of hourly rain at two places, one of them in metres, with what cannot be true."""
    rng = np.random.default_rng(1)
    times = pd.date_range("2013-06-01", "2013-07-31 23:00", freq="h", tz="UTC")
    parts = []
    for area, unit, factor in (("EWR", "mm", 1.0), ("JFK", "m", 1000.0)):
        level = 2.0 + np.sin(2 * np.pi * np.arange(len(times)) / 24)
        value = np.round(np.maximum(level + rng.normal(0, 0.3, len(times)), 0.0), 2) / factor
        value[100], value[200] = 600.0 / factor, 300.0 / factor  # impossible, and a spike
        columns = {"time": times, "variable": "precipitation", "unit": unit, "value": value}
        parts.append(pd.DataFrame({"area": area, **columns}))
    path = tmp_path_factory.mktemp("rain") / "rain.parquet"
    pd.concat(parts).to_parquet(path)
    return path


@pytest.fixture(scope="session")
def document(tiny_document: Mapping[str, Any], rain: Path) -> dict[str, Any]:
    """A recipe of rain; its definitions hold what rain is."""
    definitions = {
        **tiny_document["definitions"],
        "training": {
            "required_inputs": [{"precipitation": {"period": "3 days", "sample_rate": "1 hour"}}]
        },
        "variables": {"precipitation": RAIN},
    }
    return {
        **tiny_document,
        "definitions": definitions,
        "variables": ["precipitation"],
        "observations": {"source": str(rain), "synthetic": True},
        "applicability_domain": ["minimum", "maximum"],
    }


@pytest.fixture(scope="session")
def recipe(document: Mapping[str, Any]) -> Recipe:
    return Recipe.parse(document, source="rain.yaml")


def test_its_row_gives_units_limits_and_conversions(recipe: Recipe) -> None:
    found = observations_of(recipe)
    assert set(found.archive.table["unit"]) == {"mm"}
    assert [each.dropped for each in found.report.series] == [{"range": 1, "step": 1}] * 2
    (item,), (output,) = recipe.blueprint.inputs, recipe.blueprint.outputs
    assert (item.unit, item.minimum, item.maximum) == ("mm", 0.0, 500.0)
    assert (output.unit, output.minimum, output.maximum) == ("mm", 0.0, 500.0)


def test_its_row_is_part_of_the_resolved_recipe(recipe: Recipe) -> None:
    again = Recipe.parse(json.loads(json.dumps(recipe.document())), source="metadata.json")
    assert again == recipe
    assert again.defined.variables["precipitation"].symbol == "mm/h"


def test_metadata_carry_its_row_and_any_reader_of_it_may_serve(recipe: Recipe) -> None:
    expected = expected_metadata(recipe)
    document = json.loads(expected.model_dump_json(by_alias=True))
    assert document["variables"] == {"precipitation": DECLARED}
    bare = recipe.model_copy(update={"applicability_domain": (), "max_temperature_seen": False})
    older = read_metadata(dump_metadata(expected_metadata(bare), schema="0.4"))
    assert older.min_reader == "0.1"


def test_metadata_carry_no_row_that_the_packaged_table_has_or_no_tensor_uses(
    document: dict[str, Any], tiny: Any
) -> None:
    assert expected_metadata(tiny()).declared_variables is None
    more = {**RAIN, "label": "Snow"}
    packaged = {"unit": "degC", "minimum": -80.0, "maximum": 60.0, "label": "Air temperature"}
    definitions = document["definitions"] | {
        "variables": {"precipitation": RAIN, "snow": more, "temperature": packaged}
    }
    expected = expected_metadata(tiny(**{**document, "definitions": definitions}))
    assert list(expected.declared_variables or {}) == ["precipitation"]


def test_an_older_schema_cannot_say_it(recipe: Recipe) -> None:
    with pytest.raises(NotExpressibleError) as refused:
        check_compatibility(recipe, schema="0.3")
    assert refused.value.problems == (
        "the rows of precipitation: take out `variables` of the `definitions`",
    )


def test_without_its_row_recipe_and_file_are_refused(
    document: dict[str, Any], tiny: Any, rain: Path
) -> None:
    definitions = {k: v for k, v in document["definitions"].items() if k != "variables"}
    with pytest.raises(RecipeError) as refused:
        tiny(**{**document, "definitions": definitions})
    assert "precipitation" in refused.value.problems[0]
    assert "or a row for it under variables" in refused.value.problems[0]
    with pytest.raises(ObservationsError, match=r"'precipitation'.*`variables` of the definitions"):
        load_observations(str(rain))


def test_a_row_that_disagrees_with_the_packaged_table_is_refused(
    document: dict[str, Any], tiny: Any
) -> None:
    hot = {"unit": "K", "minimum": 200.0, "maximum": 350.0}
    definitions = document["definitions"] | {
        "variables": {"precipitation": RAIN, "temperature": hot}
    }
    with pytest.raises(RecipeError, match="found temperature from 200 to 350 K, expected -80 to"):
        tiny(**{**document, "definitions": definitions})


def test_a_training_delivers_it_with_a_card_in_its_unit(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery = train(recipe, tmp_path / "store")
    verify_delivery(delivery.path)
    row = delivery.metadata.variable_table["precipitation"]
    assert (row.unit, row.label, row.margin) == ("mm", "Rain", 5.0)
    assert "precipitation" not in VARIABLES
    card = (delivery.path / "card" / "index.html").read_text(encoding="utf-8")
    assert re.search(r"Mean absolute error in mm\b", card)
    assert "<h3>Rain at EWR</h3>" in card
    show_skill(delivery)
    assert "EWR precipitation (mm)" in capsys.readouterr().err


def test_the_command_writes_it_where_definitions_are_named(
    document: dict[str, Any], rain: Path, tmp_path: Path
) -> None:
    definitions, output = tmp_path / "definitions.yaml", tmp_path / "archive.csv"
    definitions.write_text(json.dumps(document["definitions"]), encoding="utf-8")
    command = ["observations", str(rain), "--output", str(output)]
    assert CliRunner().invoke(app, command).exit_code == 2
    done = CliRunner().invoke(app, [*command, "--definitions", str(definitions)])
    assert done.exit_code == 0, done.output
    assert set(pd.read_csv(output)["unit"]) == {"mm"}
    nowhere = CliRunner().invoke(app, [*command, "--definitions", "nowhere"])
    assert nowhere.exit_code == 2
    assert "found no definitions at 'nowhere'" in nowhere.output


def test_a_variable_whose_range_the_tolerance_of_artifacts_would_swallow_is_refused(
    document: Mapping[str, Any],
) -> None:
    def narrow(maximum: float) -> Recipe:
        rain = {"unit": "m", "minimum": 0.0, "maximum": maximum, "label": "Rain"}
        definitions = {**document["definitions"], "variables": {"precipitation": rain}}
        return Recipe.parse({**document, "definitions": definitions}, source="rain.yaml")

    assert check_compatibility(narrow(1.0)).expected.tolerance
    with pytest.raises(RecipeError, match=r"found precipitation in m from 0 to 0\.5, of which the"):
        check_compatibility(narrow(0.5))
