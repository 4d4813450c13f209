"""Stores: a folder, a place in memory, and S3 as a server on loopback speaks it."""

from __future__ import annotations

import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest
from fairweather_interface.envelope import LARGEST_ENVELOPE
from fairweather_interface.errors import (
    CorruptDeliveryError,
    EnvelopeError,
    IncompleteDeliveryError,
)
from fairweather_interface.manifest import SIGNATURE
from fairweather_interface.refusals import Code

from catalogues import Kit
from fairweather_app import create_app
from fairweather_app.catalogue.stores import LocalStore, RemoteStore, Store, open_store
from fairweather_app.errors import SettingsError

Build = Callable[..., Path]


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - slow, and for these tests only

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


class Bucket:
    """A remote store that deliveries are uploaded to, file by file."""

    def __init__(self, url: str, system: Any) -> None:
        self.url = url
        self.root = url.partition("://")[2]
        self.system = system

    def upload(self, folder: Path, *, without: tuple[str, ...] = ()) -> None:
        for path in sorted(folder.rglob("*"), key=lambda each: each.name == "manifest.json"):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name not in without:
                self.put(f"{folder.name}/{name}", path.read_bytes())

    def put(self, name: str, content: bytes) -> None:
        self.system.pipe_file(f"{self.root}/{name}", content)

    def remove(self, name: str) -> None:
        self.system.rm(f"{self.root}/{name}", recursive=True)
        self.system.invalidate_cache()


@pytest.fixture(params=["memory", "s3"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    name = f"fairweather-{uuid.uuid4().hex}"
    if request.param == "memory":
        system = fsspec.filesystem("memory")
        system.mkdir(f"/{name}")
        return Bucket(f"memory://{name}/deliveries", system)
    endpoint = request.getfixturevalue("s3_server")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdir(name)
    return Bucket(f"s3://{name}/deliveries", system)


@pytest.fixture
def kit(tmp_path: Path, bucket: Bucket) -> Kit:
    return Kit(tmp_path / "cache", bucket.url)


def test_a_url_is_reached_through_fsspec_and_a_path_is_a_folder(tmp_path: Path) -> None:
    assert isinstance(open_store("s3://bucket/prefix"), RemoteStore)
    assert str(open_store("s3://bucket/prefix/")) == "s3://bucket/prefix"
    for text in (str(tmp_path), f"file://{tmp_path}"):
        found = open_store(text)
        assert isinstance(found, LocalStore)
        assert found.folder == tmp_path


@pytest.mark.parametrize("url", ["nothing://bucket", "s4://bucket"])
def test_a_url_that_nothing_can_open_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsError, match=r"FAIRWEATHER_STORE.*expected a folder or a URL"):
        create_app({"store": url})


# -------------------------------------------------------------------------------- every store


@pytest.fixture(params=["folder", "remote"])
def any_store(
    request: pytest.FixtureRequest, store: Path, tiny_delivery: Build
) -> tuple[Store, str, Callable[[str, bytes | None], None]]:
    """A store with one delivery, its name, and how a file of it is changed or removed."""
    path = tiny_delivery()
    if request.param == "folder":

        def change_file(name: str, content: bytes | None) -> None:
            (path / name).unlink(missing_ok=True)
            if content is not None:
                (path / name).write_bytes(content)

        return LocalStore(store), path.name, change_file
    system = fsspec.filesystem("memory")
    remote = Bucket(f"memory://{uuid.uuid4().hex}/deliveries", system)
    remote.upload(path)

    def change(name: str, content: bytes | None) -> None:
        if content is None:
            remote.remove(f"{path.name}/{name}")
        else:
            remote.put(f"{path.name}/{name}", content)

    return RemoteStore(remote.url), path.name, change


AnyStore = tuple[Store, str, Callable[[str, "bytes | None"], None]]


def test_the_envelope_is_empty_what_it_is_or_larger_than_any(any_store: AnyStore) -> None:
    store, name, change = any_store
    assert store.envelope(name) == b""
    for content in (b"", b"x", b"x" * LARGEST_ENVELOPE):
        change(SIGNATURE, content)
        assert store.envelope(name) == content
    change(SIGNATURE, b"x" * (LARGEST_ENVELOPE + 1))
    with pytest.raises(EnvelopeError, match=r"manifest\.dsse\.json: found more than 65536 bytes"):
        store.envelope(name)


def test_the_fingerprint_changes_with_the_bytes_and_with_nothing_else(any_store: AnyStore) -> None:
    store, name, change = any_store
    before = store.fingerprint(name)
    assert before == store.fingerprint(name) != ""
    change("model.onnx", b"other bytes")
    assert store.fingerprint(name) != before


def test_without_a_manifest_it_is_not_there(any_store: AnyStore) -> None:
    store, name, change = any_store
    change("manifest.json", None)
    for ask in (store.fingerprint, store.manifest):
        with pytest.raises(IncompleteDeliveryError):
            ask(name)


def test_what_is_not_listed_missing_or_of_another_size_is_refused(any_store: AnyStore) -> None:
    store, name, change = any_store
    manifest = store.manifest(name)
    store.check(name, manifest)
    change("notes.txt", b"not listed")
    change("examples.npz", None)
    change("model.onnx", b"short")
    with pytest.raises(CorruptDeliveryError) as caught:
        store.check(name, manifest)
    told = "; ".join(caught.value.problems)
    assert "notes.txt: found, not listed in manifest.json" in told
    assert "examples.npz: listed in manifest.json, not found" in told
    assert "model.onnx: found 5 bytes, expected" in told


def test_what_is_fetched_is_the_delivery(any_store: AnyStore, tmp_path: Path) -> None:
    store, name, _ = any_store
    store.fetch(name, store.manifest(name), tmp_path / "copy" / name)
    copy = LocalStore(tmp_path / "copy")
    assert copy.names() == store.names() == {name}
    copy.check(name, store.manifest(name))


# ------------------------------------------------------------------------------ remote stores


def test_a_delivery_that_is_uploaded_is_live_at_the_next_look(
    kit: Kit, bucket: Bucket, tiny_delivery: Build
) -> None:
    assert kit.catalogue.refresh().problem is None  # a new store may be empty
    path = tiny_delivery()
    bucket.upload(path)
    kit.catalogue.refresh()
    assert kit.live == [path.name]
    assert kit.catalogue.refresh().problem is None
    assert kit.ingestion.ingested == [path.name]
    model = kit.catalogue.model(kit.catalogue.snapshot.entry(path.name))
    assert model.delivery.path.is_relative_to(kit.cache.folder)


def test_a_partial_upload_is_not_there_until_its_manifest_is(
    kit: Kit, bucket: Bucket, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    bucket.upload(path, without=("manifest.json", "examples.npz"))
    snapshot = kit.catalogue.refresh()
    assert (snapshot.entries, snapshot.problem) == ({}, None)
    bucket.upload(path)
    kit.catalogue.refresh()
    assert kit.live == [path.name]


def test_a_manifest_that_came_before_its_files_is_quarantined_until_they_are_there(
    kit: Kit, bucket: Bucket, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    bucket.upload(path, without=("examples.npz",))
    entry = kit.catalogue.refresh().entry(path.name)
    assert (entry.state, entry.code) == ("quarantined", Code.CORRUPT)
    assert "examples.npz: listed in manifest.json, not found" in str(entry.reason)
    bucket.upload(path)
    kit.catalogue.refresh()
    assert kit.live == [path.name]


def test_other_bytes_of_the_same_size_are_quarantined(
    kit: Kit, bucket: Bucket, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    content = bytearray((path / "model.onnx").read_bytes())
    content[-1] ^= 1
    (path / "model.onnx").write_bytes(content)
    bucket.upload(path)
    entry = kit.catalogue.refresh().entry(path.name)
    assert "model.onnx: its sha256 differs" in str(entry.reason)


def test_what_is_live_stays_live_while_the_store_is_empty_or_cannot_be_reached(
    kit: Kit, bucket: Bucket, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()
    bucket.upload(path)
    kit.catalogue.refresh()
    bucket.remove(path.name)
    assert "is empty and held 1 deliveries" in str(kit.catalogue.refresh().problem)
    assert kit.live == [path.name]
    bucket.upload(path)
    assert kit.catalogue.refresh().problem is None

    def fail(*_arguments: object, **_more: object) -> None:
        raise RuntimeError("cannot connect to the endpoint")

    monkeypatch.setattr(kit.cache.store._system, "ls", fail)  # type: ignore[attr-defined]
    assert "cannot connect to the endpoint" in str(kit.catalogue.refresh().problem)
    assert kit.live == [path.name]


def test_a_server_that_is_not_there_is_a_problem_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        kit = Kit(tmp_path / "cache", "s3://bucket/deliveries")
        problem = str(kit.catalogue.refresh().problem)
    assert "the store s3://bucket/deliveries cannot be read" in problem


def test_an_app_serves_from_a_remote_store_and_goes_on_when_it_is_gone(
    bucket: Bucket,
    settings: dict[str, Any],
    tiny_delivery: Build,
    observe: Callable[..., None],
    day: list[float],
) -> None:
    path = tiny_delivery()
    bucket.upload(path)
    shutil.rmtree(path)
    observe("EWR", day)
    app = create_app(settings | {"store": bucket.url})
    catalogue = app.extensions["fairweather"].catalogue
    catalogue.refresh()
    bucket.remove(path.name)
    catalogue.refresh()
    answer = app.test_client().get("/weather/predict?area=EWR").json
    assert answer is not None
    assert answer["receipt"]["delivery_id"] == path.name
    app.extensions["fairweather"].observations.close()


def test_a_delivery_that_may_not_be_looked_into_is_a_failure_of_the_store(
    store: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()

    def forbidden(_folder: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("fairweather_app.catalogue.stores.os.scandir", forbidden)
    with pytest.raises(PermissionError):
        LocalStore(store).fingerprint(path.name)
