"""What is compared is forecast every hour, whoever asks, and made of the same observations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from flask import Flask

from fairweather_app.background.recorder import record
from rollouts import BETTER, HOUR, NOON, PREDICT, Evidence

Build = Callable[..., Path]
Observe = Callable[..., None]
MakeApp = Callable[..., Flask]


def logged(world: Evidence) -> dict[str, list[float]]:
    """The last value of each forecast that was logged, by delivery."""
    found: dict[str, list[float]] = {}
    for each in world.context.live.log.read():
        value = float(np.frombuffer(each.values, dtype="<f4")[-1])
        found.setdefault(each.delivery_id, []).append(value)
    return found


def with_trial(
    make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> tuple[Evidence, str, str]:
    incumbent = tiny_delivery().name
    world = Evidence(make_app, observe)
    world.look()
    new = tiny_delivery(**BETTER).name
    world.look()
    return world, incumbent, new


def test_trial_and_incumbent_forecast_every_hour_although_nobody_asks(
    make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> None:
    world, incumbent, new = with_trial(make_app, observe, tiny_delivery)
    assert record(world.context) == 2
    assert record(world.context) == 0  # not twice
    observe("EWR", [11.0], until=NOON + HOUR)
    assert record(world.context) == 2
    assert logged(world) == {incumbent: [10.0, 11.0], new: [10.0, 11.0]}


def test_without_a_trial_nothing_is_forecast_that_nobody_asked_for(
    make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> None:
    tiny_delivery()
    world = Evidence(make_app, observe)
    world.look()
    assert record(world.context) == 0


def test_an_observation_that_comes_late_is_known_to_all_that_are_compared(
    make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> None:
    world, incumbent, new = with_trial(make_app, observe, tiny_delivery)
    world.app.test_client().get(PREDICT)
    record(world.context)
    observe("EWR", [17.0])
    assert record(world.context) == 2
    assert logged(world) == {incumbent: [17.0], new: [17.0]}


def test_who_asks_at_night_alone_changes_nothing_of_what_is_compared(
    make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> None:
    world, incumbent, new = with_trial(make_app, observe, tiny_delivery)
    client = world.app.test_client()
    for hour in range(30):
        now = NOON + hour * HOUR
        observe("EWR", [10.0 + hour], until=now)
        if now.hour < 6:
            for _ in range(5):
                client.get(PREDICT)
        record(world.context)
    expected = [10.0 + hour for hour in range(30)]
    assert logged(world) == {incumbent: expected, new: expected}
