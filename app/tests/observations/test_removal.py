"""Observations that should not be there: of the future, of a broken sensor, of an old spelling."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from fairweather_app import create_app
from fairweather_app.common.times import to_microseconds
from fairweather_app.forecasting.context import AppContext
from fairweather_app.observations import Archive, ObservationStore

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Observe = Callable[..., None]

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVER = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
FAR = datetime(2103, 12, 20, tzinfo=UTC)


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["observations", *arguments])


def remove(app: Flask, *arguments: str) -> Result:
    return run(app, "remove", "--reason", "in the sun", "--author", "Ada", *arguments)


def hours_of(store: ObservationStore, area: str, variable: str = "temperature") -> list[int]:
    """The observations of a series, in hours before noon."""
    times, _ = store.series(area, variable, *EVER)
    return [(to_microseconds(NOON) - int(time)) // 3_600_000_000 for time in times[::-1]]


def decisions(store: ObservationStore) -> list[dict[str, Any]]:
    with store.database.transaction() as connection:
        rows = connection.execute(sa.text("SELECT * FROM decisions ORDER BY id")).mappings()
        return [
            {name: row[name] for name in ("action", "subject", "author", "reason")} for row in rows
        ]


# ------------------------------------------------------------------ of the future


def test_a_file_of_the_future_is_dropped_told_and_a_negative_answer(
    app: Flask, tmp_path: Path, observations: ObservationStore
) -> None:
    path = tmp_path / "future.csv"
    path.write_text("area,time,variable,unit,value\nJFK,2103-12-20T00:00Z,temperature,degC,5\n")
    result = run(app, "import", str(path))
    assert result.exit_code == 1
    assert f"{path}: 0 observations; 1 of the future were dropped" in result.stdout
    assert result.stderr == f"Error: all values of {path} are of the future\n"
    assert observations.areas() == ()
    path.write_text(path.read_text() + "JFK,2013-06-20T12:00Z,temperature,degC,5\n")
    result = run(app, "import", str(path), "--json")
    (found,) = json.loads(result.stdout)
    assert (result.exit_code, found["observations"], found["future"]) == (0, 1, 1)


def test_observations_of_the_future_that_are_there_start_no_forecast_and_are_told(
    make_app: MakeApp,
    tiny_delivery: Build,
    observe: Observe,
    day: list[float],
    observations: ObservationStore,
) -> None:
    tiny_delivery(areas=("JFK",))
    observe("JFK", day)
    observe("JFK", [5.0, 6.0], until=FAR)
    observe("EWR", [5.0], until=FAR)
    app = make_app()
    answer = app.test_client().get("/weather/predict?area=JFK").get_json()
    assert answer["reference_time"] == "2013-06-20T12:00:00Z"
    assert observations.latest("JFK") == observations.latest() == NOON
    result = run(app, "status", "--json")
    ewr, jfk = json.loads(result.stdout)
    assert (jfk["latest"], jfk["future"], jfk["quality"]) == ("2013-06-20T12:00Z", 2, ["future"])
    assert (jfk["observations"], jfk["missing"], jfk["longest_gap"]) == (24, 0, None)
    assert (ewr["latest"], ewr["future"], ewr["quality"]) == (None, 1, ["future"])
    table = run(app, "status").stdout
    assert [line.split()[-1] for line in table.splitlines()[1:]] == ["future", "future"]
    assert remove(app, "--since", "2100-01-01T00:00Z").exit_code == 0
    assert run(app, "status").stdout.split()[-1] == "good"


# ------------------------------------------------------------------ the command


@pytest.fixture
def three(observe: Observe) -> None:
    for area in ("JFK", "EWR"):
        observe(area, [1.0, 2.0, 3.0])
    observe("JFK", [10.0, 20.0, 30.0], variable="humidity")


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("options", "left", "subject"),
    [
        (["--area", "JFK"], ([], [0, 1, 2], []), "6 observations: area JFK"),
        (["--area", " JFK "], ([], [0, 1, 2], []), "6 observations: area JFK"),
        (["--variable", "temperature"], ([], [], [0, 1, 2]),
         "6 observations: variable temperature"),
        (["--since", "2013-06-20T11:00Z"], ([2], [2], [2]),
         "6 observations: since 2013-06-20T11:00Z"),
        (["--until", "2013-06-20T11:00Z", "--area", "JFK", "--variable", "humidity"],
         ([0, 1, 2], [0, 1, 2], [0]),
         "2 observations: area JFK, until 2013-06-20T11:00Z, variable humidity"),
        (["--since", "2013-06-20T11:00Z", "--until", "2013-06-20T11:00:00Z"],
         ([0, 2], [0, 2], [0, 2]),
         "3 observations: since 2013-06-20T11:00Z, until 2013-06-20T11:00Z"),
    ],
)  # fmt: skip
def test_what_matches_every_option_is_removed_and_the_decision_kept(
    app: Flask,
    observations: ObservationStore,
    options: list[str],
    left: tuple[list[int], ...],
    subject: str,
) -> None:
    result = remove(app, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"removed {subject}; every serving process follows")
    assert hours_of(observations, "JFK") == left[0]
    assert hours_of(observations, "EWR") == left[1]
    assert hours_of(observations, "JFK", "humidity") == left[2]
    (decision,) = decisions(observations)
    assert decision == {
        "action": "remove", "subject": subject, "author": "Ada", "reason": "in the sun",
    }  # fmt: skip


@pytest.mark.usefixtures("three")
def test_the_answer_for_scripts_is_the_decision(app: Flask) -> None:
    found = json.loads(remove(app, "--area", "EWR", "--json").stdout)
    assert (found["action"], found["subject"]) == ("remove", "3 observations: area EWR")
    assert (found["author"], found["reason"], found["delivery_id"]) == ("Ada", "in the sun", None)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ([], 2, "give --area, --variable, --since, --until or --provider"),
        (["--area", "LGA"], 1, "no observation matches area LGA; nothing was changed"),
        (["--provider", "open-meteo"], 1, "no observation matches provider open-meteo"),
        (["--since", "2013-06-20T13:00Z"], 1, "no observation matches since 2013-06-20T13:00Z"),
        (["--since", "2013-06-20"], 2, "not an ISO-8601 time"),
    ],
)
def test_without_a_match_nothing_is_changed(
    app: Flask, observations: ObservationStore, options: list[str], code: int, told: str
) -> None:
    result = remove(app, *options)
    assert result.exit_code == code
    assert told in result.stderr
    assert hours_of(observations, "JFK") == [0, 1, 2]
    assert decisions(observations) == []


def test_a_removal_has_a_reason(app: Flask) -> None:
    result = run(app, "remove", "--area", "JFK", "--reason", " ")
    assert result.exit_code == 2
    assert "expected some words" in result.stderr


@pytest.mark.sqlite
def test_a_database_that_is_not_there_is_told_and_not_made(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    result = remove(create_app(settings), "--area", "JFK")
    assert result.exit_code == 1
    assert "there is no database" in result.stderr
    assert not (tmp_path / "observations.sqlite").exists()


def add(store: ObservationStore, hours: int, provider: str | None, value: float = 1.0) -> None:
    """Store one temperature of JFK, so many hours before noon, of a provider."""
    series = (np.array([to_microseconds(NOON - hours * HOUR)]), np.array([value]))
    archive = Archive(path=Path("x"), series={("JFK", "temperature"): series}, provider=provider)
    store.add(archive)


def test_what_a_provider_wrote_last_is_its_own(app: Flask, observations: ObservationStore) -> None:
    for hours, provider in enumerate((None, "garden", "roof", "garden", "garden")):
        add(observations, hours, provider)
    add(observations, 4, None, 2.0)  # corrected by a file
    add(observations, 2, "garden", 2.0)
    assert remove(app, "--provider", "garden").exit_code == 0
    assert hours_of(observations, "JFK") == [0, 4]


def test_a_running_app_forgets_what_is_removed_at_once(
    make_app: MakeApp, tiny_delivery: Build, observe: Observe, day: list[float]
) -> None:
    tiny_delivery(areas=("JFK",))
    observe("JFK", [*day, *day])
    serving, operator = make_app(), make_app()
    client = serving.test_client()
    asked = "/weather/predict?area=JFK"
    assert client.get(asked).get_json()["reference_time"] == "2013-06-20T12:00:00Z"
    assert remove(operator, "--since", "2013-06-20T00:00Z").exit_code == 0
    assert client.get(asked).get_json()["reference_time"] == "2013-06-19T23:00:00Z"
    assert client.get(f"{asked}&reference_time=2013-06-20T12:00Z").status_code == 503
    assert remove(operator, "--area", "JFK").exit_code == 0
    context: AppContext = serving.extensions["fairweather"]
    assert context.windows.areas() == ()


def test_a_variable_of_which_nothing_is_left_may_come_in_another_unit(
    app: Flask, observations: ObservationStore
) -> None:
    series = {("JFK", "snow"): (np.array([to_microseconds(NOON)]), np.array([1.0]))}
    observations.add(Archive(path=Path("x"), series=series, units={"snow": "inch"}))
    assert remove(app, "--variable", "snow").exit_code == 0
    observations.add(Archive(path=Path("x"), series=series, units={"snow": "cm"}))
    assert observations.units()["snow"] == "cm"


# ------------------------------------------------------------------ what earlier releases stored


@pytest.fixture
def of_an_earlier_release(observations: ObservationStore) -> ObservationStore:
    """A database without providers, in which areas are spelt as their files did."""
    database = observations.database
    with database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE observations DROP COLUMN provider")
        for area, hours in (("JFK", 0), ("JFK", 1), (" JFK", 1), (" JFK", 2), ("e\u0301", 3)):
            time = to_microseconds(NOON - hours * HOUR)
            value = -1.0 if area == " JFK" else 1.0
            connection.execute(
                sa.text("INSERT INTO observations VALUES (:area, 'temperature', :time, :value)"),
                {"area": area, "time": time, "value": value},
            )
    return observations


def test_a_database_of_an_earlier_release_is_read_as_it_is(
    of_an_earlier_release: ObservationStore,
) -> None:
    assert hours_of(of_an_earlier_release, "JFK") == [0, 1]
    assert of_an_earlier_release.latest("JFK") == NOON


def test_the_first_write_gives_a_database_of_an_earlier_release_providers_and_one_spelling(
    of_an_earlier_release: ObservationStore, app: Flask
) -> None:
    store = of_an_earlier_release
    add(store, 5, "garden")
    assert store.areas() == ("JFK", "é")
    assert hours_of(store, "JFK") == [0, 1, 2, 5]
    _, values = store.series("JFK", "temperature", *EVER)
    assert values.tolist() == [1.0, -1.0, 1.0, 1.0]  # what was JFK's own stays
    assert remove(app, "--provider", "garden").exit_code == 0
    assert hours_of(store, "JFK") == [0, 1, 2]


def test_a_removal_from_a_database_of_an_earlier_release_takes_every_spelling(
    of_an_earlier_release: ObservationStore, app: Flask
) -> None:
    assert remove(app, "--area", " JFK", "--until", "2013-06-20T10:00Z").exit_code == 0
    assert hours_of(of_an_earlier_release, "JFK") == [0, 1]
    with closing(of_an_earlier_release):
        assert of_an_earlier_release.areas() == ("JFK", "é")
