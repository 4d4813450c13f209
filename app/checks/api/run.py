"""Hold the running app against its own document, with thousands of generated requests.

Schemathesis makes requests that the document allows and requests that it does not, from the
examples, from the bounds of each parameter, at random, and along the links; all its checks judge
what comes back. Random names would be answered with 404 for ever, so it is told areas, deliveries
and times that there are. ``run.py [--cases N] [--seed N]``; exits 1 for any failure, fewer than
2,000 cases, or an operation of the document that never succeeded, called or not.
"""

# ruff: noqa: INP001, T201 - a program beside its siblings, not a package

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import urllib.request
from datetime import timedelta
from pathlib import Path

import world

HERE = Path(__file__).parent
LEAST = 2000
WINDOW = 168


def main() -> int:
    """Serve, generate, judge, and tell the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=130, help="random cases for each operation")
    parser.add_argument("--seed", type=int, default=7, help="what random cases are made from")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        now = world.present()
        world.write_world(folder, now)
        start = now.replace(minute=0, second=0, microsecond=0)
        times = [f"{start - timedelta(hours=k):%Y-%m-%dT%H:%M:%SZ}" for k in (0, 1, 24, 100)]
        ids = sorted(path.name for path in (folder / "store").iterdir())
        config = folder / "schemathesis.toml"
        config.write_text(_config(ids, times), encoding="utf-8")
        counts = folder / "counts.json"
        hooks = {
            "API_COUNTS": str(counts),
            "API_BODIES": json.dumps(_bodies(times)),
            "SCHEMATHESIS_HOOKS": "hooks",
            "PYTHONPATH": str(HERE),
        }
        archive = folder / "observations.csv"
        with world.serving(folder, store=folder / "store", archive=archive) as address:
            with urllib.request.urlopen(f"{address}/openapi.json", timeout=60) as answer:  # noqa: S310 - loopback
                document = answer.read()
            # from a file: of a document that it fetches, Schemathesis leaves the address untried
            (folder / "openapi.json").write_bytes(document)
            command = Path(sys.executable).with_name("schemathesis")
            told = subprocess.run(  # noqa: S603 - arguments of our own
                [
                    *(str(command), "--config-file", str(config), "run"),
                    *(str(folder / "openapi.json"), "--url", address),
                    *("--checks", "all", "--warnings", "off"),
                    *("--max-examples", str(chosen.cases), "--seed", str(chosen.seed)),
                    *("--generation-database", "none", "--continue-on-failure"),
                ],
                cwd=folder,
                env={**os.environ, **hooks},
                check=False,
            )
        counted = json.loads(counts.read_text())
        return tell(counted, _operations(document), failed=told.returncode != 0)


def _operations(document: bytes) -> list[str]:
    """Every operation of a document, as Schemathesis names it."""
    paths = json.loads(document)["paths"]
    return [f"{method.upper()} {path}" for path, item in paths.items() for method in item]


def tell(counted: dict[str, dict[str, int]], operations: list[str], *, failed: bool) -> int:
    """Print the cases of each operation by status, and return the exit code."""
    kinds = ("2xx", "3xx", "4xx", "5xx")
    print(f"\n{'operation':<38}{''.join(f'{kind:>8}' for kind in kinds)}")
    for operation in sorted({*operations, *counted}):
        counts = counted.get(operation, {})
        print(f"{operation:<38}{''.join(f'{counts.get(kind, 0):>8}' for kind in kinds)}")
    total = sum(sum(each.values()) for each in counted.values())
    well = sum(each.get("2xx", 0) for each in counted.values())
    print(f"{total} cases on {len(operations)} operations, {well} of them 2xx")
    problems = [
        f"{name} never succeeded: it got {sum(counted.get(name, {}).values())} cases"
        for name in operations
        if not counted.get(name, {}).get("2xx")
    ]
    if total < LEAST:
        problems.append(f"found {total} cases, expected at least {LEAST}: give more --cases")
    if failed:
        problems.append("Schemathesis found failures, told above")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _bodies(times: list[str]) -> list[dict[str, object]]:
    """Forecasts from observations, as a caller would ask for them."""
    day = [5 + 4 * math.sin(2 * math.pi * k / 24) for k in range(WINDOW)]
    damp = [60 + 20 * math.cos(2 * math.pi * k / 24) for k in range(WINDOW)]
    both = {"temperature": day, "humidity": damp}
    gaps = {"temperature": [None, *day[1:]], "humidity": damp}
    return [
        {"area": "JFK", "reference_time": times[0], "observations": both},
        {"area": "EWR", "reference_time": times[2], "observations": gaps},
        {"area": "JFK", "variables": ["temperature"], "observations": {"temperature": day}},
    ]


def _config(ids: list[str], times: list[str]) -> str:
    """What Schemathesis is told of this world."""
    return f"""\
[dictionaries]
areas = {{ values = ["JFK", "EWR", "Jerusalem", "LGA"] }}
deliveries = {{ values = {json.dumps(ids)} }}
times = {{ values = {json.dumps(times)} }}
variables = {{ values = ["temperature", "humidity"] }}
units = {{ values = ["C", "F"] }}

[parameters]
"query.area" = {{ dictionary = "areas", probability = 0.6 }}
"query.reference_time" = {{ dictionary = "times", probability = 0.5 }}
"query.variable" = {{ dictionary = "variables", probability = 0.5 }}
"query.units" = {{ dictionary = "units", probability = 0.5 }}
"query.after" = {{ dictionary = "deliveries", probability = 0.5 }}
"path.delivery_id" = {{ dictionary = "deliveries", probability = 0.6 }}
"body.area" = {{ dictionary = "areas", probability = 0.6 }}
"body.reference_time" = {{ dictionary = "times", probability = 0.5 }}
"body.variables[*]" = {{ dictionary = "variables", probability = 0.5 }}

[generation]
codec = "latin-1"

# a request may be what the document allows, and no model fit for it, or observations not there
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "404", "422", "503"]

# 503 has codes of its own in the document; any other server error is a failure
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503"]

# the page takes whatever people type for a time, and says 400 where it is none
[[operations]]
include-operation-id = "forecast_page"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "422", "503"]
"""


if __name__ == "__main__":
    sys.exit(main())
