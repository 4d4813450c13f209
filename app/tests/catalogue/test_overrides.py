from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fairweather_interface.metadata import ModelMetadata, read_metadata
from fairweather_interface.refusals import Code
from fairweather_interface.testing import metadata_document
from flask import Flask

from fairweather_app.background.poller import Poller
from fairweather_app.catalogue.overrides import Overrides, read_overrides
from fairweather_app.errors import OverridesError


def a_model() -> ModelMetadata:
    return read_metadata(json.dumps(metadata_document(areas=("EWR", "JFK"))))


def overrides(tmp_path: Path, text: str) -> Overrides:
    path = tmp_path / "overrides.yaml"
    path.write_text(text)
    return read_overrides(path)


def test_without_a_file_nothing_is_overridden() -> None:
    assert read_overrides(None).check(a_model(), "JFK") is None


@pytest.mark.parametrize("name", ["IdentityPredictor", "00000000-0000-4000-8000-000000000000"])
def test_a_model_is_narrowed_by_its_type_or_its_id(tmp_path: Path, name: str) -> None:
    narrowed = overrides(tmp_path, f"override_cities: {{{name}: [JFK]}}")
    assert narrowed.check(a_model(), "JFK") is None
    refusal = narrowed.check(a_model(), "EWR")
    assert refusal is not None
    assert refusal.code is Code.OVERRIDDEN
    assert refusal.reason == f"the operator narrowed {name} to JFK"


def test_a_city_must_be_in_both_lists_when_id_and_type_are_named(tmp_path: Path) -> None:
    narrowed = overrides(
        tmp_path,
        "override_cities:\n"
        "  IdentityPredictor: [EWR, JFK]\n"
        "  00000000-0000-4000-8000-000000000000: [EWR]\n",
    )
    assert narrowed.check(a_model(), "EWR") is None
    assert narrowed.check(a_model(), "JFK") is not None


def test_an_empty_list_serves_nowhere_and_strangers_do_not_count(tmp_path: Path) -> None:
    refusal = overrides(tmp_path, "override_cities: {IdentityPredictor: []}").check(
        a_model(), "JFK"
    )
    assert refusal is not None
    assert refusal.reason.endswith("to no city")
    assert overrides(tmp_path, "override_cities: {Other: []}").check(a_model(), "JFK") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "cities: {}",
        "override_cities: [JFK]",
        "override_cities: {A: JFK}",
        "override_cities: {A: [1]}",
        "override_cities: {1: [JFK]}",
        "override_cities: {A: [JFK]}\nmore: 1",
        "override_cities: {A: [JFK], A: []}",
        "override_cities: {",
    ],
)
def test_any_other_file_is_refused_with_what_is_expected(tmp_path: Path, text: str) -> None:
    with pytest.raises(OverridesError, match="expected 'override_cities:' with lists") as caught:
        overrides(tmp_path, text)
    assert str(tmp_path / "overrides.yaml") in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OverridesError, match="cannot be read"):
        read_overrides(tmp_path / "nowhere.yaml")


def test_names_that_match_nothing_are_told_by_the_list_and_once_by_a_serving_app(
    make_app: Callable[..., Flask],
    tmp_path: Path,
    tiny_delivery: Callable[..., Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = tiny_delivery(areas=("EWR", "JFK"), model_type="WinterPredictor").name
    (tmp_path / "overrides.yaml").write_text(
        "override_cities:\n"
        "  WinterPredictr: [JFK]\n"
        f"  {name[:8]}: [JFK]\n"
        "  WinterPredictor: [jfk, EWR]\n"
        f"  {name}: [JFK, EWR]\n"
        "  Other: []\n"
    )
    nobody = "00000000-0000-4000-8000-000000000000"
    app = make_app(
        overrides=tmp_path / "overrides.yaml",
        shadow=(nobody,),
        margins={"temperature": 1, "cloud_cover": 1},
    )
    unknown = "which is no delivery's id or model type"
    undeclared = "which it does not declare"
    expected = [
        "FAIRWEATHER_MARGINS names 'cloud_cover', which no model forecasts",
        f"FAIRWEATHER_SHADOW names {nobody}, which is no delivery's id",
        f"override_cities names 'Other', {unknown}",
        f"override_cities names 'WinterPredictr', {unknown}; did you mean 'WinterPredictor'?",
        f"override_cities names {name[:8]!r}, {unknown}; did you mean {name!r}?",
        f"override_cities narrows 'WinterPredictor' to 'jfk', {undeclared}; did you mean 'JFK'?",
    ]
    result = app.test_cli_runner().invoke(args=["models", "list"])
    assert (result.exit_code, sorted(result.stderr.splitlines())) == (0, sorted(expected))
    poller = Poller(app.extensions["fairweather"])
    for _ in range(2):
        poller._report()
    assert sorted(each for each in caplog.messages if "names" in each or "narrows" in each) == (
        sorted(expected)
    )
