"""The applicability domain: the ranges of the inputs in training, and which a recipe declares.

A bound is the observed extreme of the training windows, without a margin; a reader adds its own.
Schemas before 0.3 have fields for the highest temperature and humidity alone,
``max_temperature_seen`` and ``max_humidity_seen``; these are written too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairweather_interface.metadata import Bounds

from fairweather_research.document import StrictModel
from fairweather_research.recipes.blueprint import Blueprint
from fairweather_research.recipes.recipe import Recipe

__all__ = ["Domain", "InputRange", "declared_domain", "widest_ranges"]

#: Variable -> the key, and the field of every schema, for its highest value.
_OLDER = {"temperature": "max_temperature_seen", "humidity": "max_humidity_seen"}


class InputRange(StrictModel):
    """The range of one input in windows, in the input's unit."""

    lowest: float
    highest: float
    missing: float  # the largest share of a window that was missing


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The bounds that a recipe asks for."""

    declared: dict[str, Any]  # by field of the metadata
    in_effect: dict[str, Bounds]  # of every input, by name, older fields included


def declared_domain(recipe: Recipe, ranges: Mapping[str, InputRange]) -> Domain:
    """Choose the bounds that the recipe declares, from the range of every input in training."""
    asked = recipe.applicability_domain
    bounds = {
        name: Bounds(
            minimum=one.lowest if "minimum" in asked else None,
            maximum=one.highest if "maximum" in asked else None,
            max_missing=one.missing if "max_missing" in asked else None,
        )
        for name, one in ranges.items()
    }
    inputs = recipe.blueprint.inputs
    older = {
        variable: max(
            (ranges[item.name].highest for item in inputs if item.variable == variable),
            default=None,
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


def widest_ranges(plan: Blueprint) -> dict[str, InputRange]:
    """Return ranges that demand the most of a reader; they stand in until training is done.

    No two inputs of one variable have the same highest value, so that the older fields, one for all
    of them, do not express the bound of each; and no window lacks a value.
    """
    return {
        item.name: InputRange(
            lowest=item.minimum,
            highest=item.maximum - position,
            missing=0.0,
        )
        for position, item in enumerate(plan.inputs)
    }
