"""Write names, numbers and lists for people, as pure functions.

The minus is a real minus sign, and units stand after a no-break space.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from fairweather_interface.variables import VARIABLES, Variable

from fairweather_app.web.layout.local_time import NO_BREAK

MAIN = next(iter(VARIABLES))
"""The variable that pages lead with: the first one of the contract."""

MINUS = "\N{MINUS SIGN}"
NO_VALUE = "\N{EN DASH}"
_WHOLE = 100.0
"""From here on values are shown without decimals."""

_PER = re.compile(r"^(\w+) (\w+)-1$")
_WORD = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*[.,:;!?]?(?=\s|$)")


def label(variable: str, variables: Mapping[str, Variable] = VARIABLES) -> str:
    """Return what people call a variable: ``Temperature``; an unknown one by its own name."""
    known = variables.get(variable)
    name = known.label if known else variable.replace("_", " ")
    return name[:1].upper() + name[1:]


def symbol(variable: str, unit: str) -> str:
    """Return what people write for a unit: ``°C`` where it is the variable's, else ``mm/s``."""
    known = VARIABLES.get(variable)
    if known and known.unit == unit:
        return known.symbol
    return "" if unit == "1" else _PER.sub(r"\1/\2", unit)


def error_symbol(symbol: str) -> str:
    """Return the unit of a difference: ``percentage points`` of what is in per cent."""
    return "percentage points" if symbol == "%" else symbol


def digits(
    variable: str,
    more: int = 0,
    *,
    among: Iterable[float | None] = (),
    variables: Mapping[str, Variable] = VARIABLES,
) -> int:
    """Return how many decimals a variable is written with, `more` where detail is wanted.

    A variable that the contract does not know has as many as the largest value `among` those shown
    needs, and no fewer than its row in `variables` has: none from 100 up, one from 1 up, two
    significant ones below.
    """
    known = variables.get(variable)
    least = known.digits if known else 0
    largest = max((abs(value) for value in among if value is not None), default=_WHOLE)
    if variable in VARIABLES or largest == 0 or largest >= _WHOLE:
        return more + least
    return more + max(least, 1 if largest >= 1 else 1 - math.floor(math.log10(largest)))


def number(value: float | None, digits: int = 0) -> str:
    """Return ``4.2``, with a real minus below zero; a dash without a value; zero has no sign."""
    if value is None:
        return NO_VALUE
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and float(text) else text


def quantity(value: float | None, unit: str, digits: int = 0) -> str:
    """Return ``4 °C``; of what has no unit, such as a share, the number alone."""
    return f"{number(value, digits)}{NO_BREAK}{unit}".rstrip(NO_BREAK)


def span(low: float, high: float, unit: str, digits: int = 0) -> str:
    """Return ``4 to 9 °C``, or ``4 °C`` when both round to the same number."""
    if number(low, digits) == number(high, digits):
        return quantity(low, unit, digits)
    return f"{number(low, digits)}{NO_BREAK}to{NO_BREAK}{quantity(high, unit, digits)}"


_BASELINES = {"persistence": "Same as yesterday", "climatology": "Usual for the season"}


def baseline(name: str) -> str:
    """Return what people call a simple guess that a model is compared with."""
    return _BASELINES.get(name, name)


def percent(share: float) -> str:
    """Return ``10 %`` of a share of 1."""
    return f"{100 * share:.3g}{NO_BREAK}%"


def listed(words: Sequence[str]) -> str:
    """Return ``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:  # noqa: PLR2004 - one word needs no conjunction
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def counted(count: int, word: str, plural: str = "") -> str:
    """Return ``1 model``, ``3 models``, ``2 deliveries``."""
    return f"{count} {word if count == 1 else plural or word + 's'}"


def duration(span: timedelta) -> str:
    """Return ``7 days``, ``1 hour``, ``90 minutes``; in the largest unit that is whole."""
    for word in ("day", "hour", "minute"):
        size = timedelta(**{f"{word}s": 1})
        if span >= size and not span % size:
            return counted(span // size, word)
    return counted(round(span.total_seconds()), "second")


def sentence(text: str) -> str:
    """Return a reason as a sentence: a full stop at the end, its first word raised.

    A name that the reason begins with (``model.onnx``, ``area_index``) stays as it is.
    """
    text = text.strip()
    raised = text[:1].upper() + text[1:] if _WORD.match(text) else text
    return raised if raised.endswith((".", "!", "?")) else f"{raised}."
