"""The pytest plugin: the kit's fixtures, there wherever the package is installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from fairweather_interface.testing.builders import build_delivery
from fairweather_interface.testing.windows import GOLDEN_WINDOWS, GoldenWindow


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return an empty store."""
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def tiny_delivery(store: Path) -> Callable[..., Path]:
    """Return ``build_delivery`` bound to the store."""
    return partial(build_delivery, store)


@pytest.fixture(params=GOLDEN_WINDOWS, ids=lambda golden: golden.name)
def golden_window(request: pytest.FixtureRequest) -> GoldenWindow:
    """Return one golden window; a test that asks for it runs once for each."""
    golden: GoldenWindow = request.param
    return golden
