"""Who is compared: how each is installed, started, asked, and what its answer is read from.

Every peer runs the very artifact that was delivered, with ONNX Runtime and one thread a call, as
our app does, through its own recommended way of serving a model over HTTP with JSON.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
SERVED = HERE / "served"
OUTPUTS = {"temperature": "temperature_forecast", "humidity": "humidity_forecast"}
START_SECONDS = 120
Answer = dict[str, list[float]]


@dataclass(kw_only=True)
class Contender:
    """One server, and one way to ask it. `read` takes temperature and humidity out of an answer."""

    name: str
    command: list[str]
    path: str
    wire: str | None
    read: Callable[[Any], Answer] | None
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    first_answer: float = 0.0

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    def start(self, folder: Path, body: bytes | None) -> None:
        """Start it and wait for the first good answer, which is timed from before the start.

        Raises:
            RuntimeError: it ended, or gave no good answer in time.
        """
        log = folder / f"{self.name.replace(' ', '-')}.log"
        started = time.perf_counter()
        with log.open("wb") as file:
            self.process = subprocess.Popen(  # noqa: S603 - commands of ours
                self.command,
                stdout=file,
                stderr=file,
                cwd=folder,
                env=_quiet() | self.environment,
                start_new_session=True,
            )
        while time.perf_counter() - started < START_SECONDS:
            if self.process.poll() is not None:
                break
            with suppress(OSError, ValueError):
                self.ask(body)
                self.first_answer = time.perf_counter() - started
                return
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"{self.name} gave no good answer:\n{log.read_text()[-1500:]}")

    def ask(self, body: bytes | None) -> Any:  # noqa: ANN401 - JSON
        """Ask once; raises URLError, an OSError, unless the answer is a success."""
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
            return json.load(answer)

    def memory(self) -> float:
        """MB of all its processes, shared pages counted once (proportional set size)."""
        return sum(each.memory_full_info().pss for each in self._family()) / 1e6

    def processor_seconds(self) -> float:
        """Processor time of all its processes so far."""
        return sum(sum(each.cpu_times()[:2]) for each in self._family())

    def stop(self) -> None:
        """End it, and all it started."""
        family = self._family()
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.terminate()
        for each in psutil.wait_procs(family, timeout=10)[1]:
            with suppress(psutil.NoSuchProcess):
                each.kill()

    def _family(self) -> list[psutil.Process]:
        if self.process is None:
            return []
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where things lie: `folder` is the bench's own, `model` the artifact, `store` holds it."""

    folder: Path
    model: Path
    store: Path
    observations: str

    def import_observations(self, archive: Path) -> None:
        """Give our app the observations that a forecast for an area starts from."""
        command = [_here("flask"), "--app", "fairweather_app", "observations", "import"]
        subprocess.run(  # noqa: S603 - a command of ours
            [*command, str(archive)],
            check=True,
            capture_output=True,
            cwd=self.folder,
            env=_quiet() | {"FAIRWEATHER_OBSERVATIONS": self.observations},
        )

    def ours(self, name: str, *, workers: int, get: str | None = None) -> Contender:
        """fairweather-app, asked with observations, or with a `get` for an area."""
        environment = {
            "FAIRWEATHER_STORE": str(self.store),
            "FAIRWEATHER_CACHE": str(self.folder / "cache"),
            "FAIRWEATHER_OBSERVATIONS": self.observations,
            "FAIRWEATHER_LOG_REQUESTS": "false",  # no peer writes a line a request either
            "FAIRWEATHER_RELOAD_SECONDS": "1",
        }
        return Contender(
            name=name,
            command=[_here("fairweather-app"), "serve", "--workers", str(workers)],
            path=get or "/weather/predict",
            wire=None if get else "ours",
            read=None if get else _of_ours,
            environment=environment,
        )

    def floor(self, name: str, path: str, wire: str | None, *, answer: Path) -> Contender:
        """Flask on the same server that answers a constant of the same size."""
        command = [_here("granian"), "--interface", "wsgi", "--workers", "2", "--no-ws"]
        command += ["--blocking-threads", "4", "flask_constant:app"]
        environment = {"BENCH_ANSWER": str(answer)}
        return Contender(
            name=name, command=command, path=path, wire=wire, read=None, environment=environment
        )

    def peer(self, name: str) -> Contender:
        """A peer, installed in an environment of its own.

        Raises:
            RuntimeError: it cannot be installed.
        """
        home = self.folder / "environments" / name
        self._install(name, home)
        prepared: Mapping[str, Callable[[Path], Contender]] = {
            "mlserver": self._mlserver,
            "bentoml": self._bentoml,
            "litserve": self._litserve,
            "mlflow": self._mlflow,
        }
        made = prepared[name](home / "bin")
        made.environment |= {"BENCH_MODEL": str(self.model), "BENCH_WORKERS": "2"}
        made.environment["PATH"] = f"{home / 'bin'}:{os.environ['PATH']}"
        return made

    def _install(self, name: str, home: Path) -> None:
        wanted = [REQUIREMENTS[name], "onnxruntime==1.32.0", "numpy==2.4.6"]
        done = home / "installed"
        if done.exists() and done.read_text() == str(wanted):
            return
        shutil.rmtree(home, ignore_errors=True)
        python = ["--python", str(home / "bin" / "python")]
        for command in (
            [_here("uv"), "venv", "--quiet", "--python", sys.executable, str(home)],
            [_here("uv"), "pip", "install", "--quiet", *python, *wanted],
        ):
            found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if found.returncode:
                raise RuntimeError(f"{name} cannot be installed: {found.stderr.strip()[-500:]}")
        done.write_text(str(wanted))

    def _mlserver(self, binaries: Path) -> Contender:
        """One process with the model in it: with workers of its own it is no faster."""
        home = self.folder / "mlserver"
        home.mkdir(exist_ok=True)
        runtime = {"name": "forecaster", "implementation": "mlserver_onnx.OnnxRuntime"}
        (home / "model-settings.json").write_text(json.dumps(runtime))
        settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False}
        settings |= {"gzip_enabled": False, "metrics_endpoint": None}
        (home / "settings.json").write_text(json.dumps(settings))
        return Contender(
            name="mlserver",
            command=[str(binaries / "mlserver"), "start", str(home)],
            path="/v2/models/forecaster/infer",
            wire="v2",
            read=lambda answer: _tensors(
                {each["name"]: [each["data"]] for each in answer["outputs"]}
            ),
        )

    def _bentoml(self, binaries: Path) -> Contender:
        command = [str(binaries / "bentoml"), "serve", "bento_service:Forecaster"]
        command += ["--host", "127.0.0.1", "--working-dir", str(SERVED)]
        return Contender(
            name="bentoml", command=command, path="/predict", wire="raw", read=_tensors
        )

    def _litserve(self, binaries: Path) -> Contender:
        command = [str(binaries / "python"), str(SERVED / "litserve_api.py")]
        return Contender(
            name="litserve", command=command, path="/predict", wire="raw", read=_tensors
        )

    def _mlflow(self, binaries: Path) -> Contender:
        home = self.folder / "mlflow-model"
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run(  # noqa: S603 - a command of ours
            [str(binaries / "python"), str(SERVED / "mlflow_model.py"), str(home)],
            check=True,
            capture_output=True,
            env=_quiet() | {"BENCH_MODEL": str(self.model)},
            cwd=self.folder,
        )
        command = [str(binaries / "mlflow"), "models", "serve", "--model-uri", str(home)]
        command += ["--host", "127.0.0.1", "--workers", "2", "--env-manager", "local"]
        return Contender(
            name="mlflow",
            command=command,
            path="/invocations",
            wire="mlflow",
            read=lambda answer: _tensors(answer["predictions"]),
        )


REQUIREMENTS = {
    "mlserver": "mlserver==1.7.1",
    "bentoml": "bentoml==1.4.39",
    "litserve": "litserve==0.2.19",
    "mlflow": "mlflow==3.17.2",
}


def on_port(contender: Contender, port: int) -> Contender:
    """Tell a contender where to listen, in the way it wants to be told."""
    contender.port = port
    if contender.name == "mlserver":
        # an empty environment variable outranks the file: MLServer reads both
        names = ("HTTP", "GRPC", "METRICS")
        contender.environment |= {
            f"MLSERVER_{name}_PORT": str(port + at) for at, name in enumerate(names)
        }
    elif contender.name == "litserve":
        contender.environment["BENCH_PORT"] = str(port)
    else:
        contender.command += ["--port", str(port)]
    return contender


def _here(command: str) -> str:
    """A command of the environment that runs the bench."""
    return str(Path(sys.executable).parent / command)


def _quiet() -> dict[str, str]:
    """The environment of every server: no calls home, one thread a call, our scripts importable."""
    quiet = {"DO_NOT_TRACK": "1", "BENTOML_DO_NOT_TRACK": "True", "OMP_NUM_THREADS": "1"}
    quiet["ORT_DISABLE_TELEMETRY"] = "1"
    quiet |= {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": str(SERVED)}
    kept = {name: value for name, value in os.environ.items() if "FAIRWEATHER" not in name}
    return kept | quiet


def _tensors(outputs: Mapping[str, list[list[float]]]) -> Answer:
    return {variable: outputs[name][0] for variable, name in OUTPUTS.items()}


def _of_ours(answer: Any) -> Answer:  # noqa: ANN401 - JSON
    return {variable: answer["forecast"][variable]["value"] for variable in OUTPUTS}
