"""The whole story, told in the terminal: a city that no model declares, and how it gets a forecast.

Run by ``nox -s story`` in an environment that holds the app and no TensorFlow; research is called
by its command in an environment of its own. Each command is the one a person types in a clone, and
what follows it is what it said; long answers are cut where they are shown and whole in the record.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from serving import App, running
from telling import Teller, UnexpectedError, say

ROOT = Path(__file__).parents[3]
RECORD = "told.json"
RECIPES = "research/recipes"
PICKUP_SECONDS = 60.0  # given up after; it takes one reload period and, when quiet, a second


def main() -> int:
    """Tell the story and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", type=Path, help="emptied; where deliveries and record come to lie"
    )
    parser.add_argument("research", type=Path, help="the folder of research's commands")
    parser.add_argument("--stay", action="store_true", help="serve on at the end, to look around")
    options = parser.parse_args()
    if importlib.util.find_spec("tensorflow") is not None:
        say("found TensorFlow in the app's environment, expected none")
        return 1
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    teller = Teller(folder=ROOT)
    commands = (str(options.research), str(Path(sys.executable).parent), os.environ["PATH"])
    teller.environment["PATH"] = os.pathsep.join(commands)
    try:
        _tell(teller, folder, stay=options.stay)
    except UnexpectedError as error:
        say(f"\nThe story took another turn: {error}")
        return 1
    finally:
        teller.write(folder / RECORD)
    return 0


def _tell(teller: Teller, folder: Path, *, stay: bool) -> None:
    here = os.path.relpath(folder, ROOT)
    _train(teller, here)
    teller.head("2. Software serves what they declare")
    teller.why(
        """The app knows the store and nothing of the training. It imports observations, the
        latest of which is its present, and starts."""
    )
    teller.export(
        FAIRWEATHER_STORE=f"{here}/store",
        FAIRWEATHER_CACHE=f"{here}/cache",
        FAIRWEATHER_OBSERVATIONS=f"sqlite:///{here}/observations.sqlite",
        FAIRWEATHER_RELOAD_SECONDS="1",
    )
    teller.run(f"flask --app fairweather_app observations import {here}/observations.parquet")
    log = folder / "app.log"
    with running(teller.environment, log, deliveries=2, port=5000, folder=ROOT) as app:
        teller.started("flask --app fairweather_app run", f"Running on {app.address}")
        _serve(teller, app)
        _refuse(teller, app)
        _declare(teller, app, here)
        if stay:
            say(f"\nThe app serves on at {app.address}/?area=Hebron  (Ctrl-C ends it)")
            with suppress(KeyboardInterrupt):
                app.process.wait()


def _train(teller: Teller, here: str) -> None:
    teller.head("1. Research trains and delivers")
    teller.why(
        """Observations by the minute of Jerusalem and its neighbours cannot be had everywhere, so
        the weather is made up by a stochastic generator, and everything made from it says so."""
    )
    teller.run(
        "fairweather-research observations generator --area Jerusalem --area Beit-Shemesh "
        f"--area Hebron --output {here}/observations.parquet"
    )
    teller.why(
        """Two models of Jerusalem and Beit-Shemesh, each from 30 days of humidity by the minute at
        the place and 30 days of temperature over the region. They end in two deliveries."""
    )
    teller.both(
        *(
            f"fairweather-research train {RECIPES}/{recipe}.yaml --store {here}/store"
            for recipe in ("israel-winter-predictor", "israel-summer-humidity-predictor")
        )
    )


def _serve(teller: Teller, app: App) -> None:
    teller.why(
        """Jerusalem is declared. The answer names, in its receipt, the delivery that gave it and
        says that its weather is synthetic."""
    )
    status, answer = _ask(teller, app, "Jerusalem")
    _expect(status == 200 and answer["receipt"]["synthetic"], "a synthetic forecast of Jerusalem")  # noqa: PLR2004 - HTTP


def _refuse(teller: Teller, app: App) -> None:
    teller.head("3. Nobody answers for Hebron")
    teller.why(
        """There are observations of Hebron, and Jerusalem is thirty kilometres away. But no model
        was trained for Hebron, and a nearby city is no substitute: the app refuses, and says whom
        it passed over and why."""
    )
    status, answer = _ask(teller, app, "Hebron")
    _expect(
        status == 422 and answer["refused_counts"] == {"area-not-declared": 2},  # noqa: PLR2004 - HTTP
        "two refusals for Hebron, both area-not-declared",
    )


def _declare(teller: Teller, app: App, here: str) -> None:
    teller.head("4. Train a model that declares it")
    teller.why(
        """What areas there are is not for the software to say, nor for the contract: research
        writes definitions of its own, the packaged ones with one more line."""
    )
    teller.run(
        "diff -I ^# shared-interface/src/fairweather_interface/data/israel.yaml "
        f"{RECIPES}/definitions/israel-with-hebron.yaml",
        expect=1,
    )
    teller.why("It trains the winter model anew from them, and delivers it into the same store.")
    trained = teller.run(
        f"fairweather-research train {RECIPES}/hebron-winter-predictor.yaml --store {here}/store"
    )
    delivery = Path(trained.splitlines()[-1]).name
    teller.head("5. The same app answers")
    teller.why(
        f"""Process {app.process.pid} is the one that refused a moment ago. It was not restarted,
        and no line of it has changed. Within one reload period it has found the delivery, verified
        it and proved it, and answers for Hebron."""
    )
    address, deadline = _address(app, "Hebron"), time.monotonic() + PICKUP_SECONDS
    while _get(app, address)[0] != 200 and time.monotonic() < deadline:  # noqa: PLR2004 - HTTP
        time.sleep(0.2)
    status, answer = _ask(teller, app, "Hebron")
    _expect(
        status == 200 and answer["receipt"]["delivery_id"] == delivery,  # noqa: PLR2004 - HTTP
        f"a forecast of Hebron by the delivery {delivery}",
    )
    _expect(app.process.poll() is None, f"that process {app.process.pid} still serves")
    say("\nNo line of software changed, and no contract either.")


def _address(app: App, area: str) -> str:
    return f"{app.address}/weather/predict?area={area}"


def _get(app: App, address: str) -> tuple[int, Any]:
    parts = urlsplit(address)
    return app.get(parts.path, **dict(parse_qsl(parts.query)))


def _ask(teller: Teller, app: App, area: str) -> tuple[int, Any]:
    return teller.ask(_address(app, area), lambda address: _get(app, address))


def _expect(holds: object, what: str) -> None:
    if not holds:
        raise UnexpectedError(f"expected {what}; see the answer above")


if __name__ == "__main__":
    sys.exit(main())
