"""What is loaded after a start, before anybody asks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.delivery import Delivery
from flask import Flask

from answers import context_of
from fairweather_app import create_app
from fairweather_app.background import poller as poller_module
from fairweather_app.background.poller import Poller, start_polling
from fairweather_app.background.preload import preload
from fairweather_app.forecasting.context import AppContext
from fairweather_app.models_backend import onnx
from fairweather_app.models_backend.acceptance_process import SESSION_BYTES

Build = Callable[..., Path]


@pytest.fixture
def three(make_app: Callable[..., Flask], tiny_delivery: Build) -> tuple[str, str, str]:
    """The best for EWR, the best for JFK, and another for EWR; proven by an app that is gone."""
    made = (
        tiny_delivery(areas=("EWR",), skill_interval=(0.8, 0.9)).name,
        tiny_delivery(areas=("JFK",)).name,
        tiny_delivery(areas=("EWR",), skill_interval=(0.1, 0.2)).name,
    )
    make_app()
    return made


@pytest.fixture
def restarted(make_app: Callable[..., Flask], three: tuple[str, str, str]) -> AppContext:
    assert three
    return context_of(make_app())


def resident(context: AppContext) -> set[str]:
    names = {each.digest: each.delivery_id for each in context.catalogue.snapshot.live}
    return {names[digest] for digest in context.catalogue.model_cache.digests}


def test_after_a_restart_what_ranks_first_for_each_area_is_loaded(
    restarted: AppContext, three: tuple[str, str, str]
) -> None:
    assert resident(restarted) == set()
    assert preload(restarted) == 2
    assert resident(restarted) == set(three[:2])


def test_no_more_is_loaded_than_the_budget_has_room_for(
    restarted: AppContext, three: tuple[str, str, str]
) -> None:
    model_cache = restarted.catalogue.model_cache
    model_cache.load(restarted.catalogue.snapshot.entry(three[2]))
    model_cache.budget = model_cache.used + SESSION_BYTES - 1  # less than any model
    assert preload(restarted) == 0
    assert resident(restarted) == {three[2]}


def test_one_that_cannot_be_loaded_does_not_keep_the_others_from_it(
    restarted: AppContext,
    three: tuple[str, str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    load = onnx.OnnxBackend.load

    def fail(backend: onnx.OnnxBackend, delivery: Delivery) -> Any:
        if delivery.metadata.delivery_id == three[0]:
            raise OSError(5, "Input/output error")
        return load(backend, delivery)

    monkeypatch.setattr(onnx.OnnxBackend, "load", fail)
    assert preload(restarted) == 1
    assert resident(restarted) == {three[1]}
    assert "cannot be loaded yet: its bytes cannot be read" in caplog.text


def test_it_ends_when_the_process_does(restarted: AppContext) -> None:
    assert preload(restarted, lambda: True) == 0


def test_serving_starts_with_the_models_in_memory(
    settings: dict[str, Any], three: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller_module, "BEFORE_READY_SECONDS", 60)  # however busy the machine is
    app = create_app(settings)
    poller = start_polling(app)
    try:
        assert poller.wait_for_first_refresh(30)
        assert resident(context_of(app)) == set(three[:2])
    finally:
        poller.stop()
        app.extensions["fairweather-recorder"].stop()
        context_of(app).observations.close()


def test_preloading_that_hangs_or_fails_holds_up_no_start(
    restarted: AppContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fairweather_app.background.poller.BEFORE_READY_SECONDS", 0.05)
    let_go = threading.Event()
    for preloading in (lambda *_: let_go.wait(60), lambda *_: 1 // 0):
        monkeypatch.setattr("fairweather_app.background.poller.preload", preloading)
        poller = Poller(restarted)
        poller.start()
        assert poller.wait_for_first_refresh(30)
        poller.stop()
    let_go.set()
    assert "preloading failed" in caplog.text
