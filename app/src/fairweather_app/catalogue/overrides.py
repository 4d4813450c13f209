"""The operator's file `override_cities`, which narrows the areas that deliveries serve.

The file, YAML, is keyed by delivery id or by model type::

    override_cities:
      2b0f1f6e-6b0c-4f0e-9d61-3f1f7d6a3c11: [JFK]    # serves JFK only, whatever else it declares
      SummerHumidityPredictor: []                    # serves nowhere

An override can only narrow: a city the model does not declare stays undeclared. When both the
id and the type of a delivery are named, a city must be in both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import yaml
from fairweather_interface.definitions import load_yaml
from fairweather_interface.metadata import ModelMetadata
from fairweather_interface.names import plain_name
from fairweather_interface.refusals import Code, Refusal

from fairweather_app.catalogue.entries import Entry
from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.errors import OverridesError

KEY = "override_cities"
MOST_COMPARED = 1000


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Cities by delivery id or model type, and the ids of `shadows`, which are never served."""

    cities: Mapping[str, frozenset[str]] = field(default_factory=dict)
    shadows: frozenset[str] = frozenset()

    def check(self, delivery: Entry | ModelMetadata, area: str) -> Refusal | None:
        """Refuse when an override keeps a delivery from serving an area that it declares."""
        if delivery.delivery_id in self.shadows:
            reason = "it is a shadow: it predicts beside the one that answers and is scored"
            return Refusal(code=Code.OVERRIDDEN, reason=reason)
        for name in (delivery.delivery_id, str(delivery.model_type)):
            allowed = self.cities.get(name)
            if allowed is not None and area not in allowed:
                to = ", ".join(sorted(allowed)) or "no city"
                return Refusal(code=Code.OVERRIDDEN, reason=f"the operator narrowed {name} to {to}")
        return None

    def find_unmatched(self, contents: Contents) -> Iterable[str]:
        """Yield a sentence for each name that no delivery of these contents has."""
        areas: dict[str, set[str]] = {}
        for each in contents.entries.values() if self.cities else ():
            for name in (each.delivery_id, str(each.model_type)):
                areas.setdefault(name, set()).update(each.areas)
        for name, cities in self.cities.items():
            if name not in areas:
                hint = _did_you_mean(name, areas)
                yield f"{KEY} names {name!r}, which is no delivery's id or model type{hint}"
            for city in cities - areas[name] if areas.get(name) else ():
                hint = _did_you_mean(city, areas[name])
                yield f"{KEY} narrows {name!r} to {city!r}, which it does not declare{hint}"
        for name in self.shadows - contents.entries.keys():
            yield f"FAIRWEATHER_SHADOW names {name}, which is no delivery's id"


def _did_you_mean(name: str, known: Collection[str]) -> str:
    folded = {each.casefold(): each for each in known}
    alike = [each for each in folded if each.startswith(name.casefold())]
    if len(known) <= MOST_COMPARED:
        alike += get_close_matches(name.casefold(), folded, n=1)
    return f"; did you mean {folded[alike[0]]!r}?" if alike else ""


def read_overrides(path: Path | None) -> Overrides:
    """Read the file of `override_cities`, or raise `OverridesError`; no file overrides nothing."""
    if path is None:
        return Overrides()
    expected = f"expected '{KEY}:' with lists of areas by delivery id or model type"
    try:
        document = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise OverridesError(path, f"cannot be read ({error}); {expected}") from None
    cities = document.get(KEY) if isinstance(document, dict) and len(document) == 1 else None
    if not isinstance(cities, dict):
        raise OverridesError(path, f"found {document!r}; {expected}")
    for name, areas in cities.items():
        if (
            not isinstance(name, str)
            or not isinstance(areas, list)
            or not all(isinstance(area, str) for area in areas)
        ):
            raise OverridesError(path, f"found {name!r}: {areas!r}; {expected}")
    plain = {name: frozenset(map(plain_name, areas)) for name, areas in cities.items()}
    return Overrides(cities=plain)
