"""The check: does this release of the software support this model?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from conftest import PRECIPITATION, as_json, full_document
from fairweather_interface import Code, Software, Verdict, check, read_metadata
from fairweather_interface.metadata import ModelMetadata
from fairweather_interface.software import Runtime, SchemaRange
from fairweather_interface.testing import metadata_document
from schemas import LAST_MAJOR, NEXT, NEXT_MAJOR, OWN
from schemas import NEWEST as SCHEMA

ONNX = Runtime(format="onnx", name="onnxruntime", version="1.26.0", max_opset=20, max_ir_version=10)
TENSORFLOW = Runtime(format="tensorflow-saved-model", name="tensorflow", version="2.21.0")


def _software(**changes: Any) -> Software:
    return Software(
        **{
            "name": "fairweather-app",
            "version": "0.2.0",
            "readable_schemas": SchemaRange(oldest="0.1", newest="0.2"),
            "runtimes": (ONNX,),
            "roles": ("observations", "reference_time", "area_index"),
            "variables": {"temperature": "degC", "humidity": "%"},
            "longest_period": timedelta(days=30),
            "shortest_sample_rate": timedelta(minutes=1),
            **changes,
        }
    )


def _metadata(**changes: Any) -> ModelMetadata:
    """Return metadata of the last schema of the older major, unless another is asked for."""
    return read_metadata(as_json(metadata_document(**{"schema": LAST_MAJOR} | changes)))


def _artifacts(*artifacts: dict[str, Any]) -> dict[str, Any]:
    first, *others = artifacts
    return {"artifacts": [{"path": "model", "canonical": True, **first}, *others]}


def _input(**changes: Any) -> dict[str, Any]:
    (item,) = metadata_document()["inputs"]
    return {"inputs": [item | changes]}


SAVED = {"format": "tensorflow-saved-model", "needs": {"tensorflow": "2.21.0"}}
LEFT_OUT = {"format": "onnx", "omitted": "outputs differ"}
NEWEST = {"readable_schemas": SchemaRange(oldest="0.2", newest="0.2")}
OLDEST = {"readable_schemas": SchemaRange(oldest="0.1", newest="0.1")}
WET = {"variables": ("humidity",), "max_humidity_seen": 95.0}
RAIN = {"variables": ("precipitation",), "declared_variables": {"precipitation": PRECIPITATION}}
TAKES_ROWS = {"readable_schemas": SchemaRange(oldest="0.1", newest="0.4")}
THIS_MAJOR = {"readable_schemas": SchemaRange(oldest="0.1", newest=SCHEMA)}
FUTURE = {"schema_version": "0.98", "min_reader": "0.2"}

SERVES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a plain model": ({}, {}),
    "a plain model of the last schema of its major on older software": ({}, OLDEST),
    "a plain model of this major": ({"schema": SCHEMA}, THIS_MAJOR),
    "a bound of this major": (
        {"schema": SCHEMA, "applicability_domain": {"temperature": {"maximum": 9}}}, THIS_MAJOR),
    "a bound of the older major": ({"max_temperature_seen": 9.0}, THIS_MAJOR),
    "a newer minor of this major that lets us read": (
        {"schema": SCHEMA, "schema_version": NEXT, "min_reader": OWN}, THIS_MAJOR),
    "a model of an older schema": ({"schema": "0.1"}, {}),
    "a bound that the release obeys": (WET, {}),
    "a newer minor that lets us read": (FUTURE, {}),
    "context that can be fed": ({"context": True}, {}),
    "a variable that the model declares": (RAIN, TAKES_ROWS),
    "a declared variable that the release knows, too": (
        RAIN, {**TAKES_ROWS, "variables": {"precipitation": "mm"}}),
    "a greatest age that the release obeys": ({"max_age": timedelta(hours=3)}, TAKES_ROWS),
    "an opset at the limit": (
        _artifacts({"format": "onnx", "needs": {"opset": 20, "ir_version": 10}}), {}),
    "an artifact that states no needs": (_artifacts({"format": "onnx"}), {}),
    "a runtime that states no limits": (
        _artifacts({"format": "onnx", "needs": {"opset": 99, "ir_version": 99}}),
        {"runtimes": (Runtime(format="onnx", name="other", version="new"),)}),
    "one runtime of two that is enough": (
        _artifacts({"format": "onnx", "needs": {"opset": 21}}),
        {"runtimes": (ONNX, Runtime(format="onnx", name="other", version="1", max_opset=21))}),
    "an unknown format beside a known one": (
        _artifacts({"format": "stablehlo"}, {"format": "onnx", "path": "model.onnx"}), {}),
    "a SavedModel where TensorFlow is": (
        _artifacts(SAVED, LEFT_OUT), {"runtimes": (ONNX, TENSORFLOW)}),
    "a window of the longest period at the finest rate": (
        _input(period="P30D", sample_rate="PT1M", shape=[-1, 43200]), {}),
}  # fmt: skip

REFUSES: dict[str, tuple[dict[str, Any], dict[str, Any], Code, str]] = {
    "a plain model of a newer major": (
        {"schema": SCHEMA}, TAKES_ROWS, Code.SCHEMA_TOO_NEW,
        f"needs a reader of {OWN}, too new for fairweather-app 0.2.0, which reads 0.1 to 0.4; "),
    "a bound that the release does not obey": (
        WET, OLDEST, Code.SCHEMA_TOO_NEW,
        "needs a reader of 0.2, too new for fairweather-app 0.2.0, which reads 0.1 to 0.1"),
    "a greatest age that the release does not obey": (
        {"max_age": timedelta(hours=3)}, {}, Code.SCHEMA_TOO_NEW,
        "needs a reader of 0.4, too new for fairweather-app 0.2.0, which reads 0.1 to 0.2"),
    "a schema older than the release reads": (
        {"schema": "0.1"}, NEWEST, Code.SCHEMA_TOO_NEW, "found 0.1, too old for fairweather-app"),
    "an opset above the limit": (
        _artifacts({"format": "onnx", "needs": {"opset": 21}}), {}, Code.RUNTIME_UNAVAILABLE,
        "onnx needs more than onnxruntime 1.26.0 offers: opset 21, not 20"),
    "an IR version above the limit": (
        _artifacts({"format": "onnx", "needs": {"opset": 20, "ir_version": 11}}), {},
        Code.RUNTIME_UNAVAILABLE, "IR version 11, not 10"),
    "a format without a runtime": (
        _artifacts({"format": "stablehlo"}), {}, Code.RUNTIME_UNAVAILABLE,
        "stablehlo has no runtime there"),
    "a SavedModel alone where there is no TensorFlow": (
        _artifacts(SAVED, LEFT_OUT), {}, Code.RUNTIME_UNAVAILABLE,
        "tensorflow-saved-model has no runtime there; onnx was left out (outputs differ)"),
    "an older TensorFlow": (
        _artifacts(SAVED), {"runtimes": (TENSORFLOW.model_copy(update={"version": "2.20.1"}),)},
        Code.RUNTIME_UNAVAILABLE, "TensorFlow 2.21.0 or later"),
    "a TensorFlow whose version says nothing": (
        _artifacts(SAVED), {"runtimes": (TENSORFLOW.model_copy(update={"version": "nightly"}),)},
        Code.RUNTIME_UNAVAILABLE, "tensorflow nightly offers"),
    "no runtimes at all": ({}, {"runtimes": ()}, Code.RUNTIME_UNAVAILABLE, "no runtime there"),
    "a role that is unknown": (
        {"inputs": [*metadata_document()["inputs"],
                    {"name": "radar", "dtype": "float32", "shape": [-1, 3], "role": "images"}]},
        {}, Code.RUNTIME_UNAVAILABLE, "radar: found the role images, fairweather-app 0.2.0 can"),
    "a variable nobody observes": (
        {"variables": ("pressure",)}, {}, Code.OBSERVATIONS_MISSING,
        "pressure: needs pressure, supplied are temperature, humidity"),
    "a declared variable whose row the release does not take": (
        RAIN, {}, Code.OBSERVATIONS_MISSING,
        "precipitation: needs precipitation, supplied are temperature, humidity"),
    "a variable nobody observes and nobody declares": (
        {"variables": ("pressure",)}, TAKES_ROWS, Code.OBSERVATIONS_MISSING,
        "pressure: needs pressure, supplied are temperature, humidity"),
    "a declared variable that the release has in another unit": (
        RAIN, {**TAKES_ROWS, "variables": {"precipitation": "inch"}}, Code.OBSERVATIONS_MISSING,
        "needs precipitation in mm, supplied in inch"),
    "a variable in another unit": (
        _input(unit="K"), {}, Code.OBSERVATIONS_MISSING,
        "needs temperature in K, supplied in degC"),
    "a window longer than any kept": (
        _input(period="P31D", sample_rate="P1D", shape=[-1, 31]), {}, Code.OBSERVATIONS_MISSING,
        "needs 31 days, the longest window supplied is 30 days"),
    "a rate finer than any kept": (
        _input(period="PT1H", sample_rate="PT30S", shape=[-1, 120]), {},
        Code.OBSERVATIONS_MISSING,
        "needs a sample every 30 seconds, the finest supplied is every 1 minute"),
}  # fmt: skip


@pytest.mark.parametrize("name", SERVES)
def test_a_release_serves(name: str) -> None:
    model, software = SERVES[name]
    verdict = check(_metadata(**model), _software(**software))
    assert verdict == Verdict()
    assert verdict.serves


def test_a_release_serves_without_what_it_may_ignore() -> None:
    verdict = check(read_metadata(as_json(full_document(schema=LAST_MAJOR))), _software())
    assert verdict.serves
    assert verdict.unused == (
        "contact", "intended_use", "licence", "limitations", "performance[].by_age",
        "performance[].by_lead_day", "uncertainty", "variables",
    )  # fmt: skip


@pytest.mark.parametrize("name", REFUSES)
def test_a_release_refuses(name: str) -> None:
    model, software, code, told = REFUSES[name]
    verdict = check(_metadata(**model), _software(**software))
    assert not verdict.serves
    (refusal,) = verdict.refusals
    assert refusal.code is code
    assert told in refusal.reason


def test_a_newer_major_is_too_new_whatever_its_min_reader_says() -> None:
    metadata = _metadata().model_copy(update={"schema_version": NEXT_MAJOR})
    (refusal,) = check(metadata, _software()).refusals
    assert refusal.code is Code.SCHEMA_TOO_NEW
    assert f"needs a reader of {NEXT_MAJOR}" in refusal.reason


def test_every_reason_is_told_at_once_and_in_order() -> None:
    metadata = _metadata(
        variables=("pressure", "humidity"), context=True, max_humidity_seen=95.0, samples=1000
    )
    software = _software(
        runtimes=(), roles=("observations", "area_index"), variables={"humidity": "1"}, **OLDEST
    )
    verdict = check(metadata, software)
    assert [(item.code.value, item.reason.partition(":")[0]) for item in verdict.refusals] == [
        ("schema-too-new", "schema"),
        ("runtime-unavailable", "artifacts"),
        ("observations-missing", "pressure"),
        ("observations-missing", "pressure"),
        ("observations-missing", "humidity"),
        ("observations-missing", "humidity"),
        ("runtime-unavailable", "reference_time"),
    ]


def test_fields_that_another_major_removed_are_not_among_what_software_does_without() -> None:
    for newest in ("0.1", "0.2", "0.3", "0.4", SCHEMA):
        software = _software(readable_schemas=SchemaRange(oldest="0.1", newest=newest))
        assert check(_metadata(max_temperature_seen=30.0), software) == Verdict()


def test_a_verdict_is_the_same_however_often_it_is_asked() -> None:
    metadata, software = _metadata(variables=("pressure",)), _software()
    assert check(metadata, software) == check(metadata, software)
