"""A small world: releases of an interface, a research and an app that are a page of code each.

They are built, installed, run and asked over HTTP by the very code that runs the real ones.
"""

from __future__ import annotations

import json
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path

import wheelhouse

INTERFACE = '''
    """The fake contract."""
'''
RESEARCH = '''
    """The fake research: 'train' writes a delivery whose forecast is its last temperature."""
    import hashlib, json, sys, uuid
    from pathlib import Path
    import numpy as np

    SCHEMA = "{minor}"

    def main():
        text = Path(sys.argv[2]).read_text()
        kind = text.split("model_type: ")[1].split()[0]
        area = text.split("areas: [")[1].split("]")[0]
        if kind == "{fails}":
            sys.exit("error: the sky fell on " + kind)
        name = str(uuid.uuid4())
        folder = Path(sys.argv[4]) / name
        folder.mkdir(parents=True)
        window = np.arange(8, dtype=np.float32).reshape(4, 2)
        np.savez(folder / "examples.npz", **{{
            "input/temperature": window, "output/forecast": window[:, 1:],
            "area": np.array([area] * 4), "expect": np.array(["serve"] * 4),
            "reference_time": np.arange(4, dtype=np.int64) * 3600 + 1371254400,
        }})
        (folder / "metadata.json").write_text(json.dumps({{
            "schema_version": SCHEMA, "delivery_id": name,
            "min_reader": SCHEMA if kind == "{demands}" else "0.1",
            "areas": {{area: {{"timezone": "America/New_York"}}}}, "valid_months": [6],
            "inputs": [{{"name": "temperature", "role": "observations"}}],
            "outputs": [{{"name": "forecast", "variable": "temperature"}}],
            "tolerance": {{"forecast": {{"absolute": 0.01, "relative": 0.0}}}},
            "artifacts": [{{"format": "onnx", "path": "model.onnx", "needs": {{"opset": 17}}}}],
        }}))
        (folder / "model.onnx").write_bytes(b"a model")
        files = {{p.name: {{"sha256": hashlib.sha256(p.read_bytes()).hexdigest()}}
                 for p in folder.iterdir()}}
        (folder / "manifest.json").write_text(json.dumps({{"files": files}}))
        print(folder)
'''
FLASK = '''
    """Stands for flask: the fake app's commands 'software' and 'run'."""
    import json, os, sys
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from pathlib import Path

    SOFTWARE = {{"name": "fairweather-app", "version": "{version}", "roles": ["observations"],
                "readable_schemas": {{"oldest": "0.1", "newest": "{minor}"}},
                "runtimes": [{{"format": "onnx", "max_opset": 20}}]}}
    STORE = Path(os.environ["FAIRWEATHER_STORE"])
    DELIVERIES = {{p.parent.name: json.loads(p.read_text()) for p in STORE.glob("*/metadata.json")}}

    def model(name):
        new = DELIVERIES[name]["min_reader"] > SOFTWARE["readable_schemas"]["newest"]
        return {{"delivery_id": name, "state": "refused" if new else "live",
                "code": "schema-too-new" if new else None, "reason": "too new" if new else None}}

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status, content):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def do_GET(self):
            known = [model(name) for name in DELIVERIES]
            self.answer(200, SOFTWARE if self.path == "/software" else {{"models": known}})

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            (name,) = [n for n, m in DELIVERIES.items() if asked["area"] in m["areas"]]
            if model(name)["code"]:
                return self.answer(422, {{"type": "/problems/no-applicable-model",
                                         "refused": [model(name)]}})
            value = [asked["observations"]["temperature"][-1] + {error}]
            self.answer(200, {{"receipt": {{"delivery_id": name}},
                              "forecast": {{"time": [], "temperature": {{"value": value}}}}}})

    if sys.argv[3] == "software":
        print(json.dumps(SOFTWARE))
    else:
        HTTPServer(("127.0.0.1", int(sys.argv[5])), Handler).serve_forever()
'''
PYPROJECT = """
    [build-system]
    requires = ["hatchling==1.33.0"]
    build-backend = "hatchling.build"

    [project]
    name = "fairweather-{package}"
    version = "{version}"
    dependencies = {requires}
    {scripts}

    [tool.hatch.build.targets.wheel]
    packages = ["src/fairweather_{package}", "src/flask"]
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A repository with released packages and work at hand."""

    root: Path

    def write(
        self,
        package: str,
        version: str,
        *,
        fails: str = "",
        demands: str = "Newest",
        error: float = 0.0,
    ) -> Path:
        """Write the source of a package at a version and return its folder.

        Args:
            package: its short name.
            version: its version.
            fails: the model type that this research does not manage to train.
            demands: the model type that this research lets ask for a reader of its schema.
            error: how wrong this app's forecasts are.
        """
        folder = self.root / wheelhouse.FOLDERS[package]
        source = folder / "src" / f"fairweather_{package}"
        source.mkdir(parents=True, exist_ok=True)
        minor = ".".join(version.split(".")[:2])
        sources = {"interface": INTERFACE, "research": RESEARCH, "app": '\n"""The fake app."""\n'}
        texts = {
            source / "__init__.py": sources[package],
            folder / "pyproject.toml": PYPROJECT,
            folder / "constraints.txt": "numpy<3\n",
        }
        if package == "app":
            texts[folder / "src/flask/__main__.py"] = FLASK
        ours = ["numpy", f"fairweather-interface>={minor}.0.dev0,<1"]
        script = '[project.scripts]\nfairweather-research = "fairweather_research:main"'
        words = {
            "package": package,
            "version": version,
            "minor": minor,
            "fails": fails,
            "demands": demands,
            "error": error,
            "requires": [] if package == "interface" else ours,
            "scripts": script if package == "research" else "",
        }
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            dedented = textwrap.dedent(text).lstrip()
            plain = text in (INTERFACE, sources["app"])
            path.write_text(dedented if plain else dedented.format(**words), encoding="utf-8")
        return folder

    def release(self, package: str, version: str) -> None:
        """Release a package as ``nox -s release`` does, without its ceremony."""
        folder = self.write(package, version)
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "-m", f"{package} {version}")
        tree = self.git("rev-parse", f"HEAD:{folder.name}").strip()
        contents = wheelhouse.wheel_contents(wheelhouse.head_wheel(package))
        records = self.root / ".releases"
        with (records / "releases.toml").open("a", encoding="utf-8") as file:
            file.write(
                f'[[release]]\npackage = "{package}"\nversion = "{version}"\ndate = "2026-01-01"\n'
                f'tree = "{tree}"\ncontents = "{contents}"\n'
            )
        (records / f"{package}-{version}.txt").write_text("numpy<3\n", encoding="utf-8")
        if package == "app":
            manifest = {
                "name": "fairweather-app",
                "version": version,
                "roles": ["observations"],
                "readable_schemas": {"oldest": "0.1", "newest": version.rpartition(".")[0]},
                "runtimes": [{"format": "onnx", "max_opset": 20}],
            }
            (records / f"app-{version}.json").write_text(json.dumps(manifest), encoding="utf-8")

    def git(self, *arguments: str) -> str:
        """Run git in it."""
        identity = ("-c", "user.name=t", "-c", "user.email=t@t")
        return subprocess.run(  # noqa: S603 - arguments of our own
            [wheelhouse.GIT, *identity, *arguments],
            cwd=self.root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
