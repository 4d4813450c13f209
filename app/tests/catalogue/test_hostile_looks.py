"""Looks at hostile stores and caches: one failure is one delivery's, and said once."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.refusals import Code
from flask.testing import FlaskClient

from catalogues import Kit
from fairweather_app import create_app
from fairweather_app.catalogue import refresh as refresh_module
from fairweather_app.catalogue.entries import Entry, State
from fairweather_app.catalogue.snapshot import Snapshot
from fairweather_app.errors import SettingsError
from fairweather_app.text import LONGEST_REASON

Build = Callable[..., Path]
Log = pytest.LogCaptureFixture
Patch = pytest.MonkeyPatch


def copies(kit: Kit, name: str) -> list[tuple[str, int, int]]:
    """Return path, inode and mode of all that lies in a delivery's copy, and in the cache above."""
    (copy,) = kit.cache.folder.glob(f"*/{name}")
    every = [kit.cache.folder, copy.parent, copy, *sorted(copy.rglob("*"))]
    return [(str(each), each.stat().st_ino, each.stat().st_mode & 0o7777) for each in every]


# --------------------------------------------------------------------------------------- failures


def test_a_look_that_fails_is_a_problem_of_readyz_and_metrics_until_one_does_not(
    serving: FlaskClient, monkeypatch: Patch, caplog: Log
) -> None:
    catalogue = serving.application.extensions["fairweather"].catalogue

    def fail(*_arguments: object) -> None:
        raise RuntimeError("s3://ann:secret@bucket is of no kind")

    monkeypatch.setattr(catalogue.refresher, "names", fail)
    for _ in range(3):
        assert catalogue.refresh().problem is not None
    ready = serving.get("/readyz").get_json()
    assert ready["status"] == "degraded"
    assert "RuntimeError" in ready["store"]["problem"]
    assert "what is live stays live" in ready["store"]["problem"]
    assert "secret" not in ready["store"]["problem"]
    assert "fairweather_store_problem 1.0" in serving.get("/metrics").text
    assert serving.get("/weather/predict?area=EWR").status_code == 200
    assert caplog.messages.count("scanning the store failed") == 1
    monkeypatch.undo()
    assert catalogue.refresh().problem is None
    assert serving.get("/readyz").get_json()["status"] == "ready"


def test_a_first_look_that_fails_is_why_the_app_is_not_ready(
    kit: Kit, monkeypatch: Patch, tiny_delivery: Build
) -> None:
    tiny_delivery()

    def fail(*_arguments: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(kit.catalogue.refresher, "names", fail)
    assert "no such thing" in str(kit.catalogue.refresh().not_ready)


@pytest.mark.parametrize("error", [RecursionError("too deep"), MemoryError(), ValueError("\udcff")])
def test_whatever_one_delivery_raises_ends_no_look(
    kit: Kit, tiny_delivery: Build, monkeypatch: Patch, error: Exception
) -> None:
    live, bad, late = (tiny_delivery(delivery_id=f"{n}0000000-0000-4000-8000-0" + 11 * "0")
                       for n in (1, 2, 3))  # fmt: skip
    bad.rename(bad.with_suffix(".later"))
    late.rename(late.with_suffix(".later"))
    kit.catalogue.refresh()
    for each in (bad, late):
        each.with_suffix(".later").rename(each)
    real, failing = kit.catalogue.store.fingerprint, {bad.name, live.name}

    def fingerprint(name: str) -> str:
        if name in failing:
            raise error
        return real(name)

    monkeypatch.setattr(kit.catalogue.store, "fingerprint", fingerprint)
    first, second = kit.catalogue.refresh(), kit.catalogue.refresh()
    assert kit.live == [live.name, late.name]  # what is live stays live
    assert second.entry(bad.name) is first.entry(bad.name)
    assert second.entry(bad.name).code is Code.CORRUPT
    assert f"failed on it: {type(error).__name__}" in str(second.entry(bad.name).reason)
    assert "\udcff" not in str(second.entry(bad.name).reason)
    assert live.name in str(second.problem)
    failing.clear()
    assert kit.catalogue.refresh().problem is None
    assert kit.live == [live.name, bad.name, late.name]


def test_of_very_many_that_cannot_be_read_some_are_tried_in_each_look(
    kit: Kit, tiny_delivery: Build, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(refresh_module, "CHECKED_AT_ONCE", 2)
    names = sorted(tiny_delivery().name for _ in range(9))
    kit.ingestion.broken = True
    kit.catalogue.refresh()
    for _ in range(5):
        kit.ingestion.ingested.clear()
        assert len(str(kit.catalogue.refresh().problem)) <= LONGEST_REASON
        assert len(kit.ingestion.ingested) <= 4
    kit.ingestion.broken = False
    for _ in range(5):
        kit.catalogue.refresh()
    assert kit.live == names


def test_what_is_wrong_again_and_again_is_logged_once(
    kit: Kit, tiny_delivery: Build, monkeypatch: Patch, caplog: Log
) -> None:
    path = tiny_delivery()
    kit.catalogue.refresh()
    (path / "notes.txt").write_text("put beside the files")
    (next(kit.cache.folder.glob("*/*/model.onnx"))).write_bytes(b"damaged")

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kit.cache.store, "fetch", full)
    kit.cache.store.check(path.name, kit.cache.store.manifest(path.name), only_listed=True)
    (path / "notes.txt").rename(path / ".notes")
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            kit.catalogue.refresh()
    assert len([each for each in caplog.messages if "passed over in the folder" in each]) == 1
    assert len([each for each in caplog.messages if "is damaged and is fetched" in each]) == 1


def test_a_reason_and_a_problem_are_cut_and_without_signs_that_cannot_be_seen() -> None:
    names = "caf\udce9 \u202etxt\x1b[2J" * 1_000_000
    entry = Entry(
        delivery_id="a", state=State.QUARANTINED, fingerprint="", code=Code.CORRUPT, reason=names
    )
    for text in (entry.reason, Snapshot(problem=names).problem):
        assert text is not None
        assert len(text) == LONGEST_REASON
        assert text.isprintable()
        assert text.startswith(r"caf\udce9 \u202etxt\x1b[2J")


# ------------------------------------------------------------------------------------------ copies


def test_a_twin_never_touches_the_copy_of_the_delivery_whose_name_it_takes(
    kit: Kit, store: Path, tiny_delivery: Build
) -> None:
    path = tiny_delivery(delivery_id="20000000-0000-4000-8000-000000000000")
    kit.catalogue.refresh()
    before = copies(kit, path.name)
    for digit in (1, 3):
        shutil.copytree(path, store / f"{digit}0000000-0000-4000-8000-000000000000")
    shutil.copytree(path, store / "ABCDEF00-0000-4000-8000-000000000000")
    for _ in range(3):
        snapshot = kit.catalogue.refresh()
        assert kit.live == [path.name]
        assert copies(kit, path.name) == before
    assert len(snapshot.entries) == 3
    assert "found delivery_id '20000000" in str(
        snapshot.entry("10000000-0000-4000-8000-000000000000").reason
    )


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_bytes_are_copied_and_modes_are_not(kit: Kit, tiny_delivery: Build, umask: int) -> None:
    path = tiny_delivery()
    (path / "card" / "index.html").chmod(0o6755)
    (path / "model.onnx").chmod(0o666)
    (path / "card").chmod(0o2777)
    before = os.umask(umask)
    try:
        kit.catalogue.refresh()
    finally:
        os.umask(before)
    assert kit.live == [path.name]
    for copy, _, mode in copies(kit, path.name):
        assert mode == (0o700 if Path(copy).is_dir() else 0o600), copy
    assert kit.index.path.stat().st_mode & 0o777 == 0o600
    os.umask(umask)
    try:
        with kit.cache.claimed("name", "bytes", 0):
            (claim,) = kit.cache.folder.glob(".claim-*")
            assert claim.stat().st_mode & 0o777 == 0o600 & ~umask
    finally:
        os.umask(before)


# -------------------------------------------------------------------------------- another user


@pytest.mark.parametrize("wrong", ["others may write", "of another user", "a link", "a claim"])
def test_a_cache_that_another_user_may_write_to_is_refused_at_the_start(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: Patch, wrong: str
) -> None:
    create_app(settings).extensions["fairweather"].observations.close()
    (folder,) = settings["cache"].iterdir()
    if wrong == "others may write":
        folder.chmod(0o777)
    if wrong == "of another user":
        me = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    if wrong == "a link":
        folder.rename(tmp_path / "theirs")
        folder.symlink_to(tmp_path / "theirs")
    if wrong == "a claim":
        (folder / ".claim-x").symlink_to(tmp_path / "made by the app")
    with pytest.raises(
        SettingsError, match=r"FAIRWEATHER_CACHE is .*found that .*: type rm (-r )?/"
    ):
        create_app(settings)
    assert not (tmp_path / "made by the app").exists()


def test_a_cache_that_others_come_to_write_to_is_a_problem_and_brings_nothing_in(
    kit: Kit, tiny_delivery: Build
) -> None:
    live = tiny_delivery()
    kit.catalogue.refresh()
    kit.cache.folder.parent.chmod(0o777)
    new = tiny_delivery()
    snapshot = kit.catalogue.refresh()
    assert "the cache cannot be used: found that" in str(snapshot.problem)
    assert kit.live == [live.name]
    assert snapshot.entry(new.name).code is Code.RUNTIME_UNAVAILABLE
    kit.cache.folder.parent.chmod(0o700)
    assert kit.catalogue.refresh().problem is None
    assert kit.live == sorted([live.name, new.name])


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_planted_link_in_place_of_the_index_is_not_followed(
    kit: Kit, tiny_delivery: Build, tmp_path: Path, suffix: str
) -> None:
    path = tiny_delivery()
    kit.cache.folder.mkdir(parents=True, mode=0o700)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("not to be written to")
    Path(f"{kit.index.path}{suffix}").symlink_to(elsewhere)
    kit.catalogue.refresh()
    assert kit.live == [path.name]
    assert elsewhere.read_text() == "not to be written to"
    assert kit.index.path.is_file()
    assert not kit.index.path.is_symlink()


@pytest.mark.parametrize(
    "forge",
    [
        lambda _: ("UPDATE entries SET areas = ?", ('["Jerusalem"]',)),
        lambda record: ("UPDATE entries SET record = ?", (record.replace(b"EWR", b"JFK"),)),
    ],
)
def test_a_row_of_the_index_does_not_change_what_a_delivery_declares(
    kit: Kit, tiny_delivery: Build, forge: Callable[[bytes], tuple[str, tuple[object]]]
) -> None:
    path = tiny_delivery(areas=("EWR",))
    before = kit.catalogue.refresh().entry(path.name)
    with sqlite3.connect(kit.index.path) as planted:
        planted.execute(*forge(before.record))
    planted.close()
    again = Kit(kit.cache.folder.parent, path.parent)
    entry = again.catalogue.refresh().entry(path.name)
    assert entry.equals(before)
    assert again.index.entries()[path.name].equals(before)
    assert again.ingestion.accepted == []  # not tested again


def test_a_row_that_cannot_be_read_is_as_none(kit: Kit, tiny_delivery: Build) -> None:
    path = tiny_delivery()
    kit.catalogue.refresh()
    with sqlite3.connect(kit.index.path) as planted:
        planted.execute("UPDATE entries SET areas = 'no JSON', code = 'unheard-of'")
    planted.close()
    again = Kit(kit.cache.folder.parent, path.parent)
    assert again.catalogue.refresh().problem is None
    assert again.live == [path.name]
