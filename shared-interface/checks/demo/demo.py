"""The demo's second half: import observations, serve, look.

Run by ``nox -s demo`` in an environment that holds the app and no TensorFlow.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from serving import App, command, running, settings

AREA = "JFK"
_HOURS_SHOWN = 6


def main() -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the deliveries and observations lie")
    parser.add_argument("--once", action="store_true", help="print one forecast and stop")
    parser.add_argument("--area", default=AREA, help="of whom; by default %(default)s")
    options = parser.parse_args()
    if importlib.util.find_spec("tensorflow") is not None:
        print("found TensorFlow in the app's environment, expected none", file=sys.stderr)  # noqa: T201
        return 1
    folder = options.folder.resolve()
    environment = settings(folder)
    archive = str(folder / "observations.parquet")
    subprocess.run(command("observations", "import", archive), env=environment, check=True)  # noqa: S603
    with tempfile.TemporaryDirectory() as logs:
        log = Path(logs) / "app.log"
        delivered = len(list((folder / "store").glob("[!.]*")))
        port = 0 if options.once else 5000  # which another session may have by now
        with running(environment, log, deliveries=delivered, port=port) as app:
            return _once(app, options.area) if options.once else _stay(app, folder, log)


def _stay(app: App, folder: Path, log: Path) -> int:
    research = folder / "research"
    if research.exists():
        say(
            "\nDeliver a model for LGA from another terminal, and ask for LGA again:\n"
            f"  {research.read_text()}/fairweather-research train "
            f"research/recipes/la-guardia.yaml --store {folder / 'store'}"
        )
    say(f"\nThe app serves at {app.address}/?area={AREA}  (Ctrl-C ends it)\n")
    try:
        code = app.process.wait()
    except KeyboardInterrupt:
        say("\nGood weather!")
        return 0
    say(f"The app ended with code {code}:\n{log.read_text(errors='replace')[-2000:]}")
    return 1


def _once(app: App, area: str) -> int:
    status, answer = app.get("/weather/predict", area=area)
    if status != 200:  # noqa: PLR2004 - HTTP
        say(f"refused with status {status}: {answer.get('detail')}")
        return 1
    _, model = app.get(f"/models/{answer['receipt']['delivery_id']}")
    training = model["metadata"]["training"]
    say("\n" + "\n".join(readable(answer)))
    # some licences ask that it is said wherever something made from the data shows
    say(f"\nLearned from\n  {training['data_source']}: {training['data_location']}")
    return 0


def readable(answer: dict[str, Any]) -> list[str]:
    """Return the lines that tell a person what a forecast says and who made it."""
    zone = ZoneInfo(answer["timezone"])
    forecast = dict(answer["forecast"])
    times = [datetime.fromisoformat(time).astimezone(zone) for time in forecast.pop("time")]
    start = datetime.fromisoformat(answer["reference_time"]).astimezone(zone)
    lines = [f"Forecast for {answer['area']} from {start:%A %d %B %Y %H:%M %Z}", ""]
    names = list(forecast)
    lines.append("  " + "local time".ljust(18) + "".join(_title(forecast, n) for n in names))
    for row, time in enumerate(times):
        if row < _HOURS_SHOWN or time.hour == 12:  # noqa: PLR2004 - noon
            cells = "".join(_cell(forecast[name], row).rjust(24) for name in names)
            lines.append(f"  {time:%a %d %b %H:%M}".ljust(20) + cells)
    intervals = {tuple(each["interval"]) for each in forecast.values() if "interval" in each}
    lines += [
        f"  in brackets: {100 * (high - low):g} % of values are expected inside"
        for low, high in sorted(intervals)
    ]
    receipt = answer["receipt"]
    lines += ["", "Receipt"]
    for key, value in receipt.items():
        if key not in {"refused", "refused_counts"}:
            lines.append(f"  {key:<16} {_shown(value)}")
    lines += [
        f"  refused          {refusal['model_type']}: {refusal['code']}, {refusal['reason']}"
        for refusal in receipt["refused"]
    ] or ["  refused          nobody: the first choice answered"]
    return lines


def _title(forecast: dict[str, Any], name: str) -> str:
    return f"{name}, {forecast[name]['unit']}".rjust(24)


def _cell(series: dict[str, Any], row: int) -> str:
    value = f"{series['value'][row]:z.1f}"
    if "lower" in series:
        value += f"  [{series['lower'][row]:z5.1f}, {series['upper'][row]:z5.1f}]"
    return value


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main())
