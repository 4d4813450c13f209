"""Faults of stores, copies, disks and clocks, each caused: what is live stays live."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fairweather_interface.refusals import Code
from flask import Flask

from catalogues import CountingIngestion, Kit, live
from fairweather_app.catalogue import catalogue as catalogue_module
from fairweather_app.catalogue import refresh as refresh_module
from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.refresh import GRACE_PASSES
from fairweather_app.errors import LoadError

Build = Callable[..., Path]


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
    catalogue: Catalogue, ingestion: CountingIngestion, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    ingestion.broken = True
    catalogue.refresh()
    entry = catalogue.snapshot.entry(path.name)
    assert (entry.state, entry.code) == ("quarantined", Code.RUNTIME_UNAVAILABLE)
    assert entry.reason == (
        "it could not be read or copied yet (Input/output error); it is tried again at every store "
        "scan"
    )
    assert "Input/output error" in str(catalogue.snapshot.problem)
    assert catalogue.snapshot.not_ready == catalogue.snapshot.problem
    assert catalogue.refresh().entry(path.name) is entry
    ingestion.broken = False
    catalogue.refresh()
    assert live(catalogue) == [path.name]


def test_a_live_delivery_stays_live_when_it_cannot_be_read_for_once(
    catalogue: Catalogue, ingestion: CountingIngestion, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    catalogue.refresh()
    (path / "manifest.dsse.json").write_text("{}")  # the bytes change, the delivery does not
    ingestion.broken = True
    catalogue.refresh()
    assert live(catalogue) == [path.name]
    assert catalogue.snapshot.problem is not None


def test_a_delivery_that_vanishes_while_it_is_looked_at_is_simply_not_there(
    catalogue: Catalogue, ingestion: CountingIngestion, tiny_delivery: Build
) -> None:
    kept, vanishing = tiny_delivery(), tiny_delivery()

    def vanish(name: str) -> None:
        if name == vanishing.name:
            (vanishing / "manifest.json").unlink()

    ingestion.meanwhile = vanish
    catalogue.refresh()
    assert list(catalogue.snapshot.entries) == [kept.name]


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
    assert "is damaged and is fetched again: model.onnx: its sha256 differs" in caplog.text
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
    catalogue.model_cache.retain(frozenset())
    with pytest.raises(LoadError, match="cannot be read or copied at the moment") as caught:
        catalogue.model_cache.load(entry)
    assert caught.value.code is Code.RUNTIME_UNAVAILABLE
    store.with_name("aside").rename(store)
    catalogue.model_cache.load(entry)


def test_of_many_deliveries_some_are_held_against_the_store_at_each_look_and_all_in_the_end(
    catalogue: Catalogue, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh_module, "CHECKED_AT_ONCE", 2)
    monkeypatch.setattr(refresh_module, "VERIFIED_AT_ONCE", 1)
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


# ------------------------------------------------------------------- a store that goes meanwhile


def test_a_store_that_goes_away_while_it_is_looked_at_loses_nothing(
    catalogue: Catalogue, store: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted(tiny_delivery(areas=("EWR", "JFK")).name for _ in range(6))
    catalogue.refresh()
    listed = catalogue.store.names()

    def names_and_gone() -> frozenset[str]:
        store.rename(store.with_name("aside"))
        return listed

    monkeypatch.setattr(type(catalogue.store), "names", lambda _: names_and_gone())
    catalogue.refresh()
    assert live(catalogue) == names
    assert "cannot be read" in str(catalogue.snapshot.problem)


def test_many_that_are_gone_at_once_stay_until_look_after_look_has_missed_them(
    catalogue: Catalogue, store: Path, tiny_delivery: Build
) -> None:
    made = [tiny_delivery(areas=("EWR",)) for _ in range(6)]
    catalogue.refresh()
    for each in made[:4]:
        each.rename(store / f".{each.name}")
    catalogue.refresh()
    assert len(live(catalogue)) == 6
    assert "4 of 6 deliveries have gone" in str(catalogue.snapshot.problem)
    (store / f".{made[0].name}").rename(made[0])
    catalogue.refresh()  # three of six may go
    assert live(catalogue) == sorted(each.name for each in (made[0], *made[4:]))
    assert catalogue.snapshot.problem is None


@pytest.mark.parametrize("kept_from_answering", ["a shadow", "narrowed to nowhere"])
def test_what_may_not_answer_does_not_stand_in_for_the_one_that_is_gone(
    make_app: Callable[..., Flask],
    tiny_delivery: Build,
    observe: Callable[..., None],
    tmp_path: Path,
    kept_from_answering: str,
) -> None:
    observe("EWR", [1.0] * 24)
    going, other = tiny_delivery(areas=("EWR",)), tiny_delivery(areas=("EWR",))
    if kept_from_answering == "a shadow":
        app = make_app(shadow=other.name)
    else:
        file = tmp_path / "overrides.yaml"
        file.write_text(f"override_cities: {{{other.name}: []}}")
        app = make_app(overrides=file)
    catalogue = app.extensions["fairweather"].catalogue
    going.rename(going.with_name(f".{going.name}"))
    catalogue.refresh()
    answer = app.test_client().get("/weather/predict?area=EWR")
    assert answer.status_code == 200
    assert f"{going.name} has gone" in catalogue.snapshot.problem
    assert "the last model for EWR" in catalogue.snapshot.problem
    for _ in range(GRACE_PASSES):
        catalogue.refresh()
    assert live(catalogue) == [other.name]


def test_a_shadow_that_is_gone_goes_at_once(
    make_app: Callable[..., Flask], tiny_delivery: Build
) -> None:
    shadow, other = tiny_delivery(areas=("JFK",)), tiny_delivery(areas=("EWR",))
    catalogue = make_app(shadow=shadow.name).extensions["fairweather"].catalogue
    shutil.rmtree(shadow)
    catalogue.refresh()
    assert (live(catalogue), catalogue.snapshot.problem) == ([other.name], None)


def test_many_that_are_gone_are_believed_in_the_end(
    catalogue: Catalogue, tiny_delivery: Build
) -> None:
    made = [tiny_delivery(areas=("EWR",)) for _ in range(6)]
    catalogue.refresh()
    for each in made[:5]:
        shutil.rmtree(each)
    for _ in range(GRACE_PASSES):
        assert len(live(catalogue)) == 6
        catalogue.refresh()
    assert live(catalogue) == [made[5].name]
