"""Across a major: what the older one said is read; the new one has words and laws of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import as_json
from fairweather_interface import (
    METADATA,
    check,
    create_metadata,
    dump_metadata,
    open_delivery,
    read_metadata,
    read_software,
    verify_delivery,
)
from fairweather_interface.errors import (
    CorruptDeliveryError,
    MetadataError,
    NotExpressibleError,
    UnsupportedSchemaError,
)
from fairweather_interface.ledger import LEDGER, RESERVED
from fairweather_interface.metadata import Bounds, metadata_notes, reading
from fairweather_interface.testing import metadata_document
from schemas import LAST_MAJOR, NEWEST

Tiny = Callable[..., Path]
Seal = Callable[[Path], None]
Document = dict[str, Any]

_GONE = {"max_temperature_seen": "temperature", "max_humidity_seen": "humidity"}


# --- names that went --------------------------------------------------------------------------


def test_the_names_that_went_are_reserved() -> None:
    assert set(RESERVED) == set(_GONE)
    assert all(reason.startswith("1.0; applicability_domain") for reason in RESERVED.values())


@pytest.mark.parametrize("name", _GONE)
@pytest.mark.parametrize("schema", ["1.0", "1.98"])
def test_a_reserved_name_is_an_error_in_a_document_of_the_schema_that_removed_it_or_a_later(
    name: str, schema: str, tiny_delivery: Tiny
) -> None:
    path = tiny_delivery(change=lambda it: it.update({name: 30.0, "schema_version": schema}))
    told = (
        f"{name}: found a name that schema 1.0 removed, expected "
        f"applicability_domain{{}}.maximum of every input of {_GONE[name]}"
    )
    with pytest.raises(MetadataError) as caught:
        open_delivery(path)
    assert caught.value.problems == (told,)
    assert verify_delivery(path) == (f"metadata.json: {told}",)


def test_a_reserved_name_is_not_written_and_says_nothing_where_it_is_null() -> None:
    document = metadata_document(max_temperature_seen=None)
    assert read_metadata(as_json(document)).unknown_fields == ("max_temperature_seen",)
    fields = {name: each for name, each in metadata_document().items() if "_reader" not in name}
    with pytest.raises(MetadataError, match="max_temperature_seen: found 30, expected no such key"):
        create_metadata(**fields | {"max_temperature_seen": 30})


def test_a_field_that_will_go_is_noted_with_what_it_goes_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def deprecated(path: str) -> str:
        law = ("deprecated since 1.2, goes with 2.0",)
        rows = tuple(replace(it, constraints=law) if it.path == path else it for it in LEDGER)
        monkeypatch.setattr(reading, "LEDGER", rows)
        return f"{path}: deprecated since 1.2, goes with 2.0"

    document = as_json(metadata_document())
    assert metadata_notes(document) == ()
    told = deprecated("training.seed")
    assert metadata_notes(document) == (told,)
    deprecated("contact")  # which it does not have
    assert metadata_notes(document) == ()


# --- versions that are none, and readers that none has ------------------------------------------


@pytest.mark.parametrize("version", ["1", "1.0.0", 1.0, "v1.0", "01.0"])
@pytest.mark.parametrize("field", ["schema_version", "min_reader"])
def test_a_version_is_two_numbers_in_a_text(field: str, version: object) -> None:
    with pytest.raises(MetadataError, match=f'^{field}: found .* such as "1.0"') as caught:
        read_metadata(as_json(metadata_document() | {field: version}))
    assert not isinstance(caught.value, UnsupportedSchemaError)


@pytest.mark.parametrize("min_reader", ["0.1", "0.3", "2.0"])
def test_a_delivery_of_this_major_needs_a_reader_of_it(
    min_reader: str, tiny_delivery: Tiny
) -> None:
    path = tiny_delivery(change=lambda it: it.update(min_reader=min_reader))
    told = f"min_reader: found {min_reader} of a document of schema 1.0, expected 1.0 to 1.0"
    with pytest.raises(MetadataError, match=told):
        open_delivery(path)
    (problem,) = verify_delivery(path)
    assert problem.startswith(f"metadata.json: {told}")


# --- the older major ----------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [(20.0, 25.0), (25.0, 20.0)])
def test_of_two_bounds_that_differ_the_lower_holds_also_when_it_is_written_again(
    old: float, new: float, tiny_delivery: Tiny
) -> None:
    said = {"max_temperature_seen": old, "applicability_domain": {"temperature": {"maximum": new}}}
    needed = "0.1" if old < new else "0.3"  # a looser old bound does not carry the new one
    change: Document = said | {"min_reader": needed}
    path = tiny_delivery(schema=LAST_MAJOR, change=lambda it: it.update(change))
    metadata = open_delivery(path).metadata
    assert metadata.applicability_domain == {"temperature": Bounds(maximum=20.0)}
    again = json.loads(dump_metadata(metadata))
    assert again["max_temperature_seen"] == 20.0
    assert again["applicability_domain"] == {"temperature": {"maximum": 20.0}}
    assert again["min_reader"] == "0.1"


@pytest.mark.parametrize("schema", ["0.5", "0.12"])
def test_a_branch_of_the_older_major_that_went_on_is_read_where_it_demands_nothing_new(
    schema: str, tiny_delivery: Tiny
) -> None:
    def later(document: Document) -> None:
        document |= {"schema_version": schema, "novelty": 1}

    path = tiny_delivery(schema=LAST_MAJOR, max_temperature_seen=30.0, change=later)
    assert verify_delivery(path) == ()
    metadata = open_delivery(path, reader="0.1").metadata
    assert metadata.schema_version == schema
    assert metadata.applicability_domain == {"temperature": Bounds(maximum=30.0)}
    assert metadata.unknown_fields == ("novelty",)
    path = tiny_delivery(schema=LAST_MAJOR, change=lambda it: it.update(
        schema_version=schema, min_reader=schema))  # fmt: skip
    with pytest.raises(UnsupportedSchemaError) as caught:
        open_delivery(path)
    assert (caught.value.found, caught.value.supported) == (schema, NEWEST)
    assert "delivered again in one of those" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda it: it.pop("topic"), "topic"),
        (lambda it: it.update(model_digest=None), "model_digest"),
        (lambda it: it["training"].pop("seed"), "training.seed"),
        (lambda it: it["performance"][0].pop("held_out"), "performance[0].held_out"),
    ],
)
def test_a_document_of_the_older_major_has_what_that_asks_for(
    change: Callable[[Document], object], told: str
) -> None:
    document = metadata_document(schema=LAST_MAJOR)
    change(document)
    with pytest.raises(MetadataError) as caught:
        read_metadata(as_json(document))
    assert caught.value.problems == (f"{told}: not found, and schema 0.4 asks for it",)
    newest = metadata_document()
    change(newest)
    assert read_metadata(as_json(newest)).schema_version == NEWEST


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": None},
        {"inputs": [3]},
        {"inputs": {}},
        {"applicability_domain": [1]},
        {"applicability_domain": {"temperature": 3}},
        {"max_temperature_seen": "hot"},
        {"max_temperature_seen": [30]},
    ],
    ids=str,
)
def test_an_older_document_of_another_shape_is_refused_in_a_sentence(change: Document) -> None:
    document = metadata_document(schema=LAST_MAJOR, max_temperature_seen=30.0) | change
    with pytest.raises(MetadataError, match="found"):
        read_metadata(as_json(document))


@pytest.mark.parametrize("bound", ["38", True, [30], {}, 10**400, -(10**400)], ids=range(6))
@pytest.mark.parametrize("domain", [None, {"temperature": {"maximum": 20.0}}])
@pytest.mark.parametrize("field", _GONE)
def test_an_old_bound_is_a_number_also_where_another_is_lower_or_nothing_is_bounded(
    field: str, domain: Document | None, bound: object
) -> None:
    document = metadata_document(schema=LAST_MAJOR, applicability_domain=domain)
    with pytest.raises(MetadataError, match=f"^{field}: found .*, expected a number$"):
        read_metadata(as_json(document | {field: bound}))


def test_who_reads_0_2_alone_is_served_by_what_is_written_for_it_or_the_writer_is_told(
    tiny_delivery: Tiny, reseal: Seal
) -> None:
    software = read_software(as_json({
        "name": "app", "version": "0.2.0", "readable_schemas": {"oldest": "0.1", "newest": "0.2"},
        "runtimes": [{"format": "onnx", "name": "onnxruntime", "version": "1.26.0"}],
        "roles": ["observations"], "variables": {"humidity": "%"}, "longest_period": "P30D",
        "shortest_sample_rate": "PT1M",
    }))  # fmt: skip
    path = tiny_delivery(
        variables=("humidity",), applicability_domain={"humidity": {"maximum": 90.0}}
    )
    metadata = open_delivery(path).metadata
    assert not check(metadata, software).serves
    (path / METADATA).write_bytes(dump_metadata(metadata, schema="0.2"))
    reseal(path)
    older = open_delivery(path, reader="0.2").metadata
    assert check(older, software).serves
    assert verify_delivery(path) == ()
    assert (older.schema_version, older.min_reader) == ("0.2", "0.2")
    low = metadata.model_copy(update={"applicability_domain": {"humidity": Bounds(minimum=5.0)}})
    with pytest.raises(NotExpressibleError, match=r"readers of schema 0\.2 do not keep"):
        dump_metadata(low, schema="0.2")


# --- laws of the new major ----------------------------------------------------------------------


def _many(document: Document) -> None:
    (place,) = document["areas"].values()
    document["areas"] |= {f"A{number}": place for number in range(1000)}


def _lowest(document: Document) -> None:
    document["performance"][0] |= {"skill": -2e6, "skill_interval": [-3e6, -1e6]}


def _lax(document: Document) -> None:
    document["tolerance"]["temperature_forecast"] = {"absolute": 0.9, "relative": 0.01}


_LAWS: dict[str, tuple[Callable[[Document], None], str]] = {
    "1,001 areas": (_many, "areas: found 1001, expected at most 1000"),
    "another spelling": (
        lambda it: it["areas"].update({"J\u200bFK": next(iter(it["areas"].values()))}),
        "areas: found 'J\\u200bFK', expected its one spelling, 'JFK'"),
    "a member in another spelling": (
        lambda it: it["inputs"][0].update(areas=["JFK "]),
        "areas: found 'JFK ', expected its one spelling, 'JFK'"),
    "made before it was trained": (
        lambda it: it.update(created_at="2013-12-30T23:00:00Z"),
        "training.train_end_time: found 2013-12-31 00:00:00+00:00, after the model was made"),
    "a skill of no comparison": (
        _lowest, "performance[0]: found the skill -3e+06, expected from -1e+06"),
    "a tolerance that hides a wrong runtime": (
        _lax, "tolerance: found 1.7 degC for 'temperature_forecast', expected 1 % of its range"),
}  # fmt: skip


@pytest.mark.parametrize("name", _LAWS)
def test_a_law_of_this_major_binds_its_documents_and_is_noted_of_older_ones(
    name: str, tiny_delivery: Tiny
) -> None:
    change, told = _LAWS[name]
    document = metadata_document()
    change(document)
    with pytest.raises(MetadataError) as caught:
        read_metadata(as_json(document))
    assert caught.value.problems == (told,)
    path = tiny_delivery(schema=LAST_MAJOR, change=change)
    assert open_delivery(path).metadata.broken_laws() == (told,)
    assert verify_delivery(path) == ()
    notes = metadata_notes((path / METADATA).read_bytes())
    assert notes == (f"{told} (no law before schema 1.0)",)


def test_what_is_just_allowed_is_read() -> None:
    document = metadata_document()
    (place,) = document["areas"].values()
    document |= {"areas": {f"A{number}": place for number in range(1000)}, "performance": []}
    document["tolerance"]["temperature_forecast"] = {"absolute": 0.6, "relative": 0.01}
    document["created_at"] = document["training"]["train_end_time"]
    assert read_metadata(as_json(document)).broken_laws() == ()


def test_a_tolerance_of_a_variable_that_nobody_knows_has_no_range_to_be_held_against() -> None:
    document = metadata_document()
    document["outputs"][0]["variable"] = document["performance"][0]["variable"] = "ozone"
    document["tolerance"]["temperature_forecast"]["absolute"] = 1e6
    assert read_metadata(as_json(document)).broken_laws() == ()


def test_without_a_digest_the_model_is_covered_by_the_manifest_alone(
    tiny_delivery: Tiny, reseal: Seal
) -> None:
    path = tiny_delivery(change=lambda it: it.pop("model_digest"))
    assert verify_delivery(path) == ()
    assert open_delivery(path).metadata.model_digest is None
    (path / "model.onnx").write_bytes(b"another")
    with pytest.raises(CorruptDeliveryError):
        open_delivery(path)
    reseal(path)
    assert open_delivery(path).metadata.model_digest is None
