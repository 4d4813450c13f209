"""The index and its entries: what is kept comes back, and whatever happens the app goes on."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fairweather_interface.metadata import read_metadata
from fairweather_interface.refusals import Code
from fairweather_interface.testing import metadata_document

from catalogues import Kit
from fairweather_app.catalogue.entries import Entry, State, describe
from fairweather_app.catalogue.index import FORGOTTEN_AFTER_SECONDS, Index, release_key
from fairweather_app.models_backend import OnnxBackend

Build = Callable[..., Path]


def an_entry(name: str = "a", **more: object) -> Entry:
    metadata = read_metadata(json.dumps(metadata_document(areas=("EWR", "JFK"))))
    fields: dict[str, object] = {
        "state": State.LIVE,
        "fingerprint": "f",
        "digest": f"sha256:{name}",
        "model_type": "IdentityPredictor",
        "areas": ("EWR", "JFK"),
        "variables": metadata.variables,
        "record": describe(metadata, runtime="onnxruntime 1"),
    }
    return Entry(delivery_id=name, **fields | more)  # type: ignore[arg-type]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "cache", lambda: "key")


def test_what_is_kept_comes_back_also_in_another_process(index: Index, tmp_path: Path) -> None:
    live = an_entry("a")
    refused = Entry(
        delivery_id="b",
        state=State.REFUSED,
        fingerprint="g",
        code=Code.SCHEMA_TOO_NEW,
        reason="too new",
    )
    index.put([live, refused])
    found = Index(tmp_path / "cache", lambda: "key").entries()
    assert found["a"].equals(live)
    assert found["b"].equals(refused)
    assert found["b"].code is Code.SCHEMA_TOO_NEW
    assert found["b"].declared is None
    index.remove(["a"])
    assert list(index.entries()) == ["b"]


def test_a_record_says_what_the_metadata_say() -> None:
    declared = an_entry().declared
    assert declared is not None
    assert list(declared.areas) == ["EWR", "JFK"]
    assert declared.areas["JFK"] == (40.6398, -73.7789, "America/New_York")
    assert declared.variables == ("temperature",)
    assert declared.skill("EWR", "temperature") == 0.25
    assert declared.skill("LGA", "temperature") is None
    assert declared.performance["JFK"]["temperature"].interval == (0.2, 0.3)
    assert datetime.fromtimestamp(declared.train_end_time, UTC).year >= 2013
    assert declared.runtime == "onnxruntime 1"


def test_a_proof_holds_for_the_very_bytes(index: Index) -> None:
    index.put([an_entry("a")])
    assert index.find("a", "sha256:a") is not None
    assert index.find("a", "sha256:other") is None
    assert index.find("b", "sha256:a") is None


def test_another_release_proves_for_itself(tmp_path: Path) -> None:
    Index(tmp_path, lambda: "one").put([an_entry()])
    assert Index(tmp_path, lambda: "two").entries() == {}
    key = release_key([OnnxBackend(lambda _id: pytest.fail("nothing is loaded"))])
    assert key == release_key([OnnxBackend(lambda _id: pytest.fail("nothing is loaded"))])
    assert key != release_key([])


def test_files_of_releases_that_are_long_gone_are_deleted(tmp_path: Path) -> None:
    old, recent = Index(tmp_path, lambda: "old"), Index(tmp_path, lambda: "recent")
    for each in (old, recent):
        each.put([an_entry()])
        each.close()
    long_ago = old.path.stat().st_mtime - FORGOTTEN_AFTER_SECONDS - 1
    os.utime(old.path, (long_ago, long_ago))
    Index(tmp_path, lambda: "new").put([an_entry()])
    assert not old.path.exists()
    assert recent.path.exists()


def test_a_file_that_is_no_index_is_made_anew(
    index: Index, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").mkdir()
    index.path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    index.put([an_entry()])
    assert list(index.entries()) == ["a"]
    assert "is made anew" in caplog.text


def test_without_an_index_the_app_works_and_says_so(
    tmp_path: Path,
    store: Path,
    tiny_delivery: Build,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_arguments: object, **_more: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    path = tiny_delivery()
    monkeypatch.setattr("fairweather_app.catalogue.index.sqlite3.connect", full)
    kit = Kit(tmp_path / "cache", store)
    for _ in range(2):
        kit.catalogue.refresh()
        assert kit.live == [path.name]
    assert kit.ingestion.ingested == [path.name]
    assert "cannot be used: database or disk is full" in caplog.text


def test_notes_are_kept(index: Index) -> None:
    assert index.note("x") is None
    index.save_note("x", "one")
    index.save_note("x", "two")
    assert index.note("x") == "two"
