"""Wheels of every release and of the work at hand, rebuilt from git trees.

A release is a git tree: ``releases.toml`` records the tree of each released package folder, and
its wheel is built from ``git archive`` of that tree with the build backend the tree pins. No
binary lies in the repository and no tag is needed, only a full clone. What is built is kept in
the ignored folder ``.wheelhouse``, by tree, so that nothing is built twice.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / ".releases"
WHEELHOUSE = ROOT / ".wheelhouse"
GIT = shutil.which("git") or "git"

FOLDERS = {"interface": "shared-interface", "research": "research", "app": "app"}
"""The packages by their short names, with the folders they live in."""


class WheelhouseError(Exception):
    """A wheel cannot be had; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One record of ``releases.toml``.

    Attributes:
        package: the short name of the package.
        version: what was released.
        date: when, as ``YYYY-MM-DD``.
        tree: the git tree of the package folder.
        contents: ``sha256:<hex>`` over the names and digests of the files in its wheel.
    """

    package: str
    version: str
    date: str
    tree: str
    contents: str

    @property
    def constraints(self) -> Path:
        """The third-party versions this release was tested with."""
        return RECORDS / f"{self.package}-{self.version}.txt"


def releases(package: str | None = None) -> tuple[Release, ...]:
    """Return the recorded releases, of one package or of all, in the order they were made."""
    path = RECORDS / "releases.toml"
    if not path.exists():
        return ()
    records = tomllib.loads(path.read_text(encoding="utf-8")).get("release", [])
    found = tuple(Release(**record) for record in records)
    return tuple(release for release in found if package in (None, release.package))


def release_wheel(release: Release) -> Path:
    """Return the wheel of a release, built from its tree unless that was done before.

    Raises:
        WheelhouseError: the clone is shallow, or the wheel is not what was released.
    """

    def unpack(folder: Path) -> None:
        if _git("rev-parse", "--is-shallow-repository").strip() == "true":
            raise WheelhouseError(
                f"found a shallow clone, expected one that holds the tree of {release.package} "
                f"{release.version}: run 'git fetch --unshallow'"
            )
        unpack_tree(release.tree, folder)

    wheel = _kept(f"{release.package}-{release.version}-{release.tree[:12]}", unpack)
    found = wheel_contents(wheel)
    if found != release.contents:
        raise WheelhouseError(
            f"found {wheel} with contents {found}, expected {release.contents} as recorded for "
            f"{release.package} {release.version}: delete {wheel.parent} and run again; if it "
            "comes out the same, its build is not reproducible here"
        )
    return wheel


def head_wheel(package: str) -> Path:
    """Return the wheel of the work at hand: every file git tracks or would, as it lies there."""
    folder = FOLDERS[package]
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard", folder)
    paths = sorted(path for path in listed.split("\0") if path and (ROOT / path).is_file())
    digest = hashlib.sha256()
    for path in paths:
        digest.update(
            f"{path}\0{hashlib.sha256((ROOT / path).read_bytes()).hexdigest()}\n".encode()
        )

    def copy(target: Path) -> None:
        for path in paths:
            destination = target / Path(path).relative_to(folder)
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, destination)

    return _kept(f"{package}-head-{digest.hexdigest()[:12]}", copy)


def unpack_tree(tree: str, folder: Path) -> None:
    """Unpack a git tree into an empty folder.

    Raises:
        WheelhouseError: this clone does not hold the tree.
    """
    archive = subprocess.run(  # noqa: S603 - arguments of our own
        [GIT, "archive", "--format=tar", tree],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        raise WheelhouseError(
            f"found no git tree {tree} in this clone ({archive.stderr.decode().strip()}): fetch "
            "the whole history, also with 'git fetch --unshallow'"
        )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")


def build_wheel(source: Path, target: Path) -> Path:
    """Build the wheel of an unpacked package folder into ``target`` and return it.

    Raises:
        WheelhouseError: the build failed; the message ends with what it printed.
    """
    uv = shutil.which(
        "uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    command = (
        [uv, "build", "--wheel", "--out-dir", str(target), str(source)]
        if uv
        else [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(target), str(source)]
    )
    built = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = list(target.glob("*.whl"))
    if built.returncode or len(wheels) != 1:
        raise WheelhouseError(
            f"building {source} failed ('{' '.join(command)}'):\n{built.stdout}{built.stderr}"
        )
    return wheels[0]


def wheel_contents(wheel: Path) -> str:
    """Return the digest over the files in a wheel, which no compression level changes."""
    with zipfile.ZipFile(wheel) as archive:
        lines = sorted(
            f"{name}\0{hashlib.sha256(archive.read(name)).hexdigest()}\n"
            for name in archive.namelist()
        )
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def _kept(name: str, fill: Callable[[Path], None]) -> Path:
    """Return the one wheel kept under a name, built from what ``fill`` puts into a folder."""
    kept = WHEELHOUSE / name
    if not kept.is_dir():
        with tempfile.TemporaryDirectory() as work:
            source, target = Path(work) / "source", Path(work) / "target"
            source.mkdir()
            fill(source)
            build_wheel(source, target)
            WHEELHOUSE.mkdir(exist_ok=True)
            staging = Path(tempfile.mkdtemp(dir=WHEELHOUSE, prefix="."))
            shutil.copytree(
                target, staging, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*")
            )
            try:
                staging.rename(kept)
            except OSError:  # another process was faster, with the same bytes
                shutil.rmtree(staging)
    (wheel,) = kept.glob("*.whl")
    return wheel


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - arguments of our own
        [GIT, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise WheelhouseError(
            f"'git {' '.join(arguments)}' failed in {ROOT} ({done.stderr.strip()}): wheels are "
            "built from what git tracks, so work in a clone and not in a downloaded archive"
        )
    return done.stdout
