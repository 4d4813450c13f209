"""A database that is slow for everybody, caused from outside: another process bars its readers."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from answers import the_problem
from fairweather_app.common.time_limit import TimeLimit
from fairweather_app.errors import RETRY_SECONDS
from fairweather_app.forecasting.context import AppContext

Build = Callable[..., Path]

JFK = "/weather/predict?area=JFK"
BAR_READERS = """
import fcntl, sys
file = open(sys.argv[1] + "-shm", "r+b")
fcntl.lockf(file, fcntl.LOCK_EX, 8, 120)  # by these bytes SQLite lets readers and writers in
print("held", flush=True)
sys.stdin.read()
"""


def limit_of(client: FlaskClient) -> TimeLimit:
    """The time that the database has."""
    context: AppContext = client.application.extensions["fairweather"]
    return context.windows._limit


@pytest.fixture
def barred(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Bars the readers of the database until its process is told to end."""
    made: list[subprocess.Popen[str]] = []

    def bar() -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-c", BAR_READERS, str(tmp_path / "observations.sqlite")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        made.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield bar
    for process in made:
        process.communicate()


@pytest.fixture
def impatient(
    make_app: Callable[..., Flask],
    tiny_delivery: Build,
    observe: Callable[..., None],
    day: list[float],
) -> FlaskClient:
    """An app with a model for JFK that has answered once, and then gives its database up soon."""
    tiny_delivery(areas=("JFK",))
    observe("JFK", day)
    client = make_app().test_client()
    assert client.get(JFK).status_code == 200
    limit_of(client).seconds = 0.2
    return client


def test_a_database_that_lets_no_reader_in_is_given_up_in_time_also_when_nothing_arrived(
    impatient: FlaskClient,
    barred: Callable[[], subprocess.Popen[str]],
    caplog: pytest.LogCaptureFixture,
    day: list[float],
    tmp_path: Path,
) -> None:
    process = barred()
    (tmp_path / "observations.sqlite").touch()  # one that is long at rest is not asked at all
    for _ in range(3):
        answer = impatient.get(JFK)
        the_problem(answer, 503, "observations-unavailable")
        assert answer.headers["Retry-After"] == str(RETRY_SECONDS)
    told = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    # not what SQLite says when it gives up by itself, seconds later
    assert all("did not answer within 0.2 s" in each for each in told)
    assert "asked again in" in told[-1]
    body = {
        "area": "JFK",
        "reference_time": "2013-06-20T12:00Z",
        "observations": {"temperature": day},
    }
    assert impatient.post("/weather/predict", json=body).status_code == 200  # needs no database
    process.communicate()
    limit_of(impatient).seconds = 60.0
    limit_of(impatient)._paused.clear()  # as after so many seconds
    assert impatient.get(JFK).status_code == 200
