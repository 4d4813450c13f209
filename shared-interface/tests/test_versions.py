"""The reading policy, by the envelope alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_interface.errors import MetadataError, UnsupportedSchemaError
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
    with pytest.raises(MetadataError, match=r"min_reader: found 0\.3, above"):
        check_readable({"schema_version": "0.2", "min_reader": "0.3"}, reader="0.1")


def test_the_envelope_is_judged_before_anything_else_in_a_document_of_another_world() -> None:
    envelope = {"schema_version": "7.0", "min_reader": "7.0", "areas": 3, "nothing": ["we know"]}
    with pytest.raises(UnsupportedSchemaError):
        check_readable(envelope, reader="0.1")
