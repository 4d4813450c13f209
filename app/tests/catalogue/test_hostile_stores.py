"""Stores written by somebody who means harm: names, kinds, sizes and counts below a delivery."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import tracemalloc
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import pytest
from fairweather_interface.errors import CorruptDeliveryError, IncompleteDeliveryError
from fairweather_interface.manifest import write_manifest
from fairweather_interface.refusals import Code

from catalogues import Kit
from fairweather_app.catalogue import delivery_cache, stores
from fairweather_app.catalogue.stores import LocalStore, RemoteStore
from fairweather_app.text import LONGEST_REASON

Build = Callable[..., Path]
Make = Callable[[Path], object]


@pytest.fixture(autouse=True)
def cleaned_up(store: Path) -> Iterator[None]:
    """Remove what is too deep for Python to remove."""
    yield
    subprocess.run(["rm", "-rf", store], check=True)  # noqa: S603, S607 - a folder of the test


def deep(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    for _ in range(1500):  # deeper than any path is long
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)


def replace_model(path: Path, make: Make) -> None:
    (path / "model.onnx").unlink()
    make(path / "model.onnx")


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        where = os.open(path.parent, os.O_RDONLY)
        bound.bind(f"/proc/self/fd/{where}/{path.name}")
        os.close(where)


def swap_folder(path: Path) -> None:
    (path / "card").rename(path.parent.parent / "card")
    (path / "card").symlink_to(path.parent.parent / "card")


HOSTILE: dict[str, tuple[Make, str]] = {
    "a name that is not UTF-8": (
        lambda path: (path / "card" / os.fsdecode(b"caf\xe9.txt")).write_text("x"),
        r"card/caf\udce9.txt: found, not listed in manifest.json",
    ),
    "a name that turns text around": (
        lambda path: (path / "card" / "a\u202etxt\x1b[2J\n").write_text("x"),
        "card/a\\u202etxt\\x1b[2J\n: found, not listed",
    ),
    "folders deeper than a path is long": (deep, "at most 32 folders in each other"),
    "a pipe for a file": (lambda path: replace_model(path, os.mkfifo), "neither a file nor a"),
    "a socket for a file": (lambda path: replace_model(path, bind), "neither a file nor a"),
    "a folder for a file": (
        lambda path: replace_model(path, Path.mkdir),
        "model.onnx: found a folder",
    ),
    "a pipe that is not listed": (lambda path: os.mkfifo(path / "p"), "p: found neither a file"),
    "a pipe for the signature": (
        lambda path: os.mkfifo(path / "manifest.dsse.json"),
        "manifest.dsse.json: found neither a file",
    ),
    "a link for a file": (
        lambda path: replace_model(path, lambda model: model.symlink_to("/etc/passwd")),
        "model.onnx: found a link",
    ),
    "a link for a folder": (swap_folder, "card: found a link"),
    "a link that leads to itself": (lambda path: (path / "l").symlink_to("."), "l: found a link"),
    "a sparse file": (
        lambda path: os.truncate(path / "model.onnx", 200 << 30),
        f"model.onnx: found {200 << 30} bytes, expected",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_wrong_with_one_delivery_is_its_own_reason_and_ends_no_look(
    kit: Kit, tiny_delivery: Build, name: str
) -> None:
    make, reason = HOSTILE[name]
    bad = tiny_delivery(delivery_id="00000000-0000-4000-8000-000000000000")
    make(bad)
    good = tiny_delivery()
    for _ in range(2):
        snapshot = kit.catalogue.refresh()
        assert kit.live == [good.name]
        assert snapshot.problem is None
        entry = snapshot.entry(bad.name)
        assert (entry.state, entry.code) == ("quarantined", Code.CORRUPT)
        assert reason in str(entry.reason)
    assert kit.ingestion.ingested == [bad.name, good.name]  # once each


@pytest.mark.parametrize("name", ["a name that is not UTF-8", "folders deeper than a path is long"])
def test_what_is_put_beside_a_verified_delivery_leaves_it_live(
    kit: Kit, tiny_delivery: Build, name: str
) -> None:
    path = tiny_delivery()
    kit.catalogue.refresh()
    HOSTILE[name][0](path)
    assert kit.catalogue.refresh().problem is None
    assert kit.live == [path.name]


def test_a_link_to_a_delivery_is_refused(kit: Kit, store: Path, tiny_delivery: Build) -> None:
    path = tiny_delivery()
    (store.parent / "elsewhere").mkdir()
    path.rename(store.parent / "elsewhere" / path.name)
    path.symlink_to(store.parent / "elsewhere" / path.name)
    for _ in range(2):
        entry = kit.catalogue.refresh().entry(path.name)
        assert str(entry.reason).startswith("found a link, expected a folder with its files; it is")
    path.unlink()
    (store.parent / "elsewhere" / path.name).rename(path)
    kit.catalogue.refresh()
    assert kit.live == [path.name]


# --------------------------------------------------------------------------- bytes, as they come


def test_no_more_is_read_than_was_asked_for(store: Path, tiny_delivery: Build) -> None:
    path = tiny_delivery()
    size = (path / "model.onnx").stat().st_size
    (store.parent / "copy").mkdir()
    with pytest.raises(CorruptDeliveryError) as caught:
        LocalStore(store).copy_files(path.name, {"model.onnx": size - 1}, store.parent / "copy")
    assert f"model.onnx: found more than {size - 1} bytes" in caught.value.problems[0]
    os.truncate(path / "manifest.json", 200 << 30)
    with pytest.raises(CorruptDeliveryError, match="corrupt"):
        LocalStore(store).manifest(path.name)


@pytest.mark.parametrize("name", ["a link for a file", "a link for a folder", "a pipe for a file"])
def test_what_becomes_a_link_after_it_was_looked_at_is_not_followed(
    store: Path, tiny_delivery: Build, name: str
) -> None:
    path = tiny_delivery()
    manifest = LocalStore(store).manifest(path.name)
    HOSTILE[name][0](path)
    with pytest.raises(CorruptDeliveryError):
        LocalStore(store).fetch(path.name, manifest, store.parent / "copy")


@pytest.fixture
def remote(tiny_delivery: Build) -> RemoteStore:
    """A remote store of one delivery, ``b``, whose model is longer than is listed."""
    system = fsspec.filesystem("memory")
    url = f"memory://{uuid.uuid4().hex}"
    path = tiny_delivery()
    system.put(str(path), f"{url.partition('://')[2]}/b", recursive=True)
    system.pipe_file(f"{url.partition('://')[2]}/b/model.onnx", b"0" * (32 << 20))
    return RemoteStore(url)


@pytest.mark.parametrize("says", ["the truth", "nothing", "a lie"])
def test_a_server_is_not_believed_what_the_size_of_a_file_is(
    remote: RemoteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    system = remote._system
    manifest = remote.manifest("b")
    if says != "the truth":
        monkeypatch.setattr(system, "blocksize", 1 << 16)
        monkeypatch.setattr(
            "fsspec.callbacks.Callback.set_size",
            lambda *_arguments: None,
        )
    with pytest.raises(CorruptDeliveryError) as caught:
        remote.fetch("b", manifest, tmp_path / "copy")
    assert "model.onnx: found more than" in caught.value.problems[0]
    if says != "the truth":
        assert (tmp_path / "copy" / "model.onnx").stat().st_size < 1 << 20


def test_a_manifest_of_a_server_is_bounded(remote: RemoteStore) -> None:
    remote._system.pipe_file(f"{remote._root}/b/manifest.json", b" " * (5 << 20))
    with pytest.raises(CorruptDeliveryError, match="corrupt"):
        remote.manifest("b")
    remote._system.rm(f"{remote._root}/b/manifest.json")
    with pytest.raises(IncompleteDeliveryError):
        remote.manifest("b")


def test_of_very_many_files_the_first_are_looked_at(
    store: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "MOST_ENTRIES", 20)
    path = tiny_delivery()
    (path / "more").mkdir()
    for number in range(40):
        (path / "more" / str(number)).write_text("")
    place = LocalStore(store)
    manifest = place.manifest(path.name)
    assert place.fingerprint(path.name) == place.fingerprint(path.name)
    with pytest.raises(CorruptDeliveryError) as caught:
        place.check(path.name, manifest)
    assert ".: found more than 20 files and folders" in caught.value.problems
    assert "." in place.check(path.name, manifest, only_listed=True)  # as beside a verified copy


# ---------------------------------------------------------------------------------------- limits


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_cache, "MOST_FILES", 10)
    monkeypatch.setattr(delivery_cache, "MOST_AREAS", 3)
    monkeypatch.setattr(delivery_cache, "LARGEST_READ", 20_000)
    monkeypatch.setattr(delivery_cache, "LARGEST_ARRAYS", 100_000)
    monkeypatch.setattr(delivery_cache, "MOST_ARRAYS", 20)


def pack(path: Path, arrays: int, size: int) -> None:
    """Write more arrays into the examples, which have none of them to be asked for."""
    content = io.BytesIO((path / "examples.npz").read_bytes())
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(arrays):
            archive.writestr(f"more{number}.npy", b"\0" * size)
    (path / "examples.npz").write_bytes(content.getvalue())


BEYOND: dict[str, tuple[Make, str]] = {
    "bytes": (
        lambda path: (path / "card" / "film").write_bytes(b"\0" * 1_000_000),
        "bytes, which FAIRWEATHER_DELIVERY_LIMIT allows, expected at most 1000000",
    ),
    "files": (
        lambda path: [(path / "card" / str(each)).write_text("") for each in range(9)],
        "found 13 files, expected at most 10",
    ),
    "folders": (
        lambda path: shutil.copytree(path / "card", path / ("d/" * 33)),
        "found 33 folders in each other, expected at most 32",
    ),
    "metadata": (
        lambda path: (path / "metadata.json").write_bytes(
            (path / "metadata.json").read_bytes() + b" " * 20_000
        ),
        "bytes of metadata.json, expected at most 20000",
    ),
    "arrays": (lambda path: pack(path, 21, 1), "arrays in examples.npz, expected at most 20"),
    "bytes of arrays": (lambda path: pack(path, 1, 99_999), "unpacked, expected at most 100000"),
}


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("what", BEYOND)
def test_a_delivery_beyond_a_limit_is_refused_with_the_limit(
    tmp_path: Path, store: Path, tiny_delivery: Build, what: str
) -> None:
    kit = Kit(tmp_path / "cache", store, limit=1_000_000)
    bad, good = tiny_delivery(), tiny_delivery(areas=("EWR", "JFK", "LGA"))
    BEYOND[what][0](bad)
    write_manifest(bad, bad.name)
    entry = kit.catalogue.refresh().entry(bad.name)
    assert entry.code is Code.CORRUPT
    assert BEYOND[what][1] in str(entry.reason)
    assert kit.live == [good.name]


@pytest.mark.usefixtures("small_limits")
def test_a_delivery_of_very_many_areas_is_refused(kit: Kit, tiny_delivery: Build) -> None:
    path = tiny_delivery(areas=tuple(f"area {number}" for number in range(4)))
    entry = kit.catalogue.refresh().entry(path.name)
    assert entry.reason == "found 4 areas, expected at most 3"


def test_a_delivery_that_does_not_fit_the_disk_is_not_begun(
    kit: Kit, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()
    monkeypatch.setattr(delivery_cache, "_size", lambda _manifest: 1 << 62)
    kit.cache.limit = 1 << 63
    monkeypatch.setattr(kit.cache.store, "copy_files", fetch_only_manifests(kit))
    snapshot = kit.catalogue.refresh()
    assert "No space left on device" in str(snapshot.entry(path.name).reason)
    monkeypatch.undo()
    kit.catalogue.refresh()
    assert kit.live == [path.name]


def fetch_only_manifests(kit: Kit) -> Callable[..., None]:
    real = kit.cache.store.copy_files

    def copy_files(name: str, most: dict[str, int], folder: Path) -> None:
        assert list(most) == ["manifest.json"]
        real(name, most, folder)

    return copy_files


def test_the_reason_of_a_delivery_is_bounded_whoever_wrote_it(
    kit: Kit, tiny_delivery: Build
) -> None:
    def rename(document: dict[str, object]) -> None:
        document["areas"] = {"A" * 5_000_000: 1, "B" * 5_000_000: 2}

    bad = tiny_delivery(change=rename)
    entry = kit.catalogue.refresh().entry(bad.name)
    assert entry.code is Code.CORRUPT
    assert 0 < len(str(entry.reason)) <= LONGEST_REASON


def test_a_manifest_of_long_paths_takes_little_more_memory_than_its_text(store: Path) -> None:
    path = store / "b"
    path.mkdir()
    entry = {"sha256": "0" * 64, "size": 1}
    files = {f"{number}/{'a/' * 490}f": entry for number in range(200)}
    (path / "manifest.json").write_text(json.dumps({"delivery_id": "b", "files": files}))
    tracemalloc.start()
    LocalStore(store).manifest("b")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30_000_000  # every folder of every path would be 50 MB
