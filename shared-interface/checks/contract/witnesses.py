"""Start a process for each contract, ask it, and remember what a released one answered.

What a release answers never changes, so its answers are kept beside the wheels, by its tree and by
what asks it. A process starts with the first question that is not answered there.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SCRIPT = Path(__file__).parent / "witness.py"
_A_DAY = 24 * 60 * 60  # seconds after which answers to other questions are thrown away
_MOST = 40_000  # answers that are kept of a release

Answer = dict[str, Any]


class Witness:
    """A contract that answers questions, in a process of its own.

    Args:
        name: what it is called in messages.
        schema: the newest schema that it knows; empty where that is not known.
        source: the folder that holds its package.
        python: the interpreter, with the third parties it needs.
        home: a folder to keep its answers in; without one nothing is kept.
    """

    def __init__(
        self, name: str, schema: str, source: Path, *, python: str = sys.executable,
        home: Path | None = None,
    ) -> None:  # fmt: skip
        self.name, self.schema, self.home = name, schema, home
        self._source, self._python = source, python
        self._process: subprocess.Popen[str] | None = None
        self._memory = home / "answers.json" if home else None
        self._asked = 0

    @cached_property
    def _kept(self) -> dict[str, Answer]:
        if self._memory is None or not self._memory.is_file():
            return {}
        kept: dict[str, Answer] = json.loads(self._memory.read_text(encoding="utf-8"))
        return kept

    def ask(self, question: str, /, **about: object) -> Answer:
        """Return the answer, or why there is none: ``refused``, ``crashed`` or ``absent``.

        A question about a folder is the same one where the folder holds the same bytes.
        """
        key = self._key(question, about)
        if key not in self._kept:
            answer = self._told(json.dumps({"ask": question, "about": about}))
            if self._memory is None:
                return answer
            self._kept[key] = answer
            self._asked += 1
        return self._kept[key]

    def knows(self, question: str, /, **about: object) -> bool:
        """Return whether the answer is kept."""
        return self._key(question, about) in self._kept

    def _key(self, question: str, about: Mapping[str, object]) -> str:
        if self._memory is None:
            return ""
        path = about.get("path")
        of = _bytes_below(Path(path)) if isinstance(path, str) else about
        return hashlib.sha256(json.dumps([question, of]).encode()).hexdigest()[:24]

    def _told(self, line: str) -> Answer:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [self._python, "-W", "ignore", str(SCRIPT)],
                env={
                    **os.environ, "PYTHONPATH": str(self._source), "PYTHONDONTWRITEBYTECODE": "1",
                    "PYTHONUTF8": "1",
                },
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        process, told = self._process, ""
        if process.stdin is not None and process.stdout is not None and process.poll() is None:
            try:
                process.stdin.write(line + "\n")
                process.stdin.flush()
                told = process.stdout.readline()
            except BrokenPipeError:
                process.stdin = None  # nobody is there to be flushed to
        if not told:
            words = process.communicate()[1].strip()
            last = (words.splitlines() or ["it ended without a word"])[-1]
            self._process = None
            return {"crashed": f"the contract cannot be imported: {last[:400]}"}
        answer: Answer = json.loads(told)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._memory is None or not self._asked or kind is not None:
            return
        if len(self._kept) > _MOST:
            self._memory.unlink(missing_ok=True)
            return
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=self._memory.parent, delete=False
        ) as file:
            json.dump(self._kept, file)
        Path(file.name).replace(self._memory)


def _bytes_below(path: Path) -> str:
    """Return a digest over the name of a folder and all that lies in it."""
    digest = hashlib.sha256(path.name.encode())
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(f"\0{file.relative_to(path)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def kept_under(keep: Path, tree: str, constraints: Path) -> Path:
    """Return the folder for the answers of a released tree, by all that they depend on."""
    asked = hashlib.sha256(sys.version.encode())
    asked.update(constraints.read_bytes() if constraints.is_file() else b"")
    for script in ("witness.py", "corpus.py", "alike.py"):
        asked.update((SCRIPT.parent / script).read_bytes())
    folder = keep / f"{tree[:12]}-{asked.hexdigest()[:12]}"
    if not folder.is_dir():
        for old in keep.glob(f"{tree[:12]}-*"):
            if time.time() - old.stat().st_mtime > _A_DAY:
                shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def interpreter(constraints: Path, needed: Sequence[str], keep: Path) -> str:
    """Return an interpreter with the third parties of a release's day.

    That is our own where it has the very versions; else one that uv makes and ``keep`` keeps; and
    our own again where those versions cannot be had any more.
    """
    lines = constraints.read_text(encoding="utf-8").splitlines() if constraints.is_file() else []
    found = [re.match(r"([\w.-]+)==([^ ;]+)", line) for line in lines]
    pins = {each[1]: each[2] for each in found if each}
    if all(pins.get(name, _version(name)) == _version(name) for name in needed):
        return sys.executable
    digest = hashlib.sha256(f"{sys.version}{sorted(pins.items())}".encode()).hexdigest()[:12]
    made = keep / f"python-{digest}"
    python = made / ("Scripts" if os.name == "nt" else "bin") / "python"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if not python.exists() and uv:
        made.parent.mkdir(parents=True, exist_ok=True)
        wanted = [f"{name}=={pins[name]}" for name in needed if name in pins]
        for command in (
            ["venv", "--quiet", "--python", sys.executable, str(made)],
            ["pip", "install", "--quiet", "--python", str(python), *wanted],
        ):
            done = subprocess.run([uv, *command], capture_output=True, check=False)  # noqa: S603
            if done.returncode:
                shutil.rmtree(made, ignore_errors=True)
                break
    return str(python) if python.exists() else sys.executable


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


NEEDED = (
    "annotated-types", "packaging", "pydantic", "pydantic-core", "pyyaml", "typing-extensions",
    "typing-inspection",
)  # fmt: skip
"""What the package imports, with what that needs; ``tzdata`` is installed on Windows alone."""
