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
            told = f"{asked.method} {asked.kind} {asked.area} {asked.reference_time}: {verdict.why}"
            if verdict.answer == "wrong":
                self.wrong.append(told)
            if verdict.answer == "unexplained":
                self.unexplained.append(told)


class Client(threading.Thread):
    """One client with one connection, which it opens anew when it was closed."""

    def __init__(
        self,
        port: int,
        oracle: Oracle,
        journal: Journal,
        counts: Counts,
        stopping: threading.Event,
        chance: random.Random,
    ) -> None:
        super().__init__(name="soak-client")
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

    def _question(self) -> Asked:
        draw = self._chance.random()
        area = self._chance.choice(AREAS)
        if draw < 0.35:  # noqa: PLR2004 - shares of the load
            return Asked(kind="GET, at the latest observation", method="GET", area=area)
        if draw < 0.55:  # noqa: PLR2004
            return Asked(
                kind="GET, at a reference time",
                method="GET",
                area=area,
                reference_time=self._time(),
            )
        if draw < 0.60:  # noqa: PLR2004
            variables = self._chance.choice([("temperature",), ("temperature", "humidity")])
            return Asked(
                kind="GET, of variables",
                method="GET",
                area=area,
                variables=variables,
                reference_time=self._time(),
            )
        if draw < 0.62:  # noqa: PLR2004
            early = START - self._chance.randint(1, 50) * HOUR
            return Asked(
                kind="GET, before any observation", method="GET", area=area, reference_time=early
            )
        if draw < 0.63:  # noqa: PLR2004
            return Asked(
                kind="GET, of an unknown area", method="GET", area=NOWHERE, sense="unknown-area"
            )
        if draw < 0.64:  # noqa: PLR2004
            return self._post(area, SAMPLES - 1, kind="POST, too short", sense="invalid-request")
        return self._post(area, SAMPLES, kind="POST, with a window of its own")

    def _post(self, area: str, samples: int, *, kind: str, sense: str | None = None) -> Asked:
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
        if asked.method == "GET" and answer.status == HTTPStatus.OK:
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
        if heard.status == HTTPStatus.OK and verdict.answer == "right":
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
