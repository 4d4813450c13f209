"""Origins: the names by which browsers know where a page comes from, exactly as they send them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


def wrong_origin(text: str) -> str | None:
    """What is wrong with an origin, and what is expected; None when a browser may send it so.

    It is compared as it is, so what a browser writes otherwise would never match: a path, capitals,
    letters beyond ASCII, the port that its scheme has anyway.
    """
    expected = "expected an origin as browsers send it, such as https://weather.example"
    if text == "null":
        return f"{expected}; null is what any sandboxed page and any file sends"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        return f"{expected}, not {text!r} ({error})"
    if parts.scheme not in _DEFAULT_PORTS:
        return f"{expected}, not {text!r}: it begins with http:// or https://"
    host = parts.netloc if port is None else parts.netloc.removesuffix(f":{port}")
    if not _HOST.fullmatch(host.lower()):
        return (
            f"{expected}, not {text!r}: a host is letters, digits, dots and hyphens "
            "(other letters as xn--), without wildcard or user"
        )
    suffix = "" if port is None or port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    sent = f"{parts.scheme}://{host.lower()}{suffix}"
    return None if text == sent else f"{expected}, not {text!r}; browsers send {sent!r}"
