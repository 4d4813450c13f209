"""Attackers who write into the store of signed deliveries: no answer is theirs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.envelope import dump_envelope, new_envelope
from fairweather_interface.manifest import MANIFEST, SIGNATURE, read_manifest, write_manifest

from fairweather_app.catalogue.stores import LocalStore
from pages import Deliver
from signing import Signed, key, sign, signed


def _unsigned(_good: Path, evil: Path) -> None:
    """Leave it unsigned."""


def _by_a_stranger(_good: Path, evil: Path) -> None:
    sign(evil, "stranger")


def _with_the_signature_of_another(good: Path, evil: Path) -> None:
    shutil.copy(good / SIGNATURE, evil / SIGNATURE)


def _under_a_known_id(_good: Path, evil: Path) -> None:
    made = new_envelope(read_manifest(evil), datetime(2024, 1, 1, tzinfo=UTC))
    known = json.loads((_good / SIGNATURE).read_bytes())["signatures"][0]["keyid"]
    (evil / SIGNATURE).write_bytes(dump_envelope(signed(made, "stranger", hint=known)))


def _with_a_good_manifest(good: Path, evil: Path) -> None:
    for name in (MANIFEST, SIGNATURE):
        shutil.copy(good / name, evil / name)


def _with_the_id_of_a_good_one(good: Path, evil: Path) -> None:
    write_manifest(evil, good.name)
    shutil.copy(good / SIGNATURE, evil / SIGNATURE)


def _in_place_of_a_good_one(good: Path, evil: Path) -> None:
    kept = (good / SIGNATURE).read_bytes()
    shutil.rmtree(good)
    shutil.copytree(evil, good)
    write_manifest(good, good.name)
    (good / SIGNATURE).write_bytes(kept)


def _a_file_swapped_in_a_good_one(good: Path, evil: Path) -> None:
    shutil.copy(evil / "model.onnx", good / "model.onnx")


def _a_good_one_copied_to_another_id(good: Path, evil: Path) -> None:
    shutil.rmtree(evil)
    shutil.copytree(good, evil)


ATTACKS = (
    *(_unsigned, _by_a_stranger, _with_the_signature_of_another, _under_a_known_id),
    *(_with_a_good_manifest, _with_the_id_of_a_good_one, _in_place_of_a_good_one),
    *(_a_file_swapped_in_a_good_one, _a_good_one_copied_to_another_id),
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_whoever_writes_into_the_store_changes_no_answer(
    here: Signed,
    tiny_delivery: Deliver,
    day: list[float],
    attack: Callable[[Path, Path], None],
) -> None:
    def newest(document: dict[str, Any]) -> None:
        document["training"]["train_end_time"] = "2013-12-31T12:00:00Z"

    good = sign(tiny_delivery(topic="good"), "a")
    here.start(key("a"))
    evil = tiny_delivery(topic="evil", skill=0.9, skill_interval=(0.8, 0.95), change=newest)
    attack(good, evil)
    for _ in range(3):
        here.look()
        found = here.answer()
        if "forecast" in found:
            assert (found["receipt"]["topic"], found["receipt"]["signed_by"]) == ("good", ["a"])
            assert found["forecast"]["temperature"]["value"] == day
        else:
            assert set(found["refused_counts"]) <= {"not-trusted", "corrupt"}
    live = [each.delivery_id for each in here.context.catalogue.snapshot.live]
    assert live in ([good.name], [])


def test_bytes_that_are_put_there_after_the_keys_were_asked_are_not_taken(
    here: Signed,
    tiny_delivery: Deliver,
    settings: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = sign(tiny_delivery(), "a")
    kept = good.rename(good.parent.parent / "kept")
    evil = tiny_delivery(delivery_id=good.name, topic="evil").rename(good.parent.parent / "evil")
    kept.rename(good)
    read = LocalStore.envelope

    def swap(store: LocalStore, name: str) -> bytes:
        found = read(store, name)
        _in_place_of_a_good_one(good, evil)
        return found

    monkeypatch.setattr(LocalStore, "envelope", swap)
    here.start(key("a"))
    assert [each.code for each in here.context.catalogue.snapshot.entries.values()] == ["corrupt"]
    assert not list(settings["cache"].rglob("model.onnx"))
    here.look()
    assert "other bytes" in here.refused(good)
