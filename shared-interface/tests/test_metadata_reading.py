"""Reading metadata: tolerant of what is new, strict about what is wrong, whatever the bytes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import SilentStep, as_json, at, full_document, walk
from fairweather_interface.errors import (
    FairweatherError,
    MetadataError,
    UnsupportedSchemaError,
)
from fairweather_interface.metadata import (
    LEDGER,
    OBSERVATIONS,
    Input,
    read_metadata,
    writing_problems,
)
from fairweather_interface.testing import metadata_document
from schemas import LAST_MAJOR, NEWEST, NEXT, NEXT_MAJOR, OWN

_FULL = full_document()
_OLDER = full_document(schema=LAST_MAJOR)
Document = dict[str, Any]


@pytest.mark.parametrize(("full", "schema"), [(_FULL, NEXT), (_OLDER, "0.98")], ids=["", "older"])
@pytest.mark.parametrize("path", list(walk(_FULL)), ids=str)
def test_a_field_from_the_future_is_read_kept_and_listed_at_every_level(
    path: tuple[str | int, ...], full: Document, schema: str
) -> None:
    document = copy.deepcopy(full) | {"schema_version": schema}
    at(document, path)["from_the_future"] = {"deep": [1, None, {"x": "y"}]}
    metadata = read_metadata(as_json(document), reader=full["min_reader"])
    assert metadata.schema_version == schema
    (unknown,) = metadata.unknown_fields
    assert unknown.endswith("from_the_future")
    assert writing_problems(metadata) == ()


@pytest.mark.parametrize(
    "name",
    ["declared_variables", "canonical", "horizon", "required_inputs", "model_config", "__class__"],
)
def test_a_future_field_may_bear_any_name_we_use_for_something_else(name: str) -> None:
    from fairweather_interface.metadata.record import dump_record  # noqa: PLC0415

    document = copy.deepcopy(_OLDER) | {"schema_version": "0.2", name: ["a", {"b": 1}]}
    metadata = read_metadata(as_json(document), reader="0.1")
    assert metadata.unknown_fields == (name,)
    assert json.loads(dump_record(metadata))[name] == ["a", {"b": 1}]
    assert metadata.canonical.path == "model.onnx"


def test_open_sets_stay_open() -> None:
    document = copy.deepcopy(_FULL) | {"schema_version": NEXT, "model_type": "Unheard-of/1"}
    document["inputs"].append({"name": "radar", "dtype": "bfloat16", "shape": [-1, 3, 3, 1],
                               "role": "images"})  # fmt: skip
    document["inputs"][-1]["max_age"] = "PT3H"  # whatever it means of a role that nobody here knows
    document["artifacts"].append({"format": "stablehlo", "path": "model.mlir", "needs": {"x": 1}})
    document["tolerance"]["temperature_quantiles"] = {"absolute": 1, "relative": 0}
    document["performance"] = []
    metadata = read_metadata(as_json(document), reader=OWN)
    assert metadata.inputs[-1].role == "images"
    assert [item.role for item in metadata.required_inputs] == [OBSERVATIONS] * 2
    assert metadata.unknown_fields == ("artifacts[1].needs.x",)


class _Renaming(SilentStep):
    """A step after which a field has another name."""

    def upgrade(self, document: Document, /) -> Document:
        return {"author" if name == "writer" else name: item for name, item in document.items()}


def test_an_older_document_is_read_as_the_newest_schema_says_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = metadata_document(schema="0.1")
    expected = read_metadata(as_json(document))
    document["writer"] = document.pop("author")
    monkeypatch.setattr("fairweather_interface.history.STEPS", {"0.1": _Renaming()})
    assert read_metadata(as_json(document)) == expected
    with pytest.raises(MetadataError, match="author: not found"):
        read_metadata(as_json(document | {"schema_version": NEWEST, "min_reader": OWN}))


def test_an_older_document_that_a_step_cannot_move_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def moves(document: dict[str, Any]) -> dict[str, Any]:
        return document | {"inputs": [dict(item) for item in document["inputs"]]}

    step = SimpleNamespace(upgrade=moves, downgrade=moves)
    document = metadata_document(schema="0.1")
    monkeypatch.setattr("fairweather_interface.history.STEPS", {"0.1": step})
    assert read_metadata(as_json(document)).schema_version == "0.1"
    with pytest.raises(MetadataError, match="- inputs: found None"):
        read_metadata(as_json(document | {"inputs": None}))
    step.upgrade = lambda document: document["x"]  # nothing else is wrong
    with pytest.raises(MetadataError, match=r"cannot be upgraded from schema 0\.1 \(KeyError"):
        read_metadata(as_json(document))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"min_reader": "0.0"}, "found 0.0, expected 0.1"),
        ({"min_reader": "0.2"}, "found 0.2, expected 0.1"),
        ({"max_humidity_seen": 95}, "found 0.1, expected 0.2"),
        ({"max_humidity_seen": 95, "schema_version": "0.1"}, "found 0.1, expected 0.2"),
    ],
)
def test_a_min_reader_that_lies_is_no_metadata(changes: Document, told: str) -> None:
    with pytest.raises(MetadataError, match=f"min_reader: {told}") as caught:
        read_metadata(as_json(_OLDER | changes))
    assert not isinstance(caught.value, UnsupportedSchemaError)


def test_the_min_reader_of_a_newer_schema_is_not_ours_to_judge() -> None:
    document = _FULL | {"schema_version": NEXT, "min_reader": OWN, "bound": 1}
    assert read_metadata(as_json(document)).min_reader == OWN
    document = _OLDER | {"schema_version": "0.98", "min_reader": "0.2", "bound": 1}
    assert read_metadata(as_json(document)).min_reader == "0.2"


@pytest.mark.parametrize(
    "envelope",
    [
        {"schema_version": NEXT_MAJOR, "min_reader": NEXT_MAJOR},
        {"schema_version": "0.2", "min_reader": "0.2"},
        {"schema_version": "0.10", "min_reader": "0.10"},
    ],
)
def test_a_document_that_demands_more_is_refused_before_its_content_is_judged(
    envelope: Document,
) -> None:
    with pytest.raises(UnsupportedSchemaError) as caught:
        read_metadata(as_json(envelope | {"areas": "all of them"}), reader="0.1")
    assert caught.value.supported == "0.1"


@pytest.mark.parametrize("version", ["v0.1", "0.1.0", "0.01", 0.1, 1, None, "", [], {}])
def test_a_malformed_version_is_no_version_that_we_do_not_support(version: object) -> None:
    with pytest.raises(MetadataError, match=r"^schema_version: found") as caught:
        read_metadata(as_json(_FULL | {"schema_version": version}))
    assert not isinstance(caught.value, UnsupportedSchemaError)


def test_0_10_is_not_0_1() -> None:
    document = _OLDER | {"schema_version": "0.10", "min_reader": "0.1"}
    assert read_metadata(as_json(document)).schema_version == "0.10"
    with pytest.raises(UnsupportedSchemaError, match=r"schema 0\.10"):
        read_metadata(as_json(document | {"min_reader": "0.10"}))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"3", b'"text"', b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b"{}" * 2,
        b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, "\ud800", '{"a": "\\ud800"}',
        b'{"schema_version": "0.1", "schema_version": "0.1"}', b'{"schema_version": NaN}',
        '{"schema_version": "0.1", "min_reader": "0.1", "topic": "\\ud800"}',
        b'{"schema_version": "0.1", "min_reader": "0.1", "x": ' + b"[" * 700 + b"]" * 700 + b"}",
        b'{"schema_version": "0.' + b"1" * 9999 + b'", "min_reader": "0.1"}',
    ],
    ids=range(19),
)  # fmt: skip
def test_bytes_that_are_no_metadata_are_told_so(data: bytes | str) -> None:
    with pytest.raises(MetadataError) as caught:
        read_metadata(data)
    assert caught.value.problems
    assert len(str(caught.value)) < 2000


_BYTES = as_json(_FULL)


@given(
    places=st.lists(st.integers(0, len(_BYTES) - 1), min_size=1, max_size=4),
    patch=st.binary(max_size=3),
    cut=st.integers(0, 3),
)
def test_damaged_bytes_are_read_or_refused_and_nothing_else(
    places: list[int], patch: bytes, cut: int
) -> None:
    data = bytearray(_BYTES)
    for place in places:
        data[place : place + cut] = patch
    try:
        metadata = read_metadata(bytes(data))
    except FairweatherError as error:
        assert isinstance(error, MetadataError)  # noqa: PT017 - most are refused, some are not
    else:
        assert metadata.horizon > timedelta(0)
        assert metadata.canonical.path


def _set(*path: str | int, to: object) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        at(document, path[:-1])[path[-1]] = to

    return change


def _without(*path: str | int) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        del at(document, path[:-1])[path[-1]]

    return change


_WRONG = {
    "area without time zone": (_without("areas", "EWR", "timezone"), "areas.EWR.timezone: not"),
    "unknown time zone": (_set("areas", "EWR", "timezone", to="Mars/Olympus"), "IANA time zone"),
    "time zone that is a path": (_set("areas", "EWR", "timezone", to="../../UTC"), "IANA"),
    "time zone that is a folder": (_set("areas", "EWR", "timezone", to="America"), "IANA"),
    "time zone that is no text": (_set("areas", "EWR", "timezone", to="\0" * 300), "IANA"),
    "latitude beyond the pole": (_set("areas", "EWR", "latitude", to=90.1), "latitude"),
    "longitude as text": (_set("areas", "EWR", "longitude", to="1"), "longitude"),
    "latitude as truth": (_set("areas", "EWR", "latitude", to=True), "latitude"),
    "no areas": (_set("areas", to={}), "areas"),
    "areas as a list": (_set("areas", to=["EWR"]), "areas: found ['EWR'], expected a mapping"),
    "no inputs": (_set("inputs", to=[]), "inputs"),
    "two inputs of one name": (_set("inputs", 1, "name", to="temperature"), "'temperature' twice"),
    "an output named like an input": (_set("outputs", 0, "name", to="humidity"), "as input and"),
    "two outputs of one name": (
        _set("outputs", 1, "name", to="temperature_forecast"), "name 'temperature_forecast' twice"),
    "two outputs of one variable": (
        _set("outputs", 1, "variable", to="temperature"), "variable 'temperature' twice"),
    "a name that is no name": (_set("inputs", 0, "name", to="2 m"), "inputs[0].name"),
    "observations without unit": (_without("inputs", 0, "unit"), "no unit"),
    "observations without rate": (_without("inputs", 0, "sample_rate"), "no sample_rate"),
    "observations without a share": (_set("inputs", 0, "max_missing", to=None), "max_missing"),
    "a share above one": (_set("inputs", 0, "max_missing", to=1.01), "max_missing"),
    "a rate that does not divide": (_set("inputs", 0, "sample_rate", to="PT7H"), "whole number"),
    "a shape that is not its window": (_set("inputs", 0, "shape", to=[-1, 25]), "[-1, 24]"),
    "a shape without batch": (_set("inputs", 0, "shape", to=[24]), "[-1, 24]"),
    "an empty shape": (_set("inputs", 2, "shape", to=[]), "shape"),
    "region with a repeated member": (_set("inputs", 0, "areas", to=["A", "A"]), "twice"),
    "region without members": (_set("inputs", 0, "areas", to=[]), "areas"),
    "no age at all": (_set("inputs", 0, "max_age", to="PT0S"), "positive ISO 8601 duration"),
    "an age in the future": (_set("inputs", 0, "max_age", to="-PT3H"), "positive ISO 8601"),
    "an age beyond the window": (
        _set("inputs", 0, "max_age", to="P1DT1S"),
        "'temperature': found a max_age of 1 day, 0:00:01, expected at most its period of 1 day, "),
    "an age of the reference time": (
        _set("inputs", 2, "max_age", to="PT3H"),
        "'reference_time': found max_age, expected with observations only"),
    "a period in words": (_set("inputs", 0, "period", to="1 day"), "ISO 8601"),
    "a period beyond reckoning": (_set("inputs", 0, "period", to="P" + "9" * 14 + "D"), "ISO"),
    "output without batch": (_set("outputs", 0, "shape", to=[1, 24]), "[-1, steps]"),
    "output of no steps": (_set("outputs", 0, "shape", to=[-1, 0]), "[-1, steps]"),
    "output beyond the calendar": (_set("outputs", 0, "shape", to=[-1, 10**30]), "calendar"),
    "output of three axes": (_set("outputs", 0, "shape", to=[-1, 1, 1]), "outputs[0].shape"),
    "a step of nothing": (_set("outputs", 0, "step", to="PT0S"), "positive"),
    "no artifacts": (_set("artifacts", to=[]), "artifacts"),
    "no canonical artifact": (_without("artifacts", 0, "canonical"), "exactly one canonical"),
    "a canonical that was left out": (
        _set("artifacts", 0, to={"format": "onnx", "canonical": True, "omitted": "no"}),
        "exactly one canonical"),
    "an artifact neither there nor not": (_without("artifacts", 0, "path"), "either the path"),
    "an artifact there and not": (_set("artifacts", 0, "omitted", to="why"), "either the path"),
    "an opset of zero": (_set("artifacts", 0, "needs", "opset", to=0), "opset"),
    "an output without tolerance": (_set("tolerance", to={}), "none for 'temperature_forecast'"),
    "a negative tolerance": (
        _set("tolerance", "temperature_forecast", "absolute", to=-1), "absolute"),
    "days with a hole": (
        _set("performance", 0, "by_lead_day", 1, "day", to=3),
        "by_lead_day: found the days [1, 3], expected 1, 2, 3 … in turn"),
    "days from the second on": (
        _set("performance", 0, "by_lead_day", 0, "day", to=2), "found the days [2, 2]"),
    "no days": (_set("performance", 0, "by_lead_day", to=[]), "by_lead_day"),
    "a day of nothing to beat": (
        _set("performance", 0, "by_lead_day", 0, "baselines", to={}), "baselines"),
    "a band that holds too much": (
        _set("performance", 0, "by_lead_day", 0, "coverage", to=1.2), "coverage"),
    "ages that fall": (
        _set("performance", 0, "by_age", 1, "age", to="PT1H"),
        "by_age: found the ages PT3H, PT1H, expected each above the one before"),
    "an age twice": (_set("performance", 0, "by_age", 1, "age", to="PT3H"), "the ages PT3H, PT3H"),
    "fresh observations among the ages": (
        _set("performance", 0, "by_age", 0, "age", to="PT0S"), "positive"),
    "limits that hold no value": (
        _set("variables", "precipitation", "maximum", to=0), "found 0 to 0, expected a range"),
    "a variable without unit": (
        _without("variables", "precipitation", "unit"), "variables.precipitation.unit: not found"),
    "a negative margin": (_set("variables", "precipitation", "margin", to=-1), "margin"),
    "no variables": (_set("variables", to={}), "variables"),
    "a licence in prose": (_set("licence", to="as you like, really!"), "licence"),
    "skill above one": (_set("performance", 0, "skill", to=1.01), "skill"),
    "an interval upside down": (_set("performance", 0, "skill_interval", to=[1, 0]), "low, high"),
    "an interval of three": (_set("performance", 0, "skill_interval", to=[0, 0, 0]), "interval"),
    "nothing counted": (_set("performance", 0, "count", to=0), "count"),
    "nothing held out": (_set("performance", 0, "held_out", to=[]), "held_out"),
    "a block that ends before it starts": (
        _set("performance", 0, "held_out", 0, "end", to="2013-01-01T00:00:00Z"), "block"),
    "an evaluation without digest": (_set("performance", 0, "evaluation_id", to="x"), "evaluation"),
    "a digest in capitals": (_set("model_digest", to="sha256:" + "A" * 64), "model_digest"),
    "a delivery id of version 1": (
        _set("delivery_id", to="00000000-0000-1000-8000-000000000000"), "delivery_id"),
    "a delivery id in capitals": (
        _set("delivery_id", to="ABCDEF00-0000-4000-8000-000000000000"), "delivery_id"),
    "a delivery id with an end of line": (
        _set("delivery_id", to="00000000-0000-4000-8000-000000000000\n"), "delivery_id"),
    "a month that is none": (_set("valid_months", to=[0]), "valid_months[0]"),
    "no months": (_set("valid_months", to=[]), "valid_months"),
    "months twice": (_set("valid_months", to=[1, 1]), "without repeats"),
    "months out of order": (_set("valid_months", to=[12, 1, 2]), "ascending"),
    "a month as a number with a point": (_set("valid_months", to=[1.0]), "valid_months[0]"),
    "a time without zone": (_set("created_at", to="2014-01-01T00:00:00"), "created_at"),
    "training backwards": (
        _set("training", "train_end_time", to="2012-01-01T00:00:00Z"), "before they start"),
    "a negative seed": (_set("training", "seed", to=-1), "training.seed"),
    "synthetic as a number": (_set("training", "synthetic", to=0), "training.synthetic"),
    "a recipe that is a list": (_set("training", "recipe", to=[]), "expected a mapping"),
    "a topic of nothing": (_set("topic", to=""), "topic"),
    "a temperature as text": (
        _set("applicability_domain", "temperature", "maximum", to="38"), "temperature.maximum"),
}  # fmt: skip


@pytest.mark.parametrize("name", _WRONG)
def test_metadata_that_breaks_a_rule_is_refused_with_its_place(name: str) -> None:
    change, told = _WRONG[name]
    document = copy.deepcopy(_FULL)
    change(document)
    with pytest.raises(MetadataError) as caught:
        read_metadata(as_json(document))
    assert told in str(caught.value)
    assert "expected" in str(caught.value) or "found" in str(caught.value)


@pytest.mark.parametrize("row", [row for row in LEDGER if row.required], ids=lambda row: row.path)
def test_a_required_field_that_is_absent_or_null_is_named(row: Any) -> None:
    steps = row.path.replace("areas{}", "areas.EWR").replace(
        "variables{}", "variables.precipitation"
    )
    steps = steps.replace("{}", ".temperature_forecast")
    path: list[str | int] = []
    for step in steps.split("."):
        path += [step.removesuffix("[]"), 0] if step.endswith("[]") else [step]
    for change in (_without(*path), _set(*path, to=None)):
        document = copy.deepcopy(_FULL)
        change(document)
        with pytest.raises(MetadataError) as caught:
            read_metadata(as_json(document))
        assert str(path[-1]) in str(caught.value)


def test_metadata_are_frozen_at_every_level() -> None:
    metadata = read_metadata(as_json(_FULL))
    for record, name in ((metadata, "topic"), (metadata.inputs[0], "unit")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(record, name, "x")


def test_an_input_says_how_many_samples_it_wants() -> None:
    wanted = Input(
        name="humidity",
        dtype="float32",
        shape=(-1, 43_200),
        role=OBSERVATIONS,
        variable="humidity",
        unit="%",
        period=timedelta(days=30),
        sample_rate=timedelta(minutes=1),
        max_missing=0.05,
    )
    assert wanted.samples == 43_200


def test_the_tensorflow_an_artifact_needs_is_a_version() -> None:
    document = metadata_document()
    document["artifacts"][0]["needs"] = {"tensorflow": "newest"}
    with pytest.raises(MetadataError, match=r"needs\.tensorflow: found 'newest', expected"):
        read_metadata(json.dumps(document))
