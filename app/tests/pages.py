"""What tests read of a page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

from flask import Flask
from werkzeug.test import TestResponse

EVENING = datetime(2013, 12, 20, 0, tzinfo=UTC)  # Thursday 19 December, 19:00 in New York

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

Deliver = Callable[..., Path]
Observe = Callable[..., None]
MakeApp = Callable[..., Flask]


class Reader(HTMLParser):
    """Collects what a browser would see: text, elements with their attributes, scripts' bodies."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._pieces: list[str] = []
        self._open = ""
        self.feed(page)
        self.text = " ".join(" ".join(self._pieces).replace("\N{NO-BREAK SPACE}", " ").split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - HTMLParser's own signature
        self._open = ""

    def handle_data(self, data: str) -> None:
        (self.scripts if self._open == "script" else self._pieces).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(answer: TestResponse) -> Reader:
    return Reader(answer.get_data(as_text=True))
