"""Fetching: from what a provider hands on to what the database keeps.

Laws:

- Either everything a provider hands on can be understood, or nothing of it is kept: not an unknown
  variable, another unit, a time without a zone, a value that is no number, or an area that nobody
  asked for.
- A value that cannot be real is dropped and counted; so is one of the future, which is no
  observation. A time without a value says nothing.
- A time that comes twice is merged and counted; where values differ, the later one holds.
- Only what is new or differs is written: fetching again writes nothing, and no window is made
  anew for it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from fairweather_interface.definitions import VARIABLES

from fairweather_app.common.times import MICROSECOND, from_microseconds, to_microseconds
from fairweather_app.errors import ProviderError
from fairweather_app.observations.providers import Reading
from fairweather_app.observations.series import Archive, Key, Times, Values
from fairweather_app.observations.store import ObservationStore

PROBLEMS_TOLD = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """The readings of one area, by what was done with them.

    Attributes:
        since: the earliest time that was requested.
        latest: time of the latest value that is valid, or null.
        readings: with a value, from `since` to now: the sum of the next five.
        new: written.
        changed: written over another value.
        known: unchanged.
        impossible: dropped.
        repeated: merged with an earlier reading of the same time.
        missing: times without a value.
        future: dropped, because it is later than now.
    """

    area: str
    since: datetime
    latest: datetime | None
    readings: int
    new: int
    changed: int
    known: int
    impossible: int
    repeated: int
    missing: int
    future: int


def keep_readings(
    store: ObservationStore,
    readings: Iterable[Reading],
    *,
    provider: str,
    since: Mapping[str, datetime],
    until: datetime,
) -> list[Fetched]:
    """Judge what `provider` handed on, and keep it: all or nothing.

    Args:
        store: where it is kept.
        readings: in any order.
        provider: its name, for what is said of it.
        since: the areas that were asked for, each with the earliest time that is kept.
        until: the latest time that is kept: now.

    Returns:
        An entry for each area of `since`, in that order.

    Raises:
        ProviderError: something cannot be understood; the message lists what.
        ObservationStoreError: the database cannot be used.
    """
    counts: dict[str, Counter[str]] = {area: Counter() for area in since}
    judged = _judge(readings, counts, provider=provider, since=since, until=until)
    fresh: dict[Key, tuple[Times, Values]] = {}
    for key, values in judged.items():
        found = _what_differs(store, key, values, counts[key[0]])
        if len(found[0]):
            fresh[key] = found
    if fresh:
        store.add(Archive(path=Path(provider), series=fresh))
    times = {key: max(values) for key, values in judged.items()}
    latest = {
        area: max((at for key, at in times.items() if key[0] == area), default=None)
        for area in since
    }
    return [
        Fetched(
            area=area,
            since=since[area],
            latest=None if (at := latest[area]) is None else from_microseconds(at),
            **{name: counts[area][name] for name in _COUNTS},
        )
        for area in since
    ]


_COUNTS = ("readings", "new", "changed", "known", "impossible", "repeated", "missing", "future")


def _judge(
    readings: Iterable[Reading],
    counts: Mapping[str, Counter[str]],
    *,
    provider: str,
    since: Mapping[str, datetime],
    until: datetime,
) -> dict[Key, dict[int, float]]:
    """Values by microsecond, by area and variable, of what can be real."""
    judged: dict[Key, dict[int, float]] = defaultdict(dict)
    problems: Counter[str] = Counter()
    for reading in readings:
        area, time, name, _, value = reading
        problem = _problem(reading, counts)
        if problem is not None:
            problems[problem] += 1
        elif value is None or value != value:  # noqa: PLR0124 - NaN is no value
            counts[area]["missing"] += since[area] <= time <= until
        elif time > until:
            counts[area]["future"] += 1
        elif time >= since[area]:
            counts[area]["readings"] += 1
            limits = VARIABLES[name]
            if not limits.minimum <= value <= limits.maximum:
                counts[area]["impossible"] += 1
                continue
            of_key, at = judged[area, name], to_microseconds(time)
            counts[area]["repeated"] += at in of_key
            of_key[at] = float(value)
    if problems:
        told = [f"{problem} ({n} times)" for problem, n in problems.most_common(PROBLEMS_TOLD)]
        more = len(problems) - len(told)
        raise ProviderError(provider, "; ".join(told) + (f"; and {more} more" if more else ""))
    return {key: values for key, values in judged.items() if values}


def _problem(reading: Reading, areas: Container[str]) -> str | None:
    """Why a reading cannot be understood."""
    area, name, unit = reading.area, reading.variable, reading.unit
    time: object = reading.time  # a provider of somebody else's may hand on anything
    value: object = reading.value
    if area not in areas:
        return f"found the area {area!r}, which nobody asked for"
    if name not in VARIABLES:
        return f"found the variable {name!r}; expected {', '.join(VARIABLES)}"
    if unit != VARIABLES[name].unit:
        return f"found {name} in {unit!r}; expected {VARIABLES[name].unit!r}"
    if not isinstance(time, datetime) or time.tzinfo is None:
        return f"found a time without a zone for {name} of {area}; expected one in UTC"
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        return f"found the value {value!r} for {name} of {area}; expected a number or none"
    return None


def _what_differs(
    store: ObservationStore, key: Key, values: Mapping[int, float], counts: Counter[str]
) -> tuple[Times, Values]:
    """What the database does not hold yet, or holds otherwise."""
    ordered = sorted(values)
    first, last = from_microseconds(ordered[0]) - MICROSECOND, from_microseconds(ordered[-1])
    known = dict(zip(*(each.tolist() for each in store.series(*key, first, last)), strict=True))
    fresh = [time for time in ordered if known.get(time) != values[time]]
    new = sum(time not in known for time in fresh)
    counts.update(new=new, changed=len(fresh) - new, known=len(values) - len(fresh))
    times = np.array(fresh, dtype=np.int64)
    return times, np.array([values[time] for time in fresh], dtype=np.float64)
