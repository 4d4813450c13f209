"""A story told in the terminal: what is done and why, the command, and what it really said.

Everything that is shown is also kept, so that a document which tells the same story can be held
against it.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_WIDTH = 92
_LONGEST_LIST = 4  # items of a JSON list shown; what is kept is whole
_LONGEST_OUTPUT = 60  # lines of a command's output shown


class UnexpectedError(Exception):
    """The story took another turn than it tells."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One command as it was typed, all that it said, and its exit code."""

    command: str
    output: str
    code: int


@dataclass(kw_only=True)
class Teller:
    """Tells, runs and keeps.

    Attributes:
        folder: where commands are typed.
        environment: what they run in; ``export`` adds to it.
        told: everything that was run, in order.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    told: list[Told] = field(default_factory=list)

    def head(self, text: str) -> None:
        """Begin a chapter."""
        say(f"\n{text}\n{'-' * len(text)}")

    def why(self, text: str) -> None:
        """Say what is done next, and why."""
        say("\n" + textwrap.fill(" ".join(text.split()), _WIDTH))

    def export(self, **variables: str) -> None:
        """Set environment variables, as a person types it."""
        self.environment |= variables
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
        self._keep(Told(command=f"export {words}", output="", code=0))

    def run(self, command: str, *, expect: int = 0) -> str:
        """Run a command and return what it said, stderr and stdout in turn.

        Raises:
            UnexpectedError: it ended with another code than expected.
        """
        return self.both(command, expect=expect)[0]

    def both(self, *commands: str, expect: int = 0) -> list[str]:
        """Run commands side by side, and tell of them in turn."""
        say()
        for command in commands:
            say(f"$ {command}")
        running = [
            subprocess.Popen(  # noqa: S603 - the story's own commands
                self._words(command),
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for command in commands
        ]
        outputs = []
        for command, process in zip(commands, running, strict=True):
            output, _ = process.communicate()
            outputs.append(output)
            if len(commands) > 1:
                say(f"\n# {command}")
            self._keep(Told(command=command, output=output, code=process.returncode), typed=False)
            if process.returncode != expect:
                raise UnexpectedError(
                    f"`{command}` ended with code {process.returncode}, expected {expect}; it "
                    f"said:\n{output}"
                )
        return outputs

    def started(self, command: str, said: str) -> None:
        """Tell of a command that runs on, and of what it said when it began."""
        self._keep(Told(command=command, output=said, code=0))

    def ask(self, address: str, get: Callable[[str], tuple[int, Any]]) -> tuple[int, Any]:
        """Ask a running app as ``curl`` does; show the JSON, long lists cut."""
        status, answer = get(address)
        whole = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        told = Told(command=f'curl -s "{address}"', output=whole, code=0)
        self._keep(told, shown=f"{_laid_out(_short(answer))}\n(status {status})")
        return status, answer

    def write(self, path: Path) -> None:
        """Write everything that was told, as JSON."""
        path.write_text(json.dumps([asdict(one) for one in self.told], indent=1), encoding="utf-8")

    def _words(self, command: str) -> list[str]:
        words = shlex.split(command)
        found = shutil.which(words[0], path=self.environment["PATH"])
        if found is None:
            raise UnexpectedError(f"found no command {words[0]!r} on the path; install it")
        return [found, *words[1:]]

    def _keep(self, told: Told, *, typed: bool = True, shown: str | None = None) -> None:
        self.told.append(told)
        if typed:
            say(f"\n$ {told.command}")
        lines = (told.output.rstrip() if shown is None else shown).splitlines()
        if shown is None and len(lines) > _LONGEST_OUTPUT:
            left_out = len(lines) - _LONGEST_OUTPUT
            lines[_LONGEST_OUTPUT // 2 : -_LONGEST_OUTPUT // 2] = [f"… ({left_out} lines)"]
        for line in lines:
            say(line)


def say(text: str = "") -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)  # noqa: T201 - a command


def _short(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [_short(item) for item in value[:_LONGEST_LIST]]
        return [*items, f"… {len(value)} in all"] if len(value) > _LONGEST_LIST else items
    return round(value, 3) if isinstance(value, float) else value


def _laid_out(value: Any, indent: int = 0) -> str:  # noqa: ANN401 - any JSON
    """JSON on as few lines as fit the width."""
    flat = json.dumps(value, ensure_ascii=False)
    if indent + len(flat) <= _WIDTH or not isinstance(value, dict | list):
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_laid_out(item, indent + 2)}" for key, item in value.items()]
    else:
        parts = [_laid_out(item, indent + 2) for item in value]
    left, right = "{}" if isinstance(value, dict) else "[]"
    return f"{left}\n{pad}" + f",\n{pad}".join(parts) + f"\n{' ' * indent}{right}"
