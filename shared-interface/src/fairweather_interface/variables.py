"""The variables that models observe and forecast, each with the unit it has everywhere in data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import yaml


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """A quantity that is observed and forecast.

    Attributes:
        name: our name for it.
        unit: its UDUNITS unit everywhere in data.
        standard_name: its name in the CF conventions.
        minimum: the lowest value that can be real, in ``unit``.
        maximum: the highest, in ``unit`` (both after WMO-No. 8 as Zahumensky quotes it).
        symbol: the unit as people write it.
        label: the name as people write it.
    """

    name: str
    unit: str
    standard_name: str
    minimum: float
    maximum: float
    symbol: str
    label: str


_PACKAGED = resources.files("fairweather_interface") / "data" / "variables.yaml"
VARIABLES: Mapping[str, Variable] = {
    name: Variable(name=name, **fields)
    for name, fields in yaml.safe_load(_PACKAGED.read_text(encoding="utf-8")).items()
}
"""Every variable the contract knows, by name."""
