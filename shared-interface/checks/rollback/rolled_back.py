"""Ask one release of the app about the cast: all it may serve is served, the rest is listed.

    python rolled_back.py FOLDER [keys.yaml]

Run in an environment that holds that release, over the store, the observations and the cache that
a newer release left behind. With the file of keys it refuses what is not signed, too. Which schemas
the release obeys it says itself, in its manifest. Every disappointment is printed; the exit code is
1 if there is one.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving import App, command, running, settings

_CLOSE = 1e-3
_REFERENCE_TIME = "2013-06-10T12:00Z"
_BANDS_SINCE = (0, 3)


def main() -> int:
    """Run the questions and return the exit code."""
    folder = Path(sys.argv[1]).resolve()
    cast = json.loads((folder / "cast.json").read_text())
    environment = settings(folder)
    if len(sys.argv) > 2:  # noqa: PLR2004 - the file of keys
        environment["FAIRWEATHER_KEYS"] = str(folder / sys.argv[2])
        for member in (each for each in cast["members"] if not each["signed"]):
            member.update(reader=None, code="not-trusted")
    printed = subprocess.run(  # noqa: S603 - arguments of our own
        command("software"), env=environment, check=True, stdout=subprocess.PIPE
    )
    software = json.loads(printed.stdout)
    obeys = _version(software["readable_schemas"]["newest"])
    release = f"{software['name']} {software['version']}"
    served = [member for member in cast["members"] if _may(member, obeys)]
    with running(environment, folder / "app.log", deliveries=len(cast["members"])) as app:
        problems = [
            *_listed(app, cast["members"], obeys),
            *(told for it in served for told in _answered(app, it, cast["windows"], obeys)),
            *(told for it in cast["members"] if it not in served for told in _refused(app, it)),
        ]
        if app.process.poll() is not None:
            problems.append("the app has ended")
    for problem in problems:
        print(f"{release}: {problem}")  # noqa: T201
    if not problems:
        print(  # noqa: T201
            f"{release}, which obeys schemas up to {'.'.join(map(str, obeys))}: served "
            f"{len(served)} of {len(cast['members'])}, refused the rest with their reasons"
        )
    return 1 if problems else 0


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _may(member: dict[str, Any], obeys: tuple[int, ...]) -> bool:
    if member["reader"] is None:
        return obeys < _version(member["caught_since"])
    return _version(member["reader"]) <= obeys


def _listed(app: App, members: list[dict[str, Any]], obeys: tuple[int, ...]) -> Iterator[str]:
    """Every delivery is listed in its state, and what is not live says why."""
    status, answer = app.get("/models")
    listed = {model["delivery_id"]: model for model in answer["models"]}
    if status != 200 or len(listed) != len(members):  # noqa: PLR2004 - HTTP
        yield f"/models: status {status}, {len(listed)} deliveries of {len(members)}"
    for member in members:
        model = listed.get(member["delivery_id"], {})
        state, code = model.get("state"), model.get("code")
        if _may(member, obeys) != (state == "live"):
            yield f"{member['area']}: listed as {state} ({code}: {model.get('reason')})"
        elif state != "live" and (code != member["code"] or not model.get("reason")):
            yield f"{member['area']}: expected {member['code']}, found {code}"
        elif code == "schema-too-new" and "upgrade" not in model["reason"]:
            yield f"{member['area']}: no remedy in {model['reason']!r}"


def _answered(
    app: App, member: dict[str, Any], windows: dict[str, list[float]], obeys: tuple[int, ...]
) -> Iterator[str]:
    """What may be served is served, with the right numbers, bands only where they are known."""
    place = member["area"]
    status, answer = _ask(app, member, windows["gentle"])
    if status != 200:  # noqa: PLR2004 - HTTP
        yield f"{place}: status {status}, {answer.get('detail')}"
        return
    if answer["receipt"]["delivery_id"] != member["delivery_id"]:
        yield f"{place}: answered by {answer['receipt']['delivery_id']}"
    for variable in member["variables"]:
        series = answer["forecast"][variable]
        if not _close(series["value"], windows["gentle"]):
            yield f"{place}: {variable} came out as {series['value']}"
        bands = member["bands"] and obeys >= _BANDS_SINCE
        for name, shift in (("lower", -4.0), ("upper", 4.0)):
            if (name in series) != bands:
                yield f"{place}: {name} is {'there' if name in series else 'not there'}"
            elif bands and not _close(series[name], [it + shift for it in windows["gentle"]]):
                yield f"{place}: {name} came out as {series[name]}"
    status, answer = _ask(app, member, windows["hot"])
    codes = [it["code"] for it in answer.get("refused", []) if it["delivery_id"] == _id(member)]
    if codes != ([member["too_hot"]] if member["too_hot"] else []):
        yield f"{place}: asked with 40 degC it said {status}, {codes}"


def _refused(app: App, member: dict[str, Any]) -> Iterator[str]:
    """What may not be served is refused: nobody else declares the area, and nothing crashes."""
    place = member["area"]
    status, answer = app.get(f"/models/{_id(member)}")
    if status >= 500:  # noqa: PLR2004 - HTTP
        yield f"{place}: status {status}, {answer.get('detail')}"
    status, answer = app.get("/weather/predict", area=place)
    codes = answer.get("refused_counts", {})
    known = status == 422 and member["code"] in codes  # noqa: PLR2004 - HTTP
    if not known and answer.get("type") != "/problems/unknown-area":
        yield f"{place}: expected a refusal, found status {status}, {codes}"


def _id(member: dict[str, Any]) -> str:
    return str(member["delivery_id"])


def _ask(app: App, member: dict[str, Any], window: list[float]) -> tuple[int, Any]:
    observations = dict.fromkeys(member["variables"], window)
    body = {"area": member["area"], "reference_time": _REFERENCE_TIME, "observations": observations}
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{app.address}/weather/predict",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    return app.open(request)


def _close(found: list[float], expected: list[float]) -> bool:
    return len(found) == len(expected) and all(
        abs(one - other) < _CLOSE for one, other in zip(found, expected, strict=True)
    )


if __name__ == "__main__":
    sys.exit(main())
