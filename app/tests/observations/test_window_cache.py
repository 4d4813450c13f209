"""Windows kept ready: always what a fresh read gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import sqlalchemy as sa
from fairweather_interface.testing import GoldenWindow
from hypothesis import given, settings
from hypothesis import strategies as st

from fairweather_app.common.request_trace import RequestTrace
from fairweather_app.common.time_limit import TimeLimit
from fairweather_app.common.times import to_microseconds
from fairweather_app.errors import ObservationStoreError
from fairweather_app.observations import (
    Archive,
    ObservationStore,
    WindowCache,
    WindowSpec,
    window_cache,
)
from fairweather_app.observations import store as store_module
from fairweather_app.observations.store import Times, Values
from fairweather_app.observations.windows import read_window

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

Observe = Callable[..., None]


def make_ready(store: ObservationStore, clock: Callable[[], float] = lambda: 0.0) -> WindowCache:
    return WindowCache(store, TimeLimit(60, pause=0), clock=clock)


def wanted(
    hours: int = 3, *, until: datetime = NOON, areas: tuple[str, ...] = ("JFK",)
) -> WindowSpec:
    return WindowSpec(
        areas=areas,
        variable="temperature",
        reference_time=until,
        period=hours * HOUR,
        sample_rate=HOUR,
    )


def values_of(windows: WindowCache, asked: WindowSpec) -> list[float | None]:
    found = windows.window(asked).values.tolist()
    return [None if math.isnan(value) else value for value in found]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[datetime, datetime]]:
    """From when to when was read from the database."""
    spans: list[tuple[datetime, datetime]] = []
    series = ObservationStore.series

    def spy(
        store: ObservationStore, area: str, variable: str, after: datetime, until: datetime
    ) -> tuple[Times, Values]:
        spans.append((after, until))
        return series(store, area, variable, after, until)

    monkeypatch.setattr(ObservationStore, "series", spy)
    return spans


OFFSETS = st.integers(-400, 60)
ARCHIVES = st.tuples(
    st.just("add"),
    st.sampled_from(["JFK", "LGA", "EWR"]),
    st.sampled_from(["temperature", "humidity"]),
    st.dictionaries(OFFSETS, st.floats(0, 40), min_size=1, max_size=12),
)
ASKED = st.tuples(
    st.just("ask"),
    st.sampled_from([("JFK",), ("LGA",), ("JFK", "LGA"), ("JFK", "LGA", "EWR")]),
    st.sampled_from(["temperature", "humidity"]),
    st.tuples(OFFSETS, st.integers(1, 8), st.sampled_from([1, 5, 30])),
)


@settings(max_examples=60)
@given(st.lists(ARCHIVES | ASKED, max_size=25))
def test_a_window_is_always_what_a_fresh_read_gives(steps: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/observations.sqlite"
        writer, reader = (ObservationStore(url, patience=60) for _ in range(2))
        windows = make_ready(reader)
        for what, name, variable, about in steps:
            if what == "add":
                assert isinstance(about, dict)
                times = [to_microseconds(NOON + minute * MINUTE) for minute in sorted(about)]
                values = [about[minute] for minute in sorted(about)]
                series = {(str(name), str(variable)): (np.array(times), np.array(values))}
                writer.add(Archive(path=Path("x"), series=series))
                continue
            assert isinstance(about, tuple)
            assert isinstance(name, tuple)
            minute, samples, rate = about
            asked = WindowSpec(
                areas=name,
                variable=str(variable),
                reference_time=NOON + minute * MINUTE,
                period=samples * rate * MINUTE,
                sample_rate=rate * MINUTE,
            )
            found, fresh = windows.window(asked), read_window(writer.series, asked)
            np.testing.assert_array_equal(found.values, fresh.values)
        writer.close()
        reader.close()


def test_golden_windows_come_out_exactly_whatever_arrives_later_is_in_them(
    golden_window: GoldenWindow, observations: ObservationStore, windows: WindowCache
) -> None:
    asked = WindowSpec(
        areas=golden_window.areas,
        variable="temperature",
        reference_time=golden_window.reference_time,
        period=golden_window.period,
        sample_rate=golden_window.sample_rate,
    )
    for area, series in golden_window.series.items():
        for time, value in series:  # one by one, in the order in which they are listed
            if not math.isnan(value):
                one = (np.array([to_microseconds(time)]), np.array([value]))
                archive = Archive(path=Path("golden"), series={(area, "temperature"): one})
                observations.add(archive)
                windows.window(asked)
    expected = [math.nan if value is None else value for value in golden_window.expected]
    found = windows.window(asked).values
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float32))


def test_a_window_is_read_once_and_kept(
    windows: WindowCache, observe: Observe, read: list[tuple[datetime, datetime]]
) -> None:
    observe("JFK", [1.0, 2.0, 3.0])
    trace = RequestTrace()
    found = [windows.window(wanted(), trace).values.tolist() for _ in range(3)]
    assert found == [[1.0, 2.0, 3.0]] * 3
    assert read == [(NOON - 3.75 * HOUR, NOON + 0.75 * HOUR)]
    assert trace.windows == {"made": 1, "kept": 2}
    windows.window(wanted(until=NOON + timedelta(minutes=30)))
    assert len(read) == 1  # what was read around the first window holds the second


def test_a_window_in_which_something_arrived_is_read_again(
    windows: WindowCache, observe: Observe, read: list[tuple[datetime, datetime]]
) -> None:
    observe("JFK", [1.0, 2.0, None, 4.0])
    assert values_of(windows, wanted(4)) == [1.0, 2.0, None, 4.0]
    observe("JFK", [3.0], until=NOON - HOUR)
    assert values_of(windows, wanted(4)) == [1.0, 2.0, 3.0, 4.0]
    assert read == [(NOON - 5 * HOUR, NOON + HOUR)] * 2


def test_what_arrives_elsewhere_leaves_a_window_as_it_is(
    windows: WindowCache, observe: Observe
) -> None:
    observe("JFK", [1.0, 2.0, 3.0])
    before, revision = windows.window(wanted()), windows.revision()
    observe("LGA", [5.0])
    observe("JFK", [50.0], variable="humidity")
    observe("JFK", [5.0], until=NOON + HOUR)
    observe("JFK", [5.0], until=NOON - 3 * HOUR)
    assert windows.revision() != revision
    assert windows.window(wanted()) is before


def test_a_region_follows_each_of_its_members(windows: WindowCache, observe: Observe) -> None:
    region = wanted(1, areas=("EWR", "JFK", "LGA"))
    observe("JFK", [1.0])
    assert values_of(windows, region) == [None]  # one of three is less than half
    observe("LGA", [3.0])
    assert values_of(windows, region) == [2.0]
    observe("EWR", [8.0])
    assert values_of(windows, region) == [4.0]


def test_a_ready_window_cannot_be_changed_by_who_gets_it(
    windows: WindowCache, observe: Observe
) -> None:
    observe("JFK", [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="read-only"):
        windows.window(wanted()).values[0] = 7


def test_latest_and_areas_are_known_until_something_arrives(
    windows: WindowCache, observe: Observe
) -> None:
    assert (windows.latest("JFK"), windows.areas()) == (None, ())
    observe("JFK", [1.0])
    assert (windows.latest("JFK"), windows.areas()) == (NOON, ("JFK",))
    observe("LGA", [1.0], until=NOON + HOUR)
    assert (windows.latest(), windows.areas()) == (NOON + HOUR, ("JFK", "LGA"))


def test_more_arrivals_than_are_noted_make_it_forget_everything(
    windows: WindowCache, observe: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "ARRIVALS_KEPT", 2)
    observe("JFK", [1.0, 2.0, 3.0])
    windows.window(wanted())
    observe("JFK", [9.0])
    for _ in range(3):
        observe("LGA", [1.0])
    assert values_of(windows, wanted()) == [1.0, 2.0, 9.0]


def test_rows_that_others_write_are_noticed_after_a_while(
    settings: dict[str, str], observations: ObservationStore, observe: Observe
) -> None:
    now = [0.0]
    store = ObservationStore(settings["observations"], patience=60)
    windows = make_ready(store, lambda: now[0])
    observe("JFK", [1.0, 2.0, 3.0])
    assert values_of(windows, wanted()) == [1.0, 2.0, 3.0]
    with observations.database.transaction() as connection:
        connection.execute(sa.text("UPDATE observations SET value = 7"))
    now[0] = window_cache.FORGET_SECONDS + 1
    assert values_of(windows, wanted()) == [7.0, 7.0, 7.0]
    store.close()


def test_no_more_is_held_than_there_is_room_for(
    settings: dict[str, str], observe: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_cache, "MOST_BYTES", 3000)
    store = ObservationStore(settings["observations"], patience=60)
    windows = make_ready(store)
    for area in "ABCDE":
        observe(area, [1.0, 2.0, 3.0])
        windows.window(wanted(areas=(area,)))
    assert windows._windows.used <= 3000
    assert windows._series.used <= 3000
    assert values_of(windows, wanted(areas=("A",))) == [1.0, 2.0, 3.0]
    store.close()


@pytest.mark.sqlite
def test_a_file_that_is_gone_is_an_error_until_it_is_there_again(
    tmp_path: Path, windows: WindowCache, observations: ObservationStore, observe: Observe
) -> None:
    observe("JFK", [1.0, 2.0, 3.0])
    windows.window(wanted())
    observations.close()
    file = tmp_path / "observations.sqlite"
    file.rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(ObservationStoreError, match="its file is gone"):
            windows.window(wanted())
    assert not file.exists()
    (tmp_path / "away").rename(file)
    assert values_of(windows, wanted()) == [1.0, 2.0, 3.0]


def test_a_file_that_was_replaced_is_read_anew(
    tmp_path: Path, windows: WindowCache, observations: ObservationStore, observe: Observe
) -> None:
    observe("JFK", [1.0, 2.0, 3.0])
    windows.window(wanted())
    observations.close()
    for file in tmp_path.glob("observations.sqlite*"):
        file.rename(tmp_path / f"old-{file.name}")
    observe("JFK", [7.0, 8.0, 9.0])
    assert values_of(windows, wanted()) == [7.0, 8.0, 9.0]
