"""Every kind of change to a contract, with its verdict."""

from __future__ import annotations

import pytest
from rules import COMPATIBLE, Ledger, LedgerError, Rule, changes, parse_ledger, parse_reserved

BEFORE = """\
# field ledger of schema 0.1
# path | type | required | default | constraints | unit | since | unknown to a reader
areas | map of object | required | - | length>=1 | - | 0.1 | must-obey
areas{}.latitude | number | required | - | <=90; >=-90 | degree_north | 0.1 | may-ignore
author | string | required | - | - | - | 0.1 | may-ignore
canonical | boolean | optional | false | - | - | 0.1 | may-ignore
color | string | required | - | one of blue, red | - | 0.1 | may-ignore
format | string | required | - | - | - | 0.1 | must-obey
inputs | list of object | required | - | length>=1 | - | 0.1 | must-obey
inputs[].period | duration | optional | null | - | - | 0.1 | must-obey
limit | number | optional | null | >=0 | degC | 0.1 | must-obey
seed | integer | required | - | >=0 | - | 0.1 | may-ignore
"""

NEW = "new | number | optional | null | - | degC | 0.2 | must-obey\n"
OBJECT = "box | object | optional | null | - | - | 0.2 | may-ignore\n"

TABLE = [
    # what is done, old text, new text, the rules it falls under
    ("add an optional field", "", NEW, ["OPTIONAL_FIELD_ADDED"]),
    ("add one to an object", "", NEW.replace("new ", "inputs[].new "), ["OPTIONAL_FIELD_ADDED"]),
    ("add one that may be ignored", "", NEW.replace("must-obey", "may-ignore"),
     ["OPTIONAL_FIELD_ADDED"]),
    ("add an optional flag", "", NEW.replace("null", "false"), ["OPTIONAL_FIELD_ADDED"]),
    ("add an object with required fields", "",
     OBJECT + "box.size | number | required | - | - | - | 0.2 | may-ignore\n",
     ["OPTIONAL_FIELD_ADDED", "NEW_OBJECT_FIELD_ADDED"]),
    ("add an object of one of two kinds", "",
     OBJECT + "box<kind=a>.size | number | required | - | - | - | 0.2 | may-ignore\n",
     ["OPTIONAL_FIELD_ADDED", "NEW_OBJECT_FIELD_ADDED"]),
    ("add a list of objects with required fields", "",
     OBJECT.replace("object", "list of object")
     + "box[].size | number | required | - | - | - | 0.2 | may-ignore\n",
     ["OPTIONAL_FIELD_ADDED", "NEW_OBJECT_FIELD_ADDED"]),
    ("add a required field", "", NEW.replace("optional | null", "required | -"),
     ["REQUIRED_FIELD_ADDED"]),
    ("add a required field to an old object", "",
     "inputs[].new | number | required | - | - | - | 0.2 | may-ignore\n",
     ["REQUIRED_FIELD_ADDED"]),
    ("add a field whose absence means something new", "", NEW.replace("null", "12"),
     ["ADDED_WITH_OTHER_DEFAULT"]),
    ("add a field under an old since", "", NEW.replace("0.2", "0.1"), ["ADDED_WITHOUT_NEW_SINCE"]),
    ("reuse a reserved name", "", NEW.replace("new ", "gone "), ["RESERVED_NAME_REUSED"]),
    ("remove a required field", "author | string | required | - | - | - | 0.1 | may-ignore\n", "",
     ["FIELD_REMOVED"]),
    ("remove an optional field",
     "limit | number | optional | null | >=0 | degC | 0.1 | must-obey\n", "", ["FIELD_REMOVED"]),
    ("rename a field", "author |", "writer |", ["FIELD_REMOVED", "ADDED_WITHOUT_NEW_SINCE"]),
    ("rename a field in the new version",
     "author | string | required | - | - | - | 0.1", "writer | string | required | - | - | - | 0.2",
     ["FIELD_REMOVED", "REQUIRED_FIELD_ADDED"]),
    ("widen a type", "seed | integer", "seed | number", ["TYPE_CHANGED"]),
    ("narrow a type", "limit | number", "limit | integer", ["TYPE_CHANGED"]),
    ("make a list of one value", "author | string", "author | list of string", ["TYPE_CHANGED"]),
    ("change a default", "optional | false", "optional | true", ["DEFAULT_CHANGED"]),
    ("change a unit", "| degC |", "| K |", ["UNIT_CHANGED"]),
    ("drop a unit", "| degC |", "| - |", ["UNIT_CHANGED"]),
    ("tighten a bound", "<=90; >=-90", "<=80; >=-90", ["CONSTRAINT_CHANGED"]),
    ("loosen a bound", "<=90; >=-90", "<=180; >=-90", ["CONSTRAINT_CHANGED"]),
    ("drop a bound", "| >=0 | degC", "| - | degC", ["CONSTRAINT_CHANGED"]),
    ("add a value to a closed enum", "one of blue, red", "one of blue, green, red",
     ["CONSTRAINT_CHANGED"]),
    ("remove a value from a closed enum", "one of blue, red", "one of red",
     ["CONSTRAINT_CHANGED"]),
    ("close an open enum", "format | string | required | - | - ",
     "format | string | required | - | one of onnx, saved-model ", ["CONSTRAINT_CHANGED"]),
    ("open a closed enum", "one of blue, red", "-", ["CONSTRAINT_CHANGED"]),
    ("use a new value of an open enum", "", "", []),
    ("make an optional field required", "limit | number | optional | null",
     "limit | number | required | -", ["BECAME_REQUIRED"]),
    ("make a required field optional", "author | string | required | -",
     "author | string | optional | null", ["BECAME_OPTIONAL"]),
    ("let readers ignore what they had to obey", "null | - | - | 0.1 | must-obey",
     "null | - | - | 0.1 | may-ignore", ["READER_DUTY_CHANGED"]),
    ("make readers obey what they might ignore", "required | - | - | - | 0.1 | may-ignore",
     "required | - | - | - | 0.1 | must-obey", ["READER_DUTY_CHANGED"]),
    ("say a field is younger than it is", "| 0.1 | must-obey\nlimit",
     "| 0.2 | must-obey\nlimit", ["SINCE_CHANGED"]),
]  # fmt: skip


def later(old: str, new: str) -> Ledger:
    text = BEFORE.replace(old, new, 1) if old else BEFORE + new
    assert old in BEFORE
    return parse_ledger(text.replace("schema 0.1", "schema 0.2"))


@pytest.mark.parametrize(("old", "new", "rules"), [row[1:] for row in TABLE],
                         ids=[row[0] for row in TABLE])  # fmt: skip
def test_each_change_falls_under_its_rules(old: str, new: str, rules: list[str]) -> None:
    found = changes(parse_ledger(BEFORE), later(old, new), reserved={"gone": "removed in 0.0"})
    assert [change.rule.value for change in found] == rules
    assert any(change.breaking for change in found) == (not set(rules) <= set(COMPATIBLE))


def test_the_table_is_long_enough_to_be_believed_and_covers_every_rule() -> None:
    assert len(TABLE) >= 25
    tried = {rule for row in TABLE for rule in row[3]}
    of_the_check = set(list(Rule)[list(Rule).index(Rule.CHANGED_WITHOUT_NEW_VERSION) :])
    assert tried == set(Rule) - of_the_check


MAJOR = {
    "a removed field whose name is reserved": ("author |", "", {"author": "gone"}, []),
    "a removed field whose name is not": ("author |", "", {}, ["FIELD_REMOVED"]),
    "a required field": (
        "limit | number | optional | null",
        "limit | number | required | -",
        {},
        [],
    ),
    "an optional field": (
        "author | string | required | -",
        "author | string | optional | null",
        {},
        [],
    ),
    "another bound": ("<=90; >=-90", "<=80; >=-90", {}, []),
    "another default": ("optional | false", "optional | true", {}, []),
    "another unit": ("| degC |", "| K |", {}, ["UNIT_CHANGED"]),
    "another type": ("seed | integer", "seed | number", {}, ["TYPE_CHANGED"]),
    "a reserved name": ("", NEW.replace("0.2", "1.0"), {"new": "gone"}, ["RESERVED_NAME_REUSED"]),
}


@pytest.mark.parametrize("name", MAJOR)
def test_a_new_major_may_break_yet_never_changes_what_a_name_means(name: str) -> None:
    old, new, reserved, rules = MAJOR[name]
    lines = BEFORE.splitlines(keepends=True)
    text = "".join(
        line.replace(old, new) if old else line for line in lines if new or old not in line
    )
    after = parse_ledger((text if old else text + new).replace("schema 0.1", "schema 1.0"))
    found = changes(parse_ledger(BEFORE), after, reserved=reserved)
    assert found
    assert [change.rule.value for change in found if change.breaking] == rules


LAW = "low | number | optional | null | not above max_*_seen | - | 0.1 | must-obey\n"
SEEN = "max_hot_seen | number | optional | null | - | degC | 0.1 | must-obey\n"


def _laws(before: str, after: str, schema: str) -> list[str]:
    old, new = (
        parse_ledger(BEFORE + before),
        (BEFORE + after).replace("schema 0.1", f"schema {schema}"),
    )
    found = changes(old, parse_ledger(new), reserved={"max_hot_seen": "gone"})
    return [change.rule.value for change in found]


def test_a_law_may_lose_what_it_says_of_a_field_that_goes_and_nothing_else() -> None:
    free = LAW.replace("not above max_*_seen", "-")
    assert _laws(LAW + SEEN, free, "1.0") == ["CHANGED_WITH_NEW_MAJOR"] * 2
    assert _laws(LAW + SEEN, free + SEEN, "1.0") == ["LAW_CHANGED"]
    other = LAW.replace("not above max_*_seen", "not above zero")
    assert _laws(LAW + SEEN, other, "1.0") == ["CHANGED_WITH_NEW_MAJOR", "LAW_CHANGED"]
    two = LAW.replace("not above", "in winter; not above")
    assert _laws(two + SEEN, free, "1.0") == ["CHANGED_WITH_NEW_MAJOR", "LAW_CHANGED"]


def test_a_law_for_newer_documents_alone_is_a_tighter_bound() -> None:
    newer = LAW.replace("_seen |", "_seen; from 1.0: above -80 |")
    assert _laws(LAW, newer, "1.0") == ["CHANGED_WITH_NEW_MAJOR"]
    assert _laws(LAW, newer.replace("1.0", "0.2"), "0.2") == ["CONSTRAINT_CHANGED"]


def test_to_say_that_a_field_will_go_changes_nothing() -> None:
    goes = LAW.replace("_seen |", "_seen; deprecated since 0.2, goes with 1.0 |")
    assert _laws(LAW, goes, "0.2") == _laws(goes, LAW, "1.0") == []


def test_a_field_is_as_old_as_the_schema_between_that_brought_it() -> None:
    after = parse_ledger((BEFORE + NEW).replace("schema 0.1", "schema 0.10"))
    assert [change.rule for change in changes(parse_ledger(BEFORE), after)] == [
        Rule.OPTIONAL_FIELD_ADDED
    ]
    (change,) = changes(parse_ledger(BEFORE.replace("schema 0.1", "schema 0.9")), after)
    assert change.rule is Rule.ADDED_WITHOUT_NEW_SINCE


def test_reserved_names_are_lines_with_a_reason() -> None:
    assert parse_reserved("# a comment\nold | gone in 1.0 | for good\n") == {
        "old": "gone in 1.0 | for good"
    }


def test_a_changed_ledger_under_an_unchanged_version_is_breaking_whatever_the_change() -> None:
    after = parse_ledger(BEFORE + NEW.replace("0.2", "0.1"))
    found = changes(parse_ledger(BEFORE), after)
    assert [change.rule for change in found] == [
        Rule.ADDED_WITHOUT_NEW_SINCE,
        Rule.CHANGED_WITHOUT_NEW_VERSION,
    ]
    assert found[-1].breaking


def test_equal_ledgers_have_no_changes() -> None:
    assert changes(parse_ledger(BEFORE), parse_ledger(BEFORE)) == ()


def test_a_change_says_which_rule_where_and_what_to_do() -> None:
    (change,) = changes(parse_ledger(BEFORE), later("| degC |", "| K |"))
    assert str(change) == (
        "UNIT_CHANGED: limit: found 'K', released as 'degC'; no reader would notice; add a new "
        "field that carries its unit"
    )


def test_a_text_that_is_no_ledger_is_refused() -> None:
    with pytest.raises(LedgerError, match="expected the columns"):
        parse_ledger("# field ledger of schema 0.1\n# path\nareas | map\n")
