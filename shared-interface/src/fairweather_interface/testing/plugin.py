"""The pytest plugin: the kit's fixtures, there wherever the package is installed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from fairweather_interface.manifest import MANIFEST
from fairweather_interface.testing.builders import build_delivery
from fairweather_interface.testing.windows import GOLDEN_WINDOWS, GoldenWindow

GOLDEN = "golden_deliveries"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option that names the folders of golden deliveries."""
    parser.addini(GOLDEN, "folders below which golden deliveries lie", type="paths", default=[])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``golden_delivery`` once for each of them."""
    if "golden_delivery" not in metafunc.fixturenames:
        return
    folders: list[Path] = metafunc.config.getini(GOLDEN)
    found = sorted(path.parent for folder in folders for path in folder.rglob(MANIFEST))
    if not found:
        raise pytest.UsageError(
            f"found no golden deliveries below {', '.join(map(str, folders)) or 'any folder'}: "
            f"name the one that holds them in the ini option {GOLDEN}"
        )
    names = [path.parent.name for path in found]
    metafunc.parametrize("golden_delivery", found, ids=names, indirect=True)


@pytest.fixture
def golden_delivery(request: pytest.FixtureRequest, store: Path) -> Path:
    """Return a copy of a golden delivery, in the store, so that a test may change it."""
    origin: Path = request.param
    return Path(shutil.copytree(origin, store / origin.name))


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
