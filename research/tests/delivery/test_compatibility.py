"""Does the software support what a recipe makes, before it is made?"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from fairweather_interface.errors import MetadataError, NotExpressibleError
from fairweather_interface.metadata import LEDGER, WRITTEN_SCHEMAS
from fairweather_interface.refusals import Code
from fairweather_interface.software import Runtime, SchemaRange, dump_software
from fairweather_interface.versions import SchemaVersion
from typer.testing import CliRunner

from fairweather_research import Recipe, UnsupportedError, check_recipe
from fairweather_research.cli.main import app
from fairweather_research.delivery import metadata
from fairweather_research.delivery.compatibility import (
    _REMEDIES,
    check_compatibility,
    live_software,
    newest_software,
)
from fairweather_research.export.artifacts import IR_VERSION, OPSET
from live_software import software
from schemas import NEWEST, WRITTEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERYTHING: dict[str, Any] = {
    "max_humidity_seen": True,
    "applicability_domain": ["minimum", "maximum", "max_missing"],
    "quantiles": [0.1, 0.9],
}


FOR_PEOPLE = {
    "intended_use": "Planning the day.",
    "limitations": "Not for storms.",
    "licence": "CC-BY-4.0",
    "contact": "weather@example.org",
}


@pytest.mark.parametrize("newest", ["0.1", "0.2", "0.3", "0.4", NEWEST])
def test_a_plain_recipe_is_supported_by_every_release(
    tiny: Callable[..., Recipe], newest: str
) -> None:
    answer = check_recipe(tiny(), software(newest), schema="0.1")
    assert answer.verdict.serves
    assert (answer.verdict.unused, answer.remedies) == ((), ())


def test_software_of_an_older_major_is_served_by_a_schema_that_it_reads(
    tiny: Callable[..., Recipe],
) -> None:
    answer = check_recipe(tiny(), software("0.4"))
    assert [refusal.code for refusal in answer.verdict.refusals] == [Code.SCHEMA_TOO_NEW]
    assert answer.remedies == ("write schema 0.4, with `--schema 0.4`",)
    answer = check_recipe(tiny(**EVERYTHING), software("0.2"))
    schema, *keys = answer.remedies
    assert schema == "write schema 0.4, with `--schema 0.4`"
    assert [each.split("`")[1] for each in keys] == ["minimum", "max_missing"]
    never = SchemaRange(oldest="7.0", newest="7.1")
    answer = check_recipe(tiny(), software(readable_schemas=never))
    assert answer.remedies == (_REMEDIES[Code.SCHEMA_TOO_NEW],)


def test_bands_are_served_by_a_release_that_does_not_know_them_and_it_is_told(
    tiny: Callable[..., Recipe],
) -> None:
    recipe = tiny(quantiles=[0.1, 0.9])
    assert check_recipe(recipe, software("0.1"), schema="0.4").verdict.serves
    assert check_recipe(recipe, software("0.1"), schema="0.4").verdict.unused == ("uncertainty",)
    assert check_recipe(recipe, software("0.3"), schema="0.4").verdict.unused == ()


@pytest.mark.parametrize(
    ("newest", "keys"),
    [
        ("0.1", ["max_humidity_seen", "minimum", "maximum", "max_missing"]),
        ("0.2", ["minimum", "max_missing"]),
        ("0.3", []),
    ],
)
def test_what_is_too_new_is_named_key_by_key_and_nothing_else_is(
    tiny: Callable[..., Recipe], newest: str, keys: list[str]
) -> None:
    answer = check_recipe(tiny(**EVERYTHING), software(newest), schema="0.4")
    assert [refusal.code for refusal in answer.verdict.refusals] == (
        [Code.SCHEMA_TOO_NEW] if keys else []
    )
    assert [remedy.split("`")[1] for remedy in answer.remedies] == keys


def test_every_reason_is_told_at_once_with_something_to_change_for_each(
    tiny: Callable[..., Recipe],
) -> None:
    old = Runtime(format="onnx", name="onnxruntime", version="1.0.0", max_opset=OPSET - 1)
    release = software(
        "0.2", runtimes=(old,), longest_period=timedelta(days=1), variables={"humidity": "%"}
    )
    answer = check_recipe(tiny(**EVERYTHING), release, schema="0.4")
    assert {refusal.code for refusal in answer.verdict.refusals} == set(_REMEDIES)
    told = "\n".join(answer.remedies)
    for words in ("`minimum`", "nothing in a recipe changes what artifacts", "`definitions`"):
        assert words in told


@pytest.mark.parametrize("limit", [{"max_opset": OPSET - 1}, {"max_ir_version": IR_VERSION - 1}])
def test_what_the_export_needs_is_what_the_answer_goes_by(
    tiny: Callable[..., Recipe], limit: dict[str, int]
) -> None:
    runtime = Runtime(format="onnx", name="onnxruntime", version="1.20.0", **limit)
    answer = check_recipe(tiny(), software(runtimes=(runtime,)))
    assert [refusal.code for refusal in answer.verdict.refusals] == [Code.RUNTIME_UNAVAILABLE]


def test_every_field_that_older_software_cannot_read_is_declared_by_a_key_with_its_meaning(
    tiny: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    stated: set[str] = set()
    monkeypatch.setattr(metadata, "create_metadata", lambda **fields: stated.update(fields))
    metadata.expected_metadata(tiny())
    first = min((row.since for row in LEDGER), key=SchemaVersion.parse)
    newer = stated & {row.path for row in LEDGER if row.since != first}
    declared = {item.field for item in Recipe.declares().values() if item.meaning}
    assert {"applicability_domain", "uncertainty"} <= newer
    assert newer <= declared, (
        f"found {sorted(newer - declared)} in the metadata that research writes, which readers of "
        f"schema {first} do not know, expected a key of the recipe that declares each: whose "
        "software is older would be told to take out another key. Where: class Recipe in "
        "recipe.py. What to do: write Declares(field, meaning, without=...) at the key"
    )


@pytest.mark.parametrize("age", ["3 hours", "measured"])
def test_a_limit_on_age_needs_software_that_obeys_it(tiny: Callable[..., Recipe], age: str) -> None:
    recipe = tiny(max_age=age, quantiles=[0.1, 0.9])
    assert check_recipe(recipe, software("0.4"), schema="0.4").verdict.serves
    answer = check_recipe(recipe, software("0.3"), schema="0.4")
    assert [refusal.code for refusal in answer.verdict.refusals] == [Code.SCHEMA_TOO_NEW]
    (remedy,) = answer.remedies
    assert remedy == (
        "take out `max_age` (a limit on the age of the newest value): only readers of schema 0.4 "
        "obey it"
    )


def test_what_a_model_is_for_asks_nothing_of_software(tiny: Callable[..., Recipe]) -> None:
    answer = check_recipe(tiny(**FOR_PEOPLE), software("0.1"), schema="0.4")
    assert answer.verdict.serves
    assert set(answer.verdict.unused) == set(FOR_PEOPLE)


def out(bound: str) -> str:
    return f"take out `{bound}` of `applicability_domain`"


def test_an_older_schema_is_refused_with_every_meaning_it_has_no_words_for(
    tiny: Callable[..., Recipe],
) -> None:
    with pytest.raises(NotExpressibleError) as refused:
        check_compatibility(tiny(**EVERYTHING), schema="0.2")
    assert refused.value.problems == (
        f"the lowest value of each input seen in training: {out('minimum')}",
        f"the largest share of missing values seen in training: {out('max_missing')}",
        "bands of uncertainty: take out `quantiles`",
    )
    later = {**EVERYTHING, **FOR_PEOPLE, "max_age": "3 hours"}
    with pytest.raises(NotExpressibleError, match="5 meanings") as refused:
        check_compatibility(tiny(**later), schema="0.3")
    assert refused.value.problems[0] == (
        "a limit on the age of the newest value: take out `max_age`"
    )
    assert [problem.split("`")[1] for problem in refused.value.problems[1:]] == list(FOR_PEOPLE)


@pytest.mark.parametrize("schema", [*WRITTEN_SCHEMAS, None])
def test_what_every_schema_can_say_is_written_in_each(
    tiny: Callable[..., Recipe], schema: str | None
) -> None:
    check_compatibility(tiny(), schema=schema)


def test_words_that_newer_schemas_have_no_more_are_noted_where_they_are_written(
    tiny: Callable[..., Recipe],
) -> None:
    recipe = tiny(max_temperature_seen=True)
    assert check_compatibility(recipe).notes == ()
    (note,) = check_compatibility(recipe, schema="0.4").notes
    assert note.startswith("max_temperature_seen: schema 1.0 removed it, in favour of ")


def test_a_schema_that_is_not_written_is_refused_with_those_that_are(
    tiny: Callable[..., Recipe],
) -> None:
    with pytest.raises(MetadataError, match=rf"9\.9.*expected one of {re.escape(WRITTEN)}"):
        check_compatibility(tiny(), schema="9.9")


def test_the_answer_comes_without_any_library_of_training(
    tmp_path: Path, tiny_document: dict[str, Any]
) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tiny_document), encoding="utf-8")
    (tmp_path / "app.json").write_bytes(dump_software(software()))
    slow = ("tensorflow", "keras", "onnx", "onnxruntime", "pandas", "pyarrow")
    code = (
        "import json, sys\n"
        "from fairweather_research.cli.main import app\n"
        "try: app(['check', 'recipe.yaml', '--software', 'app.json'])\n"
        "except SystemExit as end: code = end.code\n"
        f"print(json.dumps([code, [name for name in {slow} if name in sys.modules]]))"
    )
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    answer, loaded = done.stdout.splitlines()
    assert answer.startswith(f"serves: fairweather-app {NEWEST}.0")
    assert json.loads(loaded) == [0, []]


def test_one_release_that_serves_is_enough_for_a_recipe_to_be_supported(
    tiny: Callable[..., Recipe],
) -> None:
    recipe = tiny(applicability_domain=["minimum"])
    found = check_compatibility(recipe, [software("0.2"), software("0.3")], schema="0.4")
    assert [answer.verdict.serves for answer in found.answers] == [False, True]
    assert found.warnings == ()


def test_what_no_release_serves_is_told_with_every_release_and_can_be_an_error(
    tiny: Callable[..., Recipe],
) -> None:
    recipe = tiny(applicability_domain=["minimum"])
    found = check_compatibility(recipe, [software("0.1"), software("0.2")], schema="0.4")
    assert [line.split(" refuses: ")[0] for line in found.warnings] == [
        "fairweather-app 0.1.0",
        "fairweather-app 0.2.0",
    ]
    assert all(out("minimum") in line for line in found.warnings)
    error = UnsupportedError(found.warnings)
    assert str(error).startswith("no live software supports this yet")
    assert error.problems == found.warnings


def test_what_no_live_release_knows_is_told_though_it_serves_without(
    tiny: Callable[..., Recipe],
) -> None:
    recipe = tiny(quantiles=[0.1, 0.9])
    assert (
        check_compatibility(recipe, [software("0.2"), software("0.3")], schema="0.4").warnings == ()
    )
    found = check_compatibility(recipe, [software("0.1"), software("0.2")], schema="0.4")
    assert all(answer.verdict.serves for answer in found.answers)
    assert found.warnings == (
        (
            "`uncertainty` is unknown to fairweather-app 0.1.0, fairweather-app 0.2.0, which would "
            "serve without"
        ),
    )


def test_without_software_the_newest_known_release_is_asked_and_serves_what_there_is(
    tiny: Callable[..., Recipe],
) -> None:
    newest = newest_software()
    assert newest.name == "fairweather-app"
    assert [answer.software for answer in check_compatibility(tiny()).answers] == [newest]
    reads = newest.readable_schemas.newest
    assert check_compatibility(tiny(**EVERYTHING), schema=reads).warnings == ()


def test_software_that_is_deployed_is_asked_where_its_folder_is_there(
    tmp_path: Path, tiny_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = {**tiny_document, "applicability_domain": ["minimum"]}
    Path("recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert live_software(None) is None
    shown = CliRunner().invoke(app, ["check", "recipe.yaml", "--schema", "0.4"])
    assert (shown.exit_code, shown.stdout.split(": ")[0]) == (0, "serves")
    Path(".live").mkdir()
    for version in ("0.2", "0.3"):
        Path(f".live/{version}.example.org.json").write_bytes(dump_software(software(version)))
    shown = CliRunner().invoke(app, ["check", "recipe.yaml", "--schema", "0.4"])
    lines = [line for line in shown.stdout.splitlines() if not line.startswith((" ", "to"))]
    assert shown.exit_code == 1
    assert [line.split(" ")[:3] for line in lines] == [
        ["refuses:", "fairweather-app", "0.2.0"],
        ["serves:", "fairweather-app", "0.3.0"],
    ]
    hostile = dump_software(software("0.3")).replace(b"fairweather-app", b"\\u001b[2J\\u202e")
    Path(".live/0.3.example.org.json").write_bytes(hostile)
    shown = CliRunner().invoke(app, ["check", "recipe.yaml", "--schema", "0.4"])
    assert r"serves: \x1b[2J\u202e 0.3.0" in shown.stdout
    Path(".live/0.3.example.org.json").unlink()
    trained = [
        "train",
        "recipe.yaml",
        "--schema",
        "0.4",
        "--store",
        str(tmp_path / "store"),
        "--strict",
    ]
    shown = CliRunner().invoke(app, trained)
    assert shown.exit_code == 1
    assert "no live software supports this yet" in shown.stderr
    assert not (tmp_path / "store").exists()
