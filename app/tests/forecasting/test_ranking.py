from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.forecasting.ranking import Contender, order
from fairweather_app.rollout.trials import Better

Claim = tuple[str, float, float] | None


def contender(
    name: str, *, synthetic: bool = False, end: float = 0.0, **claims: Claim
) -> Contender:
    return Contender(name=name, claims=claims, synthetic=synthetic, train_end_time=end)


def names(*contenders: Contender) -> list[str]:
    return [each.name for each in order(contenders)]


def interval(low: float, high: float, evaluation: str = "E") -> Claim:
    return (evaluation, low, high)


bounds = st.integers(min_value=0, max_value=6)
claims = st.none() | st.builds(
    lambda evaluation, ends: (evaluation, float(min(ends)), float(max(ends))),
    st.sampled_from("EF"),
    st.tuples(bounds, bounds),
)
contenders = st.lists(
    st.builds(
        lambda claims, synthetic, end: (claims, synthetic, float(end)),
        st.dictionaries(st.sampled_from(["temperature", "humidity"]), claims, min_size=1),
        st.booleans(),
        st.integers(min_value=0, max_value=2),
    ),
    max_size=7,
).map(
    lambda drawn: [
        Contender(name=f"{n}", claims=claims, synthetic=synthetic, train_end_time=end)
        for n, (claims, synthetic, end) in enumerate(drawn)
    ]
)


def test_more_of_the_wanted_variables_go_first_whatever_the_skill_of_the_others() -> None:
    both = contender("both", temperature=None, humidity=interval(0.1, 0.2), synthetic=True)
    one = contender("one", temperature=interval(0.8, 0.9))
    assert names(one, both) == ["both", "one"]


@pytest.mark.parametrize("claim", [None, interval(0.0, 0.9), interval(-0.2, -0.1)])
def test_a_variable_of_no_skill_counts_as_no_more(claim: Claim) -> None:
    more = contender("more", temperature=None, humidity=claim, end=1)
    newer = contender("newer", temperature=None, end=2)
    assert names(more, newer) == ["newer", "more"]


def test_what_all_forecast_counts_for_all_of_them() -> None:
    real = contender("real", temperature=None)
    synthetic = contender("synthetic", temperature=interval(0.8, 0.9), synthetic=True)
    assert names(synthetic, real) == ["real", "synthetic"]


# ------------------------------------------------------------------------------- lived skill


def lived(*pairs: str, variable: str = "temperature") -> Better:
    """Pairs such as ``a<b``: the forecasts of b were better."""
    found: dict[str, frozenset[str]] = {}
    for worse, better in (pair.split("<") for pair in pairs):
        found[worse] = found.get(worse, frozenset()) | {better}
    return {variable: found}


def test_lived_skill_goes_before_everything_that_is_declared() -> None:
    claims = contender("claims", temperature=interval(0.8, 0.9), end=2)
    lives = contender("lives", temperature=interval(0.1, 0.2), end=1, synthetic=True)
    other = contender("other", temperature=interval(0.3, 0.4), end=1)
    assert names(claims, lives, other) == ["claims", "other", "lives"]
    ranked = order([claims, lives, other], lived("claims<lives"))
    assert [each.name for each in ranked] == ["other", "lives", "claims"]


def test_lived_skill_of_one_variable_does_not_outrank_a_forecast_of_two() -> None:
    both = contender("both", temperature=interval(0.1, 0.2), humidity=interval(0.1, 0.2))
    one = contender("one", temperature=interval(0.1, 0.2))
    better = lived("both<one")
    assert [each.name for each in order([both, one], better)] == ["both", "one"]
    alike = contender("alike", temperature=interval(0.1, 0.2), humidity=interval(0.1, 0.2))
    better = {**lived("both<alike"), **lived("both<one", variable="humidity")}
    assert [each.name for each in order([alike, both], better)] == ["alike", "both"]


def test_where_lived_skill_goes_round_in_a_circle_the_order_is_as_declared() -> None:
    three = [contender(name, temperature=None) for name in "abc"]
    ranked = order(three, lived("a<b", "b<c", "c<a"))
    assert [each.name for each in ranked] == ["a", "b", "c"]


def test_who_is_not_there_keeps_nobody_back() -> None:
    two = [contender(name, temperature=None) for name in "ab"]
    assert [each.name for each in order(two, lived("a<gone"))] == ["a", "b"]


@given(contenders, st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6))), st.randoms())
def test_lived_skill_keeps_each_contender_and_no_order_of_listing(
    drawn: list[Contender], pairs: list[tuple[int, int]], random: object
) -> None:
    better = lived(*(f"{worse}<{other}" for worse, other in pairs if worse > other))
    ranked = [each.name for each in order(drawn, better)]
    shuffled = list(drawn)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert [each.name for each in order(shuffled, better)] == ranked
    assert sorted(ranked) == sorted(each.name for each in drawn)
    places = {name: place for place, name in enumerate(ranked)}
    for each in drawn:
        if each.claims.keys() == {"temperature"}:
            for other in better["temperature"].get(each.name, frozenset()) & places.keys():
                assert places[other] < places[each.name]


# ----------------------------------------------------------------------------- declared skill


def test_real_observations_go_before_synthetic_ones_whatever_the_skill() -> None:
    real = contender("real", temperature=interval(0.1, 0.2))
    synthetic = contender("synthetic", temperature=interval(0.8, 0.9), synthetic=True)
    assert names(synthetic, real) == ["real", "synthetic"]


def test_skill_beyond_doubt_goes_before_newer_data() -> None:
    better = contender("better", temperature=interval(0.5, 0.6), end=1)
    newer = contender("newer", temperature=interval(0.2, 0.4), end=2)
    assert names(newer, better) == ["better", "newer"]


def test_overlapping_intervals_are_equal_and_the_newest_data_decide() -> None:
    lucky = contender("lucky", temperature=interval(0.3, 0.9), end=1)
    newer = contender("newer", temperature=interval(0.2, 0.4), end=2)
    assert names(lucky, newer) == ["newer", "lucky"]


def test_intervals_that_touch_are_equal() -> None:
    upper = contender("upper", temperature=interval(0.4, 0.5), end=1)
    lower = contender("lower", temperature=interval(0.2, 0.4), end=2)
    assert names(upper, lower) == ["lower", "upper"]


def test_skill_of_another_evaluation_does_not_compare() -> None:
    high = contender("high", temperature=interval(0.8, 0.9, "F"), end=1)
    newer = contender("newer", temperature=interval(0.1, 0.2, "E"), end=2)
    assert names(high, newer) == ["newer", "high"]


def test_a_model_must_be_better_in_every_wanted_variable() -> None:
    mixed = contender("mixed", temperature=interval(0.8, 0.9), humidity=interval(0.1, 0.2), end=1)
    newer = contender("newer", temperature=interval(0.1, 0.2), humidity=interval(0.1, 0.2), end=2)
    assert names(mixed, newer) == ["newer", "mixed"]


def test_without_skill_the_newest_data_decide_then_the_id() -> None:
    assert names(
        contender("b", temperature=None, end=1),
        contender("c", temperature=None, end=2),
        contender("a", temperature=None, end=1),
    ) == ["c", "a", "b"]


def test_layers_come_after_one_another_although_a_later_one_has_newer_data() -> None:
    best = contender("best", temperature=interval(0.7, 0.8), end=0)
    good = contender("good", temperature=interval(0.4, 0.5), end=2)
    poor = contender("poor", temperature=interval(0.1, 0.2), end=9)
    wide = contender("wide", temperature=interval(0.1, 0.75), end=1)
    assert names(poor, good, best, wide) == ["wide", "best", "good", "poor"]


def test_the_ranking_is_lazy() -> None:
    ranked = order(contender(str(n), temperature=None) for n in range(3))
    assert next(ranked).name == "0"


@given(contenders, st.randoms(use_true_random=False))
def test_the_ranking_never_depends_on_the_order_of_listing(
    drawn: list[Contender], random: object
) -> None:
    shuffled = list(drawn)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert names(*shuffled) == names(*drawn)


@given(contenders)
def test_the_ranking_names_each_contender_once(drawn: list[Contender]) -> None:
    assert sorted(names(*drawn)) == sorted(each.name for each in drawn)


@given(contenders)
def test_nobody_is_ranked_before_one_of_his_kind_who_dominates_him(
    drawn: list[Contender],
) -> None:
    ranked = list(order(drawn))
    for before, after in itertools.combinations(ranked, 2):
        if before.synthetic == after.synthetic:
            assert not after.dominates(before)


@given(contenders)
def test_domination_is_a_partial_order(drawn: list[Contender]) -> None:
    for a in drawn:
        assert not a.dominates(a)
    for a, b, c in itertools.permutations(drawn, 3):
        if a.dominates(b) and b.dominates(c):
            assert a.dominates(c)
