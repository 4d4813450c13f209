"""Clients: they ask without end, let the oracle judge every answer, and count."""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from deliveries import AREAS
from journal import Journal
from networks import SAMPLES
from oracle import Asked, Heard, Oracle, Verdict
from weather import DAYS, HOUR, START

TIMEOUT = 30.0
PAUSE = 0.02
KEPT = 200
TOLD = 20
NOWHERE = "Atlantis"
PREDICT = "/weather/predict"
SHARES = {
    "GET, at the latest observation": 35,
    "GET, at a reference time": 20,
    "GET, of variables": 5,
    "GET, before any observation": 2,
    "GET, of an unknown area": 1,
    "GET, of a delivery": 1,
    "GET, of all areas": 1,
    "GET, the page of an area": 1,
    "POST, with a window of its own": 33,
    "POST, too short": 1,
}
"""Of the load, in hundredths; of what was asked before half is asked with its ETag."""


@dataclass
class Counts:
    """What was asked and what came of it, over all clients. Safe between threads."""

    asked: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    answered_by: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, asked: Asked, heard: Heard, verdict: Verdict, kind: str | None) -> None:
        """Count one request."""
        with self.lock:
            self.asked[asked.kind] += 1
            self.statuses[str(heard.status or "none")] += 1
            self.verdicts[verdict.answer] += 1
            self.milliseconds.append((heard.received - heard.sent) * 1000)
            if kind is not None:
                self.answered_by[kind] += 1
            if verdict.answer == "explained":
                self.explained[verdict.why] += 1
            at = f" {asked.reference_time}" if asked.reference_time else ""
            told = f"{asked.kind}, {asked.address or asked.area}{at}: {verdict.why}"
            if verdict.answer == "wrong":
                self.wrong.append(told)
            if verdict.answer == "unexplained":
                self.unexplained.append(told)


class Client(threading.Thread):
    """One client with one connection, which it opens anew when it was closed."""

    def __init__(
        self,
        *,
        port: int,
        oracle: Oracle,
        journal: Journal,
        counts: Counts,
        stopping: threading.Event,
        chance: random.Random,
    ) -> None:
        super().__init__(name="soak-client", daemon=True)
        self._port = port
        self._oracle = oracle
        self._journal = journal
        self._counts = counts
        self._stopping = stopping
        self._chance = chance
        self._connection: http.client.HTTPConnection | None = None
        self._opened = 0.0
        self._known: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def run(self) -> None:
        """Ask until the soak ends."""
        try:
            while not self._stopping.is_set():
                asked = self._question()
                heard = self._ask(asked)
                self._note(asked, heard)
                lost = heard.status is None
                self._stopping.wait(0.2 if lost else self._chance.uniform(0, 2 * PAUSE))
        except Exception as error:
            self._journal.complain(f"a client of the soak failed: {error!r}")
            raise
        finally:
            self._close()

    # ------------------------------------------------------------------- what is asked

    def _question(self) -> Asked:  # noqa: PLR0911 - one for each kind
        kind = self._chance.choices(tuple(SHARES), tuple(SHARES.values()))[0]
        area = self._chance.choice(AREAS)
        if kind == "GET, at the latest observation":
            return Asked(kind=kind, method="GET", area=area)
        if kind == "GET, of an unknown area":
            return Asked(kind=kind, method="GET", area=NOWHERE, sense="unknown-area")
        if kind == "GET, of a delivery":
            name = self._chance.choice(list(self._journal.deliveries))
            return Asked(kind=kind, method="GET", address=f"/models/{name}")
        if kind == "GET, of all areas":
            return Asked(kind=kind, method="GET", address="/areas")
        if kind == "GET, the page of an area":
            return Asked(kind=kind, method="GET", address=f"/?area={area}")
        if kind == "POST, too short":
            return self._post(kind, area, SAMPLES - 1, sense="invalid-request")
        if kind == "POST, with a window of its own":
            return self._post(kind, area, SAMPLES)
        at, variables = self._time(), None
        if kind == "GET, before any observation":
            at = START - self._chance.randint(1, 50) * HOUR
        if kind == "GET, of variables":
            variables = self._chance.choice([("temperature",), ("temperature", "humidity")])
        return Asked(kind=kind, method="GET", area=area, reference_time=at, variables=variables)

    def _post(self, kind: str, area: str, samples: int, *, sense: str | None = None) -> Asked:
        middle = self._chance.uniform(5, 31)
        values: list[float | None] = [
            round(middle + self._chance.uniform(-4, 4), 2) for _ in range(samples)
        ]
        if self._chance.random() < 0.2:  # noqa: PLR2004
            values[self._chance.randrange(samples)] = None
        return Asked(
            kind=kind,
            method="POST",
            area=area,
            reference_time=self._time(),
            observations={"temperature": values},
            sense=sense,
        )

    def _time(self) -> datetime:
        """A time at which there are observations, on the hour or not."""
        hours = self._chance.randint(30, 24 * DAYS - 1)
        return START + timedelta(hours=hours, minutes=self._chance.choice([0, 0, 0, 17, 30]))

    # ---------------------------------------------------------------- how it is asked

    def _ask(self, asked: Asked) -> Heard:
        headers: dict[str, str] = {}
        kept: bytes | None = None
        address, body = _request(asked)
        if body is not None:
            headers["Content-Type"] = "application/json"
        elif address in self._known and self._chance.random() < 0.5:  # noqa: PLR2004
            headers["If-None-Match"], kept = self._known[address]
        opened, sent = 0.0, time.monotonic()
        try:
            connection = self._connected()
            opened = self._opened
            connection.request(asked.method, address, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._close()
            received = time.monotonic()
            return Heard(
                sent=sent, received=received, opened=opened, status=None, error=repr(error)
            )
        received = time.monotonic()
        told = {name.lower(): value for name, value in answer.getheaders()}
        if answer.will_close:
            self._close()
        if address.startswith(f"{PREDICT}?") and answer.status == HTTPStatus.OK:
            self._known[address] = (told.get("etag", ""), content)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return Heard(
            sent=sent,
            received=received,
            opened=opened,
            status=answer.status,
            headers=told,
            body=content,
            kept=kept,
        )

    def _note(self, asked: Asked, heard: Heard) -> None:
        verdict = self._oracle.judge(asked, heard)
        kind = None
        forecast = heard.status == HTTPStatus.OK and asked.address is None
        if forecast and verdict.answer == "right":
            answered = json.loads(heard.body)["receipt"]["delivery_id"]
            kind = self._journal.deliveries[answered].kind
        self._counts.add(asked, heard, verdict, kind)

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
            connection.connect()
            self._connection, self._opened = connection, time.monotonic()
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _request(asked: Asked) -> tuple[str, bytes | None]:
    """Address and body of a request."""
    if asked.address is not None:
        return asked.address, None
    at = None if asked.reference_time is None else f"{asked.reference_time:%Y-%m-%dT%H:%M}Z"
    if asked.method == "GET":
        query = [("area", asked.area), *(("variable", each) for each in asked.variables or ())]
        if at is not None:
            query.append(("reference_time", at))
        return f"{PREDICT}?{urlencode(query)}", None
    content: dict[str, Any] = {"area": asked.area, "observations": asked.observations}
    if at is not None:
        content["reference_time"] = at
    return PREDICT, json.dumps(content).encode()
