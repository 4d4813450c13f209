"""The documented keys of ``--json`` are those that the commands print."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from fairweather_app.background.trials import TrialRunner
from fairweather_app.forecasting.live_scores import LiveScore
from meteo import Meteo, recording
from signing import key, write_keys
from test_documents import commands_of, json_commands, json_keys

MAPS = {"skill", "refused_counts"}
"""Keys whose values are maps by names of somebody else's."""
OF_PAGES = {"total", "next"}
"""Keys of a list that is cut into pages, as that of a command never is."""


def keys(value: Any, path: str = "") -> Iterator[str]:
    """The paths of everything in a document that holds no further keys."""
    if isinstance(value, dict) and path.rpartition(".")[2] in MAPS:
        yield f"{path}{{}}"
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from keys(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        if path or not value:
            yield f"{path}[]"
        for inner in (each for each in value if isinstance(each, dict)):
            yield from keys(inner, f"{path}[]")
    else:
        yield path


@pytest.fixture
def told(
    make_app: Callable[..., Flask],
    tiny_delivery: Callable[..., Path],
    observe: Callable[..., None],
    day: list[float],
    tmp_path: Path,
) -> Iterator[Callable[..., set[str]]]:
    """The keys that a command prints, over a store in which everything occurs."""
    observe("EWR", day)
    observe("LGA", [*day[:-3], None, None, day[-1]])
    tiny_delivery(skill=0.9, skill_interval=(0.8, 0.95), valid_months=[1])
    tiny_delivery(max_missing=0.2)
    tiny_delivery(max_missing=0.2, skill=0.1, skill_interval=(0.0, 0.15))
    tiny_delivery(model=b"no")
    (tmp_path / "one.csv").write_text(
        "area,time,variable,unit,value\nJFK,2013-06-20T12:00Z,temperature,degC,1.5\n"
    )
    meteo = Meteo()
    meteo.will_answer(recording("one-place"))
    asked = write_keys(tmp_path / "keys.yaml", key("a"), require="warn")
    app = make_app(provider_url=meteo.url, keys=asked, rollout="evidence")
    TrialRunner(app.extensions["fairweather"]).run()
    live = app.extensions["fairweather"].catalogue.refresh().live
    assert (
        app.test_cli_runner().invoke(args=["models", "promote", live[0].delivery_id]).exit_code == 0
    )

    def run(words: str) -> set[str]:
        found: set[str] = set()
        before, _, asked = words.rpartition(" ; ")
        if before:
            assert app.test_cli_runner().invoke(args=before.split()).exit_code == 0
        for each in asked.split(" && "):
            result = app.test_cli_runner().invoke(args=[*each.split(), "--json"])
            found |= set(keys(json.loads(result.stdout)))
        return found

    yield run
    meteo.stop()


@pytest.mark.parametrize(
    "words",
    [
        "models pin EWR {id} ; models list",
        "models why EWR",
        "check",
        "observations import {folder}/one.csv",
        "observations fetch --area JFK --since 2024-05-01T00:00Z",
        "observations status",
        "models withdraw {id} --reason x",
        "models pin EWR {id} && models unpin EWR",
        "models hold {id} --reason x && models promote {id}",
    ],
)
def test_every_key_is_documented_and_no_other(
    app: Flask, told: Callable[..., set[str]], store: Path, tmp_path: Path, words: str
) -> None:
    live = sorted(
        path.name
        for path in store.iterdir()
        if json.loads((path / "metadata.json").read_text())["inputs"][0]["max_missing"] > 0
    )
    found = told(words.format(folder=tmp_path, id=live[0]))
    asked = words.rpartition(" ; ")[2].split(" && ")[0]
    (answer,) = [type_ for name, type_ in json_commands(app).items() if asked.startswith(name)]
    documented = set(json_keys(answer)) - OF_PAGES
    assert {_without_gap(key) for key in found} == {_without_gap(key) for key in documented}


def _without_gap(key: str) -> str:
    """A gap is an object or null, so that its inner keys are there or it is itself."""
    return key.partition(".after")[0].partition(".until")[0]


def test_a_score_has_the_keys_that_are_documented(app: Flask) -> None:
    assert json_commands(app)["models score"] == list[LiveScore]


def test_every_command_but_the_manifest_can_print_json(app: Flask) -> None:
    assert set(commands_of(app)) - set(json_commands(app)) == {"software"}
