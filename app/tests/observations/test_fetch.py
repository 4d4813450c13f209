"""`observations fetch`: from what a provider hands on to what the app answers from."""

from __future__ import annotations

import json
import re
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from fairweather_app.errors import ProviderError
from fairweather_app.observations import ObservationStore, WindowCache
from fairweather_app.observations import fetch as fetch_module
from fairweather_app.observations.fetch import Fetched, store_readings
from fairweather_app.observations.providers import PACKAGED, Reading
from meteo import Meteo, recording

Fetch = Callable[..., Result]
START = datetime(2024, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SINCE = ("--since", "2024-05-01T00:00Z")


@pytest.fixture
def fetch(make_app: Callable[..., Flask], meteo: Meteo) -> Fetch:
    def run(*arguments: str, **settings: object) -> Result:
        app = make_app(**{"provider_url": meteo.url} | settings)
        return app.test_cli_runner().invoke(args=["observations", "fetch", *arguments])

    return run


def temperatures(store: ObservationStore, area: str = "JFK") -> list[float]:
    _, values = store.series(area, "temperature", START - HOUR, START + 100 * HOUR)
    return [float(value) for value in values]


def row(result: Result) -> dict[str, Any]:
    (found,) = json.loads(result.stdout)
    return dict(found)


def test_what_is_fetched_is_kept_without_what_cannot_be_real(
    fetch: Fetch, meteo: Meteo, observations: ObservationStore
) -> None:
    meteo.will_answer(recording("one-place"))
    result = fetch("--area", "JFK", *SINCE, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert row(result) == {
        "area": "JFK",
        "since": "2024-05-01T00:00Z",
        "latest": "2024-05-01T05:00Z",
        "readings": 28,  # five variables, six hours, two nulls
        "new": 27,
        "changed": 0,
        "known": 0,
        "impossible": 1,  # 99.9 degrees
        "repeated": 0,
        "missing": 2,
        "future": 0,
    }
    assert temperatures(observations) == [11.2, 11.0, 10.4, 10.1]


def test_fetching_again_writes_nothing_and_a_correction_replaces(
    fetch: Fetch, meteo: Meteo, observations: ObservationStore
) -> None:
    answer = recording("one-place")
    meteo.will_answer(answer)
    fetch("--area", "JFK", *SINCE)
    arrivals = observations.newest_arrival()
    again = row(fetch("--area", "JFK", *SINCE, "--json"))
    assert (again["new"], again["changed"], again["known"]) == (0, 0, 27)
    assert observations.newest_arrival() == arrivals
    answer["hourly"]["temperature_2m"][0] = 11.5
    meteo.answers.clear()
    meteo.will_answer(answer)
    corrected = row(fetch("--area", "JFK", *SINCE, "--json"))
    assert (corrected["new"], corrected["changed"], corrected["known"]) == (0, 1, 26)
    assert temperatures(observations)[0] == 11.5


def test_a_provider_that_goes_on_for_ever_is_given_up_and_nothing_is_kept(
    observations: ObservationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "FETCH_SECONDS", 0.05)
    ended = threading.Event()

    def readings() -> Iterator[Reading]:
        yield Reading("JFK", START, "temperature", "degC", 1.0)
        ended.wait(60)

    with pytest.raises(ProviderError, match=r"it took more than 0\.05 s in all; fetch fewer areas"):
        store_readings(
            observations, readings(), provider="slow", since={"JFK": START}, until=START + HOUR
        )
    ended.set()
    assert temperatures(observations) == []


def test_of_very_many_different_faults_not_all_are_collected(
    observations: ObservationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "PROBLEMS_COUNTED", 10)
    taken: list[int] = []

    def readings() -> Iterator[Reading]:
        for number in range(1000):
            taken.append(number)
            yield Reading("JFK", START, "temperature", f"{number}" * 10_000, 1.0)

    with pytest.raises(ProviderError, match="and 6 more") as caught:
        store_readings(observations, readings(), provider="p", since={"JFK": START}, until=START)
    assert len(taken) == 11
    assert len(str(caught.value)) < 1000


def test_the_table_names_what_the_json_names(fetch: Fetch, meteo: Meteo) -> None:
    meteo.will_answer(recording("one-place"))
    result = fetch("--area", "JFK", *SINCE)
    assert " ".join(result.stdout.split()) == (
        "area since latest new changed known missing impossible repeated future "
        "JFK 2024-05-01T00:00Z 2024-05-01T05:00Z 27 0 0 2 1 0 0"
    )


def test_areas_that_are_asked_from_different_times_are_judged_together(
    fetch: Fetch, meteo: Meteo, observations: ObservationStore, observe: Callable[..., None]
) -> None:
    now = datetime.now(UTC)
    observe("EWR", [1.0], until=now - timedelta(days=20))  # so that JFK is asked for a month
    first, second = recording("one-place"), recording("one-place")
    base = (now - timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
    first["hourly"]["time"] = [f"{base + k * HOUR:%Y-%m-%dT%H:%M}" for k in range(6)]
    second["hourly_units"]["temperature_2m"] = "°F"
    for answer in (first, second):
        meteo.will_answer(answer)
    asked = ("--area", "JFK", "--area", "EWR")
    result = fetch(*asked)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing was fetched from open-meteo: " in result.stderr
    assert len(meteo.asked) == 2
    assert observations.areas() == ("EWR",)
    meteo.answers.clear()
    second["hourly_units"]["temperature_2m"] = "°C"
    second["hourly"]["time"] = first["hourly"]["time"]
    for answer in (first, second):
        meteo.will_answer(answer)
    found = json.loads(fetch(*asked, "--json").stdout)
    assert [(each["area"], each["new"]) for each in found] == [("EWR", 27), ("JFK", 27)]
    assert found[0]["since"] > found[1]["since"]


def test_a_running_app_answers_from_what_was_fetched(
    make_app: Callable[..., Flask],
    fetch: Fetch,
    meteo: Meteo,
    tiny_delivery: Callable[..., Path],
) -> None:
    tiny_delivery(areas=("JFK",), samples=6)
    running = make_app().test_client()
    asked = "/weather/predict?area=JFK&reference_time=2024-05-01T05:00Z"
    assert running.get(asked).status_code == 503  # observations-missing
    answer = recording("two-places")[0]
    meteo.will_answer(answer)
    assert fetch("--area", "JFK", *SINCE).exit_code == 0
    answered = running.get(asked)
    assert answered.status_code == 200
    assert answered.json["forecast"]["temperature"]["value"] == [11.0] * 6  # type: ignore[index]


def test_windows_that_were_kept_ready_are_made_anew(
    fetch: Fetch, meteo: Meteo, windows: WindowCache
) -> None:
    before = windows.revision()
    meteo.will_answer(recording("one-place"))
    fetch("--area", "JFK", *SINCE)
    assert windows.revision() > before
    assert windows.latest("JFK") == START + 5 * HOUR


def test_without_since_it_asks_from_a_day_before_the_latest_or_for_a_month(
    fetch: Fetch, meteo: Meteo, observe: Callable[..., None]
) -> None:
    now = datetime.now(UTC)
    observe("JFK", [10.0], until=now - timedelta(days=3))
    meteo.will_answer(recording("one-place"))
    fetch("--area", "JFK")
    fetch("--area", "EWR")
    assert [each["start_date"] for each in meteo.asked] == [
        [f"{now - timedelta(days=4):%Y-%m-%d}"],
        [f"{now - timedelta(days=31):%Y-%m-%d}"],
    ]


def test_all_are_the_areas_that_live_deliveries_declare_or_are_fed_with(
    fetch: Fetch, meteo: Meteo, tiny_delivery: Callable[..., Path]
) -> None:
    def fed_with_a_region(document: dict[str, Any]) -> None:
        document["inputs"][0]["areas"] = ["EWR", "JFK"]

    assert "no live delivery needs observations" in fetch("--all").stderr
    tiny_delivery(areas=("EWR",), change=fed_with_a_region)
    meteo.will_answer(recording("two-places"))
    result = fetch("--all", *SINCE, "--json")
    assert [each["area"] for each in json.loads(result.stdout)] == ["EWR", "JFK"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "give --area AREA, once or more, or --all"),
        (("--all", "--area", "JFK"), 2, "give --area AREA"),
        (("--area", "JFK", "--since", "noon"), 2, "'noon' is not an ISO-8601 time"),
        (("--area", "JFK", "--since", "2199-01-01T00:00Z"), 2, "is in the future"),
        (("--area", "Atlantis"), 1, "Unknown area 'Atlantis'. Known areas: "),
        (("--area", "JFK"), 1, "nothing was fetched from open-meteo: it answers 400: Parameter"),
    ],
)
def test_an_operators_mistake_is_a_sentence(
    fetch: Fetch, meteo: Meteo, arguments: tuple[str, ...], code: int, told: str
) -> None:
    meteo.will_answer(recording("error"), status=400)
    result = fetch(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_an_area_of_which_nothing_came_is_a_negative_answer(fetch: Fetch, meteo: Meteo) -> None:
    answer = recording("one-place")
    answer["hourly"] = {name: [None] * 6 for name in answer["hourly"]} | {
        "time": answer["hourly"]["time"]
    }
    meteo.will_answer(answer)
    result = fetch("--area", "JFK", *SINCE)
    assert result.exit_code == 1
    assert "open-meteo has no data for JFK" in result.stderr


# ------------------------------------------------------------------- what is judged for every one


def keep(
    store: ObservationStore, *readings: Reading, until: datetime = START + 9 * HOUR
) -> Fetched:
    (found,) = store_readings(
        store, readings, provider="station", since={"JFK": START}, until=until
    )
    return found


def reading(hour: int, value: Any = 10.0, **changes: Any) -> Reading:
    made = Reading("JFK", START + hour * HOUR, "temperature", "degC", value)
    return made._replace(**changes)


def test_a_time_that_comes_twice_is_merged_and_the_later_value_holds(
    observations: ObservationStore,
) -> None:
    found = keep(observations, reading(1, 5.0), reading(1, 5.0), reading(1, 6.0), reading(0))
    assert (found.readings, found.new, found.repeated) == (4, 2, 2)
    assert temperatures(observations) == [10.0, 6.0]


def test_what_lies_in_the_future_or_before_what_was_asked_for_is_no_observation(
    observations: ObservationStore,
) -> None:
    found = keep(observations, reading(-1), reading(3), reading(10), until=START + 3 * HOUR)
    assert (found.readings, found.new, found.future) == (1, 1, 1)
    assert found.latest == START + 3 * HOUR


def test_a_value_that_is_no_number_at_all_is_missing(observations: ObservationStore) -> None:
    found = keep(observations, reading(1, float("nan")), reading(2, None), reading(3, 7))
    assert (found.readings, found.missing) == (1, 2)
    assert temperatures(observations) == [7.0]


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), 1e300, -80.1])
def test_a_value_beyond_the_limits_is_dropped(observations: ObservationStore, value: float) -> None:
    assert keep(observations, reading(1, value)).impossible == 1
    assert observations.areas() == ()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"unit": "K"}, "found temperature in 'K'; expected 'degC'"),
        ({"variable": "rain"}, "found the variable 'rain'; expected temperature, "),
        ({"area": "LGA"}, "found the area 'LGA', which nobody asked for"),
        ({"time": datetime(2024, 5, 1)}, "found a time without a zone"),  # noqa: DTZ001
        ({"time": "2024-05-01T00:00Z"}, "found a time without a zone"),
        ({"value": "warm"}, "found the value 'warm' for temperature of JFK"),
        ({"value": True}, "found the value True"),
    ],
)
def test_what_cannot_be_understood_ends_it_and_nothing_is_kept(
    observations: ObservationStore, wrong: Mapping[str, Any], told: str
) -> None:
    with pytest.raises(ProviderError, match="nothing was fetched from station") as caught:
        keep(observations, reading(0), reading(1, **wrong))
    assert told in str(caught.value)
    assert observations.areas() == ()


def test_of_many_problems_a_few_are_told_and_the_rest_counted(
    observations: ObservationStore,
) -> None:
    wrong: Iterable[Reading] = [reading(1, unit=f"unit {n}") for n in range(8)]
    with pytest.raises(ProviderError, match="and 3 more"):
        keep(observations, *wrong)


# ----------------------------------------------------------------------- a provider from outside

COMMANDS = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
(STATION,) = re.findall(r"```python\n(.*?)```", COMMANDS, re.DOTALL)
(ENTRY_POINT,) = re.findall(r"```toml\n(.*?)```", COMMANDS, re.DOTALL)


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The handbook's example, as it is once installed: a module and its entry point."""
    ((group, points),) = tomllib.loads(ENTRY_POINT)["project"]["entry-points"].items()
    folder = tmp_path / "site-packages"
    about = folder / "garden_station-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "garden_station.py").write_text(STATION)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: garden-station\nVersion: 1.0\n")
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (about / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(folder))
    return "garden_station:Station"


@pytest.mark.parametrize("name", ["garden", "garden_station:Station"])
def test_a_provider_from_outside_is_found_by_its_entry_point_or_its_module(
    fetch: Fetch, station: str, name: str, observations: ObservationStore
) -> None:
    assert station.endswith(":Station")
    result = fetch("--area", "JFK", *SINCE, provider=name)
    assert (result.exit_code, result.stderr) == (0, "")
    assert temperatures(observations) == [10.0] * 6


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("open-meteor", f"expected garden, {', '.join(PACKAGED)}, or package.module:callable"),
        ("no.such:Thing", "cannot import no.such:Thing (No module named 'no')"),
        ("garden_station:Shed", "cannot import garden_station:Shed"),
        ("garden_station:__doc__", "expected a callable"),
        ("builtins:str", "expected it to give an object with `fetch`"),
        (":Station", "cannot import :Station"),
        (".garden_station:Station", "cannot import .garden_station:Station"),
        ("broken:Station", "cannot import broken:Station (invalid syntax"),
        ("garden_station:timedelta", "it cannot be made with the address 'http://"),
        ("json:loads", "it cannot be made with the address 'http://"),
        ("builtins:open", "(FileNotFoundError: "),
        ("os:getcwd", "(TypeError: "),
    ],
)
def test_a_provider_that_cannot_be_had_is_wrong_use(
    fetch: Fetch, station: str, name: str, told: str, tmp_path: Path
) -> None:
    assert station
    (tmp_path / "site-packages" / "broken.py").write_text("def (")
    result = fetch("--area", "JFK", provider=name)
    assert isinstance(result.exception, SystemExit)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"FAIRWEATHER_PROVIDER is '{name}'" in result.stderr
    assert told in result.stderr


def test_where_an_area_lies_is_told_by_the_delivery_that_declares_it(
    fetch: Fetch, meteo: Meteo, tiny_delivery: Callable[..., Path]
) -> None:
    tiny_delivery(areas=("Sydney",))  # which the kit puts at 0° N, 0° E
    meteo.will_answer(recording("one-place"))
    fetch("--area", "Sydney", *SINCE)
    assert (meteo.asked[0]["latitude"], meteo.asked[0]["longitude"]) == (["0"], ["0"])
