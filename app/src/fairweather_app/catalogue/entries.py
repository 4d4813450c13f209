"""Entries: what the catalogue keeps of each delivery in memory, and in its index on disk.

An entry is small, because there may be tens of thousands: no metadata, no model. What selection,
ranking and listings need is written at ingestion, as one JSON record, and decoded on demand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Self

from fairweather_interface.applicability import start_months
from fairweather_interface.errors import FairweatherError
from fairweather_interface.metadata import ModelMetadata
from fairweather_interface.refusals import Code
from fairweather_interface.variables import VARIABLES, Variable
from pydantic import TypeAdapter

from fairweather_app.errors import RemoteUnavailableError
from fairweather_app.models_backend.capabilities import names_of
from fairweather_app.text import as_reason, mask

DECODED_AT_ONCE = 4096

Place = tuple[float, float, str]
"""Latitude, longitude, time zone."""


class State(StrEnum):
    """What became of a delivery; `meaning` is the state in words."""

    meaning: str

    LIVE = "live", "verified, proven to run here, and asked for its areas"
    REFUSED = "refused", "sound, and declined by this release"
    QUARANTINED = "quarantined", "something is wrong with the delivery itself"
    WITHDRAWN = "withdrawn", "taken out by the operator"

    def __new__(cls, value: str, meaning: str = "") -> Self:
        """Make a member of its value and its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedPerformance:
    """Performance that a delivery states for one area and variable."""

    evaluation_id: str
    skill: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """The part of a delivery's metadata that choosing and listing need.

    `performance` is by area and then by variable; times are POSIX times. `runtime` is what ran it
    at ingestion, from the artifact of a `format` and in so many bytes of `memory`; None when
    nothing could.
    """

    schema_version: str
    model_type: str
    topic: str
    author: str
    created_at: float
    areas: Mapping[str, Place]
    variables: tuple[str, ...]
    valid_months: tuple[int, ...]
    capabilities: tuple[str, ...]
    train_end_time: float
    synthetic: bool
    unknown_fields: tuple[str, ...]
    performance: Mapping[str, Mapping[str, StatedPerformance]]
    runtime: str | None
    format: str | None
    memory: int

    def skill(self, area: str, variable: str) -> float | None:
        """Return its held-out skill, None where it states none."""
        stated = self.performance.get(area, {}).get(variable)
        return None if stated is None else stated.skill


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustVerdict:
    """What the operator's keys say of a delivery.

    `problem` is why none vouches for it, None where one does: then `signed_by` are their names and
    `formats` what may run on their word. `signed_at` comes with a problem that time will solve.
    `evaluated` are the areas for which an evaluator vouches,
    None where no key is an evaluator's.
    """

    signed_by: tuple[str, ...] = ()
    signed_at: datetime | None = None
    formats: frozenset[str] = frozenset()
    evaluated: frozenset[str] | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True, weakref_slot=True, eq=False)
class Entry:
    """One delivery as the catalogue knows it.

    `code` and `reason` are None exactly when it is live. What follows them is there whenever its
    bytes were verified and its metadata read. An empty `fingerprint` equals no other: the delivery
    is ingested again. `rows` are of the variables that it declares and the contract lacks, as JSON.
    `envelope` is what lay beside its manifest. `trust` is None where no keys are asked; it is never
    in the index.
    """

    delivery_id: str
    state: State
    fingerprint: str
    code: Code | None = None
    reason: str | None = None
    digest: str | None = None
    model_type: str | None = None
    areas: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    rows: bytes = b""
    record: bytes = b""
    envelope: bytes = b""
    trust: TrustVerdict | None = None

    def __post_init__(self) -> None:
        """Bound the reason, a store's words or ours: every receipt of an area may repeat it."""
        if self.reason is not None:
            object.__setattr__(self, "reason", as_reason(self.reason))

    @property
    def live(self) -> bool:
        """Whether it can serve."""
        return self.state is State.LIVE

    @property
    def summary(self) -> str:
        """Its state in words: ``live``, ``withdrawn by …``, ``quarantined (corrupt): …``."""
        if self.live:
            return self.state.value
        if self.state is State.WITHDRAWN:  # the reason begins with the same word
            return str(self.reason)
        return f"{self.state} ({self.code}): {self.reason}"

    @property
    def signed_by(self) -> list[str] | None:
        """The names of the keys that vouch for it; None where none are asked."""
        return list(self.trust.signed_by) if self.trust else None

    def interval_counts(self, area: str) -> bool:
        """Return whether the intervals of skill that it states for an area may be compared."""
        return not self.trust or self.trust.evaluated is None or area in self.trust.evaluated

    def equals(self, other: Entry) -> bool:
        """Return whether two entries agree in every field."""
        return all(getattr(self, each.name) == getattr(other, each.name) for each in fields(Entry))

    @property
    def declared_variables(self) -> Mapping[str, Variable]:
        """The rows of the variables that it declares and the contract lacks, by name."""
        return _rows(self.rows) if self.rows else {}

    @property
    def declared(self) -> Declared | None:
        """What its metadata declare; None while they cannot be read."""
        return _decoded(self.record) if self.record else None


_RECORD = TypeAdapter(Declared)
_decoded = lru_cache(maxsize=DECODED_AT_ONCE)(_RECORD.validate_json)

_ROWS = TypeAdapter(dict[str, Variable])
_rows = lru_cache(maxsize=DECODED_AT_ONCE)(_ROWS.validate_json)


def describe_variables(metadata: ModelMetadata) -> bytes:
    """Return the rows that an entry keeps: empty where the contract knows all it declares."""
    declared = metadata.declared_variables or {}
    rows = {name: each.row(name) for name, each in declared.items() if name not in VARIABLES}
    return _ROWS.dump_json(rows) if rows else b""


def _whole_seconds(time: datetime) -> float:
    """Return a POSIX time that is a time again: a float would round the last of 9999 up."""
    return time.replace(microsecond=0).timestamp()


def describe(
    metadata: ModelMetadata, runtime: str | None, format_: str | None = None, memory: int = 0
) -> bytes:
    """Return the record of a delivery: `Declared`, as JSON."""
    performance: dict[str, dict[str, StatedPerformance]] = {}
    for each in metadata.performance:
        performance.setdefault(each.area, {})[each.variable] = StatedPerformance(
            evaluation_id=each.evaluation_id, skill=each.skill, interval=each.skill_interval
        )
    declared = Declared(
        schema_version=metadata.schema_version,
        model_type=metadata.model_type,
        topic=metadata.topic or "",
        author=metadata.author,
        created_at=_whole_seconds(metadata.created_at),
        areas={
            name: (area.latitude, area.longitude, area.timezone)
            for name, area in metadata.areas.items()
        },
        variables=metadata.variables,
        valid_months=start_months(metadata),
        capabilities=tuple(names_of(metadata)),
        train_end_time=_whole_seconds(metadata.training.train_end_time),
        synthetic=metadata.training.synthetic,
        unknown_fields=tuple(metadata.unknown_fields),
        performance=performance,
        runtime=runtime,
        format=format_,
        memory=memory,
    )
    return _RECORD.dump_json(declared)


def failed_entry(delivery_id: str, error: Exception, known: Entry | None = None) -> Entry:
    """Return the entry of a delivery on which a pass failed; every pass tries it again.

    What says nothing about its bytes leaves a live one live. One that fails as before stays the
    same entry.
    """
    code, reason = Code.RUNTIME_UNAVAILABLE, cause_of(error)
    if isinstance(error, FairweatherError):
        code, reason = Code.CORRUPT, "; ".join(error.problems)
    elif known is not None and known.live:
        return known
    elif not isinstance(error, OSError):
        code, reason = Code.CORRUPT, f"this release failed on it: {reason}"
    elif not isinstance(error, RemoteUnavailableError):
        reason = f"it could not be read or copied yet ({reason})"
    entry = Entry(
        delivery_id=delivery_id,
        state=State.QUARANTINED,
        fingerprint="",
        code=code,
        reason=f"{reason}; it is tried again at every store scan",
    )
    return known if known is not None and known.equals(entry) else entry


def cause_of(error: Exception) -> str:
    """Return the cause without paths: those of a staged copy differ in every pass."""
    if not isinstance(error, OSError):
        return mask(f"{type(error).__name__}: {error}")
    if error.strerror:
        return error.strerror
    found = re.search(r"\[Errno \d+\] ([^:'\"]+)", str(error))  # of many files: shutil.Error
    return found.group(1) if found else mask(str(error))
