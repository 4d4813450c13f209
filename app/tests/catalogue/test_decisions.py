"""Withdrawals and pins: the rows, the commands, and what serving processes make of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from answers import context_of, the_problem
from fairweather_app import create_app
from fairweather_app.catalogue import decisions as decisions_module
from fairweather_app.catalogue.decisions import DECISIONS_JSON, Decisions, DecisionStore
from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.forecasting.pins import report_pins
from fairweather_app.forecasting.selection import find_best_model
from fairweather_app.observations import ObservationStore

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]


def run(app: Flask, *arguments: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["models", *arguments])
    return result.exit_code, result.output


def answering(app: Flask, area: str = "EWR") -> str:
    context_of(app).catalogue.refresh()
    answer = app.test_client().get(f"/weather/predict?area={area}").json
    assert answer is not None
    return str(answer["receipt"]["delivery_id"])


@pytest.fixture
def better(tiny_delivery: Build) -> str:
    return tiny_delivery(areas=("EWR", "JFK"), skill=0.6, skill_interval=(0.5, 0.7)).name


@pytest.fixture
def good(tiny_delivery: Build) -> str:
    return tiny_delivery(skill=0.3, skill_interval=(0.2, 0.4)).name


@pytest.fixture
def two(make_app: MakeApp, better: str, good: str, observe: Observe, day: list[float]) -> Flask:
    for area in ("EWR", "JFK"):
        observe(area, day)
    assert better != good
    return make_app()


def test_what_holds_is_the_last_word_about_each_whatever_the_clock_says(
    observations: ObservationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DecisionStore(observations.database)
    assert store.read() == Decisions()
    store.add("withdraw", "a", author="ann", reason="too warm")
    store.add("withdraw", "b", author="ann", reason="too cold")
    store.add("pin", "JFK", author="ann", delivery_id="c")
    store.add("pin", "a", author="ann", delivery_id="c")  # an area may be called anything

    class YearsAgo:
        @staticmethod
        def now(_zone: object) -> datetime:
            return datetime(1999, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(decisions_module, "datetime", YearsAgo)
    store.add("restore", "a", author="bob")
    store.add("pin", "JFK", author="bob", delivery_id="d", reason="on trial")
    found = store.read()
    assert list(found.withdrawals) == ["b"]
    assert {area: each.delivery_id for area, each in found.pins.items()} == {"JFK": "d", "a": "c"}
    assert str(found.pins["JFK"]) == "bob at 1999-01-01T00:00Z: on trial"
    assert DECISIONS_JSON.validate_json(DECISIONS_JSON.dump_json(found)) == found


def test_a_withdrawn_delivery_answers_nowhere_and_says_who_withdrew_it_and_why(
    two: Flask, better: str, good: str
) -> None:
    assert answering(two) == better
    code, output = run(
        two, "withdraw", better, "--reason", "too warm", "--author", "ann", "--force"
    )
    assert (code, output) == (
        0,
        f"{better} is withdrawn; every serving process follows within 10 seconds\n",
    )
    assert answering(two) == good
    client = two.test_client()
    (refusal,) = client.get("/weather/predict?area=EWR").json["receipt"]["refused"]  # type: ignore[index]
    assert (refusal["delivery_id"], refusal["code"]) == (better, "withdrawn")
    assert refusal["reason"].startswith("withdrawn by ann at ")
    assert refusal["reason"].endswith(": too warm")
    shown: Any = client.get(f"/models/{better}").json
    assert (shown["state"], shown["code"], shown["metadata"]["delivery_id"]) == (
        *("withdrawn", "withdrawn"),
        better,
    )
    nobody = the_problem(client.get("/weather/predict?area=JFK"), 422, "no-applicable-model")
    assert nobody["refused_counts"] == {"area-not-declared": 1, "withdrawn": 1}


def test_restoring_brings_it_back(two: Flask, better: str) -> None:
    run(two, "withdraw", better, "--reason", "x", "--force")
    assert answering(two) != better
    assert run(two, "restore", better)[0] == 0
    assert answering(two) == better
    assert run(two, "restore", better) == (
        1,
        f"Error: {better} is not withdrawn; nothing was changed\n",
    )


def test_every_process_follows_at_its_next_look(
    two: Flask, make_app: MakeApp, better: str, good: str
) -> None:
    other = make_app()
    run(two, "withdraw", better, "--reason", "x", "--force")
    assert answering(other) == good


def test_the_last_model_for_an_area_is_not_withdrawn_without_force(two: Flask, better: str) -> None:
    code, output = run(two, "withdraw", better, "--reason", "x")
    assert code == 1
    assert f"{better} is the last live model for JFK; nothing was changed" in output
    assert "--force" in output
    assert answering(two) == better


def test_what_is_not_the_last_is_withdrawn_and_then_the_other_one_is_the_last(
    two: Flask, better: str, good: str
) -> None:
    assert run(two, "withdraw", good, "--reason", "x")[0] == 0
    code, output = run(two, "withdraw", better, "--reason", "x")
    assert code == 1
    assert "last live model for EWR, JFK" in output
    code, output = run(two, "withdraw", good, "--reason", "y")
    assert code == 1
    assert f"{good} was withdrawn by " in output


def test_nobody_withdraws_what_nobody_knows_but_by_force(two: Flask) -> None:
    code, output = run(two, "withdraw", "nothing", "--reason", "x")
    assert code == 1
    assert "no delivery nothing is known" in output
    assert run(two, "withdraw", "nothing", "--reason", "x", "--force")[0] == 0
    assert run(two, "withdraw", "nothing")[0] == 2


def test_a_pinned_area_is_answered_by_no_other(two: Flask, better: str, good: str) -> None:
    assert run(two, "pin", "EWR", good)[0] == 0
    assert answering(two) == good
    assert answering(two, "JFK") == better
    (refusal,) = two.test_client().get("/weather/predict?area=EWR").json["receipt"]["refused"]  # type: ignore[index]
    assert (refusal["code"], refusal["reason"]) == (
        "overridden",
        f"the operator pinned EWR to {good}",
    )
    assert run(two, "unpin", "EWR")[0] == 0
    assert answering(two) == better
    assert run(two, "unpin", "EWR")[0] == 1


def test_a_pin_holds_only_while_its_delivery_is_live(
    two: Flask, better: str, good: str, store: Path
) -> None:
    run(two, "pin", "EWR", good)
    run(two, "withdraw", good, "--reason", "x")
    assert answering(two) == better
    run(two, "restore", good)
    assert answering(two) == good
    shutil.rmtree(store / good)
    assert answering(two) == better


def test_a_pin_to_what_cannot_answer_is_not_taken(two: Flask, good: str) -> None:
    code, output = run(two, "pin", "JFK", good)
    assert code == 1
    assert f"{good} may not answer for JFK: it declares EWR, and not JFK" in output
    assert run(two, "pin", "JFK", "nothing")[0] == 1


@pytest.fixture
def narrowed(make_app: MakeApp, two: Flask, good: str, tmp_path: Path) -> Flask:
    """The app of `two`, whose operator keeps `good` from answering for EWR."""
    assert two.name == "fairweather_app"
    file = tmp_path / "overrides.yaml"
    file.write_text(f"override_cities: {{{good}: []}}")
    return make_app(overrides=file)


def test_a_pin_to_what_overrides_keep_from_answering_is_not_taken(
    narrowed: Flask, good: str
) -> None:
    code, output = run(narrowed, "pin", "EWR", good)
    assert code == 1
    told = f"{good} may not answer for EWR: the operator narrowed {good} to no city"
    assert f"{told}; nothing was changed" in output


def test_a_pin_whose_delivery_may_not_answer_leaves_the_area_to_the_ranking_and_says_so(
    two: Flask, narrowed: Flask, better: str, good: str, caplog: pytest.LogCaptureFixture
) -> None:
    run(two, "pin", "EWR", good)
    assert answering(narrowed) == better
    told = f"EWR is pinned to {good}, which may not answer for it (the operator narrowed {good}"
    code, output = run(narrowed, "why", "EWR")
    assert code == 0
    assert told in output
    assert f"{better} answers for EWR" in output
    assert told in run(narrowed, "list")[1]
    content: Any = narrowed.test_client().get("/models").json
    (pin,) = content["pins"]
    assert (pin["area"], pin["delivery_id"]) == ("EWR", good)
    assert "narrowed" in pin["problem"]
    context = context_of(narrowed)
    for _ in range(2):
        report_pins(context.selectors.rules, Contents(), context.catalogue.snapshot.contents)
        report_pins(
            context.selectors.rules, *[context.catalogue.snapshot.contents] * 2
        )  # told once
    assert caplog.text.count(told) == 2


def test_a_pin_that_holds_is_shown_as_it_is(two: Flask, good: str) -> None:
    run(two, "pin", "EWR", good)
    context_of(two).catalogue.refresh()
    content: Any = two.test_client().get("/models").json
    assert content["pins"] == [{"area": "EWR", "delivery_id": good, "problem": None}]
    assert f"EWR is pinned to {good}\n" in run(two, "why", "EWR")[1]


def test_when_the_pinned_delivery_refuses_the_ranking_goes_on(
    make_app: MakeApp, tiny_delivery: Build, better: str, observe: Observe, day: list[float]
) -> None:
    observe("EWR", day)
    winter = tiny_delivery(skill=0.3, skill_interval=(0.2, 0.4), valid_months=(1, 2)).name
    app = make_app()
    assert run(app, "pin", "EWR", winter)[0] == 0
    context_of(app).catalogue.refresh()
    answer: Any = app.test_client().get("/weather/predict?area=EWR").json
    assert answer["receipt"]["delivery_id"] == better
    (refusal,) = answer["receipt"]["refused"]
    assert (refusal["delivery_id"], refusal["code"]) == (winter, "out-of-season")


def test_a_pin_leaves_what_its_delivery_does_not_forecast_to_the_ranking(
    two: Flask, tiny_delivery: Build, better: str, good: str
) -> None:
    both = tiny_delivery(variables=("temperature", "humidity"), skill_interval=(0.1, 0.2)).name
    run(two, "pin", "EWR", good)
    context = context_of(two)
    context.catalogue.refresh()
    humidity = find_best_model("EWR", context, variables=("humidity",))
    assert [each.delivery_id for each in humidity.candidates] == [both]
    either = find_best_model("EWR", context)
    assert next(either.candidates).delivery_id == good
    refused = {each.delivery_id: each.code for each in either.refusals(())}
    assert refused == {better: "overridden", both: "overridden"}


def test_a_shadow_is_no_model_that_is_left_and_a_pin_to_it_does_not_hold(
    two: Flask, make_app: MakeApp, better: str, good: str
) -> None:
    run(two, "pin", "EWR", good)
    shadowed = make_app(shadow=good)
    assert answering(shadowed) == better
    code, output = run(shadowed, "pin", "EWR", good)
    assert code == 1
    assert "may not answer for EWR: it is a shadow" in output
    code, output = run(shadowed, "withdraw", better, "--reason", "x")
    assert code == 1
    assert "the last live model for EWR, JFK" in output


def test_what_the_operator_narrowed_is_no_model_that_is_left(
    narrowed: Flask, better: str, good: str
) -> None:
    code, output = run(narrowed, "withdraw", better, "--reason", "x")
    assert code == 1
    assert "the last live model for EWR, JFK; nothing was changed" in output
    assert answering(narrowed) == better
    assert run(narrowed, "withdraw", good, "--reason", "it answers nowhere")[0] == 0
    assert answering(narrowed) == better


def test_what_is_below_the_baseline_is_no_model_that_is_left_where_it_is_refused(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    best = tiny_delivery(skill=0.6, skill_interval=(0.5, 0.7)).name
    tiny_delivery(skill=-0.2, skill_interval=(-0.3, -0.1))
    strict = make_app(refuse_below_baseline=True)
    code, output = run(strict, "withdraw", best, "--reason", "x")
    assert (code, "the last live model for EWR" in output) == (1, True)
    assert run(make_app(), "withdraw", best, "--reason", "x")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("withdraw", "{good}", "--reason", ""),
        ("withdraw", "{good}", "--reason", " \t"),
        ("withdraw", "{good}", "--reason", "x", "--author", ""),
        ("restore", "{good}", "--author", " "),
        ("pin", "EWR", "{good}", "--reason", ""),
    ],
)
def test_a_reason_and_an_author_are_some_words(
    two: Flask, good: str, words: tuple[str, ...]
) -> None:
    code, output = run(two, *(word.format(good=good) for word in words))
    assert code == 2
    assert "expected some words" in output
    assert context_of(two).catalogue.decisions.read() == Decisions()


def test_a_withdrawal_is_stronger_than_an_answer_that_is_remembered(
    two: Flask, better: str, good: str
) -> None:
    assert [answering(two), answering(two)] == [better, better]
    assert run(two, "withdraw", better, "--reason", "x", "--force")[0] == 0
    assert answering(two) == good


@pytest.mark.sqlite
def test_while_the_database_is_away_what_was_read_last_holds_also_through_a_restart(
    two: Flask, settings: dict[str, Any], better: str, observations: ObservationStore
) -> None:
    run(two, "withdraw", better, "--reason", "x", "--force")
    context_of(two).catalogue.refresh()
    for each in (observations, context_of(two).observations):
        each.close()
    path = Path(settings["observations"].removeprefix("sqlite:///"))
    path.rename(path.with_name("aside"))
    path.write_text("no database")
    for app in (two, create_app(settings)):
        snapshot = context_of(app).catalogue.refresh()
        assert snapshot.entry(better).state == "withdrawn"
        assert len(snapshot.live) == 1
