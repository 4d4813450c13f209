"""The manifest: what a delivery holds, and nothing that could lead out of it."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairweather_interface.delivery import MANIFEST, SIGNATURE, artifact_digest, read_manifest
from fairweather_interface.errors import (
    CorruptDeliveryError,
    DeliveryError,
    FairweatherError,
    IncompleteDeliveryError,
)
from fairweather_interface.manifest import (
    artifact_files,
    digest_of_files,
    file_problems,
    read_document,
    write_manifest,
)

ENTRY = {"sha256": "0" * 64, "size": 0}


def _manifest(folder: Path, files: dict[str, Any], **other: object) -> None:
    document = {"delivery_id": "x", "files": files, **other}
    (folder / MANIFEST).write_text(json.dumps(document))


def test_a_manifest_lists_every_file_with_digest_and_size(tmp_path: Path) -> None:
    (tmp_path / "model" / "variables").mkdir(parents=True)
    (tmp_path / "b.txt").write_bytes(b"b")
    (tmp_path / "model" / "variables" / "v").write_bytes(b"vv")
    (tmp_path / SIGNATURE).write_bytes(b"{}")
    manifest = write_manifest(tmp_path, "some-id")
    assert manifest == read_manifest(tmp_path)
    assert manifest.delivery_id == "some-id"
    assert {path: entry.size for path, entry in manifest.files.items()} == {
        "b.txt": 1,
        "model/variables/v": 2,
    }
    assert manifest.files["b.txt"].sha256 == hashlib.sha256(b"b").hexdigest()
    data = (tmp_path / MANIFEST).read_bytes()
    assert manifest.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert file_problems(tmp_path, manifest) == ()
    assert write_manifest(tmp_path, "some-id") == manifest
    assert (tmp_path / MANIFEST).read_bytes() == data


def test_a_folder_without_manifest_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(IncompleteDeliveryError, match=f"found no {MANIFEST} in") as caught:
            read_manifest(folder)
        assert caught.value.path == folder


@pytest.mark.parametrize(
    "path",
    [
        "../x", "a/../../x", "..", ".", "/etc/passwd", "", "a//b", "./a", "a/", "a/./b", "C:\\x",
        "a\\b", "c:x", "a\nb", "a\x00b", "a\x1b[0m", "x" * 2000, "\u202etxt.exe",
    ],
)  # fmt: skip
def test_a_path_that_could_lead_elsewhere_is_refused(path: str, tmp_path: Path) -> None:
    _manifest(tmp_path, {path: ENTRY})
    with pytest.raises(CorruptDeliveryError, match="expected a plain path below the delivery"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "paths",
    [
        ("a", "A"),
        ("card/Index.html", "card/index.html"),
        ("Model/a", "model/b"),
        ("straße", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("Metadata.json", "metadata.JSON"),
        ("Manifest.json",),
        ("MANIFEST.dsse.json",),
    ],
)
def test_names_that_some_disks_cannot_tell_apart_are_refused(
    paths: tuple[str, ...], tmp_path: Path
) -> None:
    _manifest(tmp_path, dict.fromkeys(paths, ENTRY))
    with pytest.raises(CorruptDeliveryError, match="differ by case only"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
def test_no_manifest_lists_itself_or_its_signature(name: str, tmp_path: Path) -> None:
    _manifest(tmp_path, {name: ENTRY})
    with pytest.raises(CorruptDeliveryError, match="which no manifest lists"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "manifest.json: "),
        ("[]", "found [], expected a mapping"),
        ("null", "expected a mapping"),
        ("{}", "manifest.json.files: not found"),
        ('{"delivery_id": "x", "files": {}}', "manifest.json.files"),
        ('{"delivery_id": "x", "files": {"a": 1}}', "manifest.json.files.a: found 1"),
        ('{"delivery_id": 3, "files": {"a": null}}', "manifest.json.delivery_id"),
        ('{"delivery_id": "x", "delivery_id": "y", "files": {}}', "key 'delivery_id' twice"),
        ('{"files": {"a": {}, "a": {}}}', "key 'a' twice"),
        ('{"delivery_id": "x", "files": {"a": {"sha256": "0", "size": 1}}}', "sha256"),
        (json.dumps({"delivery_id": "x", "files": {"a": {"sha256": "G" * 64, "size": 1}}}), "sha"),
        (json.dumps({"delivery_id": "x", "files": {"a": {**ENTRY, "size": -1}}}), "size"),
        (json.dumps({"delivery_id": "x", "files": {"a": {**ENTRY, "size": 1.0}}}), "size"),
        ("[" * 100_000, "nested too deeply"),
        ('{"delivery_id": NaN}', "finite"),
    ],
)
def test_a_manifest_that_is_none_is_corrupt(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(CorruptDeliveryError) as caught:
        read_manifest(tmp_path)
    assert told in str(caught.value)
    assert caught.value.path == tmp_path


def test_a_manifest_from_the_future_may_say_more(tmp_path: Path) -> None:
    _manifest(tmp_path, {"a": {**ENTRY, "sha512": "x"}}, format="2", annotations={"a": None})
    assert list(read_manifest(tmp_path).files) == ["a"]


@given(data=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_manifest_or_corrupt(data: bytes, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(data)
    with pytest.raises(CorruptDeliveryError):
        read_manifest(tmp_path)


def test_a_manifest_that_is_a_folder_a_link_or_a_pipe_is_corrupt(tmp_path: Path) -> None:
    made: dict[str, Callable[[Path], object]] = {
        "folder": Path.mkdir,
        "link": lambda path: path.symlink_to("/etc/hostname"),
        "dead link": lambda path: path.symlink_to("nowhere"),
        "pipe": os.mkfifo,
    }
    for name, make in made.items():
        folder = tmp_path / name
        folder.mkdir()
        make(folder / MANIFEST)
        with pytest.raises(CorruptDeliveryError, match="expected a file"):
            read_manifest(folder)


def test_a_document_too_large_to_be_one_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / MANIFEST).open("wb") as file:
        file.truncate(1 << 40)  # sparse: takes no room
    with pytest.raises(ValueError, match="expected at most"):
        read_document(tmp_path / MANIFEST)
    with pytest.raises(CorruptDeliveryError, match="expected at most"):
        read_manifest(tmp_path)


def test_a_path_that_is_none_is_an_error_of_ours() -> None:
    for folder in (Path("\0"), Path("x" * 300)):
        with pytest.raises((FairweatherError, OSError)):
            read_manifest(folder)


def test_a_folder_of_folders_without_end_is_walked_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    manifest = write_manifest(tmp_path, "x")
    home = os.open(tmp_path, os.O_RDONLY)
    here = Path.cwd()
    try:
        os.chdir(home)
        for _ in range(1500):
            Path("d").mkdir()
            os.chdir("d")
        os.chdir(home)
        assert any("path of 1001 characters" in told for told in file_problems(tmp_path, manifest))
    finally:
        os.chdir(here)
        os.close(home)
        os.system(f"rm -rf {tmp_path}/d")  # noqa: S605 - Python's rmtree recurses


def test_writing_refuses_what_reading_would(tmp_path: Path) -> None:
    with pytest.raises(CorruptDeliveryError, match="found no file"):
        write_manifest(tmp_path, "x")
    names = [b"caf\xe9", b"a\\b", b"a:b", b"line\nbreak"]
    for name in names:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))).write_bytes(b"")
    (tmp_path / "link").symlink_to("a:b")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CorruptDeliveryError) as caught:
        write_manifest(tmp_path, "x")
    assert len(caught.value.problems) == len(names) + 2
    assert not (tmp_path / MANIFEST).exists()


def test_the_digest_of_an_artifact_is_the_one_the_contract_defines(tmp_path: Path) -> None:
    (tmp_path / "model" / "variables").mkdir(parents=True)
    files = {"model/saved_model.pb": b"graph", "model/variables/v": b"weights", "model.onnx": b"o"}
    for path, data in files.items():
        (tmp_path / path).write_bytes(data)
    lines = "".join(
        f"{path}\0{hashlib.sha256(files[path]).hexdigest()}\n"
        for path in sorted(files)
        if path.startswith("model/")
    )
    expected = f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
    assert artifact_digest(tmp_path, "model") == expected
    manifest = write_manifest(tmp_path, "x")
    assert digest_of_files(artifact_files(manifest.files, "model")) == expected
    assert list(artifact_files(manifest.files, "model.onnx")) == ["model.onnx"]
    assert artifact_digest(tmp_path, "model.onnx") != expected
    with pytest.raises(FileNotFoundError):
        artifact_digest(tmp_path, "mod")


def test_delivery_errors_know_their_folder(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError) as caught:
        read_manifest(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_names_that_differ_by_case_are_found_wherever_they_are_in_a_path(tmp_path: Path) -> None:
    far = {f"a/{name}": ENTRY for name in ("b", "b/c", "b-c", "bc")}
    for one, other in [("x/A/1", "x/a/2"), ("x/a", "x/A/b/c"), ("x/é/1", "x/e\u0301/2")]:
        _manifest(tmp_path, {one: ENTRY, **far, other: ENTRY})
        with pytest.raises(CorruptDeliveryError, match="differ by case only"):
            read_manifest(tmp_path)
    _manifest(tmp_path, {"x/A/1": ENTRY, **far, "a/A/1": ENTRY})
    assert len(read_manifest(tmp_path).files) == 6


def test_many_long_paths_take_little_more_memory_than_their_text(tmp_path: Path) -> None:
    _manifest(tmp_path, {f"{number}/{'a/' * 490}f": ENTRY for number in range(200)})
    (tmp_path / ".DS_Store").write_bytes(b"")
    tracemalloc.start()
    file_problems(tmp_path, read_manifest(tmp_path), only_listed=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000  # every folder of every path would be 50 MB of text


def test_a_file_of_another_size_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"m")
    manifest = write_manifest(tmp_path, "some-id")
    os.truncate(tmp_path / "model", 1 << 40)  # sparse: hours to read
    assert file_problems(tmp_path, manifest) == (f"model: found {1 << 40} bytes, expected 1",)
