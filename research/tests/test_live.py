"""``nox -s live``: the manifests of deployed apps, all of them or none."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.software import dump_software, read_software

from live_software import software
from web_server import served

SCRIPT = Path(__file__).parents[1] / "checks" / "live" / "live.py"


def fetch(folder: Path, *addresses: str) -> int:
    main = runpy.run_path(str(SCRIPT))["main"]
    code: int = main(folder, list(addresses))
    return code


def test_the_folder_holds_what_these_apps_support_and_of_no_others(tmp_path: Path) -> None:
    folder = tmp_path / ".live"
    folder.mkdir()
    (folder / "gone.example.org.json").write_text("{}", encoding="utf-8")
    with served(lambda _path: (200, dump_software(software("0.3")))) as address:
        assert fetch(folder, address, f"{address}/") == 0
    (path,) = folder.iterdir()
    assert path.name == f"{address.removeprefix('http://').replace(':', '-')}.json"
    assert read_software(path.read_bytes()) == software("0.3")


@pytest.mark.parametrize(
    "answer",
    [(404, {}), (200, {}), (200, b"<html>"), (302, "http://127.0.0.1:1/software")],
    ids=["absent", "no manifest", "HTML", "a redirect"],
)
def test_where_one_cannot_be_had_the_folder_stays_as_it_was(
    tmp_path: Path, answer: tuple[int, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "before.json").write_text("{}", encoding="utf-8")
    with (
        served(lambda _path: (200, dump_software(software()))) as good,
        served(lambda _path: answer) as bad,
    ):
        assert fetch(tmp_path, good, bad) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["before.json"]
    assert capsys.readouterr().err.startswith(f"{bad}: ")


@pytest.mark.parametrize("address", ["file:///etc", "https://a:b@host", "host"])
def test_what_is_no_address_of_an_app_is_not_asked(tmp_path: Path, address: str) -> None:
    assert fetch(tmp_path / ".live", address) == 1
    assert not (tmp_path / ".live").exists()
