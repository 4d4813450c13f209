"""Check the readings of a provider and store them.

Laws:

- All readings can be understood, or none is stored: an unknown variable, another unit, a time
  without a zone, a value that is no number or an area that was not requested is an error.
- A value that cannot be real is dropped and counted; so is one of the future, which is no
  observation. A time without a value is no observation either.
- A repeated time is merged and counted; where values differ, the later one counts.
- Only new and changed values are written: fetching again writes nothing, and no window is computed
  again.
- All readings are there within `FETCH_SECONDS`, or none is stored.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from fairweather_interface.errors import short
from fairweather_interface.variables import VARIABLES, Variable

from fairweather_app.common.time_limit import TimeLimit
from fairweather_app.common.times import MICROSECOND, from_microseconds, to_microseconds
from fairweather_app.errors import GivenUpError, ProviderError
from fairweather_app.observations.providers import Reading
from fairweather_app.observations.store import Archive, Key, ObservationStore, Times, Values

PROBLEMS_SHOWN = 5
PROBLEMS_COUNTED = 1000
FETCH_SECONDS = 300.0


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


def store_readings(
    store: ObservationStore,
    readings: Iterable[Reading],
    *,
    provider: str,
    since: Mapping[str, datetime],
    until: datetime,
    variables: Mapping[str, Variable] = VARIABLES,
) -> list[Fetched]:
    """Check the readings of a provider and store them, all or none.

    `since` are the requested areas, each with the earliest time that is stored; `until` is now;
    `variables` are the rows of those that are known. The result has an entry for each area of
    `since`, in that order. What cannot be understood is listed by a `ProviderError`; a variable
    that is stored in another unit is `ArchiveError`.
    """
    counts: dict[str, Counter[str]] = {area: Counter() for area in since}

    def check() -> dict[Key, dict[int, float]]:
        return _check(readings, counts, variables, provider=provider, since=since, until=until)

    try:
        valid = TimeLimit(FETCH_SECONDS, pause=0).run(provider, check)
    except GivenUpError:
        why = f"it took more than {FETCH_SECONDS:g} s in all; fetch fewer areas or a later --since"
        raise ProviderError(provider, why) from None
    fresh: dict[Key, tuple[Times, Values]] = {}
    latest: dict[str, datetime] = {}
    for (area, variable), values in valid.items():
        times = _changed_times(store, (area, variable), values, counts[area])
        if times:
            fresh[area, variable] = np.array(times), np.array([values[time] for time in times])
        last = from_microseconds(max(values))
        latest[area] = max(last, latest.get(area, last))
    if fresh:
        names = {name for _, name in fresh} - VARIABLES.keys()
        units = {name: variables[name].unit for name in sorted(names)}
        store.add(Archive(path=Path(provider), series=fresh, units=units, provider=provider))
    return [
        Fetched(
            area=area,
            since=since[area],
            latest=latest.get(area),
            **{name: counts[area][name] for name in _COUNTS},
        )
        for area in since
    ]


_COUNTS = ("readings", "new", "changed", "known", "impossible", "repeated", "missing", "future")


def _check(
    readings: Iterable[Reading],
    counts: Mapping[str, Counter[str]],
    variables: Mapping[str, Variable],
    *,
    provider: str,
    since: Mapping[str, datetime],
    until: datetime,
) -> dict[Key, dict[int, float]]:
    """Return the possible values by microsecond, by area and variable; count all readings."""
    valid: dict[Key, dict[int, float]] = defaultdict(dict)
    problems: Counter[str] = Counter()
    for reading in readings:
        area, time, name, _, value = reading
        problem = _problem(reading, counts, variables)
        if problem is not None:
            problems[problem] += 1
            if len(problems) > PROBLEMS_COUNTED:
                break
        elif value is None or value != value:  # noqa: PLR0124 - NaN is no value
            counts[area]["missing"] += since[area] <= time <= until
        elif time > until:
            counts[area]["future"] += 1
        elif time >= since[area]:
            counts[area]["readings"] += 1
            limits = variables[name]
            if not limits.minimum <= value <= limits.maximum:
                counts[area]["impossible"] += 1
                continue
            series, at = valid[area, name], to_microseconds(time)
            counts[area]["repeated"] += at in series
            series[at] = float(value)
    if problems:
        shown = [f"{problem} ({n} times)" for problem, n in problems.most_common(PROBLEMS_SHOWN)]
        more = len(problems) - len(shown)
        raise ProviderError(provider, "; ".join(shown) + (f"; and {more} more" if more else ""))
    return valid


def _problem(
    reading: Reading, areas: Container[str], variables: Mapping[str, Variable]
) -> str | None:
    area, name, unit = reading.area, reading.variable, reading.unit
    time: object = reading.time  # a foreign provider may yield anything
    value: object = reading.value
    if area not in areas:
        return f"found the area {short(area)}, which nobody asked for"
    if name not in variables:
        return f"found the variable {short(name)}; expected {', '.join(variables)}"
    if unit != variables[name].unit:
        return f"found {name} in {short(unit)}; expected {variables[name].unit!r}"
    if not isinstance(time, datetime) or time.tzinfo is None:
        return f"found a time without a zone for {name} of {area}; expected one in UTC"
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        return f"found the value {short(value)} for {name} of {area}; expected a number or none"
    return None


def _changed_times(
    store: ObservationStore, key: Key, values: Mapping[int, float], counts: Counter[str]
) -> list[int]:
    """Return the times whose value the database lacks or has otherwise, in order; count them."""
    ordered = sorted(values)
    first, last = from_microseconds(ordered[0]) - MICROSECOND, from_microseconds(ordered[-1])
    known = dict(zip(*(each.tolist() for each in store.series(*key, first, last)), strict=True))
    fresh = [time for time in ordered if known.get(time) != values[time]]
    new = sum(time not in known for time in fresh)
    counts.update(new=new, changed=len(fresh) - new, known=len(values) - len(fresh))
    return fresh
