"""What is no delivery, or no part of one, is passed over and told; what is live stays live."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.refusals import Code
from flask import Flask

from catalogues import Kit
from fairweather_app import create_app
from fairweather_app.catalogue.refresh import GRACE_PASSES
from fairweather_app.catalogue.stores import LocalStore, RemoteStore
from fairweather_app.errors import SettingsError

Build = Callable[..., Path]
Log = pytest.LogCaptureFixture

STRAYS = (
    *(".DS_Store", "card/._index.html", "Thumbs.db", ".nfs0000000000000001", "metadata.json~"),
    *("#metadata.json#", ".metadata.json.swp", "@eaDir/metadata.json", "card_$folder$"),
)


def lay(path: Path, name: str) -> None:
    (path / name).parent.mkdir(exist_ok=True)
    (path / name).write_bytes(b"whatever")


@pytest.mark.parametrize("name", [*STRAYS, "notes.txt", "card/more.html"])
def test_whatever_is_put_beside_the_files_of_a_live_delivery_it_stays_live(
    kit: Kit, tiny_delivery: Build, name: str, caplog: Log
) -> None:
    path = tiny_delivery()
    kit.catalogue.refresh()
    lay(path, name)
    for _ in range(3):
        assert kit.catalogue.refresh().problem is None
        assert kit.live == [path.name]
    (told,) = [each for each in caplog.messages if "passed over" in each]
    assert name.split("/", maxsplit=1)[0] in told
    assert path.name in told
    again = Kit(kit.cache.folder.parent, path.parent)  # as after a restart
    again.catalogue.refresh()
    assert again.live == [path.name]


def test_the_lock_of_an_editor_is_a_link_to_nowhere(kit: Kit, tiny_delivery: Build) -> None:
    path = tiny_delivery()
    (path / ".#metadata.json").symlink_to("ann@host.1234:1")
    kit.catalogue.refresh()
    assert kit.live == [path.name]


@pytest.mark.parametrize("name", STRAYS)
def test_a_new_delivery_may_hold_strays_and_its_copy_holds_none(
    kit: Kit, tiny_delivery: Build, name: str
) -> None:
    path = tiny_delivery()
    lay(path, name)
    entry = kit.catalogue.refresh().entry(path.name)
    assert entry.live
    delivery = kit.catalogue.delivery(entry)
    assert delivery is not None
    found = {
        each.relative_to(delivery.path).as_posix()
        for each in delivery.path.rglob("*")
        if each.is_file()
    }
    assert found == {*delivery.manifest.files, "manifest.json"}


def test_a_listed_file_that_changes_beside_a_stray_is_still_found(
    kit: Kit, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    kit.catalogue.refresh()
    lay(path, "notes.txt")
    content = bytearray((path / "model.onnx").read_bytes())
    content[-1] ^= 1
    (path / "model.onnx").write_bytes(content)
    entry = kit.catalogue.refresh().entry(path.name)
    assert entry.code is Code.CORRUPT
    assert entry.reason == "model.onnx: its sha256 differs from the one listed in manifest.json"


def test_the_modes_of_files_are_not_copied(kit: Kit, tiny_delivery: Build) -> None:
    path = tiny_delivery()
    (path / "model.onnx").chmod(0o777)
    delivery = kit.catalogue.delivery(kit.catalogue.refresh().entry(path.name))
    assert delivery is not None
    assert not os.access(delivery.path / "model.onnx", os.X_OK)


# ------------------------------------------------------------------------------- foreign folders


def test_a_folder_that_is_not_named_by_an_id_is_passed_over_and_told_once(
    kit: Kit, store: Path, tiny_delivery: Build, caplog: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()
    (store / "lost+found").mkdir()
    for name in ("backup", path.name.upper(), f"{path.name} (copy)"):
        shutil.copytree(path, store / name)
    looked: list[str] = []
    fingerprint = LocalStore.fingerprint

    def look(each: LocalStore, name: str) -> str:  # the folder of another user may not be read
        looked.append(name)
        return fingerprint(each, name)

    monkeypatch.setattr(LocalStore, "fingerprint", look)
    for _ in range(3):
        snapshot = kit.catalogue.refresh()
        assert (list(snapshot.entries), snapshot.problem) == ([path.name], None)
    assert set(looked) == {path.name}
    (told,) = [each for each in caplog.messages if "passed over" in each]
    names = [path.name.upper(), f"{path.name} (copy)", "backup", "lost+found"]
    others = ", ".join(map(repr, sorted(names)))
    assert told == (f"passed over in the store {store}: {others}, not named by a delivery id")


def test_a_check_does_not_count_what_is_no_delivery(
    make_app: Callable[..., Flask], store: Path, tiny_delivery: Build
) -> None:
    lay(tiny_delivery(), ".DS_Store")
    lay(store / "backup", "manifest.json")
    result = make_app().test_cli_runner().invoke(args=["check"])
    assert result.exit_code == 0
    assert "would lose none of 1 deliveries" in result.stdout


def test_copies_of_what_was_removed_go_also_while_another_cannot_be_read(
    kit: Kit, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, closed, removed = (tiny_delivery() for _ in range(3))
    kit.catalogue.refresh()
    fingerprint = LocalStore.fingerprint

    def may_not(store: LocalStore, name: str) -> str:
        if name == closed.name:
            raise PermissionError(13, "Permission denied")
        return fingerprint(store, name)

    monkeypatch.setattr(LocalStore, "fingerprint", may_not)
    shutil.rmtree(removed)
    for _ in range(GRACE_PASSES + 2):
        kit.catalogue.refresh()
    assert kit.live == sorted([kept.name, closed.name])
    copies = {path.name for path in kit.cache.folder.glob("*/*") if path.is_dir()}
    assert copies == {kept.name, closed.name}


# --------------------------------------------------------------------------------- other stores


def test_empty_objects_that_stand_for_folders_are_no_files(
    tmp_path: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()
    url = f"memory://{tmp_path.name}/deliveries"
    kit = Kit(tmp_path / "cache", url)
    store = kit.cache.store
    assert isinstance(store, RemoteStore)
    for each in path.rglob("*"):
        if each.is_file():
            store._system.pipe_file(
                f"{store._root}/{path.name}/{each.relative_to(path)}", each.read_bytes()
            )
    find = store._system.find

    def with_markers(root: str, **more: Any) -> dict[str, Any]:
        markers = ("/", "/card/", "/card", "/empty/")
        return {**find(root, **more), **{f"{root}{each}": {"size": 0} for each in markers}}

    monkeypatch.setattr(store._system, "find", with_markers)
    snapshot = kit.catalogue.refresh()
    assert (kit.live, snapshot.problem) == ([path.name], None)


def test_an_object_beside_those_of_a_live_delivery_leaves_it_live(
    tmp_path: Path, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    kit = Kit(tmp_path / "cache", f"memory://{tmp_path.name}/beside")
    store = kit.cache.store
    assert isinstance(store, RemoteStore)
    root = f"{store._root}/{path.name}"
    for each in path.rglob("*"):
        if each.is_file():
            store._system.pipe_file(f"{root}/{each.relative_to(path)}", each.read_bytes())
    store._system.pipe_file(f"{root}/.DS_Store", b"of a Finder")
    kit.catalogue.refresh()
    store._system.pipe_file(f"{root}/notes.txt", b"of somebody")
    kit.catalogue.refresh()
    assert kit.live == [path.name]


@pytest.mark.parametrize("url", ["http://host:8761/x", "https://host/x", "simplecache::http://h/x"])
def test_a_web_server_is_no_store(url: str) -> None:
    with pytest.raises(SettingsError, match=r"a store that lists its files, such as s3://bucket"):
        create_app({"store": url})
