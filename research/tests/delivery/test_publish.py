"""Publishing: from store to store, whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec  # type: ignore[import-untyped]
import pytest
from fairweather_interface.delivery import list_deliveries, verify_delivery
from fairweather_interface.testing import build_delivery
from typer.testing import CliRunner

from fairweather_research.cli.main import app
from fairweather_research.delivery.publish import publish
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
    (delivery / "manifest.dsse.json").write_bytes(b"{}")
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
    def full(_source: Path, _copy: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fairweather_research.delivery.publish.shutil.copy2", full)
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
