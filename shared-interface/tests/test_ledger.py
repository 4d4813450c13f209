"""The field ledger: what the contract is, as text."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from functools import partial
from importlib import resources
from itertools import pairwise
from typing import Annotated, Literal

import pytest
from pydantic import AliasChoices, BaseModel, Field, computed_field

from conftest import as_json, full_document
from fairweather_interface.errors import MetadataError
from fairweather_interface.history import STEPS
from fairweather_interface.ledger import (
    LEDGER,
    RESERVED,
    Row,
    changes_text,
    ledger_text,
    meanings_text,
    must_obey_rows,
)
from fairweather_interface.metadata import ModelMetadata, read_metadata
from fairweather_interface.metadata.record import Record, Rule
from fairweather_interface.metadata.rows import min_reader_of, newer_fields, rows
from fairweather_interface.versions import SCHEMA_VERSION
from schemas import NEWEST

_rule = partial(Rule, "what the test asks")
_COMMITTED = resources.files("fairweather_interface") / "ledgers" / f"{SCHEMA_VERSION}.txt"


def test_the_committed_ledger_is_the_one_the_records_give() -> None:
    assert ledger_text() == _COMMITTED.read_text(encoding="utf-8")
    meanings = _COMMITTED.parent / f"{SCHEMA_VERSION}.meanings.toml"  # type: ignore[attr-defined]
    assert meanings_text() == meanings.read_text(encoding="utf-8")
    assert tomllib.loads(meanings_text()) == {row.path: row.meaning for row in LEDGER}
    assert ledger_text("0.1") == (_COMMITTED.parent / "0.1.txt").read_text(encoding="utf-8")  # type: ignore[attr-defined]


def test_every_field_of_every_record_has_a_row() -> None:
    def count(record: type[BaseModel]) -> int:
        return len(record.model_fields)

    paths = {row.path for row in LEDGER}
    fields = ModelMetadata.model_fields.items()
    assert {path for path in paths if "." not in path} == {it.alias or name for name, it in fields}
    records = {type(item) for item in _records(read_metadata(as_json(full_document())))}
    assert len(paths) == sum(map(count, records))
    assert len(paths) == len(LEDGER)


def _records(value: object) -> list[Record]:
    found: list[Record] = []
    if isinstance(value, Record):
        found.append(value)
        for name in type(value).model_fields:
            found += _records(getattr(value, name))
    elif isinstance(value, tuple):
        found += [record for item in value for record in _records(item)]
    elif isinstance(value, dict):
        found += [record for item in value.values() for record in _records(item)]
    return found


def test_rows_are_sorted_and_each_has_eight_columns() -> None:
    lines = ledger_text().splitlines()
    assert lines[0] == f"# field ledger of schema {SCHEMA_VERSION}"
    rows_ = [line.split(" | ") for line in lines[2:]]
    assert len(lines[1].split(" | ")) == 8
    assert {len(row) for row in rows_} == {8}
    assert [row[0] for row in rows_] == sorted(row[0] for row in rows_)
    assert {row[2] for row in rows_} == {"required", "optional"}
    assert {row[7] for row in rows_} == {"must-obey", "may-ignore"}
    brought = {row[6] for row in rows_}
    assert {"0.1", "0.3", "0.4"} <= brought <= {*STEPS, SCHEMA_VERSION}


_LINES = """\
valid_months | list of integer | required | - | length<=12; length>=1; each <=12; each >=1; \
ascending, local months of the reference time | - | 0.1 | must-obey
applicability_domain{}.max_missing | number | optional | null | <=1; >=0 | - | 0.3 | must-obey
performance[].skill | number | optional | null | <=1; from 1.0: >=-1e6 | - | 0.1 | may-ignore
uncertainty[].probability | number | required | - | <1; >0 | - | 0.3 | may-ignore
inputs[].max_age | duration | optional | null | of observations; not above the period | - | \
0.4 | must-obey
performance[].by_lead_day[].baselines | map of number | required | - | length>=1; each >=0; \
key length<=100; key ~^[A-Za-z][A-Za-z0-9_]*$ | - | 0.4 | may-ignore
variables{}.margin | number | optional | null | >=0 | - | 0.4 | may-ignore
inputs[].period | duration | optional | null | required of observations | - | 0.1 | must-obey
artifacts[].canonical | boolean | optional | false | - | - | 0.1 | may-ignore
performance[].skill_interval | [number, number] | optional | null | \
95 % interval, low then high | - | 0.1 | may-ignore
training.recipe | map of json | optional | null | - | - | 0.1 | may-ignore
"""


@pytest.mark.parametrize("line", _LINES.splitlines())
def test_a_row_says_all_that_binds_both_sides(line: str) -> None:
    assert line in ledger_text().splitlines()


def test_a_schema_we_have_no_ledger_of_is_told_so() -> None:
    with pytest.raises(
        MetadataError, match=rf"found no ledger of schema 9\.9, expected {NEWEST} or an"
    ):
        ledger_text("9.9")
    with pytest.raises(MetadataError, match="two whole numbers"):
        ledger_text("../metadata")


class _Inner(Record):
    old: Annotated[int, _rule(since="0.1", must_obey=True)]
    new: Annotated[int | None, _rule(since="0.3", must_obey=True), Field(ge=0)] = None
    hint: Annotated[int | None, _rule(since="0.4")] = None


class _Outer(Record):
    one: Annotated[_Inner | None, _rule(since="0.1")] = None
    many: Annotated[tuple[_Inner, ...] | None, _rule(since="0.2")] = None
    named: Annotated[Mapping[str, int] | None, _rule(since="0.2", must_obey=True)] = None
    zero: Annotated[int, _rule(since="0.1", must_obey=True)] = 0
    text: Annotated[str, _rule(since="0.1")] = "x"


class _Mapped(Record):
    by_name: Annotated[tuple[_Outer, ...], _rule(since="0.1")]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"zero": 1}, "0.1"),
        ({"zero": 1, "one": {"old": 1}}, "0.1"),
        ({"zero": 1, "one": {"old": 1, "new": None}}, "0.1"),
        ({"zero": 1, "one": {"old": 1, "new": 0}}, "0.3"),
        ({"zero": 1, "one": {"old": 1, "hint": 1}}, "0.1"),
        ({"zero": 1, "many": []}, "0.1"),
        ({"zero": 1, "many": [{"old": 1}, {"old": 1, "new": 2}]}, "0.3"),
    ],
)
def test_min_reader_is_the_newest_must_obey_field_that_is_said(
    document: dict[str, object], expected: str
) -> None:
    ledger = tuple(row for row in rows(_Outer) if row.path != "named")
    assert min_reader_of(document, ledger) == expected


def test_min_reader_is_the_oldest_schema_where_a_document_demands_nothing() -> None:
    assert min_reader_of({}, rows(_Outer)) == "0.1"


@pytest.mark.parametrize("value", [{"many": {"old": 1}}, {"many": 3}, {"many": [3]}, {"one": []}])
def test_a_document_of_another_shape_demands_nothing_by_what_it_does_not_hold(
    value: dict[str, object],
) -> None:
    assert min_reader_of(value, rows(_Outer)) == "0.1"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("0.1", ("many", "named", "one.hint")),
        ("0.2", ("many[].new", "one.hint")),
        ("0.3", ("one.hint",)),
        ("0.4", ()),
    ],
)
def test_newer_fields_are_told_once_by_the_outermost(
    schema: str, expected: tuple[str, ...]
) -> None:
    document = {
        "one": {"old": 1, "hint": 2},
        "many": [{"old": 1}, {"old": 1, "new": 2}],
        "named": {"a": 1},
        "text": None,
    }
    assert newer_fields(document, rows(_Outer), schema) == expected


class _Flagged(Record):
    old: Annotated[int, _rule(since="0.1")] = 0
    flag: Annotated[bool, _rule(since="0.4")] = False


@pytest.mark.parametrize(("value", "told"), [(False, ()), (True, ("flag",)), (None, ())])
def test_a_flag_that_is_down_is_no_newer_field(value: object, told: tuple[str, ...]) -> None:
    assert newer_fields({"old": 1, "flag": value}, rows(_Flagged), "0.3") == told


def test_changes_are_the_words_of_the_steps_and_the_rows_that_came_changed_or_went() -> None:
    told = changes_text("0.1")
    assert told.startswith("# 0.1 to 0.2\nSchema 0.2 adds `max_humidity_seen` (%): the highest")
    for old, new in pairwise((*STEPS, NEWEST)):
        was, has = (set(ledger_text(each).splitlines()[2:]) for each in (old, new))
        rows_ = changes_text(old).partition(f"\n\n# {new} to ")[0].splitlines()
        assert {line[2:] for line in rows_ if line.startswith("+ ")} == has - was
        assert {line[2:] for line in rows_ if line.startswith("- ")} == was - has
    newest = told.partition("\n\n# 0.4 to 1.0\nSchema 1.0 removes `max_temperature_seen`")[2]
    assert "\n- max_humidity_seen | number | optional" in newest
    assert "\n- topic | string | required | -" in newest
    assert "\n+ topic | string | optional | null" in newest
    assert "\n\n# 0.2 to 0.3\nSchema 0.3 adds `applicability_domain`" in told
    assert "\n\n# 0.3 to 0.4\nSchema 0.4 adds `inputs[].max_age`" in told
    assert changes_text(SCHEMA_VERSION) == ""
    with pytest.raises(MetadataError, match="found no ledger of schema"):
        changes_text("0.0")


def test_the_rows_that_readers_of_a_schema_must_obey_are_those_it_knows() -> None:
    newest = {row.path for row in must_obey_rows()}
    assert newest == {row.path for row in LEDGER if row.must_obey}
    first = must_obey_rows("0.1")
    assert newest - {row.path for row in first} == {
        row.path for row in LEDGER if row.must_obey and row.since != "0.1"
    }
    assert {row.path for row in must_obey_rows("0.4")} - newest == set(RESERVED)
    assert {"valid_months", "inputs[].period"} <= {row.path for row in first}
    with pytest.raises(MetadataError, match="found no ledger of schema"):
        must_obey_rows("9.9")
    with pytest.raises(MetadataError, match=r"found no ledger of schema 0\.3"):
        meanings_text("0.3")


def test_a_rule_says_what_its_field_means() -> None:
    assert all(row.meaning for row in LEDGER)
    with pytest.raises(TypeError, match="meaning"):
        Rule(since="0.1")  # type: ignore[call-arg]


def test_no_name_of_the_ledger_is_reserved() -> None:
    assert not {row.path for row in LEDGER} & set(RESERVED)


def test_defaults_are_written_as_json() -> None:
    class Plain(Record):
        zero: Annotated[int, _rule(since="0.1")] = 0
        one: Annotated[float, _rule(since="0.1")] = 1.0
        no: Annotated[bool, _rule(since="0.1")] = False
        text: Annotated[str, _rule(since="0.1")] = "x"

    assert {row.path: row.default for row in rows(Plain)} == {
        "zero": "0", "one": "1.0", "no": "false", "text": '"x"',
    }  # fmt: skip


def test_a_field_without_a_rule_cannot_enter_the_contract() -> None:
    class Lax(Record):
        anything: int

    with pytest.raises(TypeError, match=r"Lax\.anything has no Rule"):
        rows(Lax)


class _Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class _Shap(Record):
    kind: Annotated[Literal["shap"], _rule(since="0.5")]
    samples: Annotated[int, _rule(since="0.5", must_obey=True)]


class _Lime(Record):
    kind: Annotated[Literal["lime"], _rule(since="0.5")]


_NAME = Annotated[str, Field(max_length=9)]


class _Unusual(Record):
    nullable: Annotated[str | None, _rule(since="0.5")]
    never_null: Annotated[str, _rule(since="0.5")] = None  # type: ignore[assignment]  # asked
    made: Annotated[float, _rule(since="0.5"), Field(default_factory=lambda: 30.0)]
    twice: Annotated[str, _rule(since="0.5"), Field(validation_alias=AliasChoices("twice", "two"))]
    named: Annotated[str, _rule(since="0.5"), Field(alias="other")]
    halves: Annotated[float, _rule(since="0.5"), Field(multiple_of=0.5)]
    pair: Annotated[tuple[Annotated[int, Field(ge=0)], str], _rule(since="0.5")]
    by_name: Annotated[Mapping[_NAME, int], _rule(since="0.5")]
    older: Annotated[Mapping[_NAME, int], _rule(since="0.4")]
    color: Annotated[_Color | None, _rule(since="0.5")] = None
    day: Annotated[date, _rule(since="0.5")]
    why: Annotated[_Shap | _Lime | None, _rule(since="0.5"), Field(discriminator="kind")] = None


def test_a_row_says_what_is_unusual() -> None:
    said = {row.path: str(row).split(" | ")[1:5] for row in rows(_Unusual)}
    assert said == {
        "nullable": ["string", "required", "-", "null allowed"],
        "never_null": ["string", "optional", "null", "null not allowed"],
        "made": ["number", "optional", "30.0", "-"],
        "twice": ["string", "required", "-", "also read as two"],
        "other": ["string", "required", "-", "-"],
        "halves": ["number", "required", "-", "multiple of 0.5"],
        "pair": ["[integer, string]", "required", "-", "item 1 >=0"],
        "by_name": ["map of integer", "required", "-", "key length<=9"],
        "older": ["map of integer", "required", "-", "key length<=9"],
        "color": ["string", "optional", "null", "one of blue, red"],
        "day": ["date", "required", "-", "-"],
        "why": ["object", "optional", "null", "kind by kind"],
        "why<kind=shap>.kind": ["string", "required", "-", "one of shap"],
        "why<kind=shap>.samples": ["integer", "required", "-", "-"],
        "why<kind=lime>.kind": ["string", "required", "-", "one of lime"],
    }
    assert {row.home[0] for row in rows(_Unusual) if row.home} == {_Unusual, _Shap, _Lime}


def test_what_stands_in_one_kind_of_record_is_demanded_of_that_kind() -> None:
    ledger = (*rows(_Inner), *rows(_Unusual))
    assert min_reader_of({"old": 1, "why": {"kind": "shap", "samples": 3}}, ledger) == "0.5"
    assert min_reader_of({"old": 1, "why": {"kind": "lime", "samples": 3}}, ledger) == "0.1"


class _Unsayable(Record):
    unordered: Annotated[frozenset[str], _rule(since="0.5")]
    by_number: Annotated[Mapping[int, str], _rule(since="0.5")]
    either: Annotated[int | str, _rule(since="0.5")]
    numbers: Annotated[Literal[1, 2], _rule(since="0.5")]
    many: Annotated[tuple[frozenset[str], ...], _rule(since="0.5")]
    hidden: Annotated[str, _rule(since="0.5"), Field(exclude=True)]

    @computed_field  # type: ignore[prop-decorator]  # as pydantic has it
    @property
    def computed(self) -> int:
        return 1


def test_what_a_ledger_has_no_words_for_is_a_row_that_says_what_to_use() -> None:
    said = {row.path: row.type for row in rows(_Unsayable)}
    assert set(said) == {*_Unsayable.model_fields, "computed"}
    assert all(kind.startswith("cannot say ") and ": use " in kind for kind in said.values())
    assert all(len(str(row).split(" | ")) == 8 for row in rows(_Unsayable))


def test_paths_show_lists_and_what_lies_below() -> None:
    paths = [row.path for row in rows(_Mapped)]
    assert "by_name[].many[].old" in paths
    assert str(Row(path="a", type="string", required=True, default="-", constraints=(), unit=None,
                   since="0.1", must_obey=False, meaning="any")) == (
        "a | string | required | - | - | - | 0.1 | may-ignore"
    )  # fmt: skip
