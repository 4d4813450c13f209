"""The page's own files: style, script, icon, and the chart library when it is there.

Flask compresses nothing, so what is large is packed when the wheel is built: a file with a
``.gz`` twin is sent packed to everyone who accepts that. Addresses carry a digest of the content
(``?v=``): what is asked for with it may be kept for ever, what is asked for without is asked again.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Response, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

STATIC = Path(__file__).parent / "static"
CHART_LIBRARY = "vendor/echarts.js"
FOR_EVER = 31_536_000

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def has_chart_library() -> bool:
    """Whether the chart library was brought: it is in every wheel, and not in a bare checkout."""
    return (STATIC / CHART_LIBRARY).is_file()


def asset_url(name: str) -> str:
    """The address of a file of the page, with the digest of its content."""
    return url_for("page.asset", name=name, v=_digest(STATIC / name))


def send_asset(name: str) -> Response:
    """Answer with a file of the page, packed where that is accepted.

    Raises:
        NotFound: there is no such file, or its kind is not served.
    """
    found = safe_join(str(STATIC), name)
    kind = _TYPES.get(Path(name).suffix)
    if found is None or kind is None or not Path(found).is_file():
        raise NotFound
    path = Path(found)
    packed = path.with_name(path.name + ".gz")
    twin = packed.is_file()
    use_packed = twin and request.accept_encodings.quality("gzip") > 0
    digest = _digest(path)
    answer = Response((packed if use_packed else path).read_bytes(), content_type=kind)
    answer.set_etag(f"{digest}-gzip" if use_packed else digest)
    answer.cache_control.no_cache = True
    if use_packed:
        answer.headers["Content-Encoding"] = "gzip"
    if twin:
        answer.vary.add("Accept-Encoding")
    if request.args.get("v") == digest:
        answer.cache_control.no_cache = None
        answer.cache_control.public = True
        answer.cache_control.max_age = FOR_EVER
        answer.cache_control.immutable = True
    answer.make_conditional(request)
    return answer


def _digest(path: Path) -> str:
    stat = path.stat()
    return _digest_of(path, stat.st_mtime_ns, stat.st_size)


@cache
def _digest_of(path: Path, _mtime: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
