"""The journal: what the soak did to the app, and when. The oracle judges answers by it.

Times are those of `time.monotonic`. Everything is written before it is done when it makes an
answer possible, and after it is done when it forbids one: so the journal never accuses the app of
what it could not have known.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

GRACE = 12.0
"""Seconds without a stall after which every worker must have followed: a dozen looks."""
AFTERMATH = 8.0
"""Seconds after a fault in which it may still show: what failed is asked again after five."""

SHORTLY = 2.0
"""Seconds after a fault until every worker has looked again."""
STALLING = {
    "cache deleted",
    "database away",
    "database locked",
    "database slow",
    "restart",
    "store away",
}
"""Faults that keep a worker from learning what is in the store and what was decided."""

State = Literal["live", "quarantined", "refused"]


@dataclass(slots=True)
class Span:
    """From when to when; an end that is infinite has not come yet."""

    start: float
    end: float = math.inf

    def meets(self, start: float, end: float, *, after: float = 0.0) -> bool:
        """Whether it, and so many seconds after it, has anything in common with [start, end]."""
        return self.start <= end and start <= self.end + after


@dataclass(slots=True)
class Fault(Span):
    """A fault that was caused, by kind."""

    kind: str = ""
    told: str = ""


@dataclass(slots=True)
class Delivered:
    """A delivery that was put into the store, with what it is expected to become.

    `copy` is the soak's own, which no fault touches. `barred` are the spans in which it is
    withdrawn, removed, revoked or damaged: after some grace it must not answer in them. A `base` is
    the delivery of an area that is never removed, withdrawn or damaged. A `contractor` is the key
    that alone signed it.
    """

    delivery_id: str
    kind: str
    copy: Path
    digest: str
    document: dict[str, Any]
    state: State = "live"
    code: str | None = None
    base: bool = False
    since: float = math.inf
    barred: list[Span] = field(default_factory=list)
    contractor: str | None = None
    revoked: bool = False
    withdrawn: bool = False
    stored: bool = False

    @property
    def areas(self) -> tuple[str, ...]:
        """What it declares."""
        return tuple(self.document["areas"])


@dataclass(slots=True)
class Pin(Span):
    """An area that was pinned to a delivery."""

    area: str = ""
    delivery_id: str = ""


class Journal:
    """Faults, deliveries, pins and counts. Safe between threads."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.deliveries: dict[str, Delivered] = {}
        self.pins: list[Pin] = []
        self.done: Counter[str] = Counter()
        self.complaints: list[str] = []
        self._lock = threading.Lock()

    @contextmanager
    def fault(self, kind: str, told: str = "") -> Iterator[Fault]:
        """Note that a fault lasts as long as the block."""
        noted = Fault(start=time.monotonic(), kind=kind, told=told)
        with self._lock:
            self.faults.append(noted)
        try:
            yield noted
        finally:
            noted.end = time.monotonic()

    def count(self, what: str) -> None:
        """Count one more of what was done."""
        with self._lock:
            self.done[what] += 1

    def complain(self, sentence: str) -> None:
        """Note something that must not be, other than an answer."""
        with self._lock:
            self.complaints.append(sentence)

    def active(self, start: float, end: float, *kinds: str, after: float = AFTERMATH) -> bool:
        """Whether a fault of these kinds (of any, if none is named) can show in [start, end]."""
        return any(
            each.meets(start, end, after=after)
            for each in list(self.faults)
            if not kinds or each.kind in kinds
        )

    def may_answer(self, one: Delivered, sent: float, received: float) -> str | None:
        """Why a delivery could not rightly answer what was asked and answered then."""
        if one.state != "live":
            return f"{one.delivery_id} ({one.kind}) must never be live"
        if one.since > received:
            return f"{one.delivery_id} was not in the store yet"
        for span in one.barred:
            if span.start < sent and received < span.end and self.calm(span.start, sent) > GRACE:
                ago = sent - span.start
                return f"{one.delivery_id} was withdrawn, removed or damaged {ago:.1f} s before"
        return None

    def pinned(self, area: str, sent: float, received: float) -> str | None:
        """The delivery to which an area was pinned, so that no other could rightly answer."""
        for pin in list(self.pins):
            if pin.area == area and pin.start < sent and received < pin.end:
                to = self.deliveries[pin.delivery_id]
                steady = not any(each.meets(pin.start, received, after=GRACE) for each in to.barred)
                if steady and self.calm(pin.start, sent) > GRACE:
                    return pin.delivery_id
        return None

    def calm(self, start: float, end: float) -> float:
        """Seconds of [start, end] in which nothing kept a worker from following."""
        stalls = sorted(
            (max(each.start, start), min(each.end + SHORTLY, end))
            for each in list(self.faults)
            if each.kind in STALLING and each.meets(start, end, after=SHORTLY)
        )
        seconds, until = end - start, start
        for began, ended in stalls:
            seconds -= max(0.0, ended - max(began, until))
            until = max(until, ended)
        return seconds
