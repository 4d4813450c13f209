"""Texts that leave the app: cut, without secrets of URLs, and without marks that cannot be seen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import islice

from fairweather_interface.terminal import printable

LONGEST = 200
"""Characters that are repeated of a text which a caller or a delivery wrote."""
LONGEST_SENTENCE = 500
LONGEST_ERROR = 20_000
LONGEST_REASON = 1000
"""Characters of why a delivery is refused, or a store cannot be read: answers list many."""
MOST_NAMED = 20
"""An answer names so many of a kind, and counts the others."""
FEW_NAMED = 5
"""A line of the log likewise."""

_SECRETS = re.compile(
    r"(?P<user>(?<=://)[^\s\"<>]{0,500}@"  # as far as it goes: a password may hold / and @
    r"|[^\s\"'<>:/@]{1,200}:(?!//)[^\s\"<>:@]{1,200}@)"  # of an address without its scheme
    r"|(?P<name>[?&;][\w.-]{0,50}(?:user|pass|pwd|token|key|secret|sig|auth|cred)[\w.-]{0,50}=)"
    r"[^\s'\"<>&;]*",
    re.IGNORECASE,
)

_UNSEEN = re.compile(  # controls, marks that turn text around or are not seen, halves of characters
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def cut(text: str, most: int = LONGEST) -> str:
    """Return at most so many characters of a text; the last is an ellipsis where more was there."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def join_some(names: Sequence[str], most: int = MOST_NAMED, *, separator: str = ", ") -> str:
    """Join the first of some names, each `cut`, and say how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return separator.join(map(cut, names[:most])) + more


def bounded(sentences: Iterable[str]) -> tuple[str, ...]:
    """Return the first sentences, each `cut`, and a last one that counts those left out."""
    rest = iter(sentences)
    first = tuple(cut(each, LONGEST_SENTENCE) for each in islice(rest, MOST_NAMED))
    more = sum(1 for _ in rest)
    return (*first, f"and {more} more") if more else first


def as_reason(text: str) -> str:
    """Return a reason as any answer or page may repeat it: cut, and what cannot be seen escaped."""
    return cut(printable(text[: LONGEST_REASON + 1], escaped=True), LONGEST_REASON)


def mask(text: str) -> str:
    """Return a text with ``***`` for user, password and keys of every URL in it."""
    return _SECRETS.sub(lambda found: f"{found['name'] or ''}***{'@' * bool(found['user'])}", text)


def escape_unseen(text: str) -> str:
    r"""Return a page or JSON with ``\u202e`` for such a mark; those that join letters stay."""
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)
