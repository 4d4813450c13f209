"""The types of a recipe's values, and the sentences about what each does not accept."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal

from fairweather_interface.durations import format_duration, parse_duration
from fairweather_interface.errors import DurationError, short
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from fairweather_research.document import Duration
from fairweather_research.networks.base import NETWORKS, PLUGGED

_MOST_NAMES = 1000  # areas of a delivery that apps take

#: A ``max_age`` that training finds.
MEASURED = "measured"


def _ascending(months: tuple[int, ...]) -> tuple[int, ...]:
    if not months or set(months) - set(range(1, 13)) or len(set(months)) != len(months):
        raise ValueError(
            f"found {short(list(months))}, expected months from 1 to 12, each once; "
            "write, for example, [12, 1, 2]"
        )
    return tuple(sorted(months))


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) > _MOST_NAMES:
        raise ValueError(f"found {len(names):,} names, expected at most {_MOST_NAMES:,}")
    names = tuple(unicodedata.normalize("NFC", name) for name in names)
    if len(set(names)) != len(names):
        raise ValueError(f"found {short(list(names))}, expected each name once")
    return names


def _on_both_sides(probabilities: tuple[float, ...]) -> tuple[float, ...]:
    problems = {
        "probabilities above 0 and below 1": not all(0 < p < 1 for p in probabilities),
        "them ascending, each once": any(low >= high for low, high in pairwise(probabilities)),
        "none of 0.5: the forecast itself is the middle": 0.5 in probabilities,  # noqa: PLR2004
        "at least one below and one above 0.5, the two edges of a band": bool(probabilities)
        and not probabilities[0] < 0.5 < probabilities[-1],  # noqa: PLR2004
    }
    for expected, is_wrong in problems.items():
        if is_wrong:
            raise ValueError(
                f"found {short(list(probabilities))}, expected {expected}; write, for example, "
                "[0.1, 0.9]"
            )
    return probabilities


def _network(name: str) -> str:
    if name not in NETWORKS and not PLUGGED.match(name):
        raise ValueError(
            f"found {name!r}, expected one of {', '.join(NETWORKS)}, or a callable of your own as "
            "package.module:callable"
        )
    return name


def _spdx(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.+:() -]+", text):
        raise ValueError(
            f"found {text!r}, expected an SPDX expression; write, for example, CC-BY-4.0"
        )
    return text


def _max_age(text: object) -> object:
    if text is None or text == MEASURED:
        return text
    try:
        return parse_duration(text)
    except DurationError as error:
        raise ValueError(
            f"found {short(text)}, expected a duration above zero or `{MEASURED}`; write, for "
            "example, 3 hours, or take it out where any age will do"
        ) from error


def _years(text: object) -> object:
    years = re.fullmatch(r"([1-9][0-9]?) years?", text) if isinstance(text, str) else None
    return f"{365 * int(years[1])} days" if years else text


#: A duration that may also be said in years, of 365 days.
Years = Annotated[Duration, BeforeValidator(_years)]
Months = Annotated[tuple[int, ...], AfterValidator(_ascending)]
Names = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_each_once)]
Network = Annotated[str, Field(max_length=200), AfterValidator(_network)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Quantiles = Annotated[tuple[float, ...], AfterValidator(_on_both_sides)]
MaxAge = Annotated[
    timedelta | Literal["measured"] | None,
    BeforeValidator(_max_age),
    PlainSerializer(lambda age: format_duration(age) if isinstance(age, timedelta) else age),
]
Prose = Annotated[str, Field(min_length=1, max_length=10_000)] | None
Licence = Annotated[Text, AfterValidator(_spdx)]
Bounds = Annotated[
    tuple[Literal["minimum", "maximum", "max_missing"], ...], AfterValidator(_each_once)
]
