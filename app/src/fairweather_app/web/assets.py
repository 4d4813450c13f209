"""The page's own files: style, script, icon, and the chart library when it is there.

Flask compresses nothing, so what is large is packed when the wheel is built: ``vendor/packed``
holds, by the digest of a file's content, what is sent to everyone who accepts brotli or gzip. A
file that was changed since has no packed form, so that nothing stale is ever sent. Addresses carry
the digest too (``?v=``): what is asked for with it may be kept for ever, what is asked for without
is asked again.
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
PACKED = "vendor/packed"
ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""What a file may be packed with, the smaller first."""

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
    digest = _digest(path)
    packed = packed_forms(digest)
    encoding = next((each for each in packed if request.accept_encodings.quality(each) > 0), None)
    content = (path if encoding is None else packed[encoding]).read_bytes()
    answer = Response(content, content_type=kind)
    answer.set_etag(digest if encoding is None else f"{digest}-{encoding}")
    answer.cache_control.no_cache = True
    if encoding is not None:
        answer.headers["Content-Encoding"] = encoding
    if packed:
        answer.vary.add("Accept-Encoding")
    if request.args.get("v") == digest:
        answer.cache_control.no_cache = None
        answer.cache_control.public = True
        answer.cache_control.max_age = FOR_EVER
        answer.cache_control.immutable = True
    answer.make_conditional(request)
    return answer


def packed_forms(digest: str) -> dict[str, Path]:
    """Where the content of a digest lies packed, by encoding, the smaller first."""
    folder = STATIC / PACKED
    forms = {encoding: folder / f"{digest}{suffix}" for encoding, suffix in ENCODINGS.items()}
    return {encoding: path for encoding, path in forms.items() if path.is_file()}


def _digest(path: Path) -> str:
    stat = path.stat()
    return _digest_of(path, stat.st_mtime_ns, stat.st_size)


@cache
def _digest_of(path: Path, _mtime: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
