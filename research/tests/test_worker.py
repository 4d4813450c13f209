"""The training process speaks one JSON document a line, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fairweather_research import _worker, training
from fairweather_research.training import STAGES, Progress


def test_a_request_that_is_no_recipe_ends_the_process_and_keeps_stdout_clean(
    tmp_path: Path,
) -> None:
    (tmp_path / _worker.REQUEST).write_text('{"recipe": {}, "threads": 1}', encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - our own module
        [
            sys.executable,
            *("-P", "-m", "fairweather_research._worker", str(tmp_path), str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"stage": "start"}]
    assert "RecipeError" in done.stderr


def test_what_libraries_print_goes_to_stderr(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from fairweather_research import _worker\n"
        "def loud(folder, scratch, reports):\n"
        "    print('a library speaks'); os.write(1, b'another one\\n')\n"
        "    reports.write('{}\\n')\n"
        "_worker._run = loud\n"
        "_worker.main(pathlib.Path('.'), pathlib.Path('.'))\n"
    )
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "{}\n"
    assert "a library speaks" in done.stderr
    assert "another one" in done.stderr


def test_reports_become_progress_in_order() -> None:
    script = (
        'print(\'{"stage": "fit"}\');'
        'print(\'{"epoch": {"number": 1, "training": 2.0, "calibration": 3.0}}\');'
        'print(\'{"stage": "done"}\')'
    )
    told: list[Progress] = []
    with subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        training._follow(process, 7, told.append)
    assert [one.stage for one in told] == ["fit", "fit"]
    assert told[1].epoch is not None
    assert (told[1].epoch.calibration, told[1].epochs) == (3.0, 7)


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        (1, "noise\nValueError: no\n\n", "ended with code 1, and nothing was delivered"),
        (-9, "", "was ended by SIGKILL, and nothing was delivered; its last words: it said"),
    ],
)
def test_the_end_of_a_failed_process_is_a_sentence(code: int, said: str, expected: str) -> None:
    assert expected in training._epitaph(code, said)


def test_every_stage_that_the_worker_reports_is_one_that_people_are_shown() -> None:
    text = Path(_worker.__file__).read_text(encoding="utf-8")
    reported = {part.split('"')[1] for part in text.split("report(stage=")[1:]}
    assert reported - {"done"} <= set(STAGES)
