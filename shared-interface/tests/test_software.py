"""The software manifest: what a release supports, as data."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fairweather_interface import Software, SoftwareError, dump_software, read_software
from fairweather_interface.software import Runtime, SchemaRange

_DOCUMENT: dict[str, Any] = {
    "name": "fairweather-app",
    "version": "0.1.0",
    "readable_schemas": {"oldest": "0.1", "newest": "0.1"},
    "runtimes": [
        {"format": "onnx", "name": "onnxruntime", "version": "1.26.0", "max_opset": 24,
         "max_ir_version": 12},
        {"format": "tensorflow-saved-model", "name": "tensorflow", "version": "2.21.0"},
    ],
    "roles": ["observations", "reference_time", "area_index"],
    "variables": {"temperature": "degC", "humidity": "%"},
    "longest_period": "P366D",
    "shortest_sample_rate": "PT1M",
}  # fmt: skip


def _software(**changes: Any) -> Software:
    return Software(
        **{
            "name": "fairweather-app",
            "version": "0.1.0",
            "readable_schemas": SchemaRange(oldest="0.1", newest="0.1"),
            "runtimes": (Runtime(format="onnx", name="onnxruntime", version="1.26.0"),),
            "roles": ("observations",),
            "variables": {"temperature": "degC"},
            "longest_period": timedelta(days=366),
            "shortest_sample_rate": timedelta(minutes=1),
            **changes,
        }
    )


def test_a_software_manifest_round_trips_to_the_byte() -> None:
    software = read_software(json.dumps(_DOCUMENT))
    data = dump_software(software)
    assert json.loads(data) == _DOCUMENT
    assert read_software(data) == software
    assert dump_software(read_software(data)) == data
    assert read_software(dump_software(_software())) == _software()


@given(days=st.integers(1, 10**6), seconds=st.integers(1, 10**6), opset=st.integers(1, 99))
def test_any_software_round_trips(days: int, seconds: int, opset: int) -> None:
    runtime = Runtime(format="onnx", name="r", version="1", max_opset=opset)
    software = _software(
        runtimes=(runtime,),
        longest_period=timedelta(days=days),
        shortest_sample_rate=timedelta(seconds=seconds),
    )
    assert read_software(dump_software(software)) == software


def test_a_manifest_from_the_future_is_read_and_keeps_what_we_do_not_know() -> None:
    document = _DOCUMENT | {"regions": ["EU"], "roles": ["observations", "telepathy"]}
    document["runtimes"] = [_DOCUMENT["runtimes"][0] | {"accelerators": ["tpu"]}]
    software = read_software(json.dumps(document))
    assert software.roles == ("observations", "telepathy")
    with pytest.raises(SoftwareError, match=r"found regions, runtimes\[0\]\.accelerators"):
        dump_software(software)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "name"),
        ({"version": 1}, "version: found 1"),
        ({"readable_schemas": {"oldest": "0.1"}}, "readable_schemas.newest: not found"),
        ({"readable_schemas": {"oldest": "0.2", "newest": "0.1"}}, "from 0.2 to 0.1"),
        ({"readable_schemas": {"oldest": "0.9", "newest": "0.1.0"}}, "readable_schemas.newest"),
        ({"readable_schemas": {"oldest": "0." + "1" * 5000, "newest": "1.0"}}, "oldest"),
        ({"runtimes": [{"format": "onnx"}]}, "runtimes[0].name"),
        ({"runtimes": {}}, "runtimes"),
        ({"variables": ["temperature"]}, "variables: found ['temperature'], expected a mapping"),
        ({"longest_period": "30 days"}, "longest_period"),
        ({"shortest_sample_rate": "P" + "9" * 15 + "D"}, "shortest_sample_rate"),
        ({"shortest_sample_rate": 60}, "shortest_sample_rate"),
    ],
)
def test_a_manifest_that_is_none_is_refused_with_the_place(
    change: dict[str, Any], told: str
) -> None:
    with pytest.raises(SoftwareError) as caught:
        read_software(json.dumps(_DOCUMENT | change))
    assert told in str(caught.value)
    assert "flask --app fairweather_app software" in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"{}", b"\xff", "\ud800", b"[" * 100_000, b"9" * 5000, b'{"a": NaN}',
     b'{"name": "a", "name": "b"}', '{"name": "\\ud800"}'],
    ids=range(11),
)  # fmt: skip
def test_bytes_that_are_no_manifest_are_a_software_error(data: bytes | str) -> None:
    with pytest.raises(SoftwareError) as caught:
        read_software(data)
    assert caught.value.problems


@given(data=st.binary(max_size=50) | st.text(max_size=50))
def test_nothing_but_a_software_error_leaves_the_reader(data: bytes | str) -> None:
    with pytest.raises(SoftwareError):
        read_software(data)


def test_a_writer_hears_of_every_mistake() -> None:
    with pytest.raises(ValidationError):
        _software(longest_period="soon")
    with pytest.raises(SoftwareError, match="found max_ops"):
        dump_software(_software(max_ops=1))


def test_a_version_that_packages_cannot_have_is_refused() -> None:
    with pytest.raises(SoftwareError, match=r"version: found 'new', expected a version such as"):
        read_software(json.dumps({**_DOCUMENT, "version": "new"}))
