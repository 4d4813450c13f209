"""The small world that the tests of the matrix live in, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import wheelhouse
from small_world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a world in which 0.1 and 0.2 of everything were released and 0.3 is at hand."""
    made = World(root=tmp_path_factory.mktemp("world"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wheelhouse, "ROOT", made.root)
        patch.setattr(wheelhouse, "RECORDS", made.root / ".releases")
        patch.setattr(wheelhouse, "WHEELHOUSE", made.root / ".wheelhouse")
        made.git("init", "--quiet", "--initial-branch=main")
        (made.root / ".gitignore").write_text(".wheelhouse/\n.matrix/\n")
        (made.root / ".releases").mkdir()
        for version in ("0.1.0", "0.2.0"):
            for package in wheelhouse.FOLDERS:
                made.release(package, version)
        made.release("research", "0.2.1")
        for package in wheelhouse.FOLDERS:
            made.write(package, "0.3.0.dev0")
        (made.root / "README.md").write_text(
            "# World\n\n<!-- matrix: written by `nox -s matrix-table` from recorded runs -->\n"
            "<!-- end of matrix -->\n"
        )
        yield made
