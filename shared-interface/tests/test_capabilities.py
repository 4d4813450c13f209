"""What a model may declare beyond a plain forecast: domain, uncertainty, variables of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import PRECIPITATION, as_json
from fairweather_interface import (
    Observed,
    check,
    check_applicability,
    create_metadata,
    dump_metadata,
    open_delivery,
    read_metadata,
    read_software,
    verify_delivery,
)
from fairweather_interface.errors import CorruptDeliveryError, MetadataError, NotExpressibleError
from fairweather_interface.metadata import (
    Bounds,
    DeclaredVariable,
    ModelMetadata,
    Quantile,
    derive_min_reader,
    newer_meanings,
    writing_problems,
)
from fairweather_interface.refusals import Code
from fairweather_interface.testing import builders, metadata_document
from fairweather_interface.variables import VARIABLES, Variable
from schemas import LAST_MAJOR, NEWEST, NEXT, OWN

Document = dict[str, Any]
Tiny = Callable[..., Path]

_TWO = ("temperature", "humidity")


def _read(**changes: Any) -> ModelMetadata:
    return read_metadata(as_json(metadata_document(**changes)))


def _fields(**changes: Any) -> Document:
    """Return what a writer hands to create_metadata."""
    metadata = _read()
    written = {name: getattr(metadata, name) for name in type(metadata).model_fields}
    del written["schema_version"], written["min_reader"]
    return written | changes


# --- the laws of the document ----------------------------------------------------------------


def test_quantiles_are_found_by_their_output_the_lowest_first() -> None:
    metadata = _read(variables=_TWO, quantiles=(0.9, 0.025))
    assert [item.name for item in metadata.quantiles("temperature_forecast")] == [
        "temperature_forecast_q2_5",
        "temperature_forecast_q90",
    ]
    assert len(metadata.quantiles("humidity_forecast")) == 2
    assert metadata.quantiles("nothing") == ()
    assert _read().quantiles("temperature_forecast") == ()
    assert [item.name for item in metadata.outputs] == ["temperature_forecast", "humidity_forecast"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "temperature"}, "'temperature': found a name that another tensor has"),
        ({"name": "temperature_forecast"}, "found a name that another tensor has"),
        ({"name": "temperature_forecast_q90"}, "found a name that another tensor has"),
        ({"name": "q"}, "tolerance: found none for 'q', expected one for every quantile"),
        ({"output": "humidity_forecast"}, "found a quantile of 'humidity_forecast', which is no"),
        ({"probability": 0.9}, "found 0.9 of 'temperature_forecast' twice"),
        ({"probability": 0.0}, "greater than 0"),
        ({"probability": 1}, "less than 1"),
        ({"name": "q 10"}, "pattern"),
    ],
    ids=str,
)
def test_a_quantile_that_contradicts_the_rest_is_no_metadata(change: Document, told: str) -> None:
    document = metadata_document(quantiles=(0.1, 0.9))
    document["uncertainty"][0] |= change
    with pytest.raises(MetadataError, match=r"uncertainty|tolerance") as caught:
        read_metadata(as_json(document))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("domain", "told"),
    [
        ({"radar": {"minimum": 0}}, "found bounds of 'radar', expected an input of the role"),
        ({"area_index": {"minimum": 0}}, "found bounds of 'area_index'"),
        ({"temperature": {"minimum": 3, "maximum": 2}}, "minimum of 3 above the maximum of 2"),
        ({"temperature": {"max_missing": 1.5}}, "less than or equal to 1"),
        ({"temperature": {"maximum": "hot"}}, "found 'hot', expected a valid number"),
    ],
    ids=str,
)
def test_bounds_that_nobody_can_keep_are_no_metadata(domain: Document, told: str) -> None:
    document = metadata_document(context=True, applicability_domain=domain)
    with pytest.raises(MetadataError, match="applicability_domain") as caught:
        read_metadata(as_json(document))
    assert told in str(caught.value)


def test_equal_bounds_and_no_bounds_at_all_are_fine() -> None:
    for bounds in ({"minimum": 2, "maximum": 2}, {}):
        assert _read(applicability_domain={"temperature": bounds}).applicability_domain is not None


@pytest.mark.parametrize(
    ("changes", "min_reader"),
    [
        ({"quantiles": (0.1, 0.9)}, "0.1"),
        ({"applicability_domain": {}}, "0.1"),
        ({"applicability_domain": {"temperature": {}}}, "0.1"),
        ({"applicability_domain": {"temperature": {"minimum": -5}}}, "0.3"),
        ({"applicability_domain": {"temperature": {"maximum": 30}}}, "0.1"),
        (
            {
                "applicability_domain": {"temperature": {"maximum": 30}},
                "max_temperature_seen": 31,
            },
            "0.1",
        ),
        (
            {
                "variables": ("humidity",),
                "applicability_domain": {"humidity": {"maximum": 90}},
                "max_humidity_seen": 90,
            },
            "0.2",
        ),
    ],
    ids=str,
)
def test_a_document_demands_what_older_fields_do_not_carry(
    changes: Document, min_reader: str
) -> None:
    changes = {"schema": LAST_MAJOR} | changes
    assert _read(**changes).min_reader == min_reader
    lie = "0.3" if min_reader != "0.3" else "0.2"
    with pytest.raises(MetadataError, match=f"min_reader: found {lie}, expected {min_reader}"):
        _read(**changes, min_reader=lie)


# --- writing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("demands", [{}, {"max_age": timedelta(hours=3)}, {"quantiles": (0.1,)}])
def test_a_document_of_this_major_needs_a_reader_of_it_whatever_it_demands(
    demands: Document,
) -> None:
    assert metadata_document(**demands)["min_reader"] == OWN
    domain = {"temperature": {"minimum": -5, "maximum": 30, "max_missing": 0.0}}
    assert _read(applicability_domain=domain, **demands).min_reader == OWN


def test_a_bound_is_written_to_the_older_major_by_its_older_name_too() -> None:
    domain = {"temperature": Bounds(minimum=-5.0, maximum=30.5)}
    metadata = create_metadata(**_fields(applicability_domain=domain))
    document = json.loads(dump_metadata(metadata, schema=LAST_MAJOR))
    assert document["max_temperature_seen"] == 30.5
    assert document["applicability_domain"] == {"temperature": {"minimum": -5.0, "maximum": 30.5}}
    assert (document["schema_version"], document["min_reader"]) == (LAST_MAJOR, "0.3")
    only_low = create_metadata(**_fields(applicability_domain={"temperature": Bounds(minimum=-5)}))
    document = json.loads(dump_metadata(only_low, schema=LAST_MAJOR))
    assert "max_temperature_seen" not in document
    assert document["min_reader"] == "0.3"


def test_a_carried_bound_is_written_to_an_older_schema_by_its_older_name_alone() -> None:
    domain = {"temperature": Bounds(maximum=30.5)}
    metadata = create_metadata(**_fields(applicability_domain=domain))
    for schema in ("0.1", "0.2"):
        document = json.loads(dump_metadata(metadata, schema=schema))
        assert "applicability_domain" not in document
        assert document["max_temperature_seen"] == 30.5
        assert (document["schema_version"], document["min_reader"]) == (schema, "0.1")
    assert json.loads(dump_metadata(metadata, schema=NEWEST)) == json.loads(dump_metadata(metadata))


def test_every_meaning_that_an_older_schema_would_lose_is_told() -> None:
    metadata = _read(
        variables=_TWO,
        quantiles=(0.1, 0.9),
        applicability_domain={
            "temperature": {"minimum": -5.0, "maximum": 30.0}, "humidity": {"maximum": 90.0},
        },
    )  # fmt: skip
    with pytest.raises(NotExpressibleError) as caught:
        dump_metadata(metadata, schema="0.1")
    assert [problem.partition(", expected")[0] for problem in caught.value.problems] == [
        "applicability_domain: found the minimum -5.0 of 'temperature'",
        "max_humidity_seen: found 90.0 %",
        "uncertainty: schema 0.1 has no such field",
    ]
    with pytest.raises(NotExpressibleError, match=r"uncertainty: schema 0\.2 has no such field"):
        dump_metadata(_read(quantiles=(0.1, 0.9)), schema="0.2")


def test_what_the_older_major_asks_for_and_is_not_there_is_told() -> None:
    metadata = _read()
    training = metadata.training.model_copy(update={"seed": None, "packages": None})
    (row,) = metadata.performance
    fields = _fields(
        topic=None, model_digest=None, training=training,
        performance=(row.model_copy(update={"rmse": None, "held_out": None}),),
    )  # fmt: skip
    lean = create_metadata(**fields)
    assert read_metadata(dump_metadata(lean)) == lean
    with pytest.raises(NotExpressibleError) as caught:
        dump_metadata(lean, schema=LAST_MAJOR)
    assert caught.value.problems == tuple(
        f"{path}: not found, and schema 0.4 asks for it"
        for path in (
            "topic", "model_digest", "training.seed", "training.packages", "performance[0].rmse",
            "performance[0].held_out",
        )
    )  # fmt: skip
    none = create_metadata(**_fields(performance=()))
    assert json.loads(dump_metadata(none, schema=LAST_MAJOR))["performance"] == []


# --- the domain ------------------------------------------------------------------------------


def _window(low: float | None = 0.0, high: float | None = 1.0, missing: int = 0) -> Observed:
    return Observed(lowest=low, highest=high, missing=missing)


@pytest.mark.parametrize(("old", "new"), [(30.0, 28.0), (28.0, 30.0), (28.0, 28.0), (28, None)])
def test_of_an_old_bound_and_a_new_one_the_lower_holds(old: float, new: float | None) -> None:
    bounds = {"minimum": -5.0} | ({} if new is None else {"maximum": new})
    document = metadata_document(
        schema=LAST_MAJOR, variables=_TWO, applicability_domain={"temperature": bounds}
    )
    document |= {"max_temperature_seen": old, "max_humidity_seen": 90.0}
    document["applicability_domain"] = {"temperature": bounds}
    assert read_metadata(as_json(document)).applicability_domain == {
        "temperature": Bounds(minimum=-5.0, maximum=28.0),
        "humidity": Bounds(maximum=90.0),
    }


def test_an_old_bound_alone_is_a_domain_and_none_is_none() -> None:
    assert _read().applicability_domain is None
    assert _read(schema="0.1").applicability_domain is None
    assert _read(schema="0.1", max_temperature_seen=3.0).applicability_domain == {
        "temperature": Bounds(maximum=3.0)
    }


@pytest.mark.parametrize(
    ("window", "margin", "told"),
    [
        (_window(-5.0, 30.0), 0.0, None),
        (_window(-5.0, math.nextafter(30.0, 99)), 0.0, "above the 30 degC it is declared fit for"),
        (_window(math.nextafter(-5.0, -99), 0.0), 0.0, "below the -5 degC it is declared fit for"),
        (_window(-8.0, 33.0), 3.0, None),
        (_window(-8.1, 0.0), 3.0, ("temperature fell to -8.1 degC, below the -5 degC it is "
         "declared fit for and the margin of 3 degC")),
        (_window(0.0, 33.1), 3.0, ("temperature reached 33.1 degC, above the 30 degC it is "
         "declared fit for and the margin of 3 degC")),
        (_window(0.0, math.inf), 3.0, "reached inf degC"),
        (_window(None, None, 6), 3.0, None),
        (_window(math.nan, math.nan), 0.0, None),
        (_window(missing=6), 0.0, None),
        (_window(missing=7), 99.0, ("temperature lacks 7 of 24 observations, more than the 25 % "
         "it is declared fit for")),
    ],
    ids=str,
)  # fmt: skip
def test_a_window_is_held_against_every_bound_of_its_input(
    window: Observed, margin: float, told: str | None
) -> None:
    bounds = {"minimum": -5.0, "maximum": 30.0, "max_missing": 0.25}
    metadata = _read(applicability_domain={"temperature": bounds}, max_missing=0.5)
    refusal = check_applicability(
        metadata, {"temperature": window}, margins={"temperature": margin, "humidity": 1000.0}
    )
    assert (refusal is None) == (told is None)
    if refusal is not None:
        assert refusal.code is Code.OUT_OF_DOMAIN
        assert (told or "") in refusal.reason


def test_everything_beyond_is_told_at_once_by_the_name_that_tells_it_apart() -> None:
    document = metadata_document(schema=LAST_MAJOR, max_temperature_seen=30.0)
    other = document["inputs"][0] | {"name": "far_away", "areas": ["LGA"]}
    document["inputs"].append(other)
    document["applicability_domain"] = {"far_away": {"minimum": 0.0}}
    document["min_reader"] = "0.3"
    refusal = check_applicability(
        read_metadata(as_json(document)),
        {"temperature": _window(high=31.0), "far_away": _window(-1.0, 40.0)},
    )
    assert refusal is not None
    assert refusal.reason == (
        "temperature reached 31 degC, above the 30 degC it is declared fit for; "
        "far_away reached 40 degC, above the 30 degC it is declared fit for; "
        "far_away fell to -1 degC, below the 0 degC it is declared fit for"
    )


def test_only_the_windows_of_bounded_inputs_are_asked_for() -> None:
    assert check_applicability(_read(), {}) is None
    with pytest.raises(KeyError):
        check_applicability(_read(schema="0.1", max_temperature_seen=3.0), {})


@given(bound=st.floats(-50, 50), low=st.floats(-60, 60), high=st.floats(-60, 60))
def test_old_fields_and_new_say_the_same_of_the_same_bound(
    bound: float, low: float, high: float
) -> None:
    window = {"temperature": _window(min(low, high), max(low, high))}
    older = _read(schema="0.1", max_temperature_seen=bound)
    newer = _read(applicability_domain={"temperature": {"maximum": bound}})
    assert check_applicability(older, window) == check_applicability(newer, window)


def test_a_domain_that_no_window_can_meet_is_no_metadata() -> None:
    domain = {"temperature": {"minimum": 20.0}}
    document = metadata_document(schema=LAST_MAJOR, applicability_domain=domain)
    with pytest.raises(MetadataError, match="a minimum of 20 above the maximum of 10"):
        read_metadata(as_json(document | {"max_temperature_seen": 10.0}))
    read_metadata(as_json(document | {"max_temperature_seen": 20.0}))
    other = {"humidity": {"minimum": 20.0}}
    document = metadata_document(
        schema=LAST_MAJOR, variables=_TWO, applicability_domain=other, max_temperature_seen=10.0
    )
    read_metadata(as_json(document))


@pytest.mark.parametrize("strange", [5.0, "x", None, []])
def test_a_bound_is_never_carried_by_a_field_nobody_knows(strange: object) -> None:
    document = metadata_document(
        schema=LAST_MAJOR,
        variables=("pressure",),
        applicability_domain={"pressure": {"maximum": 1000.0}},
    )
    document[""] = strange
    assert derive_min_reader(document, schema=LAST_MAJOR) == "0.3"
    assert read_metadata(as_json(document)).min_reader == "0.3"
    with pytest.raises(MetadataError, match=r"found 0\.1, expected 0\.3"):
        read_metadata(as_json(document | {"min_reader": "0.1"}))


def test_numbers_are_compared_as_they_are_read() -> None:
    bound, seen = 9007199254740992, 9007199254740993  # one and the same float
    document = metadata_document(schema=LAST_MAJOR)
    document["applicability_domain"] = {"temperature": {"maximum": bound}}
    metadata = read_metadata(as_json(document | {"max_temperature_seen": seen}))
    assert metadata.min_reader == "0.1"
    assert read_metadata(dump_metadata(metadata)) == metadata


def test_no_quantiles_are_said_by_leaving_them_out() -> None:
    with pytest.raises(MetadataError, match="uncertainty: found"):
        _read(uncertainty=[])


# --- deliveries, and who serves them ---------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"quantiles": (0.1, 0.9), "variables": _TWO},
        {"quantiles": (0.025, 0.5, 0.975), "context": True, "max_missing": 0.25},
        {"applicability_domain": {"temperature": {"minimum": -20.0}}},
        {"applicability_domain": {"temperature": {"max_missing": 0.0}}, "max_missing": 0.25},
    ],
    ids=str,
)
def test_what_the_kit_builds_of_the_newest_schema_conforms(
    tiny_delivery: Tiny, changes: Document
) -> None:
    path = tiny_delivery(**changes)
    assert verify_delivery(path) == ()
    assert open_delivery(path).metadata.schema_version == NEWEST


def test_examples_without_a_declared_quantile_are_corrupt(tiny_delivery: Tiny) -> None:
    def declare(document: Document) -> None:
        said = {"name": "q5", "output": "temperature_forecast", "probability": 0.05}
        document["uncertainty"] = [said]
        document["tolerance"]["q5"] = {"absolute": 1, "relative": 0}

    with pytest.raises(CorruptDeliveryError, match="not found: output/q5"):
        open_delivery(tiny_delivery(change=declare))


def test_older_software_is_given_what_it_may_read_and_told_apart_from_what_it_must_obey(
    tiny_delivery: Tiny,
) -> None:
    bands = tiny_delivery(schema=LAST_MAJOR, quantiles=(0.1, 0.9))
    carried = tiny_delivery(
        schema=LAST_MAJOR, applicability_domain={"temperature": {"maximum": 30.0}}
    )
    for path in (bands, carried):
        assert open_delivery(path, reader="0.1").metadata.schema_version == LAST_MAJOR
    bound = tiny_delivery(
        schema=LAST_MAJOR, applicability_domain={"temperature": {"minimum": -20.0}}
    )
    for reader in ("0.1", "0.2"):
        with pytest.raises(MetadataError, match=r"needs a reader of schema 0\.3"):
            open_delivery(bound, reader=reader)


def test_a_writer_is_told_of_quantiles_that_cross(
    tiny_delivery: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = builders._examples

    def upside_down(document: Any, pairs: Any, samples: int, shifts: dict[str, float]) -> bytes:
        return examples(document, pairs, samples, {name: -by for name, by in shifts.items()})

    monkeypatch.setattr(builders, "_examples", upside_down)
    told = (
        "examples.npz: output/temperature_forecast_q90: found values below those of "
        "output/temperature_forecast_q10 in example 1, expected none"
    )
    with pytest.raises(CorruptDeliveryError) as caught:
        tiny_delivery(quantiles=(0.1, 0.9))
    assert told in str(caught.value)
    path = tiny_delivery(quantiles=(0.1, 0.9), change=lambda _: None)
    assert any(told in problem for problem in verify_delivery(path))
    assert open_delivery(path).metadata.uncertainty is not None  # a reader judges for itself


# --- variables of its own ---------------------------------------------------------------------

_RAIN = Variable(name="precipitation", unit="mm", minimum=0.0, maximum=500.0, margin=5.0)


def test_a_declared_variable_is_a_row_of_the_models_own_table() -> None:
    metadata = _read(declared_variables={"precipitation": PRECIPITATION | {"margin": 5.0}})
    assert metadata.declared_variables == {
        "precipitation": DeclaredVariable(unit="mm", minimum=0.0, maximum=500.0, margin=5.0)
    }
    assert list(metadata.variable_table) == [*VARIABLES, "precipitation"]
    assert metadata.variable_table["precipitation"] == _RAIN
    assert _read().variable_table == VARIABLES
    assert metadata.variables == ("temperature",)  # what it forecasts
    assert metadata.min_reader == OWN


def test_a_declaration_keeps_what_a_row_says_of_it() -> None:
    bare = DeclaredVariable(unit="mm", minimum=0.0, maximum=500.0)
    assert bare.row("snow_depth") == Variable(
        name="snow_depth", unit="mm", minimum=0.0, maximum=500.0, label="Snow depth"
    )
    named = Variable(name="rain", unit="mm", minimum=0.0, maximum=9.0, label="Regen", margin=1.0)
    assert DeclaredVariable.of(named).row("rain") == named


@pytest.mark.parametrize("field", ["variables", "declared_variables"])
def test_a_writer_may_use_the_name_of_the_document_or_of_the_record(field: str) -> None:
    declared = {"precipitation": DeclaredVariable.of(_RAIN)}
    fields = {name: item for name, item in _fields().items() if name != "declared_variables"}
    metadata = create_metadata(**fields | {field: declared})
    assert metadata.declared_variables == declared
    document = json.loads(dump_metadata(metadata))
    assert document["variables"] == {
        "precipitation": PRECIPITATION | {"label": "Precipitation", "margin": 5.0}
    }
    assert "declared_variables" not in document


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"unit": "degF"}, "-80 to 60 degF"),
        ({"minimum": -90.0}, "-90 to 60 degC"),
        ({"maximum": 60.00001}, "-80 to 60.00001 degC"),
    ],
    ids=str,
)
def test_a_variable_of_the_packaged_table_is_not_declared_otherwise(
    change: Document, found: str
) -> None:
    row = {"unit": "degC", "minimum": -80.0, "maximum": 60.0}
    assert create_metadata(**_fields(declared_variables={"temperature": row})).min_reader == OWN
    with pytest.raises(MetadataError) as caught:
        create_metadata(**_fields(declared_variables={"temperature": row | change}))
    (problem,) = caught.value.problems
    assert problem == (
        f"variables: found temperature from {found}, expected -80 to 60 degC, as it is known "
        "already: give the variable another name, or the same unit and limits"
    )


def test_what_was_declared_before_the_packaged_table_knew_it_is_read_by_the_packaged_row() -> None:
    wider = _read(
        declared_variables={"temperature": {"unit": "degC", "minimum": -99.0, "maximum": 70.0}}
    )
    assert wider.variable_table == VARIABLES
    assert len(writing_problems(wider)) == 1
    assert check(wider, read_software(_release(NEWEST))).serves


def test_a_unit_that_contradicts_the_table_is_read_and_refused_where_it_is_supplied() -> None:
    document = metadata_document(
        declared_variables={"temperature": {"unit": "degF", "minimum": -99.0, "maximum": 150.0}}
    )
    document["inputs"][0]["unit"] = document["outputs"][0]["unit"] = "degF"
    metadata = read_metadata(as_json(document))
    (refusal,) = check(metadata, read_software(_release(NEWEST))).refusals
    assert refusal.code is Code.OBSERVATIONS_MISSING
    assert refusal.reason == "temperature: needs temperature in degF, supplied in degC"
    assert len(writing_problems(metadata)) == 3  # its row, its input, its output


def _release(newest: str) -> bytes:
    return as_json(
        {
            "name": "fairweather-app",
            "version": f"{newest}.0",
            "readable_schemas": {"oldest": "0.1", "newest": newest},
            "runtimes": [{"format": "onnx", "name": "onnxruntime", "version": "1.26.0"}],
            "roles": ["observations"],
            "variables": {"temperature": "degC"},
            "longest_period": "P30D",
            "shortest_sample_rate": "PT1M",
        }
    )


def test_a_verdict_tells_what_a_release_will_do_without() -> None:
    older, newest = read_software(_release("0.2")), read_software(_release(NEWEST))
    metadata = _read(
        schema=LAST_MAJOR,
        quantiles=(0.1, 0.9),
        applicability_domain={"temperature": {"maximum": 30.0}},
    )
    assert check(metadata, older).serves
    assert check(metadata, older).unused == ("uncertainty",)
    assert check(metadata, newest).unused == ()
    low = {"temperature": {"minimum": 1.0}}
    refused = check(_read(schema=LAST_MAJOR, applicability_domain=low), older)
    assert [refusal.code for refusal in refused.refusals] == [Code.SCHEMA_TOO_NEW]
    assert refused.unused == ("applicability_domain",)


def test_fields_from_the_future_are_among_what_nobody_here_knows() -> None:
    metadata = _read(schema_version=NEXT, novelty=1)
    assert newer_meanings(metadata, NEWEST) == ("novelty",)
    assert newer_meanings(metadata, NEXT) == ()


def test_the_records_are_said_by_name() -> None:
    assert Bounds() == Bounds(minimum=None, maximum=None, max_missing=None)
    assert Quantile(name="q", output="o", probability=0.1).probability == 0.1
