"""A session tests the wheel of what lies there, never that of an earlier edit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NOXFILE = """
import nox
from session_install import install
from wheelhouse import WheelhouseError

def build(package):
    raise WheelhouseError(f"built the {package} that lies there")

@nox.session(python=False)
def probe(session):
    install(session, "interface", build=build)
"""


def probe(folder: Path, option: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a session that installs, and return what nox said when it ended it."""
    (folder / "noxfile.py").write_text(NOXFILE)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "tools"))
    done = subprocess.run(  # noqa: S603 - arguments of our own
        [sys.executable, "-m", "nox", option, "--session", "probe"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr


@pytest.mark.parametrize("option", ["-R", "--no-install"])
def test_a_session_that_would_install_nothing_ends(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = probe(tmp_path, option, monkeypatch)
    assert "found -R, expected -r: the wheel of an earlier edit would be tested" in said
    assert "built the interface" not in said


def test_a_session_that_keeps_its_environment_installs_what_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "built the interface that lies there" in probe(tmp_path, "-r", monkeypatch)
