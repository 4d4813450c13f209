"""Send the pages' static files: style, script, icon, and the chart library when it is there.

Addresses carry the digest of the file's content (``?v=``). What is asked for with it may be cached
for a year; what is asked for without it has to be revalidated.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Response, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

STATIC = Path(__file__).parents[1] / "static"
CHART_LIBRARY = "vendor/echarts.js"
YEAR = 31_536_000

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def has_chart_library() -> bool:
    """Return whether the chart library is there: in every wheel, and not in a bare checkout."""
    return (STATIC / CHART_LIBRARY).is_file()


def asset_url(name: str) -> str:
    """Return the address of a static file, with the digest of its content."""
    return url_for("page.asset", name=name, v=digest(STATIC / name))


def send_asset(name: str) -> Response:
    """Answer with a static file of the pages."""
    found = safe_join(str(STATIC), name)
    if found is None or not Path(found).is_file():
        raise NotFound
    return send_text(Path(found))


def send_text(path: Path) -> Response:
    """Answer with a text file, if its kind is served, revalidated by the digest of its content."""
    kind = _TYPES.get(path.suffix)
    if kind is None:
        raise NotFound
    answer = Response(path.read_bytes(), content_type=kind)
    answer.set_etag(digest(path))
    if request.args.get("v") == digest(path):
        answer.cache_control.public = True
        answer.cache_control.max_age = YEAR
        answer.cache_control.immutable = True
    else:
        answer.cache_control.no_cache = True
    answer.make_conditional(request)
    return answer


def digest(path: Path) -> str:
    """Return the digest of a file's content, read anew when the file was changed."""
    stat = path.stat()
    return _digest(path, stat.st_mtime_ns, stat.st_size)


@cache
def _digest(path: Path, _mtime: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
