"""The laws that documents keep from schema 1.0 on, and that older ones may break.

Software may refuse by them what an older document declares; it is read all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from fairweather_interface.errors import short
from fairweather_interface.metadata.evidence import Performance, Tolerance, Training
from fairweather_interface.names import parse_name
from fairweather_interface.variables import Variable
from fairweather_interface.versions import SchemaVersion

LAWS_SINCE = SchemaVersion(1, 0)
MOST_AREAS = 1000
LOWEST_SKILL = -1e6
WIDEST_TOLERANCE = 0.01
"""The share of its variable's range that the tolerance of an output may be."""


def area_problems(areas: Collection[str], members: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with the names of areas, and of the members of regions."""
    if len(areas) > MOST_AREAS:
        yield f"areas: found {len(areas)}, expected at most {MOST_AREAS}"
    for name in dict.fromkeys((*areas, *members)):
        try:
            plain = parse_name(name)
        except ValueError as error:
            yield f"areas: {error}"
            continue
        if plain != name:
            yield f"areas: found {name!a}, expected its one spelling, {short(plain)}"


def time_problems(created_at: datetime, training: Training) -> Iterator[str]:
    """Yield times that are out of order."""
    if training.train_end_time > created_at:
        yield f"training.train_end_time: found {training.train_end_time}, after the model was made"


def skill_problems(performance: Iterable[Performance]) -> Iterator[str]:
    """Yield skills that no comparison gives."""
    for place, row in enumerate(performance):
        low = min(row.skill or 0.0, *(row.skill_interval or (0.0,)))
        if low < LOWEST_SKILL:
            yield f"performance[{place}]: found the skill {low:g}, expected from {LOWEST_SKILL:g}"


def tolerance_problems(
    tolerance: Mapping[str, Tolerance], variables: Mapping[str, Variable | None]
) -> Iterator[str]:
    """Yield tolerances that hide a wrong runtime; `variables` are those of tensors, by name."""
    for name, row in variables.items():
        allowed = tolerance.get(name)
        if row is None or allowed is None:
            continue
        widest = WIDEST_TOLERANCE * (row.maximum - row.minimum)
        most = allowed.absolute + allowed.relative * max(abs(row.minimum), abs(row.maximum))
        if most > widest:
            yield f"tolerance: found {most:g} {row.unit} for {name!r}, expected 1 % of its range"
