"""Withdrawals, restores and pins hold within a reload period, whatever the store does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from catalogues import Kit
from fairweather_app import create_app, start_polling
from fairweather_app.background.poller import POLLER
from fairweather_app.catalogue.decisions import DecisionStore
from fairweather_app.catalogue.stores import LocalStore
from fairweather_app.cli import decisions as commands
from fairweather_app.forecasting.context import AppContext

Build = Callable[..., Path]
Observe = Callable[..., None]


class Hanging:
    """A store that can stop to answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hangs = False
        self.waiting = threading.Event()
        self.answers = threading.Event()
        names = LocalStore.names

        def wait(store: LocalStore) -> frozenset[str]:
            if self.hangs:
                self.waiting.set()
                assert self.answers.wait(60)
            return names(store)

        monkeypatch.setattr(LocalStore, "names", wait)

    def stop_answering(self) -> None:
        self.hangs = True

    def answer(self) -> None:
        self.hangs = False
        self.answers.set()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    found = Hanging(monkeypatch)
    yield found
    found.answer()


def wait_for(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def polling(
    settings: dict[str, Any], hanging: Hanging, tiny_delivery: Build, observe: Observe, day: Any
) -> Iterator[Flask]:
    tiny_delivery(areas=("EWR", "JFK"), skill=0.6, skill_interval=(0.5, 0.7))
    tiny_delivery(skill=0.3, skill_interval=(0.2, 0.4))
    observe("EWR", day)
    app = create_app(settings | {"reload_seconds": 0.05})
    assert start_polling(app).wait_for_first_refresh(60)
    yield app
    hanging.answer()
    app.extensions[POLLER].stop()
    app.extensions["fairweather"].observations.close()


def test_decisions_are_followed_while_the_store_hangs(polling: Flask, hanging: Hanging) -> None:
    context: AppContext = polling.extensions["fairweather"]
    decisions, client = context.catalogue.decisions, polling.test_client()

    def answering() -> str:
        answer: Any = client.get("/weather/predict?area=EWR").json
        return str(answer["receipt"]["delivery_id"])

    better = answering()
    (other,) = {each.delivery_id for each in context.catalogue.snapshot.live} - {better}
    hanging.stop_answering()
    assert hanging.waiting.wait(60)
    looked_at = context.catalogue.snapshot.checked_at
    decisions.add("withdraw", better, author="ann", reason="too warm")
    wait_for(lambda: answering() == other)
    decisions.add("restore", better, author="ann")
    wait_for(lambda: answering() == better)
    decisions.add("pin", "EWR", author="ann", delivery_id=other)
    wait_for(lambda: answering() == other)
    assert context.catalogue.snapshot.checked_at == looked_at


def test_a_store_that_does_not_answer_for_long_is_a_problem_until_it_does(
    polling: Flask, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = polling.test_client()

    def ready() -> Any:
        answer = client.get("/readyz")
        assert answer.status_code == 200
        return answer.json

    assert (ready()["status"], ready()["store"]["problem"]) == ("ready", None)
    assert ready()["look_age_seconds"] < 60
    monkeypatch.setattr("fairweather_app.background.poller.LATE_SECONDS", 0.2)
    hanging.stop_answering()
    wait_for(lambda: ready()["status"] == "degraded")
    assert "does not answer: it was not scanned since 20" in ready()["store"]["problem"]
    assert ready()["look_age_seconds"] > 0.2
    assert "fairweather_store_problem 1.0" in client.get("/metrics").text
    monkeypatch.undo()
    hanging.answer()
    wait_for(lambda: ready()["status"] == "ready")
    assert ready()["store"]["problem"] is None


def test_an_app_that_starts_while_the_store_hangs_serves_what_it_knew(
    kit: Kit, store: Path, tiny_delivery: Build, hanging: Hanging
) -> None:
    path = tiny_delivery()
    kit.catalogue.refresh()
    again = Kit(kit.cache.folder.parent, store)
    hanging.stop_answering()
    scan = threading.Thread(target=again.catalogue.refresh)
    scan.start()
    assert hanging.waiting.wait(60)
    snapshot = again.catalogue.follow_decisions(60)
    assert (again.live, snapshot.checked_at) == ([path.name], None)
    problem = again.catalogue.follow_decisions(0).problem
    assert problem == f"the store {store} does not answer: it was not scanned yet"
    hanging.answer()
    scan.join()
    assert again.catalogue.snapshot.problem is None


def test_decisions_can_be_made_while_the_store_hangs(
    make_app: Callable[..., Flask],
    settings: dict[str, Any],
    tiny_delivery: Build,
    hanging: Hanging,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    better, good = tiny_delivery().name, tiny_delivery().name
    make_app()
    app = create_app(settings)  # as the command of another process
    hanging.stop_answering()
    monkeypatch.setattr(commands, "STORE_SECONDS", 0.5)
    runner = app.test_cli_runner()
    result = runner.invoke(args=["models", "withdraw", better, "--reason", "too warm"])
    assert result.exit_code == 0, result.output
    assert "did not answer within 0.5 s; what was known of it before counts" in result.stderr
    result = runner.invoke(args=["models", "withdraw", good, "--reason", "too warm"])
    assert "is the last live model for EWR" in result.stderr
    context: AppContext = app.extensions["fairweather"]
    assert list(DecisionStore(context.observations.database).read().withdrawals) == [better]
    hanging.answer()
    context.observations.close()
