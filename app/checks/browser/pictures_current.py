"""Check whether the pictures of the documents are older than the pages that they show.

When ``nox -s screenshots`` makes the pictures, it records beside them the digest of every source
that draws a page. ``python pictures_current.py TARGET`` compares, and exits 1 with what has changed
since; it runs at night and not at every change, because not every change of a source can be seen.
"""

# ruff: noqa: INP001, T201 - a script beside its siblings

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
APP = HERE.parents[1]
RECORD = "pictures.json"
DRAWN_BY = (
    *("src/fairweather_app/web/**/*.py", "src/fairweather_app/web/templates/**/*.html"),
    *("src/fairweather_app/web/static/*.css", "src/fairweather_app/web/static/*.js"),
    *("src/fairweather_app/web/static/*.svg", "src/fairweather_app/web/bundle/*"),
    *("package-lock.json", "checks/browser/pictures.py"),
)
"""What draws a page, and what chooses the pages; patterns below the app's folder."""


def sources(app: Path = APP) -> dict[str, str]:
    """Return ``sha256:<hex>`` of what draws a page, by its path below the app's folder."""
    found = {path for pattern in DRAWN_BY for path in app.glob(pattern) if path.is_file()}
    return {
        path.relative_to(app).as_posix(): f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(found)
    }


def record(target: Path, now: Mapping[str, str]) -> None:
    """Record of which sources the pictures in `target` were made."""
    (target / RECORD).write_text(json.dumps(dict(now), indent=1) + "\n", encoding="utf-8")


def changed(target: Path, now: Mapping[str, str]) -> list[str] | None:
    """Return the sources that changed since the pictures in `target`; None without a record."""
    try:
        then: dict[str, str] = json.loads((target / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]


def main() -> int:
    """Compare, print the result, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("target", type=Path, help="where the pictures are")
    target = parser.parse_args().target
    found = changed(target, sources())
    if found == []:
        print(f"the pictures in {target} show the pages as they are")
        return 0
    what = "their sources were not recorded" if found is None else ", ".join(found)
    print(
        f"the pictures in {target} may be older than the pages: {what}. "
        "Look, and make them anew: nox -s screenshots",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
