"""From a forecast to what the page shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fairweather_interface.variables import VARIABLES, Variable

from fairweather_app.api.schemas import Forecast
from fairweather_app.web.forecast.view import forecast_view

EVENING = datetime(2013, 12, 20, 0, tzinfo=UTC)  # Thursday 19 December, 19:00 in New York
Make = Callable[..., SimpleNamespace]


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
    ) -> SimpleNamespace:
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
                    "signed_by": None,
                    "refused": [],
                    "inputs": {},
                    "refused_counts": {},
                }
                | receipt,
            }
        )
        return SimpleNamespace(**forecast_view(forecast, now=now, place=place))

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
    assert [each.label for each in view.series] == ["Temperature", "Humidity"]
    assert [each.unit for each in view.series] == ["°C", "%"]


def test_a_row_per_day_tells_the_range_of_that_day_only(make_view: Make) -> None:
    values = [0.0] * 4 + [1.0 + hour for hour in range(24)] + [0.0] * 140
    row = make_view({"temperature": {"unit": "degC", "value": values}}).days[1]
    assert plain(row["name"]) == "Friday 20 December"
    assert (row["low"], row["high"], row["note"]) == ("1", "24", "")
    assert row["bar"] is not None
    assert sum(row["bar"]) == pytest.approx(100)


def test_days_cut_by_the_ends_of_the_forecast_say_from_when_and_until_when(make_view: Make) -> None:
    rows = make_view().days
    assert rows[0]["note"] == "from 20:00"
    assert rows[-1]["note"] == "until 19:00"
    assert all(not row["note"] for row in rows[1:-1])


def test_a_last_day_of_a_few_hours_is_left_to_the_hourly_table(make_view: Make) -> None:
    view = make_view(hours=4 + 24 + 3)
    assert [plain(row["short_name"]) for row in view.days] == ["Thu 19", "Fri 20"]
    assert plain(view.hours[-1]["name"]) == "Saturday 21 December"
    assert len(view.hours[-1]["rows"]) == 3


def test_a_forecast_of_a_few_hours_still_has_its_one_day(make_view: Make) -> None:
    assert len(make_view(hours=2).days) == 1


def test_the_hourly_table_holds_every_value_once_in_local_time(make_view: Make) -> None:
    view = make_view()
    rows = [row for group in view.hours for row in group["rows"]]
    assert len(rows) == 168
    assert (rows[0]["instant"], rows[0]["clock"], rows[0]["cells"]) == (
        "2013-12-20T01:00Z",
        "20:00",
        ["2.0"],
    )


def test_missing_values_are_shown_as_missing(make_view: Make) -> None:
    values = [None] * 28 + [2.0] * 140
    view = make_view({"temperature": {"unit": "degC", "value": values}})
    assert (view.days[0]["low"], view.days[0]["bar"]) == ("\N{EN DASH}", None)
    assert view.hours[0]["rows"][0]["cells"] == ["\N{EN DASH}"]


def test_a_constant_forecast_has_a_bar_that_can_be_seen(make_view: Make) -> None:
    bar = make_view().days[1]["bar"]
    assert bar is not None
    assert bar[1] >= 3


def test_a_band_is_in_table_and_chart_only_where_the_model_declares_one(make_view: Make) -> None:
    week = [2.0] * 168
    bounds = {"lower": [-1.0] * 168, "upper": [5.0] * 168, "interval": (0.1, 0.9)}
    banded = {"unit": "degC", "value": week, **bounds}
    view = make_view({"temperature": banded, "humidity": {"unit": "%", "value": week}})
    cells = [plain(cell) for cell in view.hours[0]["rows"][0]["cells"]]
    assert cells == ["2.0 (\N{MINUS SIGN}1.0 to 5.0)", "2.0"]
    first, second = view.chart["series"]
    assert first["lower"] == [-1.0] * 168
    assert plain(first["band"]) == "80 % range"
    assert (second["lower"], second["band"]) == (None, None)


def test_a_band_is_named_wherever_it_is_shown_and_nowhere_else(make_view: Make) -> None:
    bounds = {"lower": [-1.0] * 168, "upper": [5.0] * 168, "interval": (0.1, 0.9)}
    view = make_view({"temperature": {"unit": "degC", "value": [2.0] * 168, **bounds}})
    assert plain(view.bands) == "80 % range"
    assert "Shaded: 80 % range." in plain(view.chart["description"])
    assert make_view().bands == ""
    assert "range" not in make_view().chart["description"]


def test_the_band_of_the_first_day_is_a_sentence(make_view: Make) -> None:
    bounds = {"lower": [-1.0] * 168, "upper": [5.0] * 168}
    banded = {"unit": "degC", "value": [2.0] * 168, **bounds}
    view = make_view({"temperature": banded | {"interval": (0.1, 0.9)}})
    assert plain(view.band_on_day) == (
        "At any hour on Friday 20 December, the temperature should be between \N{MINUS SIGN}1 and "
        "5 °C (8 times in 10)."
    )
    view = make_view({"temperature": banded | {"interval": (0.025, 0.975)}})
    assert plain(view.band_on_day).endswith("5 °C (with 95 % certainty).")
    assert make_view().band_on_day == ""


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


def test_whole_days_have_sunrise_and_sunset(make_view: Make) -> None:
    hours = make_view(place=(40.64, -73.78)).hours
    assert hours[1]["sun"] == "sunrise 07:20, sunset 16:40"
    assert hours[0]["sun"] == ""  # it begins in the evening
    assert all(not group["sun"] for group in make_view().hours)


def test_the_chart_says_now_only_when_it_is_shown(make_view: Make) -> None:
    now = EVENING + timedelta(hours=5)
    assert make_view(now=now).chart["now"] == now.timestamp() * 1000
    assert make_view(now=EVENING + timedelta(days=90)).chart["now"] is None


def test_the_chart_describes_itself_and_points_to_the_tables(make_view: Make) -> None:
    description = plain(make_view().chart["description"])
    assert description.startswith("Chart of the forecast for JFK. Tomorrow: 2 °C.")
    assert description.endswith("The tables below hold the same numbers.")


def test_skill_is_given_for_each_variable_forecast_and_for_no_other(make_view: Make) -> None:
    view = make_view(skill={"temperature": 0.2, "wind_speed": 0.9})
    assert len(view.skills) == 1
    assert plain(view.skills[0]).startswith("Temperature: 20 % more accurate")


def test_the_receipt_counts_all_who_were_refused_not_only_those_listed(make_view: Make) -> None:
    view = make_view(refused_counts={"area-not-declared": 40, "out-of-season": 2})
    assert view.ranked.endswith("42 other models do not cover JFK or could not be used.")


def test_a_forecast_without_variables_has_nothing_to_tabulate(make_view: Make) -> None:
    forecast = make_view().forecast
    empty = forecast.forecast.model_validate({"time": []})
    view = forecast_view(forecast.model_copy(update={"forecast": empty}), now=EVENING)
    assert (view["series"], view["days"], view["hours"], view["extremes"]) == ((), [], [], "")


def test_a_new_variable_of_the_contract_needs_no_code_here(
    make_view: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    rain: dict[str, Any] = {"unit": "mm", "symbol": "mm", "label": "Precipitation", "digits": 1}
    known = replace(VARIABLES["pressure"], name="precipitation", **rain)
    monkeypatch.setitem(cast("dict[str, Variable]", VARIABLES), "precipitation", known)
    view = make_view({"precipitation": {"unit": "mm", "value": [0.25] * 84 + [1.5] * 84}})
    assert plain(view.headline) == "Tomorrow: precipitation 0.2 mm."
    assert plain(view.extremes).startswith("Highest: Monday 23 December, 08:00, 1.5 mm. Lowest:")
    assert view.hours[0]["rows"][0]["cells"] == ["0.25"]
