"""Sentences about numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.web.forecast import sentences
from fairweather_app.web.forecast.observed import Check
from fairweather_app.web.layout import wording

NEW_YORK = ZoneInfo("America/New_York")
EVENING = datetime(2013, 12, 20, 0, tzinfo=UTC)  # Thursday 19 December, 19:00 in New York
WEEK = [EVENING + timedelta(hours=hour) for hour in range(1, 169)]


def spoken(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def headline(values: list[float | None], *, now: datetime = EVENING) -> str:
    series = {"temperature": ("degC", values)}
    return spoken(
        sentences.headline(WEEK, series, zone=NEW_YORK, now=now),
    )


def friday_from_4_to_9() -> list[float | None]:
    """Outside Friday it is far colder and far warmer: no other day may leak in."""
    values: list[float | None] = [-20.0 if hour < 4 else 30.0 for hour in range(168)]
    for hour in range(24):
        values[4 + hour] = 4.2 + hour * 0.2
    return values


def test_the_headline_speaks_of_the_first_whole_local_day() -> None:
    assert headline(friday_from_4_to_9()) == "Tomorrow 4 to 9 °C, likely around 6."


def test_a_forecast_of_the_past_has_no_tomorrow() -> None:
    years_later = EVENING + timedelta(days=4000)
    said = headline(friday_from_4_to_9(), now=years_later)
    assert said == "Friday 20 December: 4 to 9 °C, likely around 6."


def test_a_day_that_is_over_is_not_the_first_thing_to_say() -> None:
    values: list[float | None] = [float(hour // 24) for hour in range(-4, 164)]  # a degree a day
    said = {hours: headline(values, now=EVENING + timedelta(hours=hours)) for hours in (0, 6, 30)}
    assert said == {0: "Tomorrow 0 °C.", 6: "Today 0 °C.", 30: "Today 1 °C."}


def test_what_is_likely_is_the_middle_of_the_day_and_not_of_its_ends() -> None:
    values: list[float | None] = [0.0] * 168
    for hour in range(24):
        values[4 + hour] = 9.0 if hour < 20 else 1.0
    assert headline(values) == "Tomorrow 1 to 9 °C, likely around 9."


def test_a_narrow_day_needs_no_middle() -> None:
    assert headline([4.0 + hour % 2 for hour in range(168)]) == "Tomorrow 4 to 5 °C."


def test_every_quantity_but_temperature_is_named() -> None:
    humid = [60.0] * 168
    series = {"humidity": ("%", humid), "temperature": ("degC", [3.0] * 168)}
    text = sentences.headline(WEEK, series, zone=NEW_YORK, now=EVENING)
    assert spoken(text) == "Tomorrow: humidity 60 %, 3 °C."


def test_a_day_without_values_is_said_to_have_none() -> None:
    assert headline([None] * 168) == "Friday 20 December has no values."


def test_a_variable_without_values_is_left_out_of_the_headline() -> None:
    nothing: list[float | None] = [None] * 168
    three: list[float | None] = [3.0] * 168
    series = {"temperature": ("degC", three), "humidity": ("%", nothing)}
    text = sentences.headline(WEEK, series, zone=NEW_YORK, now=EVENING)
    assert spoken(text) == "Tomorrow 3 °C."


def test_a_short_forecast_speaks_of_its_fullest_day() -> None:
    times = WEEK[:6]  # four hours of Thursday, two of Friday
    series = {"temperature": ("degC", [1.0, 1.0, 1.0, 1.0, 8.0, 8.0])}
    text = sentences.headline(times, series, zone=NEW_YORK, now=EVENING)
    assert spoken(text) == "Today 1 °C."


def test_an_empty_forecast_says_so() -> None:
    text = sentences.headline([], {}, zone=NEW_YORK, now=EVENING)
    assert text == "The forecast is empty."


def test_the_summary_names_the_extremes_and_when_they_come() -> None:
    values: list[float | None] = [5.0] * 168
    values[45], values[10] = 16.6, -3.4
    text = sentences.extremes(WEEK, "temperature", "degC", values, zone=NEW_YORK)
    assert spoken(text) == (
        "In the whole forecast warmest on Saturday 21 December around 17:00, 17 °C, and "
        "coldest on Friday 20 December around 06:00, \N{MINUS SIGN}3 °C."
    )


def test_the_summary_of_another_variable_is_highest_and_lowest() -> None:
    text = sentences.extremes(WEEK[:2], "humidity", "%", [40.0, 50.0], zone=NEW_YORK)
    assert "highest on" in text
    assert "lowest on" in text


def test_without_values_there_is_no_summary() -> None:
    assert sentences.extremes(WEEK[:2], "humidity", "%", [None, None], zone=NEW_YORK) == ""


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (4.4, 0, "4"),
        (-3.2, 0, "\N{MINUS SIGN}3"),
        (-0.4, 0, "0"),
        (-0.04, 1, "0.0"),
        (12.34, 1, "12.3"),
        (None, 1, "\N{EN DASH}"),
    ],
)
def test_numbers_are_written_for_people(value: float | None, digits: int, text: str) -> None:
    assert wording.number(value, digits) == text


@given(st.floats(-1e6, 1e6), st.integers(0, 2))
def test_a_number_never_carries_a_hyphen_or_a_negative_zero(value: float, digits: int) -> None:
    text = wording.number(value, digits)
    assert "-" not in text
    assert float(text.replace("\N{MINUS SIGN}", "-")) == round(value, digits)
    assert not (text.startswith("\N{MINUS SIGN}") and float(text[1:]) == 0)


def test_a_span_of_one_rounded_number_is_that_number() -> None:
    assert spoken(wording.span(3.6, 4.4, "°C")) == "4 °C"


def test_a_known_unit_is_shown_by_its_symbol_and_a_strange_one_as_it_is() -> None:
    assert wording.symbol("temperature", "degC") == "°C"
    assert wording.symbol("temperature", "K") == "K"
    assert wording.symbol("pollen", "m-3") == "m-3"


def test_a_variable_nobody_knows_is_called_by_its_own_name() -> None:
    assert wording.label("grass_pollen") == "Grass pollen"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.41, "much better than"),
        (0.2, "Temperature: better than"),
        (0.04, "slightly better than"),
        (0.0, "no better than"),
        (-0.3, "no better than"),
        (None, "no skill is stated"),
    ],
)
def test_skill_is_said_in_plain_words(value: float | None, said: str) -> None:
    assert said in sentences.skill("temperature", value)


def test_skill_says_how_much_smaller_the_error_was() -> None:
    assert "25 % smaller" in spoken(sentences.skill("temperature", 0.25))


@pytest.mark.parametrize(
    ("intervals", "said"),
    [
        ({}, ""),
        ({"temperature": None}, ""),
        ({"temperature": (0.1, 0.9)}, "8 of 10 outcomes are expected inside"),
        ({"temperature": (0.05, 0.9)}, "17 of 20 outcomes are expected inside"),
        ({"temperature": (0.025, 0.975)}, "19 of 20 outcomes are expected inside"),
        ({"temperature": (0.01, 0.98)}, "97 of 100 outcomes are expected inside"),
        ({"temperature": (0.001, 0.999)}, "99.8 % of outcomes are expected inside"),
        (
            {"temperature": (0.1, 0.9), "humidity": (0.1, 0.9)},
            "8 of 10 outcomes are expected inside",
        ),
        (
            {"temperature": (0.1, 0.9), "humidity": (0.05, 0.95)},
            (
                "for temperature 8 of 10 outcomes are expected inside; "
                "for humidity 9 of 10 outcomes are expected inside"
            ),
        ),
        (
            {"temperature": None, "wind_speed": (0.1, 0.9)},
            "for wind speed 8 of 10 outcomes are expected inside",
        ),
    ],
)
def test_a_band_is_said_by_how_much_is_expected_inside_and_of_what(
    intervals: dict[str, tuple[float, float] | None], said: str
) -> None:
    assert spoken(sentences.band(intervals)) == said


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0, "just now"),
        (1 / 24, "1 hour ago"),
        (23 / 24, "23 hours ago"),
        (1, "1 day ago"),
        (29, "29 days ago"),
        (65, "2 months ago"),
        (800, "2 years ago"),
    ],
)
def test_age_is_said_in_the_largest_whole_unit(days: float, said: str) -> None:
    assert sentences.age(EVENING, EVENING + timedelta(days=days)) == said


def test_the_start_of_a_fresh_forecast_carries_no_warning() -> None:
    text = spoken(sentences.started(EVENING, NEW_YORK, EVENING + timedelta(hours=3)))
    assert text == "Starts Thursday 19 December 2013, 19:00 EST"


def test_the_start_of_a_past_forecast_says_how_old_it_is() -> None:
    text = sentences.started(EVENING, NEW_YORK, EVENING + timedelta(days=800))
    assert text.endswith(", 2 years ago: a forecast of the past, not of today")


@pytest.mark.parametrize(
    ("refused", "before", "said"),
    [
        (0, 0, "weather, and ranks first."),
        (1, 0, "weather, and ranks first. 1 other delivery was passed over."),
        (1, 1, "weather, and is the best that does: 1 comes before it and refused."),
        (4, 2, "2 come before it and refused. In all, 4 other deliveries were passed over."),
        (4, None, "for this weather. 4 other deliveries were passed over."),
    ],
)
def test_the_choice_says_how_it_ranks_and_counts_those_passed_over(
    refused: int, before: int | None, said: str
) -> None:
    text = sentences.ranked("JFK", refused, before=before, pinned=False)
    assert text.startswith("It declares this area and holds")
    assert text.endswith(said)


def test_a_pinned_choice_is_the_operators_and_claims_no_rank() -> None:
    text = sentences.ranked("JFK", 1, before=0, pinned=True)
    assert text.startswith("The operator pinned JFK to it, and it declares this area")
    assert "rank" not in text


def test_fresh_observations_announce_nothing() -> None:
    now = EVENING + timedelta(hours=3)
    assert sentences.stale("JFK", EVENING, NEW_YORK, now, WEEK[-1]) == ""
    assert sentences.stale("JFK", None, NEW_YORK, now, WEEK[-1]) == ""


def test_old_observations_announce_themselves() -> None:
    now = EVENING + timedelta(hours=5)
    text = spoken(sentences.stale("JFK", EVENING, NEW_YORK, now, WEEK[-1]))
    assert text == (
        "The newest observation of JFK is from Thursday 19 December 2013, 19:00 EST, 5 hours ago. "
        "This forecast does not know the weather since."
    )


def test_a_variable_that_is_old_is_named_where_others_are_fresh() -> None:
    now = EVENING + timedelta(hours=50)
    text = sentences.stale("JFK", EVENING, NEW_YORK, now, WEEK[-1], variable="temperature")
    assert "The newest temperature of JFK is from Thursday" in spoken(text)
    assert text.endswith("2 days ago. This forecast does not know the temperature since.")
    never = sentences.stale("JFK", None, NEW_YORK, now, WEEK[-1], variable="humidity")
    assert never == "No humidity of JFK was ever observed, so this forecast does not know it."


def test_observations_of_another_year_make_a_forecast_of_the_past() -> None:
    text = sentences.stale("JFK", EVENING, NEW_YORK, EVENING + timedelta(days=800), WEEK[-1])
    assert "2 years ago. What follows is a forecast of the past, not of today." in text


def test_a_start_that_was_announced_is_not_warned_of_twice() -> None:
    later = EVENING + timedelta(days=800)
    assert "ago" not in sentences.started(EVENING, NEW_YORK, later, announced=True)


def test_what_came_is_told_with_the_error_and_the_share_inside_the_band() -> None:
    found = Check(
        variable="temperature", unit="°C", count=168, error=2.94, first_day=1.06, inside=0.8095
    )
    assert spoken(sentences.checked(found)) == (
        "Temperature: off by 2.9 °C on average over 168 values, by 1.1 °C on the first day; "
        "81 % came out inside the band."
    )


def test_what_came_without_a_band_says_nothing_of_one() -> None:
    found = Check(variable="humidity", unit="%", count=1, error=4.0, first_day=None, inside=None)
    assert spoken(sentences.checked(found)) == "Humidity: off by 4.0 % on average over 1 value."


@pytest.mark.parametrize(
    ("shown", "judged", "said"),
    [
        (0, 0, ""),
        (8, 0, "This model learned from the very weather shown here"),
        (3, 5, "This model learned from some of the very weather shown here"),
        (0, 8, "This model did not learn from the weather shown here: it was held out"),
        (0, 1, "This model did not learn from the weather shown here."),
    ],
)
def test_a_check_says_whether_the_model_had_learned_from_that_weather(
    shown: int, judged: int, said: str
) -> None:
    text = sentences.learned_from(shown, judged, 8)
    assert text.startswith(said)
    assert bool(text) == bool(said)


def test_lists_read_like_lists() -> None:
    assert wording.listed([]) == ""
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b"]) == "a and b"
    assert wording.listed(["a", "b", "c"], "or") == "a, b or c"


def test_a_reason_becomes_a_sentence() -> None:
    assert wording.sentence("it declares EWR") == "It declares EWR."
    assert wording.sentence("Done.") == "Done."
    assert wording.sentence("") == "."
    assert wording.sentence("model.onnx is not there") == "model.onnx is not there."
    assert wording.sentence("area_index has another shape") == "area_index has another shape."
    assert wording.sentence("out-of-season, it says") == "Out-of-season, it says."
