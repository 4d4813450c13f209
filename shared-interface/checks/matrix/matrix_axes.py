"""Who meets whom: producers, consumers and cells, derived from the list of releases alone.

Each axis holds the latest patch of every released minor, and HEAD. A release runs with the newest
interface that was out when it was made; HEAD with HEAD's. Beyond the axes, *variants* ask what an
installation can look like: another interface, the lowest third parties, another Python.
"""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import wheelhouse
from packaging.version import Version
from wheelhouse import Release

HEAD = "HEAD"
PYTHON = "3.11"
PYTHONS = ("3.12", "3.13")
"""The further Pythons on which research delivers in the full matrix."""

RECIPES = Path(__file__).parent / "recipes"
EVERYWHERE = frozenset({"bands", "plain"})
"""Kinds of recipes that ask nothing new of a reader within the major of their research."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One installation of research or of the app: its versions, and what it runs on.

    Attributes:
        package: ``research`` or ``app``.
        version: a released version, or ``HEAD``.
        interface: likewise; the interface installed beside it.
        resolution: how its third parties are chosen: by the ``constraints`` it was released with,
            or as uv calls it, ``lowest-direct`` or ``highest``.
        python: the interpreter's minor version.
        own: whether this is the installation it was released as, and so stands on the axis.
    """

    package: str
    version: str
    interface: str
    resolution: str = "constraints"
    python: str = PYTHON
    own: bool = True

    @property
    def name(self) -> str:
        """What it is called in sessions, records and tables, such as ``0.1.1+interface-HEAD``."""
        parts = [self.version]
        if not self.own:
            if self.resolution != "constraints":
                parts.append(self.resolution.partition("-")[0])
            elif self.python != PYTHON:
                parts.append(f"py{self.python}")
            else:
                parts.append(f"interface-{self.interface}")
        return "+".join(parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One pair: what ``producer`` delivers is put before ``consumer``."""

    consumer: Side
    producer: Side
    quick: bool

    @property
    def name(self) -> str:
        """What it is called: ``app=0.1.1, research=HEAD``."""
        return f"app={self.consumer.name}, research={self.producer.name}"


def latest_patches(releases: Iterable[Release]) -> tuple[Release, ...]:
    """Return the latest patch of every minor, ascending."""
    latest: dict[tuple[int, int], Release] = {}
    for made in releases:
        version = Version(made.version)
        minor = (version.major, version.minor)
        if minor not in latest or version > Version(latest[minor].version):
            latest[minor] = made
    return tuple(latest[minor] for minor in sorted(latest))


def axis(releases: Sequence[Release], package: str) -> tuple[Side, ...]:
    """Return one axis of the matrix, the oldest first and HEAD last."""
    sides = []
    for made in latest_patches(each for each in releases if each.package == package):
        before = releases[: releases.index(made)]
        interfaces = [each.version for each in before if each.package == "interface"]
        newest = max(interfaces, key=Version)
        sides.append(Side(package=package, version=made.version, interface=newest))
    return (*sides, Side(package=package, version=HEAD, interface=HEAD))


def mixed_apps(releases: Sequence[Release]) -> tuple[Side, ...]:
    """Return every app of the axis with every other interface; whether it may is asked later."""
    made = latest_patches(each for each in releases if each.package == "interface")
    interfaces = [*(each.version for each in made), HEAD]
    return tuple(
        Side(package="app", version=app.version, interface=interface, own=False)
        for app in axis(releases, "app")
        for interface in interfaces
        if interface != app.interface
    )


def further_producers(releases: Sequence[Release]) -> tuple[Side, ...]:
    """Return what else delivers in the full matrix.

    Every released research with the interface at hand; and HEAD's research on the later Pythons,
    with the oldest third parties that it requires (TensorFlow among them), and with the newest.
    """
    head = Side(package="research", version=HEAD, interface=HEAD, own=False)
    return (
        *(replace(each, interface=HEAD, own=False) for each in axis(releases, "research")[:-1]),
        *(replace(head, python=python) for python in PYTHONS),
        *(replace(head, resolution=each) for each in ("lowest-direct", "highest")),
    )


def cells(releases: Sequence[Release]) -> tuple[Cell, ...]:
    """Return every cell there is. Quick: the diagonal, and everything that HEAD can break alone.

    Further producers are put before the oldest app and HEAD's; apps with another interface before
    the oldest research and HEAD's, the lowest third parties before HEAD's.
    """
    apps, researches = axis(releases, "app"), axis(releases, "research")
    found = [
        Cell(consumer=app, producer=research, quick=_quick(app, research))
        for app in apps
        for research in researches
    ]
    found += [
        Cell(consumer=app, producer=research, quick=HEAD in app.interface and research == last)
        for app in mixed_apps(releases)
        for last in researches[-1:]
        for research in dict.fromkeys((researches[0], last))
    ]
    lowest = Side(
        package="app", version=HEAD, interface=HEAD, resolution="lowest-direct", own=False
    )
    found.append(Cell(consumer=lowest, producer=researches[-1], quick=False))
    found += [
        Cell(consumer=app, producer=producer, quick=False)
        for producer in further_producers(releases)
        for app in dict.fromkeys((apps[0], apps[-1]))
    ]
    return tuple(found)


def version_of(side: Side) -> Version:
    """Return the version of a side; HEAD's is the one that it is on the way to."""
    if side.version != HEAD:
        return Version(side.version)
    path = wheelhouse.ROOT / wheelhouse.FOLDERS[side.package] / "pyproject.toml"
    return Version(tomllib.loads(path.read_text(encoding="utf-8"))["project"]["version"])


def _quick(app: Side, research: Side) -> bool:
    same = _minor(app.version) == _minor(research.version)
    return same or HEAD in (app.version, research.version)


def _minor(version: str) -> object:
    return version if version == HEAD else Version(version).release[:2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One recipe of the matrix.

    Attributes:
        kind: ``plain``, ``newest``, ``bands``: what a table calls it.
        since: the minor whose research can first read it, as two numbers.
        path: where it lies.
    """

    kind: str
    since: tuple[int, int]
    path: Path


def recipes(version: Version, folder: Path = RECIPES) -> tuple[Recipe, ...]:
    """Return the recipes that a research of this version delivers, those for everybody first.

    A file is named by its kind and by the research that can first read it, such as
    ``newest.research-0.2.yaml``; of a kind with several it is the newest that the version can
    read. What names no research every version can read.
    """
    chosen: dict[str, Recipe] = {}
    for path in sorted(folder.glob("*.yaml")):
        kind, _, number = path.stem.partition(".research-")
        major, minor = Version(number or "0.1").release[:2]
        since = (major, minor)
        known = chosen.get(kind)
        if since <= version.release[:2] and (known is None or known.since < since):
            chosen[kind] = Recipe(kind=kind, since=since, path=path)
    return tuple(sorted(chosen.values(), key=lambda each: (each.kind not in EVERYWHERE, each.kind)))


def must_serve(app: Version, research: Version, recipe: Recipe) -> bool:
    """Whether the rule of parallel movement asks this app to serve what comes of this recipe.

    Every app serves what asks nothing new of it, of its own major and of all before: what was
    delivered stays readable. What is newest it serves from the minor on that research brought it
    with: research and app that can the same share a minor.
    """
    if app.major < research.major:
        return False
    return recipe.kind in EVERYWHERE or app.release[:2] >= recipe.since
