"""Writing metadata: strict, one text for one content, in every schema that is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from conftest import SilentStep, as_json, full_document
from fairweather_interface.errors import (
    MetadataError,
    NotExpressibleError,
    UnsupportedSchemaError,
)
from fairweather_interface.history import STEPS
from fairweather_interface.metadata import (
    WRITTEN_SCHEMAS,
    Area,
    ModelMetadata,
    create_metadata,
    dump_metadata,
    read_metadata,
    writing_problems,
)
from fairweather_interface.testing import metadata_document
from fairweather_interface.versions import SCHEMA_VERSION
from schemas import LAST_MAJOR, NEWEST, NEXT, NEXT_MAJOR, OWN

_FULL = full_document()
Document = dict[str, Any]


def test_what_a_writer_says_is_what_a_reader_reads(fields: Document) -> None:
    metadata = create_metadata(**fields)
    assert metadata.schema_version == SCHEMA_VERSION
    assert metadata.min_reader == OWN
    bound = create_metadata(**fields | {"applicability_domain": {"temperature": {"maximum": 95}}})
    assert (bound.schema_version, bound.min_reader) == (SCHEMA_VERSION, OWN)
    assert read_metadata(dump_metadata(metadata)) == metadata
    assert read_metadata(dump_metadata(metadata).decode()) == metadata
    assert writing_problems(metadata) == ()


def test_the_same_metadata_always_gives_the_same_bytes(document: Document) -> None:
    data = dump_metadata(read_metadata(as_json(document)))
    assert dump_metadata(read_metadata(data)) == data
    assert data.endswith(b"}\n")
    assert data.startswith(
        f'{{\n  "schema_version": "{NEWEST}",\n  "min_reader": "{OWN}",\n'.encode()
    )
    assert b"null" not in data


def test_the_bytes_do_not_depend_on_the_order_in_which_fields_are_handed_over(
    fields: Document,
) -> None:
    backwards = dict(reversed(fields.items()))
    assert dump_metadata(create_metadata(**backwards)) == dump_metadata(create_metadata(**fields))


def test_areas_keep_their_order_because_area_index_counts_in_it() -> None:
    document = metadata_document(areas=("LGA", "EWR", "JFK"))
    metadata = read_metadata(as_json(document))
    assert list(metadata.areas) == ["LGA", "EWR", "JFK"]
    assert list(json.loads(dump_metadata(metadata))["areas"]) == ["LGA", "EWR", "JFK"]


def test_null_and_absent_say_the_same(document: Document) -> None:
    absent = read_metadata(as_json(document))
    document["applicability_domain"] = None
    document["artifacts"][0]["omitted"] = None
    assert read_metadata(as_json(document)) == absent


def test_null_inside_the_recipe_is_data_and_stays(fields: Document) -> None:
    recipe = {"stop": None, "layers": [None, {"size": None, "units": [1, 2.5, "x", True]}]}
    fields["training"] = fields["training"].model_copy(update={"recipe": recipe})
    data = dump_metadata(create_metadata(**fields))
    assert json.loads(data)["training"]["recipe"] == recipe
    assert dump_metadata(read_metadata(data)) == data


def test_text_is_kept_as_people_write_it(fields: Document) -> None:
    fields["topic"] = "Été à Beit-Šemeš, 30 °C — ☀"
    assert fields["topic"].encode() in dump_metadata(create_metadata(**fields))


def test_later_changes_of_what_was_handed_over_do_not_reach_the_metadata(fields: Document) -> None:
    recipe: dict[str, Any] = {"a": 1}
    fields["training"] = fields["training"].model_copy(update={"recipe": recipe})
    metadata = create_metadata(**fields)
    recipe["a"] = 2
    assert metadata.training.recipe == {"a": 1}


def test_the_views_say_what_the_app_asks() -> None:
    metadata = read_metadata(as_json(_FULL))
    assert [item.name for item in metadata.required_inputs] == ["temperature", "humidity"]
    assert [item.samples for item in metadata.required_inputs] == [24, 24]
    assert metadata.variables == ("temperature", "humidity")
    assert metadata.horizon == timedelta(hours=24)
    assert metadata.canonical is metadata.artifacts[0]
    assert metadata.unknown_fields == ()


# --- writing ---------------------------------------------------------------------------------


def test_every_problem_of_the_fields_is_told_at_once(fields: Document) -> None:
    fields |= {"topic": "", "author": 3, "valid_months": (0, 13), "typo": 1}
    del fields["model_type"]
    with pytest.raises(MetadataError) as caught:
        create_metadata(**fields)
    told = "\n".join(caught.value.problems)
    for path in ("topic", "author", "valid_months[0]", "valid_months[1]", "typo", "model_type"):
        assert f"{path}: " in told
    assert len(caught.value.problems) == 6
    assert str(caught.value).startswith("6 problems in the metadata:\n  - ")


def test_every_contradiction_between_fields_is_told_at_once(document: Document) -> None:
    document["valid_months"] = [2, 1]
    document["artifacts"][0]["canonical"] = False
    document["tolerance"] = {}
    with pytest.raises(MetadataError) as caught:
        read_metadata(as_json(document))
    assert len(caught.value.problems) == 4  # months, canonical, and a tolerance for two outputs


def test_a_writer_says_nothing_it_does_not_understand(fields: Document) -> None:
    with pytest.raises(MetadataError, match="seed_: found 1, expected no such key"):
        create_metadata(**fields, seed_=1)
    fields["areas"] = {"EWR": {"latitude": 1, "longitude": 1, "timezone": "UTC", "height": 3}}
    with pytest.raises(MetadataError, match=r"areas\.EWR\.height: found 3"):
        create_metadata(**fields)
    fields["areas"] = {"EWR": Area(latitude=1, longitude=1, timezone="UTC", height=3)}
    with pytest.raises(
        MetadataError, match=rf"areas\['EWR'\]\.height: schema {NEWEST} has no such"
    ):
        create_metadata(**fields)


def test_dumping_refuses_unknown_fields_because_nobody_rewrites_a_delivery() -> None:
    older = full_document(schema=LAST_MAJOR) | {"schema_version": "0.98", "novelty": 1}
    for document in (_FULL | {"schema_version": NEXT, "novelty": 1}, older):
        with pytest.raises(MetadataError, match=f"novelty: schema {NEWEST} has no such field"):
            dump_metadata(read_metadata(as_json(document)))


def test_a_schema_of_a_branch_that_went_on_is_written_in_the_words_of_its_major() -> None:
    document = full_document(schema=LAST_MAJOR) | {"schema_version": "0.98"}
    metadata = read_metadata(as_json(document))
    assert json.loads(dump_metadata(metadata)) == document


def test_the_envelope_is_the_contracts_to_fill_in(fields: Document) -> None:
    said = create_metadata(**fields, schema_version=NEWEST, min_reader=OWN)
    assert said == create_metadata(**fields)
    with pytest.raises(MetadataError, match=r"schema_version: found 0\.1"):
        create_metadata(**fields, schema_version="0.1")
    with pytest.raises(MetadataError, match=rf"min_reader: found 0\.0, expected {OWN}"):
        create_metadata(**fields, min_reader="0.0")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_free_form_data_that_json_cannot_say_is_refused(fields: Document, value: object) -> None:
    fields["training"] = fields["training"].model_copy(update={"recipe": {"rate": value}})
    with pytest.raises(MetadataError):
        create_metadata(**fields)


def _no_float32(document: Document) -> None:
    document["inputs"][0]["dtype"] = "float16"


def _flat_context(document: Document) -> None:
    document["inputs"][2]["shape"] = [-1, 1]


def _other_unit(document: Document) -> None:
    document["inputs"][0]["unit"] = "degF"


def _other_output_unit(document: Document) -> None:
    document["outputs"][1]["unit"] = "1"


def _foreign_area(document: Document) -> None:
    document["performance"][0]["area"] = "Hebron"


def _foreign_variable(document: Document) -> None:
    document["performance"][0]["variable"] = "pressure"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_no_float32, "found float16 [-1, 24], expected float32"),
        (_flat_context, "'reference_time': found int64 [-1, 1], expected int64 [-1]"),
        (_other_unit, "found temperature in degF, expected degC"),
        (_other_output_unit, "found humidity in 1, expected %"),
        (_foreign_area, "performance[0]: found Hebron and temperature"),
        (_foreign_variable, "performance[0]: found EWR and pressure"),
    ],
)
def test_some_laws_bind_writers_only_so_that_readers_stay_tolerant(
    document: Document, change: Callable[[Document], None], told: str
) -> None:
    change(document)
    metadata = read_metadata(as_json(document))
    assert len(writing_problems(metadata)) == 1
    assert told in writing_problems(metadata)[0]
    written = {name: getattr(metadata, name) for name in ModelMetadata.model_fields}
    with pytest.raises(MetadataError) as caught:
        create_metadata(**written)
    assert told in str(caught.value)


# --- writing an older schema -----------------------------------------------------------------


def test_an_older_schema_is_written_as_its_own_writers_did(fields: Document) -> None:
    bound = {"applicability_domain": {"temperature": {"maximum": 30.0}}}
    data = dump_metadata(create_metadata(**fields | bound), schema="0.1")
    document = json.loads(data)
    assert (document["schema_version"], document["min_reader"]) == ("0.1", "0.1")
    expected = metadata_document(schema="0.1", max_temperature_seen=30.0)
    assert document == json.loads(dump_metadata(read_metadata(as_json(expected))))
    assert writing_problems(read_metadata(data)) == ()


def _wet() -> ModelMetadata:
    document = metadata_document(
        variables=("humidity",), applicability_domain={"humidity": {"maximum": 95.5}}
    )
    return read_metadata(as_json(document))


def test_a_meaning_that_an_older_schema_cannot_carry_is_never_lost_in_silence() -> None:
    metadata = _wet()
    with pytest.raises(NotExpressibleError) as caught:
        dump_metadata(metadata, schema="0.1")
    (problem,) = caught.value.problems
    assert problem.startswith("max_humidity_seen: found 95.5 %, expected none")
    assert "schema 0.1 cannot say" in str(caught.value)
    for schema, min_reader in (("0.2", "0.2"), ("0.4", "0.2"), (NEWEST, OWN)):
        assert read_metadata(dump_metadata(metadata, schema=schema)) == metadata.model_copy(
            update={"schema_version": schema, "min_reader": min_reader}
        )


def test_what_readers_might_ignore_is_not_left_out_in_silence_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = {**STEPS, "0.1": SilentStep()}
    monkeypatch.setattr("fairweather_interface.history.STEPS", steps)
    with pytest.raises(NotExpressibleError, match=r"max_humidity_seen: schema 0\.1 has no such"):
        dump_metadata(_wet(), schema="0.1")


def test_a_greatest_age_is_for_readers_of_0_4_and_never_lost_in_silence(fields: Document) -> None:
    (window,) = fields["inputs"]
    aged = window.model_copy(update={"max_age": timedelta(hours=3)})
    metadata = create_metadata(**fields | {"inputs": (aged,)})
    assert metadata.min_reader == OWN
    data = dump_metadata(metadata, schema="0.4")
    assert json.loads(data)["inputs"][0]["max_age"] == "PT3H"
    again = metadata.model_copy(update={"schema_version": "0.4", "min_reader": "0.4"})
    assert read_metadata(data) == again
    for reader in ("0.1", "0.2", "0.3"):
        with pytest.raises(UnsupportedSchemaError) as caught:
            read_metadata(data, reader=reader)
        assert (caught.value.found, caught.value.supported) == ("0.4", reader)
    with pytest.raises(NotExpressibleError) as lost:
        dump_metadata(metadata, schema="0.3")
    (problem,) = lost.value.problems
    assert problem.startswith("inputs[].max_age: found PT3H of 'temperature', expected none")


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=-3), timedelta(days=1, seconds=1)])
def test_a_greatest_age_that_no_window_can_have_is_not_written(
    fields: Document, age: timedelta
) -> None:
    (window,) = fields["inputs"]
    said = {name: getattr(window, name) for name in type(window).model_fields}
    with pytest.raises(MetadataError, match=r"inputs\[0\].*(positive|at most its period)"):
        create_metadata(**fields | {"inputs": (said | {"max_age": age},)})


def test_a_greatest_age_may_be_the_whole_window_or_less_than_a_sample(fields: Document) -> None:
    (window,) = fields["inputs"]
    for age in (window.period, timedelta(seconds=1)):
        aged = window.model_copy(update={"max_age": age})
        assert create_metadata(**fields | {"inputs": (aged,)}).inputs == (aged,)


@pytest.mark.parametrize("schema", ["0.0", NEXT, NEXT_MAJOR, "v0.1", "", "0.1.0"])
def test_a_schema_that_nobody_writes_is_told_with_those_that_are(
    fields: Document, schema: str
) -> None:
    assert (*STEPS, NEWEST) == WRITTEN_SCHEMAS  # what is read is written
    with pytest.raises(MetadataError, match=f"expected one of {', '.join(WRITTEN_SCHEMAS)}"):
        dump_metadata(create_metadata(**fields), schema=schema)


def test_what_was_read_is_written_in_the_schema_it_reports() -> None:
    document = metadata_document(schema="0.1")
    metadata = read_metadata(as_json(document))
    assert metadata.schema_version == "0.1"
    assert json.loads(dump_metadata(metadata)) == document
    assert json.loads(dump_metadata(metadata, schema="0.2"))["schema_version"] == "0.2"


def test_in_another_schema_the_min_reader_is_the_one_that_follows_from_what_is_said() -> None:
    domain = {"temperature": {"maximum": 30.0}}
    future = metadata_document(schema=NEXT, min_reader=NEXT, applicability_domain=domain)
    read = ModelMetadata.model_validate_json(as_json(future))
    for schema in WRITTEN_SCHEMAS:
        again = read_metadata(dump_metadata(read, schema=schema))
        expected = (schema, OWN if schema == NEWEST else "0.1")
        assert (again.schema_version, again.min_reader) == expected
