"""The older schemas: there and back again gives the same document, both ways."""

from __future__ import annotations

import copy
import importlib
import json
import math
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import PRECIPITATION, as_json, full_document
from fairweather_interface import SCHEMA_VERSION, history
from fairweather_interface.errors import NotExpressibleError
from fairweather_interface.history import STEPS, downgrade, uncarried, upgrade
from fairweather_interface.metadata import ModelMetadata, derive_min_reader, read_metadata
from fairweather_interface.metadata.reading import is_known, last_known, ledger_of
from fairweather_interface.metadata.rows import newer_fields
from fairweather_interface.testing import metadata_document
from fairweather_interface.versions import SchemaVersion
from schemas import LAST_MAJOR

Document = dict[str, Any]

_NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_SKILLS = st.floats(-1, 1)
_SEEN = {"temperature": "max_temperature_seen", "humidity": "max_humidity_seen"}
_NEWER = {
    "max_humidity_seen", "applicability_domain", "uncertainty", "inputs[].max_age",
    "performance[].by_lead_day", "performance[].by_age", "variables", "intended_use",
    "limitations", "licence", "contact",
}  # fmt: skip
"""The fields that came after 0.1 and are drawn below, those inside them too."""


@st.composite
def documents(draw: st.DrawFn, schema: str) -> Document:
    """Draw a document of a schema, with whatever it can say and fields nobody knows."""
    can = {row.path for row in ledger_of(schema) if _not_after(row.since, schema)}
    declared = draw(st.booleans()) if "variables" in can else False
    names = ("temperature", "humidity", *(("precipitation",) if declared else ()))
    variables = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    samples = draw(st.integers(1, 48))
    max_missing = draw(st.sampled_from((0.0, 0.25)))
    changes: Document = {
        "valid_months": sorted(draw(st.sets(st.integers(1, 12), min_size=1))),
        "model_type": draw(st.text(min_size=1, max_size=20)),
    }
    bounds: Document = {field: draw(st.none() | _NUMBERS) for field in _SEEN.values()
              if field in can and draw(st.booleans())}  # fmt: skip
    if "applicability_domain" in can and draw(st.booleans()):
        bounds["applicability_domain"] = draw(
            st.none() | st.fixed_dictionaries({}, optional={
                variable: _bounds(bounds.get(_SEEN.get(variable, "")), max_missing)
                for variable in variables
            })
        )  # fmt: skip
    if "uncertainty" in can:
        changes["quantiles"] = draw(st.lists(st.floats(0.001, 0.999), unique=True, max_size=3))
    if "inputs[].max_age" in can:
        changes["max_age"] = draw(st.none() | _hours(samples))
    if "performance[].by_lead_day" in can:
        changes["by_lead_day"] = draw(st.lists(_SKILLS, max_size=3))
        ages = sorted(draw(st.sets(_hours(48), max_size=3)))
        changes["by_age"] = {age: draw(_SKILLS) for age in ages}
    if declared:
        row = st.fixed_dictionaries(
            {name: st.just(value) for name, value in PRECIPITATION.items()},
            optional={"label": st.none() | st.just("Rain"), "margin": st.none() | st.just(5)},
        )
        changes["declared_variables"] = {"precipitation": draw(row)}
    for name in {"intended_use", "limitations", "contact"} & can:
        changes[name] = draw(st.none() | st.text(min_size=1, max_size=20))
    if "licence" in can:
        changes["licence"] = draw(st.sampled_from((None, "Apache-2.0", "MIT OR CC-BY-4.0")))
    document = metadata_document(
        schema=schema,
        areas=draw(st.lists(st.sampled_from(("EWR", "JFK", "Hebron")), min_size=1, unique=True)),
        variables=variables,
        samples=samples,
        context=draw(st.booleans()),
        max_missing=max_missing,
        skill=draw(st.none() | st.floats(-1, 1)),
        **changes,
    )
    document["training"]["recipe"] = draw(st.dictionaries(st.text(max_size=8), _JSON, max_size=3))
    strange = draw(st.dictionaries(st.from_regex(r"(x_[a-z]{1,5})?", fullmatch=True), _JSON))
    document |= bounds | strange  # as they are drawn: the kit would say an old bound in both forms
    return document | {"min_reader": derive_min_reader(document, schema=schema)}


@st.composite
def _bounds(draw: st.DrawFn, seen: float | None, max_missing: float) -> Document:
    """Draw bounds, often just those that older fields carry."""
    carried = st.just(seen) | st.just(None if seen is None else math.nextafter(seen, math.inf))
    maximum = draw(carried | carried | _NUMBERS)
    minimum = draw(st.none() | st.none() | _NUMBERS)
    if minimum is not None and maximum is not None and minimum > maximum:
        minimum, maximum = maximum, minimum
    if minimum is not None and seen is not None:
        minimum = min(minimum, seen)
    missing = draw(st.sampled_from((None, max_missing, 0.25, 0.1)))
    drawn = {"minimum": minimum, "maximum": maximum, "max_missing": missing}
    return {
        name: value for name, value in drawn.items() if value is not None or draw(st.booleans())
    }


def _hours(most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(1, most).map(lambda hours: timedelta(hours=hours))


def _not_after(version: str, schema: str) -> bool:
    return SchemaVersion.parse(version) <= SchemaVersion.parse(schema)


@pytest.mark.parametrize("schema", STEPS)
def test_a_document_of_an_older_schema_means_the_same_in_the_newest_and_when_it_comes_back(
    schema: str,
) -> None:
    @given(document=documents(schema))
    def spoke_hub_spoke(document: Document) -> None:
        before = copy.deepcopy(document)
        hub = upgrade(document, schema=schema)
        read = read_metadata(as_json(document))
        assert ModelMetadata.model_validate_json(as_json(hub)) == read
        assert hub["schema_version"] == schema
        back = downgrade(hub, schema=schema)
        assert upgrade(back, schema=schema) == hub
        back["min_reader"] = derive_min_reader(back, schema=schema)
        again = read_metadata(as_json(back))
        assert again == read.model_copy(update={"min_reader": again.min_reader})
        assert SchemaVersion.parse(again.min_reader) <= SchemaVersion.parse(read.min_reader)
        assert document == before

    spoke_hub_spoke()


@pytest.mark.parametrize("schema", STEPS)
def test_a_document_of_the_newest_schema_comes_back_whole_from_every_older_one_that_can_say_it(
    schema: str,
) -> None:
    @given(document=documents(SCHEMA_VERSION))
    def hub_spoke_hub(document: Document) -> None:
        before = copy.deepcopy(document)
        try:
            spoke = downgrade(document, schema=schema)
        except NotExpressibleError:
            return
        needed = derive_min_reader(spoke, schema=schema)
        assert SchemaVersion.parse(needed) <= SchemaVersion.parse(schema)
        assert upgrade(spoke, schema=schema) == before
        assert document == before

    hub_spoke_hub()


_INSIDE = [
    (old, new)
    for old, new in pairwise((*STEPS, SCHEMA_VERSION))
    if SchemaVersion.parse(old).major == SchemaVersion.parse(new).major
]


@pytest.mark.parametrize(("old", "new"), _INSIDE)
@given(data=st.data())
def test_inside_a_major_a_step_there_and_back_changes_nothing(
    old: str, new: str, data: st.DataObject
) -> None:
    document = data.draw(documents(old))
    assert STEPS[old].downgrade(STEPS[old].upgrade(document)) == document
    newer = data.draw(documents(new))
    if SchemaVersion.parse(newer["min_reader"]) <= SchemaVersion.parse(old):
        assert STEPS[old].upgrade(STEPS[old].downgrade(newer)) == newer


@pytest.mark.parametrize("schema", STEPS)
@given(data=st.data())
def test_a_downgrade_refuses_exactly_what_readers_of_the_older_schema_would_have_to_obey(
    schema: str, data: st.DataObject
) -> None:
    document = data.draw(documents(SCHEMA_VERSION))
    last = downgrade(document, schema=LAST_MAJOR)  # which asks for nothing that is not there
    needed = derive_min_reader(last, schema=LAST_MAJOR)
    if SchemaVersion.parse(needed) <= SchemaVersion.parse(schema):
        downgrade(document, schema=schema)
    else:
        with pytest.raises(NotExpressibleError) as caught:
            downgrade(document, schema=schema)
        told = {problem.partition(":")[0] for problem in caught.value.problems}
        assert told <= set(newer_fields(last, ledger_of(LAST_MAJOR), schema))


def test_every_field_that_came_after_the_first_schema_is_drawn() -> None:
    newer = [row.path for schema in (LAST_MAJOR, SCHEMA_VERSION) for row in ledger_of(schema)
             if row.since != "0.1"]  # fmt: skip
    inside = tuple(f"{path}{mark}" for path in newer for mark in (".", "[", "{"))
    assert {path for path in newer if not path.startswith(inside)} == _NEWER, (
        "draw it in `documents` above, and name it in _NEWER"
    )


_DOMAIN = {"temperature": {"minimum": -5.0, "maximum": 30.0, "max_missing": 0.1}}


@pytest.mark.parametrize(
    ("older", "left"),
    [
        ({}, _DOMAIN),
        ({"max_temperature_seen": 30.0}, {"temperature": {"minimum": -5.0, "max_missing": 0.1}}),
        ({"max_temperature_seen": 29.5}, {"temperature": {"minimum": -5.0, "max_missing": 0.1}}),
        ({"max_temperature_seen": 30.5}, _DOMAIN),
        ({"max_humidity_seen": 1.0}, _DOMAIN),
        ({"max_missing": 0.1}, {"temperature": {"minimum": -5.0, "maximum": 30.0}}),
        ({"max_missing": 0.2}, _DOMAIN),
    ],
    ids=str,
)
def test_a_bound_is_carried_by_an_older_field_that_is_no_looser(
    older: Document, left: Document
) -> None:
    document = metadata_document(max_missing=older.get("max_missing", 0.25))
    document |= older | {"applicability_domain": _DOMAIN}
    assert uncarried(document)["applicability_domain"] == left
    assert derive_min_reader(document, schema=LAST_MAJOR) == "0.3"
    with pytest.raises(NotExpressibleError) as caught:
        STEPS["0.2"].downgrade(document)
    told = [
        f"applicability_domain: found the {bound} {value} of 'temperature'"
        for bound, value in left["temperature"].items()
    ]
    assert [problem.partition(", expected")[0] for problem in caught.value.problems] == told


def test_a_domain_that_older_fields_carry_whole_demands_nothing_new() -> None:
    domain = {"temperature": {"maximum": 30.0, "max_missing": 0.1}, "humidity": {}}
    document = metadata_document(
        schema=LAST_MAJOR, variables=("temperature", "humidity"), max_missing=0.1,
        quantiles=(0.1, 0.9), applicability_domain=domain,
    )  # fmt: skip
    assert document["max_temperature_seen"] == 30.0
    assert document["min_reader"] == "0.1"
    assert "applicability_domain" not in uncarried(document)
    assert uncarried(document, schema="0.3") is document
    for schema in ("0.3", "0.2", "0.1"):
        assert STEPS[schema].downgrade(document) is document


def test_a_greatest_age_needs_a_reader_of_0_4_and_no_older_schema_can_say_it() -> None:
    document = metadata_document(variables=("temperature", "humidity"), max_age=timedelta(hours=3))
    assert derive_min_reader(downgrade(document, schema="0.4"), schema="0.4") == "0.4"
    for schema in ("0.1", "0.2", "0.3"):
        with pytest.raises(NotExpressibleError) as caught:
            downgrade(document, schema=schema)
        assert caught.value.problems == tuple(
            f"inputs[].max_age: found PT3H of {name!r}, expected none: readers of schema 0.3 serve "
            "windows whose newest value is older"
            for name in ("temperature", "humidity")
        )
    document["inputs"][0]["max_age"] = None
    with pytest.raises(NotExpressibleError, match="PT3H of 'humidity'") as caught:
        downgrade(document, schema="0.3")
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("schema", STEPS)
def test_what_0_4_says_for_people_stays_on_the_way_there_and_back(schema: str) -> None:
    document = full_document()
    assert downgrade(document, schema=schema)["variables"] == document["variables"]
    assert upgrade(downgrade(document, schema="0.3"), schema="0.3") == document


def test_the_newest_schema_is_its_own_hub() -> None:
    document = metadata_document(variables=("humidity",))
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

    document = metadata_document() | {"max_humidity_seen": 90.0, "bands": 3}
    monkeypatch.setattr(history, "STEPS", {"0.1": STEPS["0.1"], "0.2": Later()})
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
    assert metadata.applicability_domain is None
    assert metadata.unknown_fields == ()


def test_a_schema_that_is_not_known_goes_on_from_the_last_known_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def moves(name: str) -> SimpleNamespace:
        return SimpleNamespace(
            upgrade=lambda document: {**document, name: 1},
            downgrade=lambda document: {key: it for key, it in document.items() if key != name},
        )

    monkeypatch.setattr(history, "STEPS", {"0.3": moves("a"), "0.4": moves("b")})

    def upgraded(schema: str) -> dict[str, Any]:
        return upgrade({}, schema=last_known(SchemaVersion.parse(schema)))

    assert upgraded("0.3") == upgraded("0.2") == {"a": 1, "b": 1}
    assert upgraded("0.4") == {"b": 1}
    assert upgraded("0.99") == {"b": 1}  # of a branch that went on beside 1.0
    assert upgraded("1.0") == upgraded("1.7") == {}
    known = ("0.2", "0.3", "0.4", "0.99", "1.0", "1.7")
    assert [it for it in known if is_known(it)] == ["0.3", "0.4", "1.0"]
