"""Write what the app's compatibility page shows from the records of the matrix.

    python app/compatibility/write.py [--check]

The app's wheel is built from its folder alone, so it carries a copy of what was found. With
``--check`` nothing is written, and the exit code is 1 when the copy is not what the records say.
"""

# ruff: noqa: INP001, T201 - a script beside its package

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "shared-interface" / "matrix" / "records"
COPY = ROOT / "app" / "src" / "fairweather_app" / "web" / "compatibility.json"


def _age(version: str) -> tuple[bool, list[int]]:
    """Sort releases by their numbers, HEAD last."""
    return version == "HEAD", [] if version == "HEAD" else [int(n) for n in version.split(".")]


def condensed() -> str:
    """Return what the records say: by app, research and kind ``served`` or a refusal code."""
    by_app: dict[str, dict[str, dict[str, str]]] = {}
    found = {path.stem.removeprefix("app-"): path for path in RECORDS.glob("app-*.json")}
    for app in sorted(found, key=_age):
        content: dict[str, Any] = json.loads(found[app].read_text(encoding="utf-8"))
        by_app[app] = {
            research: {
                kind: said.get("code", said["outcome"])
                for kind, said in content[research]["outcomes"].items()
            }
            for research in sorted(content, key=_age)
        }
    return json.dumps(by_app, indent=1) + "\n"


def main() -> int:
    """Write the copy, or say whether it is right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 when it is stale")
    options = parser.parse_args()
    wanted = condensed()
    if not options.check:
        COPY.write_text(wanted, encoding="utf-8")
        print(COPY.relative_to(ROOT))
        return 0
    if COPY.exists() and COPY.read_text(encoding="utf-8") == wanted:
        return 0
    print(
        f"{COPY.relative_to(ROOT)} is not what {RECORDS.relative_to(ROOT)} says: "
        "run python app/compatibility/write.py",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
