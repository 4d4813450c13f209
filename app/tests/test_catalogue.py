from __future__ import annotations

import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fairweather_interface.refusals import Code

from catalogues import CountingPickup, Kit
from fairweather_app import catalogue as catalogue_module
from fairweather_app.app_context import AppContext
from fairweather_app.catalogue import LOOKS_UNTIL_BELIEVED, Catalogue, report_changes
from fairweather_app.errors import LoadError, UnknownDeliveryError

Build = Callable[..., Path]


@pytest.fixture
def kit(tmp_path: Path, store: Path) -> Kit:
    return Kit(tmp_path / "cache", store)


@pytest.fixture
def pickup(kit: Kit) -> CountingPickup:
    return kit.pickup


@pytest.fixture
def catalogue(kit: Kit) -> Catalogue:
    return kit.catalogue


def live(catalogue: Catalogue) -> list[str]:
    return [each.delivery_id for each in catalogue.snapshot.live]


def test_before_the_first_look_nothing_is_known(catalogue: Catalogue) -> None:
    assert catalogue.snapshot.checked_at is None
    assert not catalogue.snapshot.entries


def test_a_delivery_that_appears_is_live_at_the_next_look(
    catalogue: Catalogue, tiny_delivery: Build
) -> None:
    catalogue.refresh()
    assert live(catalogue) == []
    path = tiny_delivery()
    catalogue.refresh()
    assert live(catalogue) == [path.name]
    assert catalogue.snapshot.problem is None
    assert catalogue.snapshot.checked_at is not None


def test_entries_are_sorted_by_id_whatever_order_they_came_in(
    catalogue: Catalogue, tiny_delivery: Build
) -> None:
    names = []
    for _ in range(4):
        names.append(tiny_delivery().name)
        catalogue.refresh()
    assert live(catalogue) == sorted(names)


def test_a_delivery_is_looked_at_again_only_when_its_bytes_change(
    catalogue: Catalogue, pickup: CountingPickup, tiny_delivery: Build
) -> None:
    good, bad = tiny_delivery(), tiny_delivery()
    model = (bad / "model.onnx").read_bytes()
    (bad / "model.onnx").write_bytes(model[:-1])
    catalogue.refresh()
    before = catalogue.snapshot.entry(good.name)
    catalogue.refresh()
    assert sorted(pickup.picked) == sorted([good.name, bad.name])
    assert catalogue.snapshot.entry(good.name) is before
    assert catalogue.snapshot.entry(bad.name).state == "quarantined"
    (bad / "model.onnx").write_bytes(model)
    catalogue.refresh()
    assert pickup.picked[2:] == [bad.name]
    assert catalogue.snapshot.entry(bad.name).state == "live"


def test_a_live_delivery_whose_bytes_are_changed_is_quarantined(
    catalogue: Catalogue, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    catalogue.refresh()
    (path / "card" / "index.html").write_text("tampered with")
    catalogue.refresh()
    assert live(catalogue) == []
    assert catalogue.snapshot.entry(path.name).code is Code.CORRUPT


def test_folders_that_are_no_deliveries_are_not_seen(
    catalogue: Catalogue, store: Path, tiny_delivery: Build
) -> None:
    (store / ".staging-x").mkdir()
    (store / "half").mkdir()
    (store / "README.txt").write_text("hello")
    path = tiny_delivery()
    catalogue.refresh()
    assert list(catalogue.snapshot.entries) == [path.name]


def test_a_removed_delivery_leaves_the_snapshot_while_holders_of_the_old_one_go_on(
    catalogue: Catalogue, tiny_delivery: Build, tmp_path: Path
) -> None:
    kept, removed = tiny_delivery(), tiny_delivery()
    catalogue.refresh()
    before = catalogue.snapshot
    model = catalogue.model(before.entry(removed.name))
    shutil.rmtree(removed)
    catalogue.refresh()
    assert live(catalogue) == [kept.name]
    assert catalogue.snapshot.problem is None
    assert removed.name in before.entries
    assert model.delivery.path.name == removed.name
    catalogue.refresh()  # nobody can be at the copy any more
    assert not list((tmp_path / "cache").rglob(removed.name))


@pytest.mark.parametrize("blow", ["absent", "not a folder", "empty"])
def test_what_is_live_stays_live_when_the_store_fails(
    catalogue: Catalogue, store: Path, tiny_delivery: Build, blow: str
) -> None:
    path = tiny_delivery()
    catalogue.refresh()
    aside = store.rename(store.with_name("aside"))
    if blow == "not a folder":
        store.write_text("mounted wrongly")
    if blow == "empty":
        store.mkdir()
    catalogue.refresh()
    assert live(catalogue) == [path.name]
    problem = catalogue.snapshot.problem
    assert problem is not None
    assert str(store) in problem
    assert "what is live stays live" in problem
    if blow == "not a folder":
        store.unlink()
    if blow == "empty":
        store.rmdir()
    aside.rename(store)
    catalogue.refresh()
    assert live(catalogue) == [path.name]
    assert catalogue.snapshot.problem is None


def test_a_store_that_was_never_there_is_told_and_found_when_it_comes(
    catalogue: Catalogue, store: Path, tiny_delivery: Build
) -> None:
    store.rmdir()
    catalogue.refresh()
    assert catalogue.snapshot.problem is not None
    assert "FAIRWEATHER_STORE" in catalogue.snapshot.problem
    path = tiny_delivery()
    catalogue.refresh()
    assert live(catalogue) == [path.name]


def test_a_new_store_may_be_empty(catalogue: Catalogue) -> None:
    catalogue.refresh()
    assert catalogue.snapshot.problem is None


def test_a_delivery_that_cannot_be_read_is_tried_again_at_every_look(
    catalogue: Catalogue, pickup: CountingPickup, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    pickup.broken = True
    catalogue.refresh()
    entry = catalogue.snapshot.entry(path.name)
    assert (entry.state, entry.code) == ("quarantined", Code.RUNTIME_UNAVAILABLE)
    assert entry.reason == (
        "it could not be read or copied yet (Input/output error); it is tried again at every look"
    )
    assert "Input/output error" in str(catalogue.snapshot.problem)
    assert catalogue.snapshot.not_ready == catalogue.snapshot.problem
    assert catalogue.refresh().entry(path.name) is entry
    pickup.broken = False
    catalogue.refresh()
    assert live(catalogue) == [path.name]


def test_a_live_delivery_stays_live_when_it_cannot_be_read_for_once(
    catalogue: Catalogue, pickup: CountingPickup, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    catalogue.refresh()
    (path / "manifest.dsse.json").write_text("{}")  # the bytes change, the delivery does not
    pickup.broken = True
    catalogue.refresh()
    assert live(catalogue) == [path.name]
    assert catalogue.snapshot.problem is not None


def test_a_delivery_that_vanishes_while_it_is_looked_at_is_simply_not_there(
    catalogue: Catalogue, pickup: CountingPickup, tiny_delivery: Build
) -> None:
    kept, vanishing = tiny_delivery(), tiny_delivery()

    def vanish(name: str) -> None:
        if name == vanishing.name:
            (vanishing / "manifest.json").unlink()

    pickup.meanwhile = vanish
    catalogue.refresh()
    assert list(catalogue.snapshot.entries) == [kept.name]


def test_every_change_is_logged_once(
    catalogue: Catalogue, store: Path, tiny_delivery: Build, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def look() -> None:
        before = catalogue.snapshot
        report_changes(before, catalogue.refresh())

    good, bad = tiny_delivery(), tiny_delivery(model=b"no")
    for _ in range(2):
        look()
    shutil.rmtree(bad)
    look()
    store.rename(store.with_name("aside"))
    for _ in range(2):
        look()
    store.with_name("aside").rename(store)
    look()
    told = [record.getMessage() for record in caplog.records]
    assert told.count(f"delivery {good.name} is live") == 1
    assert sum(f"{bad.name} is quarantined (corrupt): " in each for each in told) == 1
    assert told.count(f"delivery {bad.name} was removed from the store") == 1
    assert sum("cannot be read" in each for each in told) == 1
    assert told[-1] == "the store can be read again"


def test_an_unknown_id_is_an_error_with_the_way_out(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownDeliveryError, match="/models lists"):
        catalogue.snapshot.entry("nothing")


def test_areas_are_those_of_all_deliveries_whose_metadata_can_be_read(
    context: AppContext, tiny_delivery: Build
) -> None:
    tiny_delivery(areas=("EWR",))
    tiny_delivery(areas=("Hebron",), model=b"no")
    context.catalogue.refresh()
    assert context.catalogue.snapshot.declared_areas == {"EWR", "Hebron"}


# ------------------------------------------------------------------------------ the last model


def test_the_last_model_for_an_area_outlasts_a_listing_that_lacks_it(
    catalogue: Catalogue, store: Path, tiny_delivery: Build
) -> None:
    tiny_delivery(areas=("EWR",))
    last, other = tiny_delivery(areas=("EWR", "JFK")), tiny_delivery(areas=("EWR",))
    catalogue.refresh()
    last.rename(store / ".aside")
    shutil.rmtree(other)
    for _ in range(LOOKS_UNTIL_BELIEVED - 1):
        catalogue.refresh()
        assert last.name in live(catalogue)
        assert other.name not in live(catalogue)
        problem = str(catalogue.snapshot.problem)
        assert f"{last.name} has gone from {store} and is the last model for JFK" in problem
    (store / ".aside").rename(last)
    catalogue.refresh()
    assert catalogue.snapshot.problem is None
    last.rename(store / ".aside")
    catalogue.refresh()
    assert last.name in live(catalogue)  # it is counted anew


def test_the_last_model_for_an_area_leaves_when_look_after_look_has_missed_it(
    catalogue: Catalogue, tiny_delivery: Build
) -> None:
    tiny_delivery(areas=("EWR",))
    last = tiny_delivery(areas=("JFK",))
    catalogue.refresh()
    shutil.rmtree(last)
    for _ in range(LOOKS_UNTIL_BELIEVED):
        assert last.name in live(catalogue)
        catalogue.refresh()
    assert last.name not in live(catalogue)
    assert catalogue.snapshot.problem is None


def test_a_store_deleted_and_restored_ends_as_it_began(
    catalogue: Catalogue, pickup: CountingPickup, store: Path, tiny_delivery: Build, tmp_path: Path
) -> None:
    names = sorted(tiny_delivery(areas=(area,)).name for area in ("EWR", "JFK"))
    catalogue.refresh()
    shutil.copytree(store, tmp_path / "backup")
    shutil.rmtree(store)
    for _ in range(LOOKS_UNTIL_BELIEVED + 1):
        catalogue.refresh()
        assert live(catalogue) == names
    shutil.copytree(tmp_path / "backup", store)  # new times, the same bytes
    catalogue.refresh()
    assert live(catalogue) == names
    assert catalogue.snapshot.problem is None
    assert sorted(pickup.proven) == names  # and none was proven twice


# -------------------------------------------------------------------------------- bytes again


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


def test_a_byte_flipped_in_the_copy_is_noticed_at_the_next_look_and_the_copy_brought_again(
    catalogue: Catalogue, tiny_delivery: Build, caplog: pytest.LogCaptureFixture
) -> None:
    path = tiny_delivery()
    entry = catalogue.refresh().entry(path.name)
    delivery = catalogue.delivery(entry)
    assert delivery is not None
    flip_a_byte(delivery.path / "model.onnx")
    assert catalogue.refresh().entry(path.name) is entry
    assert "went bad and is brought again: model.onnx: its sha256 differs" in caplog.text
    assert (delivery.path / "model.onnx").read_bytes() == (path / "model.onnx").read_bytes()


def test_a_byte_flipped_in_copy_and_store_is_noticed_at_the_next_look_and_quarantined(
    catalogue: Catalogue, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    delivery = catalogue.delivery(catalogue.refresh().entry(path.name))
    assert delivery is not None
    flip_a_byte(delivery.path / "model.onnx")
    flip_a_byte(path / "model.onnx")
    os.utime(path / "model.onnx", ns=(0, (delivery.path / "model.onnx").stat().st_mtime_ns))
    catalogue.refresh()
    assert catalogue.snapshot.entry(path.name).code is Code.CORRUPT


def test_a_bad_copy_is_never_loaded_and_never_ends_what_is_live_while_the_store_is_away(
    catalogue: Catalogue, store: Path, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    entry = catalogue.refresh().entry(path.name)
    model = catalogue.model(entry)
    flip_a_byte(model.delivery.path / "model.onnx")
    store.rename(store.with_name("aside"))
    catalogue.refresh()
    assert live(catalogue) == [path.name]
    assert model.session.signature.inputs  # of the verified bytes, still in memory
    catalogue.residency.keep(frozenset())
    with pytest.raises(LoadError, match="cannot be read or copied at the moment") as caught:
        catalogue.residency.warm(entry)
    assert caught.value.code is Code.RUNTIME_UNAVAILABLE
    store.with_name("aside").rename(store)
    catalogue.residency.warm(entry)


def test_of_many_deliveries_some_are_held_against_the_store_at_each_look_and_all_in_the_end(
    catalogue: Catalogue, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "CHECKED_AT_ONCE", 2)
    monkeypatch.setattr(catalogue_module, "VERIFIED_AT_ONCE", 1)
    for _ in range(5):
        tiny_delivery()
    catalogue.refresh()
    asked: list[str] = []
    real = catalogue.store.fingerprint

    def count(name: str) -> str:
        asked.append(name)
        return real(name)

    monkeypatch.setattr(catalogue.store, "fingerprint", count)
    for _ in range(3):
        catalogue.refresh()
        assert len(asked) <= 6
    assert set(asked) == set(live(catalogue))


# ------------------------------------------------------------------------------- two processes


def test_two_processes_share_copies_and_what_either_has_proven(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    first, second = Kit(tmp_path / "cache", store), Kit(tmp_path / "cache", store)
    first.catalogue.refresh()
    second.catalogue.refresh()
    assert first.live == second.live == [path.name]
    assert (first.pickup.proven, second.pickup.proven) == ([path.name], [])
    new = tiny_delivery()
    second.catalogue.refresh()
    first.catalogue.refresh()
    assert first.live == second.live == sorted([path.name, new.name])
    assert (first.pickup.proven, second.pickup.proven) == ([path.name], [new.name])
    assert len(first.catalogue.residency.digests) == 2  # loaded before it was shown live
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
    assert sorted(kits[0].pickup.proven + kits[1].pickup.proven) == names


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
    assert again.pickup.picked == []
    assert snapshot.entry(bad.name).code is Code.CORRUPT
    assert again.catalogue.residency.digests == ()
    model = again.catalogue.model(snapshot.entry(good.name))
    assert again.catalogue.residency.digests == ()
    assert model.session.signature.inputs
    assert [*again.catalogue.residency.digests] == [model.delivery.digest]


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
    kit.catalogue.residency.keep(frozenset())
    shutil.rmtree(tmp_path / "cache")
    assert kit.catalogue.model(entry).session.signature.inputs
    kit.catalogue.refresh()
    assert kit.live == [path.name]


# --------------------------------------------------------------------------------------- faults


def test_a_cache_that_cannot_be_written_says_nothing_about_the_delivery(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    (tmp_path / "cache").write_text("a file where a folder should be")
    kit = Kit(tmp_path / "cache", store)
    snapshot = kit.catalogue.refresh()
    assert f"{path.name} cannot be read from {store} or copied to" in str(snapshot.problem)
    assert snapshot.entry(path.name).code is Code.RUNTIME_UNAVAILABLE
    (tmp_path / "cache").unlink()
    kit.catalogue.refresh()
    assert kit.live == [path.name]


def test_a_full_disk_says_nothing_about_the_delivery_and_ends_nothing_that_is_live(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    with tiny_disk(tmp_path / "disk") as disk:
        live_before = tiny_delivery()
        kit = Kit(disk, store)
        kit.catalogue.refresh()
        assert kit.live == [live_before.name]
        ballast = disk / "ballast"
        fill(ballast)
        new = tiny_delivery()
        first, second = kit.catalogue.refresh(), kit.catalogue.refresh()
        assert kit.live == [live_before.name]
        assert "(No space left on device)" in str(first.entry(new.name).reason)
        assert first.problem == second.problem
        assert first.entry(new.name) is second.entry(new.name)
        ballast.unlink()
        kit.catalogue.refresh()
        assert kit.live == sorted([live_before.name, new.name])
        kit.index.close()


def test_a_clock_that_goes_backwards_changes_nothing(
    catalogue: Catalogue, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tiny_delivery()
    catalogue.refresh()
    monkeypatch.setattr(catalogue_module, "datetime", YearsAgo)
    second = tiny_delivery()
    for path in second.rglob("*"):
        os.utime(path, (0, 0))
    catalogue.refresh()
    assert live(catalogue) == sorted([first.name, second.name])
    assert catalogue.snapshot.checked_at == YearsAgo.now()
    (second / "card" / "index.html").write_text("tampered with")
    os.utime(second / "card" / "index.html", (0, 0))
    catalogue.refresh()
    assert live(catalogue) == [first.name]


def test_two_stores_do_not_share_copies(tmp_path: Path, store: Path) -> None:
    first, second = (Kit(tmp_path / "cache", place) for place in (store, tmp_path / "another"))
    assert first.cache.folder != second.cache.folder


class YearsAgo:
    @staticmethod
    def now(_zone: object = None) -> datetime:
        return datetime(1999, 1, 1, tzinfo=UTC)


@contextmanager
def tiny_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own that holds a megabyte."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:  # noqa: S603 - ours
        pytest.skip("this user may not mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 - ours


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
