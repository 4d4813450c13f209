"""What the commands share: tables, ids by their beginning, JSON, an operator's mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from flask import Flask

from fairweather_app.cli import output
from fairweather_app.cli.output import format_duration, format_table, resolve_id, short_ids

Build = Callable[..., Path]
IDS = (
    "11111111-0000-4000-8000-000000000000",
    "11111111-aaaa-4000-8000-000000000000",
    "22222222-0000-4000-8000-000000000000",
)
ROWS = [
    ("a1", "live", "runs on onnxruntime 1.32.0"),
    ("b2", "quarantined", "corrupt: model.onnx is not an ONNX model, and so it is never served"),
]


def test_where_nobody_looks_a_row_is_one_line_and_nothing_is_cut() -> None:
    head, *lines = format_table(("id", "state", "why"), ROWS, None)
    assert head.split() == ["id", "state", "why"]
    assert lines == [
        "a1  live         runs on onnxruntime 1.32.0",
        f"b2  quarantined  {ROWS[1][2]}",
    ]


@pytest.mark.parametrize("width", [40, 60, 79])
def test_on_a_terminal_no_line_is_longer_than_it_is_wide_and_no_word_is_lost(width: int) -> None:
    lines = list(format_table(("id", "state", "why"), ROWS, width))
    assert max(map(len, lines)) <= width
    assert " ".join(" ".join(lines).split()).count("ONNX") == 1
    for word in ROWS[1][2].split():
        assert word in " ".join(lines)


def test_words_are_broken_only_where_nothing_else_is_left() -> None:
    rows = [("JFK", "2013-12-30T23:00Z", "2 h from 2013-12-17T04:00Z")]
    head = ("area", "latest", "longest gap")
    assert [line.split() for line in format_table(head, rows, 45)][1:] == [
        ["JFK", "2013-12-30T23:00Z", "2", "h", "from"],
        ["2013-12-17T04:00Z"],
    ]
    assert max(map(len, format_table(head, rows, 30))) <= 30


def test_a_wide_terminal_changes_nothing() -> None:
    assert list(format_table(("id", "state", "why"), ROWS, 500)) == list(
        format_table(("id", "state", "why"), ROWS, None)
    )


WIDE = "\u6771\u4eac"
"""Two letters of two columns each."""


@pytest.mark.parametrize("width", [None, 20])
def test_letters_of_two_columns_take_two(width: int | None) -> None:
    rows = [(WIDE, "live"), ("JFK", "live"), ("Rēzekne", "live")]
    assert list(format_table(("area", "state"), rows, width)) == [
        "area     state",
        f"{WIDE}     live",
        "JFK      live",
        "Rēzekne  live",
    ]


def test_what_looks_like_markup_or_a_number_is_shown_as_it_is() -> None:
    rows = [("[red]JFK[/red]", ":smile: 1e3")]
    for width in (None, 60):
        assert list(format_table(("area", "why"), rows, width))[1] == "[red]JFK[/red]  :smile: 1e3"


def test_a_cell_with_a_line_break_stays_in_its_row() -> None:
    assert list(format_table(("why",), [("one\ntwo",)], None)) == ["why", "one two"]


def test_on_a_terminal_ids_are_cut_to_what_tells_them_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert list(short_ids(IDS).values()) == list(IDS)
    monkeypatch.setattr(output, "terminal_width", lambda: 80)
    assert list(short_ids(IDS).values()) == ["11111111-0", "11111111-a", "22222222-0"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2222", IDS[2]),
        ("22222222-", IDS[2]),
        ("11111111-AAAA", IDS[1]),
        (IDS[0], IDS[0]),
        ("222", "222"),  # too little
        ("9999", "9999"),
    ],
)
def test_an_id_may_be_given_by_its_beginning(text: str, meant: str) -> None:
    assert resolve_id(text, lambda: IDS) == meant


def test_a_beginning_of_several_ids_is_wrong_use_and_lists_them() -> None:
    with pytest.raises(click.UsageError, match=r"1111 is the beginning of 2 ids: 1111"):
        resolve_id("1111", lambda: IDS)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "5 s"),
        (600, "10 min"),
        (7200, "2 h"),
        (86_400, "24 h"),
        (259_200, "3 days"),
        (1e8, "3.2 years"),
    ],
)
def test_a_stretch_of_time_is_told_in_words(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


# ---------------------------------------------------------------------------- as commands have it


def run(app: Flask, words: str, *more: str) -> tuple[int, str, str]:
    result = app.test_cli_runner().invoke(args=[*words.split(), *more])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def test_a_delivery_is_withdrawn_and_restored_by_the_beginning_of_its_id(
    make_app: Callable[..., Flask], tiny_delivery: Build
) -> None:
    name, _ = tiny_delivery().name, tiny_delivery()
    app = make_app()
    code, out, _ = run(app, f"models withdraw {name[:8]} --author ann --reason warm --json")
    assert (code, json.loads(out)) == (
        0,
        {
            "action": "withdraw",
            "subject": name,
            "delivery_id": None,
            "author": "ann",
            "reason": "warm",
            "within_seconds": 10.0,
        },
    )
    code, out, _ = run(app, f"models restore {name[:8]} --json")
    assert (code, json.loads(out)["subject"]) == (0, name)
    code, out, _ = run(app, f"models pin EWR {name[:6]} --json")
    assert (code, json.loads(out)["delivery_id"]) == (0, name)
    code, out, _ = run(app, "models unpin EWR --json")
    assert (code, json.loads(out)["action"]) == (0, "unpin")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("models withdraw 0000 --reason x", 1, "no delivery 0000 is known"),
        ("models restore 0000", 1, "0000 is not withdrawn"),
        ("models pin EWR 0000", 1, "no delivery 0000 is known"),
        ("models unpin Atlantis", 1, "Atlantis is not pinned"),
        ("models score 0000", 1, "Unknown delivery '0000'"),
        ("models withdraw", 2, "Missing argument 'ID'"),
        ("models why EWR --at yesterday", 2, "'yesterday' is not an ISO-8601 time"),
        ("models lst", 2, "No such command 'lst'"),
    ],
)
def test_an_operators_mistake_is_a_sentence(app: Flask, words: str, code: int, told: str) -> None:
    found, out, err = run(app, words)
    assert (found, out) == (code, "")
    assert told in err


def test_a_folder_nobody_may_read_is_a_sentence(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", "new-york.parquet")

    monkeypatch.setattr("fairweather_app.observations.archive_file.read_archive", forbidden)
    code, out, err = run(app, f"observations import {__file__}")
    assert (code, out) == (1, "")
    assert "Permission denied: 'new-york.parquet'" in err


def test_check_in_json_names_what_would_be_lost(
    make_app: Callable[..., Flask], tiny_delivery: Build, store: Path
) -> None:
    tiny_delivery(areas=("JFK",))
    lost = tiny_delivery(model=b"no").name
    code, out, _ = run(make_app(), "check --json")
    found = json.loads(out)
    assert code == 1
    assert found.pop("release").startswith("fairweather-app ")
    (each,) = found.pop("lost")
    assert (each["delivery_id"], each["code"]) == (lost, "corrupt")
    assert found == {"store": str(store), "deliveries": 2, "areas": ["EWR"], "unreadable": 0}


# ----------------------------------------------------------------------------------- models why


def test_the_ranking_is_told_with_those_that_were_passed_over_and_those_that_come_after(
    make_app: Callable[..., Flask],
    tiny_delivery: Build,
    observe: Callable[..., None],
    day: list[float],
) -> None:
    observe("EWR", day)
    best = tiny_delivery(skill=0.9, skill_interval=(0.8, 0.95), valid_months=[1]).name
    good = tiny_delivery(skill=0.5, skill_interval=(0.4, 0.6)).name
    fair = tiny_delivery(skill=0.2, skill_interval=(0.1, 0.3)).name
    elsewhere = tiny_delivery(areas=("JFK",)).name
    app = make_app()
    code, out, _ = run(app, "models why EWR --json")
    found = json.loads(out)
    assert (code, found["delivery_id"], found["reference_time"]) == (0, good, "2013-06-20T12:00Z")
    assert [(each["delivery_id"], each["verdict"]) for each in found["ranking"]] == [
        (best, "refused"),
        (good, "answers"),
        (fair, "ranks-lower"),
    ]
    assert found["ranking"][1]["skill"] == {"temperature": 0.5}
    assert [each["code"] for each in found["refused"]] == ["out-of-season", "area-not-declared"]
    assert found["refused_counts"] == {"area-not-declared": 1, "out-of-season": 1}
    told, _, *lines = run(app, "models why EWR")[1].splitlines()
    assert told == f"{good} answers for EWR at 2013-06-20T12:00Z"
    assert [line.split()[:2] for line in lines] == [
        ["1", best],
        ["2", good],
        ["3", fair],
        ["-", elsewhere],
    ]
    assert "ranks lower" in lines[2]
    assert lines[2].endswith("skill: temperature 0.20; trained until 2013-12-31")
    code, out, _ = run(app, "models why EWR --at 2012-06-20T12:00Z --json")
    assert code == 1
    assert [each["verdict"] for each in json.loads(out)["ranking"]] == ["refused"] * 3


# ------------------------------------------------------------------------- what may be printed


SEQUENCE = "\x1b[31mX\x1b]0;hi\x07\x9b2J\u202e\x7f"


def control_characters(text: str) -> set[str]:
    return {each for each in text if not each.isprintable() and each != "\n"}


@pytest.mark.parametrize(
    "words", ["models list", "models why JFK", "models why EWR", "check", "models list --json"]
)
def test_nothing_that_a_delivery_says_of_itself_repaints_a_terminal(
    make_app: Callable[..., Flask], tiny_delivery: Build, words: str
) -> None:
    tiny_delivery(model_type=SEQUENCE, areas=("JFK",), topic=SEQUENCE)
    refused = tiny_delivery(areas=(f"a{SEQUENCE}",), schema="0.4").name  # no name of an area
    tiny_delivery(model=b"no", areas=("JFK",), model_type=SEQUENCE)
    result = make_app().test_cli_runner().invoke(args=words.split(), color=True)
    assert control_characters(result.stdout + result.stderr) == set()
    if "--json" in words:
        models = json.loads(result.stdout)["models"]
        types = {each["delivery_id"]: each["model_type"] for each in models}
        assert types.pop(refused) is None
        assert set(types.values()) == {SEQUENCE}
    elif words != "models why EWR":
        assert "\ufffd[31mX" in result.stdout


def test_nothing_that_an_archive_says_repaints_a_terminal(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    path = tmp_path / "archive.csv"
    row = f"A{SEQUENCE},2013-06-20T12:00Z,temperature,degC,"
    path.write_text(f"area,time,variable,unit,value\n{row}1\n", newline="\n")
    app = make_app()
    code, out, err = run(app, "observations import", str(path))
    assert (code, control_characters(out + err)) == (1, set())
    assert r"expected a name without the control character '\x1b'" in err
    row = "A\u0378,2013-06-20T12:00Z,temperature,degC,"  # a sign that no Unicode has yet
    path.write_text(f"area,time,variable,unit,value\n{row}1\n", newline="\n")
    for words in ("observations import", "observations status", "models why"):
        about = {"observations import": str(path), "models why": f"A\u0378{SEQUENCE}"}.get(words)
        code, out, err = run(app, words, *([] if about is None else [about]))
        assert control_characters(out + err) == set(), words
        assert "A\ufffd" in out + err
    path.write_text(f"area,time,variable,unit,value\n{row}1\n{row}2\n", newline="\n")
    code, out, err = run(app, "observations import", str(path))
    assert (code, control_characters(err)) == (1, set())
    assert "has two values for one time" in err
