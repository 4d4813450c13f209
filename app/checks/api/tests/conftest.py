"""What the tests of the guide share: a served world."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import world


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and an archive of observations."""
    folder = tmp_path_factory.mktemp("world")
    world.write_world(folder, world.present())
    return folder


@pytest.fixture(scope="session")
def address(written: Path) -> Iterator[str]:
    """Where the world is served."""
    archive = written / "observations.csv"
    with world.serving(written, store=written / "store", archive=archive) as found:
        yield found
