"""Examples: read by their headers, never unpickled, never unpacked without bound."""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import as_json
from fairweather_interface.examples import EXAMPLES, MINIMUM, example_problems
from fairweather_interface.metadata import ModelMetadata, read_metadata
from fairweather_interface.testing import metadata_document
from fairweather_interface.testing.identity import floats, integers, npz, texts

Array = tuple[str, tuple[int, ...], bytes]


def _metadata(**changes: Any) -> ModelMetadata:
    return read_metadata(as_json(metadata_document(samples=3, context=True, **changes)))


def _arrays(rows: int = MINIMUM, *, missing: bool = False) -> dict[str, Array]:
    values = [[float(row), 1.0, 2.0] for row in range(rows)]
    if missing:
        values[0][0] = math.nan
    return {
        "input/temperature": floats(values),
        "input/reference_time": integers(range(rows)),
        "input/area_index": integers([0] * rows),
        "output/temperature_forecast": floats(values),
        "area": texts(["EWR"] * rows),
        "reference_time": integers(range(rows)),
        "expect": texts(["serve"] * (rows - 1) + ["out-of-domain"]),
    }


def _problems(
    folder: Path, arrays: dict[str, Array], *, writing: bool = True, **changes: Any
) -> tuple[str, ...]:
    (folder / EXAMPLES).write_bytes(npz(arrays))
    return example_problems(folder / EXAMPLES, _metadata(**changes), writing=writing)


def test_good_examples_have_no_problems(tmp_path: Path) -> None:
    assert _problems(tmp_path, _arrays()) == ()
    assert _problems(tmp_path, _arrays(rows=20)) == ()


def test_examples_may_hold_more_than_the_metadata_names(tmp_path: Path) -> None:
    more: dict[str, Array] = {
        "output/temperature_quantiles": ("<f4", (MINIMUM, 9, 3), b"\0" * MINIMUM * 9 * 3 * 4),
        "observed/temperature": ("<f8", (0,), b""),
        "when": ("<M8[s]", (1,), b"\0" * 8),
        "note": ("|S3", (1,), b"abc"),
        "flag": ("|b1", (), b"\1"),
    }
    assert _problems(tmp_path, _arrays() | more) == ()


@pytest.mark.parametrize("name", list(_arrays()))
def test_an_array_that_the_metadata_names_must_be_there(name: str, tmp_path: Path) -> None:
    arrays = _arrays()
    del arrays[name]
    (problem,) = _problems(tmp_path, arrays)
    assert problem.endswith(f"not found: {name}")
    assert problem.startswith(f"{EXAMPLES}: expected the arrays")


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("input/temperature", floats([[1.0] * 4] * 8), "found shape [8, 4], expected [8, 3]"),
        ("input/temperature", floats([[1.0] * 3] * 9), "found shape [9, 3], expected [8, 3]"),
        ("input/temperature", ("<f8", (8, 3), b"\0" * 192), "found dtype '<f8', expected '<f4'"),
        ("input/temperature", (">f4", (8, 3), b"\0" * 96), "found dtype '>f4', expected '<f4'"),
        ("output/temperature_forecast", integers([1] * 8), "found shape [8], expected [8, 3]"),
        ("input/reference_time", ("<i4", (8,), b"\0" * 32), "found dtype '<i4', expected '<i8'"),
        ("reference_time", floats([[1.0]] * 8), "found shape [8, 1], expected [8]"),
        ("area", integers([1] * 8), "found dtype '<i8', expected '<U'"),
        ("area", (">U3", (8,), b"\0" * 96), "found dtype '>U3', expected '<U'"),
        ("area", ("<U3", (), b"\0" * 12), "found 0 examples, expected at least 8"),
        ("area", texts(["EWR", "JFK"] * 4), "area: found ['JFK'], which the metadata does not"),
        ("expect", texts(["corrupt"] * 8), "expect: found no example to serve"),
        ("expect", texts(["serve"] * 7 + ["perhaps"]), "found ['perhaps'], expected serve or a re"),
    ],
)
def test_an_array_that_differs_from_the_metadata_is_told(
    name: str, array: Array, told: str, tmp_path: Path
) -> None:
    assert any(told in problem for problem in _problems(tmp_path, _arrays() | {name: array}))


def test_fewer_than_eight_examples_are_too_few(tmp_path: Path) -> None:
    assert "found 7 examples, expected at least 8" in _problems(tmp_path, _arrays(rows=7))[0]


def test_a_reader_takes_codes_it_does_not_know_and_a_writer_writes_none(tmp_path: Path) -> None:
    arrays = _arrays() | {"expect": texts(["serve"] * 7 + ["a-new-code"])}
    assert _problems(tmp_path, arrays, writing=False) == ()
    assert len(_problems(tmp_path, arrays, writing=True)) == 1


def test_who_allows_missing_values_shows_one(tmp_path: Path) -> None:
    (problem,) = _problems(tmp_path, _arrays(), max_missing=0.4)
    assert "input/temperature: up to 40% of a window may be missing" in problem
    assert _problems(tmp_path, _arrays(), max_missing=0.4, writing=False) == ()
    assert _problems(tmp_path, _arrays(missing=True), max_missing=0.4) == ()


def test_missing_values_of_wider_numbers_are_seen(tmp_path: Path) -> None:
    values = struct.pack("<24d", *([0.0] * 23), math.nan)
    arrays = _arrays() | {"input/temperature": ("<f8", (8, 3), values)}
    document = metadata_document(samples=3, context=True, max_missing=0.4)
    document["inputs"][0]["dtype"] = "float64"
    (tmp_path / EXAMPLES).write_bytes(npz(arrays))
    metadata = read_metadata(as_json(document))
    assert example_problems(tmp_path / EXAMPLES, metadata, writing=True) == ()


def test_an_input_of_an_unknown_role_may_have_any_type_and_open_axes(tmp_path: Path) -> None:
    document = metadata_document(samples=3, context=True)
    document["inputs"].append(
        {"name": "radar", "dtype": "uint8", "shape": [-1, -1, 2], "role": "images"}
    )
    arrays = _arrays() | {"input/radar": ("|u1", (8, 5, 2), b"\0" * 80)}
    (tmp_path / EXAMPLES).write_bytes(npz(arrays))
    metadata = read_metadata(as_json(document))
    assert example_problems(tmp_path / EXAMPLES, metadata, writing=True) == ()


def _zip(members: dict[str, bytes], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode("latin-1") + data


_F4 = "{'descr': '<f4', 'fortran_order': False, 'shape': %s}"
_HOSTILE = {
    "nothing": b"",
    "no zip": b"PK not really",
    "a pickle": pickle.dumps({"a": 1}),
    "an empty zip": _zip({}),
    "an array cut off": _zip({"x.npy": b"\x93NUMPY"}),
    "an empty array": _zip({"x.npy": b""}),
    "no array": _zip({"x.npy": b"GIF89a.........."}),
    "format 3": _zip({"x.npy": _npy(_F4 % "()", b"\0" * 4, version=3)}),
    "a pickled array": _zip({"x.npy": _npy(_F4.replace("<f4", "|O") % "()", pickle.dumps(1))}),
    "a structure": _zip({"x.npy": _npy("{'descr': [('a', '|O')], 'fortran_order': False, "
                                       "'shape': ()}")}),
    "bytes without type": _zip({"x.npy": _npy(_F4.replace("<f4", "|V4") % "()", b"\0" * 4)}),
    "columns first": _zip({"x.npy": _npy(_F4.replace("False", "True") % "()", b"\0" * 4)}),
    "no header": _zip({"x.npy": _npy("")}),
    "a header that computes": _zip({"x.npy": _npy("__import__('os').system('true')")}),
    "a header that nests": _zip({"x.npy": _npy("(" * 9000)}),
    "a header that negates": _zip({"x.npy": _npy("-" * 9000 + "1")}),
    "a header without shape": _zip({"x.npy": _npy("{'descr': '<f4', 'fortran_order': False}")}),
    "a header that is a list": _zip({"x.npy": _npy("[1, 2]")}),
    "a header too long": _zip({"x.npy": _npy(" " * 60_000)}),
    "a negative shape": _zip({"x.npy": _npy(_F4 % "(-1,)")}),
    "a shape of texts": _zip({"x.npy": _npy(_F4 % "('1',)")}),
    "a shape of truths": _zip({"x.npy": _npy(_F4 % "(True,)", b"\0" * 4)}),
    "a shape that is a number": _zip({"x.npy": _npy(_F4 % "3")}),
    "a shape without end": _zip({"x.npy": _npy(_F4 % "(10**9,)")}),
    "data too short": _zip({"x.npy": _npy(_F4 % "(3,)", b"\0" * 11)}),
    "data too long": _zip({"x.npy": _npy(_F4 % "(3,)", b"\0" * 13)}),
    "an array twice": _zip(dict.fromkeys(("x.npy", "x"), _npy(_F4 % "()", b"\0" * 4))),
}  # fmt: skip


@pytest.mark.parametrize("name", _HOSTILE)
def test_a_file_that_is_no_zip_of_plain_arrays_is_told_so(name: str, tmp_path: Path) -> None:
    (tmp_path / EXAMPLES).write_bytes(_HOSTILE[name])
    (problem,) = example_problems(tmp_path / EXAMPLES, _metadata(), writing=True)
    assert problem.startswith(f"{EXAMPLES}: ")
    assert len(problem) < 500


def test_an_array_that_unpacks_to_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / EXAMPLES, "w", zipfile.ZIP_DEFLATED) as archive:
        header = _npy(_F4 % "(600, 262144)")
        with archive.open("x.npy", "w", force_zip64=True) as file:
            file.write(header)
            for _ in range(600):
                file.write(b"\0" * (1 << 20))
    assert (tmp_path / EXAMPLES).stat().st_size < 2 << 20
    (problem,) = example_problems(tmp_path / EXAMPLES, _metadata(), writing=False)
    assert "bytes when unpacked" in problem


@pytest.mark.parametrize("cell", [b"\xff\xff\xff\xff", b"\x00\xd8\x00\x00"])
def test_text_that_is_none_is_told_so(cell: bytes, tmp_path: Path) -> None:
    for name in ("area", "expect"):
        arrays = _arrays() | {name: ("<U1", (8,), cell * 8)}
        assert "not a zip of plain" in _problems(tmp_path, arrays)[0]


def test_text_without_any_letters_is_told(tmp_path: Path) -> None:
    arrays = _arrays() | {"area": ("<U0", (8,), b"")}
    assert "area: found [''], which the metadata does not declare" in _problems(tmp_path, arrays)[0]
    arrays = _arrays() | {"expect": ("<U0", (8,), b"")}
    assert "expect: found no example to serve" in _problems(tmp_path, arrays)[0]


def test_encrypted_or_strangely_packed_arrays_are_told(tmp_path: Path) -> None:
    data = bytearray(npz(_arrays()))
    for place in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[place] |= 1  # the flag of encryption
    (tmp_path / EXAMPLES).write_bytes(data)
    assert "encrypted" in example_problems(tmp_path / EXAMPLES, _metadata(), writing=True)[0]
    data = bytearray(npz(_arrays()))
    for place in (data.index(b"PK\x03\x04") + 8, data.index(b"PK\x01\x02") + 10):
        data[place] = 99  # no such compression
    (tmp_path / EXAMPLES).write_bytes(data)
    assert example_problems(tmp_path / EXAMPLES, _metadata(), writing=True)


def test_a_file_that_is_not_there_or_is_a_folder_is_told(tmp_path: Path) -> None:
    for make in (Path.exists, Path.mkdir):
        make(tmp_path / EXAMPLES)
        problems = example_problems(tmp_path / EXAMPLES, _metadata(), writing=True)
        assert problems == (f"{EXAMPLES}: not found",)


_GOOD = npz(_arrays(missing=True))


@given(
    patches=st.lists(
        st.tuples(st.integers(0, len(_GOOD) - 1), st.binary(max_size=3)), min_size=1, max_size=5
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_examples_are_told_and_never_raise(
    patches: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    data = bytearray(_GOOD)
    for place, patch in patches:
        data[place : place + len(patch)] = patch
    (tmp_path / EXAMPLES).write_bytes(data)
    problems = example_problems(tmp_path / EXAMPLES, _metadata(max_missing=0.4), writing=True)
    assert all(problem.startswith(f"{EXAMPLES}: ") for problem in problems)
