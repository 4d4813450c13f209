"""The variables that models observe and forecast: one table, ``data/variables.yaml``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import Annotated, Any

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
        margin: how far beyond a declared bound software goes by default, in ``unit``.
        digits: how many decimals people are shown; by default two of a range of 1, one of 10 and
            none of 100.
        extremes: what people call its lowest and its highest value.
    """

    name: str
    unit: Annotated[str, Field(min_length=1, max_length=200)]
    minimum: _Number
    maximum: _Number
    symbol: str = ""
    label: Annotated[str, Field(max_length=200)] = ""
    standard_name: str = ""
    largest_step: LargestStep | None = None
    stuck: _Duration | None = None
    still: tuple[_Number, _Number] | None = None
    conversions: tuple[Conversion, ...] = ()
    margin: Annotated[_Number, Field(ge=0)] = 0.0
    digits: Annotated[int, Field(ge=0)] = -1
    extremes: tuple[str, str] = ("lowest", "highest")

    def __post_init__(self) -> None:
        """Fill in how people write it; refuse limits that hold no value."""
        if self.minimum >= self.maximum:
            raise ValueError(f"found {self.minimum:g} to {self.maximum:g}, expected a range")
        object.__setattr__(self, "symbol", self.symbol or self.unit)
        if self.digits < 0:
            size = min(max(self.maximum - self.minimum, 1e-4), 100.0)
            object.__setattr__(self, "digits", 2 - math.floor(math.log10(size)))
        object.__setattr__(self, "label", self.label or self.name.replace("_", " ").capitalize())


_TABLE = TypeAdapter(dict[str, Variable])
_ROW = TypeAdapter(Variable)


def parse_variables(
    document: Mapping[str, Any], *, source: str, strict: bool = False
) -> dict[str, Variable]:
    """Return the variables of a table, by name: plain data as read from YAML.

    Columns that are not known are ignored, but refused where the table is ``strict``.

    Raises:
        DefinitionsError: a column is missing or wrong; ``problems`` lists each with its place.
    """
    try:
        return _TABLE.validate_python(named_rows(document), extra="forbid" if strict else "ignore")
    except ValidationError as error:
        problems = problems_of(error)
    raise DefinitionsError(
        listed(f"found variables we cannot use in {source}:", problems), problems=problems
    )


def named_rows(table: Any) -> Any:  # noqa: ANN401 - YAML data
    """Return a table whose rows hold their own names; what is no table or no row stays."""
    if not isinstance(table, Mapping):
        return table
    return {
        name: {**row, "name": name} if isinstance(row, Mapping) else row
        for name, row in table.items()
    }


def plain_variable(variable: Variable) -> dict[str, Any]:
    """Return the columns that :func:`parse_variables` reads back to the same row."""
    needed = {name: getattr(variable, name) for name in ("unit", "minimum", "maximum")}
    usual = _ROW.dump_python(Variable(name=variable.name, **needed), mode="json")
    columns: dict[str, Any] = _ROW.dump_python(variable, mode="json")
    return needed | {name: value for name, value in columns.items() if value != usual[name]}


def conflicts(declared: Mapping[str, Variable], known: Mapping[str, Variable]) -> tuple[str, ...]:
    """Return a sentence for each variable that two tables give another unit or other limits."""

    def limits(row: Variable) -> str:
        return f"{row.minimum:.15g} to {row.maximum:.15g} {row.unit}"

    return tuple(
        f"found {name} from {limits(row)}, expected {limits(known[name])}, as it is known already: "
        "give the variable another name, or the same unit and limits"
        for name, row in declared.items()
        if name in known and limits(row) != limits(known[name])
    )


_PACKAGED = resources.files("fairweather_interface") / "data" / "variables.yaml"
VARIABLES: Mapping[str, Variable] = parse_variables(
    yaml.safe_load(_PACKAGED.read_text(encoding="utf-8")), source="variables.yaml", strict=True
)
"""Every variable the contract knows, by name; pages lead with the first."""
