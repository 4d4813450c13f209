"""Named capabilities: what a model can do beyond a plain forecast.

Taken from what its metadata say, never from a version: a newer schema that says the same has the
same capability, and an unknown `model_type` is served by what it declares. To add one, name it
here with the test that shows it; whoever uses it asks ``model.can(IT, variable)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fairweather_interface.metadata import ModelMetadata, Output, Quantile

MEDIAN = 0.5


@dataclass(frozen=True, slots=True)
class Capability:
    """A name for people and programs, and the test whether the metadata declare it of an output."""

    name: str
    declared: Callable[[ModelMetadata, Output], bool]


def band_of(metadata: ModelMetadata, output: Output) -> tuple[Quantile, Quantile] | None:
    """The outermost quantiles of an output, the lower first; None unless they enclose the median.

    All that an answer shows of a model's uncertainty: its lower and upper bound.
    """
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
    """Whether a model can do something: of `variable`, or of any that it forecasts."""
    return any(
        capability.declared(metadata, output)
        for output in metadata.outputs
        if variable is None or output.variable == variable
    )


def names_of(metadata: ModelMetadata) -> list[str]:
    """The names of everything that a model can."""
    return [each.name for each in CAPABILITIES if can(metadata, each)]
