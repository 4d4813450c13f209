"""The older schemas: there and back again gives the same document, both ways."""

from __future__ import annotations

import copy
import importlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import as_json
from fairweather_interface import SCHEMA_VERSION, history
from fairweather_interface._rows import derive_min_reader, newer_fields
from fairweather_interface.errors import NotExpressibleError
from fairweather_interface.history import STEPS, downgrade, upgrade
from fairweather_interface.metadata import LEDGER, read_metadata
from fairweather_interface.testing import metadata_document
from fairweather_interface.versions import SchemaVersion

Document = dict[str, Any]

_NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_NEWER: Mapping[str, st.SearchStrategy[object]] = {"max_humidity_seen": st.none() | _NUMBERS}
"""How to draw a field that came after 0.1, by its path; ``None`` says the same as absent."""

_SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]
_LAW = settings(max_examples=1000, deadline=None, suppress_health_check=_SLOW)


@st.composite
def documents(draw: st.DrawFn, schema: str) -> Document:
    """Draw a document of a schema, with whatever it can say and fields nobody knows."""
    changes: Document = {
        "valid_months": sorted(draw(st.sets(st.integers(1, 12), min_size=1))),
        "max_temperature_seen": draw(st.none() | _NUMBERS),
        "model_type": draw(st.text(min_size=1, max_size=20)),
    }
    for path, values in _NEWER.items():
        row = next(row for row in LEDGER if row.path == path)
        if SchemaVersion.parse(row.since) <= SchemaVersion.parse(schema) and draw(st.booleans()):
            changes[path] = draw(values)
    document = metadata_document(
        schema=schema,
        areas=draw(st.lists(st.sampled_from(("EWR", "JFK", "Hebron")), min_size=1, unique=True)),
        variables=draw(
            st.lists(st.sampled_from(("temperature", "humidity")), min_size=1, unique=True)
        ),
        samples=draw(st.integers(1, 48)),
        context=draw(st.booleans()),
        max_missing=draw(st.sampled_from((0.0, 0.25))),
        skill=draw(st.none() | st.floats(-1, 1)),
        **changes,
    )
    document["training"]["recipe"] = draw(st.dictionaries(st.text(max_size=8), _JSON, max_size=3))
    strange = draw(st.dictionaries(st.from_regex(r"x_[a-z]{1,5}", fullmatch=True), _JSON))
    return document | strange


def hub_documents(schema: str) -> st.SearchStrategy[Document]:
    """Draw documents of the newest schema that readers of an older one may read."""
    return documents(SCHEMA_VERSION).filter(
        lambda it: SchemaVersion.parse(it["min_reader"]) <= SchemaVersion.parse(schema)
    )


@pytest.mark.parametrize("schema", STEPS)
def test_spoke_hub_spoke(schema: str) -> None:
    @_LAW
    @given(document=documents(schema))
    def spoke_hub_spoke(document: Document) -> None:
        before = copy.deepcopy(document)
        hub = upgrade(document, schema=schema)
        assert read_metadata(as_json(hub)) == read_metadata(as_json(document))
        assert hub["schema_version"] == schema
        assert downgrade(hub, schema=schema) == before
        assert document == before

    spoke_hub_spoke()


@pytest.mark.parametrize("schema", STEPS)
def test_hub_spoke_hub(schema: str) -> None:
    @_LAW
    @given(document=hub_documents(schema))
    def hub_spoke_hub(document: Document) -> None:
        before = copy.deepcopy(document)
        spoke = downgrade(document, schema=schema)
        assert derive_min_reader(spoke, LEDGER) == document["min_reader"]
        assert upgrade(spoke, schema=schema) == before
        assert document == before

    hub_spoke_hub()


@pytest.mark.parametrize("schema", STEPS)
@settings(deadline=None, suppress_health_check=_SLOW)
@given(data=st.data())
def test_a_downgrade_refuses_exactly_what_readers_of_the_older_schema_would_have_to_obey(
    schema: str, data: st.DataObject
) -> None:
    document = data.draw(documents(SCHEMA_VERSION))
    if SchemaVersion.parse(document["min_reader"]) <= SchemaVersion.parse(schema):
        downgrade(document, schema=schema)
    else:
        with pytest.raises(NotExpressibleError) as caught:
            downgrade(document, schema=schema)
        told = {problem.partition(":")[0] for problem in caught.value.problems}
        assert told <= set(newer_fields(document, LEDGER, schema))


def test_every_field_that_came_after_the_first_schema_is_drawn() -> None:
    assert set(newer_fields_of_all()) == set(_NEWER)


def newer_fields_of_all() -> list[str]:
    return [row.path for row in LEDGER if row.since != "0.1"]


def test_the_newest_schema_is_its_own_hub() -> None:
    document = metadata_document(max_humidity_seen=90.0)
    assert upgrade(document, schema=SCHEMA_VERSION) is document
    assert downgrade(document, schema=SCHEMA_VERSION) is document
    assert upgrade(document, schema="9.9") is document


def test_every_step_on_the_way_is_heard_before_a_downgrade_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Later:
        """A step that cannot say a second thing."""

        def upgrade(self, document: Document, /) -> Document:
            return document

        def downgrade(self, document: Document, /) -> Document:
            raise NotExpressibleError(f"bands: found {document['bands']}, expected none")

    document = metadata_document(max_humidity_seen=90.0) | {"bands": 3}
    monkeypatch.setattr(history, "STEPS", {**STEPS, "0.2": Later()})
    with pytest.raises(NotExpressibleError) as caught:
        downgrade(document, schema="0.1")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "bands",
        "max_humidity_seen",
    ]
    with pytest.raises(NotExpressibleError, match=r"what schema 0\.2 cannot say"):
        downgrade(document, schema="0.2")


@pytest.mark.parametrize("schema", STEPS)
def test_each_step_is_a_module_named_by_its_schema_and_says_in_words_what_came(schema: str) -> None:
    name = f"fairweather_interface.history.v{schema.replace('.', '_')}"
    assert STEPS[schema] is importlib.import_module(name)
    assert (STEPS[schema].__doc__ or "").startswith("Schema ")


def test_steps_stand_in_order_and_end_before_the_newest() -> None:
    versions = [SchemaVersion.parse(version) for version in (*STEPS, SCHEMA_VERSION)]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(versions)


def test_a_document_of_the_first_schema_reads_the_same_as_ever() -> None:
    metadata = read_metadata(json.dumps(metadata_document(schema="0.1")))
    assert metadata.schema_version == metadata.min_reader == "0.1"
    assert metadata.max_humidity_seen is None
    assert metadata.unknown_fields == ()
