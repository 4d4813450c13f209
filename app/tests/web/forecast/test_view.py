"""From a forecast to what the page shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fairweather_app.api.schemas import Forecast
from fairweather_app.web.forecast.view import ForecastView, forecast_view

EVENING = datetime(2013, 12, 20, 0, tzinfo=UTC)  # Thursday 19 December, 19:00 in New York
Make = Callable[..., ForecastView]


@pytest.fixture
def make_view() -> Make:
    """The view of a week in New York; `variables` are the forecast's, by name."""

    def make(
        variables: dict[str, Any] | None = None,
        *,
        hours: int = 168,
        now: datetime = EVENING,
        place: tuple[float, float] | None = None,
        **receipt: object,
    ) -> ForecastView:
        times = [EVENING + timedelta(hours=hour) for hour in range(1, hours + 1)]
        series = variables or {"temperature": {"unit": "degC", "value": [2.0] * hours}}
        forecast = Forecast.model_validate(
            {
                "area": "JFK",
                "reference_time": EVENING,
                "timezone": "America/New_York",
                "forecast": {"time": times, **series},
                "receipt": {
                    "delivery_id": "d",
                    "digest": "sha256:0",
                    "model_type": "WinterPredictor",
                    "schema_version": "0.1",
                    "topic": "Winter",
                    "author": "A team",
                    "train_end_time": datetime(2013, 9, 30, 23, tzinfo=UTC),
                    "runtime": "onnxruntime 1",
                    "skill": {"temperature": 0.2},
                    "synthetic": False,
                    "refused": [],
                    "refused_counts": {},
                }
                | receipt,
            }
        )
        return forecast_view(forecast, now=now, place=place)

    return make


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_temperature_comes_first_whatever_the_model_declares_first(make_view: Make) -> None:
    view = make_view(
        {
            "humidity": {"unit": "%", "value": [50.0] * 168},
            "temperature": {"unit": "degC", "value": [2.0] * 168},
        }
    )
    assert [column.label for column in view.columns] == ["Temperature", "Humidity"]
    assert [column.unit for column in view.columns] == ["°C", "%"]


def test_a_row_per_day_tells_the_range_of_that_day_only(make_view: Make) -> None:
    values = [0.0] * 4 + [1.0 + hour for hour in range(24)] + [0.0] * 140
    row = make_view({"temperature": {"unit": "degC", "value": values}}).days[1]
    assert plain(row.name) == "Friday 20 December"
    assert (row.low, row.high, row.note) == ("1", "24", "")
    assert row.bar is not None
    assert row.bar.start + row.bar.width == pytest.approx(100)


def test_days_cut_by_the_ends_of_the_forecast_say_from_when_and_until_when(make_view: Make) -> None:
    rows = make_view().days
    assert rows[0].note == "from 20:00"
    assert rows[-1].note == "until 19:00"
    assert all(not row.note for row in rows[1:-1])


def test_a_last_day_of_a_few_hours_is_left_to_the_hourly_table(make_view: Make) -> None:
    view = make_view(hours=4 + 24 + 3)
    assert [plain(row.short_name) for row in view.days] == ["Thu 19", "Fri 20"]
    assert plain(view.hours[-1].name) == "Saturday 21 December"
    assert len(view.hours[-1].rows) == 3


def test_a_forecast_of_a_few_hours_still_has_its_one_day(make_view: Make) -> None:
    assert len(make_view(hours=2).days) == 1


def test_the_hourly_table_holds_every_value_once_in_local_time(make_view: Make) -> None:
    view = make_view()
    rows = [row for group in view.hours for row in group.rows]
    assert len(rows) == 168
    assert (rows[0].instant, rows[0].clock, rows[0].cells) == (
        "2013-12-20T01:00Z",
        "20:00",
        ("2.0",),
    )


def test_missing_values_are_shown_as_missing(make_view: Make) -> None:
    values = [None] * 28 + [2.0] * 140
    view = make_view({"temperature": {"unit": "degC", "value": values}})
    assert (view.days[0].low, view.days[0].bar) == ("\N{EN DASH}", None)
    assert view.hours[0].rows[0].cells == ("\N{EN DASH}",)


def test_a_constant_forecast_has_a_bar_that_can_be_seen(make_view: Make) -> None:
    bar = make_view().days[1].bar
    assert bar is not None
    assert bar.width >= 3


def test_a_band_is_in_table_and_chart_only_where_the_model_declares_one(make_view: Make) -> None:
    week = [2.0] * 168
    bounds = {"lower": [-1.0] * 168, "upper": [5.0] * 168, "interval": (0.1, 0.9)}
    banded = {"unit": "degC", "value": week, **bounds}
    view = make_view({"temperature": banded, "humidity": {"unit": "%", "value": week}})
    cells = [plain(cell) for cell in view.hours[0].rows[0].cells]
    assert cells == ["2.0 (\N{MINUS SIGN}1.0 to 5.0)", "2.0"]
    first, second = view.chart["series"]
    assert first["lower"] == [-1.0] * 168
    assert plain(first["inside"]) == "8 of 10 outcomes expected between"
    assert (second["lower"], second["inside"]) == (None, None)


def test_what_a_band_means_is_said_wherever_it_is_shown_and_nowhere_else(make_view: Make) -> None:
    bounds = {"lower": [-1.0] * 168, "upper": [5.0] * 168, "interval": (0.1, 0.9)}
    view = make_view({"temperature": {"unit": "degC", "value": [2.0] * 168, **bounds}})
    assert plain(view.band) == "8 of 10 outcomes are expected inside"
    assert "Around each line a band: 8 of 10 outcomes are expected inside." in plain(
        view.chart["description"]
    )
    assert make_view().band == ""
    assert "band" not in make_view().chart["description"]


def test_the_chart_needs_no_clock_and_no_zone_of_its_own(make_view: Make) -> None:
    chart = make_view().chart
    assert plain(chart["when"][0]) == "Thursday 19 December 2013, 20:00 EST"
    assert [plain(day["name"]) for day in chart["days"]][:2] == ["Thu 19", "Fri 20"]
    assert chart["midnights"][0] == datetime(2013, 12, 20, 5, tzinfo=UTC).timestamp() * 1000
    assert chart["start"] == EVENING.timestamp() * 1000
    json.dumps(chart, allow_nan=False)


def test_nights_are_drawn_where_the_place_is_known(make_view: Make) -> None:
    assert make_view().chart["nights"] == []
    assert len(make_view(place=(40.64, -73.78)).chart["nights"]) == 8


def test_whole_days_say_from_when_to_when_it_is_light(make_view: Make) -> None:
    hours = make_view(place=(40.64, -73.78)).hours
    assert hours[1].light == "light from 07:20 to 16:40"
    assert hours[0].light == ""  # it begins in the evening
    assert all(not group.light for group in make_view().hours)


def test_the_chart_says_now_only_when_it_is_shown(make_view: Make) -> None:
    now = EVENING + timedelta(hours=5)
    assert make_view(now=now).chart["now"] == now.timestamp() * 1000
    assert make_view(now=EVENING + timedelta(days=90)).chart["now"] is None


def test_the_chart_describes_itself_and_points_to_the_tables(make_view: Make) -> None:
    description = plain(make_view().chart["description"])
    assert description.startswith("Chart of the forecast for JFK. Tomorrow 2 °C.")
    assert description.endswith("in the tables below.")


def test_skill_is_said_for_each_variable_forecast_and_for_no_other(make_view: Make) -> None:
    view = make_view(skill={"temperature": 0.2, "wind_speed": 0.9})
    assert len(view.skills) == 1
    assert view.skills[0].startswith("Temperature: better than")


def test_the_receipt_counts_all_who_were_refused_not_only_those_listed(make_view: Make) -> None:
    view = make_view(refused_counts={"area-not-declared": 40, "out-of-season": 2})
    assert view.ranked.endswith("42 other deliveries were passed over.")


def test_a_forecast_without_variables_has_nothing_to_tabulate(make_view: Make) -> None:
    view = forecast_view(
        make_view().forecast.model_copy(
            update={"forecast": make_view().forecast.forecast.model_validate({"time": []})}
        ),
        now=EVENING,
    )
    assert (view.columns, view.days, view.hours, view.summary) == ((), (), (), "")
