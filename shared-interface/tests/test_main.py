"""The command: results to stdout, the rest to stderr, 0 good, 1 negative, 2 wrong use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fairweather_interface import METADATA, SCHEMA_VERSION, Software, dump_software
from fairweather_interface.__main__ import main
from fairweather_interface.history import STEPS
from fairweather_interface.ledger import changes_text, ledger_text, meanings_text
from fairweather_interface.software import Runtime, SchemaRange
from schemas import NEXT, NEXT_MAJOR, OWN

Tiny = Callable[..., Path]
_FUTURE = {"schema_version": NEXT_MAJOR, "min_reader": NEXT_MAJOR}
Capture = pytest.CaptureFixture[str]


def _run(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "fairweather_interface", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=None if env is None else os.environ | env,
    )


def test_verify_says_good_and_exits_0(tiny_delivery: Tiny, capsys: Capture) -> None:
    one, two = tiny_delivery(), tiny_delivery()
    assert main(["verify", str(one), str(two)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{one}: good\n{two}: good\n"
    assert err == ""


def test_verify_lists_every_problem_of_every_delivery_and_exits_1(
    tiny_delivery: Tiny, capsys: Capture, tmp_path: Path
) -> None:
    good, bad = tiny_delivery(), tiny_delivery()
    (bad / "x").write_bytes(b"")
    (bad / "model.onnx").unlink()
    assert main(["verify", str(bad), str(good), str(tmp_path / "absent")]) == 1
    out, err = capsys.readouterr()
    assert f"{bad}: does not conform\n  - model.onnx: listed" in out
    assert "\n  - x: found, not listed in manifest.json\n" in out
    assert f"{good}: good\n" in out
    assert "absent: does not conform\n  - found no manifest.json in" in out
    assert err == ""


def test_a_delivery_that_cannot_be_read_does_not_hide_the_next(
    tiny_delivery: Tiny, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, good = tiny_delivery(), tiny_delivery()
    read_bytes = Path.read_bytes

    def may_not(path: Path) -> bytes:
        if closed in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", may_not)
    assert main(["verify", str(closed), str(good)]) == 1
    out = capsys.readouterr().out
    assert "cannot be read: [Errno 13] Permission denied" in out
    assert f"{good}: good\n" in out
    assert main(["show", str(closed)]) == 1
    assert "Permission denied" in capsys.readouterr().err


def test_show_says_what_a_person_wants_to_know(tiny_delivery: Tiny, capsys: Capture) -> None:
    path = tiny_delivery(
        areas=("EWR", "JFK"), variables=("temperature", "humidity"), context=True,
        max_missing=0.1, applicability_domain={"temperature": {"maximum": 38.5}},
    )  # fmt: skip
    assert main(["show", str(path)]) == 0
    out, err = capsys.readouterr()
    for told in (
        path.name, "sha256:", f"{SCHEMA_VERSION} (readers of", "IdentityPredictor", "EWR, JFK",
        "temperature [degC] of the area, 1 day at 1 hour, at most 10% missing",
        "humidity [%] for 1 day, every 1 hour", "38.5 degC", "onnx: model.onnx (canonical)",
        "JFK humidity: +25.0%, MAE 2.00", "2013-12-31",
    ):  # fmt: skip
        assert told in out
    assert err == ""


def test_show_tells_regions_omissions_and_what_it_does_not_know(
    tiny_delivery: Tiny, capsys: Capture
) -> None:
    def change(document: dict[str, Any]) -> None:
        document["schema_version"] = NEXT
        document["novelty"] = "yes"
        document["inputs"][0]["areas"] = ["EWR", "LGA"]
        document["artifacts"].append({"format": "magic", "omitted": "no wand"})
        document["training"]["synthetic"] = True
        del document["performance"][0]["skill"]

    assert main(["show", str(tiny_delivery(change=change))]) == 0
    out = capsys.readouterr().out
    for told in ("of EWR, LGA,", "magic: left out, no wand", "(synthetic)", "none to tell"):
        assert told in out
    assert "unknown field    novelty" in out


def test_show_json_is_the_whole_metadata(tiny_delivery: Tiny, capsys: Capture) -> None:
    def change(document: dict[str, Any]) -> None:
        document |= {"declared_variables": ["ä"], "nothing": None}

    for schema in ("0.2", SCHEMA_VERSION):
        path = tiny_delivery(schema=schema, applicability_domain=_DOMAIN, change=change)
        assert main(["show", str(path), "--json"]) == 0
        assert capsys.readouterr().out == (path / METADATA).read_text(encoding="utf-8")


_DOMAIN = {"temperature": {"maximum": 38.5}}
_GOES = (
    "max_temperature_seen: schema 1.0 removed it, in favour of applicability_domain{}.maximum of "
    "every input of temperature"
)
_LATE = (
    "training.train_end_time: found 2013-12-31 00:00:00+00:00, after the model was made (no law "
    "before schema 1.0)"
)


def test_what_an_older_delivery_says_in_words_that_went_is_noted_and_no_problem(
    tiny_delivery: Tiny, software: Path, capsys: Capture
) -> None:
    early = lambda document: document.update(created_at="2013-01-01T00:00:00Z")  # noqa: E731
    path = tiny_delivery(schema="0.4", max_temperature_seen=38.5, change=early)
    assert main(["verify", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: good\n  - note: {_GOES}\n  - note: {_LATE}\n"
    assert main(["check", str(path), "--software", str(software)]) == 0
    out = capsys.readouterr().out
    assert out == f"{path}: fairweather-app 0.1.0 serves\n  - note: {_GOES}\n  - note: {_LATE}\n"
    assert main(["show", str(path)]) == 0
    assert f"\nnote             {_GOES}\nnote             {_LATE}\n" in capsys.readouterr().out
    newest = tiny_delivery(applicability_domain=_DOMAIN)
    assert main(["verify", str(newest)]) == 0
    assert capsys.readouterr().out == f"{newest}: good\n"


def test_show_refuses_a_corrupt_delivery_in_a_sentence(
    tiny_delivery: Tiny, capsys: Capture
) -> None:
    path = tiny_delivery()
    (path / "model.onnx").write_bytes(b"")
    assert main(["show", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{path} is corrupt; have it delivered again:" in err


def test_what_a_stranger_wrote_cannot_steer_the_terminal(
    tiny_delivery: Tiny, capsys: Capture
) -> None:
    path = tiny_delivery(topic="\x1b[2Jgone \u202e \U0001f327")
    assert main(["show", str(path)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\x1b[2Jgone \\u202e \U0001f327" in out
    name = os.fsdecode(b"caf\xe9\x1b")
    (path / name).write_bytes(b"")
    assert main(["verify", str(path)]) == 1
    assert "caf\\udce9\\x1b: found, not listed" in capsys.readouterr().out


def test_an_output_that_knows_only_ascii_is_no_reason_to_fail(tiny_delivery: Tiny) -> None:
    path = tiny_delivery(topic="Été ☀")
    answer = _run("show", path, env={"PYTHONIOENCODING": "ascii"})
    assert answer.returncode == 0
    assert "\\xc9t\\xe9 \\u2600" in answer.stdout
    assert answer.stderr == ""


def test_json_is_utf_8_whatever_the_terminal_speaks(tiny_delivery: Tiny) -> None:
    path = tiny_delivery(topic="Été ☀")
    command = [sys.executable, "-m", "fairweather_interface", "show", "--json", str(path)]
    answer = subprocess.run(  # noqa: S603 - our own interpreter
        command, capture_output=True, check=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    )
    assert json.loads(answer.stdout)["topic"] == "Été ☀"


def test_ledger_prints_the_ledger(capsys: Capture) -> None:
    for arguments, text in (
        ([], ledger_text()),
        ([SCHEMA_VERSION], ledger_text()),
        (["--meanings"], meanings_text()),
    ):
        assert main(["ledger", *arguments]) == 0
        out, err = capsys.readouterr()
        assert out == text
        assert err == ""


@pytest.mark.parametrize("version", ["9.9", "v0.1", "../metadata", "0.1.0", ""])
@pytest.mark.parametrize("command", [["ledger"], ["changes", "--against"]])
def test_a_ledger_that_does_not_exist_is_wrong_use(
    command: list[str], version: str, capsys: Capture
) -> None:
    assert main([*command, version]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("found ")


def test_changes_says_what_came_since_a_schema(capsys: Capture) -> None:
    for arguments, against in (([], tuple(STEPS)[-1]), (["--against", "0.1"], "0.1")):
        assert main(["changes", *arguments]) == 0
        out, err = capsys.readouterr()
        assert out == changes_text(against)
        assert err == ""
    assert main(["changes", "--against", SCHEMA_VERSION]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nothing came since")


@pytest.fixture
def software(tmp_path: Path) -> Path:
    """Return the manifest of a release that obeys schema 0.1 and runs ONNX."""
    path = tmp_path / "app.json"
    path.write_bytes(
        dump_software(
            Software(
                name="fairweather-app",
                version="0.1.0",
                readable_schemas=SchemaRange(oldest="0.1", newest="0.1"),
                runtimes=(Runtime(format="onnx", name="onnxruntime", version="1.26.0"),),
                roles=("observations",),
                variables={"temperature": "degC"},
                longest_period=timedelta(days=366),
                shortest_sample_rate=timedelta(minutes=1),
            )
        )
    )
    return path


def test_check_says_that_a_release_serves_and_exits_0(
    tiny_delivery: Tiny, software: Path, capsys: Capture
) -> None:
    path = tiny_delivery(schema="0.4")
    assert main(["check", str(path), "--software", str(software)]) == 0
    assert capsys.readouterr() == (f"{path}: fairweather-app 0.1.0 serves\n", "")


def test_check_says_what_a_release_will_do_without(
    tiny_delivery: Tiny, software: Path, capsys: Capture
) -> None:
    path = tiny_delivery(schema="0.4", quantiles=(0.1, 0.9))
    assert main(["check", str(path), "--software", str(software)]) == 0
    out = capsys.readouterr().out
    assert out.endswith("0.1.0 serves\n  without uncertainty, which it does not know\n")


def test_show_tells_the_domain_and_the_quantiles(tiny_delivery: Tiny, capsys: Capture) -> None:
    bounds = {"minimum": -5.5, "maximum": 30.0, "max_missing": 0.25}
    path = tiny_delivery(
        applicability_domain={"temperature": bounds},
        max_missing=0.25,
        quantiles=(0.1, 0.9),
    )
    assert main(["show", str(path)]) == 0
    out = capsys.readouterr().out
    assert "temperature from -5.5 degC, up to 30 degC, at most 25 % missing\n" in out
    assert "temperature: quantiles 0.1, 0.9\n" in out


def test_show_tells_ages_days_variables_and_what_people_want_to_know(
    tiny_delivery: Tiny, capsys: Capture
) -> None:
    path = tiny_delivery(
        max_age=timedelta(hours=3),
        by_lead_day=(0.34, -0.014),
        by_age={timedelta(hours=1): 0.2, timedelta(days=1): 0.05},
        quantiles=(0.1, 0.9),
        declared_variables={"snow_depth": {"unit": "cm", "minimum": 0, "maximum": 1500}},
        intended_use="The coming day in Newark",
        limitations="No storms",
        licence="CC-BY-4.0",
        contact="weather@example.org",
    )
    assert main(["show", str(path)]) == 0
    out = capsys.readouterr().out
    for line in (
        f"schema           {SCHEMA_VERSION} (readers of {OWN} and later)",
        (
            "requires         temperature [degC] of the area, 1 day at 1 hour, at most 0% missing, "
            "newest at most 3 hours old"
        ),
        "variable         snow_depth (Snow depth), from 0 to 1500 cm",
        "skill            EWR temperature: +25.0%, MAE 2.00",
        (
            "by lead day      EWR temperature: day 1 +34.0% (80% in the band), "
            "day 2 -1.4% (80% in the band)"
        ),
        (
            "day 1 by age     EWR temperature: 1 hour old +20.0% (80% in the band), "
            "1 day old +5.0% (80% in the band)"
        ),
        "intended use     The coming day in Newark",
        "limitations      No storms",
        "licence          CC-BY-4.0",
        "contact          weather@example.org",
    ):
        assert f"\n{line}\n" in out


def test_verify_tells_what_contradicts_the_packaged_table_and_a_hole_between_days(
    tiny_delivery: Tiny, capsys: Capture
) -> None:
    def holed(document: dict[str, Any]) -> None:
        document["performance"][0]["by_lead_day"][1]["day"] = 4

    def contradicting(document: dict[str, Any]) -> None:
        document["variables"] = {"temperature": {"unit": "K", "minimum": 0, "maximum": 400}}

    for change, told in (
        (holed, "performance[0]: by_lead_day: found the days [1, 4], expected 1, 2, 3"),
        (contradicting, "variables: found temperature from 0 to 400 K, expected -80 to 60 degC"),
    ):
        path = tiny_delivery(by_lead_day=(0.3, 0.1), change=change)
        assert main(["verify", str(path)]) == 1
        assert f"{path}: does not conform\n  - metadata.json: {told}" in capsys.readouterr().out


def test_check_prints_every_reason_of_a_refusal_and_exits_1(
    tiny_delivery: Tiny, software: Path, capsys: Capture
) -> None:
    path = tiny_delivery(schema="0.2", variables=("humidity",), max_humidity_seen=95.0)
    assert main(["check", str(path), "--software", str(software)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{path}: fairweather-app 0.1.0 refuses\n  - schema-too-new: ")
    assert "\n  - observations-missing: humidity: needs humidity" in out
    assert err == ""


def test_check_refuses_what_this_package_cannot_read_by_the_same_codes(
    tiny_delivery: Tiny, software: Path, capsys: Capture
) -> None:
    future = tiny_delivery(change=lambda it: it.update(_FUTURE))
    broken, lying = tiny_delivery(), tiny_delivery(change=lambda it: it.update(min_reader="0.2"))
    (broken / "model.onnx").write_bytes(b"")
    for path, code in ((future, "schema-too-new"), (broken, "corrupt"), (lying, "corrupt")):
        assert main(["check", str(path), "--software", str(software)]) == 1
        assert f"refuses\n  - {code}: " in capsys.readouterr().out


def test_check_without_a_delivery_or_a_manifest_has_no_verdict(
    tiny_delivery: Tiny, software: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["check", str(tmp_path / "absent"), "--software", str(software)]) == 1
    assert "found no manifest.json" in capsys.readouterr().err
    for bad in (tmp_path / "absent.json", tiny_delivery() / "manifest.json"):
        assert main(["check", str(tiny_delivery()), "--software", str(bad)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"{bad}: ")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "fly",
        "verify",
        "show",
        "show a b",
        "show a --xml",
        "ledger 0.1 0.2",
        "check a",
        "changes 0.1",
        "check --software a",
    ],
)
def test_wrong_use_exits_2_and_says_how(command: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(command.split())
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: fairweather-interface")


@pytest.mark.parametrize("command", [[], ["verify"], ["show"], ["check"], ["ledger"], ["changes"]])
def test_help_is_a_document_with_an_example(command: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "example: fairweather-interface" in out
    assert len(out.splitlines()) > 6
    assert out.isascii()


def test_version_says_package_and_schema(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert f"schema {SCHEMA_VERSION}" in capsys.readouterr().out


def test_nothing_ever_shows_a_stack_trace(
    tmp_path: Path, tiny_delivery: Tiny, capsys: Capture
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"")
    garbage = tmp_path / "garbage"
    garbage.mkdir()
    (garbage / "manifest.json").write_bytes(b"[" * 100_000)
    future = tiny_delivery(change=lambda it: it.update(_FUTURE))
    for path in (tmp_path / "loop", tmp_path / "file", garbage, future, "x" * 5000):
        for command in ("verify", "show"):
            assert main([command, str(path)]) == 1, path  # an exception would end the test
            assert "".join(capsys.readouterr())


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m fairweather_interface ledger | head -c 1"
    answer = subprocess.run(  # noqa: S602 - a pipe is the point
        command, shell=True, capture_output=True, text=True, check=False
    )
    assert answer.stdout == "#"
    assert answer.stderr == ""
