"""Signed deliveries over HTTP: what answers is what a key vouches for, at every moment."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest
from fairweather_interface.manifest import SIGNATURE, read_manifest
from flask import Flask

from fairweather_app import create_app
from fairweather_app.catalogue.stores import LocalStore, RemoteStore
from fairweather_app.errors import SettingsError
from pages import BROWSER, Deliver, read
from signing import Signed, key, sign, write_keys


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The deliveries of which more was read than manifest and signatures."""
    names: list[str] = []
    for method in ("check", "fetch"):
        real = getattr(LocalStore, method)

        def noted(
            self: LocalStore, name: str, *more: Any, _real: Any = real, **options: Any
        ) -> Any:
            names.append(name)
            return _real(self, name, *more, **options)

        monkeypatch.setattr(LocalStore, method, noted)
    return names


def test_a_signed_delivery_answers_and_says_who_vouches(
    here: Signed, tiny_delivery: Deliver, day: list[float]
) -> None:
    delivery = sign(tiny_delivery(), "a", "b")
    here.start(key("a"), key("b"))
    found = here.answer()
    assert found["forecast"]["temperature"]["value"] == day
    assert found["receipt"]["signed_by"] == ["a", "b"]
    shown = here.model(delivery)
    assert (shown["signed_by"], shown["trust_problem"]) == (["a", "b"], None)
    page = read(here.client.get(f"/models/{delivery.name}", headers={"Accept": BROWSER}))
    assert "Signed by a, b" in page.text
    metrics = here.client.get("/metrics").text
    assert 'fairweather_deliveries_trusted{trusted="yes"} 1.0' in metrics


def test_without_keys_nobody_is_asked(
    make_app: Callable[..., Flask], here: Signed, tiny_delivery: Deliver
) -> None:
    delivery = sign(tiny_delivery(), "a")
    here.app = make_app()
    here.client = here.app.test_client()
    for _ in ("no file", "off"):
        assert here.answer()["receipt"]["signed_by"] is None
        assert here.model(delivery)["signed_by"] is None
        here.start(key("b"), require="off")


def test_nothing_but_manifest_and_signatures_is_read_of_what_is_not_trusted(
    here: Signed, tiny_delivery: Deliver, opened: list[str]
) -> None:
    unsigned, strange, good = (
        tiny_delivery(),
        sign(tiny_delivery(), "x"),
        sign(tiny_delivery(), "a"),
    )
    here.start(key("a"))
    here.look()
    assert set(opened) == {good.name}
    assert here.refused(unsigned) == "it is not signed"
    assert "no key that is known here" in here.refused(strange)


def test_a_delivery_that_declares_a_foreign_area_is_refused_whole_before_its_model_is_loaded(
    here: Signed, tiny_delivery: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "fairweather_app.catalogue.ingestion.load", lambda *_: pytest.fail("loaded")
    )
    delivery = sign(tiny_delivery(areas=("EWR", "JFK")), "a")
    here.start(key("a", areas=["EWR"]))
    assert here.refused(delivery) == "no key of a may speak for JFK"
    for area in ("EWR", "JFK"):
        found = here.answer(area)
        assert found["refused"][0]["reason"] == "no key of a may speak for JFK"
        assert found["refused_counts"] == {"not-trusted": 1}


def test_under_warn_it_is_served_and_told(
    here: Signed, tiny_delivery: Deliver, day: list[float]
) -> None:
    delivery = tiny_delivery()
    here.start(key("a"), require="warn")
    found = here.answer()
    assert found["forecast"]["temperature"]["value"] == day
    assert found["receipt"]["signed_by"] == []
    shown = here.model(delivery)
    assert (shown["state"], shown["signed_by"]) == ("live", [])
    assert shown["trust_problem"] == "it is not signed"
    headers = {"Accept": BROWSER}
    page = read(here.client.get(f"/models/{delivery.name}", headers=headers)).text
    assert "No key of the operator vouches for it. It is not signed." in page
    assert "not vouched for" in read(here.client.get("/models", headers=headers)).text
    assert (
        "no key that is trusted here" in read(here.client.get("/?area=EWR", headers=headers)).text
    )
    assert 'fairweather_deliveries_trusted{trusted="no"} 1.0' in here.client.get("/metrics").text
    listed = here.app.test_cli_runner().invoke(args=["models", "list"]).output
    assert "no key vouches for it: it is not signed" in listed


@pytest.mark.parametrize("content", [b"", b"{}", b" " * 70_000])
def test_under_warn_what_is_no_envelope_keeps_nobody_from_answering(
    here: Signed, tiny_delivery: Deliver, content: bytes
) -> None:
    (tiny_delivery() / SIGNATURE).write_bytes(content)
    here.start(key("a"), require="warn")
    assert here.answer()["receipt"]["signed_by"] == []


@pytest.mark.parametrize(
    ("lay", "told"),
    [
        (lambda path: path.write_bytes(b" " * 70_000), "found more than 65536 bytes"),
        (lambda path: path.symlink_to("/etc/passwd"), "found a link, a folder or a device"),
        (lambda path: path.write_bytes(b"\xff"), "no envelope of signatures"),
    ],
    ids=["too large", "a link", "no text"],
)
def test_what_is_no_envelope_is_told(
    here: Signed, tiny_delivery: Deliver, lay: Callable[[Path], object], told: str
) -> None:
    delivery = tiny_delivery()
    lay(delivery / SIGNATURE)
    here.start(key("a"))
    assert told in here.refused(delivery)


def test_a_signature_that_comes_after_the_manifest_makes_it_live(
    here: Signed, tiny_delivery: Deliver, day: list[float]
) -> None:
    delivery = tiny_delivery()
    here.start(key("a"))
    assert here.refused(delivery) == "it is not signed"
    assert here.client.get("/readyz").status_code == 503
    sign(delivery, "a")
    here.look()
    assert here.answer()["forecast"]["temperature"]["value"] == day


def test_one_of_the_future_is_live_when_its_time_has_come(
    here: Signed, tiny_delivery: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=3)
    delivery = sign(tiny_delivery(), "a", at=soon)
    here.start(key("a"))
    assert "in the future" in here.refused(delivery)
    monkeypatch.setattr(here.context.catalogue.trust, "now", lambda: soon)
    here.look()
    assert here.answer()["receipt"]["signed_by"] == ["a"]


def test_a_key_is_rotated_and_revoked_without_a_moment_unserved(
    here: Signed, tiny_delivery: Deliver
) -> None:
    delivery = sign(tiny_delivery(), "old")
    here.start(key("old"))

    def names() -> Any:
        found = here.answer()
        assert "forecast" in found, found
        return found["receipt"]["signed_by"]

    assert names() == ["old"]
    write_keys(here.keys, key("old"), key("new"))
    assert names() == ["old"]
    here.look()
    assert names() == ["old"]
    sign(delivery, "new")
    here.look()
    assert names() == ["old", "new"]
    write_keys(here.keys, key("old", revoked="rotated"), key("new"))
    here.look()
    assert names() == ["new"]
    assert here.model(delivery)["digest"] == read_manifest(delivery).digest


def test_whoever_asks_while_keys_are_rotated_is_answered_each_time(
    here: Signed, tiny_delivery: Deliver
) -> None:
    deliveries = [sign(tiny_delivery(), "0") for _ in range(3)]
    here.start(key("0"))
    done = threading.Event()
    answers: list[Any] = []

    def ask() -> None:
        client = here.app.test_client()
        while not done.is_set():
            answers.append(client.get("/weather/predict?area=EWR").json)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for each in asking:
        each.start()
    for number in range(1, 6):
        old, new = key(str(number - 1)), key(str(number))
        write_keys(here.keys, old, new)
        for delivery in deliveries:
            sign(delivery, str(number))
        here.look()
        write_keys(here.keys, old | {"revoked": "rotated"}, new)
        here.look()
        assert here.answer()["receipt"]["signed_by"] == [str(number)]
    done.set()
    for each in asking:
        each.join()
    assert answers
    assert all(found["receipt"]["signed_by"] for found in answers)


def test_revoked_then_signed_again_by_another_key_is_live_at_that_look(
    here: Signed, tiny_delivery: Deliver
) -> None:
    delivery = sign(tiny_delivery(), "old")
    here.start(key("old"), key("new"))
    write_keys(here.keys, key("old", revoked=True), key("new"))
    sign(delivery, "new")
    here.look()
    assert here.answer()["receipt"]["signed_by"] == ["new"]


def test_a_key_that_is_added_later_makes_what_it_signed_live(
    here: Signed, tiny_delivery: Deliver
) -> None:
    sign(tiny_delivery(), "b")
    here.start(key("a"))
    assert here.answer()["refused_counts"] == {"not-trusted": 1}
    write_keys(here.keys, key("a"), key("b"))
    here.look()
    assert here.answer()["receipt"]["signed_by"] == ["b"]


def test_revoking_beats_the_last_model_of_an_area_and_a_store_that_is_away(
    here: Signed, tiny_delivery: Deliver, store: Path
) -> None:
    delivery = sign(tiny_delivery(), "a")
    here.start(key("a"), key("b"))
    shutil.rmtree(delivery)
    sign(tiny_delivery(areas=("JFK",)), "b")
    here.look()
    assert here.answer()["receipt"]["signed_by"] == ["a"]  # the last model of an area stays
    store.rename(store.with_name("away"))
    write_keys(here.keys, key("a", revoked="stolen"), key("b"))
    here.look()
    found = here.answer()
    assert found["refused"][0] | {"model_type": ""} == {
        "delivery_id": delivery.name, "model_type": "", "code": "not-trusted",
        "reason": "its key 'a' was revoked: stolen",
    }  # fmt: skip
    store.with_name("away").rename(store)
    for _ in range(2):
        here.look()
    assert delivery.name not in here.context.catalogue.snapshot.entries


def test_the_file_of_keys_is_followed_where_the_store_does_not_answer(
    here: Signed, tiny_delivery: Deliver
) -> None:
    delivery = sign(tiny_delivery(), "a")
    here.start(key("a"))
    write_keys(here.keys, key("a", revoked=True))
    here.context.catalogue.follow_decisions(late_after=3600)
    assert here.refused(delivery) == "its key 'a' was revoked"
    write_keys(here.keys, key("a"))
    here.context.catalogue.follow_decisions(late_after=3600)
    assert here.answer()["receipt"]["signed_by"] == ["a"]


def test_a_file_that_turns_wrong_keeps_the_keys_and_is_a_problem(
    here: Signed, tiny_delivery: Deliver
) -> None:
    sign(tiny_delivery(), "a")
    here.start(key("a"))
    here.keys.write_text("require: signed")
    here.look()
    assert here.answer()["receipt"]["signed_by"] == ["a"]
    ready = here.client.get("/readyz").json
    assert ready is not None
    assert ready["status"] == "degraded"
    assert "keys: not found" in ready["store"]["problem"]
    assert "fairweather_store_problem 1.0" in here.client.get("/metrics").text
    write_keys(here.keys, key("a"))
    here.look()
    assert "fairweather_store_problem 0.0" in here.client.get("/metrics").text


def test_no_verdict_is_taken_from_the_index(here: Signed, tiny_delivery: Deliver) -> None:
    delivery = sign(tiny_delivery(), "a")
    here.start(key("a"))
    assert "forecast" in here.answer()
    here.start(key("a", revoked=True))  # the same cache and index
    assert "revoked" in here.refused(delivery)
    here.start(key("a"))
    assert here.answer()["receipt"]["signed_by"] == ["a"]
    (delivery / SIGNATURE).unlink()
    here.look()
    assert here.refused(delivery) == "it is not signed"


def test_no_refusal_is_taken_from_the_index_either(
    here: Signed, tiny_delivery: Deliver, settings: dict[str, Any]
) -> None:
    delivery = tiny_delivery()
    here.start(key("a"))
    here.refused(delivery)
    write_keys(here.keys, key("a"), require="off")
    again = create_app(settings | {"keys": here.keys})
    assert not again.extensions["fairweather"].catalogue.snapshot.entries  # before its first look
    here.start(key("a"), require="off")
    assert here.model(delivery)["state"] == "live"


def test_keys_that_come_to_an_app_that_asked_for_none_are_asked_of_what_is_live(
    make_app: Callable[..., Flask], here: Signed, tiny_delivery: Deliver
) -> None:
    signed_one, other = sign(tiny_delivery(), "a"), tiny_delivery()
    make_app()
    here.start(key("a"))
    assert here.answer()["receipt"]["delivery_id"] == signed_one.name
    assert here.refused(other) == "it is not signed"


def test_where_evaluators_are_named_a_stated_interval_counts_under_the_signature_of_one(
    here: Signed, tiny_delivery: Deliver
) -> None:
    def newer(document: dict[str, Any]) -> None:
        document["training"]["train_end_time"] = "2013-12-31T12:00:00Z"

    claims = sign(tiny_delivery(skill=0.9, skill_interval=(0.8, 0.95)), "a")
    plain = sign(tiny_delivery(change=newer), "a")
    evaluator = key("e", evaluates=True, formats=[])

    def first(*keys: dict[str, Any]) -> Any:
        write_keys(here.keys, *keys)
        here.look()
        return here.answer()["receipt"]["delivery_id"]

    here.start(key("a"))
    assert first(key("a")) == claims.name
    assert first(key("a"), evaluator) == plain.name
    sign(claims, "e")
    assert first(key("a"), evaluator) == plain.name  # one evaluation alone compares with none
    sign(plain, "e")
    assert first(key("a"), evaluator) == claims.name
    told = here.app.test_cli_runner().invoke(args=["models", "why", "EWR"]).output
    assert told.count("signed by a, e") == 2


def test_a_remote_store_is_asked_for_the_signature_first(
    here: Signed, tiny_delivery: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, root = fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}"
    delivery = tiny_delivery()
    system.put(str(delivery), f"{root}/{delivery.name}", recursive=True)
    opened: list[str] = []
    for method in ("check", "fetch"):
        monkeypatch.setattr(RemoteStore, method, lambda _self, name, *_: opened.append(name))
    here.start(key("a"), store=f"memory:/{root}")
    assert here.refused(delivery) == "it is not signed"
    assert opened == []
    monkeypatch.undo()
    system.put(str(sign(delivery, "a") / SIGNATURE), f"{root}/{delivery.name}/{SIGNATURE}")
    here.look()
    assert here.answer()["receipt"]["signed_by"] == ["a"]


def test_times_that_no_calendar_goes_beyond_are_refused_in_sight_of_all(
    here: Signed, tiny_delivery: Deliver
) -> None:
    last = "9999-12-31T23:59:59.999999Z"

    def never(document: dict[str, Any]) -> None:
        document["created_at"] = document["training"]["train_end_time"] = last

    made = sign(tiny_delivery(change=never), "a")
    late = sign(tiny_delivery(), "a", at=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    here.start(key("a"))
    assert "created_at after" in here.refused(made)
    assert "in the future" in here.refused(late)
    assert here.client.get("/models").status_code == 200


def test_the_setting_is_refused_at_the_start_in_a_sentence(
    make_app: Callable[..., Flask], store: Path
) -> None:
    with pytest.raises(SettingsError, match="expected a file outside the store"):
        make_app(keys=write_keys(store / "keys.yaml", key("a")))
