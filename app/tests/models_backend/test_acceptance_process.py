"""Whatever a model does when it is tested, this process only hears of it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fairweather_interface.delivery import Delivery, open_delivery
from fairweather_interface.refusals import Code

import onnx_models as write
from fairweather_app.errors import LoadError, PendingTestError, RemoteUnavailableError
from fairweather_app.models_backend import OnnxBackend, RuntimeModel
from fairweather_app.models_backend import acceptance_process as module
from fairweather_app.models_backend.acceptance_process import (
    AT_ONCE,
    SESSION_BYTES,
    AcceptanceTests,
    end_idle,
)

Build = Callable[..., Path]
MEGABYTE = 1 << 20
MEMORY = 256 * MEGABYTE
MOMENT = 1e-3


class CrashingBackend(OnnxBackend):
    def load(self, delivery: Delivery) -> RuntimeModel:
        os.kill(os.getpid(), signal.SIGSEGV)
        return super().load(delivery)


class PrintingBackend(OnnxBackend):
    def load(self, delivery: Delivery) -> RuntimeModel:
        os.write(1, b'{"memory": 0}\n')
        return super().load(delivery)


class BrokenDiskBackend(OnnxBackend):
    def load(self, delivery: Delivery) -> RuntimeModel:
        raise OSError(5, "Input/output error", str(delivery.path))


class BuggyBackend(OnnxBackend):
    def load(self, delivery: Delivery) -> RuntimeModel:
        raise ZeroDivisionError(f"of {delivery.path.name}" * 1000)


class LeavingBackend(OnnxBackend):
    def load(self, delivery: Delivery) -> RuntimeModel:
        raise SystemExit(str(delivery.path))


def no_deliveries(_delivery_id: str) -> Delivery:
    raise NotImplementedError


@pytest.fixture
def tests() -> AcceptanceTests:
    return AcceptanceTests(MEMORY)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnnxBackend, "test_seconds", 1)


def load(
    tests: AcceptanceTests,
    path: Path,
    backend: type[OnnxBackend] = OnnxBackend,
    patience: float | None = None,
) -> RuntimeModel:
    return tests.load_tested(open_delivery(path), [backend(no_deliveries)], patience)


def refusal(
    tests: AcceptanceTests, path: Path, backend: type[OnnxBackend] = OnnxBackend
) -> LoadError:
    with pytest.raises(LoadError) as caught:
        load(tests, path, backend)
    return caught.value


def test_a_sound_model_is_loaded_here_once_it_was_tested(
    tests: AcceptanceTests, tiny_delivery: Build
) -> None:
    model = load(tests, tiny_delivery())
    assert model.session.signature.inputs
    assert model.memory == SESSION_BYTES


def test_a_model_counts_with_the_memory_that_it_took(
    tests: AcceptanceTests, tiny_delivery: Build
) -> None:
    model = load(tests, tiny_delivery(model=write.heavy(40)))
    assert 40 * MEGABYTE <= model.memory <= MEMORY


@pytest.mark.usefixtures("hurried")
def test_an_endless_loop_ends_with_its_processor_time(
    tests: AcceptanceTests, tiny_delivery: Build
) -> None:
    found = refusal(tests, tiny_delivery(model=write.endless_loop()))
    assert str(found).startswith("its test did not end within ")  # 1 second, of whichever time
    assert found.code is Code.CORRUPT
    assert load(tests, tiny_delivery()).memory  # and hurts no other


@pytest.mark.parametrize("gigabytes", [1, 300])
def test_memory_has_an_end_too(
    tests: AcceptanceTests, tiny_delivery: Build, gigabytes: int
) -> None:
    found = refusal(tests, tiny_delivery(model=write.hungry(gigabytes)))
    assert "its test ran out of memory, of which it may take 256 MiB" in str(found)
    assert found.code is Code.CORRUPT


def test_so_have_weights(tests: AcceptanceTests, tiny_delivery: Build) -> None:
    found = refusal(tests, tiny_delivery(model=write.heavy(300)))
    assert "its test ran out of memory, of which it may take 256 MiB" in str(found)


def test_a_crash_is_named(tests: AcceptanceTests, tiny_delivery: Build) -> None:
    found = refusal(tests, tiny_delivery(), CrashingBackend)
    assert str(found) == "its test ended the process that ran it (SIGSEGV)"
    assert found.code is Code.CORRUPT


def test_what_a_runtime_prints_is_no_result(tests: AcceptanceTests, tiny_delivery: Build) -> None:
    assert load(tests, tiny_delivery(), PrintingBackend).memory == SESSION_BYTES


def test_an_unforeseen_failure_is_told_in_short(
    tests: AcceptanceTests, tiny_delivery: Build
) -> None:
    found = refusal(tests, tiny_delivery(), BuggyBackend)
    assert "model.onnx cannot be loaded: ZeroDivisionError: of" in str(found)
    assert len(str(found)) <= 500
    assert "SystemExit" in str(refusal(tests, tiny_delivery(), LeavingBackend))


def test_a_failing_disk_tells_nothing_about_the_delivery(
    tests: AcceptanceTests, tiny_delivery: Build
) -> None:
    with pytest.raises(OSError, match="Input/output error") as caught:
        load(tests, tiny_delivery(), BrokenDiskBackend)
    assert caught.value.errno == 5


@pytest.mark.usefixtures("hurried")
def test_who_waits_no_longer_finds_the_result_later_and_others_go_on(
    tests: AcceptanceTests, tiny_delivery: Build
) -> None:
    endless, sound = tiny_delivery(model=write.endless_loop()), tiny_delivery()
    with pytest.raises(PendingTestError, match="it is still being tested"):
        load(tests, endless, patience=MOMENT)
    assert load(tests, sound).memory
    assert "did not end within" in str(refusal(tests, endless))


def test_who_has_no_patience_begins_no_test(tests: AcceptanceTests, tiny_delivery: Build) -> None:
    for _ in range(2):
        with pytest.raises(PendingTestError, match="it waits for its test"):
            load(tests, tiny_delivery(), patience=0)
    assert load(tests, tiny_delivery()).memory


@pytest.mark.usefixtures("hurried")
def test_so_many_are_tested_at_once_and_more_wait(
    tests: AcceptanceTests, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (tiny_delivery(model=write.endless_loop()) for _ in range(3))
    for path in (first, second):
        with pytest.raises(PendingTestError):
            load(tests, path, patience=MOMENT)
    with pytest.raises(PendingTestError, match="it waits for its test"):
        load(tests, third, patience=MOMENT)
    monkeypatch.setattr(OnnxBackend, "test_seconds", 1)
    for path in (first, second, third):
        assert "did not end within" in str(refusal(tests, path))


def test_a_tester_that_cannot_be_started_takes_no_turn_of_others(
    tests: AcceptanceTests, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_idle(0)
    path = tiny_delivery()
    with monkeypatch.context() as changed:
        changed.setattr(sys, "executable", "/bin/false")
        for _ in range(AT_ONCE + 1):
            with pytest.raises(RemoteUnavailableError, match="could not be used"):
                load(tests, path)
    assert load(tests, path).memory


def test_the_folder_that_the_app_was_started_in_may_be_gone(
    tests: AcceptanceTests, tiny_delivery: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()
    (tmp_path / "release").mkdir()
    monkeypatch.chdir(tmp_path / "release")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    (tmp_path / "release").rmdir()
    end_idle(0)
    assert load(tests, path).memory >= SESSION_BYTES


def test_a_tester_that_has_gone_is_replaced(
    tests: AcceptanceTests, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_idle(0)
    assert load(tests, tiny_delivery()).memory
    ((_, tester),) = module._idle
    tester.kill()
    tester.wait()
    path = tiny_delivery()
    with pytest.raises(RemoteUnavailableError, match="could not be used"):
        load(tests, path)
    assert load(tests, path).memory
    monkeypatch.setattr(time, "monotonic", lambda: 10.0**9)
    end_idle()
    assert module._idle == []


def test_a_tester_ends_without_a_word_when_nobody_waits_for_its_reply(
    tiny_delivery: Build, capfd: pytest.CaptureFixture[str]
) -> None:
    backends = [f"{OnnxBackend.__module__}:{OnnxBackend.__qualname__}"]
    limits = {"memory": MEMORY, "seconds": 5}
    request = {"path": str(tiny_delivery()), "backends": backends, **limits}
    tester = module._take_tester()
    assert tester.stdout is not None
    tester.stdout.close()
    tester.communicate(json.dumps(request).encode() + b"\n")
    assert tester.returncode == 0
    assert capfd.readouterr().err == ""
