from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.testing.identity import identity_onnx
from flask import Flask

from answers import context_of
from fairweather_app.forecasting import ranking
from fairweather_app.forecasting import selector as selector_module
from fairweather_app.forecasting.selection import Selection, find_best_model
from fairweather_app.refusals import MOST_REFUSALS

Build = Callable[..., Path]


def codes(selection: Selection) -> dict[str, str]:
    return {
        each.delivery_id: each.code
        for each in (
            *selection.choice.declared_refusals,
            *selection.choice.undeclared_refusals.read(),
        )
    }


def test_who_declares_the_area_is_a_candidate_and_nobody_else(
    make_app: Callable[..., Flask], tiny_delivery: Build
) -> None:
    jfk, both = tiny_delivery(areas=("JFK",)), tiny_delivery(areas=("EWR", "JFK"))
    ewr = tiny_delivery(areas=("EWR",))
    selection = find_best_model("JFK", context_of(make_app()))
    assert {model.delivery_id for model in selection.candidates} == {jfk.name, both.name}
    assert codes(selection) == {ewr.name: "area-not-declared"}
    (refusal,) = selection.choice.undeclared_refusals.read()
    assert refusal.reason == "it declares EWR, and not JFK"
    assert refusal.model_type == "IdentityPredictor"


def test_every_delivery_is_a_candidate_or_leaves_exactly_one_refusal(
    make_app: Callable[..., Flask], tiny_delivery: Build
) -> None:
    def from_the_future(document: dict[str, Any]) -> None:
        document.update(schema_version="2.0", min_reader="2.0")

    made = [
        tiny_delivery(areas=("JFK",)),
        tiny_delivery(areas=("EWR",)),
        tiny_delivery(areas=("JFK",), model=b"no"),
        tiny_delivery(areas=("JFK",), change=from_the_future),
        tiny_delivery(areas=("JFK",), variables=("humidity",)),
    ]
    selection = find_best_model("JFK", context_of(make_app()), variables=("temperature",))
    listed = [model.delivery_id for model in selection.candidates]
    listed += [
        each.delivery_id
        for each in (
            *selection.choice.declared_refusals,
            *selection.choice.undeclared_refusals.read(),
        )
    ]
    assert sorted(listed) == sorted(path.name for path in made)
    assert codes(selection) == {
        made[1].name: "area-not-declared",
        made[2].name: "corrupt",
        made[3].name: "schema-too-new",
        made[4].name: "variable-not-declared",
    }
    declaring = [each.delivery_id for each in selection.choice.declared_refusals]
    assert declaring == [made[4].name, made[2].name]


def test_a_variable_nobody_asked_for_is_no_reason_to_refuse(
    make_app: Callable[..., Flask], tiny_delivery: Build
) -> None:
    one = tiny_delivery(variables=("temperature",))
    two = tiny_delivery(variables=("temperature", "humidity"))
    context = context_of(make_app())
    either = find_best_model("EWR", context, variables=("temperature", "pressure"))
    assert {model.delivery_id for model in either.candidates} == {one.name, two.name}
    every = find_best_model("EWR", context)
    assert next(every.candidates).delivery_id == two.name


def test_overrides_narrow_and_never_widen(
    make_app: Callable[..., Flask], tiny_delivery: Build, tmp_path: Path
) -> None:
    path = tiny_delivery(areas=("EWR", "JFK"))
    file = tmp_path / "overrides.yaml"
    file.write_text(f"override_cities: {{{path.name}: [JFK, LGA]}}")
    context = context_of(make_app(overrides=file))
    assert list(find_best_model("JFK", context).candidates)
    narrowed = find_best_model("EWR", context)
    assert not list(narrowed.candidates)
    assert [each.code for each in narrowed.choice.declared_refusals] == ["overridden"]
    assert codes(find_best_model("LGA", context)) == {path.name: "area-not-declared"}


@pytest.mark.parametrize(
    ("skill", "refuse", "answers"),
    [
        (0.2, True, True),
        (0.0, True, False),
        (-0.1, True, False),
        (None, True, True),
        (-0.1, False, True),
    ],
)
def test_below_the_baseline_is_refused_only_where_the_operator_asks(
    make_app: Callable[..., Flask],
    tiny_delivery: Build,
    skill: float | None,
    refuse: bool,  # noqa: FBT001 - a parameter of the test
    answers: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    tiny_delivery(skill=skill, skill_interval=None)
    selection = find_best_model("EWR", context_of(make_app(refuse_below_baseline=refuse)))
    assert bool(list(selection.candidates)) is answers
    if not answers:
        (refusal,) = selection.choice.declared_refusals
        assert refusal.code == "below-baseline"
        assert "temperature" in refusal.reason


def test_what_was_asked_is_chosen_for_new_contents_before_they_are_shown(
    make_app: Callable[..., Flask], tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    ewr, jfk = tiny_delivery(areas=("EWR",)), tiny_delivery(areas=("JFK",))
    context = context_of(make_app())
    for area in ("EWR", "JFK"):
        next(find_best_model(area, context).candidates)
    ranked: list[str] = []
    rank = ranking.rank

    def counting(entries: Any, area: str, *more: Any) -> Any:
        ranked.append(area)
        return rank(entries, area, *more)

    monkeypatch.setattr(selector_module, "rank", counting)
    better = tiny_delivery(areas=("EWR", "LGA"), skill_interval=(0.8, 0.9))
    context.catalogue.refresh()
    assert ranked == ["EWR"]  # nothing has changed for JFK, and nobody has asked for LGA
    for area, best in (("EWR", better), ("JFK", jfk)):
        selection = find_best_model(area, context)
        assert next(selection.candidates).delivery_id == best.name
        listed = [each.delivery_id for each in selection.refusals(())]
        assert sorted(
            [*listed, *(each.delivery_id for each in selection.candidates), best.name]
        ) == (sorted([ewr.name, jfk.name, better.name]))
    assert ranked == ["EWR"]


def test_only_the_skill_of_what_would_be_answered_counts(
    make_app: Callable[..., Flask], tiny_delivery: Build
) -> None:
    def poor_humidity(document: dict[str, Any]) -> None:
        document["performance"][1] |= {"skill": -0.5}
        del document["performance"][1]["skill_interval"]

    tiny_delivery(variables=("temperature", "humidity"), change=poor_humidity)
    context = context_of(make_app(refuse_below_baseline=True))
    assert list(find_best_model("EWR", context, variables=("temperature",)).candidates)
    assert not list(find_best_model("EWR", context, variables=("humidity",)).candidates)


def test_the_candidates_of_a_snapshot_are_ranked(
    make_app: Callable[..., Flask], tiny_delivery: Build
) -> None:
    better = tiny_delivery(skill=0.6, skill_interval=(0.5, 0.7))
    good = tiny_delivery(skill=0.4, skill_interval=(0.3, 0.45))
    context = context_of(make_app())
    ranked = find_best_model("EWR", context).candidates
    assert [model.delivery_id for model in ranked] == [better.name, good.name]


def wondering(tiny_delivery: Build, *, declared: bool, **more: Any) -> Path:
    """A delivery that forecasts one variable more, which the contract does not know."""
    row = {"unit": "1", "minimum": 7.0, "maximum": 23.0, "label": "Wonder", "margin": 1.0}

    def change(document: dict[str, Any]) -> None:
        if not declared:
            del document["variables"]
            document["inputs"] = document["inputs"][:1]
            document["outputs"][1]["unit"] = "degC"

    return tiny_delivery(
        variables=("temperature", "wonder"),
        declared_variables={"wonder": row},
        model=None
        if declared
        else identity_onnx(
            [("temperature", "temperature_forecast"), ("temperature", "wonder_forecast")], 24
        ),
        change=change,
        **more,
    )


@pytest.mark.parametrize("declared", [True, False])
def test_a_variable_that_nobody_describes_is_no_reason_to_come_first(
    make_app: Callable[..., Flask],
    tiny_delivery: Build,
    declared: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    plain = tiny_delivery(skill=0.6, skill_interval=(0.5, 0.7))
    more = wondering(tiny_delivery, declared=declared)
    context = context_of(make_app())
    assert len(context.catalogue.snapshot.live) == 2
    first = next(find_best_model("EWR", context).candidates)
    assert first.delivery_id == (more if declared else plain).name


@pytest.mark.parametrize("interval", [(0.9, 1.0), (5.0, 6.0)])
def test_a_skill_that_no_weather_allows_comes_not_first(
    make_app: Callable[..., Flask], tiny_delivery: Build, interval: tuple[float, float]
) -> None:
    plain = tiny_delivery(change=ending("2013-06-02"))
    perfect = tiny_delivery(skill=1.0, skill_interval=interval, change=ending("2013-06-01"))
    context = context_of(make_app())
    ranked = [each.delivery_id for each in find_best_model("EWR", context).candidates]
    assert ranked == [plain.name, perfect.name]


def ending(day: str) -> Callable[[dict[str, Any]], None]:
    """Let the training data end on a day."""
    return lambda document: document["training"].update(train_end_time=f"{day}T00:00:00Z")


def test_the_same_snapshot_gives_the_same_answer_after_the_catalogue_moved_on(
    make_app: Callable[..., Flask], tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    context = context_of(make_app())
    before = context.catalogue.snapshot
    tiny_delivery()
    context.catalogue.refresh()
    selection = find_best_model("EWR", context, snapshot=before)
    assert [model.delivery_id for model in selection.candidates] == [path.name]


def test_refusals_are_counted_whole_and_told_when_asked(
    make_app: Callable[..., Flask], tiny_delivery: Build, observe: Callable[..., None]
) -> None:
    tiny_delivery(areas=("JFK",))
    for _ in range(MOST_REFUSALS + 3):
        tiny_delivery(areas=("EWR",))
    tiny_delivery(areas=("EWR",), model=b"no")
    broken = tiny_delivery(areas=("JFK",), model=b"no")
    observe("JFK", [10.0] * 24)
    app = make_app()
    counts = {"area-not-declared": MOST_REFUSALS + 3, "corrupt": 2}
    selection = find_best_model("JFK", context_of(app))
    refusals = selection.refusals(())
    assert refusals.counts == counts
    assert len(refusals) == len(list(refusals)) == MOST_REFUSALS + 5
    assert Counter(each.code for each in refusals) == counts
    assert refusals[0].delivery_id == broken.name
    assert refusals[-1].code == "corrupt"
    receipt = app.test_client().get("/weather/predict?area=JFK").json["receipt"]  # type: ignore[index]
    assert receipt["refused_counts"] == counts
    assert len(receipt["refused"]) == MOST_REFUSALS


def test_choosing_again_looks_at_no_delivery(
    make_app: Callable[..., Flask], tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery(areas=("JFK",))
    context = context_of(make_app())
    find_best_model("JFK", context)
    monkeypatch.setattr(selector_module.Rules, "check", None)
    (model,) = find_best_model("JFK", context).candidates
    assert model.delivery_id == path.name


def test_whoever_asks_for_ever_other_variables_fills_no_memory(
    make_app: Callable[..., Flask], tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_delivery(areas=("JFK",))
    monkeypatch.setattr(selector_module, "CHOICE_BYTES_KEPT", 12_000)
    context = context_of(make_app())
    for number in range(20):
        find_best_model("JFK", context, variables=(f"v{number}" * 100,))
        choices = context.selectors.of(context.catalogue.snapshot.contents).choices
        assert choices.used / len(choices.items()) - 2000 > 300  # words count, in bytes
        assert choices.used <= 12_000


def test_a_candidate_that_can_no_longer_be_opened_is_refused_and_the_next_one_tried(
    make_app: Callable[..., Flask], tiny_delivery: Build, settings: dict[str, Any], store: Path
) -> None:
    first = tiny_delivery(skill=0.6, skill_interval=(0.5, 0.7))
    second = tiny_delivery(skill=0.3, skill_interval=(0.2, 0.4))
    context = context_of(make_app())
    copy = next(settings["cache"].rglob(first.name))
    (copy / "metadata.json").write_text("{}")
    store.rename(store.with_name("aside"))
    context.catalogue.model_cache.retain(frozenset())  # as after a restart: nothing is in memory
    selection = find_best_model("EWR", context)
    assert [model.delivery_id for model in selection.candidates] == [second.name]
    (lost,) = selection.failed_to_open
    assert (lost.delivery_id, lost.code) == (first.name, "runtime-unavailable")
    assert selection.refusals(()).counts == {"runtime-unavailable": 1}
