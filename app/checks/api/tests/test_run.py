"""What the run over the document says of its counts."""

from __future__ import annotations

import pytest
import run

OPERATIONS = ["GET /areas", "POST /weather/predict"]
WELL = {name: {"2xx": run.LEAST, "4xx": 3} for name in OPERATIONS}


def test_operations_that_all_succeeded_are_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.tell(WELL, OPERATIONS, failed=False) == 0
    assert f"{2 * run.LEAST + 6} cases on 2 operations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        ({"GET /areas": WELL["GET /areas"]}, "POST /weather/predict never succeeded: it got 0"),
        (
            WELL | {"POST /weather/predict": {"4xx": 9}},
            "POST /weather/predict never succeeded: it got 9 cases",
        ),
        ({name: {"2xx": 1} for name in OPERATIONS}, "found 2 cases, expected at least"),
    ],
)
def test_what_was_not_held_against_the_document_is_no_success(
    capsys: pytest.CaptureFixture[str], counted: dict[str, dict[str, int]], said: str
) -> None:
    assert run.tell(counted, OPERATIONS, failed=False) == 1
    assert said in capsys.readouterr().err


def test_a_failure_that_schemathesis_found_is_no_success() -> None:
    assert run.tell(WELL, OPERATIONS, failed=True) == 1
