from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.dialects import postgresql

from fairweather_app.errors import ObservationStoreError
from fairweather_app.observations import Archive, ObservationStore
from fairweather_app.observations.archive_file import read_archive

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_AGO, LATER = NOON - 1000 * HOUR, NOON + 1000 * HOUR


def values_of(store: ObservationStore, area: str = "JFK") -> list[float]:
    _, values = store.series(area, "temperature", LONG_AGO, LATER)
    return [float(value) for value in values]


def test_what_was_added_is_read_oldest_first(
    observations: ObservationStore, observe: Callable[..., None]
) -> None:
    observe("JFK", [1.0, 2.0, 3.0])
    times, values = observations.series("JFK", "temperature", LONG_AGO, LATER)
    assert values.tolist() == [1.0, 2.0, 3.0]
    assert np.diff(times).tolist() == [3_600_000_000, 3_600_000_000]


def test_a_series_reaches_from_after_the_start_to_the_end_itself(
    observations: ObservationStore, observe: Callable[..., None]
) -> None:
    observe("JFK", [1.0, 2.0, 3.0])
    _, values = observations.series("JFK", "temperature", NOON - 2 * HOUR, NOON - HOUR)
    assert values.tolist() == [2.0]


def test_importing_again_changes_nothing_and_a_correction_replaces(
    observations: ObservationStore, observe: Callable[..., None]
) -> None:
    observe("JFK", [1.0, 2.0])
    observe("JFK", [1.0, 2.0])
    assert values_of(observations) == [1.0, 2.0]
    observe("JFK", [2.5])
    assert values_of(observations) == [1.0, 2.5]


@pytest.mark.sqlite
def test_an_archive_is_added_whole_or_not_at_all(
    observations: ObservationStore, observe: Callable[..., None]
) -> None:
    observe("JFK", [1.0])
    good = (np.array([1], dtype=np.int64), np.array([1.0]))
    bad = (np.array([1], dtype=np.int64), np.array([np.nan]))  # NULL in SQLite
    archive = Archive(
        path=Path("x"), series={("EWR", "temperature"): good, ("LGA", "temperature"): bad}
    )
    with pytest.raises(ObservationStoreError):
        observations.add(archive)
    assert observations.areas() == ("JFK",)


def test_areas_are_those_that_have_observations(
    observations: ObservationStore, observe: Callable[..., None]
) -> None:
    assert observations.areas() == ()
    observe("LGA", [1.0])
    observe("JFK", [50.0], variable="humidity")
    assert observations.areas() == ("JFK", "LGA")


def test_the_latest_observation_is_of_the_area_or_of_all(
    observations: ObservationStore, observe: Callable[..., None]
) -> None:
    assert observations.latest() is None
    observe("JFK", [1.0])
    observe("JFK", [50.0], variable="humidity", until=NOON + HOUR)
    observe("LGA", [1.0], until=NOON + 2 * HOUR)
    assert observations.latest("JFK") == NOON + HOUR
    assert observations.latest() == NOON + 2 * HOUR
    assert observations.latest("EWR") is None


def test_the_database_is_opened_again_after_close(
    observations: ObservationStore, observe: Callable[..., None]
) -> None:
    observe("JFK", [1.0])
    observations.close()
    assert values_of(observations) == [1.0]


def test_sqlite_writes_ahead_so_that_readers_go_on(tmp_path: Path) -> None:
    file = tmp_path / "observations.sqlite"
    store = ObservationStore(f"sqlite:///{file}")
    store.areas()
    store.close()
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_threads_share_one_store(
    observations: ObservationStore, observe: Callable[..., None]
) -> None:
    observe("JFK", [1.0, 2.0])
    found: list[list[float]] = []
    threads = [
        threading.Thread(target=lambda: found.append(values_of(observations))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[1.0, 2.0]] * 8


@pytest.mark.parametrize("kind", ["no folder", "no database"])
def test_a_database_that_cannot_be_used_is_named_with_the_setting(
    tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "nowhere" / "x.sqlite"
    if kind == "no database":
        file = tmp_path / "x.sqlite"
        file.write_bytes(b"this is not a database, whatever its name says" * 100)
    store = ObservationStore(f"sqlite:///{file}")
    with pytest.raises(ObservationStoreError, match="FAIRWEATHER_OBSERVATIONS names it") as caught:
        store.areas()
    assert str(file) in str(caught.value)


def test_a_missing_driver_is_no_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    store = ObservationStore("postgresql+psycopg://me:secret@127.0.0.1:1/x")
    with pytest.raises(ObservationStoreError) as caught:
        store.areas()
    assert "secret" not in str(caught.value)


def test_workers_that_open_a_new_database_at_once_all_do(database: str) -> None:
    stores = [ObservationStore(database, patience=60) for _ in range(8)]
    failed: list[Exception] = []
    together = threading.Barrier(len(stores))

    def use(store: ObservationStore) -> None:
        together.wait()
        try:
            store.areas()
        except ObservationStoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=use, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert not failed


def test_postgresql_is_asked_for_the_same_upsert() -> None:
    store = ObservationStore("postgresql+psycopg://host/db")
    statement = str(store._upsert().compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert "ON CONFLICT (area, variable, time) DO UPDATE SET value = excluded.value" in statement


def test_fifty_thousand_rows_are_read_and_kept_in_bulk(
    tmp_path: Path, observations: ObservationStore
) -> None:
    start = datetime(2013, 1, 1, tzinfo=UTC)
    rows = (
        f"A{n % 5},{(start + (n // 5) * HOUR).isoformat()},temperature,degC,{n % 30}\n"
        for n in range(50_000)
    )
    path = tmp_path / "large.csv"
    path.write_text("area,time,variable,unit,value\n" + "".join(rows))
    assert observations.add(read_archive(path)) == 50_000
    _, values = observations.series("A3", "temperature", start - HOUR, start + 10_000 * HOUR)
    assert len(values) == 10_000
