"""Deliveries: whole or invisible, true to the byte or refused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairweather_interface import (
    CARD,
    EXAMPLES,
    MANIFEST,
    METADATA,
    SIGNATURE,
    CorruptDeliveryError,
    FairweatherError,
    IncompleteDeliveryError,
    MetadataError,
    UnsupportedSchemaError,
    list_deliveries,
    new_delivery_id,
    open_delivery,
    verify_delivery,
)
from fairweather_interface import delivery as delivery_module
from fairweather_interface.manifest import file_problems, is_stray, write_manifest
from fairweather_interface.metadata import DELIVERY_ID_PATTERN, Bounds
from fairweather_interface.testing import build_delivery
from schemas import LAST_MAJOR, NEWEST, NEXT, NEXT_MAJOR, OWN

Tiny = Callable[..., Path]
Seal = Callable[[Path], None]


def test_a_good_delivery_is_opened_whole(tiny_delivery: Tiny) -> None:
    path = tiny_delivery(areas=("EWR", "JFK"), variables=("temperature", "humidity"))
    delivery = open_delivery(path, reader=OWN)
    assert delivery.path == path
    assert delivery.metadata.delivery_id == path.name == delivery.manifest.delivery_id
    assert delivery.digest == delivery.manifest.digest
    assert set(delivery.manifest.files) == {METADATA, EXAMPLES, CARD, "model.onnx"}
    assert verify_delivery(path) == ()


def test_a_delivery_is_known_by_its_folder_however_it_is_named(
    tiny_delivery: Tiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tiny_delivery()
    monkeypatch.chdir(path)
    assert verify_delivery(Path()) == ()
    assert open_delivery(Path("card/..")).metadata.delivery_id == path.name
    (tmp_path / "linked").symlink_to(path.parent)
    assert verify_delivery(tmp_path / "linked" / path.name) == ()


def _remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _add(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(b"")


def _flip(name: str) -> Callable[[Path], object]:
    def flip(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)

    return flip


def _truncate(name: str) -> Callable[[Path], object]:
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size - 1)


def _link(name: str) -> Callable[[Path], object]:
    def link(folder: Path) -> None:
        target = folder.parent / "elsewhere"
        (folder / name).rename(target)
        (folder / name).symlink_to(target)

    return link


_FAULTS = {
    "artifact missing": (_remove("model.onnx"), "model.onnx: listed in manifest.json, not found"),
    "metadata missing": (_remove(METADATA), f"{METADATA}: listed in manifest.json, not found"),
    "examples missing": (_remove(EXAMPLES), f"{EXAMPLES}: listed"),
    "card missing": (_remove(CARD), f"{CARD}: listed"),
    "stranger": (_add("notes.txt"), "notes.txt: found, not listed"),
    "stranger with a dot": (_add("card.index.html"), "card.index.html: found, not listed"),
    "stranger like a stray": (_add("metadata.json.txt"), "metadata.json.txt: found, not listed"),
    "stranger in a folder": (_add("card/plot.svg"), "card/plot.svg: found, not listed"),
    "bit in the model": (_flip("model.onnx"), "model.onnx: its sha256 differs"),
    "bit in the metadata": (_flip(METADATA), f"{METADATA}: its sha256 differs"),
    "bit in the examples": (_flip(EXAMPLES), f"{EXAMPLES}: its sha256 differs"),
    "bit in the card": (_flip(CARD), f"{CARD}: its sha256 differs"),
    "model cut": (_truncate("model.onnx"), "model.onnx: found "),
    "metadata cut": (_truncate(METADATA), f"{METADATA}: found "),
    "linked model": (_link("model.onnx"), "model.onnx: found a link"),
    "linked metadata": (_link(METADATA), f"{METADATA}: found a link"),
    "linked manifest": (_link(MANIFEST), f"{MANIFEST}: found a link"),
    "linked card": (_link("card"), "card: found a link"),
    "link beside": (lambda folder: (folder / "x").symlink_to("/etc"), "x: found a link"),
    "pipe": (lambda folder: os.mkfifo(folder / "pipe"), "pipe: found neither"),
    "folder for a file": (
        lambda folder: ((folder / CARD).unlink(), (folder / CARD).mkdir()), f"{CARD}: listed"),
}  # fmt: skip


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_delivery_that_is_not_what_its_manifest_says_is_corrupt(
    fault: str, tiny_delivery: Tiny
) -> None:
    damage, told = _FAULTS[fault]
    path = tiny_delivery()
    damage(path)
    assert any(problem.startswith(told) for problem in verify_delivery(path))
    with pytest.raises(CorruptDeliveryError) as caught:
        open_delivery(path)
    assert any(problem.startswith(told) for problem in caught.value.problems)
    assert caught.value.path == path
    assert "have it delivered again" in str(caught.value)


def test_one_flipped_bit_anywhere_is_found(tiny_delivery: Tiny) -> None:
    path = tiny_delivery(samples=2)
    for name in (METADATA, "model.onnx", EXAMPLES, CARD, MANIFEST):
        good = (path / name).read_bytes()
        for place in range(0, len(good), max(1, len(good) // 25)):
            data = bytearray(good)
            data[place] ^= 0x20
            (path / name).write_bytes(data)
            if name == MANIFEST and json.loads(good) == _loaded(data):
                continue  # white space of the manifest: another delivery digest, no other meaning
            with pytest.raises(FairweatherError):
                open_delivery(path)
            assert verify_delivery(path)
        (path / name).write_bytes(good)
    assert verify_delivery(path) == ()


def _loaded(data: bytes | bytearray) -> object:
    with contextlib.suppress(ValueError):
        return json.loads(data)
    return None


def test_every_fault_is_told_at_once(tiny_delivery: Tiny) -> None:
    path = tiny_delivery()
    for damage in (_remove(EXAMPLES), _add("x"), _flip("model.onnx"), _flip(METADATA)):
        damage(path)
    assert len(verify_delivery(path)) == 4


def test_without_manifest_a_delivery_is_invisible_not_corrupt(
    tiny_delivery: Tiny, store: Path
) -> None:
    path, other = tiny_delivery(), tiny_delivery()
    (path / MANIFEST).unlink()
    assert list_deliveries(store) == (other,)
    assert verify_delivery(path)[0].startswith(f"found no {MANIFEST}")
    with pytest.raises(IncompleteDeliveryError, match="wait until its writer has finished"):
        open_delivery(path)


def test_exactly_one_unlisted_file_is_ignored_the_signature(tiny_delivery: Tiny) -> None:
    path = tiny_delivery()
    (path / SIGNATURE).write_bytes(b"not even JSON")
    assert open_delivery(path).path == path
    (problem,) = verify_delivery(path)
    assert problem.startswith("manifest.dsse.json: ")
    (path / SIGNATURE).unlink()
    (path / "card" / SIGNATURE).write_bytes(b"")
    assert len(verify_delivery(path)) == 1


_STRAYS = (
    *(".DS_Store", "card/._index.html", ".nfs000000000001", ".metadata.json.swp", "metadata.json~"),
    *("#card#", "Thumbs.db", "card/desktop.ini", "@eaDir/card/index.html", "__MACOSX/x"),
    *("lost+found/1", "card_$folder$", ".Trash-1000/files/x"),
)


@pytest.mark.parametrize("name", _STRAYS)
def test_what_systems_and_editors_leave_behind_is_no_part_of_a_delivery(
    name: str, tiny_delivery: Tiny
) -> None:
    path = tiny_delivery()
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_bytes(b"whatever")
    assert is_stray(name)
    assert verify_delivery(path) == ()
    delivery = open_delivery(path)
    assert name not in delivery.manifest.files


def test_the_lock_of_an_editor_is_a_link_to_nowhere_and_no_part_of_a_delivery(
    tiny_delivery: Tiny,
) -> None:
    path = tiny_delivery()
    (path / "card" / ".#index.html").symlink_to("ann@host.1234")
    assert verify_delivery(path) == ()


def test_a_hidden_file_that_is_listed_is_a_file_like_any_other(tiny_delivery: Tiny) -> None:
    path = tiny_delivery()
    (path / ".notes").mkdir()
    (path / ".notes" / "first~").write_bytes(b"of the trainer")
    write_manifest(path, path.name)
    assert open_delivery(path).manifest.files[".notes/first~"].size == 14
    (path / ".notes" / "first~").write_bytes(b"of an attacker")
    (problem,) = verify_delivery(path)
    assert problem == ".notes/first~: its sha256 differs from the one listed in manifest.json"
    (path / ".notes" / "first~").unlink()
    assert verify_delivery(path) == (".notes/first~: listed in manifest.json, not found",)


def test_the_listed_files_alone_can_be_held_against_the_manifest(tiny_delivery: Tiny) -> None:
    path = tiny_delivery()
    manifest = open_delivery(path).manifest
    (path / "notes.txt").write_bytes(b"")
    (path / "card" / "x").symlink_to("/etc")
    assert len(file_problems(path, manifest)) == 2
    assert file_problems(path, manifest, only_listed=True) == ()
    _link("card")(path)
    (problem,) = file_problems(path, manifest, only_listed=True)[:1]
    assert problem == "card: found a link, expected files and folders only"


def test_a_renamed_delivery_is_refused_by_manifest_and_metadata(tiny_delivery: Tiny) -> None:
    path = tiny_delivery()
    moved = path.rename(path.with_name(new_delivery_id()))
    problems = verify_delivery(moved)
    assert [problem.split(":")[0] for problem in problems] == [MANIFEST, METADATA]
    assert all("the folder's name" in problem for problem in problems)
    with pytest.raises(CorruptDeliveryError):
        open_delivery(moved)


def _lie(**changes: object) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update(changes)


def test_a_model_digest_that_lies_is_found(tiny_delivery: Tiny) -> None:
    path = tiny_delivery(change=_lie(model_digest=f"sha256:{'1' * 64}"))
    assert "differs from the model_digest" in verify_delivery(path)[0]
    with pytest.raises(CorruptDeliveryError, match="model_digest"):
        open_delivery(path)


@pytest.mark.parametrize("where", ["nowhere.onnx", "../model.onnx", "/etc/passwd", "model", "."])
def test_an_artifact_that_is_declared_and_not_there_is_found(
    where: str, tiny_delivery: Tiny
) -> None:
    artifacts = [{"format": "onnx", "path": where, "canonical": True}]
    path = tiny_delivery(change=_lie(artifacts=artifacts))
    with pytest.raises(CorruptDeliveryError, match="declared as onnx, not found"):
        open_delivery(path)
    assert verify_delivery(path)


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        ({"min_reader": "0.0"}, "found 0.0, expected 0.1"),
        ({"min_reader": "0.2"}, "found 0.2, expected 0.1"),
        ({"max_humidity_seen": 95.0}, "found 0.1, expected 0.2"),
        ({"max_humidity_seen": 95.0, "schema_version": "0.1"}, "found 0.1, expected 0.2"),
    ],
)
def test_a_min_reader_that_lies_is_found_by_verify_and_at_load(
    tiny_delivery: Tiny, lie: dict[str, Any], told: str
) -> None:
    path = tiny_delivery(schema=LAST_MAJOR, change=_lie(**lie))
    (problem,) = verify_delivery(path)
    assert problem.startswith(f"metadata.json: min_reader: {told} from what is declared")
    with pytest.raises(MetadataError, match=f"min_reader: {told}"):
        open_delivery(path)


def test_a_reader_of_the_older_schema_is_served_what_it_can_obey_and_refused_the_rest(
    tiny_delivery: Tiny,
) -> None:
    plain = tiny_delivery(schema=LAST_MAJOR)
    bound = tiny_delivery(schema=LAST_MAJOR, variables=("humidity",), max_humidity_seen=95.0)
    assert open_delivery(plain, reader="0.1").metadata.schema_version == LAST_MAJOR
    with pytest.raises(UnsupportedSchemaError) as caught:
        open_delivery(bound, reader="0.1")
    assert (caught.value.found, caught.value.supported) == ("0.2", "0.1")
    domain = open_delivery(bound, reader="0.2").metadata.applicability_domain
    assert domain == {"humidity": Bounds(maximum=95.0)}
    with pytest.raises(UnsupportedSchemaError) as caught:
        open_delivery(tiny_delivery(), reader=LAST_MAJOR)
    assert (caught.value.found, caught.value.supported) == (NEWEST, LAST_MAJOR)


def test_a_delivery_of_the_older_schema_is_read_and_verified_as_what_it_is(
    tiny_delivery: Tiny,
) -> None:
    path = tiny_delivery(schema="0.1", max_temperature_seen=30.0)
    assert verify_delivery(path) == ()
    assert open_delivery(path).metadata.schema_version == "0.1"
    path = tiny_delivery(schema="0.1", change=_lie(novelty=1))
    assert verify_delivery(path) == (f"metadata.json: novelty: schema {NEWEST} has no such field",)


def test_unknown_fields_are_read_from_anyone_and_accepted_from_the_future_only(
    tiny_delivery: Tiny,
) -> None:
    path = tiny_delivery(change=_lie(novelty=1))
    assert open_delivery(path).metadata.unknown_fields == ("novelty",)
    assert verify_delivery(path) == (f"metadata.json: novelty: schema {NEWEST} has no such field",)
    future = tiny_delivery(change=_lie(novelty=1, schema_version=NEXT))
    assert open_delivery(future, reader=OWN).metadata.unknown_fields == ("novelty",)
    assert verify_delivery(future) == ()


def test_a_delivery_that_needs_a_newer_reader_is_refused_as_such_and_not_as_corrupt(
    tiny_delivery: Tiny,
) -> None:
    for version in (NEXT, NEXT_MAJOR):
        path = tiny_delivery(change=_lie(schema_version=version, min_reader=version))
        with pytest.raises(UnsupportedSchemaError, match=f"schema {version}"):
            open_delivery(path)
        assert "upgrade this software" in verify_delivery(path)[0]


def test_intact_bytes_that_break_the_contract_are_a_metadata_error(
    tiny_delivery: Tiny, reseal: Seal
) -> None:
    path = tiny_delivery(change=_lie(valid_months=[]))
    with pytest.raises(MetadataError, match="valid_months"):
        open_delivery(path)
    assert verify_delivery(path)[0].startswith(f"{METADATA}: valid_months")
    (path / METADATA).write_bytes(b"\xff")
    reseal(path)
    with pytest.raises(MetadataError, match="not JSON"):
        open_delivery(path)


@pytest.mark.parametrize("name", [METADATA, EXAMPLES, CARD])
def test_what_every_delivery_has_must_be_there_even_if_the_manifest_agrees(
    name: str, tiny_delivery: Tiny, reseal: Seal
) -> None:
    path = tiny_delivery()
    (path / name).unlink()
    reseal(path)
    assert any(problem.startswith(f"{name}: ") for problem in verify_delivery(path))


def test_a_file_that_vanishes_while_it_is_read_is_told(
    tiny_delivery: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()
    checked = file_problems

    def then_gone(*arguments: Any) -> tuple[str, ...]:
        problems = checked(*arguments)
        (path / METADATA).unlink()
        return problems

    monkeypatch.setattr(delivery_module, "file_problems", then_gone)
    with pytest.raises(CorruptDeliveryError, match=f"{METADATA}: listed in"):
        open_delivery(path)


def test_metadata_that_change_after_they_were_verified_are_not_believed(
    tiny_delivery: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()
    checked = file_problems

    def then_changed(*arguments: Any) -> tuple[str, ...]:
        problems = checked(*arguments)
        (path / METADATA).write_bytes((path / METADATA).read_bytes() + b"\n")
        return problems

    monkeypatch.setattr(delivery_module, "file_problems", then_changed)
    with pytest.raises(CorruptDeliveryError, match="sha256 differs"):
        open_delivery(path)


def test_a_delivery_removed_before_or_while_it_is_verified_is_told(
    tiny_delivery: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()
    read = delivery_module.read_manifest

    def then_gone(folder: Path) -> object:
        manifest = read(folder)
        shutil.rmtree(folder)
        return manifest

    monkeypatch.setattr(delivery_module, "read_manifest", then_gone)
    with pytest.raises(CorruptDeliveryError, match="gone while it was read"):
        open_delivery(path)
    monkeypatch.undo()
    with pytest.raises(IncompleteDeliveryError):
        open_delivery(path)


def test_a_listing_shows_complete_folders_that_are_named_by_an_id_in_order(
    tiny_delivery: Tiny, store: Path
) -> None:
    paths = sorted(tiny_delivery() for _ in range(3))
    (store / "empty").mkdir()
    (store / "file").write_bytes(b"")
    (store / "dead").symlink_to("nowhere")
    for name in (".hidden", "backup", "lost+found", f"{paths[0].name}.old", paths[0].name.upper()):
        shutil.copytree(paths[0], store / name)
    assert list_deliveries(store) == tuple(paths)


def test_a_listing_of_a_store_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list_deliveries(tmp_path / "absent")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        list_deliveries(tmp_path / "file")


def test_a_folder_that_may_not_be_looked_into_does_not_hide_the_others(
    tiny_delivery: Tiny, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, other = sorted((tiny_delivery(), tiny_delivery()))
    (store / "lost+found").mkdir()
    is_file = Path.is_file

    def may_not(path: Path) -> bool:
        if path.parent in (closed, store / "lost+found"):
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", may_not)
    assert list_deliveries(store) == (closed, other)


def test_a_new_delivery_id_is_always_another_and_fits_the_contract() -> None:
    import re  # noqa: PLC0415

    ids = {new_delivery_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(DELIVERY_ID_PATTERN, name) for name in ids)


def test_two_deliveries_of_one_model_share_a_model_digest_and_are_two(store: Path) -> None:
    one, two = open_delivery(build_delivery(store)), open_delivery(build_delivery(store))
    assert one.metadata.model_digest == two.metadata.model_digest
    assert one.digest != two.digest
