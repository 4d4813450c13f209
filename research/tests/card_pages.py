"""Reading the page of a model card."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Elements(HTMLParser):
    """Every start tag with its attributes, and whether all that opened was closed."""

    VOID = frozenset({"meta", "img", "source", "br", "hr", "link", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def pictures(page: str) -> list[str]:
    """What every picture of a page says it shows: the caption that it is labelled by."""
    found = [attributes for tag, attributes in Elements(page).found if tag == "svg"]
    assert all(attributes["role"] == "img" for attributes in found)
    captions = re.findall(r'<figcaption id="(\w+)">(.*?)</figcaption>', page)
    assert [attributes["aria-labelledby"] for attributes in found] == [name for name, _ in captions]
    assert len({name for name, _ in captions}) == len(captions)
    return [text for _, text in captions]
