"""Every schema version a delivery can name: served, or refused in sight of all; never a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.refusals import Code
from flask import Flask

from answers import refused_with
from catalogues import Ingest, Kit
from fairweather_app.models_backend.software import NEWEST_SCHEMA
from schemas import NEXT, NEXT_MAJOR, SO_FAR

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]
Document = dict[str, Any]


def saying(**changes: object) -> Callable[[Document], None]:
    """A change of a document that says something else."""
    return lambda document: document.update(changes)


# ------------------------------------------------------------------------------------ served


@pytest.mark.parametrize("schema", SO_FAR)
def test_every_schema_so_far_is_served_and_goes_on_saying_which_it_is(
    ingest: Ingest, tiny_delivery: Build, schema: str
) -> None:
    found = ingest(tiny_delivery(schema=schema))
    assert found.entry.state == "live"
    assert found.delivery is not None
    assert found.delivery.metadata.schema_version == schema


@pytest.mark.parametrize(("written", "said"), [("0.4", "0.10"), (NEWEST_SCHEMA, "1.10")])
def test_minor_10_is_one_of_its_own_newer_than_9_and_served_where_it_allows_that(
    ingest: Ingest, tiny_delivery: Build, written: str, said: str
) -> None:
    found = ingest(tiny_delivery(schema=written, change=saying(schema_version=said)))
    assert found.entry.state == "live"
    assert found.delivery is not None
    assert found.delivery.metadata.schema_version == said


def test_a_newer_minor_is_served_by_what_this_release_knows_and_the_rest_is_shown(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    def from_the_future(document: Document) -> None:
        document.update(schema_version=NEXT, mood={"of": ["the day"]})
        document["areas"]["EWR"]["elevation"] = 3
        document["inputs"][0]["colour"] = "green"
        document["outputs"][0]["colour"] = "blue"
        document["artifacts"][0]["needs"]["moon"] = "full"
        document["tolerance"]["temperature_forecast"]["angular"] = 1
        document["performance"][0]["held_out"][0]["reason"] = "storms"
        document["training"]["hardware"] = "abacus"
        document["uncertainty"][0]["method"] = "pinball"
        document["applicability_domain"]["temperature"]["fuzzy"] = True

    bounds = {"temperature": {"minimum": 5.0}}
    path = tiny_delivery(quantiles=(0.1, 0.9), applicability_domain=bounds, change=from_the_future)
    observe("EWR", day)
    client = make_app().test_client()
    answer = client.get("/weather/predict?area=EWR").json
    assert answer is not None
    assert answer["forecast"]["temperature"]["value"] == day
    assert answer["forecast"]["temperature"]["interval"] == [0.1, 0.9]
    shown = client.get(f"/models/{path.name}").json
    assert shown is not None
    assert shown["metadata"] == json.loads((path / "metadata.json").read_text())
    assert set(shown["unknown_fields"]) == {
        "mood",
        "areas['EWR'].elevation",
        "inputs[0].colour",
        "outputs[0].colour",
        "artifacts[0].needs.moon",
        "tolerance['temperature_forecast'].angular",
        "performance[0].held_out[0].reason",
        "training.hardware",
        "uncertainty[0].method",
        "applicability_domain['temperature'].fuzzy",
    }


# ----------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("schema", "min_reader", "needed"),
    [
        (NEXT, NEXT, NEXT),
        ("1.10", "1.10", "1.10"),
        ("1.10", "1.9", "1.9"),
        (NEXT_MAJOR, "0.1", NEXT_MAJOR),
        (NEXT_MAJOR, NEXT_MAJOR, NEXT_MAJOR),
    ],
)
def test_what_must_be_obeyed_and_is_not_known_is_refused_with_found_supported_and_remedy(
    make_app: MakeApp, tiny_delivery: Build, schema: str, min_reader: str, needed: str
) -> None:
    path = tiny_delivery(change=saying(schema_version=schema, min_reader=min_reader, bound=1))
    shown = make_app().test_client().get(f"/models/{path.name}").json
    assert shown is not None
    assert (shown["state"], shown["code"]) == ("refused", "schema-too-new")
    assert (
        f"found metadata of schema {schema} that needs a reader of schema {needed}"
        in (shown["reason"])
    )
    assert f"supported here: up to {NEWEST_SCHEMA}" in shown["reason"]
    assert f"upgrade this software to a release that reads schema {needed}" in shown["reason"]


def test_a_document_of_the_next_major_in_which_nothing_is_known_is_refused_alike(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    def rewrite(document: Document) -> None:
        document.clear()
        document.update(schema_version=NEXT_MAJOR, min_reader=NEXT_MAJOR, everything="is new")

    found = ingest(tiny_delivery(change=rewrite))
    refused_with(found, "refused", Code.SCHEMA_TOO_NEW, NEXT_MAJOR, NEWEST_SCHEMA, "upgrade")


def test_this_release_reads_as_far_as_it_obeys_whatever_the_interface_could(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    kit = Kit(tmp_path / "cache", store)
    kit.cache.reader = "0.0"
    found = kit.ingest(tiny_delivery(schema="0.1").name)
    refused_with(found, "refused", Code.SCHEMA_TOO_NEW, "0.1", "0.0")


# ----------------------------------------------------------------------------------- corrupt


@pytest.mark.parametrize("field", ["schema_version", "min_reader"])
@pytest.mark.parametrize(
    "value",
    [
        *("v0.2", "0.2.0", "0.2.post1", "0", "", " 0.2", "00.2", "0.2\n", "-0.2", "0." + "9" * 40),
        *(0.2, 0.1, 2, True, None, ["0.2"], {"major": 0}),
    ],
    ids=repr,
)
def test_what_is_no_schema_version_is_corrupt_and_in_sight_and_the_rest_is_served(
    make_app: MakeApp, tiny_delivery: Build, field: str, value: object
) -> None:
    odd, sound = tiny_delivery(change=saying(**{field: value})), tiny_delivery()
    content = make_app().test_client().get("/models").json
    assert content is not None
    entries = {each["delivery_id"]: each for each in content["models"]}
    assert entries[sound.name]["state"] == "live"
    shown = entries[odd.name]
    assert (shown["state"], shown["code"]) == ("quarantined", "corrupt")
    assert f"{field}: found schema version" in shown["reason"]
    assert "write it in quotes" in shown["reason"]


@pytest.mark.parametrize("field", ["schema_version", "min_reader"])
def test_metadata_without_its_envelope_are_corrupt(
    ingest: Ingest, tiny_delivery: Build, field: str
) -> None:
    found = ingest(tiny_delivery(change=lambda document: document.pop(field)))
    refused_with(found, "quarantined", Code.CORRUPT, f"{field}: not found")


@pytest.mark.parametrize(
    ("fields", "said", "derived"),
    [
        ({"applicability_domain": {"temperature": {"minimum": -5.0}}}, "0.1", "0.3"),
        ({"applicability_domain": {"temperature": {"minimum": -5.0}}}, "0.2", "0.3"),
        (
            {
                "variables": ("humidity",),
                "applicability_domain": {"humidity": {"maximum": 80.0}},
            },
            *("0.1", "0.2"),
        ),
        ({"quantiles": (0.1, 0.9)}, "0.3", "0.1"),
        ({}, "0.2", "0.1"),
    ],
)
def test_a_min_reader_that_lies_is_caught_at_load(
    ingest: Ingest, tiny_delivery: Build, fields: Document, said: str, derived: str
) -> None:
    found = ingest(tiny_delivery(schema="0.4", **fields, change=saying(min_reader=said)))
    refused_with(
        found, "quarantined", Code.CORRUPT, f"min_reader: found {said}, expected {derived}"
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"valid_months": [13]}, "valid_months"),
        ({"author": 7}, "author"),
        ({"areas": {}}, "areas"),
        ({"uncertainty": {"outputs": []}}, "uncertainty"),
        ({"applicability_domain": {"moonlight": {"minimum": 1.0}}}, "applicability_domain"),
    ],
)
def test_metadata_that_break_the_contract_are_corrupt(
    ingest: Ingest, tiny_delivery: Build, changes: Document, told: str
) -> None:
    found = ingest(tiny_delivery(change=saying(**changes)))
    refused_with(found, "quarantined", Code.CORRUPT, told)
