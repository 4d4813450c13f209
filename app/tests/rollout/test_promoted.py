"""After a decision: lived skill, canaries, demotion, and what operators decide."""

from __future__ import annotations

import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from rollouts import BETTER, HOUR, NOON, Evidence

Build = Callable[..., Path]
Observe = Callable[..., None]
MakeApp = Callable[..., Flask]
Counted = Callable[..., float]
Begin = Callable[..., tuple[Evidence, Path, Path]]


@pytest.fixture
def begin(make_app: MakeApp, observe: Observe, tiny_delivery: Build) -> Begin:
    """An app with an incumbent and a trial that declares to be better."""

    def begun(**changes: Any) -> tuple[Evidence, Path, Path]:
        incumbent = tiny_delivery()
        world = Evidence(make_app, observe, **changes)
        world.look()
        new = tiny_delivery(**BETTER)
        world.look()
        assert world.state(new) == "trial"
        return world, incumbent, new

    return begun


def command(world: Evidence, *words: str) -> tuple[int, str]:
    result = world.app.test_cli_runner().invoke(args=["models", *words])
    return result.exit_code, result.output


# -------------------------------------------------------------------------------- lived skill


def test_lived_skill_outranks_what_is_declared_also_where_deliveries_answer_at_once(
    make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> None:
    modest, boasts = tiny_delivery(), tiny_delivery(**BETTER)
    world = Evidence(make_app, observe, rollout="immediate")
    assert world.answer() == (boasts.name, False)
    world.lived({modest.name: 0.0, boasts.name: 0.5})
    world.look(1)
    assert world.answer() == (modest.name, False)
    code, output = command(world, "why", "EWR")
    assert code == 0
    assert f"beside 1.50 of {boasts.name} (-0.50, 95 % between " in " ".join(output.split())
    assert f"beside 1.00 of {modest.name} (+0.50, 95 % between " in " ".join(output.split())
    (found,) = (world.app.test_client().get(f"/models/{modest.name}").json or {})["lived_skill"]
    assert (found["other"], found["count"], found["enough"]) == (boasts.name, 168, True)
    assert found["low"] <= found["high"] < 0
    page = world.app.test_client().get(f"/models/{modest.name}", headers={"Accept": "text/html"})
    assert "Beside other models" in page.text


def test_lived_skill_that_is_not_beyond_doubt_leaves_the_order_as_declared(
    make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> None:
    modest, boasts = tiny_delivery(), tiny_delivery(**BETTER)
    world = Evidence(make_app, observe, rollout="immediate")
    world.lived({modest.name: 0.0, boasts.name: 0.0})
    world.look(1)
    assert world.answer() == (boasts.name, False)


# ------------------------------------------------------------------------------------- canary


def test_a_canary_gets_its_share_of_the_answers_and_the_same_question_the_same_answer(
    begin: Begin, observe: Observe
) -> None:
    world, incumbent, new = begin(rollout="canary", rollout_share="20 %")
    observe("EWR", [10.0] * 24 * 14, until=NOON + timedelta(days=14))
    times = [f"{NOON + hour * HOUR:%Y-%m-%dT%H:%MZ}" for hour in range(150)]
    answers = [world.answer(time) for time in times]
    assert set(answers) == {(incumbent.name, False), (new.name, True)}
    assert 15 <= Counter(answers)[new.name, True] <= 45
    assert [world.answer(time) for time in times] == answers
    code, output = command(world, "why", "EWR", "--at", times[answers.index((new.name, True))])
    assert code == 0
    assert output.startswith(f"{new.name} answers for EWR at ")
    assert "ranks lower" in output


def test_under_evidence_no_question_is_answered_by_a_trial(begin: Begin, observe: Observe) -> None:
    world, incumbent, _ = begin()
    observe("EWR", [10.0] * 24 * 14, until=NOON + timedelta(days=14))
    for hour in range(0, 300, 7):
        assert world.answer(f"{NOON + hour * HOUR:%Y-%m-%dT%H:%MZ}") == (incumbent.name, False)


def test_a_pin_goes_before_a_canary(begin: Begin) -> None:
    world, incumbent, _ = begin(rollout="canary", rollout_share=1)
    assert world.answer()[1]
    assert command(world, "pin", "EWR", incumbent.name)[0] == 0
    world.context.catalogue.refresh()
    assert world.answer() == (incumbent.name, False)


# ----------------------------------------------------------------------------------- demotion


@pytest.mark.parametrize(("demote", "state"), [(True, "demoted"), (False, "promoted")])
def test_a_promoted_one_that_becomes_worse_is_demoted_where_the_setting_asks(
    begin: Begin,
    demote: bool,  # noqa: FBT001 - a parameter
    state: str,
    counted: Counted,
) -> None:
    world, incumbent, new = begin(rollout_demote=demote)
    world.lived({incumbent.name: 0.0, new.name: -0.2})
    world.look()
    assert world.answer() == (new.name, False)
    assert counted("fairweather_rollout_changes_total", state="promoted") == 1
    for _ in range(4):
        world.lived({incumbent.name: 0.0, new.name: 2.0})
        world.look()
    assert world.state(new) == state
    # lived skill ranks it lower in any case
    assert world.answer() == (incumbent.name, False)
    assert counted("fairweather_rollout_changes_total", state="demoted") == demote


def test_a_demoted_one_still_answers_where_nothing_else_does(
    begin: Begin, store: Path, tiny_delivery: Build
) -> None:
    tiny_delivery(areas=("LGA",))
    world, incumbent, new = begin(rollout_demote=True)
    world.lived({incumbent.name: 0.0, new.name: -0.2})
    world.look()
    for _ in range(4):
        world.lived({incumbent.name: 0.0, new.name: 2.0})
        world.look()
    assert world.state(new) == "demoted"
    assert command(world, "withdraw", incumbent.name, "--reason", "x", "--force")[0] == 0
    world.look()
    assert world.answer() == (new.name, True)
    assert store.exists()


# ---------------------------------------------------------------------------------- operators


def test_an_operator_promotes_and_holds(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world, incumbent, new = begin()
    told = [each.message for each in caplog.records if "trial since" in each.message]
    assert len(told) == 1
    assert told[0].startswith(f"delivery {new.name} for EWR: trial since ")
    code, output = command(world, "promote", new.name, "--author", "Ada")
    assert (code, output.split(";")[0]) == (0, f"{new.name} is promoted for EWR")
    world.context.catalogue.refresh()
    assert world.answer() == (new.name, False)
    assert world.reason(new) == "an operator promoted it"
    assert "promoted by Ada since " in command(world, "why", "EWR")[1]
    code, output = command(world, "hold", new.name, "--reason", "not yet", "--json")
    assert code == 0
    assert json.loads(output)["action"] == "hold"
    world.look()
    assert (world.answer(), world.state(new)) == ((incumbent.name, False), "held")
    assert world.reason(new) == "not yet"
    assert [row[2] for row in world.rows()] == ["incumbent", "trial", "promoted", "held"]


def test_a_delivery_is_not_held_without_a_reason(begin: Begin) -> None:
    world, _, new = begin()
    code, output = command(world, "hold", new.name)
    assert code == 2
    assert "Missing option '--reason'" in output


def test_an_unreadable_delivery_is_not_promoted(begin: Begin, tiny_delivery: Build) -> None:
    world, _, _ = begin()
    broken = tiny_delivery(model=b"no")
    before = world.rows()
    code, output = command(world, "promote", broken.name)
    assert code == 1
    assert "is quarantined" in output
    assert world.rows() == before


def test_under_immediate_there_is_nothing_to_promote(
    make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    world = Evidence(make_app, observe, rollout="immediate")
    code, output = command(world, "promote", path.name)
    assert code == 1
    assert "FAIRWEATHER_ROLLOUT is immediate" in output


def test_one_on_trial_is_no_last_model_while_another_answers(begin: Begin) -> None:
    world, incumbent, new = begin()
    code, output = command(world, "withdraw", incumbent.name, "--reason", "x")
    assert code == 1
    assert "is the last live model for EWR" in output
    assert command(world, "withdraw", new.name, "--reason", "x")[0] == 0


def test_one_on_trial_stands_in_for_no_incumbent_that_has_gone(
    begin: Begin, tiny_delivery: Build
) -> None:
    """So the last incumbent has the same grace as if it were alone."""
    tiny_delivery(areas=("LGA",))
    world, incumbent, new = begin()
    shutil.rmtree(incumbent)
    world.look(1)
    assert world.answer() == (incumbent.name, False)
    assert world.state(new) == "trial"


def test_states_are_counted_and_listed(begin: Begin) -> None:
    world, _, new = begin()
    metrics = world.app.test_client().get("/metrics").get_data(as_text=True)
    assert 'fairweather_rollout_states{state="trial"} 1.0' in metrics
    listed = (world.app.test_client().get("/models").json or {})["models"]
    states = {each["delivery_id"]: each["rollout"] for each in listed}
    assert [each["state"] for each in states[new.name]] == ["trial"]
    assert "trial for EWR" in command(world, "list")[1]
    for address in ("/models", f"/models/{new.name}"):
        page = world.app.test_client().get(address, headers={"Accept": "text/html"})
        assert "on trial" in page.text
