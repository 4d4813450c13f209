"""What the catalogue knows of a store: what comes, what goes, what is told."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fairweather_interface.refusals import Code

from catalogues import CountingIngestion, Kit, live
from fairweather_app.background.poller import report_changes
from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.refresh import GRACE_PASSES
from fairweather_app.errors import UnknownDeliveryError
from fairweather_app.forecasting.context import AppContext

Build = Callable[..., Path]


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
    catalogue: Catalogue, ingestion: CountingIngestion, tiny_delivery: Build
) -> None:
    good, bad = tiny_delivery(), tiny_delivery()
    model = (bad / "model.onnx").read_bytes()
    (bad / "model.onnx").write_bytes(model[:-1])
    catalogue.refresh()
    before = catalogue.snapshot.entry(good.name)
    catalogue.refresh()
    assert sorted(ingestion.ingested) == sorted([good.name, bad.name])
    assert catalogue.snapshot.entry(good.name) is before
    assert catalogue.snapshot.entry(bad.name).state == "quarantined"
    (bad / "model.onnx").write_bytes(model)
    catalogue.refresh()
    assert ingestion.ingested[2:] == [bad.name]
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
    with pytest.raises(UnknownDeliveryError, match="listed at /models"):
        catalogue.snapshot.entry("nothing")


def test_areas_are_those_of_all_deliveries_whose_metadata_can_be_read(
    context: AppContext, tiny_delivery: Build
) -> None:
    tiny_delivery(areas=("EWR",))
    tiny_delivery(areas=("Hebron",), model=b"no")
    context.catalogue.refresh()
    assert context.catalogue.snapshot.contents.declaring.keys() == {"EWR", "Hebron"}


# ------------------------------------------------------------------------------ the last model


def test_the_last_model_for_an_area_outlasts_a_listing_that_lacks_it(
    catalogue: Catalogue, store: Path, tiny_delivery: Build
) -> None:
    tiny_delivery(areas=("EWR",))
    last, other = tiny_delivery(areas=("EWR", "JFK")), tiny_delivery(areas=("EWR",))
    catalogue.refresh()
    last.rename(store / ".aside")
    shutil.rmtree(other)
    for _ in range(GRACE_PASSES - 1):
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
    for _ in range(GRACE_PASSES):
        assert last.name in live(catalogue)
        catalogue.refresh()
    assert last.name not in live(catalogue)
    assert catalogue.snapshot.problem is None


def test_a_store_deleted_and_restored_ends_as_it_began(
    catalogue: Catalogue,
    ingestion: CountingIngestion,
    store: Path,
    tiny_delivery: Build,
    tmp_path: Path,
) -> None:
    names = sorted(tiny_delivery(areas=(area,)).name for area in ("EWR", "JFK"))
    catalogue.refresh()
    shutil.copytree(store, tmp_path / "backup")
    shutil.rmtree(store)
    for _ in range(GRACE_PASSES + 1):
        catalogue.refresh()
        assert live(catalogue) == names
    shutil.copytree(tmp_path / "backup", store)  # new times, the same bytes
    catalogue.refresh()
    assert live(catalogue) == names
    assert catalogue.snapshot.problem is None
    assert sorted(ingestion.accepted) == names  # and none was proven twice


def test_two_stores_do_not_share_copies(tmp_path: Path, store: Path) -> None:
    first, second = (Kit(tmp_path / "cache", place) for place in (store, tmp_path / "another"))
    assert first.cache.folder != second.cache.folder
