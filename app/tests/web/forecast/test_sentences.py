"""Sentences of the forecast page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_app.web.forecast import sentences
from fairweather_app.web.forecast.series import Series, Verification
from fairweather_app.web.layout import wording

NEW_YORK = ZoneInfo("America/New_York")
EVENING = datetime(2013, 12, 20, 0, tzinfo=UTC)  # Thursday 19 December, 19:00 in New York
REST = "do not cover JFK or could not be used."
WEEK = [EVENING + timedelta(hours=hour) for hour in range(1, 169)]


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def series(variable: str, values: Sequence[float | None], **more: Any) -> Series:
    unit = {"temperature": "°C", "humidity": "%"}.get(variable, "m/s")
    return Series(
        variable=variable, label=wording.label(variable), unit=unit, values=values, **more
    )


def headline(*values: Sequence[float | None], now: datetime = EVENING) -> str:
    shown = [series(*each) for each in zip(("temperature", "humidity"), values, strict=False)]
    return plain(sentences.headline(WEEK, shown, zone=NEW_YORK, now=now))


def friday_from_4_to_9() -> list[float | None]:
    """Outside Friday it is far colder and far warmer: no other day may leak in."""
    values: list[float | None] = [-20.0 if hour < 4 else 30.0 for hour in range(168)]
    for hour in range(24):
        values[4 + hour] = 4.2 + hour * 0.2
    return values


def test_the_headline_is_of_the_first_whole_local_day() -> None:
    assert headline(friday_from_4_to_9()) == "Tomorrow: low 4 °C, high 9 °C."


def test_a_forecast_of_the_past_has_no_tomorrow() -> None:
    years_later = EVENING + timedelta(days=4000)
    text = headline(friday_from_4_to_9(), now=years_later)
    assert text == "Friday 20 December: low 4 °C, high 9 °C."


def test_a_day_that_is_over_is_not_the_headline() -> None:
    values: list[float | None] = [float(hour // 24) for hour in range(-4, 164)]  # a degree a day
    text = {hours: headline(values, now=EVENING + timedelta(hours=hours)) for hours in (0, 6, 30)}
    assert text == {0: "Tomorrow: 0 °C.", 6: "Today: 0 °C.", 30: "Today: 1 °C."}


def test_every_quantity_but_the_main_one_is_named() -> None:
    assert headline([3.0] * 168, [60.0] * 84 + [70.0] * 84) == "Tomorrow: 3 °C, humidity 60 %."


def test_a_day_without_values_has_none() -> None:
    assert headline([None] * 168) == "Friday 20 December has no values."


def test_a_variable_without_values_is_left_out_of_the_headline() -> None:
    assert headline([3.0] * 168, [None] * 168) == "Tomorrow: 3 °C."


def test_the_headline_of_a_short_forecast_is_of_its_fullest_day() -> None:
    times = WEEK[:6]  # four hours of Thursday, two of Friday
    shown = [series("temperature", [1.0, 1.0, 1.0, 1.0, 8.0, 8.0])]
    text = sentences.headline(times, shown, zone=NEW_YORK, now=EVENING)
    assert plain(text) == "Today: 1 °C."


def test_an_empty_forecast_is_called_so() -> None:
    text = sentences.headline([], [], zone=NEW_YORK, now=EVENING)
    assert text == "The forecast is empty."


def test_the_extremes_are_named_with_their_time() -> None:
    values: list[float | None] = [5.0] * 168
    values[45], values[10] = 16.6, -3.4
    text = sentences.extremes(WEEK, series("temperature", values), zone=NEW_YORK)
    assert plain(text) == (
        "Warmest: Saturday 21 December, 17:00, 17 °C. "
        "Coldest: Friday 20 December, 06:00, \N{MINUS SIGN}3 °C."
    )


def test_the_extremes_of_another_variable_are_highest_and_lowest() -> None:
    text = sentences.extremes(WEEK[:2], series("humidity", [40.0, 50.0]), zone=NEW_YORK)
    assert re.fullmatch("Highest: .*, 50 %. Lowest: .*, 40 %.", plain(text))


def test_without_values_there_are_no_extremes() -> None:
    assert sentences.extremes(WEEK[:2], series("humidity", [None, None]), zone=NEW_YORK) == ""


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
    assert plain(wording.span(3.6, 4.4, "°C")) == "4 °C"


def test_a_known_unit_is_shown_by_its_symbol_and_a_strange_one_as_it_is() -> None:
    assert wording.symbol("temperature", "degC") == "°C"
    assert wording.symbol("temperature", "K") == "K"
    assert wording.symbol("pollen", "m-3") == "m-3"


def test_an_unknown_variable_is_called_by_its_own_name() -> None:
    assert wording.label("grass_pollen") == "Grass pollen"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.254, "25 % more accurate than the best simple guess (same as yesterday, or usual"),
        (0.0, "no more accurate than the best simple guess"),
        (-0.3, "no more accurate than the best simple guess"),
        (None, "accuracy unknown for this area."),
    ],
)
def test_skill_is_given_in_plain_words(value: float | None, text: str) -> None:
    assert plain(sentences.skill("temperature", value)).startswith(f"Temperature: {text}")


@pytest.mark.parametrize(
    ("intervals", "name"),
    [
        ({}, ""),
        ({"temperature": None}, ""),
        ({"temperature": (0.1, 0.9)}, "80 % range"),
        ({"temperature": (0.001, 0.999)}, "99.8 % range"),
        ({"temperature": (0.1, 0.9), "humidity": (0.1, 0.9)}, "80 % range"),
        (
            {"temperature": (0.1, 0.9), "humidity": (0.05, 0.95)},
            "80 % range for temperature, 90 % range for humidity",
        ),
        ({"temperature": None, "wind_speed": (0.1, 0.9)}, "80 % range for wind speed"),
    ],
)
def test_a_band_is_named_by_its_probability_and_its_variable(
    intervals: dict[str, tuple[float, float] | None], name: str
) -> None:
    shown = [series(variable, [], interval=each) for variable, each in intervals.items()]
    assert plain(sentences.bands(shown)) == name


@pytest.mark.parametrize(
    ("days", "text"),
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
def test_age_is_in_the_largest_whole_unit(days: float, text: str) -> None:
    assert sentences.age(EVENING, EVENING + timedelta(days=days)) == text


def test_a_fresh_forecast_carries_no_warning() -> None:
    text = plain(sentences.based_on(EVENING, NEW_YORK, EVENING + timedelta(hours=3)))
    assert text == "Based on observations up to Thursday 19 December 2013, 19:00 EST."


def test_a_past_forecast_is_called_so_with_its_age() -> None:
    text = sentences.based_on(EVENING, NEW_YORK, EVENING + timedelta(days=800))
    assert text.endswith(", 2 years ago: a past forecast.")


@pytest.mark.parametrize(
    ("refused", "better", "text"),
    [
        (0, 0, ", and is the best-ranked that does."),
        (1, 0, "that does. 1 other model does not cover JFK or could not be used."),
        (1, 1, "that does. One better-ranked model could not be used."),
        (4, 2, f"2 better-ranked models could not be used. 2 other models {REST}"),
        (4, None, f"conditions. 4 other models {REST}"),
    ],
)
def test_the_choice_is_explained_by_rank_and_those_not_used(
    refused: int, better: int | None, text: str
) -> None:
    found = sentences.ranked("JFK", refused, better=better, pinned=False)
    assert found.startswith("It covers this area, season and conditions")
    assert found.endswith(text)


def test_a_pinned_choice_is_the_operators_and_claims_no_rank() -> None:
    text = sentences.ranked("JFK", 1, better=0, pinned=True)
    assert text.startswith("The operator chose it for JFK. It covers this area")
    assert text.endswith("1 other model does not cover JFK or was set aside.")
    assert "rank" not in text


def test_fresh_observations_announce_nothing() -> None:
    now = EVENING + timedelta(hours=3)
    assert sentences.stale("JFK", EVENING, NEW_YORK, now, WEEK[-1]) == ""
    assert sentences.stale("JFK", None, NEW_YORK, now, WEEK[-1]) == ""


def test_old_observations_announce_themselves() -> None:
    now = EVENING + timedelta(hours=5)
    text = plain(sentences.stale("JFK", EVENING, NEW_YORK, now, WEEK[-1]))
    assert text == (
        "The newest observation for JFK is from Thursday 19 December 2013, 19:00 EST, 5 hours ago. "
        "What happened since then is not included."
    )


def test_a_variable_that_is_old_is_named_where_others_are_fresh() -> None:
    now = EVENING + timedelta(hours=50)
    text = sentences.stale("JFK", EVENING, NEW_YORK, now, WEEK[-1], variable="temperature")
    assert "The newest temperature observation for JFK is from Thursday" in plain(text)
    assert text.endswith("2 days ago. Temperature since then is not included.")
    never = sentences.stale("JFK", None, NEW_YORK, now, WEEK[-1], variable="humidity")
    assert never == "Humidity was never observed at JFK and is not included."


def test_with_observations_of_another_year_a_forecast_is_out_of_date() -> None:
    text = sentences.stale("JFK", EVENING, NEW_YORK, EVENING + timedelta(days=800), WEEK[-1])
    assert text.endswith("2 years ago. This forecast is out of date.")


def test_a_start_that_was_announced_is_not_warned_of_twice() -> None:
    later = EVENING + timedelta(days=800)
    assert "ago" not in sentences.based_on(EVENING, NEW_YORK, later, announced=True)


def test_a_forecast_is_verified_by_its_error_and_the_share_inside_the_range() -> None:
    shown = series("temperature", [], interval=(0.1, 0.9))
    found = Verification(series=shown, count=168, error=2.94, first_day=1.06, inside=0.8095)
    assert plain(sentences.verified(found)) == (
        "Temperature: wrong by 2.9 °C on average over 168 values (1.1 °C on day 1). "
        "81 % of values were inside the range; 80 % were expected."
    )


def test_an_error_of_a_percentage_is_in_percentage_points() -> None:
    shown = series("humidity", [])
    found = Verification(series=shown, count=1, error=4.0, first_day=None, inside=None)
    assert plain(sentences.verified(found)) == (
        "Humidity: wrong by 4.0 percentage points on average over 1 value."
    )


@pytest.mark.parametrize(
    ("trained", "kept_out", "text"),
    [
        (0, 0, ""),
        (8, 0, "These observations were in the model's training data"),
        (3, 5, "Part of these observations was in the model's training data"),
        (0, 8, "These observations were not in the model's training data: it was held out"),
        (0, 1, "These observations were not in the model's training data."),
    ],
)
def test_a_verification_tells_whether_the_weather_was_training_data(
    trained: int, kept_out: int, text: str
) -> None:
    note = sentences.training_note(trained, kept_out, 8)
    assert note.startswith(text)
    assert bool(note) == bool(text)


def test_lists_read_like_lists() -> None:
    assert wording.listed([]) == ""
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b"]) == "a and b"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"


def test_a_reason_becomes_a_sentence() -> None:
    assert wording.sentence("it declares EWR") == "It declares EWR."
    assert wording.sentence("Done.") == "Done."
    assert wording.sentence("") == "."
    assert wording.sentence("model.onnx is not there") == "model.onnx is not there."
    assert wording.sentence("area_index has another shape") == "area_index has another shape."
    assert wording.sentence("out-of-season, this is") == "Out-of-season, this is."
