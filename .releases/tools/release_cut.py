"""Cut a release: ``nox -s release -- interface 0.2.0``.

What is released is the package folder as committed, with its version set and its changelog
dated. Two commits come of it: the release itself, and its record together with the next
development version. Whatever is refused leaves the work tree as it was.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version
from wheelhouse import (
    FOLDERS,
    GIT,
    RECORDS,
    ROOT,
    Release,
    build_wheel,
    releases,
    unpack_tree,
    wheel_contents,
)

_UNRELEASED = "## Unreleased"

# Research holds every recipe against the newest app; its wheel has no records beside it.
KNOWN_TO_RESEARCH = "research/src/fairweather_research/software/fairweather-app.json"


class ReleaseError(Exception):
    """A release is refused; the message says why and what to do."""


def check(package: str, version: str) -> None:
    """Refuse what must not be released.

    Raises:
        ReleaseError: unknown package, malformed or old version, dirty tree, no changelog entry,
            or a requirement on a version of ours that was never released.
    """
    if package not in FOLDERS:
        raise ReleaseError(f"found package {package!r}, expected one of {', '.join(FOLDERS)}")
    try:
        wanted = Version(version)
    except InvalidVersion:
        wanted = None
    if wanted is None or wanted.is_prerelease or str(wanted) != version or len(wanted.release) != 3:  # noqa: PLR2004
        raise ReleaseError(f"found version {version!r}, expected one such as 0.2.0")
    made = [Version(release.version) for release in releases(package)]
    if any(wanted <= earlier for earlier in made):
        raise ReleaseError(
            f"found {package} {max(made)} released already, expected a version above it: releases "
            "are never cut again"
        )
    dirty = _git("status", "--porcelain")
    if dirty:
        raise ReleaseError(f"found uncommitted work, expected a clean tree; commit it:\n{dirty}")
    if not _changes(package):
        raise ReleaseError(
            f"found no entry below '{_UNRELEASED}' in {FOLDERS[package]}/CHANGELOG.md: say there "
            "what this release changes"
        )
    for requirement in _our_requirements(package):
        short = requirement.name.removeprefix("fairweather-")
        bounds = [Version(item.version) for item in requirement.specifier if item.operator == ">="]
        released = [Version(release.version) for release in releases(short)]
        if not bounds or bounds[0].is_prerelease or not any(v >= bounds[0] for v in released):
            raise ReleaseError(
                f"found the requirement '{requirement}', expected one that a released "
                f"{requirement.name} meets: release that first, then require it as >=X.Y"
            )


def cut(package: str, version: str, software: Callable[[Path], str | None]) -> Release:
    """Release a package, commit it, record it, and return the record.

    Args:
        package: its short name.
        version: what to release.
        software: called with the built wheel; installs it, and returns the software manifest
            it prints where it has one.

    Raises:
        ReleaseError: it must not be released.
        WheelhouseError: its wheel cannot be built, or not twice the same.
    """
    check(package, version)
    folder = FOLDERS[package]
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    try:
        _set_version(package, version)
        _edit(f"{folder}/CHANGELOG.md", _UNRELEASED, f"## {version} - {today}")
        _git("add", folder)
        tree = _git("write-tree", f"--prefix={folder}/").strip()
        with tempfile.TemporaryDirectory() as work:
            contents = _build_twice(tree, Path(work))
            wheel = next((Path(work) / "0" / "wheel").glob("*.whl"))
            manifest = software(wheel)
    except BaseException:  # whatever ends it, Ctrl-C too: the work tree is put back, then told
        _git("reset", "--quiet", "HEAD", folder)
        _git("checkout", "--quiet", "HEAD", "--", folder)
        raise
    _git("commit", "--quiet", "-m", f"Release fairweather-{package} {version}")
    record = Release(package=package, version=version, date=today, tree=tree, contents=contents)
    shutil.copy(ROOT / folder / "constraints.txt", record.constraints)
    if manifest is not None:
        (RECORDS / f"{package}-{version}.json").write_text(manifest, encoding="utf-8")
        known = ROOT / KNOWN_TO_RESEARCH
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(manifest, encoding="utf-8")
        _git("add", KNOWN_TO_RESEARCH)
    with (RECORDS / "releases.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'\n[[release]]\npackage = "{record.package}"\nversion = "{record.version}"\n'
            f'date = "{record.date}"\ntree = "{record.tree}"\ncontents = "{record.contents}"\n'
        )
    parsed = Version(version)
    _set_version(package, f"{parsed.major}.{parsed.minor + 1}.0.dev0")
    _edit(
        f"{folder}/CHANGELOG.md",
        f"## {version} - {today}",
        f"{_UNRELEASED}\n\n## {version} - {today}",
    )
    _git("add", folder, ".releases")
    _git(
        "commit", "--quiet", "-m", f"Record fairweather-{package} {version}; start the next version"
    )
    return record


def _build_twice(tree: str, work: Path) -> str:
    found = []
    for attempt in ("0", "1"):
        source, target = work / attempt / "source", work / attempt / "wheel"
        source.mkdir(parents=True)
        unpack_tree(tree, source)
        found.append(wheel_contents(build_wheel(source, target)))
    if found[0] != found[1]:
        raise ReleaseError(
            "found two builds of the same tree with different contents, expected the same bytes: "
            "the build must not depend on time, place or what lies around"
        )
    return found[0]


def _changes(package: str) -> str:
    text = (ROOT / FOLDERS[package] / "CHANGELOG.md").read_text(encoding="utf-8")
    _, found, rest = text.partition(f"{_UNRELEASED}\n")
    return re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0].strip() if found else ""


def _our_requirements(package: str) -> list[Requirement]:
    document = tomllib.loads((ROOT / FOLDERS[package] / "pyproject.toml").read_text("utf-8"))
    stated = list(document["project"].get("dependencies", []))
    for group in document.get("dependency-groups", {}).values():
        stated += [item for item in group if isinstance(item, str)]
    found = [Requirement(item) for item in stated if item.startswith("fairweather-")]
    return [item for item in found if item.name != f"fairweather-{package}"]


def _set_version(package: str, version: str) -> None:
    path = ROOT / FOLDERS[package] / "pyproject.toml"
    text, count = re.subn(
        r'^version = ".*"$',
        f'version = "{version}"',
        path.read_text(encoding="utf-8"),
        count=1,
        flags=re.MULTILINE,
    )
    if not count:
        raise ReleaseError(f"found no line 'version = \"…\"' in {path}")
    path.write_text(text, encoding="utf-8")


def _edit(name: str, old: str, new: str) -> None:
    path = ROOT / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - arguments of our own
        [GIT, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"'git {' '.join(arguments)}' failed: {done.stderr.strip()}")
    return done.stdout
