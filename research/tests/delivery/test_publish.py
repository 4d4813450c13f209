"""Publishing: from store to store, whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec  # type: ignore[import-untyped]
import pytest
from fairweather_interface.delivery import list_deliveries, read_manifest, verify_delivery
from fairweather_interface.envelope import dump_envelope, new_envelope
from fairweather_interface.testing import build_delivery
from typer.testing import CliRunner

from fairweather_research.cli.main import app
from fairweather_research.delivery.publish import publish
from fairweather_research.delivery.stores import copy_bytes
from fairweather_research.errors import PublishError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    return build_delivery(tmp_path / "research")


@pytest.fixture
def remote() -> str:
    return f"memory://{uuid.uuid4().hex}/deliveries"


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_delivery_is_copied_to_a_folder_byte_for_byte(delivery: Path, tmp_path: Path) -> None:
    where = publish(str(delivery), str(tmp_path / "store"))
    assert where == str(tmp_path / "store" / delivery.name)
    assert files(Path(where)) == files(delivery)
    assert [path.name for path in (tmp_path / "store").iterdir()] == [delivery.name]


def test_there_and_back_again_it_is_the_same(delivery: Path, remote: str, tmp_path: Path) -> None:
    there = publish(str(delivery), remote)
    assert there == f"{remote}/{delivery.name}"
    assert publish(there, str(tmp_path / "store")) == str(tmp_path / "store" / delivery.name)
    assert files(tmp_path / "store" / delivery.name) == files(delivery)


@pytest.mark.parametrize("kind", ["folder", "remote"])
def test_publishing_again_changes_nothing_and_other_bytes_are_refused(
    delivery: Path, remote: str, tmp_path: Path, kind: str
) -> None:
    store = remote if kind == "remote" else str(tmp_path / "store")
    assert publish(str(delivery), store) == publish(str(delivery), store)
    other = build_delivery(tmp_path / "other", delivery_id=delivery.name, author="somebody else")
    with pytest.raises(PublishError, match="found another delivery at"):
        publish(str(other), store)


@pytest.mark.parametrize("kind", ["folder", "remote"])
def test_what_systems_and_editors_left_in_it_is_not_published_and_its_signature_is(
    delivery: Path, remote: str, tmp_path: Path, kind: str
) -> None:
    envelope = new_envelope(read_manifest(delivery), datetime.now(UTC)).with_signature("a", b"b")
    (delivery / "manifest.dsse.json").write_bytes(dump_envelope(envelope))
    expected = files(delivery)
    (delivery / ".DS_Store").write_bytes(b"of a Finder")
    (delivery / "metadata.json~").write_bytes(b"of an editor")
    (delivery / "card" / ".#index.html").symlink_to("ann@host.1234")
    assert verify_delivery(delivery) == ()
    where = publish(str(delivery), remote if kind == "remote" else str(tmp_path / "store"))
    back = publish(where, str(tmp_path / "back"))
    assert files(Path(back)) == expected
    if kind == "folder":
        assert files(Path(where)) == expected


def test_what_does_not_conform_is_not_published(delivery: Path, tmp_path: Path) -> None:
    (delivery / "card" / "index.html").write_text("tampered with", encoding="utf-8")
    with pytest.raises(PublishError, match=r"card/index\.html"):
        publish(str(delivery), str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_modes_stay_behind(delivery: Path, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        for path in delivery.rglob("*"):
            path.chmod(0o6777)
        (delivery / "model.onnx").chmod(0o4555)
        where = Path(publish(str(delivery), str(tmp_path / "store")))
    finally:
        os.umask(before)
    found = {stat.S_IMODE(path.stat().st_mode) for path in where.rglob("*") if path.is_file()}
    assert found == {0o644}
    assert stat.S_IMODE((where / "card").stat().st_mode) == stat.S_IMODE(where.stat().st_mode)
    assert stat.S_IMODE(where.stat().st_mode) == 0o755


@pytest.mark.parametrize("kind", ["folder", "remote"])
def test_a_file_that_becomes_a_link_after_it_was_verified_is_not_followed(
    delivery: Path, remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "secret").write_bytes((delivery / "model.onnx").read_bytes())
    real = copy_bytes

    def swapped(source: Path, copy: Path, size: int) -> None:
        if source.name == "model.onnx":
            source.unlink()
            source.symlink_to(tmp_path / "secret")
        real(source, copy, size)

    monkeypatch.setattr("fairweather_research.delivery.publish.copy_bytes", swapped)
    store = remote if kind == "remote" else str(tmp_path / "store")
    with pytest.raises(PublishError, match=r"model\.onnx"):
        publish(str(delivery), store)
    assert not list((tmp_path / "store").glob("*"))
    assert not fsspec.filesystem("memory").exists(remote.removeprefix("memory:/"))


def test_of_a_file_that_grows_no_more_is_copied_than_is_listed(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * 3_000_000)
    copy_bytes(tmp_path / "long", tmp_path / "copy", 2_000_001)
    assert (tmp_path / "copy").stat().st_size == 2_000_001
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PublishError, match="a device, expected a file"):
        copy_bytes(tmp_path / "pipe", tmp_path / "another", 1)


def test_of_a_remote_delivery_only_what_is_listed_comes_and_no_more_of_it(
    delivery: Path, remote: str, tmp_path: Path
) -> None:
    where = publish(str(delivery), remote)
    system = fsspec.filesystem("memory")
    system.pipe_file(f"{where}/card/unlisted.bin", b"0" * 1000)
    back = publish(where, str(tmp_path / "back"))
    assert files(Path(back)) == files(delivery)
    system.pipe_file(f"{where}/model.onnx", b"0" * 1_000_000)
    with pytest.raises(PublishError, match=r"model\.onnx: found 1000000 bytes, expected at most"):
        publish(where, str(tmp_path / "elsewhere"))


def test_an_upload_that_is_cut_short_stays_invisible_and_can_be_repeated(
    delivery: Path, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = fsspec.filesystem("memory")
    real: Callable[..., Any] = type(system).put_file
    sent: list[str] = []

    def cut(self: Any, source: str, target: str, **more: Any) -> Any:
        if len(sent) == 2:
            raise OSError("connection lost")
        sent.append(target)
        return real(self, source, target, **more)

    monkeypatch.setattr(type(system), "put_file", cut)
    with pytest.raises(PublishError, match="connection lost"):
        publish(str(delivery), remote)
    root = remote.removeprefix("memory:/")
    assert not any(path.endswith("manifest.json") for path in system.find(root))
    monkeypatch.setattr(type(system), "put_file", real)
    publish(str(delivery), remote)
    assert system.exists(f"{root}/{delivery.name}/manifest.json")


def test_a_copy_that_is_cut_short_leaves_nothing(
    delivery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: Path, _copy: Path, _size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fairweather_research.delivery.publish.copy_bytes", full)
    with pytest.raises(PublishError, match="No space left on device"):
        publish(str(delivery), str(tmp_path / "store"))
    assert list_deliveries(tmp_path / "store") == ()
    assert not list((tmp_path / "store").iterdir())


def test_of_two_writers_of_the_same_bytes_both_succeed(delivery: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(delivery, store / delivery.name)
    assert verify_delivery(Path(publish(str(delivery), str(store)))) == ()


def test_the_command_says_where_it_lies_and_a_refusal_is_a_sentence(
    delivery: Path, tmp_path: Path
) -> None:
    arguments = ["publish", str(delivery), "--store", str(tmp_path / "store")]
    shown = CliRunner().invoke(app, arguments)
    assert (shown.exit_code, shown.stdout) == (0, f"{tmp_path / 'store' / delivery.name}\n")
    (delivery / "manifest.json").unlink()
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 1
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize("scheme", ["memory", "ftp"])
def test_user_and_password_of_a_store_are_not_shown(delivery: Path, scheme: str) -> None:
    store = f"{scheme}://someone:s3cr3t@localhost:9/{uuid.uuid4().hex}"
    shown = CliRunner().invoke(app, ["publish", str(delivery), "--store", store])
    assert shown.exit_code == (1 if scheme == "ftp" else 0)
    assert f"{scheme}://***@localhost:9/" in shown.output
    assert "s3cr3t" not in shown.output
    assert "someone" not in shown.output
