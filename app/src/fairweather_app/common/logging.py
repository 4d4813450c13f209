"""Logging on stderr: one line for each event and each request, as JSON or as text for people.

A line is a UTC timestamp, a level, an event and fields. An event that is logged while a request is
answered carries the request's id. Deliveries, archives and clients wrote some of the text: it
reaches a terminal only as `printable`. Secrets of addresses are masked, whatever logged them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

import orjson
from fairweather_interface.terminal import printable

from fairweather_app.text import escape_unseen, mask

LogFormat = Literal["auto", "json", "text"]
_COLOURS = {"info": 32, "warning": 33, "error": 31, "critical": 31}

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is answered now, for the lines that are logged meanwhile."""


def show_log(form: LogFormat = "auto") -> None:
    """Log the app's events on stderr, unless logging is set up; `auto` is text on a terminal."""
    ours = logging.getLogger("fairweather_app")
    if ours.hasHandlers():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(form))
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)


@cache
def request_log(form: LogFormat = "auto") -> Callable[..., None]:
    """Return a function that writes the line of a request from its fields, in one write.

    It does without `logging`, which costs several times as much as writing the line. As there, a
    line that cannot be written, on a full disk or to a reader that has gone, is lost.
    """
    stream, render = sys.stderr.buffer, _renderer(form)

    def write(**fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        now = datetime.now(UTC)
        with suppress(OSError):
            stream.write(render(fields | {"event": "request"}, "info", now).encode() + b"\n")
            stream.flush()

    return write


class _Formatter(logging.Formatter):
    def __init__(self, form: LogFormat) -> None:
        super().__init__()
        self._render = _renderer(form)

    def format(self, record: logging.LogRecord) -> str:
        fields = {"event": mask(record.getMessage())}
        if request_id := REQUEST_ID.get():
            fields["request_id"] = request_id
        if record.exc_info:
            fields["exception"] = mask(self.formatException(record.exc_info))
        time = datetime.fromtimestamp(record.created, UTC)
        return self._render(fields, record.levelname.lower(), time)


def _renderer(form: LogFormat) -> Callable[[dict[str, Any], str, datetime], str]:
    terminal = sys.stderr.isatty()
    colours = _COLOURS if terminal else {}

    def as_json(fields: dict[str, Any], level: str, time: datetime) -> str:
        line = fields | {"level": level, "timestamp": _timestamp(time)}
        return escape_unseen(orjson.dumps(line, default=repr).decode())

    def as_text(fields: dict[str, Any], level: str, time: datetime) -> str:
        shown = {name: printable(str(value)) for name, value in fields.items()}
        event, exception = shown.pop("event"), shown.pop("exception", None)
        label = f"[{level:<8}]"
        if level in colours:
            label = f"\x1b[{colours[level]}m{label}\x1b[0m"
        words = [_timestamp(time), label, event, *(f"{name}={shown[name]}" for name in shown)]
        return " ".join(words) + (f"\n{exception}" if exception else "")

    return as_text if form == "text" or (form == "auto" and terminal) else as_json


def _timestamp(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
