"""Fetch what deployed apps say of themselves: ``live.py FOLDER URL...``.

The folder then holds the software manifest of these apps and of no others, as ``HOST.json``. Where
one cannot be fetched, or is no manifest, the folder stays as it was and the exit code is 1.
"""

# ruff: noqa: INP001 - a program, not a package

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from fairweather_interface.errors import FairweatherError
from fairweather_interface.software import read_software

SECONDS = 10
LARGEST = 4 << 20


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow none: what is asked is what answers."""


def fetch(address: str) -> bytes:
    """Return the software manifest of an app, which reads as one.

    Raises:
        ValueError: the address is none of an app.
        FairweatherError: what it answers is no manifest.
        OSError: it cannot be asked.
    """
    if urlsplit(address).scheme not in {"http", "https"} or "@" in urlsplit(address).netloc:
        raise ValueError("expected http:// or https://, without a password")
    opener = urllib.request.build_opener(_NoRedirect())
    with opener.open(f"{address.rstrip('/')}/software", timeout=SECONDS) as answer:
        content: bytes = answer.read(LARGEST)
    read_software(content)
    return content


def main(folder: Path, addresses: list[str]) -> int:
    """Fetch all, or change nothing; return the exit code."""
    found: dict[str, bytes] = {}
    problems = []
    for address in addresses:
        try:
            found[f"{urlsplit(address).netloc.replace(':', '-')}.json"] = fetch(address)
        except (FairweatherError, OSError, HTTPException, ValueError) as error:
            problems.append(f"{address}: {error}")
    if problems or not found:
        print("\n".join(problems or ["say which apps: URL..."]), file=sys.stderr)  # noqa: T201
        return 1
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.json"):
        if path.name not in found:
            path.unlink()
    for name, content in found.items():
        (folder / f"{name}.new").write_bytes(content)
        (folder / f"{name}.new").replace(folder / name)
        software = read_software(content)
        print(f"{folder / name}: {software.name} {software.version}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
