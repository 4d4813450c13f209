"""`observations status`: how old, how whole and how good observations are."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from fairweather_interface.variables import VARIABLES
from flask import Flask

from fairweather_app.observations import Archive, ObservationStore
from fairweather_app.observations.quality import Gap, SeriesQuality, assess_quality

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Observe = Callable[..., None]


def rising(count: int) -> list[float | None]:
    return [10.0 + hour / 10 for hour in range(count)]


def look(
    store: ObservationStore, area: str = "JFK", *, days: int = 30, behind: datetime = NOON
) -> SeriesQuality:
    (found,) = assess_quality(
        store, (area,), VARIABLES, days=days, now=NOON + 2 * HOUR, behind=behind
    )
    return found


def test_a_whole_series_is_good(observations: ObservationStore, observe: Observe) -> None:
    observe("JFK", rising(24))
    found = look(observations)
    assert (found.latest, found.age_seconds, found.step_seconds) == (NOON, 7200, 3600)
    assert (found.observations, found.missing, found.longest_gap, found.quality) == (
        24,
        0,
        None,
        (),
    )


def test_gaps_are_counted_and_the_longest_is_named(
    observations: ObservationStore, observe: Observe
) -> None:
    observe("JFK", [*rising(10), None, 20.0, None, None, None, *rising(9)])
    found = look(observations)
    assert (found.observations, found.missing, found.quality) == (20, 4, ("gaps",))
    assert found.longest_gap == Gap(after=NOON - 12 * HOUR, until=NOON - 8 * HOUR)


def test_only_the_days_asked_for_are_looked_at(
    observations: ObservationStore, observe: Observe
) -> None:
    observe("JFK", [1.0, *[None] * 40, *rising(30)])
    assert look(observations).missing == 40
    assert (look(observations, days=1).missing, look(observations, days=1).observations) == (0, 24)


@pytest.mark.parametrize(("late", "stale"), [(3, False), (4, True)])
def test_a_series_is_stale_when_it_lags_more_than_three_of_its_steps_behind(
    observations: ObservationStore, observe: Observe, *, late: int, stale: bool
) -> None:
    observe("JFK", rising(24))
    assert ("stale" in look(observations, behind=NOON + late * HOUR).quality) is stale


@pytest.mark.parametrize(
    ("value", "hours", "stuck"),
    [(55.0, 24, True), (55.0, 23, False), (100.0, 48, False), (0.0, 48, False)],
)
def test_one_value_for_a_day_is_stuck_unless_it_stands_at_its_limit(
    observations: ObservationStore, observe: Observe, *, value: float, hours: int, stuck: bool
) -> None:
    observe("JFK", [50.0, *[value] * (hours + 1), 51.0], variable="humidity")
    assert ("stuck" in look(observations).quality) is stuck


@pytest.mark.parametrize(("hours", "stuck"), [(2, True), (3, False), (30, False)])
def test_a_gap_that_would_be_stale_ends_a_stretch_of_one_value(
    observations: ObservationStore, observe: Observe, *, hours: int, stuck: bool
) -> None:
    observe("JFK", [*rising(30), *[5.0] * 13, *[None] * hours, *[5.0] * 13, *rising(30)])
    found = look(observations)
    assert ("stuck" in found.quality) is stuck
    assert found.stuck_seconds == 3600 * (25 + hours if stuck else 12)


def test_a_value_that_another_program_wrote_and_cannot_be_real_is_impossible(
    observations: ObservationStore, observe: Observe
) -> None:
    observe("JFK", [*rising(23), 99.0])
    assert (look(observations).impossible, look(observations).quality) == (1, ("impossible",))


def test_a_single_observation_has_no_step(observations: ObservationStore, observe: Observe) -> None:
    observe("JFK", [10.0])
    found = look(observations)
    assert (found.step_seconds, found.missing, found.quality) == (None, 0, ())


# ------------------------------------------------------------------------------- the command


@pytest.fixture
def status(make_app: Callable[..., Flask]) -> Callable[..., Result]:
    def run(*arguments: str, **settings: object) -> Result:
        app = make_app(**settings)
        return app.test_cli_runner().invoke(args=["observations", "status", *arguments])

    return run


def test_each_series_has_a_line(status: Callable[..., Result], observe: Observe) -> None:
    observe("EWR", rising(24))
    observe("JFK", [*rising(10), None, None, *rising(10)], until=NOON - 5 * HOUR)
    result = status()
    assert result.exit_code == 0
    lines = [line.split("  ") for line in result.stdout.splitlines()]
    cells = [[cell.strip() for cell in line if cell] for line in lines]
    assert cells[0] == [*("area", "variable", "latest", "age", "seen", "missing", "gap", "quality")]
    assert cells[1][:3] == ["EWR", "temperature", "2013-06-20T12:00Z"]
    assert cells[1][4:] == ["24", "0", "-", "good"]
    assert cells[2][4:] == ["20", "2", "3 h", "stale, gaps"]


def test_the_json_says_the_same_in_seconds(status: Callable[..., Result], observe: Observe) -> None:
    observe("JFK", [*rising(10), None, None, *rising(10)])
    (found,) = json.loads(status("--json").stdout)
    assert found.pop("age_seconds") > 3e8
    assert found == {
        "area": "JFK",
        "variable": "temperature",
        "latest": "2013-06-20T12:00Z",
        "step_seconds": 3600.0,
        "observations": 20,
        "missing": 2,
        "longest_gap": {"after": "2013-06-20T00:00Z", "until": "2013-06-20T03:00Z"},
        "stuck_seconds": 0.0,
        "impossible": 0,
        "future": 0,
        "quality": ["gaps"],
    }


def test_with_the_clock_at_now_what_is_old_is_stale(
    status: Callable[..., Result], observe: Observe
) -> None:
    observe("JFK", rising(24))
    assert "good" in status().stdout
    assert "stale" in status(clock="now").stdout


def test_an_area_that_a_live_delivery_declares_and_nobody_observed_is_listed(
    status: Callable[..., Result], observe: Observe, tiny_delivery: Callable[..., Path]
) -> None:
    observe("JFK", rising(24))
    tiny_delivery(areas=("EWR",))
    assert status().stdout.splitlines()[1].split() == ["EWR", *["-"] * 6, "none"]
    result = status("--area", "EWR")
    assert result.exit_code == 1
    assert "no observations of EWR yet; 'observations import'" in result.stderr


def test_an_area_nobody_knows_is_told_with_those_there_are(status: Callable[..., Result]) -> None:
    result = status("--area", "Atlantis")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Unknown area 'Atlantis'" in result.stderr


def test_an_empty_database_is_a_negative_answer(status: Callable[..., Result]) -> None:
    result = status()
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no observations of any area yet" in result.stderr


def test_a_database_that_is_not_there_is_told_and_not_made(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    app = make_app()
    elsewhere = tmp_path / "elsewhere.sqlite"
    app = make_app(observations=f"sqlite:///{elsewhere}", store=tmp_path / "no-store")
    elsewhere.unlink()
    app.extensions["fairweather"].observations.close()
    for words in ("observations status", "models score", "models withdraw abcd --reason x"):
        result = app.test_cli_runner().invoke(args=words.split())
        assert result.exit_code == 1
        assert f"there is no database {elsewhere} yet" in result.stderr
        assert not elsewhere.exists()


def test_commands_that_only_look_make_no_database(
    make_app: Callable[..., Flask], tiny_delivery: Callable[..., Path], tmp_path: Path
) -> None:
    name = tiny_delivery(areas=("JFK",)).name
    elsewhere = tmp_path / "elsewhere.sqlite"
    app = make_app(observations=f"sqlite:///{elsewhere}")
    app.extensions["fairweather"].observations.close()
    elsewhere.unlink(missing_ok=True)
    listed = app.test_cli_runner().invoke(args=["models", "list"])
    assert (listed.exit_code, name in listed.stdout) == (0, True)
    why = app.test_cli_runner().invoke(args=["models", "why", "JFK"])
    assert (why.exit_code, "observations-missing" in why.stdout) == (1, True)
    assert not elsewhere.exists()
    assert app.extensions["fairweather"].observations.latest() is None  # the real one again
    assert elsewhere.exists()


def test_an_archive_and_a_fetch_are_the_same_to_it(
    observations: ObservationStore, observe: Observe
) -> None:
    observe("JFK", rising(24))
    times, values = observations.series("JFK", "temperature", NOON - 99 * HOUR, NOON)
    path = Path("again")
    observations.add(Archive(path=path, series={("LGA", "temperature"): (times, values)}))
    found: list[Any] = assess_quality(
        observations, ("JFK", "LGA"), VARIABLES, days=9, now=NOON, behind=NOON
    )
    assert found[0].observations == found[1].observations
