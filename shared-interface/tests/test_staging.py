"""Staging: a delivery becomes visible whole, once, or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fairweather_interface import (
    CARD,
    EXAMPLES,
    MANIFEST,
    METADATA,
    CorruptDeliveryError,
    DeliveryError,
    list_deliveries,
    new_delivery_id,
    staged_delivery,
    verify_delivery,
)
from fairweather_interface import delivery as delivery_module
from fairweather_interface.delivery import clear_dead_stagings
from fairweather_interface.testing import build_delivery

SOME_ID = "6f9619ff-8b86-4d01-b42d-00c04fc964ff"  # names of tests are the same in every process


def _everything(store: Path) -> list[str]:
    return sorted(item.name for item in store.iterdir())


def test_nothing_is_visible_until_everything_is(store: Path) -> None:
    ready = build_delivery(store / "kit")
    with staged_delivery(store, ready.name) as folder:
        assert folder.parent == store
        assert folder.name.startswith(".")
        for name in (METADATA, EXAMPLES, CARD, "model.onnx"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes((ready / name).read_bytes())
            assert list_deliveries(store) == ()
        assert not (folder / MANIFEST).exists()
    assert list_deliveries(store) == (store / ready.name,)
    assert verify_delivery(store / ready.name) == ()
    assert _everything(store) == sorted([ready.name, "kit"])


def test_a_store_is_made_where_there_is_none(tmp_path: Path) -> None:
    path = build_delivery(tmp_path / "a" / "b")
    assert list_deliveries(tmp_path / "a" / "b") == (path,)


def test_a_writer_may_change_the_working_directory(
    store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ready = build_delivery(tmp_path / "kit")
    monkeypatch.chdir(store.parent)
    with staged_delivery(Path("store"), ready.name) as folder:
        monkeypatch.chdir("/")
        for name in (METADATA, EXAMPLES, CARD, "model.onnx"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes((ready / name).read_bytes())
    assert _everything(store) == [ready.name]


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt, SystemExit, OSError])
def test_whatever_goes_wrong_inside_leaves_nothing(kind: type[BaseException], store: Path) -> None:
    def write() -> None:
        with staged_delivery(store, new_delivery_id()) as folder:
            (folder / METADATA).write_bytes(b"{}")
            raise kind("stop")

    with pytest.raises(kind, match="stop"):
        write()
    assert _everything(store) == []


def test_what_does_not_conform_is_not_delivered_and_every_reason_is_told(store: Path) -> None:
    with (
        pytest.raises(CorruptDeliveryError) as caught,
        staged_delivery(store, new_delivery_id()) as folder,
    ):
        (folder / METADATA).write_bytes(b"{}")
    assert "does not conform and was not delivered" in str(caught.value)
    assert caught.value.problems
    assert _everything(store) == []


def test_an_empty_or_linked_delivery_is_not_delivered(store: Path) -> None:
    with pytest.raises(CorruptDeliveryError), staged_delivery(store, new_delivery_id()):
        pass
    with (
        pytest.raises(CorruptDeliveryError, match="found a link"),
        staged_delivery(store, new_delivery_id()) as folder,
    ):
        (folder / METADATA).symlink_to("/etc/hostname")
    assert _everything(store) == []


@pytest.mark.parametrize(
    "name",
    ["", "x", "../x", "/x", "00000000-0000-1000-8000-000000000000", SOME_ID.upper() + "A",
     f"{SOME_ID}\n", f"../{SOME_ID}"],
)  # fmt: skip
def test_an_id_that_is_none_is_refused_before_anything_is_written(name: str, store: Path) -> None:
    with (
        pytest.raises(DeliveryError, match="expected a lowercase UUID"),
        staged_delivery(store, name),
    ):
        pytest.fail("the block must not run")
    assert _everything(store) == []


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")],
    ids=["folder", "file", "dead link"],
)
def test_whatever_lies_at_the_place_is_never_replaced(
    make: Callable[[Path], None], store: Path
) -> None:
    name = new_delivery_id()
    make(store / name)
    with (
        pytest.raises(DeliveryError, match="a delivery is never replaced"),
        staged_delivery(store, name),
    ):
        pytest.fail("the block must not run")
    assert _everything(store) == [name]


def test_a_delivery_is_never_replaced_even_if_the_other_came_in_between(
    store: Path, tmp_path: Path
) -> None:
    first = build_delivery(tmp_path / "kit")
    before = (first / MANIFEST).read_bytes()

    def write() -> None:
        with staged_delivery(store, first.name) as folder:
            for name in (METADATA, EXAMPLES, CARD, "model.onnx"):
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes((first / name).read_bytes())
            first.rename(store / first.name)

    with pytest.raises(DeliveryError, match="a delivery is never replaced"):
        write()
    assert _everything(store) == [first.name]
    assert (store / first.name / MANIFEST).read_bytes() == before


def test_a_disk_that_fails_while_flushing_leaves_nothing_visible(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(delivery_module, "_flush", full)
    with pytest.raises(OSError, match="No space left"):
        build_delivery(store)
    assert _everything(store) == []


def test_a_store_that_is_a_file_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    with pytest.raises(OSError, match="store"):
        build_delivery(tmp_path / "store")


_KILLED = """
    import os, signal, sys
    from pathlib import Path
    from fairweather_interface import new_delivery_id, staged_delivery
    with staged_delivery(Path(sys.argv[1]), new_delivery_id()) as folder:
        (folder / "metadata.json").write_text("{}")
        print("staged", flush=True)
        if sys.argv[2] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        sys.stdin.read()
        raise SystemExit(3)
"""


def _writer(store: Path, how: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", textwrap.dedent(_KILLED), str(store), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "staged\n"
    return process


def test_a_killed_writer_leaves_nothing_visible_and_the_next_one_cleans_up(store: Path) -> None:
    with _writer(store, "die") as process:
        assert process.wait(timeout=20) == -signal.SIGKILL
    (left,) = _everything(store)
    assert left.startswith(".staging-")
    assert list_deliveries(store) == ()
    path = build_delivery(store)
    assert _everything(store) == [path.name]


def test_a_living_writer_in_another_process_is_left_alone(store: Path) -> None:
    with _writer(store, "live") as process:
        (staged,) = _everything(store)
        path = build_delivery(store)
        assert clear_dead_stagings(store) == ()
        assert _everything(store) == sorted([staged, path.name])
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=20) == 3
    assert _everything(store) == [path.name]


def test_many_writers_at_once_all_deliver(store: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: build_delivery(store, samples=3), range(40)))
    assert list_deliveries(store) == tuple(sorted(paths))
    assert _everything(store) == sorted(path.name for path in paths)
    assert all(verify_delivery(path) == () for path in paths)


def test_one_of_two_writers_of_one_id_wins(store: Path) -> None:
    name = new_delivery_id()

    def deliver(_: int) -> bool:
        try:
            build_delivery(store, delivery_id=name)
        except DeliveryError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(deliver, range(8))) == 1
    assert _everything(store) == [name]
    assert verify_delivery(store / name) == ()


def test_cleaning_up_touches_only_the_stagings_of_the_dead(store: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (store / ".staging-link").symlink_to(tmp_path / "precious")
    (store / ".staging-file").write_bytes(b"")
    os.mkfifo(store / ".staging-pipe")
    (store / ".staging-dead" / "model").mkdir(parents=True)
    (store / ".other").mkdir()
    assert clear_dead_stagings(store) == (store / ".staging-dead",)
    assert (tmp_path / "precious").is_dir()
    assert _everything(store) == [".other", ".staging-file", ".staging-link", ".staging-pipe"]


def test_a_staging_taken_for_dead_before_it_was_locked_is_made_again(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir
    taken: list[Path] = []

    def taken_once(path: Path, *arguments: object, **options: object) -> None:
        mkdir(path, *arguments, **options)  # type: ignore[arg-type]
        if path.name.startswith(".staging-") and not taken:
            taken.append(path)
            path.rmdir()

    monkeypatch.setattr(Path, "mkdir", taken_once)
    assert verify_delivery(build_delivery(store)) == ()
    assert len(taken) == 1
