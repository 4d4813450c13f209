"""The testing kit: what it builds conforms, and its golden windows are right."""

from __future__ import annotations

import json
import math
import struct
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import PRECIPITATION, as_json
from fairweather_interface import (
    EXAMPLES,
    MetadataError,
    NotExpressibleError,
    Observed,
    check_applicability,
    check_start,
    open_delivery,
    read_metadata,
    verify_delivery,
)
from fairweather_interface.metadata import writing_problems
from fairweather_interface.testing import (
    GOLDEN_WINDOWS,
    GoldenWindow,
    build_delivery,
    identity_onnx,
    metadata_document,
)
from schemas import NEWEST, OWN

Tiny = Callable[..., Path]


# --- documents and deliveries ----------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"areas": ("EWR", "JFK", "Hebron")},
        {"variables": ("temperature", "humidity", "pressure", "dew_point", "wind_speed")},
        {"samples": 1},
        {"context": True},
        {"max_missing": 0.25},
        {"skill": None, "skill_interval": None},
        {"skill": -0.5, "skill_interval": (-0.6, -0.4)},
        {"valid_months": [6, 7, 8]},
        {"applicability_domain": {"temperature": {"maximum": -3.0}}},
        {"schema": "0.4", "max_temperature_seen": -3.0},
        {"schema": "0.3", "max_humidity_seen": 60.0, "variables": ("humidity",)},
        {"max_age": timedelta(hours=3)},
        {"by_lead_day": (0.3, 0.0, -0.1), "by_age": {timedelta(hours=3): 0.2}},
        {"variables": ("precipitation",), "declared_variables": {"precipitation": PRECIPITATION}},
        {
            "variables": ("temperature", "share"),
            "declared_variables": {"share": {"unit": "1", "minimum": 0, "maximum": 1}},
            "applicability_domain": {"share": {"minimum": 0.25}},
        },
        {"schema": "0.1"},
        {"schema": "0.1", "context": True, "max_temperature_seen": 30.0},
        {"schema": "0.2", "max_humidity_seen": 95.0, "variables": ("humidity",)},
    ],
    ids=str,
)
def test_what_the_kit_builds_conforms(changes: dict[str, Any], store: Path) -> None:
    assert writing_problems(read_metadata(as_json(metadata_document(**changes)))) == ()
    path = build_delivery(store, **changes)
    assert verify_delivery(path) == ()
    delivery = open_delivery(path)
    if "areas" in changes:
        assert tuple(delivery.metadata.areas) == changes["areas"]
    months = delivery.metadata.valid_months
    assert all(
        check_start(delivery.metadata, next(iter(delivery.metadata.areas)), moment) is None
        for moment in (datetime(2013, months[0], 10, tzinfo=UTC),)
    )


@pytest.mark.parametrize("schema", ["0.4", NEWEST])
@pytest.mark.parametrize(
    "bounds",
    [
        {"minimum": -2.0, "maximum": 1.0},
        {"minimum": 50.0},
        {"maximum": -50.0},
        {"minimum": 3.0, "maximum": 3.0},
    ],
    ids=str,
)
def test_the_examples_of_the_kit_lie_inside_the_domain_it_declares(
    bounds: dict[str, float], schema: str, store: Path
) -> None:
    path = build_delivery(store, schema=schema, applicability_domain={"temperature": bounds})
    with zipfile.ZipFile(path / EXAMPLES) as archive:
        data = archive.read("input/temperature.npy")[-8 * 24 * 4 :]
    values = [value for (value,) in struct.iter_unpack("<f", data)]
    window = Observed(lowest=min(values), highest=max(values), missing=0)
    assert check_applicability(open_delivery(path).metadata, {"temperature": window}) is None


def test_a_document_says_the_schema_it_is_written_in_and_the_reader_it_needs() -> None:
    def envelope(**arguments: Any) -> tuple[str, str]:
        document = metadata_document(**arguments)
        return document["schema_version"], document["min_reader"]

    wet: dict[str, Any] = {"variables": ("humidity",), "max_humidity_seen": 90.0}
    assert envelope() == (NEWEST, OWN)
    assert envelope(schema="0.1") == ("0.1", "0.1")
    assert envelope(schema="0.4", **wet) == ("0.4", "0.2")
    assert envelope(schema="0.4", **wet, min_reader="0.1") == ("0.4", "0.1")
    assert envelope(schema="0.4", max_age=timedelta(hours=3)) == ("0.4", "0.4")
    assert envelope(max_age=timedelta(hours=3)) == (NEWEST, OWN)
    with pytest.raises(NotExpressibleError, match="max_humidity_seen"):
        metadata_document(schema="0.1", **wet)
    with pytest.raises(NotExpressibleError, match="max_age"):
        metadata_document(schema="0.3", max_age=timedelta(hours=3))


def test_an_older_schema_may_be_asked_for_in_its_own_words_or_in_the_newest() -> None:
    domain = {"temperature": {"maximum": 30.0}}
    for schema in ("0.1", "0.2", "0.3", "0.4"):
        asked = metadata_document(schema=schema, applicability_domain=domain)
        assert asked == metadata_document(schema=schema, max_temperature_seen=30.0)
        assert asked["max_temperature_seen"] == 30.0
        assert asked.get("applicability_domain") == (domain if schema >= "0.3" else None)
    assert "max_temperature_seen" not in metadata_document(applicability_domain=domain)


def test_the_skill_of_days_and_ages_is_the_one_that_is_asked_for() -> None:
    document = metadata_document(
        areas=("EWR", "JFK"), by_lead_day=(0.3, 0.0), by_age={timedelta(hours=36): -0.5}
    )
    for row in read_metadata(as_json(document)).performance:
        assert [day.skill for day in row.by_lead_day or ()] == pytest.approx([0.3, 0.0])
        assert [(it.age, it.skill) for it in row.by_age or ()] == [(timedelta(hours=36), -0.5)]
        assert {day.coverage for day in row.by_lead_day or ()} == {None}  # it has no band
    banded = metadata_document(by_lead_day=(0.3,), quantiles=(0.1, 0.9))
    assert banded["performance"][0]["by_lead_day"][0]["coverage"] == 0.8


def test_documents_share_nothing_so_that_a_test_may_change_its_own() -> None:
    one = metadata_document(areas=("EWR", "Hebron"), variables=("temperature", "humidity"))
    before = json.dumps(metadata_document(areas=("EWR", "Hebron")))
    one["areas"]["EWR"]["timezone"] = one["areas"]["Hebron"]["timezone"] = "Mars"
    one["inputs"][0]["shape"].append(1)
    one["training"]["recipe"]["x"] = 1
    one["tolerance"]["temperature_forecast"]["absolute"] = 9
    one["performance"][0]["held_out"].clear()
    assert json.dumps(metadata_document(areas=("EWR", "Hebron"))) == before
    two = metadata_document(areas=("Hebron", "Gaza"), by_lead_day=(0.3,))
    two["areas"]["Hebron"]["timezone"] = "Mars"
    two["performance"][0]["by_lead_day"][0]["baselines"].clear()
    assert two["areas"]["Gaza"]["timezone"] == "UTC"
    assert two["performance"][1]["by_lead_day"][0]["baselines"]
    assert one["inputs"][1]["shape"] == one["outputs"][0]["shape"] == [-1, 24]


def test_a_change_makes_a_complete_delivery_that_need_not_conform(
    tiny_delivery: Tiny, store: Path
) -> None:
    path = tiny_delivery(change=lambda document: document.update(valid_months=[]))
    with pytest.raises(MetadataError):
        open_delivery(path)
    with pytest.raises(RuntimeError):
        tiny_delivery(change=_raise)
    assert [item.name for item in store.iterdir()] == [path.name]


def _raise(_: dict[str, Any]) -> None:
    raise RuntimeError


def test_a_delivery_may_have_an_id_and_a_model_of_ones_own(tiny_delivery: Tiny) -> None:
    name = "00000000-0000-4000-8000-000000000001"
    path = tiny_delivery(delivery_id=name, model=b"mine")
    assert path.name == name
    assert (path / "model.onnx").read_bytes() == b"mine"
    assert verify_delivery(path) == ()


def test_two_builds_of_one_delivery_are_the_same_bytes(tmp_path: Path) -> None:
    name = "00000000-0000-4000-8000-000000000001"
    one = open_delivery(build_delivery(tmp_path / "a", delivery_id=name, max_missing=0.1))
    two = open_delivery(build_delivery(tmp_path / "b", delivery_id=name, max_missing=0.1))
    assert one.digest == two.digest


def test_the_store_of_the_fixture_is_empty(store: Path) -> None:
    assert list(store.iterdir()) == []


# --- the smallest model ----------------------------------------------------------------------


def _fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """Parse a protocol-buffers message into numbered fields: an independent reading."""
    fields: list[tuple[int, int | bytes]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            fields.append((key >> 3, varint()))
        else:
            assert key & 7 == 2
            size = varint()
            assert at + size <= len(data)
            fields.append((key >> 3, data[at : at + size]))
            at += size
    return fields


def _all(data: bytes, number: int) -> list[Any]:
    return [value for key, value in _fields(data) if key == number]


def _one(data: bytes, number: int) -> Any:
    (value,) = _all(data, number)
    return value


def _tensor(info: bytes) -> tuple[str, int, list[int | str]]:
    """Return name, element type and axes of a ValueInfoProto."""
    tensor = _one(_one(info, 2), 1)
    axes: list[int | str] = []
    for axis in _all(_one(tensor, 2), 1):
        ((number, value),) = _fields(axis)
        axes.append(value if isinstance(value, int) else value.decode())
        assert number == (1 if isinstance(value, int) else 2)
    return _one(info, 1).decode(), _one(tensor, 1), axes


def test_the_identity_model_is_valid_onnx_of_about_a_hundred_bytes() -> None:
    model = identity_onnx([("t", "t_forecast")], 24)
    assert 80 <= len(model) <= 130
    assert _one(model, 1) == 8  # ir_version
    assert _fields(_one(model, 8)) == [(1, b""), (2, 17)]  # the default domain, its operator set
    graph = _one(model, 7)
    assert _fields(_one(graph, 1)) == [(1, b"t"), (2, b"t_forecast"), (4, b"Identity")]
    assert _tensor(_one(graph, 11)) == ("t", 1, ["batch", 24])
    assert _tensor(_one(graph, 12)) == ("t_forecast", 1, ["batch", 24])
    assert _one(graph, 2)


def test_the_identity_model_takes_several_pairs_and_inputs_it_ignores() -> None:
    model = identity_onnx(
        [("a", "a2"), ("b", "b2")], 43_200, unused=("reference_time",), opset=24, ir_version=12
    )
    graph = _one(model, 7)
    assert [_tensor(info) for info in _all(graph, 11)] == [
        ("a", 1, ["batch", 43_200]),
        ("b", 1, ["batch", 43_200]),
        ("reference_time", 7, ["batch"]),
    ]
    assert [_tensor(info)[0] for info in _all(graph, 12)] == ["a2", "b2"]
    assert (_one(model, 1), _one(_one(model, 8), 2)) == (12, 24)


def test_the_arrays_of_the_examples_are_aligned_as_numpy_writes_them(tiny_delivery: Tiny) -> None:
    with zipfile.ZipFile(tiny_delivery() / EXAMPLES) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            assert (10 + int.from_bytes(data[8:10], "little")) % 64 == 0
            assert data[10 + int.from_bytes(data[8:10], "little") - 1 :][:1] == b"\n"


# --- golden windows --------------------------------------------------------------------------


def _brute_force(golden: GoldenWindow) -> list[float | None]:
    """Reckon a window by asking every sample about every observation, in whole microseconds."""

    def tick(moment: datetime) -> int:
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    rate = golden.sample_rate // timedelta(microseconds=1)
    count = golden.period // golden.sample_rate
    window: list[float | None] = []
    for position in range(count):
        end = tick(golden.reference_time) - (count - 1 - position) * rate
        means = []
        for area in golden.areas:
            values = [
                value
                for moment, value in golden.series[area]
                if end - rate < tick(moment) <= end and not math.isnan(value)
            ]
            if values:
                means.append(math.fsum(values) / len(values))
        enough = means and 2 * len(means) >= len(golden.areas)
        window.append(math.fsum(means) / len(means) if enough else None)
    return window


def test_a_golden_window_is_what_brute_force_finds(golden_window: GoldenWindow) -> None:
    assert _brute_force(golden_window) == list(golden_window.expected)


def test_golden_windows_are_whole(golden_window: GoldenWindow) -> None:
    assert golden_window.period % golden_window.sample_rate == timedelta(0)
    samples = golden_window.period // golden_window.sample_rate
    assert len(golden_window.expected) == samples
    assert golden_window.reference_time.utcoffset() == timedelta(0)
    assert set(golden_window.series) == set(golden_window.areas)
    for series in golden_window.series.values():
        assert all(moment.utcoffset() == timedelta(0) for moment, _ in series)


def test_golden_windows_cover_what_goes_wrong() -> None:
    names = " ".join(golden.name for golden in GOLDEN_WINDOWS)
    assert len({golden.name for golden in GOLDEN_WINDOWS}) == len(GOLDEN_WINDOWS) >= 15
    for word in ("gap", "irregular", "clocks", "region", "half", "not numbers", "no observation"):
        assert word in names
    assert any(len(golden.areas) == 3 for golden in GOLDEN_WINDOWS)
    assert any(
        list(series) != sorted(series, key=lambda pair: pair[0])
        for golden in GOLDEN_WINDOWS
        for series in golden.series.values()
    )
