"""A rollout by evidence: who stands a trial, who answers meanwhile, and what becomes of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from fairweather_app import create_app
from fairweather_app.catalogue.decisions import Decisions, DecisionStore
from fairweather_app.errors import ObservationStoreError
from rollouts import BETTER, HOUR, NOON, Evidence

Build = Callable[..., Path]
Observe = Callable[..., None]
MakeApp = Callable[..., Flask]


@pytest.fixture
def incumbent(tiny_delivery: Build) -> Path:
    return tiny_delivery(areas=("EWR",))


@pytest.fixture
def begin(make_app: MakeApp, observe: Observe, incumbent: Path) -> Callable[..., Evidence]:
    """An app whose rollout has begun with one live delivery."""
    assert incumbent.exists()

    def begun(**settings: Any) -> Evidence:
        found = Evidence(make_app, observe, **settings)
        found.look()
        return found

    return begun


def test_under_immediate_a_better_delivery_answers_at_once_and_nothing_is_written(
    begin: Callable[..., Evidence], tiny_delivery: Build
) -> None:
    world = begin(rollout="immediate")
    new = tiny_delivery(**BETTER)
    world.look()
    assert world.answer() == (new.name, False)
    assert world.rows() == []
    assert world.state(new) is None


def test_what_is_live_when_the_rollout_begins_is_an_incumbent(
    begin: Callable[..., Evidence], incumbent: Path
) -> None:
    world = begin()
    assert world.rows() == [(incumbent.name, "", "incumbent")]
    assert world.state(incumbent) is None
    assert world.answer() == (incumbent.name, False)


def test_a_newcomer_that_would_rank_first_stands_a_trial_and_does_not_answer(
    begin: Callable[..., Evidence], tiny_delivery: Build, incumbent: Path
) -> None:
    world = begin()
    new = tiny_delivery(**BETTER)
    world.context.catalogue.refresh()
    assert world.answer() == (incumbent.name, False)  # from the first look on
    world.look()
    assert world.state(new) == "trial"
    assert world.answer() == (incumbent.name, False)


def test_a_newcomer_that_would_not_rank_first_stands_none_and_ranks_last(
    begin: Callable[..., Evidence], tiny_delivery: Build, incumbent: Path
) -> None:
    world = begin()
    new = tiny_delivery(skill=0.05, skill_interval=(0.01, 0.1))
    world.look()
    assert world.state(new) is None
    assert world.answer() == (incumbent.name, False)


@pytest.mark.parametrize(
    ("error", "state"), [(-0.4, "promoted"), (0.0, "promoted"), (0.3, "held"), (3.0, "held")]
)
def test_a_trial_is_decided_by_its_forecasts(
    begin: Callable[..., Evidence],
    tiny_delivery: Build,
    incumbent: Path,
    error: float,
    state: str,
) -> None:
    world = begin()
    new = tiny_delivery(**BETTER)
    world.look()
    world.lived({incumbent.name: 0.0, new.name: error})
    world.look()
    assert world.state(new) == state
    assert world.answer() == ((new if state == "promoted" else incumbent).name, False)
    reason = world.reason(new)
    assert reason.startswith("not worse: " if state == "promoted" else "worse: ")
    assert f"({error:+.2f}, 95 % between " in reason
    assert "over 168 forecasts in 7.0 days" in reason


def test_what_a_delivery_forecast_before_its_trial_is_no_evidence(
    begin: Callable[..., Evidence], tiny_delivery: Build, incumbent: Path
) -> None:
    world = begin()
    new = tiny_delivery(**BETTER)
    world.lived({incumbent.name: 0.0, new.name: -0.5})
    world.look(3)
    world.lived({incumbent.name: 0.0, new.name: -0.5}, days=2)
    world.look()
    assert world.state(new) == "trial"


@pytest.mark.parametrize(
    "changes", [{"rollout_forecasts": 200}, {"rollout_days": 7.5}], ids=["forecasts", "days"]
)
def test_too_little_evidence_decides_nothing(
    begin: Callable[..., Evidence],
    tiny_delivery: Build,
    incumbent: Path,
    changes: dict[str, Any],
) -> None:
    world = begin(**changes)
    new = tiny_delivery(**BETTER)
    world.look()
    world.lived({incumbent.name: 0.0, new.name: -0.5})
    world.look()
    assert world.state(new) == "trial"


def test_where_nothing_answers_a_newcomer_answers_at_once_and_says_so(
    make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> None:
    tiny_delivery(areas=("LGA",))
    world = Evidence(make_app, observe)
    world.look()
    first = tiny_delivery(areas=("EWR",))
    world.look()
    assert world.answer() == (first.name, False)
    assert world.state(first) == "alone"
    assert world.reason(first) == "no other delivery forecasts its variables for its months"
    second = tiny_delivery(areas=("EWR",), **BETTER)
    world.look()
    assert world.state(second) == "trial"
    assert world.answer() == (first.name, False)


def test_one_that_was_alone_stands_a_trial_once_an_incumbent_is_back(
    begin: Callable[..., Evidence], tiny_delivery: Build, incumbent: Path, tmp_path: Path
) -> None:
    """Else whoever may delete a delivery could have another one answer untried."""
    tiny_delivery(areas=("LGA",))
    world = begin()
    incumbent.rename(tmp_path / "aside")
    world.look(8)
    new = tiny_delivery(**BETTER)
    world.look()
    assert (world.state(new), world.answer()) == ("alone", (new.name, False))
    (tmp_path / "aside").rename(incumbent)
    world.look(3)
    assert (world.state(new), world.answer()) == ("trial", (incumbent.name, False))


def test_variables_that_nobody_else_forecasts_buy_no_answer_for_all_of_them(
    begin: Callable[..., Evidence], tiny_delivery: Build, observe: Observe, incumbent: Path
) -> None:
    """Such a delivery has nothing to be compared with: it answers for those alone."""
    world = begin()
    variables = ("humidity", "wind_speed")
    new = tiny_delivery(variables=variables, **BETTER)
    for variable in variables:
        observe("EWR", [50.0] * 48, variable=variable)
    world.look()
    assert world.state(new) == "alone"
    assert world.answer() == (incumbent.name, False)
    assert world.answer("2013-06-20T12:00Z&variable=humidity") == (new.name, False)


def test_a_trial_answers_where_the_incumbent_refuses_and_says_so(
    make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> None:
    tiny_delivery(areas=("EWR",), valid_months=[5, 6])
    world = Evidence(make_app, observe)
    world.look()
    new = tiny_delivery(areas=("EWR",), **BETTER)
    world.look()
    observe("EWR", [10.0] * 48, until=NOON + 15 * 24 * HOUR)
    assert world.state(new) == "trial"
    assert world.answer() == (new.name, True)


def test_at_most_five_stand_a_trial_at_once(
    begin: Callable[..., Evidence], tiny_delivery: Build
) -> None:
    world = begin()
    made = [tiny_delivery(**BETTER) for _ in range(7)]
    world.look()
    assert sorted(str(world.state(each)) for each in made) == 2 * ["None"] + 5 * ["trial"]


def test_other_bytes_under_the_same_id_begin_anew(
    begin: Callable[..., Evidence], tiny_delivery: Build, incumbent: Path
) -> None:
    other = tiny_delivery(skill=0.1, skill_interval=(0.05, 0.15))
    world = begin()
    assert world.answer() == (incumbent.name, False)
    shutil.rmtree(incumbent)
    tiny_delivery(delivery_id=incumbent.name, **BETTER)
    world.look(3)
    assert (world.state(incumbent), world.answer()) == ("trial", (other.name, False))


def test_two_workers_write_each_change_once(
    begin: Callable[..., Evidence], make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> None:
    world = begin()
    other = Evidence(make_app, observe)
    other.look()
    new = tiny_delivery(**BETTER)
    for each in (world, other):
        each.context.catalogue.refresh()
    for each in (world, other):
        each.runner.run()
    assert [row for row in world.rows() if row[0] == new.name] == [(new.name, "EWR", "trial")]
    other.context.catalogue.refresh()
    assert other.state(new) == "trial"


def test_a_restart_loses_nothing(
    begin: Callable[..., Evidence],
    make_app: MakeApp,
    observe: Observe,
    tiny_delivery: Build,
    incumbent: Path,
) -> None:
    world = begin()
    new = tiny_delivery(**BETTER)
    world.look()
    again = Evidence(make_app, observe)
    assert (again.state(new), again.answer()) == ("trial", (incumbent.name, False))


def test_while_the_database_cannot_be_read_a_restarted_app_keeps_the_states(
    begin: Callable[..., Evidence],
    settings: dict[str, Any],
    tiny_delivery: Build,
    incumbent: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = begin()
    tiny_delivery(**BETTER)
    world.look()

    def fails(_store: DecisionStore) -> Decisions:
        raise ObservationStoreError("locked")

    monkeypatch.setattr(DecisionStore, "read", fails)
    context = create_app(settings | {"rollout": "evidence"}).extensions["fairweather"]
    contents = context.catalogue.refresh().contents
    first = next(context.selectors.of(contents).ranked("EWR"))
    assert first.delivery_id == incumbent.name
    context.observations.close()


def test_a_rollout_does_not_begin_while_the_store_cannot_be_read(
    make_app: MakeApp, observe: Observe, tiny_delivery: Build, store: Path
) -> None:
    """Else all that comes back would be new."""
    old = tiny_delivery()
    store.rename(store.with_name("away"))
    world = Evidence(make_app, observe)
    world.runner.run()
    store.with_name("away").rename(store)
    world.look()
    assert world.rows() == [(old.name, "", "incumbent")]


def test_what_was_live_under_immediate_is_an_incumbent_when_the_rollout_begins_again(
    begin: Callable[..., Evidence], make_app: MakeApp, observe: Observe, tiny_delivery: Build
) -> None:
    world = begin()
    on_trial = tiny_delivery(skill=0.5, skill_interval=(0.45, 0.52))
    world.look()
    immediate = Evidence(make_app, observe, rollout="immediate")
    new = tiny_delivery(**BETTER)
    immediate.look()
    assert immediate.answer() == (new.name, False)
    again = Evidence(make_app, observe)
    again.look()
    assert again.answer() == (new.name, False)
    assert again.state(on_trial) == "trial"
