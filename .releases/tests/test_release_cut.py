"""Releases, tried on a small repository of its own."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import release_cut
import wheelhouse

PYPROJECT = """\
[build-system]
requires = ["hatchling==1.33.0"]
build-backend = "hatchling.build"

[project]
name = "fairweather-{package}"
version = "0.1.0.dev0"
requires-python = ">=3.11"
dependencies = [{requires}]
"""


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(  # noqa: S603 - arguments of our own
        [wheelhouse.GIT, "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with an interface and an app that requires it."""
    root = tmp_path / "repository"
    for package, folder, requires in (
        ("interface", "shared-interface", ""),
        ("app", "app", '"fairweather-interface>=0.1,<1"'),
    ):
        source = root / folder / "src" / f"fairweather_{package}"
        source.mkdir(parents=True)
        (source / "__init__.py").write_text('"""A package."""\n')
        text = PYPROJECT.format(package=package, requires=requires)
        (root / folder / "pyproject.toml").write_text(text)
        (root / folder / "CHANGELOG.md").write_text(
            "# Changelog\n\n## Unreleased\n\n- All of it.\n"
        )
        (root / folder / "constraints.txt").write_text("packaging==26.3\n")
    (root / ".releases").mkdir()
    (root / ".gitignore").write_text(".wheelhouse/\n")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "user.name", "t")
    git(root, "config", "user.email", "t@t")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "Start")
    for module in (wheelhouse, release_cut):
        monkeypatch.setattr(module, "ROOT", root)
        monkeypatch.setattr(module, "RECORDS", root / ".releases")
    monkeypatch.setattr(wheelhouse, "WHEELHOUSE", root / ".wheelhouse")
    return root


def no_manifest(_: Path) -> None:
    """Stand for a package without a software manifest."""


def test_a_release_is_recorded_as_a_tree_and_its_wheel_is_rebuilt_from_it(root: Path) -> None:
    made = release_cut.cut("interface", "0.1.0", no_manifest)

    assert wheelhouse.releases() == (made,)
    assert git(root, "rev-parse", "HEAD~1:shared-interface").strip() == made.tree
    assert (root / ".releases/interface-0.1.0.txt").read_text() == "packaging==26.3\n"
    assert git(root, "status", "--porcelain") == ""
    wheel = wheelhouse.release_wheel(made)
    assert wheel.name == "fairweather_interface-0.1.0-py3-none-any.whl"
    assert wheelhouse.wheel_contents(wheel) == made.contents


def test_after_a_release_the_work_at_hand_is_the_next_version(root: Path) -> None:
    release_cut.cut("interface", "0.1.0", no_manifest)

    document = tomllib.loads((root / "shared-interface/pyproject.toml").read_text())
    assert document["project"]["version"] == "0.2.0.dev0"
    changelog = (root / "shared-interface/CHANGELOG.md").read_text()
    assert changelog.index("## Unreleased") < changelog.index("## 0.1.0 - ")
    assert "0.2.0.dev0" in wheelhouse.head_wheel("interface").name


def test_a_release_keeps_the_software_manifest_its_wheel_prints(root: Path) -> None:
    release_cut.cut("interface", "0.1.0", no_manifest)
    seen: list[Path] = []

    def software(wheel: Path) -> str:
        seen.append(wheel)
        return "{}\n"

    release_cut.cut("app", "0.1.0", software)
    assert [wheel.name for wheel in seen] == ["fairweather_app-0.1.0-py3-none-any.whl"]
    assert (root / ".releases/app-0.1.0.json").read_text() == "{}\n"
    assert (root / release_cut.KNOWN_TO_RESEARCH).read_text() == "{}\n"
    assert git(root, "status", "--porcelain") == ""


@pytest.mark.parametrize("version", ["0.1", "v0.1.0", "0.1.0.dev0", "1", "", "0.1.0rc1"])
def test_a_malformed_version_is_refused(root: Path, version: str) -> None:
    del root
    with pytest.raises(release_cut.ReleaseError, match="expected one such as"):
        release_cut.check("interface", version)


def test_an_unknown_package_is_refused(root: Path) -> None:
    del root
    with pytest.raises(release_cut.ReleaseError, match="found package 'web'"):
        release_cut.check("web", "0.1.0")


def test_a_version_that_exists_is_never_cut_again(root: Path) -> None:
    del root
    release_cut.cut("interface", "0.2.0", no_manifest)
    for version in ("0.2.0", "0.1.5"):
        with pytest.raises(release_cut.ReleaseError, match="released already"):
            release_cut.check("interface", version)


def test_a_dirty_tree_is_refused(root: Path) -> None:
    (root / "app/new.py").write_text("")
    with pytest.raises(release_cut.ReleaseError, match="uncommitted work"):
        release_cut.check("interface", "0.1.0")


def test_a_missing_changelog_entry_is_refused(root: Path) -> None:
    (root / "shared-interface/CHANGELOG.md").write_text(
        "# Changelog\n\n## Unreleased\n\n## 0.0.1\n"
    )
    git(root, "commit", "--quiet", "-am", "Forget")
    with pytest.raises(release_cut.ReleaseError, match="no entry below"):
        release_cut.check("interface", "0.1.0")


@pytest.mark.parametrize("bound", [">=0.1,<1", ">=0.1.0.dev0,<1", ">=0.2,<1", "<1"])
def test_an_unreleased_requirement_is_refused(root: Path, bound: str) -> None:
    if bound != ">=0.1,<1":  # what fails for the first one is that nothing is released yet
        release_cut.cut("interface", "0.1.0", no_manifest)
    path = root / "app/pyproject.toml"
    path.write_text(path.read_text().replace(">=0.1,<1", bound))
    git(root, "commit", "--quiet", "--allow-empty", "-am", "Require")
    with pytest.raises(release_cut.ReleaseError, match="expected one that a released"):
        release_cut.check("app", "0.1.0")


def test_a_release_that_fails_half_way_leaves_the_work_tree_as_it_was(root: Path) -> None:
    before = git(root, "rev-parse", "HEAD")

    def fail(_: Path) -> None:
        raise RuntimeError("the wheel does not install")

    with pytest.raises(RuntimeError, match="does not install"):
        release_cut.cut("interface", "0.1.0", fail)
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "rev-parse", "HEAD") == before
    assert wheelhouse.releases() == ()


def test_a_wheel_replaced_by_another_build_is_noticed(root: Path) -> None:
    made = release_cut.cut("interface", "0.1.0", no_manifest)
    wheel = wheelhouse.release_wheel(made)
    other = wheelhouse.head_wheel("app")
    shutil.copy(other, wheel)
    with pytest.raises(wheelhouse.WheelhouseError, match="as recorded for interface"):
        wheelhouse.release_wheel(made)
    assert root.is_dir()


def test_a_shallow_clone_is_told_how_to_get_the_history(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = release_cut.cut("interface", "0.1.0", no_manifest)
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", root.as_uri(), str(shallow))
    monkeypatch.setattr(wheelhouse, "ROOT", shallow)
    monkeypatch.setattr(wheelhouse, "WHEELHOUSE", shallow / ".wheelhouse")
    with pytest.raises(wheelhouse.WheelhouseError, match="git fetch --unshallow"):
        wheelhouse.release_wheel(made)


def test_the_work_at_hand_is_built_anew_when_a_file_changes_and_not_before(root: Path) -> None:
    first = wheelhouse.head_wheel("interface")
    assert wheelhouse.head_wheel("interface") == first
    (root / "shared-interface/src/fairweather_interface/new.py").write_text("NEW = 1\n")
    second = wheelhouse.head_wheel("interface")
    assert second != first
    assert wheelhouse.wheel_contents(second) != wheelhouse.wheel_contents(first)


def test_a_folder_that_is_no_clone_is_told_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheelhouse, "ROOT", tmp_path)
    with pytest.raises(wheelhouse.WheelhouseError, match="work in a clone"):
        wheelhouse.head_wheel("app")


def test_a_build_that_fails_says_what_it_printed(root: Path) -> None:
    (root / "app/pyproject.toml").write_text("[project]\nname = 'x'\n")
    with pytest.raises(wheelhouse.WheelhouseError, match=r"building .* failed"):
        wheelhouse.head_wheel("app")
