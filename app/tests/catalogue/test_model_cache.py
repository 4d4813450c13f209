"""Which models are in memory: the budget, who goes first, and that nobody loses his."""

from __future__ import annotations

import gc
import shutil
import sys
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fairweather_interface.refusals import Code

from catalogues import Kit
from fairweather_app.catalogue import refresh as refresh_module
from fairweather_app.catalogue.entries import Entry, State
from fairweather_app.catalogue.model_cache import (
    LOADS_AT_ONCE,
    ModelCache,
    release_free_memory,
)
from fairweather_app.errors import LoadError, PredictionError
from fairweather_app.models_backend.runtime_model import Arrays, RuntimeModel, Signature

Build = Callable[..., Path]


class FakeSession:
    runtime = "fake 1"
    signature = Signature(inputs={}, outputs={})

    def run(self, feeds: Any, outputs: Any) -> Arrays:
        del feeds
        return {name: np.zeros(1) for name in outputs}


def in_threads(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


def entry(name: str) -> Entry:
    return Entry(delivery_id=name, state=State.LIVE, fingerprint="x", digest=name)


class Loads:
    """Loads fakes of size 10 and counts; `fails` are those that cannot be loaded."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.fails: set[str] = set()
        self.meanwhile: Callable[[str], object] = lambda _name: None

    def __call__(self, each: Entry) -> RuntimeModel:
        self.meanwhile(each.delivery_id)
        if each.delivery_id in self.fails:
            raise LoadError(Code.CORRUPT, "its bytes went bad")
        self.loaded.append(each.delivery_id)
        no_delivery: Any = None
        return RuntimeModel(delivery=no_delivery, session=FakeSession(), memory=10)


@pytest.fixture
def loads() -> Loads:
    return Loads()


@pytest.fixture
def model_cache(loads: Loads) -> ModelCache:
    def describe(_entry: Entry, session: Any) -> Any:
        return session  # the lazy session itself, which is what is tested

    return ModelCache(load=loads, describe=describe, budget=30)


def test_a_model_is_loaded_when_it_is_first_run_and_then_stays(
    model_cache: ModelCache, loads: Loads
) -> None:
    session: Any = model_cache.model(entry("a"))
    assert loads.loaded == []
    assert session.run({}, ["x"])["x"].shape == (1,)
    session.run({}, ["x"])
    assert loads.loaded == ["a"]


def test_the_least_recently_used_goes_when_the_budget_is_spent(
    model_cache: ModelCache, loads: Loads
) -> None:
    for name in ("a", "b", "c", "a", "d"):
        model_cache.load(entry(name))
    assert model_cache.digests == ("c", "a", "d")
    assert model_cache.used == 30
    model_cache.load(entry("b"))
    assert loads.loaded == ["a", "b", "c", "d", "b"]


def test_none_is_taken_from_whoever_runs_it(model_cache: ModelCache) -> None:
    with model_cache.in_use(entry("a")) as session:
        for name in ("b", "c", "d", "e"):
            model_cache.load(entry(name))
        assert "a" in model_cache.digests
        with model_cache.in_use(entry("a")) as same:
            assert same is session
    for name in ("f", "g", "h"):
        model_cache.load(entry(name))
    assert "a" not in model_cache.digests


def test_one_that_is_larger_than_the_budget_still_serves(loads: Loads) -> None:
    model_cache = ModelCache(load=loads, describe=lambda _entry, session: session, budget=5)  # type: ignore[arg-type, return-value]
    model_cache.load(entry("a"))
    assert model_cache.digests == ("a",)
    model_cache.load(entry("b"))
    assert model_cache.digests == ("b",)


def test_memory_comes_back_when_the_last_run_is_done(model_cache: ModelCache) -> None:
    with model_cache.in_use(entry("a")) as session:
        gone = weakref.ref(session)
        model_cache.retain(frozenset())
        del session
        assert gone() is not None
    gc.collect()
    assert gone() is None


def test_whoever_holds_a_model_that_has_left_finishes_with_it(
    model_cache: ModelCache, loads: Loads
) -> None:
    session: Any = model_cache.model(entry("a"))
    session.session = session
    session.run({}, ["x"])
    model_cache.retain(frozenset())
    assert model_cache.digests == ()
    assert session.run({}, ["x"])
    assert loads.loaded == ["a"]


def test_a_model_is_loaded_once_however_many_wait_for_it(
    model_cache: ModelCache, loads: Loads
) -> None:
    start = threading.Barrier(8)

    def run() -> None:
        start.wait()
        model_cache.load(entry("a"))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads.loaded == ["a"]


def test_one_that_cannot_be_loaded_is_refused_with_its_code_and_tried_again(
    model_cache: ModelCache, loads: Loads
) -> None:
    loads.fails = {"a"}
    session: Any = model_cache.model(entry("a"))
    with pytest.raises(PredictionError, match="went bad") as caught:
        session.run({}, ["x"])
    assert caught.value.code is Code.CORRUPT
    loads.fails = set()
    assert session.run({}, ["x"])


def test_models_that_are_loaded_do_not_wait_for_each_other(
    model_cache: ModelCache, loads: Loads
) -> None:
    both = threading.Barrier(2)
    loads.meanwhile = lambda _name: both.wait(30)
    in_threads(lambda: model_cache.load(entry("a")), lambda: model_cache.load(entry("b")))
    assert sorted(loads.loaded) == ["a", "b"]


def test_no_more_than_some_are_loaded_at_once(loads: Loads) -> None:
    model_cache = ModelCache(load=loads, describe=lambda _entry, session: session, budget=1000)  # type: ignore[arg-type, return-value]
    at_once, most, lock = 0, 0, threading.Lock()

    def meanwhile(_name: str) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.01)
        with lock:
            at_once -= 1

    loads.meanwhile = meanwhile
    in_threads(*(partial(model_cache.load, entry(str(each))) for each in range(20)))
    assert len(loads.loaded) == 20
    assert 1 < most <= LOADS_AT_ONCE


def test_what_is_being_loaded_counts_and_makes_room_first(loads: Loads) -> None:
    model_cache = ModelCache(
        load=loads,
        describe=lambda _entry, session: session,  # type: ignore[arg-type, return-value]
        measure=lambda _entry: 10,
        budget=30,
    )
    for name in ("a", "b", "c"):
        model_cache.load(entry(name))
    seen: list[tuple[int, tuple[str, ...]]] = []
    loads.meanwhile = lambda _name: seen.append((model_cache.used, model_cache.digests))
    model_cache.load(entry("d"))
    assert seen == [(30, ("b", "c"))]
    loads.fails = {"e"}
    with pytest.raises(LoadError):
        model_cache.load(entry("e"))
    assert model_cache.used == 20  # what failed takes nothing


def test_nobody_waits_for_a_load_that_does_not_end_and_it_serves_when_it_does(
    loads: Loads,
) -> None:
    model_cache = ModelCache(
        load=loads,
        describe=lambda _entry, session: session,  # type: ignore[arg-type, return-value]
        budget=30,
        patience=0.05,
    )
    let_go = threading.Event()
    loads.meanwhile = lambda _name: let_go.wait(60)
    for _ in range(3):
        with pytest.raises(
            LoadError, match=r"still being loaded after 0\.05 s; ask again"
        ) as found:
            model_cache.load(entry("a"))
        assert found.value.code is Code.RUNTIME_UNAVAILABLE
    let_go.set()
    eventually(lambda: model_cache.digests == ("a",))
    model_cache.load(entry("a"))
    assert loads.loaded == ["a"]


def test_a_model_that_hangs_counts_after_it_has_left_until_it_ends(
    model_cache: ModelCache,
) -> None:
    """A call that was given up holds its model in memory, and nothing holds it longer."""
    let_go, runs, gone = threading.Event(), threading.Event(), []

    def hang() -> None:
        session: Any = model_cache.model(entry("a"))
        session.session = session
        with session.in_use() as loaded:
            gone.append(weakref.ref(loaded))
            del loaded, session
            runs.set()
            let_go.wait(60)

    thread = threading.Thread(target=hang)
    thread.start()
    assert runs.wait(30)
    model_cache.load(entry("b"))
    model_cache.retain(frozenset({"b"}))
    assert (model_cache.digests, model_cache.used) == (("b",), 20)
    let_go.set()
    thread.join()
    gc.collect()
    assert gone[0]() is None
    assert model_cache.used == 10


def test_a_catalogue_with_room_for_one_model_answers_with_each(
    tmp_path: Path, store: Path, tiny_delivery: Build
) -> None:
    kit = Kit(tmp_path / "cache", store, budget=1)
    for _ in range(3):
        tiny_delivery()
    snapshot = kit.catalogue.refresh()
    assert len(kit.catalogue.model_cache.digests) == 1
    for each in snapshot.live:
        model = kit.catalogue.model(each)
        window = np.zeros((1, 24), dtype=np.float32)
        found = model.session.run({"temperature": window}, ["temperature_forecast"])
        assert found["temperature_forecast"].shape == (1, 24)
        assert kit.catalogue.model_cache.digests == (each.digest,)


# ------------------------------------------------------- what models leave behind goes back


@pytest.mark.skipif(sys.platform != "linux", reason="only the GNU C library keeps it")
def test_what_is_freed_in_pieces_goes_back() -> None:
    held = [np.ones(8_000, dtype=np.uint8) for _ in range(5_000)]  # below what is mapped by itself
    before = resident()
    last = held[-1]  # keeps the end of the heap
    del held
    release_free_memory()
    assert before - resident() > 20_000_000
    assert last.any()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_it_is_given_back_when_a_model_has_left_and_not_else(
    tmp_path: Path, store: Path, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(refresh_module, "release_free_memory", lambda: given.append(1))
    kit = Kit(tmp_path / "cache", store)
    tiny_delivery(areas=("JFK",))
    old = tiny_delivery(areas=("JFK",))
    for _ in range(2):
        kit.catalogue.refresh()
    assert given == []
    shutil.rmtree(old)
    for _ in range(2):
        kit.catalogue.refresh()
    assert given == [1]
