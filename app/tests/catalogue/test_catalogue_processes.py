"""The catalogues of several processes over one cache, at once and one after the other."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.delivery import Delivery, open_delivery
from fairweather_interface.errors import CorruptDeliveryError
from fairweather_interface.refusals import Code

from catalogues import Kit
from fairweather_app.catalogue import delivery_cache as cache_module

Build = Callable[..., Path]


# ------------------------------------------------------------------------------- two processes


def test_two_processes_share_copies_and_what_either_has_proven(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    first, second = Kit(tmp_path / "cache", store), Kit(tmp_path / "cache", store)
    first.catalogue.refresh()
    second.catalogue.refresh()
    assert first.live == second.live == [path.name]
    assert (first.ingestion.accepted, second.ingestion.accepted) == ([path.name], [])
    new = tiny_delivery()
    second.catalogue.refresh()
    first.catalogue.refresh()
    assert first.live == second.live == sorted([path.name, new.name])
    assert (first.ingestion.accepted, second.ingestion.accepted) == ([path.name], [new.name])
    assert len(first.catalogue.model_cache.digests) == 2  # loaded before it was shown live
    assert len(list((tmp_path / "cache").rglob("model.onnx"))) == 2


def test_two_processes_that_pick_up_at_once_prove_each_delivery_once(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    names = sorted(tiny_delivery().name for _ in range(6))
    kits = [Kit(tmp_path / "cache", store) for _ in range(2)]
    start = threading.Barrier(2)

    def look(kit: Kit) -> None:
        start.wait()
        kit.catalogue.refresh()

    threads = [threading.Thread(target=look, args=(kit,)) for kit in kits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [kit.live for kit in kits] == [names, names]
    assert sorted(kits[0].ingestion.accepted + kits[1].ingestion.accepted) == names


def test_what_a_killed_process_left_in_the_cache_is_cleared_when_it_is_old(kit: Kit) -> None:
    fresh, old = kit.cache.folder / ".staging-new", kit.cache.folder / ".staging-old"
    for folder in (fresh, old):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    kit.cache.prune([])
    assert [path.name for path in kit.cache.folder.iterdir()] == [fresh.name]


# ------------------------------------------------------------------------------------- restart


def test_a_restart_proves_nothing_again_and_loads_what_is_first_used(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    good, bad = tiny_delivery(), tiny_delivery(model=b"no")
    Kit(tmp_path / "cache", store).catalogue.refresh()
    again = Kit(tmp_path / "cache", store)
    snapshot = again.catalogue.refresh()
    assert again.live == [good.name]
    assert again.ingestion.ingested == []
    assert snapshot.entry(bad.name).code is Code.CORRUPT
    assert again.catalogue.model_cache.digests == ()
    model = again.catalogue.model(snapshot.entry(good.name))
    assert again.catalogue.model_cache.digests == ()
    assert model.session.signature.inputs
    assert [*again.catalogue.model_cache.digests] == [model.delivery.digest]


def test_a_restart_while_the_store_is_away_serves_what_was_live(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    Kit(tmp_path / "cache", store).catalogue.refresh()
    store.rename(store.with_name("aside"))
    again = Kit(tmp_path / "cache", store)
    snapshot = again.catalogue.refresh()
    assert again.live == [path.name]
    assert "what is live stays live" in str(snapshot.problem)
    assert again.catalogue.model(snapshot.entry(path.name)).session.signature.inputs


def test_an_app_that_starts_with_an_empty_store_believes_it(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    Kit(tmp_path / "cache", store).catalogue.refresh()
    shutil.rmtree(path)
    again = Kit(tmp_path / "cache", store)
    assert again.catalogue.refresh().entries == {}
    assert again.index.entries() == {}


def test_the_cache_can_be_deleted_at_any_time(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    kit = Kit(tmp_path / "cache", store)
    entry = kit.catalogue.refresh().entry(path.name)
    kit.catalogue.model_cache.retain(frozenset())
    shutil.rmtree(tmp_path / "cache")
    assert kit.catalogue.model(entry).session.signature.inputs
    kit.catalogue.refresh()
    assert kit.live == [path.name]


def test_a_new_delivery_is_hashed_once(
    kit: Kit, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []

    def opened(path: Path, *, reader: str) -> Delivery:
        found = open_delivery(path, reader=reader)
        hashed.append(path)
        return found

    monkeypatch.setattr(cache_module, "open_delivery", opened)
    name = tiny_delivery().name
    delivery = kit.cache.fetch_verified(name)
    assert len(hashed) == 1
    assert (delivery.path / "manifest.json").is_file()
    assert kit.cache.fetch_verified(name) == delivery
    assert hashed[1:] == [delivery.path]


def test_what_another_process_has_brought_in_the_meantime_is_verified_too(
    tmp_path: Path, store: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = Kit(tmp_path / "cache", store), Kit(tmp_path / "cache", store)
    fetch = mine.cache.store.fetch

    def fetch_late(name: str, manifest: Any, copy: Path) -> None:
        fetch(name, manifest, copy)
        brought = other.cache.fetch_verified(name)
        (brought.path / "model.onnx").write_bytes(b"gone bad")

    monkeypatch.setattr(mine.cache.store, "fetch", fetch_late)
    with pytest.raises(CorruptDeliveryError):
        mine.cache.fetch_verified(tiny_delivery().name)
