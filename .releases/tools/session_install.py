"""Installing: wheels of ours into the environment of a session, and nothing else of that name."""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import nox
from wheelhouse import FOLDERS, ROOT, Release, WheelhouseError, head_wheel, release_wheel, releases

PYTHON = "3.11"
RELEASE_TOOLS = ROOT / ".releases" / "tools"
CHECKS = ROOT / "shared-interface" / "checks"
DEMO = ROOT / ".demo"
PACKAGES = nox.parametrize("package", [nox.param(name, id=name) for name in FOLDERS])
NEEDS = {
    "interface": ("interface[testing]",),
    "research": ("interface[testing]", "research[samples]"),
    "app": ("interface[testing]", "app"),
}
"""What each package's own tests install of ours: itself and the contract, never the other side."""

Named = TypeVar("Named")


def wheel(session: nox.Session, build: Callable[[Named], Path], named: Named) -> Path:
    """Return a wheel, or end the session with the reason why it cannot be had."""
    try:
        return build(named)
    except WheelhouseError as error:
        session.error(str(error))


def install(
    session: nox.Session,
    *ours: str,
    groups: tuple[str, ...] = (),
    build: Callable[[str], Path] = head_wheel,
    folder: Path | None = None,
    into: Path | None = None,
) -> None:
    """Install wheels of ours, by default of the work at hand, and test groups of the last named.

    Args:
        session: whose environment.
        ours: packages by their short names, with extras.
        groups: dependency groups of the last named.
        build: makes the wheel of a package.
        folder: where pyproject and constraints of the last named lie, by default its own.
        into: another environment than the session's own, as ``beside`` makes it.
    """
    refuse_stale(session)
    arguments = []
    for name in ours:
        package, _, extra = name.partition("[")
        path = wheel(session, build, package)
        arguments.append(f"fairweather-{package}{f'[{extra}' if extra else ''} @ {path.as_uri()}")
    folder = folder or ROOT / FOLDERS[ours[-1].partition("[")[0]]
    pyproject = nox.project.load_toml(folder / "pyproject.toml")
    grouped = nox.project.dependency_groups(pyproject, *groups) if groups else ()
    arguments += [item for item in grouped if not item.startswith("fairweather-")]
    arguments = ["--constraint", str(folder / "constraints.txt"), *arguments]
    if into is None:
        session.install(*arguments)
    else:
        session.run("uv", "pip", "install", "--quiet", "--python", str(into), *arguments)


def install_release(session: nox.Session, app: Release) -> None:
    """Install a released app as it was tested: its third parties, and the contract before it."""
    refuse_stale(session)
    before = releases()[: releases().index(app)]
    contract = [made for made in before if made.package == "interface"][-1]
    wheels = [wheel(session, release_wheel, made) for made in (contract, app)]
    session.install("--constraint", str(app.constraints), *map(str, wheels))


def refuse_stale(session: nox.Session) -> None:
    """End a session that would keep the wheel it installed once: nox -R installs nothing."""
    if session._runner.global_config.no_install:  # noqa: SLF001 - nox says it nowhere else
        session.error("found -R, expected -r: the wheel of an earlier edit would be tested")


def beside(session: nox.Session, name: str) -> Path:
    """Make an environment beside the session's own, unless it is there; return its commands."""
    folder = Path(session.create_tmp()).resolve() / name
    if not folder.exists():
        session.run("uv", "venv", "--quiet", "--python", PYTHON, str(folder))
    return folder / "bin"
