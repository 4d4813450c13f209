"""The handbook has a row for every rule, and a test for every row."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import new_schema
import readers
import wheelhouse
from released import LEDGERS, reserved_names
from rules import COMPATIBLE, Rule, changes, parse_ledger
from steps import STUB

HEAD = wheelhouse.ROOT / "shared-interface"

_PAGE = wheelhouse.ROOT / "shared-interface" / "docs" / "versioning.md"
_TESTS = (path for path in Path(__file__).parent.glob("*.py") if path.name != Path(__file__).name)


def test_every_rule_has_a_row_with_an_example_and_no_other_has() -> None:
    text = _PAGE.read_text(encoding="utf-8").partition("## What `nox -s contract` holds")[2]
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+) \| (.+) \|$", text, re.MULTILINE)
    assert sorted(rule for rule, _, _ in rows) == sorted(Rule)
    done_nothing = {rule for rule, _, remedy in rows if remedy.startswith("nothing")}
    assert done_nothing == COMPATIBLE


def test_who_reads_what_is_current() -> None:
    page = readers.PAGE.read_text(encoding="utf-8")
    assert readers.written(page) == page, "run: python checks/contract/readers.py"
    assert all(folder.is_dir() for folder in readers.ROOMS.values())


def _road() -> str:
    text = _PAGE.read_text(encoding="utf-8").partition("## How to add a breaking change")[2]
    return text.partition("## What `nox -s contract` holds")[0]


def test_what_the_road_shows_of_new_schema_is_what_it_prints() -> None:
    (shown,) = re.findall(r"\$ nox -s new-schema -- 1\.0\n(.*?)   ```", _road(), re.DOTALL)
    words = new_schema._NEXT_OF_A_MAJOR.format(new="1.0", step="v0_4.py", stub=STUB)
    assert textwrap.dedent(shown) == words


def test_what_the_road_shows_of_the_check_is_what_it_says_of_0_4_and_1_0() -> None:
    before, after = (
        parse_ledger((HEAD / LEDGERS / f"{schema}.txt").read_text(encoding="utf-8"))
        for schema in ("0.4", "1.0")
    )
    found = [*changes(before, after), *changes(before, after, reserved=reserved_names(HEAD))]
    said = {f"{'breaks' if each.breaking else 'may'}  {each}" for each in found}
    shown = re.findall(r"^ +((?:breaks|may)  .*)$", _road(), re.MULTILINE)
    assert len(shown) > 3
    assert [line for line in shown if line not in said] == []


def test_every_session_that_the_page_names_is_one() -> None:
    files = (wheelhouse.ROOT / "noxfile.py", *wheelhouse.ROOT.glob("*/checks/*_sessions.py"))
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    named = set(re.findall(r"nox -s ([\w-]+)", _PAGE.read_text(encoding="utf-8")))
    assert len(named) > 5
    for name in named:
        assert f'name="{name}"' in text or f"\ndef {name}(session" in text, name


def test_every_rule_is_tried() -> None:
    tried = " ".join(path.read_text(encoding="utf-8") for path in _TESTS)
    assert [rule for rule in Rule if not re.search(rf"\b{rule}\b", tried)] == []
