"""A name has one spelling, whoever types it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import as_json, full_document
from fairweather_interface.errors import MetadataError
from fairweather_interface.metadata import read_metadata, with_plain_areas
from fairweather_interface.names import (
    LONGEST_NAME,
    parse_name,
    parse_names,
    plain_name,
)

PERSIAN = "علی\N{ZERO WIDTH NON-JOINER}آباد"
BENGALI = "ক\N{BENGALI SIGN VIRAMA}\N{ZERO WIDTH JOINER}ষ"
MALAYALAM = "കണ്ണൂര\N{MALAYALAM SIGN VIRAMA}\N{ZERO WIDTH JOINER}"
FARM = "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{EAR OF RICE} Farm"


@pytest.mark.parametrize("name", ["JFK", "Zürich", "St. John's", PERSIAN, BENGALI, MALAYALAM, FARM])
def test_a_name_of_every_script_stays_as_it_is(name: str) -> None:
    assert plain_name(name) == parse_name(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (" JFK", "JFK"),
        ("JFK\r\n", "JFK"),
        ("Tel\N{NO-BREAK SPACE}Aviv", "Tel Aviv"),
        ("Tel \N{NARROW NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE} Aviv\t", "Tel Aviv"),
        (unicodedata.normalize("NFD", "Zürich"), "Zürich"),
        (unicodedata.normalize("NFD", "서울"), "서울"),
        ("\N{ANGSTROM SIGN}rhus", "Århus"),
        ("\N{RIGHT-TO-LEFT MARK}חיפה", "חיפה"),
        ("\N{ZERO WIDTH NO-BREAK SPACE}JFK\N{ZERO WIDTH SPACE}", "JFK"),
        ("J\N{SOFT HYPHEN}FK\N{RIGHT-TO-LEFT OVERRIDE}", "JFK"),
        ("JFK\N{ZERO WIDTH NON-JOINER}", "JFK"),
        (f"{PERSIAN}\N{ZERO WIDTH NON-JOINER} ", PERSIAN),
        (" \N{ZERO WIDTH JOINER} a \N{ZERO WIDTH NON-JOINER} b", "a b"),
    ],
    ids=ascii,
)
def test_what_cannot_be_seen_of_a_name_is_none_of_it(text: str, name: str) -> None:
    assert plain_name(text) == parse_name(text) == name


def test_case_and_joined_letters_tell_names_apart() -> None:
    assert plain_name("jfk") != plain_name("JFK")
    assert plain_name(PERSIAN) != plain_name(PERSIAN.replace("\N{ZERO WIDTH NON-JOINER}", ""))


SIGNS = st.sampled_from("aK é\u0301\u200c\u200d\u200b\xa0\n\xad\u212a\u0647\u09cd\ufb2c\u2000\x1f")


@given(text=st.text() | st.text(SIGNS))
def test_the_spelling_of_a_name_is_its_own(text: str) -> None:
    name = plain_name(text)
    assert plain_name(name) == name
    assert name == name.strip()
    assert unicodedata.is_normalized("NFC", name)
    assert plain_name(unicodedata.normalize("NFD", name)) == name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "found '', expected a name"),
        (" \N{NO-BREAK SPACE}\N{ZERO WIDTH SPACE}\n", "expected a name"),
        ("a\x00b", r"found 'a\x00b', expected a name without the control character '\x00'"),
        ("\x1b[2J", r"without the control character '\x1b'"),
        ("a\udce9", r"without the half of a character '\udce9'"),
        ("x" * (LONGEST_NAME + 1), "found a name of 201 characters, 'xxx"),
    ],
    ids=ascii,
)
def test_what_is_no_name_is_told_in_a_short_sentence(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_name(text)
    assert problem in str(caught.value)
    assert len(str(caught.value)) < LONGEST_NAME


def test_two_texts_that_are_one_name_are_refused() -> None:
    assert parse_names([" JFK", "EWR"]) == {" JFK": "JFK", "EWR": "EWR"}
    with pytest.raises(ValueError, match=r"found 'JFK' and 'JFK ', expected one of the two"):
        parse_names(["JFK", "EWR", "JFK "])


def test_metadata_name_areas_in_the_one_spelling_wherever_they_do() -> None:
    document = full_document(schema="0.4", areas=("EWR ", "Tel\xa0Aviv"))
    document["inputs"][0]["areas"] = ["Tel\xa0Aviv", "a\u0301"]
    found = with_plain_areas(read_metadata(as_json(document)))
    assert list(found.areas) == ["EWR", "Tel Aviv"]
    assert found.areas["EWR"].model_dump() == document["areas"]["EWR "]
    assert found.inputs[0].areas == ("Tel Aviv", "á")
    assert {row.area for row in found.performance} == {"EWR", "Tel Aviv"}
    assert with_plain_areas(found) is found


@pytest.mark.parametrize(
    ("areas", "members", "problem"),
    [
        (["JFK", "JFK "], None, "areas: found 'JFK' and 'JFK ', expected one of the two"),
        (["\u200b"], None, "areas: found '\\u200b', expected a name"),
        (["a\x00"], None, "without the control character"),
        (["JFK"], ["\xe9", "e\u0301"], "both are 'é'"),
    ],
)
def test_metadata_whose_areas_are_no_names_are_refused(
    areas: list[str], members: list[str] | None, problem: str
) -> None:
    document = full_document(schema="0.4", areas=areas)
    if members:
        document["inputs"][0]["areas"] = members
    with pytest.raises(MetadataError) as caught:
        with_plain_areas(read_metadata(as_json(document)))
    assert problem in str(caught.value)


def test_metadata_of_1_0_name_areas_in_their_one_spelling_or_are_none() -> None:
    document = full_document(areas=("EWR ", "Tel\xa0Aviv", "\u200b"))
    document["inputs"][0]["areas"] = ["a\u0301", "JFK"]
    with pytest.raises(MetadataError) as caught:
        read_metadata(as_json(document))
    assert caught.value.problems == (
        "areas: found 'EWR ', expected its one spelling, 'EWR'",
        "areas: found 'Tel\\xa0Aviv', expected its one spelling, 'Tel Aviv'",
        "areas: found '\\u200b', expected a name",
        "areas: found 'a\\u0301', expected its one spelling, 'á'",
    )
