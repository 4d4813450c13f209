"""The keys of ``--json`` stand in COMMANDS.md, and no others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask

from fairweather_app.cli import observations
from fairweather_app.observations.quality import SeriesQuality
from meteo import Meteo, recording

COMMANDS = (Path(__file__).parents[1] / "COMMANDS.md").read_text(encoding="utf-8")
MAPS = {"skill", "refused_counts"}
"""Keys whose values are maps by names of somebody's own."""
ELSEWHERE = {"models[]"}
"""Keys whose inner ones are told by another document."""


def documented() -> dict[str, set[str]]:
    """By heading, the keys that the page tells of."""
    part = COMMANDS.partition("## The keys of `--json`")[2]
    sections = re.split(r"^### `(.*?)`\n", part, flags=re.MULTILINE)[1:]
    return {
        name: set(re.findall(r"^\| `(\S+)` \|", text, re.MULTILINE))
        for name, text in zip(sections[::2], sections[1::2], strict=True)
    }


def keys(value: Any, path: str = "") -> Iterator[str]:
    """The paths of everything in a document that holds no further keys."""
    if path in ELSEWHERE:
        yield path
    elif isinstance(value, dict) and path.rpartition(".")[2] in MAPS:
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
    app = make_app(provider_url=meteo.url)

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
    ("heading", "words"),
    [
        ("models list", "models pin EWR {id} ; models list"),
        ("models why", "models why EWR"),
        ("check", "check"),
        ("observations import", "observations import {folder}/one.csv"),
        ("observations fetch", "observations fetch --area JFK --since 2024-05-01T00:00Z"),
        ("observations status", "observations status"),
        ("models withdraw | restore | pin | unpin", "models withdraw {id} --reason x"),
        ("models withdraw | restore | pin | unpin", "models pin EWR {id} && models unpin EWR"),
    ],
)
def test_every_key_is_documented_and_no_other(
    told: Callable[..., set[str]], store: Path, tmp_path: Path, heading: str, words: str
) -> None:
    live = sorted(
        path.name
        for path in store.iterdir()
        if json.loads((path / "metadata.json").read_text())["inputs"][0]["max_missing"] > 0
    )
    found = told(words.format(folder=tmp_path, id=live[0]))
    assert {_without_gap(key) for key in found} == {
        _without_gap(key) for key in documented()[heading]
    }


def _without_gap(key: str) -> str:
    """A gap is an object or null, so that its inner keys are there or it is itself."""
    return key.partition(".after")[0].partition(".until")[0]


def test_a_score_has_the_keys_that_are_documented() -> None:
    from fairweather_app.forecasting.live_scores import (  # noqa: PLC0415 - for this test alone
        LiveScore,
    )

    names = {f"[].{name}" for name in LiveScore.__dataclass_fields__}
    assert names == documented()["models score"]


def test_every_command_with_json_has_its_heading(app: Flask) -> None:
    headings = {
        f"{group} {name}" if group else name
        for heading in documented()
        for group, _, names in [heading.rpartition(" ") if "|" not in heading else _split(heading)]
        for name in names.split("|")
    }
    assert headings == {
        f"{prefix}{name}"
        for prefix, commands in (
            ("", app.cli.commands),
            *((f"{each} ", _group(app, each)) for each in ("models", "observations")),
        )
        for name, command in commands.items()
        if any("--json" in option.opts for option in command.params)
    }


def _split(heading: str) -> tuple[str, str, str]:
    group, _, names = heading.partition(" ")
    return group, "", names.replace(" ", "")


def _group(app: Flask, name: str) -> Mapping[str, click.Command]:
    group = app.cli.commands[name]
    assert isinstance(group, click.Group)
    return group.commands


def test_every_word_of_quality_is_documented_and_no_other() -> None:
    table = COMMANDS.partition("**status**")[2].partition("### Another provider")[0]
    told = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    source = observations.status.help or ""
    assert {"good", *SeriesQuality(area="x").quality} <= told
    assert told - {"good", "none"} == set(re.findall(r"`(\w+)`", source))
