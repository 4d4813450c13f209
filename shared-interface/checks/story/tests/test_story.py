"""The story that was told, held against what it promises and against the README that tells it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[4] / "README.md"
CHAPTER = "## A nearby city is no substitute"
LEFT_OUT = "…"


@pytest.fixture(scope="module")
def told() -> list[dict[str, Any]]:
    """Return every command of the story that ran last, with all that it said."""
    record = Path(os.environ["FAIRWEATHER_STORY"]) / "told.json"
    steps: list[dict[str, Any]] = json.loads(record.read_text(encoding="utf-8"))
    return steps


def answers(told: list[dict[str, Any]], area: str) -> list[dict[str, Any]]:
    """Return what the app said of an area, in the order it was asked."""
    asked = (one for one in told if one["command"].startswith("curl"))
    return [json.loads(one["output"]) for one in asked if one["command"].endswith(f'={area}"')]


def blocks() -> list[tuple[str, list[str]]]:
    """Return the commands of the README's chapter, each with the lines that stand under it."""
    chapter = README.read_text(encoding="utf-8").split(CHAPTER)[1].split("\n## ")[0]
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", chapter, flags=re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", "").splitlines():
            if line.startswith("$ "):
                found.append((" ".join(line[2:].split()), []))
            else:
                found[-1][1].append(line)
    return found


def without_port(text: str) -> str:
    """Return a text in which the app listens where the README says."""
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:5000", text)


def test_a_declared_city_is_answered_and_the_receipt_says_that_its_weather_is_made_up(
    told: list[dict[str, Any]],
) -> None:
    (answer,) = answers(told, "Jerusalem")
    assert answer["receipt"]["model_type"] == "WinterPredictor"
    assert answer["receipt"]["synthetic"] is True
    assert len(answer["forecast"]["temperature"]["value"]) == 168
    assert answer["forecast"]["temperature"]["interval"] == [0.1, 0.9]


def test_the_app_reads_what_research_wrote_of_the_origin_of_the_weather(
    told: list[dict[str, Any]],
) -> None:
    (imported,) = (one["output"] for one in told if "observations import" in one["command"])
    assert "synthetic: these values were generated, not observed" in imported


def test_hebron_is_refused_by_name_and_answered_once_a_model_declares_it(
    told: list[dict[str, Any]],
) -> None:
    refused, answered = answers(told, "Hebron")
    assert refused["type"] == "/problems/no-applicable-model"
    assert {each["code"] for each in refused["refused"]} == {"area-not-declared"}
    assert {each["reason"] for each in refused["refused"]} == {
        "it declares Jerusalem, Beit-Shemesh, and not Hebron"
    }
    assert answered["area"] == "Hebron"
    assert answered["timezone"] == "Asia/Hebron"
    (trained,) = (one["output"] for one in told if "hebron-winter-predictor" in one["command"])
    assert answered["receipt"]["delivery_id"] == Path(trained.splitlines()[-1]).name


def test_between_refusal_and_answer_the_app_was_not_started_anew(
    told: list[dict[str, Any]],
) -> None:
    commands = [one["command"] for one in told]
    assert sum(command.endswith("fairweather_app run") for command in commands) == 1


def test_a_citys_definitions_are_the_packaged_ones_and_one_line(
    told: list[dict[str, Any]],
) -> None:
    (difference,) = (one["output"] for one in told if one["command"].startswith("diff"))
    added = [line for line in difference.splitlines() if line[0] in "<>"]
    assert len(added) == 1
    assert added[0].startswith(">     Hebron: {")


def shown_steps(told: list[dict[str, Any]]) -> list[tuple[str, list[str], str]]:
    """Return each command of the README with its lines, and what that step of the story printed.

    The README may leave steps out; those it shows come in the story's order.
    """
    steps = iter(told)
    found = []
    for command, lines in blocks():
        printed = [one["output"] for one in steps_until(steps, command)]
        assert printed, f"the README shows {command!r}, which is no later step of the story"
        found.append((command, lines, printed[-1]))
    return found


def steps_until(steps: Iterator[dict[str, Any]], command: str) -> list[dict[str, Any]]:
    """Return the steps up to a command, that step the last; none where it does not come."""
    passed = []
    for one in steps:
        passed.append(one)
        if without_port(one["command"]) == command:
            return passed
    return []


def test_the_readme_shows_the_refusal_the_training_and_the_answer(
    told: list[dict[str, Any]],
) -> None:
    commands = [command for command, _, _ in shown_steps(told)]
    asked = [number for number, each in enumerate(commands) if each.endswith('=Hebron"')]
    (trained,) = (n for n, each in enumerate(commands) if "hebron-winter-predictor" in each)
    assert asked[0] < trained < asked[-1]


def test_every_line_that_the_readme_shows_was_printed(told: list[dict[str, Any]]) -> None:
    shown = 0
    for command, lines, output in shown_steps(told):
        printed, place = without_port(output), 0
        for fragment in LEFT_OUT.join(lines).split(LEFT_OUT):
            wanted = fragment.strip()
            found = printed.find(wanted, place)
            assert found >= 0, f"{command}: the README shows {wanted!r}; found {printed[:2000]}"
            place = found + len(wanted)
            shown += bool(wanted)
    assert shown >= 6
