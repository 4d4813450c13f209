"""The oracle, and that it can turn a cell red: every flip of a fact changes what it foretells."""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import policy
import pytest
from policy import Expected, expect_bands, expect_delivery, expect_example, judge, schema

Document = dict[str, Any]

METADATA: Document = {
    "schema_version": "0.2",
    "min_reader": "0.1",
    "areas": {"JFK": {"timezone": "America/New_York"}},
    "valid_months": [6, 7],
    "inputs": [
        {"name": "temperature", "role": "observations"},
        {"name": "area_index", "role": "area_index"},
    ],
    "outputs": [{"name": "temperature_forecast", "variable": "temperature"}],
    "artifacts": [
        {"format": "tensorflow-saved-model", "path": "model", "needs": {"tensorflow": "2.21.0"}},
        {"format": "onnx", "path": "model.onnx", "needs": {"opset": 17, "ir_version": 8}},
    ],
}
SOFTWARE: Document = {
    "readable_schemas": {"oldest": "0.1", "newest": "0.2"},
    "roles": ["observations", "area_index"],
    "runtimes": [{"format": "onnx", "max_opset": 20, "max_ir_version": 10}],
}
JUNE = "2013-06-15T00:00:00Z"


def example(**changed: object) -> Document:
    return {
        "area": "JFK",
        "reference_time": JUNE,
        "expect": "serve",
        "status": 200,
        "by_it": True,
        "bands": [],
        "worst": 0.1,
        **changed,
    }


def turned_away(code: str, **changed: object) -> Document:
    problem = "/problems/no-applicable-model"
    return example(status=422, code=code, problem=problem, **changed)


def found(*examples: Document, code: str | None = None, state: str = "live") -> Document:
    reason = None if code is None else "because"
    return {"state": state, "code": code, "reason": reason, "examples": list(examples)}


SERVED = found(example(), example(worst=0.9), turned_away("out-of-domain", expect="out-of-domain"))
REFUSED = found(turned_away("schema-too-new"), code="schema-too-new", state="refused")


def changed(document: Document, change: Callable[[Document], object]) -> Document:
    copied = copy.deepcopy(document)
    change(copied)
    return copied


FLIPS: dict[str, Callable[[Document], object]] = {
    "min_reader one minor up": lambda m: m.update(min_reader="0.3"),
    "min_reader ten minors up": lambda m: m.update(min_reader="0.10"),
    "the next major": lambda m: m.update(schema_version="1.0"),
    "no schema version": lambda m: m.pop("schema_version"),
    "a schema version that is a number": lambda m: m.update(schema_version=0.2),
    "a schema version with a v": lambda m: m.update(schema_version="v0.2"),
    "a min_reader of three parts": lambda m: m.update(min_reader="0.1.0"),
    "a newer opset": lambda m: m["artifacts"][1]["needs"].update(opset=21),
    "a newer IR version": lambda m: m["artifacts"][1]["needs"].update(ir_version=11),
    "no ONNX artifact": lambda m: m["artifacts"].pop(1),
    "an omitted ONNX artifact": lambda m: m["artifacts"][1].update(path=None),
    "an artifact of another format": lambda m: m["artifacts"][1].update(format="stablehlo"),
    "a role that nobody feeds": lambda m: m["inputs"][1].update(role="satellite"),
    "another month": lambda m: m.update(valid_months=[7]),
    "another area": lambda m: m.update(areas={"LGA": m["areas"]["JFK"]}),
}


def test_the_oracle_shares_no_code_with_what_it_judges() -> None:
    tree = ast.parse(Path(policy.__file__).read_text(encoding="utf-8"))
    named = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    named |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in named} <= sys.stdlib_module_names


def test_a_served_cell_and_a_refused_one_are_green_as_they_stand() -> None:
    assert [*judge(SERVED, METADATA, SOFTWARE)] == []
    too_new = changed(METADATA, FLIPS["min_reader one minor up"])
    assert [*judge(REFUSED, too_new, SOFTWARE)] == []


@pytest.mark.parametrize("flip", FLIPS)
def test_every_flip_of_the_metadata_turns_a_served_cell_red(flip: str) -> None:
    assert [*judge(SERVED, changed(METADATA, FLIPS[flip]), SOFTWARE)] != []


@pytest.mark.parametrize(
    ("flip", "expected"),
    [
        ("min_reader one minor up", "schema-too-new"),
        ("the next major", "schema-too-new"),
        ("a schema version with a v", "corrupt"),
        ("a newer opset", "runtime-unavailable"),
        ("a role that nobody feeds", "runtime-unavailable"),
        ("another month", "out-of-season"),
        ("another area", "area-not-declared"),
    ],
)
def test_a_flip_foretells_its_own_code(flip: str, expected: str) -> None:
    metadata = changed(METADATA, FLIPS[flip])
    code = expect_example(metadata, SOFTWARE, area="JFK", reference_time=JUNE, expect="serve")
    assert code == expected


@pytest.mark.parametrize(
    "flip",
    [
        lambda s: s["readable_schemas"].update(newest="0.3"),
        lambda s: s["readable_schemas"].update(newest="0.10"),
    ],
)
def test_software_that_obeys_more_turns_a_refused_cell_red(
    flip: Callable[[Document], object],
) -> None:
    metadata = changed(METADATA, FLIPS["min_reader one minor up"])
    assert [*judge(REFUSED, metadata, changed(SOFTWARE, flip))] != []


@pytest.mark.parametrize(
    "flip",
    [
        lambda s: s["readable_schemas"].update(oldest="0.3", newest="0.3"),
        lambda s: s["readable_schemas"].update(oldest="0.0", newest="0.0"),
        lambda s: s.update(roles=["observations"]),
        lambda s: s.update(runtimes=[]),
        lambda s: s["runtimes"][0].update(max_opset=16),
    ],
)
def test_software_that_supports_less_turns_a_served_cell_red(
    flip: Callable[[Document], object],
) -> None:
    assert [*judge(SERVED, METADATA, changed(SOFTWARE, flip))] != []


def test_a_cell_refused_without_a_reason_in_the_metadata_is_red() -> None:
    (first, second) = judge(REFUSED, METADATA, SOFTWARE)
    assert first == "/models says refused (schema-too-new) (because), expected live"
    assert "refused with schema-too-new (status 422), expected serve" in second


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (example(worst=1.5), "off by 1.5 of what is tolerated"),
        (example(worst=float("inf")), "off by inf"),
        (example(worst=float("nan")), "off by nan"),
        (example(by_it=False), "served by another delivery"),
        (example(expect="out-of-domain"), "served, expected a refusal with out-of-domain"),
        (example(bands=["temperature"]), "shows bands of ['temperature'], expected []"),
        (turned_away("out-of-season"), "refused with out-of-season (status 422), expected serve"),
        (turned_away("out-of-season", expect="out-of-domain"), "expected out-of-domain"),
        ({**turned_away("out-of-domain", expect="out-of-domain"), "status": 500}, "(status 500)"),
        ({**turned_away("x"), "code": None}, "refused with /problems/no-applicable-model"),
    ],
)
def test_one_wrong_answer_turns_a_cell_red(answer: Document, problem: str) -> None:
    (said,) = judge(found(example(), answer), METADATA, SOFTWARE)
    assert said.startswith("example 1 (JFK 2013-06-15T00:00:00Z): ")
    assert problem in said


def test_a_cell_that_asked_nothing_is_red() -> None:
    assert [*judge(found(), METADATA, SOFTWARE)] == ["no example was asked for"]


def test_a_delivery_that_vanished_from_the_list_is_red() -> None:
    gone = {**SERVED, "state": None}
    assert [*judge(gone, METADATA, SOFTWARE)] == [
        "/models says None (no reason given), expected live"
    ]


def test_the_month_is_that_of_the_area_and_not_of_greenwich() -> None:
    metadata = changed(METADATA, lambda m: m.update(valid_months=[6]))
    last_hours = "2013-07-01T03:00:00Z"  # 23 o'clock of 30 June in New York
    expected = expect_example(
        metadata, SOFTWARE, area="JFK", reference_time=last_hours, expect="serve"
    )
    assert expected == "serve"


def test_a_newer_minor_that_demands_nothing_is_served() -> None:
    metadata = changed(METADATA, lambda m: m.update(schema_version="0.10", novelty={"a": 1}))
    assert expect_delivery(metadata, SOFTWARE) == Expected(state="live")


def test_versions_are_compared_as_numbers() -> None:
    assert schema("0.10") == (0, 10)
    assert [schema(text) for text in ("0.01", "00.1", "0.1.0", "v0.1", " 0.1", 0.1, None)] == (
        [None] * 7
    )


@pytest.mark.parametrize(
    ("newest", "probabilities", "expected"),
    [
        ("0.3", [0.1, 0.9], ["temperature"]),
        ("0.2", [0.1, 0.9], []),
        ("0.3", [0.6, 0.9], []),
        ("0.3", [], []),
    ],
)
def test_bands_are_foretold_where_a_release_and_a_model_can(
    newest: str, probabilities: list[float], expected: list[str]
) -> None:
    quantiles = [{"output": "temperature_forecast", "probability": p} for p in probabilities]
    software = changed(SOFTWARE, lambda s: s["readable_schemas"].update(newest=newest))
    metadata = {**METADATA, "uncertainty": quantiles}
    assert expect_bands(metadata, software) == expected
    assert [*judge(found(example(bands=expected)), metadata, software)] == []
