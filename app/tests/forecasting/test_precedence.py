"""Which delivery ranks first where, and which may answer nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.selector import Firsts

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]


def looked(make_app: MakeApp, **settings: Any) -> AppContext:
    context: AppContext = make_app(**settings).extensions["fairweather"]
    return context


def firsts(context: AppContext, area: str = "EWR") -> Mapping[str | None, Firsts]:
    return context.selectors.of(context.catalogue.snapshot.contents).firsts(area)


def better(path: Build, **more: Any) -> str:
    """A delivery that ranks before one of the kit's own, beyond doubt."""
    return path(skill=0.6, skill_interval=(0.55, 0.65), **more).name


def test_a_better_model_for_the_same_comes_first(make_app: MakeApp, tiny_delivery: Build) -> None:
    tiny_delivery()
    new = better(tiny_delivery)
    context = looked(make_app)
    who = firsts(context)
    assert {entry.delivery_id for entry in who["temperature"] if entry} == {new}


def test_a_model_comes_first_in_the_months_that_no_better_one_declares(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    old = tiny_delivery().name
    new = better(tiny_delivery, valid_months=[6, 7, 8])
    context = looked(make_app)
    by_month = firsts(context)["temperature"]
    assert [entry.delivery_id if entry else "" for entry in by_month] == [
        new if month in {6, 7, 8} else old for month in range(1, 13)
    ]


def test_a_model_comes_first_where_it_alone_declares_an_area_or_a_variable(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    wide = tiny_delivery(areas=("EWR", "LGA")).name
    humid = tiny_delivery(areas=("EWR",), variables=("humidity",)).name
    new = better(tiny_delivery, areas=("EWR",))
    context = looked(make_app)
    who = {
        (area, variable): {entry.delivery_id for entry in by_month if entry}
        for area in ("EWR", "LGA")
        for variable, by_month in firsts(context, area).items()
        if variable
    }
    assert who == {
        ("EWR", "temperature"): {new},
        ("EWR", "humidity"): {humid},
        ("LGA", "temperature"): {wide},
    }


def test_a_month_that_nobody_declares_has_nobody(make_app: MakeApp, tiny_delivery: Build) -> None:
    tiny_delivery(valid_months=[1])
    context = looked(make_app)
    by_month = firsts(context)[None]
    assert [entry is not None for entry in by_month] == [True] + 11 * [False]
    assert firsts(context, "Atlantis") == {None: (None,) * 12}


def test_what_is_not_live_and_shadows_come_first_nowhere(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    better(tiny_delivery, model=b"no")
    shadow, plain = better(tiny_delivery), tiny_delivery().name
    context = looked(make_app, shadow=(shadow,))
    who = firsts(context)
    assert {entry.delivery_id for found in who.values() for entry in found if entry} == {plain}


def test_what_may_answer_nowhere_is_kept_back(
    make_app: MakeApp, tiny_delivery: Build, tmp_path: Path
) -> None:
    alone, narrowed = tiny_delivery(areas=("EWR", "LGA")).name, tiny_delivery().name
    overrides = tmp_path / "overrides.yaml"
    overrides.write_text(f"override_cities: {{{alone}: [LGA], {narrowed}: []}}")
    context = looked(make_app, overrides=overrides)
    entries = context.catalogue.snapshot.contents.entries
    assert context.selectors.rules.why_nowhere(entries[alone]) is None
    refusal = context.selectors.rules.why_nowhere(entries[narrowed])
    assert refusal is not None
    assert refusal.reason == f"the operator narrowed {narrowed} to no city"


def test_one_variable_that_may_be_answered_is_enough(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    def spoil(document: dict[str, Any]) -> None:
        for each in document["performance"]:
            if each["variable"] == "humidity" or len(document["outputs"]) == 1:
                each["skill"], each["skill_interval"] = -0.1, [-0.2, 0.0]

    half = tiny_delivery(variables=("temperature", "humidity"), change=spoil).name
    none = tiny_delivery(change=spoil).name
    context = looked(make_app, refuse_below_baseline=True)
    entries = context.catalogue.snapshot.contents.entries
    assert context.selectors.rules.why_nowhere(entries[half]) is None
    assert [
        context.selectors.rules.may_answer(entries[each], entries[each].areas[0])
        for each in (half, none)
    ] == [
        True,
        False,
    ]
    refusal = context.selectors.rules.why_nowhere(entries[none])
    assert refusal is not None
    assert refusal.code == "below-baseline"
