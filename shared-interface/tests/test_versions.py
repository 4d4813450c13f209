"""The reading policy, by the envelope alone."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from fairweather_interface.errors import MetadataError, UnsupportedSchemaError
from fairweather_interface.metadata import read_metadata
from fairweather_interface.testing import metadata_document
from fairweather_interface.versions import SCHEMA_VERSION, SchemaVersion, check_readable
from schemas import NEXT, NEXT_MAJOR

_PARTS = st.integers(min_value=0, max_value=10**8)


@given(major=_PARTS, minor=_PARTS)
def test_parse_and_str_are_inverse(major: int, minor: int) -> None:
    version = SchemaVersion(major, minor)
    assert SchemaVersion.parse(str(version)) == version
    assert f"{version}" == f"{major}.{minor}"


def test_versions_are_ordered_as_numbers() -> None:
    texts = ["0.2", "0.10", "1.0", "0.9", "0.1"]
    assert sorted(texts, key=SchemaVersion.parse) == ["0.1", "0.2", "0.9", "0.10", "1.0"]


@pytest.mark.parametrize(
    "text",
    [
        "v0.1", "0.1.0", "0.2.post1", "0", "", ".1", "0.", "00.1", "0.01", " 0.1", "0.1 ", "0.1\n",
        "-0.1", "+0.1", "0.1a", "0,1", "0.1-d", "0.\u0661", "\uff11.0", "1e1.0", "0x1.0", "latest",
        0.1, 0, 1, None, True, ["0.1"], {"major": 0}, b"0.1", "1." + "9" * 5000,
    ],
)  # fmt: skip
def test_nothing_but_two_whole_numbers_in_a_string_is_a_version(text: object) -> None:
    with pytest.raises(MetadataError, match="expected a string of two whole numbers") as caught:
        SchemaVersion.parse(text)
    assert "found" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("schema", "min_reader", "reader"),
    [
        ("0.1", "0.1", "0.1"),
        ("0.2", "0.1", "0.1"),
        ("0.10", "0.1", "0.1"),
        ("0.3", "0.0", "0.1"),
    ],
)
def test_a_newer_minor_is_read_where_its_min_reader_allows_it(
    schema: str, min_reader: str, reader: str
) -> None:
    envelope = {"schema_version": schema, "min_reader": min_reader}
    assert check_readable(envelope, reader=reader) == SchemaVersion.parse(schema)


@pytest.mark.parametrize(
    ("schema", "min_reader", "reader", "found"),
    [
        ("0.2", "0.2", "0.1", "0.2"),
        ("0.3", "0.2", "0.1", "0.2"),
        ("0.10", "0.10", "0.1", "0.10"),
        (NEXT_MAJOR, NEXT_MAJOR, "0.1", NEXT_MAJOR),
        (NEXT_MAJOR, "0.1", "0.1", NEXT_MAJOR),
        ("2.3", "2.1", "0.1", "2.3"),
        ("0.1", "0.1", "0.0", "0.1"),
    ],
)
def test_what_needs_more_than_the_reader_obeys_is_refused_with_both_versions_and_the_remedy(
    schema: str, min_reader: str, reader: str, found: str
) -> None:
    with pytest.raises(UnsupportedSchemaError) as caught:
        check_readable({"schema_version": schema, "min_reader": min_reader}, reader=reader)
    assert caught.value.found == found
    assert caught.value.supported == reader
    message = str(caught.value)
    assert f"schema {schema}" in message
    assert f"up to {reader}" in message
    assert "upgrade this software" in message
    assert "delivered again" in message


def test_a_reader_obeys_no_more_than_this_package_knows() -> None:
    with pytest.raises(UnsupportedSchemaError) as caught:
        check_readable({"schema_version": NEXT, "min_reader": NEXT}, reader=NEXT)
    assert caught.value.supported == SCHEMA_VERSION


@pytest.mark.parametrize("field", ["schema_version", "min_reader"])
def test_an_envelope_that_lacks_a_version_is_not_metadata(field: str) -> None:
    envelope = {"schema_version": "0.1", "min_reader": "0.1"}
    del envelope[field]
    with pytest.raises(MetadataError, match=f"^{field}: not found"):
        check_readable(envelope, reader="0.1")


@pytest.mark.parametrize("field", ["schema_version", "min_reader"])
@pytest.mark.parametrize("value", ["v0.1", "0.1.0", 0.1, None])
def test_a_malformed_envelope_names_the_field(field: str, value: object) -> None:
    envelope = {"schema_version": "0.1", "min_reader": "0.1", field: value}
    with pytest.raises(MetadataError, match=f"^{field}: found schema version") as caught:
        check_readable(envelope, reader="0.1")
    assert not isinstance(caught.value, UnsupportedSchemaError)


def test_a_document_never_needs_more_than_the_schema_it_is_written_in() -> None:
    with pytest.raises(MetadataError) as caught:
        check_readable({"schema_version": "0.2", "min_reader": "0.3"}, reader="0.1")
    assert str(caught.value) == (
        "min_reader: found 0.3 of a document of schema 0.2, expected 0.0 to 0.2: a document never "
        "needs more than the schema it is written in, and no reader of an older major reads it"
    )


@pytest.mark.parametrize("min_reader", ["0.3", "0.99", "1.1", "2.0"])
def test_a_min_reader_is_of_the_major_of_its_document(min_reader: str) -> None:
    envelope = {"schema_version": "1.0", "min_reader": min_reader}
    with pytest.raises(MetadataError, match=r"of schema 1\.0, expected 1\.0 to 1\.0") as caught:
        check_readable(envelope, reader="1.0")
    assert not isinstance(caught.value, UnsupportedSchemaError)
    with pytest.raises(UnsupportedSchemaError, match=r"up to 0\.4"):  # whatever it needs beside
        check_readable(envelope, reader="0.4")


def test_a_schema_compares_with_its_like_and_with_versions() -> None:
    schema = SchemaVersion(0, 10)
    for other in (SchemaVersion(0, 9), Version("0.9"), Version("0.9.9"), Version("0.10.dev1")):
        assert schema > other
        assert schema >= other
        assert schema != other
        assert other < schema
        assert not schema <= other
    assert schema == Version("0.10") == schema
    assert schema == SchemaVersion(0, 10)
    assert len({schema, SchemaVersion(0, 10), Version("0.10")}) == 1
    assert sorted([SchemaVersion(1, 0), schema]) == [schema, SchemaVersion(1, 0)]


_COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge)


@pytest.mark.parametrize("compare", _COMPARISONS)
@pytest.mark.parametrize("other", ["0.2", 0.2, 1, (0, 2), None])
def test_a_schema_has_no_order_with_anything_else(
    compare: Callable[[object, object], bool], other: object
) -> None:
    schema = SchemaVersion(0, 4)
    assert schema != other
    for pair in ((schema, other), (other, schema)):
        with pytest.raises(TypeError, match=r"compare metadata\.schema.*can\(\)"):
            compare(*pair)


@pytest.mark.parametrize("compare", _COMPARISONS)
@pytest.mark.parametrize("other", ["0.2", "0.10", Version("0.2"), SchemaVersion(0, 2), 0.2])
def test_the_text_of_a_version_equals_texts_and_has_no_order(
    compare: Callable[[object, object], bool], other: object
) -> None:
    text = read_metadata(json.dumps(metadata_document(schema="0.4"))).schema_version
    assert text == "0.4"
    assert text in {"0.3", "0.4"}
    assert f"schema {text}" == "schema 0.4"
    for pair in ((text, other), (other, text)):
        with pytest.raises(TypeError) as caught:
            compare(*pair)
        assert re.match(r"found the schema version 0\.[24] compared with", str(caught.value))
        assert "metadata.schema >= Version('0.3')" in str(caught.value)
        assert "can() do what you need" in str(caught.value)


def test_the_envelope_is_judged_before_anything_else_in_a_document_of_another_world() -> None:
    envelope = {"schema_version": "7.0", "min_reader": "7.0", "areas": 3, "nothing": ["we know"]}
    with pytest.raises(UnsupportedSchemaError):
        check_readable(envelope, reader="0.1")
