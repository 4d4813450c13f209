"""What is told is what was run, and another turn than the one told is no success."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from telling import Teller, UnexpectedError

PYTHON = Path(sys.executable).name


@pytest.fixture
def teller(tmp_path: Path) -> Teller:
    """Return a teller that finds the Python of this test."""
    teller = Teller(folder=tmp_path)
    teller.environment["PATH"] = str(Path(sys.executable).parent)
    return teller


def test_a_command_is_shown_and_kept_with_all_that_it_said(
    teller: Teller, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert teller.run(f"{PYTHON} -c 'print(6 * 7)'") == "42\n"
    teller.write(tmp_path / "told.json")
    kept = json.loads((tmp_path / "told.json").read_text())
    assert kept == [{"command": f"{PYTHON} -c 'print(6 * 7)'", "output": "42\n", "code": 0}]
    assert f"$ {PYTHON} -c 'print(6 * 7)'\n42\n" in capsys.readouterr().out.replace("\n\n", "\n")


def test_long_outputs_are_cut_where_they_are_shown_and_kept_whole(
    teller: Teller, capsys: pytest.CaptureFixture[str]
) -> None:
    teller.run(f"{PYTHON} -c 'print(*range(1000), sep=chr(10))'")
    assert "… (940 lines)" in capsys.readouterr().out
    assert len(teller.told[0].output.splitlines()) == 1000


def test_another_exit_code_than_expected_ends_the_story_with_what_was_said(teller: Teller) -> None:
    with pytest.raises(UnexpectedError, match=r"ended with code 3, expected 0; it said:\nwhy"):
        teller.run(f"{PYTHON} -c 'print(\"why\"); exit(3)'")


def test_a_command_that_is_not_there_is_named(teller: Teller) -> None:
    with pytest.raises(UnexpectedError, match="found no command 'no-such-command' on the path"):
        teller.run("no-such-command --help")


def test_what_is_exported_is_what_commands_see(teller: Teller) -> None:
    teller.export(CITY="Hebron")
    assert teller.run(f"{PYTHON} -c 'import os; print(os.environ[\"CITY\"])'") == "Hebron\n"
    assert teller.told[0].command == "export CITY=Hebron"


def test_long_lists_of_an_answer_are_cut_where_they_are_shown_and_kept_whole(
    teller: Teller, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = {"value": [float(each) for each in range(168)], "area": "Hebron"}
    assert teller.ask("http://127.0.0.1/", lambda _: (200, answer)) == (200, answer)
    assert '"value": [0.0, 1.0, 2.0, 3.0, "… 168 in all"]' in capsys.readouterr().out
    assert json.loads(teller.told[0].output) == answer
