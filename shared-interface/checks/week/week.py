"""Ask a release of the app for every example of a model that switches: it must say the same.

    python week.py FOLDER

Run in an environment that holds that release, over ``FOLDER/store`` with one delivery in it. Which
example lies on which side of the switch is computed here from its window, apart from the model.
Every disappointment is printed; the exit code is 1 if there is one.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import json
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from serving import App, running, settings

_ON = "humidity"
_STEPS = 24  # the last day, hourly
_SIDES = ("below", "above")


def main() -> int:
    """Ask for every example and return the exit code."""
    folder = Path(sys.argv[1]).resolve()
    (delivery,) = (path for path in (folder / "store").iterdir() if not path.name.startswith("."))
    metadata = json.loads((delivery / "metadata.json").read_text())
    metrics = json.loads((delivery / "card" / "metrics.json").read_text())
    with np.load(delivery / "examples.npz") as held:
        examples = {name: held[name] for name in held.files}
    release = f"fairweather-app {version('fairweather-app')}"
    with running(settings(folder), folder / "app.log") as app:
        problems = list(_told(app, metadata, examples))
    (threshold,) = metrics["thresholds"]
    sides = Counter(_sides(examples, threshold))
    problems += [f"no example {side} the threshold" for side in _SIDES if not sides[side]]
    for problem in problems:
        print(f"{release}: {problem}")  # noqa: T201
    if not problems:
        print(  # noqa: T201
            f"{release} answers {len(examples['expect'])} examples of a model of schema "
            f"{metadata['schema_version']} over HTTP as the trainer did: {sides['below']} below "
            f"{threshold:.2f} % humidity, {sides['above']} above"
        )
    return 1 if problems else 0


def _told(app: App, metadata: dict[str, Any], examples: dict[str, Any]) -> Iterator[str]:
    """What the app says otherwise than the examples."""
    inputs = [item["name"] for item in metadata["inputs"] if item["role"] == "observations"]
    for row, expect in enumerate(examples["expect"].tolist()):
        body = {
            "area": str(examples["area"][row]),
            "reference_time": f"{np.datetime64(int(examples['reference_time'][row]), 's')}Z",
            "observations": {
                name: [None if np.isnan(value) else float(value) for value in window]
                for name, window in ((name, examples[f"input/{name}"][row]) for name in inputs)
            },
        }
        status, answer = _post(app, body)
        if expect != "serve":
            codes = [refused["code"] for refused in answer.get("refused", [])]
            if codes != [expect]:
                yield f"example {row}: expected {expect}, found status {status}, {codes}"
            continue
        if status != 200:  # noqa: PLR2004 - HTTP
            yield f"example {row}: status {status}, {answer.get('detail')}"
            continue
        if answer["receipt"]["delivery_id"] != metadata["delivery_id"]:
            yield f"example {row}: answered by {answer['receipt']['delivery_id']}"
        for output in metadata["outputs"]:
            expected = examples[f"output/{output['name']}"][row]
            found = np.array(answer["forecast"][output["variable"]]["value"])
            furthest = float(np.abs(found - expected).max())
            allowed = metadata["tolerance"][output["name"]]["absolute"]
            if furthest > allowed:
                yield f"example {row}: {output['name']} is off by {furthest:g}, over {allowed:g}"


def _sides(examples: dict[str, Any], threshold: float) -> Iterator[str]:
    """On which side of the switch each example to serve lies, where nothing is missing."""
    newest = examples[f"input/{_ON}"][examples["expect"] == "serve", -_STEPS:]
    for level in newest[~np.isnan(newest).any(axis=1)].astype(float).mean(axis=1):
        yield _SIDES[int(level >= threshold)]


def _post(app: App, body: dict[str, Any]) -> tuple[int, Any]:
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{app.address}/weather/predict",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    return app.open(request)


if __name__ == "__main__":
    sys.exit(main())
