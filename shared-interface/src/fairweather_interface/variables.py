"""The variables that models observe and forecast: one table, ``data/variables.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from importlib import resources
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, PlainSerializer, TypeAdapter, ValidationError

from fairweather_interface.durations import format_duration, parse_duration
from fairweather_interface.errors import DefinitionsError, listed
from fairweather_interface.problems import problems_of

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, when_used="json")
]


@dataclass(frozen=True, kw_only=True, slots=True)
class LargestStep:
    """How far a variable moves between neighbouring values, in its unit, for quality control.

    Attributes:
        minute: within one minute.
        hour: within one hour or more; between the two it grows with the logarithm of the time.
    """

    minute: Annotated[_Number, Field(gt=0)]
    hour: Annotated[_Number, Field(gt=0)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """A unit that data may come in: ``factor * value + offset`` is the value in the declared unit.

    Attributes:
        unit: the other unit, as UDUNITS writes it.
        factor: what a value in that unit is multiplied with.
        offset: what is added then, in the declared unit.
    """

    unit: str
    factor: _Number = 1.0
    offset: _Number = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """A quantity that is observed and forecast; no reader needs more than name and unit.

    Attributes:
        name: our name for it.
        unit: its UDUNITS unit everywhere in data.
        minimum: the lowest value that can be real, in ``unit``.
        maximum: the highest, in ``unit`` (both after WMO-No. 8 as Zahumensky quotes it).
        symbol: the unit as people write it; by default ``unit``.
        label: the name as people write it; by default made of ``name``.
        standard_name: its name in the CF conventions; empty where it has none.
        largest_step: for the test of spikes; absent: not tested.
        stuck: how long a sensor may report one value; absent: not tested.
        still: from and to which value, in ``unit``, it may report one for longer.
        conversions: other units that its data may come in.
        reduce: how the observations within a sample become one value.
        margin: how far beyond a declared bound software goes by default, in ``unit``.
        digits: how many decimals people are shown.
        extremes: what people call its lowest and its highest value.
    """

    name: str
    unit: str
    minimum: _Number
    maximum: _Number
    symbol: str
    label: str
    standard_name: str = ""
    largest_step: LargestStep | None = None
    stuck: _Duration | None = None
    still: tuple[_Number, _Number] | None = None
    conversions: tuple[Conversion, ...] = ()
    reduce: Literal["mean", "sum"] = "mean"
    margin: Annotated[_Number, Field(ge=0)] = 0.0
    digits: Annotated[int, Field(ge=0)] = 0
    extremes: tuple[str, str] = ("lowest", "highest")


_ROW = TypeAdapter(Variable)
_COLUMNS = tuple(field.name for field in fields(Variable) if field.name != "name")


def parse_variables(
    document: Mapping[str, Any], *, source: str, strict: bool = False
) -> dict[str, Variable]:
    """Return the variables of a table, by name: plain data as read from YAML.

    Columns that are not known are ignored, but refused where the table is ``strict``.

    Raises:
        DefinitionsError: a column is missing or wrong; ``problems`` lists each with its place.
    """
    found: dict[str, Variable] = {}
    problems: list[str] = []
    for name, given in document.items():
        columns = given if isinstance(given, dict) else {}
        problems += [
            f"{name}.{column}: found a column we do not know, expected {', '.join(_COLUMNS)}"
            for column in columns
            if strict and column not in _COLUMNS
        ]
        try:
            row = _ROW.validate_python({**_usual(name, columns), **columns, "name": name})
        except ValidationError as error:
            problems += problems_of(error, str(name))
            continue
        if row.minimum >= row.maximum:
            problems.append(f"{name}: found {row.minimum:g} to {row.maximum:g}, expected a range")
        found[name] = row
    if problems:
        raise DefinitionsError(
            listed(f"found variables we cannot use in {source}:", tuple(problems)),
            problems=tuple(problems),
        )
    return found


def plain_variable(variable: Variable) -> dict[str, Any]:
    """Return the columns that :func:`parse_variables` reads back to the same row."""
    columns: dict[str, Any] = _ROW.dump_python(variable, mode="json", exclude_defaults=True)
    usual = _usual(columns.pop("name"), columns)
    return {name: value for name, value in columns.items() if usual.get(name) != value}


def conflicts(declared: Mapping[str, Variable], known: Mapping[str, Variable]) -> tuple[str, ...]:
    """Return a sentence for each variable that two tables give another unit or other limits."""
    said = {
        name: tuple(f"{row.minimum:g} to {row.maximum:g} {row.unit}" for row in (ours, known[name]))
        for name, ours in declared.items()
        if name in known
    }
    return tuple(
        f"found {name} from {ours}, expected {theirs}, as it is known already: give the variable "
        "another name, or the same unit and limits"
        for name, (ours, theirs) in said.items()
        if ours != theirs
    )


def _usual(name: object, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that follow from others where a row does not hold them."""
    return {
        "symbol": columns.get("unit"),
        "label": str(name).replace("_", " ").capitalize(),
    }


_PACKAGED = resources.files("fairweather_interface") / "data" / "variables.yaml"
VARIABLES: Mapping[str, Variable] = parse_variables(
    yaml.safe_load(_PACKAGED.read_text(encoding="utf-8")), source="variables.yaml", strict=True
)
"""Every variable the contract knows, by name; pages lead with the first."""
