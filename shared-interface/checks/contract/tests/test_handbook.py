"""The handbook has a row for every rule, and a test for every row."""

from __future__ import annotations

import re
from pathlib import Path

import wheelhouse
from rules import COMPATIBLE, Rule

_PAGE = wheelhouse.ROOT / "shared-interface" / "docs" / "versioning.md"
_TESTS = (path for path in Path(__file__).parent.glob("*.py") if path.name != Path(__file__).name)


def test_every_rule_has_a_row_with_an_example_and_no_other_has() -> None:
    text = _PAGE.read_text(encoding="utf-8").partition("## What `nox -s contract` holds")[2]
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+) \| (.+) \|$", text, re.MULTILINE)
    assert sorted(rule for rule, _, _ in rows) == sorted(Rule)
    done_nothing = {rule for rule, _, remedy in rows if remedy.startswith("nothing")}
    assert done_nothing == COMPATIBLE


def test_every_rule_is_tried() -> None:
    tried = " ".join(path.read_text(encoding="utf-8") for path in _TESTS)
    assert [rule for rule in Rule if not re.search(rf"\b{rule}\b", tried)] == []
