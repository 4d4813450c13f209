"""What the tests share: an app over a tmp store, and observations to feed it with."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from catalogues import CountingIngestion, Ingest, Kit
from fairweather_app import create_app
from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.common.time_limit import TimeLimit
from fairweather_app.common.times import to_microseconds
from fairweather_app.forecasting.context import AppContext
from fairweather_app.observations import Archive, ObservationStore, WindowCache
from meteo import Meteo
from pages import EVENING, Deliver, MakeApp, Observe
from signing import Signed

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
UNHURRIED = 60.0
"""Seconds: a limit that no machine reaches, however busy it is."""

# what a run proves does not depend on how fast the machine is, nor on what is drawn that day
hypothesis.settings.register_profile(
    "ours",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("ours")


@pytest.fixture
def meteo() -> Iterator[Meteo]:
    """Return a server that answers as Open-Meteo does."""
    server = Meteo()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("FAIRWEATHER_") or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database: a SQLite file, or one on the server of `nox -s postgres`.

    What is about SQLite itself is marked so.
    """
    server = os.environ.get("TESTS_POSTGRESQL")
    if server is None:
        yield f"sqlite:///{tmp_path / 'observations.sqlite'}"
        return
    name = f"tests_{uuid.uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture
def settings(tmp_path: Path, store: Path, database: str) -> dict[str, Any]:
    return {
        "store": store,
        "observations": database,
        "cache": tmp_path / "cache",
        "time_limit": UNHURRIED,
        "inference_seconds": UNHURRIED,
    }


@pytest.fixture
def make_app(settings: dict[str, Any]) -> Iterator[Callable[..., Flask]]:
    """An app over the tmp store, which has looked at it once; takes settings to change."""
    made: list[Flask] = []

    def make(**changes: object) -> Flask:
        app = create_app(settings | changes)
        context: AppContext = app.extensions["fairweather"]
        context.catalogue.refresh()
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["fairweather"].observations.close()


@pytest.fixture
def counted() -> Callable[..., float]:
    """How much a series that counts has grown since the test began, by name and labels."""

    def now(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    before = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
    }
    return lambda name, **labels: (
        now(name, **labels) - before.get((name, *sorted(labels.items())), 0.0)
    )


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def context(app: Flask) -> AppContext:
    found: AppContext = app.extensions["fairweather"]
    return found


@pytest.fixture
def observations(settings: dict[str, Any]) -> Iterator[ObservationStore]:
    """The observation store that `make_app` uses too."""
    kept = ObservationStore(settings["observations"], patience=UNHURRIED)
    yield kept
    kept.close()


@pytest.fixture
def windows(settings: dict[str, Any]) -> Iterator[WindowCache]:
    """Windows of the same database, kept ready as another process would."""
    store = ObservationStore(settings["observations"], patience=UNHURRIED)
    yield WindowCache(store, TimeLimit(UNHURRIED, pause=0))
    store.close()


@pytest.fixture
def observe(observations: ObservationStore) -> Callable[..., None]:
    """Keep hourly values of one area and variable, the last of them at `until`; None is a gap."""

    def keep(
        area: str,
        values: Sequence[float | None],
        *,
        variable: str = "temperature",
        until: datetime = NOON,
    ) -> None:
        first = until - (len(values) - 1) * timedelta(hours=1)
        known = [
            (to_microseconds(first + hour * timedelta(hours=1)), value)
            for hour, value in enumerate(values)
            if value is not None
        ]
        times = np.array([time for time, _ in known], dtype=np.int64)
        found = np.array([value for _, value in known], dtype=np.float64)
        observations.add(Archive(path=Path("test"), series={(area, variable): (times, found)}))

    return keep


@pytest.fixture
def day() -> list[float]:
    """A day of hourly temperatures."""
    return [10.0 + hour / 10 for hour in range(24)]


@pytest.fixture
def serving(
    make_app: Callable[..., Flask],
    tiny_delivery: Callable[..., Path],
    observe: Callable[..., None],
    day: list[float],
) -> FlaskClient:
    """An app with a live model for EWR and JFK, and observations of LGA too."""
    tiny_delivery(areas=("EWR", "JFK"))
    for area in ("EWR", "JFK", "LGA"):
        observe(area, day)
    return make_app().test_client()


@pytest.fixture
def winter_week(tiny_delivery: Deliver, observe: Observe, make_app: MakeApp) -> FlaskClient:
    """A week for JFK of 2 to 5 °C and 60 %; a delivery for TLV is there too."""
    tiny_delivery(
        areas=("JFK", "EWR"),
        variables=("temperature", "humidity"),
        samples=168,
        topic="Winter in New York",
        author="The winter team",
        model_type="WinterPredictor",
    )
    tiny_delivery(areas=("TLV",), model_type="CoastPredictor")
    observe("JFK", [2.0 + hour % 4 for hour in range(168)], until=EVENING)
    observe("JFK", [60.0] * 168, variable="humidity", until=EVENING)
    return make_app().test_client()


@pytest.fixture
def ingest(tmp_path: Path, store: Path) -> Ingest:
    """Ingestion of a delivery by its path in the store."""
    kit = Kit(tmp_path / "cache", store)
    return lambda path: kit.ingest(path.name)


@pytest.fixture
def kit(tmp_path: Path, store: Path) -> Kit:
    return Kit(tmp_path / "cache", store)


@pytest.fixture
def ingestion(kit: Kit) -> CountingIngestion:
    return kit.ingestion


@pytest.fixture
def catalogue(kit: Kit) -> Catalogue:
    return kit.catalogue


@pytest.fixture
def here(
    make_app: Callable[..., Flask],
    tmp_path: Path,
    observe: Callable[..., None],
    day: list[float],
) -> Signed:
    for area in ("EWR", "JFK"):
        observe(area, day)
    return Signed(make_app, tmp_path / "keys.yaml")
