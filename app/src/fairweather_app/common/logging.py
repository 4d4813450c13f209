"""What operators read: one line an event, one line a request; JSON for machines, else for people.

Every line is a timestamp (UTC), a level, an event and its fields. What is told while a request is
answered carries the request's id. What deliveries, archives and callers wrote reaches a terminal
only as `printable` text.
"""

from __future__ import annotations

import io
import logging
import sys
import unicodedata
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from typing import Any, Literal, TextIO

import orjson

if "rich" not in sys.modules:
    # structlog imports rich where there is one, for tracebacks as this app never shows them: it
    # would take 7 MB of each worker, and a tenth of a second of its start
    sys.modules["rich"] = None  # type: ignore[assignment]
    import_module("structlog")
    del sys.modules["rich"]
import structlog

LogFormat = Literal["auto", "json", "text"]
Fields = MutableMapping[str, Any]

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is answered now, for the lines that are logged meanwhile."""


def show_log(form: LogFormat = "auto") -> None:
    """Tell operators what the app logs on stderr, unless logging has been set up already.

    `auto` is text on a terminal and JSON elsewhere.
    """
    ours = logging.getLogger("fairweather_app")
    if ours.hasHandlers():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, *_common(), _name_request],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendered(form),
                _as_text,
            ],
        )
    )
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)


@cache
def request_log(form: LogFormat = "auto") -> Callable[..., None]:
    """What writes the line of a request, from its fields; one write a line, whatever the thread.

    It goes around `logging`, which costs several times as much as writing the line.
    """
    stream = sys.stderr.buffer
    renders: list[Callable[..., Any]] = [
        structlog.processors.add_log_level,
        *_common(),
        *_rendered(form),
        _as_bytes,
    ]
    bound = structlog.wrap_logger(
        structlog.BytesLogger(stream),
        processors=renders,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    ).bind()

    def tell(**fields: Any) -> None:  # noqa: ANN401 - whatever JSON can say
        bound.info("request", **fields)

    return tell


def _common() -> list[Callable[..., Any]]:
    return [structlog.processors.TimeStamper(fmt="iso", utc=True)]


def _rendered(form: LogFormat) -> list[Callable[..., Any]]:
    if form == "text" or (form == "auto" and sys.stderr.isatty()):
        colours = sys.stderr.isatty()
        return [
            _printable_fields,
            structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=_traceback),
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(orjson.dumps)]


def printable(text: str) -> str:
    """A text as a terminal may get it: every control character but a line break as U+FFFD.

    So no escape sequence repaints the screen of whoever reads, and no mark turns text around.
    Spaces of every width stay, and so do the marks that join letters or part them.
    """
    if text.isprintable():
        return text
    return "".join(each if _is_shown(each) else "\ufffd" for each in text)


def _is_shown(character: str) -> bool:
    return (
        character.isprintable()
        or character in "\n\u200c\u200d"
        or unicodedata.category(character) == "Zs"
    )


def _printable_fields(_logger: object, _name: str, fields: Fields) -> Fields:
    for name, value in fields.items():
        if isinstance(value, str):
            fields[name] = printable(value)
    return fields


def _traceback(stream: TextIO, error: Any) -> None:  # noqa: ANN401 - structlog's own
    told = io.StringIO()
    structlog.dev.plain_traceback(told, error)
    stream.write(printable(told.getvalue()))


def _name_request(_logger: object, _name: str, fields: Fields) -> Fields:
    request_id = REQUEST_ID.get()
    if request_id:
        fields["request_id"] = request_id
    return fields


def _as_text(_logger: object, _name: str, line: Any) -> str:  # noqa: ANN401 - as rendered
    return line if isinstance(line, str) else str(line, "utf-8")


def _as_bytes(_logger: object, _name: str, line: str | bytes) -> bytes:
    return line if isinstance(line, bytes) else line.encode()
