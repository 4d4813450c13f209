from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.refusals import Code

from fairweather_app.app_context import AppContext
from fairweather_app.cache import Cache
from fairweather_app.catalogue import Catalogue, report_changes
from fairweather_app.errors import UnknownDeliveryError
from fairweather_app.models_backend import OnnxBackend
from fairweather_app.pickup import Entry, Pickup

Build = Callable[..., Path]


class CountingPickup(Pickup):
    """Counts what is picked up, and can be told to find the disk broken."""

    picked: list[str]
    broken = False

    def __call__(self, folder: Path) -> Entry:
        self.picked.append(folder.name)
        if self.broken:
            raise OSError(5, "Input/output error")
        return super().__call__(folder)


@pytest.fixture
def pickup(tmp_path: Path, store: Path) -> CountingPickup:
    cache = Cache(tmp_path / "cache", store=store, reader="0.1")
    made = CountingPickup(cache, [OnnxBackend(cache.delivery)])
    made.picked = []
    return made


@pytest.fixture
def catalogue(tmp_path: Path, store: Path, pickup: CountingPickup) -> Catalogue:
    return Catalogue(store, Cache(tmp_path / "cache", store=store, reader="0.1"), pickup)


def live(catalogue: Catalogue) -> list[str]:
    return [model.delivery_id for model in catalogue.snapshot.live]


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
    model = before.entry(removed.name).model
    shutil.rmtree(removed)
    catalogue.refresh()
    assert live(catalogue) == [kept.name]
    assert catalogue.snapshot.problem is None
    assert removed.name in before.entries
    assert model is not None
    assert model.session.signature.inputs
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

    class Vanishing(CountingPickup):
        def __call__(self, folder: Path) -> Entry:
            if folder == vanishing:
                (folder / "manifest.json").unlink()
            return super().__call__(folder)

    pickup.__class__ = Vanishing
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
    assert sum(f"{bad.name} is quarantined: corrupt" in each for each in told) == 1
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


def test_two_processes_share_one_cache(tmp_path: Path, store: Path, tiny_delivery: Build) -> None:
    path = tiny_delivery()
    catalogues = []
    for _ in range(2):
        cache = Cache(tmp_path / "cache", store=store, reader="0.1")
        catalogues.append(Catalogue(store, cache, Pickup(cache, [OnnxBackend(cache.delivery)])))
    for each in catalogues:
        each.refresh()
        assert live(each) == [path.name]
    assert len(list((tmp_path / "cache").rglob("model.onnx"))) == 1


def test_what_a_killed_process_left_in_the_cache_is_cleared_when_it_is_old(
    tmp_path: Path, store: Path
) -> None:
    cache = Cache(tmp_path / "cache", store=store, reader="0.1")
    fresh, old = cache.folder / ".staging-new", cache.folder / ".staging-old"
    for folder in (fresh, old):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    cache.prune([])
    assert [path.name for path in cache.folder.iterdir()] == [fresh.name]


def test_two_processes_that_copy_at_once_end_with_one_copy(
    tmp_path: Path, store: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()
    first, second = (Cache(tmp_path / "cache", store=store, reader="0.1") for _ in range(2))
    copytree = shutil.copytree

    def overtaken(*arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(shutil, "copytree", copytree)
        copied = copytree(*arguments, **more)
        second.bring(path)
        return copied

    monkeypatch.setattr(shutil, "copytree", overtaken)
    assert first.bring(path).path == second.bring(path).path
    assert len(list(first.folder.iterdir())) == 1


def test_a_cache_that_cannot_be_written_says_nothing_about_the_delivery(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    (tmp_path / "cache").write_text("a file where a folder should be")
    cache = Cache(tmp_path / "cache", store=store, reader="0.1")
    catalogue = Catalogue(store, cache, Pickup(cache, [OnnxBackend(cache.delivery)]))
    snapshot = catalogue.refresh()
    assert f"{path.name} cannot be read from {store} or copied to" in str(snapshot.problem)
    assert snapshot.entry(path.name).code is Code.RUNTIME_UNAVAILABLE
    (tmp_path / "cache").unlink()
    assert [model.delivery_id for model in catalogue.refresh().live] == [path.name]


def test_a_copy_that_fails_for_many_files_is_told_in_the_same_words_at_every_look(
    tmp_path: Path, store: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()

    def fail(_source: Path, copy: Path, **_more: Any) -> None:
        full = OSError(28, "No space left on device", str(copy))
        raise shutil.Error([("a", "b", str(full)), ("c", "d", str(full))])

    monkeypatch.setattr(shutil, "copytree", fail)
    cache = Cache(tmp_path / "cache", store=store, reader="0.1")
    catalogue = Catalogue(store, cache, Pickup(cache, [OnnxBackend(cache.delivery)]))
    first, second = catalogue.refresh(), catalogue.refresh()
    assert "(No space left on device)" in str(first.entry(path.name).reason)
    assert first.problem == second.problem
    assert first.entry(path.name) is second.entry(path.name)


def test_two_stores_do_not_share_copies(tmp_path: Path, store: Path) -> None:
    first = Cache(tmp_path / "cache", store=store, reader="0.1")
    second = Cache(tmp_path / "cache", store=tmp_path / "another", reader="0.1")
    assert first.folder != second.folder
