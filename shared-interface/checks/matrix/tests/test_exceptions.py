"""Known exceptions: they cover what they name, and cannot be forgotten."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from exceptions import KnownFailure, aimless, known_failures, unexplained
from judging import FAILED, SERVED, Outcome, Result
from matrix_axes import Cell, Side
from matrix_environments import MatrixError

TODAY = dt.date(2026, 6, 1)
CELL = Cell(
    consumer=Side(package="app", version="0.1.1", interface="0.1.0"),
    producer=Side(package="research", version="0.2.0", interface="0.2.0"),
    quick=True,
)


def entry(*, kind: str = "newest", app: str = "0.1.1", until: dt.date = TODAY) -> KnownFailure:
    return KnownFailure(app=app, research="0.2.0", kind=kind, reason="being mended", until=until)


def result(*, newest: str) -> Result:
    failed = Outcome(outcome=newest, problems=("off by 2",) if newest == FAILED else ())
    return Result(cell=CELL, outcomes={"plain": Outcome(outcome=SERVED), "newest": failed})


def test_a_failure_without_an_exception_is_told() -> None:
    assert [*unexplained(result(newest=FAILED), [], today=TODAY)] == ["newest: off by 2"]
    other = entry(app="0.2.0")
    assert [*unexplained(result(newest=FAILED), [other], today=TODAY)] == ["newest: off by 2"]


def test_an_exception_covers_its_failure_until_its_day_and_no_longer() -> None:
    assert [*unexplained(result(newest=FAILED), [entry()], today=TODAY)] == []
    (told,) = unexplained(result(newest=FAILED), [entry()], today=TODAY + dt.timedelta(days=1))
    assert told == (
        "the exception app=0.1.1, research=0.2.0, newest is past its day, 2026-06-01: off by 2"
    )


def test_an_exception_that_passes_is_told() -> None:
    (told,) = unexplained(result(newest=SERVED), [entry()], today=TODAY)
    assert told.endswith("passes (served): remove it")


def test_an_exception_for_a_recipe_or_a_cell_that_does_not_exist_is_told() -> None:
    (told,) = unexplained(result(newest=SERVED), [entry(kind="old")], today=TODAY)
    assert "names a recipe that this cell does not have" in told
    assert [*aimless([entry()], [CELL])] == []
    (told,) = aimless([entry(app="0.9.0")], [CELL])
    assert told.endswith("names no cell of the matrix: remove it")


@pytest.mark.parametrize("until", ['"soon"', '"2026-06-01"'])
def test_an_exception_without_a_real_day_is_refused(tmp_path: Path, until: str) -> None:
    path = tmp_path / "exceptions.toml"
    path.write_text(
        '[[exception]]\napp = "0.1.1"\nresearch = "0.2.0"\nkind = "plain"\nreason = "?"\n'
        f"until = {until}\n"
    )
    with pytest.raises(MatrixError, match="until is a date, without quotes"):
        known_failures(path)


def test_the_committed_exceptions_can_be_read() -> None:
    assert all(entry.reason for entry in known_failures())
