"""One environment for each side of the matrix, made of explicit wheel files, kept while they stay.

Our packages come from the wheelhouse and from nowhere else: after every installation the
environment is asked where they came from, so that a stranger's package of our name on an index
cannot stand in for ours.
"""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import wheelhouse
from matrix_axes import HEAD, Side
from packaging.requirements import Requirement
from packaging.version import Version
from wheelhouse import FOLDERS, Release, WheelhouseError

EXTRAS = {"research": "samples"}
_BEING_MADE: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
_WHENCE = """
import json, sys
from importlib.metadata import distribution
found = {name: distribution(name).read_text("direct_url.json") for name in sys.argv[1:]}
print(json.dumps({name: json.loads(text or "{}").get("url") for name, text in found.items()}))
"""


class MatrixError(Exception):
    """A cell cannot be run; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheels:
    """The wheels of one side, and everything that decides what its environment holds.

    Attributes:
        side: whose they are.
        version: the version of the package itself; HEAD's is its next one.
        ours: wheel files by short name, the interface first.
        key: digests by name; two environments with one key hold the same.
    """

    side: Side
    version: Version
    ours: dict[str, Path]
    key: dict[str, str]

    @property
    def excluded(self) -> str | None:
        """Why the requirement of this package does not allow this interface; None when it does."""
        version = Version(self.ours["interface"].name.split("-")[1])
        for requirement in requirements(self.ours[self.side.package]):
            if requirement.name == "fairweather-interface" and not requirement.specifier.contains(
                version, prereleases=True
            ):
                return f"it requires {requirement}, this is {version}"
        return None


def state() -> Path:
    """Return the ignored folder in which environments, deliveries and runs are kept."""
    return wheelhouse.ROOT / ".matrix"


def digest(*contents: bytes) -> str:
    """Return ``sha256:<hex>`` of bytes."""
    return f"sha256:{hashlib.sha256(b''.join(contents)).hexdigest()}"


def wheels(side: Side) -> Wheels:
    """Return the wheels of a side, built unless they are there.

    Raises:
        MatrixError: a wheel cannot be had, or is not what was released.
    """
    ours = {name: _wheel(name, version) for name, version in _versions(side).items()}
    key = {name: wheelhouse.wheel_contents(path) for name, path in ours.items()}
    key["python"] = side.python
    key["resolution"] = side.resolution
    if side.resolution == "constraints":
        key["constraints"] = digest(_constraints(side).read_bytes())
    version = Version(ours[side.package].name.split("-")[1])
    return Wheels(side=side, version=version, ours=ours, key=key)


def differing(sides: tuple[Side, ...]) -> tuple[Side, ...]:
    """Return an axis without HEAD where HEAD would run the very code of the latest release.

    What a wheel says of itself (version, changelog, readme) does not count; what it requires does.
    """
    *released, head = sides
    same = bool(released) and all(
        _substance(_wheel(name, version)) == _substance(_wheel(name, _versions(released[-1])[name]))
        for name, version in _versions(head).items()
    )
    return tuple(released) if same else sides


def python_of(found: Wheels) -> Path:
    """Return the interpreter of the environment of these wheels, made unless it is there.

    Cells that run side by side may ask for one at once: the first makes it, the others wait.

    Raises:
        MatrixError: it cannot be made, or holds packages of our names that are not ours.
    """
    folder = state() / "environments" / f"{found.side.package}-{found.side.name}"
    python, marker = folder / "bin" / "python", folder / "key.json"
    key = json.dumps({**found.key, "folder": str(folder)}, indent=1)
    with _BEING_MADE[folder]:
        if not (marker.is_file() and marker.read_text(encoding="utf-8") == key):
            shutil.rmtree(folder, ignore_errors=True)
            _uv("venv", "--quiet", "--python", found.side.python, str(folder))
            _uv("pip", "install", "--quiet", "--python", str(python), *_arguments(found))
            _ask_whence(python, found)
            marker.write_text(key, encoding="utf-8")
    return python


def requirements(wheel: Path) -> tuple[Requirement, ...]:
    """Return what a wheel requires, extras included."""
    stated = _metadata(wheel).get_all("Requires-Dist") or ()
    return tuple(Requirement(line) for line in stated)


def clean_environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what would change a run from outside."""
    foreign = ("FAIRWEATHER_", "PYTHON", "FLASK_", "VIRTUAL_ENV", "TF_", "KERAS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, **more}


def _versions(side: Side) -> dict[str, str]:
    return {"interface": side.interface, side.package: side.version}


def _wheel(package: str, version: str) -> Path:
    try:
        if version == HEAD:
            return wheelhouse.head_wheel(package)
        return wheelhouse.release_wheel(_release(package, version))
    except WheelhouseError as error:
        raise MatrixError(str(error)) from error


def _release(package: str, version: str) -> Release:
    return next(made for made in wheelhouse.releases(package) if made.version == version)


def _constraints(side: Side) -> Path:
    if side.version == HEAD:
        return wheelhouse.ROOT / FOLDERS[side.package] / "constraints.txt"
    return _release(side.package, side.version).constraints


def _arguments(found: Wheels) -> list[str]:
    """Return what to install and how: our wheels by address, third parties as the side resolves."""
    side = found.side
    arguments = []
    for name, path in found.ours.items():
        extra = f"[{EXTRAS[name]}]" if name in EXTRAS else ""
        arguments.append(f"fairweather-{name}{extra} @ {path.as_uri()}")
    if side.resolution == "constraints":
        return ["--constraint", str(_constraints(side)), *arguments]
    stated = [each for path in found.ours.values() for each in requirements(path)]
    direct = [
        f"{each.name}{each.specifier}"
        for each in stated
        if not each.name.startswith("fairweather-")
        and (each.marker is None or each.marker.evaluate({"extra": EXTRAS.get(side.package, "")}))
    ]
    return [f"--resolution={side.resolution}", *arguments, *direct]


def _ask_whence(python: Path, found: Wheels) -> None:
    names = {f"fairweather-{name}": path.as_uri() for name, path in found.ours.items()}
    command = [str(python), "-I", "-c", _WHENCE, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    whence = json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip()
    if whence != names:
        raise MatrixError(
            f"found our packages installed from {whence}, expected {names}: a stranger's package "
            "of our name must not stand in for ours"
        )


def _uv(*arguments: str) -> None:
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    uv = shutil.which("uv", path=places)
    if uv is None:
        raise MatrixError("found no uv, which makes the environments: pip install 'nox[uv]'")
    done = subprocess.run(  # noqa: S603 - arguments of our own
        [uv, *arguments], env=clean_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise MatrixError(f"'uv {' '.join(arguments)}' failed:\n{done.stderr.strip()}")


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


def _substance(wheel: Path) -> str:
    """Return a digest over what is installed and what is required, whatever the version is."""
    with zipfile.ZipFile(wheel) as archive:
        files = {
            name: hashlib.sha256(archive.read(name)).hexdigest()
            for name in archive.namelist()
            if ".dist-info/" not in name or name.endswith("/entry_points.txt")
        }
    about = {name.partition(".dist-info/")[2] or name: value for name, value in files.items()}
    required = sorted(map(str, requirements(wheel)))
    return digest(json.dumps([about, required], sort_keys=True).encode())
