"""Text of unknown origin on a terminal: what may reach it, and what stands in its place."""

from __future__ import annotations

import unicodedata

_KEPT = "\n\u200c\u200d"  # a line break, and the marks that part letters or join them


def printable(text: str, *, escaped: bool = False) -> str:
    """Return the text without signs that move a cursor, repaint a screen or turn text around.

    Line breaks, spaces of every width and the marks that join letters or part them stay. Any other
    sign that is not printable becomes U+FFFD or, where ``escaped`` is set, its escape in Python.
    """
    if text.isprintable():
        return text
    shown = []
    for sign in text:
        if sign.isprintable() or sign in _KEPT or unicodedata.category(sign) == "Zs":
            shown.append(sign)
        else:
            escape = sign.encode("unicode_escape").decode()
            shown.append(escape if escaped else "\N{REPLACEMENT CHARACTER}")
    return "".join(shown)
