"""A delivery is claimed while it is ingested: nobody waits for it, and deaths over it count."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fairweather_interface.refusals import Code

import onnx_models as write
from catalogues import Kit
from fairweather_app.catalogue import refresh as refresh_module
from fairweather_app.catalogue.refresh import MOST_DEATHS
from fairweather_app.models_backend import OnnxBackend

Build = Callable[..., Path]

DYING = """
import os, signal, sys
from pathlib import Path
from catalogues import Kit

def die(name):
    if name == sys.argv[3]:
        os.kill(os.getpid(), getattr(signal, sys.argv[4]))

kit = Kit(Path(sys.argv[1]), Path(sys.argv[2]))
kit.ingestion.meanwhile = die
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
kit.catalogue.refresh()
"""


@pytest.fixture
def die_over(tmp_path: Path, store: Path) -> Callable[..., int]:
    """Have a process refresh the catalogue and end, by a signal, over one delivery."""

    def run(path: Path, number: signal.Signals = signal.SIGKILL) -> int:
        command = [sys.executable, "-c", DYING, str(tmp_path / "cache"), str(store), path.name]
        paths = os.pathsep.join(sys.path)
        return subprocess.run(  # noqa: S603 - this very interpreter
            [*command, number.name], check=False, env=os.environ | {"PYTHONPATH": paths}
        ).returncode

    return run


def claims(kit: Kit) -> list[Path]:
    return [*kit.cache.folder.glob(".claim-*")]


def test_after_ingestion_no_claim_is_left(kit: Kit, tiny_delivery: Build) -> None:
    tiny_delivery()
    tiny_delivery(model=b"no model")
    kit.catalogue.refresh()
    assert claims(kit) == []


def test_one_death_may_be_a_restart_and_the_second_ends_it(
    kit: Kit, tiny_delivery: Build, die_over: Callable[..., int]
) -> None:
    sound, bad = tiny_delivery(), tiny_delivery()
    for _ in range(MOST_DEATHS):
        assert die_over(bad) == -signal.SIGKILL
        assert len(claims(kit)) == 1
    found = kit.catalogue.refresh().entry(bad.name)
    assert (found.state, found.code) == ("quarantined", Code.CORRUPT)
    assert found.reason == "2 processes of this app ended while they tried it"
    assert kit.live == [sound.name]
    assert claims(kit) == []
    assert bad.name not in kit.ingestion.ingested


def test_it_is_not_tried_again_by_any_process_until_its_bytes_change(
    tmp_path: Path, store: Path, tiny_delivery: Build, die_over: Callable[..., int]
) -> None:
    bad = tiny_delivery()
    for _ in range(MOST_DEATHS):
        die_over(bad)
    Kit(tmp_path / "cache", store).catalogue.refresh()
    again = Kit(tmp_path / "cache", store)
    for _ in range(2):
        again.catalogue.refresh()
    assert again.ingestion.ingested == []
    os.utime(bad / "model.onnx", (0, 0))
    again.catalogue.refresh()
    assert again.live == [bad.name]


def test_who_dies_once_leaves_a_delivery_that_goes_live(
    kit: Kit, tiny_delivery: Build, die_over: Callable[..., int]
) -> None:
    path = tiny_delivery()
    die_over(path)
    kit.catalogue.refresh()
    assert kit.live == [path.name]


def test_a_process_that_is_ended_in_order_has_not_died_over_it(
    kit: Kit, tiny_delivery: Build, die_over: Callable[..., int]
) -> None:
    path = tiny_delivery()
    for _ in range(MOST_DEATHS + 1):
        assert die_over(path, signal.SIGTERM) == 0
    kit.catalogue.refresh()
    assert kit.live == [path.name]


def test_what_another_process_has_claimed_is_left_to_it_and_found_later(
    kit: Kit, tmp_path: Path, store: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh_module, "OTHERS_SECONDS", 0)
    claimed, free = tiny_delivery(), tiny_delivery()
    other, pending = Kit(tmp_path / "cache", store), []
    with other.cache.claimed(claimed.name, kit.cache.store.fingerprint(claimed.name), 0):
        snapshot = kit.catalogue.refresh()
        pending.append(kit.catalogue.refresher.pending)
        assert kit.live == [free.name]
        assert "another process is still testing it" in str(snapshot.entry(claimed.name).reason)
        assert snapshot.problem is None
    kit.catalogue.refresh()
    pending.append(kit.catalogue.refresher.pending)
    assert pending == [True, False]
    assert sorted(kit.live) == sorted([claimed.name, free.name])


def test_a_pass_with_patience_leaves_a_long_test_to_the_next_and_the_others_are_live(
    kit: Kit, tmp_path: Path, store: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OnnxBackend, "test_seconds", 1)
    sound, endless = tiny_delivery(), tiny_delivery(model=write.endless_loop())
    kit.catalogue.refresh(patience=0.2)
    while kit.catalogue.refresher.pending and not kit.live:  # where both are slow today
        kit.catalogue.refresh(patience=0.2)
    other = Kit(tmp_path / "cache", store)
    later = tiny_delivery()
    snapshot = other.catalogue.refresh()
    assert sorted(other.live) == sorted([sound.name, later.name])
    snapshot = kit.catalogue.refresh()
    assert sorted(kit.live) == sorted([sound.name, later.name])
    assert "did not end within" in str(snapshot.entry(endless.name).reason)
    assert "did not end within" in str(other.catalogue.refresh().entry(endless.name).reason)
    assert other.ingestion.accepted == [later.name]


def test_a_delivery_that_is_removed_while_it_is_tested_is_claimed_no_longer(
    kit: Kit, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OnnxBackend, "test_seconds", 1)
    tiny_delivery()
    kit.catalogue.refresh()
    path = tiny_delivery(model=write.endless_loop())
    kit.catalogue.refresh(patience=1e-3)
    assert len(claims(kit)) == 1
    path.rename(path.parent / ".aside")
    kit.catalogue.refresh(patience=0)
    assert claims(kit) == []


def test_an_endless_test_is_made_once_and_its_result_is_found_after_a_restart(
    kit: Kit, tmp_path: Path, store: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OnnxBackend, "test_seconds", 1)
    monkeypatch.setattr(refresh_module, "OTHERS_SECONDS", 0)
    path = tiny_delivery(model=write.endless_loop())
    kit.catalogue.refresh()
    again = Kit(tmp_path / "cache", store)
    for _ in range(2):
        assert "did not end within" in str(again.catalogue.refresh().entry(path.name).reason)
    assert again.ingestion.ingested == []
