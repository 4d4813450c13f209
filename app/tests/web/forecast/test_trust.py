"""How far each day of a forecast is to be trusted, and how old it says its inputs are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fairweather_interface.metadata.evidence import DayScore

from fairweather_app.web.forecast import sentences
from fairweather_app.web.forecast.trust import INFORMED, USUAL, mark
from pages import EVENING, Deliver, MakeApp, Observe, read

HOUR = timedelta(hours=1)
BOTH = ("temperature", "humidity")
NEW_YORK = ZoneInfo("America/New_York")


def scores(*skills: float) -> Sequence[DayScore]:
    return [
        DayScore(day=day, mae=2 * (1 - skill), baselines={"persistence": 3.0, "climatology": 2.0})
        for day, skill in enumerate(skills, 1)
    ]


def days_of(text: str) -> list[str]:
    """What each day of the table is marked as."""
    marks = f"{INFORMED}|{USUAL}"
    table = text.partition("Day by day")[2].partition("Every hour")[0]
    return re.findall(rf"(?:(?:temperature|humidity) )?(?:{marks})(?:, \w+ (?:{marks}))?", table)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(1, INFORMED), (24, INFORMED), (25, INFORMED), (48, INFORMED), (49, USUAL), (72, USUAL),
     (73, USUAL)],
)  # fmt: skip
def test_a_day_is_informed_where_its_skill_is_at_least_5_per_cent(
    hours: int, expected: str
) -> None:
    assert mark(scores(0.3, 0.05, 0.049), hours * HOUR) == expected


def test_the_better_baseline_of_the_day_decides() -> None:
    (day,) = scores(0.3)
    near = day.model_copy(update={"baselines": {"persistence": 1.42, "climatology": 2.0}})
    assert (mark([day], HOUR), mark([near], HOUR)) == (INFORMED, USUAL)
    perfect = day.model_copy(update={"baselines": {"persistence": 0.0, "climatology": 2.0}})
    assert mark([perfect], HOUR) == USUAL


def test_of_a_day_without_a_score_only_that_it_stays_usual_is_known() -> None:
    assert mark([], HOUR) == ""
    assert mark(scores(0.3), 25 * HOUR) == ""
    assert mark(scores(0.3, 0.0), 90 * HOUR) == USUAL


def temperature_only(document: dict[str, Any]) -> None:
    del document["outputs"][1], document["performance"][1]
    del document["tolerance"]["humidity_forecast"]


def test_each_day_of_the_table_is_marked(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("JFK",), samples=72, by_lead_day=(0.3, 0.1, 0.0))
    observe("JFK", [2.0] * 72, until=EVENING)  # 19:00: a local day is mostly one lead day
    text = read(make_app().test_client().get("/?area=JFK")).text
    assert days_of(text) == [INFORMED, INFORMED, INFORMED, USUAL]


def test_a_day_is_marked_by_variable_where_they_differ(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    def humidity_for_a_day(document: dict[str, Any]) -> None:
        document["performance"][1]["by_lead_day"][1]["mae"] = 2.0

    tiny_delivery(
        areas=("JFK",), samples=72, variables=BOTH, by_lead_day=(0.3, 0.1, 0.0),
        change=humidity_for_a_day,
    )  # fmt: skip
    for name in BOTH:
        observe("JFK", [2.0] * 72, variable=name, until=EVENING)
    text = read(make_app().test_client().get("/?area=JFK")).text
    both = f"temperature {INFORMED}, humidity {USUAL}"
    assert days_of(text) == [INFORMED, INFORMED, both, USUAL]


def test_without_scores_by_day_no_day_is_marked(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("JFK",), samples=72)
    observe("JFK", [2.0] * 72, until=EVENING)
    assert days_of(read(make_app().test_client().get("/?area=JFK")).text) == []


def test_a_forecast_from_old_observations_is_informed_for_as_many_hours_less(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    def from_humidity(document: dict[str, Any]) -> None:
        temperature_only(document)
        document["inputs"][0] |= {"variable": "humidity", "unit": "%"}
        document["inputs"][1] |= {"variable": "temperature", "unit": "degC"}

    tiny_delivery(
        areas=("JFK",), samples=72, variables=BOTH, max_missing=0.5,
        by_lead_day=(0.3, 0.0, 0.0), change=from_humidity,
    )  # fmt: skip
    observe("JFK", [2.0] * 72, variable="humidity", until=EVENING)
    observe("JFK", [2.0] * 48, until=EVENING)
    client = make_app().test_client()
    assert days_of(read(client.get("/?area=JFK")).text)[:3] == [INFORMED, INFORMED, USUAL]
    later = f"/?area=JFK&reference_time={EVENING + 24 * HOUR:%Y-%m-%dT%H:%MZ}"
    observe("JFK", [2.0] * 24, variable="humidity", until=EVENING + 24 * HOUR)
    page = read(client.get(later))
    assert days_of(page.text) == [USUAL] * 4
    assert "with the newest temperature 24 h before the start" in page.text


def test_the_table_of_days_holds_the_band_of_each_day(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(areas=("JFK",), samples=48, variables=BOTH, quantiles=(0.1, 0.9))
    observe("JFK", [float(hour % 4) for hour in range(48)], until=EVENING)
    observe("JFK", [60.0 + hour % 4 for hour in range(48)], variable="humidity", until=EVENING)
    text = read(make_app().test_client().get("/?area=JFK")).text
    week = text.partition("Day by day")[2].partition("Warmest")[0]
    minus, humidity = "\N{MINUS SIGN}", "56\N{EN DASH}67"
    assert "Low 80 % range Temperature, High Humidity 80 % range" in week
    assert week.count(f"{minus}4 to 7 ") == 2 * 3  # for narrow screens once more
    assert week.count(humidity) == 2 * 3
    assert f"80 % range: {minus}4 to 7 °C, humidity {humidity} %" in week


# ----------------------------------------------------------------------------------- the age


def test_the_page_says_beside_the_headline_how_old_the_inputs_are(
    tiny_delivery: Deliver, observe: Observe, make_app: MakeApp
) -> None:
    tiny_delivery(
        areas=("JFK",), samples=48, variables=BOTH, max_missing=0.5, change=temperature_only
    )
    observe("JFK", [2.0] * 48, until=EVENING)
    observe("JFK", [50.0] * 48, variable="humidity", until=EVENING - 2 * HOUR)
    client = make_app().test_client()
    for start in ("", "&reference_time=2013-12-19T19:00"):
        text = read(client.get(f"/?area=JFK{start}")).text
        opening = text.partition("Day by day")[0]
        assert (
            "Starts Thursday 19 December 2013, 19:00 EST, with the newest humidity 2 h before the "
            "start" in opening
        )
        assert "Based on observations up to" not in text
        assert (
            "Observations used Temperature up to Thursday 19 December 2013, 19:00 EST (at the "
            "start); humidity up to Thursday 19 December 2013, 17:00 EST (2 h before the start), "
            "4.17 % missing." in text
        )


@pytest.mark.parametrize(
    ("ages", "told"),
    [
        ({}, "Based on observations up to Thursday 19 December 2013, 19:00 EST."),
        ({"temperature": 0}, "Based on observations up to Thursday 19 December 2013, 19:00 EST."),
        ({"temperature": 90}, ", with the newest temperature 1 h 30 min before the start."),
        (
            {"temperature": 120, "humidity": 0, "wind_speed": 30},
            "2 h before the start and the newest wind speed 30 min before the start.",
        ),
        ({"temperature": 60, "humidity": None}, "1 h before the start and no humidity at all."),
    ],
)
def test_where_the_observations_end_is_one_sentence(ages: dict[str, int | None], told: str) -> None:
    spans = {
        name: None if minutes is None else timedelta(minutes=minutes)
        for name, minutes in ages.items()
    }
    text = sentences.based_on(EVENING, NEW_YORK, EVENING, ages=spans)
    assert text.replace("\N{NO-BREAK SPACE}", " ").endswith(told)


def test_an_old_forecast_says_both_ages() -> None:
    later: datetime = EVENING + timedelta(days=3)
    text = sentences.based_on(EVENING, NEW_YORK, later, ages={"temperature": 2 * HOUR})
    assert text.replace("\N{NO-BREAK SPACE}", " ").endswith(
        "with the newest temperature 2 h before the start, 3 days ago: a past forecast."
    )
