#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox[uv]>=2026.8.17", "packaging"]
# ///
"""Every development command of the project."""

# Sessions are thin: what they run lives beside the package it tests. Here are those that every
# change is held to, and those of releases; the others stand in `checks/*_sessions.py` of each
# package. A session installs our packages from explicit wheel files only, so that no stranger of
# the same name slips in.

from __future__ import annotations

import filecmp
import os
import runpy
import shutil
import sys
import tomllib
from pathlib import Path

import nox

ROOT = Path(__file__).parent
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is imported again and again compiles once
# no session sends telemetry, neither of old releases nor of other servers that a check compares
os.environ |= {
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
}
sys.path.insert(0, str(ROOT / ".releases" / "tools"))

import release_cut  # noqa: E402 - beside the records of releases, not installed
from session_install import (  # noqa: E402
    CHECKS,
    NEEDS,
    PACKAGES,
    PYTHON,
    RELEASE_TOOLS,
    install,
    refuse_stale,
    wheel,
)
from wheelhouse import (  # noqa: E402
    FOLDERS,
    WheelhouseError,
    head_wheel,
    release_wheel,
    releases,
    unpack_tree,
)

nox.needs_version = ">=2026.8.17"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True
nox.options.error_on_missing_interpreters = True
if len(sys.argv) == 1:  # `nox` alone: what takes one core runs beside another such session
    nox.options.parallel = 2

for beside in sorted(ROOT.glob("*/checks/*_sessions.py")):  # nox finds what they define
    runpy.run_path(str(beside), run_name=beside.stem)

TOOLS = (
    "ruff==0.17.6",
    "check-jsonschema==0.39.0",
    "zizmor==1.32.0",
    "import-linter==2.17",
)


@nox.session(python=PYTHON, allow_parallel=True)
def lint(session: nox.Session) -> None:
    """Check style, formatting, the direction of imports, workflows, one shared configuration."""
    session.install(*TOOLS)
    session.run("ruff", "check", *FOLDERS.values())
    session.run("ruff", "format", "--check", *FOLDERS.values())
    config = ("--config", "shared-interface/pyproject.toml")
    ours = ("noxfile.py", ".releases")
    session.run("ruff", "check", *config, *ours)
    session.run("ruff", "format", "--check", *config, *ours)
    workflows = map(str, sorted((ROOT / ".github/workflows").glob("*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("zizmor", "--offline", "--quiet", ".github")
    for folder in FOLDERS.values():  # reads the source: nothing of the package is installed
        session.chdir(ROOT / folder)
        session.run("lint-imports", "--no-cache", env={"PYTHONPATH": "src"})
    session.chdir(ROOT)
    tables = []
    for folder in FOLDERS.values():
        tools = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["tool"]
        tables.append({name: tools[name] for name in ("ruff", "mypy")})
        if not filecmp.cmp(ROOT / folder / "LICENSE", ROOT / "app/LICENSE", shallow=False):
            session.error(f"{folder}/LICENSE differs from app/LICENSE: copy it")
    if any(table != tables[0] for table in tables):
        session.error("[tool.ruff] and [tool.mypy] differ between the packages: make them one")


@nox.session(python=PYTHON, allow_parallel=True)
@PACKAGES
def types(session: nox.Session, package: str) -> None:
    """Check the types of a package's source and tests, strictly."""
    install(session, *NEEDS[package], groups=("test", "types"))
    session.chdir(ROOT / FOLDERS[package])
    session.run("mypy", "src", "tests")
    if package == "app":
        session.install("psutil", "types-psutil")
        session.install("playwright==1.56.0", "pillow==13.0.0", "schemathesis==4.32.5")
        # not bench/served: each file there needs the library of a peer
        scripts = sorted(str(path) for path in Path("checks/bench").glob("*.py"))
        others = ("checks/kserve", "checks/postgres")
        session.run("mypy", *scripts, *others, env={"MYPYPATH": "checks/bench"})
        for folder in ("checks/browser", "checks/api", "checks/proxy"):
            session.run("mypy", folder, env={"MYPYPATH": "checks/browser"})
    if package == "interface":
        session.install("nox", "packaging", "numpy", "cryptography")
        others = (
            "../app/checks/app_sessions.py",
            "../research/checks/research_sessions.py",
        )
        beside = (
            RELEASE_TOOLS,
            CHECKS,
            *(path for path in CHECKS.iterdir() if path.is_dir()),
        )
        session.run(
            *("mypy", "--config-file=pyproject.toml", "../noxfile.py", "../.releases"),
            *("checks", *others),
            env={"MYPYPATH": ":".join(map(str, beside))},
        )


@nox.session(python=PYTHON)
@PACKAGES
def tests(session: nox.Session, package: str) -> None:
    """Run a package's tests against its built wheel, beside nothing but its own dependencies."""
    install(session, *NEEDS[package], groups=("test",))
    session.chdir(ROOT / FOLDERS[package])
    # what a file of research's trains is trained once
    beside = ("--dist", "loadfile") if package == "research" else ()
    session.run("pytest", "-n", "2", *beside, *session.posargs)


@nox.session(python=PYTHON, allow_parallel=True)
def contract(session: nox.Session) -> None:
    """Hold the contract against every release of it: what may change, and what never does."""
    install(session, "interface")
    session.install("pytest")
    session.chdir(CHECKS / "contract")
    session.run("python", "check.py", env={"PYTHONPATH": str(RELEASE_TOOLS)})
    session.run("pytest", "--ignore=tests/test_edits.py", *session.posargs)


@nox.session(python=PYTHON, allow_parallel=True, name="contract-edits")
def contract_edits(session: nox.Session) -> None:
    """Try a third of the table's edits on the contract check, or ``-- --all`` of them."""
    install(session, "interface")
    session.install("pytest", "pytest-xdist")
    session.chdir(CHECKS / "contract")
    which = () if "--all" in session.posargs else ("-m", "not slow")
    session.run("pytest", "-n", "2", "tests/test_edits.py", *which)


@nox.session(python=PYTHON, default=False, name="new-schema")
def new_schema(session: nox.Session) -> None:
    """Lay a new schema version, or write its ledger again: ``-- 1.1``."""
    install(session, "interface")
    script = str(CHECKS / "contract" / "new_schema.py")
    session.run("python", script, *session.posargs, env={"PYTHONPATH": str(RELEASE_TOOLS)})


@nox.session(python=PYTHON, allow_parallel=True)
def tools(session: nox.Session) -> None:
    """Test what builds wheels and cuts releases, on a small repository of its own."""
    session.install("pytest", "packaging", "uv", "nox")
    session.chdir(ROOT / ".releases")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHON, default=False)
def wheelhouse(session: nox.Session) -> None:
    """Build every wheel into ``.wheelhouse``; put a tested one into ``dist``: ``-- app 0.2.0``."""
    if not session.posargs:
        for each in releases():
            session.log(f"{each.package} {each.version}: {wheel(session, release_wheel, each)}")
        for package in FOLDERS:
            session.log(f"{package} HEAD: {wheel(session, head_wheel, package)}")
        return
    made = {f"{each.package} {each.version}": each for each in releases()}
    if " ".join(session.posargs) not in made:
        session.error(f"say which release to put there, one of: {', '.join(made)}")
    chosen = made[" ".join(session.posargs)]
    contract = chosen if chosen.package == "interface" else releases("interface")[-1]
    tree = Path(session.create_tmp()) / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for each in {
        contract,
        chosen,
    }:  # side by side: all tests read the golden deliveries
        (tree / FOLDERS[each.package]).mkdir(parents=True)
        unpack_tree(each.tree, tree / FOLDERS[each.package])
    folder = tree / FOLDERS[chosen.package]

    def released(package: str) -> Path:
        return release_wheel(chosen if package == chosen.package else contract)

    needs = NEEDS[chosen.package]
    install(session, *needs, groups=("test",), build=released, folder=folder)
    session.chdir(folder)
    session.run("pytest")
    target = ROOT / "dist"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    session.log(f"ready to publish: {shutil.copy2(released(chosen.package), target)}")


@nox.session(python=PYTHON, default=False, name="deliver-recipe")
def deliver_recipe(session: nox.Session) -> None:
    """Train with the newest release, where live software serves it: RECIPE SOFTWARE.json STORE."""
    if len(session.posargs) != 3:  # noqa: PLR2004 - the three below
        session.error("say: nox -s deliver-recipe -- RECIPE SOFTWARE.json STORE")
    recipe, software, store = session.posargs
    newest = {package: releases(package)[-1] for package in FOLDERS}
    folder = Path(session.create_tmp()) / "tree"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    unpack_tree(newest["research"].tree, folder)
    needs = ("interface", "research[samples]")
    install(session, *needs, build=lambda each: release_wheel(newest[each]), folder=folder)
    session.run("fairweather-research", "check", recipe, "--software", software)
    session.run("fairweather-research", "train", recipe, "--store", store)
    for delivery in sorted(Path(store).iterdir()):
        session.run("fairweather-interface", "verify", str(delivery))
        session.run("fairweather-interface", "check", str(delivery), "--software", software)


@nox.session(python=PYTHON, default=False)
def publish(session: nox.Session) -> None:
    """Publish the deliveries of a folder and follow them into an app: FOLDER STORE URL [KEY]."""
    if len(session.posargs) not in {3, 4}:
        session.error("say: nox -s publish -- FOLDER STORE URL [KEY]")
    folder, store, app, *key = session.posargs
    install(session, "interface", "research[s3,signed]")
    options = ("--store", store, "--follow", app, *(("--sign", *key) if key else ()))
    for delivery in sorted(Path(folder).iterdir()):
        session.run("fairweather-research", "publish", str(delivery), *options)


@nox.session(python=PYTHON, default=False)
def constraints(session: nox.Session) -> None:
    """Choose the third-party versions anew that packages are tested with: ``-- app``, or all."""
    session.install("uv")
    ours = Path(session.create_tmp()) / "ours.in"
    for package in session.posargs or FOLDERS:
        pyproject = f"{FOLDERS[package]}/pyproject.toml"
        needs = f"fairweather-interface @ {head_wheel('interface').as_uri()}"
        ours.write_text("" if package == "interface" else needs)
        session.run(
            *(
                "uv",
                "pip",
                "compile",
                "--quiet",
                "--upgrade",
                "--universal",
                "--all-extras",
            ),
            *(
                "--no-header",
                "--no-annotate",
                "--no-emit-index-url",
                "--no-emit-find-links",
            ),
            *(f"--no-emit-package=fairweather-{name}" for name in FOLDERS),
            *(f"--group={pyproject}:{group}" for group in ("test", "types")),
            f"--python-version={PYTHON}",
            f"--output-file={FOLDERS[package]}/constraints.txt",
            *(pyproject, str(ours)),
        )


@nox.session(python=PYTHON, default=False)
def release(session: nox.Session) -> None:
    """Cut a release: ``nox -s release -- interface 0.2.0``."""
    if len(session.posargs) != 2:  # noqa: PLR2004 - package and version
        session.error("say what to release, such as: nox -s release -- interface 0.2.0")
    package, version = session.posargs

    def software(built: Path) -> str | None:
        """Install the wheel beside released packages and ask it what it supports."""
        others = [release_wheel(made) for made in releases("interface")[-1:]]
        wheels = [built] if package == "interface" else [built, *others]
        limits = str(ROOT / FOLDERS[package] / "constraints.txt")
        refuse_stale(session)
        session.install("--constraint", limits, *map(str, wheels))
        if package != "app":
            return None
        return str(session.run("flask", "--app", "fairweather_app", "software", silent=True))

    try:
        made = release_cut.cut(package, version, software)
    except (release_cut.ReleaseError, WheelhouseError) as error:
        session.error(str(error))
    session.log(f"released fairweather-{package} {version} as tree {made.tree}")
