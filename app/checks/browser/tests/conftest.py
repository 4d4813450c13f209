"""What the browser tests share: a served world, a browser, and where pictures of it are kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import world
from chromium import NoChromiumError, chromium
from playwright.sync_api import Browser, Page, Request

ARTIFACTS = Path(os.environ.get("BROWSER_ARTIFACTS", ".browser"))
Open = Callable[..., Page]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the world is served."""
    folder = tmp_path_factory.mktemp("world")
    world.write_world(folder, world.present())
    archive = folder / "observations.csv"
    with world.serving(folder, store=folder / "store", archive=archive) as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as started:
            yield started
    except NoChromiumError as error:
        pytest.exit(str(error), returncode=2)


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """Open an address of the app in a fresh browser profile; nothing may go wrong on the way.

    Takes what Playwright's `new_context` takes. Every request must stay on the app's own host, and
    the page must not complain, unless it is refused.
    """
    contexts = []
    problems: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((address, "data:")):
            problems.append(f"a request to another host: {request.url}")

    def open_(path: str, **options: Any) -> Page:
        options.setdefault("viewport", {"width": 1100, "height": 900})
        context = browser.new_context(base_url=address, locale="en-GB", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", note)
        page.on("pageerror", lambda error: problems.append(f"a script failed: {error}"))
        page.on(
            "console",
            lambda message: (
                problems.append(f"the console says: {message.text}")
                if message.type == "error" and "Failed to load resource" not in message.text
                else None
            ),
        )
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keep a picture of a whole page among the artifacts of the run."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)

    def shoot(page: Page, name: str = "") -> None:
        chosen = name or request.node.name.removeprefix("test_")
        page.screenshot(path=ARTIFACTS / f"{chosen}.png", full_page=True)

    return shoot


@pytest.fixture
def measured() -> Callable[[str, dict[str, Any]], None]:
    """Write figures down beside the pictures; they are told and not judged."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    path = ARTIFACTS / "figures.json"

    def note(name: str, figures: dict[str, Any]) -> None:
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(known | {name: figures}, indent=1) + "\n")

    return note
