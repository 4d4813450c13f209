"""The applicability domain: what training has seen of every input, and what of it is declared.

A bound is a fact about the training windows, as observed: no margin is added; whoever serves the
model adds its own. What schemas before 0.3 can say is said in their words as well: the highest
temperature and humidity, as ``max_temperature_seen`` and ``max_humidity_seen``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairweather_interface.definitions import VARIABLES
from fairweather_interface.metadata import Bounds

from fairweather_research.document import StrictModel
from fairweather_research.recipes.blueprint import Blueprint
from fairweather_research.recipes.recipe import Recipe

__all__ = ["Domain", "Seen", "declared_domain", "worst_seen"]


#: The key, and the field, that says the highest value of a variable to readers of any schema.
_OLDER = {"temperature": "max_temperature_seen", "humidity": "max_humidity_seen"}


class Seen(StrictModel):
    """What all training windows of one input held, in the input's unit."""

    lowest: float
    highest: float
    missing: float  # the largest share of a window that was missing


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The bounds that a recipe asks for."""

    declared: dict[str, Any]  # in the words of the metadata, by field
    in_effect: dict[str, Bounds]  # all of them together, by input name, of every input


def declared_domain(recipe: Recipe, seen: Mapping[str, Seen]) -> Domain:
    """Choose, of what was seen of every input, what the recipe declares."""
    asked = recipe.applicability_domain
    bounds = {
        name: Bounds(
            minimum=one.lowest if "minimum" in asked else None,
            maximum=one.highest if "maximum" in asked else None,
            max_missing=one.missing if "max_missing" in asked else None,
        )
        for name, one in seen.items()
    }
    inputs = recipe.blueprint.inputs
    older = {
        variable: max(
            (seen[item.name].highest for item in inputs if item.variable == variable), default=None
        )
        for variable, field in _OLDER.items()
        if getattr(recipe, field) or "maximum" in asked
    }
    return Domain(
        declared={
            "applicability_domain": bounds if asked else None,
            **{field: older.get(variable) for variable, field in _OLDER.items()},
        },
        in_effect={
            item.name: bounds[item.name]
            if "maximum" in asked
            else bounds[item.name].model_copy(update={"maximum": older.get(item.variable)})
            for item in inputs
        },
    )


def worst_seen(plan: Blueprint) -> dict[str, Seen]:
    """What training could see that asks the most of a reader; it stands in until training is done.

    No two inputs of one variable reach the same highest value, so that the older words, which hold
    for all of them, do not say what each one's own bound does; and no window lacks a value.
    """
    return {
        item.name: Seen(
            lowest=VARIABLES[item.variable].minimum,
            highest=VARIABLES[item.variable].maximum - position,
            missing=0.0,
        )
        for position, item in enumerate(plan.inputs)
    }
