"""Write the pages' sentences about numbers, as pure functions.

Numbers are rounded to what a forecast can carry, the minus is a real minus sign, and units stand
after a no-break space.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from datetime import datetime

from fairweather_interface.definitions import VARIABLES

from fairweather_app.web.layout.local_time import (
    NO_BREAK,
    date_name,
)

MINUS = "\N{MINUS SIGN}"

NOTHING = "\N{EN DASH}"

_WORD = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*[.,:;!?]?(?=\s|$)")


def label(variable: str) -> str:
    """What people call a variable: ``Temperature``; an unknown one by its own name."""
    known = VARIABLES.get(variable)
    name = known.label if known else variable.replace("_", " ")
    return name[:1].upper() + name[1:]


def symbol(variable: str, unit: str) -> str:
    """What people write for a unit (``°C``), where it is the variable's own; else the unit."""
    known = VARIABLES.get(variable)
    return known.symbol if known and known.unit == unit else unit


def number(value: float | None, digits: int = 0) -> str:
    """``4.2``, with a real minus below zero; a dash without a value; zero has no sign."""
    if value is None:
        return NOTHING
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and float(text) else text


def quantity(value: float | None, unit: str) -> str:
    """``4 °C``."""
    return f"{number(value)}{NO_BREAK}{unit}"


def span(low: float | None, high: float | None, unit: str) -> str:
    """``4 to 9 °C``, or ``4 °C`` when both round to the same number."""
    if number(low) == number(high):
        return quantity(low, unit)
    return f"{number(low)}{NO_BREAK}to{NO_BREAK}{quantity(high, unit)}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:  # noqa: PLR2004 - one word needs no conjunction
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def counted(count: int, word: str, plural: str = "") -> str:
    """``1 model``, ``3 models``, ``2 deliveries``."""
    return f"{count} {word if count == 1 else plural or word + 's'}"


def sentence(text: str) -> str:
    """A reason as a sentence of its own: a full stop at the end, its first word raised.

    A name that the reason begins with (``model.onnx``, ``area_index``) stays as it is.
    """
    text = text.strip()
    raised = text[:1].upper() + text[1:] if _WORD.match(text) else text
    return raised if raised.endswith((".", "!", "?")) else f"{raised}."


def trained_until(time: datetime) -> str:
    """``learned from weather until 30 September 2013`` is said with this date, UTC."""
    return date_name(time.date())


def in_counts(counts: dict[str, int]) -> str:
    """Return how many refused with each code: ``2 area-not-declared and 1 out-of-season``."""
    return listed([f"{count} {code}" for code, count in counts.items()])


def why_command(area: str) -> str:
    """Return the command that lists every delivery passed over for an area."""
    return f"flask --app fairweather_app models why {shlex.quote(area)}"


def how_many(counts: dict[str, int]) -> str:
    """Return the title of the list in a receipt: ``3 models were passed over``."""
    total = sum(counts.values())
    return f"{counted(total, 'model')} {'was' if total == 1 else 'were'} passed over"
