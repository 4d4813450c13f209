"""Every edit of the table gets its verdict, and no edit a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import wheelhouse
from edits import EDITS, MAJOR, MINOR, PROJECT, Edit

ROOT = wheelhouse.ROOT
_OFTEN = {"ledger", "names", "duties", "meanings", "frozen", "steps"}
_STUB = "adds `…`: say here what it brings, in a line"


def _marked() -> list[object]:
    """Return the edits; the first third of those that need no released reader run every time."""
    quick = [
        edit
        for edit in EDITS
        if edit.group in _OFTEN and edit.fails not in (None, "NOT_READ_ALIKE", "STEP_NOT_READ")
    ]
    often = {edit.name for edit in quick[: len(EDITS) // 3 + 1]}
    return [
        pytest.param(edit, id=edit.name, marks=() if edit.name in often else pytest.mark.slow)
        for edit in EDITS
    ]


def laid(edit: Edit, root: Path) -> Path:
    """Return a copy of the repository, as far as the check looks at it, with the edit made."""
    home = root / "shared-interface"
    for name in ("src", "checks/contract", "tests/golden", "CHANGELOG.md", PROJECT):
        there = ROOT / "shared-interface" / name
        copy = shutil.copytree if there.is_dir() else shutil.copy
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        copy(there, home / name)
    shutil.copytree(ROOT / ".releases", root / ".releases")
    wheels = ROOT / ".wheelhouse"
    wheels.mkdir(exist_ok=True)
    (root / ".wheelhouse").symlink_to(wheels)
    (root / "research").mkdir()
    schema = {"minor": MINOR, "major": MAJOR}.get(edit.base)
    if schema:
        assert run(root, "new_schema.py", schema).returncode == 0
        step = home / "src/fairweather_interface/history/v0_4.py"
        for path in (step, home / "CHANGELOG.md"):
            path.write_text(path.read_text().replace(_STUB, "adds what this edit adds"))
    if edit.base == "major":
        project = home / PROJECT
        project.write_text(
            project.read_text().replace('version = "0.5.0.dev0"', 'version = "1.0.0.dev0"')
        )
    for file, old, new in edit.texts:
        path = home / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r}: the edit is out of date"
        path.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")
    if schema:
        again = run(root, "new_schema.py", schema)
        assert again.returncode == 0, again.stderr
    return root


def run(root: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the check in a copy of the repository, with the records of git at hand."""
    git = subprocess.run(  # noqa: S603 - arguments of our own
        [wheelhouse.GIT, "rev-parse", "--absolute-git-dir"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, str(root / "shared-interface/checks/contract" / script), *arguments],
        env={
            **os.environ, "GIT_DIR": git, "GIT_WORK_TREE": str(root),
            "PYTHONPATH": str(root / ".releases/tools"), "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("edit", _marked())
def test_an_edit_gets_its_verdict(edit: Edit, tmp_path: Path) -> None:
    done = run(laid(edit, tmp_path / "copy"), "check.py", "--quick")
    broken = [line for line in done.stdout.splitlines() if line.startswith("breaks")]
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == (1 if edit.fails else 0), done.stdout + done.stderr
    if edit.fails:
        assert any(f" {edit.fails}:" in line for line in broken), done.stdout
    else:
        assert not broken
