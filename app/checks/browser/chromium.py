"""Chromium, as the machine has it: the browser that tests and pictures are made with."""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright


class NoChromiumError(Exception):
    """There is no Chromium here; the message says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "found no Chromium. On Debian: apt-get install chromium; elsewhere install one and set "
            "CHROMIUM to its name or path"
        )


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser; it ends on leaving.

    Raises:
        NoChromiumError: there is none.
    """
    path = shutil.which(os.environ.get("CHROMIUM") or "chromium")
    if path is None:
        raise NoChromiumError
    with sync_playwright() as playwright:
        # as root, which containers mostly are, Chromium cannot build its own sandbox
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()
