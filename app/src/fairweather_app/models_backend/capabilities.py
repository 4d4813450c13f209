"""Named capabilities: what a model can do beyond a plain forecast.

They follow from the metadata's fields, never from a version or a `model_type`: a newer schema with
the same fields has the same capability. To add one, name it here with its test; callers use
``model.can(IT, variable)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fairweather_interface.metadata import ModelMetadata, Output, Quantile

MEDIAN = 0.5


@dataclass(frozen=True, slots=True)
class Capability:
    """A name, and the test whether the metadata declare it of an output."""

    name: str
    declared: Callable[[ModelMetadata, Output], bool]


def band_of(metadata: ModelMetadata, output: Output) -> tuple[Quantile, Quantile] | None:
    """Return the outermost quantiles of an output, its bounds, if they enclose the median."""
    quantiles = metadata.quantiles(output.name)  # the lowest first
    if not quantiles or not quantiles[0].probability < MEDIAN < quantiles[-1].probability:
        return None
    return quantiles[0], quantiles[-1]


UNCERTAINTY = Capability(
    "uncertainty", lambda metadata, output: band_of(metadata, output) is not None
)
"""It gives a lower and an upper bound beside the value."""

CAPABILITIES = (UNCERTAINTY,)


def can(metadata: ModelMetadata, capability: Capability, variable: str | None = None) -> bool:
    """Return whether a model has a capability: for `variable`, or for any that it forecasts."""
    return any(
        capability.declared(metadata, output)
        for output in metadata.outputs
        if variable is None or output.variable == variable
    )


def names_of(metadata: ModelMetadata) -> list[str]:
    """List the names of a model's capabilities."""
    return [each.name for each in CAPABILITIES if can(metadata, each)]
