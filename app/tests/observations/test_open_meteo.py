"""Open-Meteo, from recordings served on loopback."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from fairweather_interface.metadata import Area

from fairweather_app.common import http_client
from fairweather_app.errors import ProviderError
from fairweather_app.observations.open_meteo import (
    MOST_PARTS,
    MOST_REDIRECTS,
    PLACES_AT_ONCE,
    OpenMeteo,
)
from fairweather_app.observations.providers import Reading
from meteo import Meteo, recording

SINCE = datetime(2024, 5, 1, 1, 30, tzinfo=UTC)
UNTIL = datetime(2024, 5, 2, 23, 59, tzinfo=UTC)
JFK = Area(latitude=40.6398, longitude=-73.7789, timezone="America/New_York")
EWR = Area(latitude=40.6925, longitude=-74.1687, timezone="America/New_York")


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long urllib3 would have waited, each time; nobody else's waits are touched."""
    waited: list[float] = []
    clock = SimpleNamespace(sleep=waited.append, time=time.time)
    monkeypatch.setattr("urllib3.util.retry.time", clock)
    return waited


def fetch(meteo: Meteo, **places: Area) -> list[Reading]:
    return list(OpenMeteo(meteo.url).fetch(places or {"JFK": JFK}, since=SINCE, until=UNTIL))


def test_it_asks_for_the_contracts_variables_at_the_place_in_utc(meteo: Meteo) -> None:
    meteo.will_answer(recording("one-place"))
    fetch(meteo)
    assert meteo.asked == [
        {
            "latitude": ["40.6398"],
            "longitude": ["-73.7789"],
            "hourly": [
                "temperature_2m,relative_humidity_2m,dew_point_2m,pressure_msl,wind_speed_10m"
            ],
            "wind_speed_unit": ["ms"],
            "timezone": ["GMT"],
            "start_date": ["2024-05-01"],
            "end_date": ["2024-05-02"],
        }
    ]


def test_times_without_an_offset_are_utc_and_nulls_are_handed_on(meteo: Meteo) -> None:
    meteo.will_answer(recording("one-place"))
    temperatures = [each for each in fetch(meteo) if each.variable == "temperature"]
    assert temperatures[0] == Reading(
        "JFK", datetime(2024, 5, 1, tzinfo=UTC), "temperature", "degC", 11.2
    )
    assert [each.value for each in temperatures] == [11.2, 11.0, None, 10.4, 10.1, 99.9]


def test_every_variable_comes_in_the_contracts_unit(meteo: Meteo) -> None:
    meteo.will_answer(recording("one-place"))
    assert {each.variable: each.unit for each in fetch(meteo)} == {
        "temperature": "degC",
        "humidity": "%",
        "dew_point": "degC",
        "pressure": "hPa",
        "wind_speed": "m s-1",
    }


def test_a_unit_it_was_not_asked_for_is_handed_on_as_it_is(meteo: Meteo) -> None:
    answer = recording("one-place")
    answer["hourly_units"]["temperature_2m"] = "°F"
    meteo.will_answer(answer)
    assert "°F" in {each.unit for each in fetch(meteo)}


def test_several_places_are_asked_for_at_once_and_told_apart(meteo: Meteo) -> None:
    meteo.will_answer(recording("two-places"))
    found = fetch(meteo, JFK=JFK, EWR=EWR)
    assert [each["latitude"] for each in meteo.asked] == [["40.6925,40.6398"]]
    assert {
        area: {each.value for each in found if (each.area, each.variable) == (area, "temperature")}
        for area in ("EWR", "JFK")
    } == {"EWR": {11.0}, "JFK": {12.0}}


def test_more_places_than_fit_are_asked_for_in_turn(meteo: Meteo) -> None:
    (location,) = recording("two-places")[:1]
    meteo.will_answer([location] * PLACES_AT_ONCE)
    meteo.will_answer(location)  # of one place it is no list
    found = fetch(meteo, **{f"A{n:02d}": JFK for n in range(PLACES_AT_ONCE + 1)})
    assert len({each.area for each in found}) == PLACES_AT_ONCE + 1
    assert len(meteo.asked) == 2


def test_an_address_may_have_a_query_of_its_own_which_no_message_shows(meteo: Meteo) -> None:
    meteo.will_answer("<html>", status=502)
    with pytest.raises(ProviderError) as caught:
        list(OpenMeteo(f"{meteo.url}?apikey=secret").fetch({"JFK": JFK}, since=SINCE, until=UNTIL))
    assert meteo.asked[0]["apikey"] == ["secret"]
    assert "secret" not in str(caught.value)


def test_an_error_object_is_told_with_its_reason(meteo: Meteo) -> None:
    meteo.will_answer(recording("error"), status=400)
    with pytest.raises(ProviderError, match="it answers 400: Parameter 'start_date' is out of"):
        fetch(meteo)
    assert len(meteo.asked) == 1  # asking again would not help


def test_429_is_asked_again_after_as_long_as_it_says(meteo: Meteo, waits: list[float]) -> None:
    meteo.will_answer(recording("rate-limit"), status=429, Retry_After="7")
    meteo.will_answer(recording("one-place"))
    assert fetch(meteo)
    assert waits == [7]
    assert len(meteo.asked) == 2


def test_429_without_a_time_is_asked_again_with_growing_patience_and_then_told(
    meteo: Meteo, waits: list[float]
) -> None:
    meteo.will_answer(recording("rate-limit"), status=429)
    with pytest.raises(ProviderError, match="it answers 429: Minutely API request limit exceeded"):
        fetch(meteo)
    assert len(meteo.asked) == 5
    assert waits == sorted(waits)
    assert sum(waits) > 5


def test_who_asks_to_come_back_much_later_is_not_waited_for(
    meteo: Meteo, waits: list[float]
) -> None:
    meteo.will_answer(recording("rate-limit"), status=429, Retry_After="3600")
    with pytest.raises(ProviderError, match="it answers 429: ask again in 3600 s"):
        fetch(meteo)
    assert (len(meteo.asked), waits) == (1, [])


def test_a_server_in_trouble_is_asked_again(meteo: Meteo) -> None:
    meteo.will_answer("", status=503)
    meteo.will_answer(recording("one-place"))
    assert fetch(meteo)


@pytest.mark.parametrize(
    "target",
    [
        "http://{inner}/latest/meta-data", "//{inner}/x", "http://localhost:{port}/x",
        "http://{outer}@{inner}/x", "https://{outer}/x", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_a_redirect_to_another_server_or_scheme_is_not_followed(meteo: Meteo, target: str) -> None:
    inner = Meteo()
    inner.will_answer(recording("one-place"))
    port, outer = inner.host.partition(":")[2], meteo.url.split("/")[2]
    location = target.format(inner=inner.host, port=port, outer=outer)
    meteo.will_answer("", status=302, Location=location)
    with pytest.raises(ProviderError, match="sends to another address: "):
        fetch(meteo)
    inner.stop()
    assert (len(meteo.asked), inner.asked) == (1, [])


def test_a_redirect_on_the_same_server_is_followed_a_few_times(meteo: Meteo) -> None:
    meteo.will_answer("", status=308, Location="/v2/forecast?x=1")
    meteo.will_answer(recording("one-place"))
    assert fetch(meteo)
    assert meteo.asked[1] == {"x": ["1"]}
    meteo.answers = []
    meteo.will_answer("", status=302, Location="/v1/forecast")
    with pytest.raises(ProviderError, match="answers 302 Found and no JSON"):
        fetch(meteo)
    assert len(meteo.asked) == 2 + 1 + MOST_REDIRECTS


def test_a_redirect_to_what_is_no_address_is_told(meteo: Meteo) -> None:
    meteo.will_answer("", status=302, Location="http://[::1")
    with pytest.raises(ProviderError, match="cannot be used: "):
        fetch(meteo)


@pytest.mark.parametrize("status", [200, 404, 503])
@pytest.mark.parametrize("packed", [0, 1, 3])
def test_an_answer_that_is_too_long_is_not_read_to_its_end(
    meteo: Meteo, monkeypatch: pytest.MonkeyPatch, status: int, packed: int
) -> None:
    monkeypatch.setattr(http_client, "LONGEST_RESPONSE", 1 << 20)
    content = b" " * (2 << 20)
    for _ in range(packed):
        content = gzip.compress(content)
    coding = {"Content_Encoding": ", ".join(["gzip"] * packed)} if packed else {}
    meteo.will_answer(content, status, **coding)
    with pytest.raises(ProviderError, match=f"it answers {status} with more than 1 MB"):
        fetch(meteo)


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, "[" + "[]," * MOST_PARTS + "1]", "[" + "{}," * MOST_PARTS + "1]", "9" * 5000,
     '{"a": 1, "a": 2}'],
)  # fmt: skip
def test_json_that_is_deep_or_all_brackets_is_told(meteo: Meteo, content: str) -> None:
    meteo.will_answer(content)
    with pytest.raises(ProviderError, match="answers 200 OK and no JSON, but ") as caught:
        fetch(meteo)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "change",
    [
        {"error": True, "reason": "x" * 1_000_000},
        {"error": True, "reason": "a\nError: b" * 1000},
        {"utc_offset_seconds": "x" * 1_000_000},
    ],
)
def test_what_a_provider_says_is_cut_to_one_line(meteo: Meteo, change: dict[str, Any]) -> None:
    meteo.will_answer(recording("one-place") | change)
    with pytest.raises(ProviderError) as caught:
        fetch(meteo)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        nowhere = OpenMeteo(f"http://127.0.0.1:{taken.getsockname()[1]}/v1/forecast")
        with pytest.raises(
            ProviderError,
            match=r"/v1/forecast cannot be reached: Failed to establish a new connection",
        ):
            list(nowhere.fetch({"JFK": JFK}, since=SINCE, until=UNTIL))


def change(path: str, value: object) -> Callable[[Any], Any]:
    """A change of one place in an answer, by its dotted path."""

    def changed(answer: Any) -> Any:
        *parents, last = path.split(".")
        inner = answer
        for name in parents:
            inner = inner[name]
        inner[last] = value
        return answer

    return changed


@pytest.mark.parametrize(
    ("mischief", "told"),
    [
        (lambda answer: [answer, answer], "200 with 2 locations; expected 200 with 1"),
        (lambda _: [], "200 with 0 locations"),
        (lambda _: "sunny", "no JSON, but 'sunny'; FAIRWEATHER_PROVIDER_URL"),
        (lambda _: [7], "JFK cannot be understood: expected an object, found int"),
        (change("utc_offset_seconds", -14400), "expected times in UTC .*found -14400"),
        (change("hourly", None), "expected hourly and hourly_units"),
        (change("hourly.time", None), "expected a list hourly.time, found NoneType"),
        (change("hourly.time", ["noon"]), "expected a time such as .*found 'noon'"),
        (change("hourly.temperature_2m", [1.0]), "6 values of hourly.temperature_2m.*found 1"),
    ],
)
def test_an_answer_that_cannot_be_understood_is_told(
    meteo: Meteo, mischief: Callable[[Any], Any], told: str
) -> None:
    meteo.will_answer(mischief(recording("one-place")))
    with pytest.raises(ProviderError, match=told):
        fetch(meteo)
