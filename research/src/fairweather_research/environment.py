"""The environment of a training: its code, its packages, its machine.

Every delivery records it, so that ``reproduce`` can list what differs. Between releases many states
of the code have one version, so the versions of our own packages carry a digest of their source,
``0.4.0.dev0+source.1a2b3c4d5e6f``.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: Our own packages and the folders that their code lies in.
OURS = {
    "fairweather-interface": "fairweather_interface",
    "fairweather-research": "fairweather_research",
}
_MMAP_THRESHOLD = -3  # of mallopt
#: Prefix of the name under which an external network is recorded: ``network package.module:name``.
NETWORK = "network "
#: Threads a training computes with. One, on every machine, so that results do not depend on it.
THREADS = 1

_LABEL = re.compile(r"\+source\.([0-9a-f]{12})$")


@cache
def packages() -> Mapping[str, str]:
    """Return the versions of all packages that this one needs, directly or not, and of Python.

    Names are normalized. Other installed packages, such as extras, are left out.
    """
    found: dict[str, str] = {}
    wanted = ["fairweather-research"]
    while wanted:
        name: str = canonicalize_name(wanted.pop())
        if name in found:
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # needed in other environments only
            continue
        found[name] = installed.version
        for line in installed.requires or ():
            required = Requirement(line)
            if required.marker is None or required.marker.evaluate({"extra": ""}):
                wanted.append(required.name)
    for name, folder in OURS.items():
        found[name] = f"{found[name]}+source.{digest_of_source(Path(str(files(folder))))}"
    return MappingProxyType({"python": platform.python_version(), **dict(sorted(found.items()))})


def version_of(recorded: str) -> str:
    """Return a recorded version without the digest of its source.

    >>> version_of("0.4.0.dev0+source.1a2b3c4d5e6f")
    '0.4.0.dev0'
    """
    return _LABEL.sub("", recorded)


def source_of(recorded: str) -> str | None:
    """Return the digest of the source in a recorded version, if it has one."""
    found = _LABEL.search(recorded)
    return found and found[1]


def digest_of_source(package: Path) -> str:
    """Return twelve hexadecimal digits over the paths and contents of a package's files."""
    found = {
        path.relative_to(package.parent).as_posix(): path
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    state = hashlib.sha256()
    for name in sorted(found):
        content = hashlib.sha256(found[name].read_bytes()).hexdigest()
        state.update(f"{name}\0{content}\n".encode())
    return state.hexdigest()[:12]


@cache
def machine() -> str:
    """Describe what of the machine decides about bytes, separated by commas.

    System and architecture, C library, processor, and the vector instructions that NumPy finds:
    libraries choose their kernels by these, and kernels round differently.
    """
    import numpy as np  # noqa: PLC0415 - a quick answer needs none of it

    config = np.show_config(mode="dicts")
    vectors = config.get("SIMD Extensions", {})
    parts = (
        f"{platform.system()} {platform.machine()}",
        " ".join(platform.libc_ver()).strip() or "unknown C library",
        _processor(),
        " ".join((*vectors.get("baseline", ()), *vectors.get("found", ()))) or "no vectors known",
    )
    return ", ".join(part.replace(",", ";") for part in parts)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    return found[1].strip() if found else platform.processor() or "unknown processor"


def memory_limit() -> int:
    """Return how many bytes of memory a process can have here, of the machine or its container."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # no control group, or "max"
            limits.append(int(Path("/sys/fs/cgroup", name).read_text(encoding="utf-8")))
    return min(limits)


def return_freed_memory() -> None:
    """Let this process give arrays back to the system as soon as they are freed, under glibc.

    By itself it keeps those of up to 32 MB, so that a training takes up to half as much again.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 1_000_000)
