"""The one spelling of a name: in definitions, archives, requests, addresses and commands.

A released schema takes any text as the name of an area. What two people type as one name may be
several texts: a blank before it, a no-break space in it, accents composed or not. Each reader and
writer takes a name by :func:`parse_name`, and a reader the areas of metadata by
``metadata.with_plain_areas``, so that one name is one area, and what is declared can be asked for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from fairweather_interface.errors import short

LONGEST_NAME = 200
"""Characters of a name, at most; as in metadata."""

_UNSEEN = re.compile("[\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_IDLE_JOINERS = re.compile(r"(?<![^\x00-\x7f])[\u200c\u200d]+|\u200c+(?=\s|$)")
_UNFIT = {"Cc": "control character", "Cs": "half of a character"}


def plain_name(text: str) -> str:
    r"""Return the one spelling of a name, which is its own; empty where nothing can be seen of it.

    In it accents are composed (NFC), white space of any kind and length is one blank and none
    stands outside, and there is no mark that cannot be seen. The joiners U+200C and U+200D stay
    where they shape letters, as in Persian and Bengali; case stays everywhere.

    >>> plain_name(" Tel\u00a0Aviv")
    'Tel Aviv'
    """
    while True:
        seen = _IDLE_JOINERS.sub("", _UNSEEN.sub("", text))
        plain = unicodedata.normalize("NFC", " ".join(seen.split()))
        if plain == text:
            return plain
        text = plain


def parse_name(text: str) -> str:
    """Return the one spelling of a name, as :func:`plain_name` does.

    Raises:
        ValueError: there is nothing to be seen of it, it is longer than ``LONGEST_NAME``, or it
            holds what stands in no name.
    """
    name = plain_name(text)
    if not name:
        raise ValueError(f"found {short(text)}, expected a name")
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"found a name of {len(name)} characters, {short(name)}, expected at most "
            f"{LONGEST_NAME}"
        )
    for sign in name:
        if kind := _UNFIT.get(unicodedata.category(sign)):
            raise ValueError(f"found {short(name)}, expected a name without the {kind} {sign!a}")
    return name


def parse_names(texts: Iterable[str]) -> dict[str, str]:
    """Return the one spelling of each name, by the text that was found.

    Raises:
        ValueError: one is no name, or two texts are one name.
    """
    names: dict[str, str] = {}
    found: dict[str, str] = {}
    for text in texts:
        name = parse_name(text)
        first = found.setdefault(name, text)
        if first != text:
            raise ValueError(
                f"found {first!a} and {text!a}, expected one of the two: both are {short(name)}"
            )
        names[text] = name
    return names
