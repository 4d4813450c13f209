"""Which artifacts run: those whose format a key of the delivery lets run here, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from fairweather_interface.delivery import Delivery
from fairweather_interface.metadata import SAVED_MODEL, Artifact
from fairweather_interface.software import Runtime
from flask import Flask

from fairweather_app.models_backend import ModelsBackend
from fairweather_app.models_backend.runtime_model import Arrays, RuntimeModel, Signature, Tensor
from pages import Deliver
from signing import Signed, key, sign, write_keys

ran: list[str] = []


class Program:
    """What a SavedModel would be: a program, which hands its input on."""

    runtime = "programs 1.0"
    signature = Signature(
        inputs={"temperature": Tensor("float32", (None, 24))},
        outputs={"temperature_forecast": Tensor("float32", (None, 24))},
    )

    def run(self, feeds: Mapping[str, Any], outputs: Sequence[str]) -> Arrays:
        return dict.fromkeys(outputs, feeds["temperature"])


class Programs(ModelsBackend):
    """Runs SavedModels, and notes that it did."""

    format = SAVED_MODEL

    def describe(self) -> Runtime:
        return Runtime(format=SAVED_MODEL, name="programs", version="1.0")

    def cannot_run(self, artifact: Artifact) -> str | None:  # noqa: ARG002 - it runs all
        return None

    def load(self, delivery: Delivery) -> RuntimeModel:
        ran.append(delivery.metadata.delivery_id)
        return RuntimeModel(delivery=delivery, session=Program())


@pytest.fixture(autouse=True)
def none_ran() -> Iterator[None]:
    ran.clear()
    yield
    ran.clear()


def program(document: dict[str, Any]) -> None:
    document["artifacts"] = [{"format": SAVED_MODEL, "path": "model.onnx", "canonical": True}]


BACKENDS = {"backends": f"{__name__}:Programs"}
MAY = key("a", formats=["onnx", SAVED_MODEL])


def test_without_keys_whoever_allowed_the_backend_allowed_its_programs(
    make_app: Callable[..., Flask], tiny_delivery: Deliver
) -> None:
    name = tiny_delivery(change=program).name
    make_app(**BACKENDS)
    assert ran == [name]


def test_a_program_runs_only_under_a_key_that_lets_it(
    here: Signed, tiny_delivery: Deliver, day: list[float]
) -> None:
    delivery = sign(tiny_delivery(change=program), "a")
    here.start(key("a"), **BACKENDS)
    assert "its keys let nothing else run here" in here.refused(delivery)
    here.look()
    assert ran == []
    write_keys(here.keys, MAY)
    here.look()
    assert here.answer()["forecast"]["temperature"]["value"] == day
    assert set(ran) == {delivery.name}


def test_a_program_stops_when_its_key_no_longer_lets_it_also_after_a_restart(
    here: Signed, tiny_delivery: Deliver
) -> None:
    delivery = sign(tiny_delivery(change=program), "a")
    here.start(MAY, **BACKENDS)
    assert "forecast" in here.answer()
    write_keys(here.keys, key("a"))
    here.context.catalogue.follow_decisions(late_after=3600)
    assert here.refused(delivery) == f"no key of a lets a {SAVED_MODEL} run here"
    ran.clear()
    here.start(key("a"), **BACKENDS)
    assert here.refused(delivery) == f"no key of a lets a {SAVED_MODEL} run here"
    here.look()
    assert ran == []
    write_keys(here.keys, MAY)
    here.look()
    assert "forecast" in here.answer()


def test_of_two_artifacts_the_one_that_may_run_runs(here: Signed, tiny_delivery: Deliver) -> None:
    def both(document: dict[str, Any]) -> None:
        document["artifacts"].append({"format": SAVED_MODEL, "path": "model.onnx"})

    sign(tiny_delivery(change=both), "a")
    here.start(key("a", formats=[SAVED_MODEL]), **BACKENDS)
    assert here.answer()["receipt"]["runtime"] == "programs 1.0"
    here.start(key("a"), **BACKENDS)
    assert here.answer()["refused_counts"] == {"not-trusted": 1}


def test_under_warn_nothing_changes(here: Signed, tiny_delivery: Deliver) -> None:
    tiny_delivery(change=program)
    here.start(key("a"), require="warn", **BACKENDS)
    assert here.answer()["receipt"]["signed_by"] == []
