"""Pictures that are older than the pages are reported, with what has changed since."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pictures_current


def test_every_kind_of_source_that_draws_a_page_counts() -> None:
    found = pictures_current.sources()
    for name in (
        "src/fairweather_app/web/templates/fairweather/forecast.html",
        "src/fairweather_app/web/static/page.css",
        "src/fairweather_app/web/static/page.js",
        "src/fairweather_app/web/forecast/chart.py",
        "src/fairweather_app/web/bundle/echarts.js",
        "checks/browser/pictures.py",
    ):
        assert name in found
    assert not [name for name in found if "vendor" in name or "__pycache__" in name]


def test_what_changed_came_or_went_since_is_named(tmp_path: Path) -> None:
    assert pictures_current.changed(tmp_path, {"a": "1"}) is None
    pictures_current.record(tmp_path, {"a": "1", "b": "1", "c": "1"})
    assert pictures_current.changed(tmp_path, {"a": "1", "b": "1", "c": "1"}) == []
    assert pictures_current.changed(tmp_path, {"a": "1", "b": "2", "d": "1"}) == ["b", "c", "d"]


def test_the_command_names_what_to_do(tmp_path: Path) -> None:
    def asked() -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - a program of our own
            [sys.executable, pictures_current.__file__, str(tmp_path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    unknown = asked()
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "their sources were not recorded" in unknown.stderr
    now = pictures_current.sources()
    pictures_current.record(tmp_path, now)
    assert asked().returncode == 0
    pictures_current.record(tmp_path, now | {"checks/browser/pictures.py": "sha256:of before"})
    stale = asked()
    assert stale.returncode == 1
    told = "the pages: checks/browser/pictures.py. Look, and make them anew: nox -s screenshots"
    assert told in stale.stderr
