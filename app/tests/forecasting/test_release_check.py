"""What a release would lose: every live delivery, held against this release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from fairweather_interface.examples import EXAMPLES
from fairweather_interface.manifest import write_manifest
from fairweather_interface.refusals import Code, Phase, Refusal
from flask import Flask

from catalogues import Ingest
from fairweather_app.catalogue.ingestion import Ingestion
from fairweather_app.forecasting.release_check import find_regression
from fairweather_app.models_backend import checks
from fairweather_app.models_backend.checks import Check
from fairweather_app.models_backend.software import NEWEST_SCHEMA

UP_TO_30 = {"temperature": {"maximum": 30.0}}

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]
Document = dict[str, Any]


@pytest.fixture
def check(make_app: MakeApp) -> Callable[[], Result]:
    def run() -> Result:
        return make_app().test_cli_runner().invoke(args=["check"])

    return run


def rewrite_examples(path: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Path:
    """Change the arrays of a delivery's examples; its digests are true again."""
    with np.load(path / EXAMPLES) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path / EXAMPLES, **arrays | dict(change(arrays)))
    (path / "manifest.json").unlink()
    write_manifest(path, path.name)
    return path


def expecting(row: int, code: str, value: float | None = None) -> Callable[..., Mapping[str, Any]]:
    """Let an example expect a verdict, and its first value be another one."""

    def change(arrays: dict[str, Any]) -> Mapping[str, Any]:
        expect = arrays["expect"].astype("<U30")
        expect[row] = code
        values = arrays["input/temperature"]
        if value is not None:
            values[row, 0] = value
        return {
            "expect": expect,
            "input/temperature": values,
            "output/temperature_forecast": values,
        }

    return change


# ------------------------------------------------------------------------------- the command


def test_a_release_that_loses_nothing_says_so_in_one_line_and_exits_0(
    check: Callable[[], Result], tiny_delivery: Build, store: Path
) -> None:
    tiny_delivery()
    tiny_delivery(quantiles=(0.1, 0.9), applicability_domain=UP_TO_30, context=True)
    tiny_delivery(schema="0.2", variables=("humidity",), max_humidity_seen=70.0, max_missing=0.25)
    result = check()
    assert (result.exit_code, result.stderr) == (0, "")
    (line,) = result.stdout.splitlines()
    assert line.startswith("fairweather-app ")
    assert line.endswith(f" would lose none of 3 deliveries in {store}")


def test_every_lost_delivery_is_a_line_and_areas_without_a_model_are_named(
    check: Callable[[], Result], tiny_delivery: Build, store: Path
) -> None:
    def newer(document: Document) -> None:
        document.update(schema_version="1.9", min_reader="1.9")

    def of_glass(document: Document) -> None:
        document["artifacts"][0]["format"] = "crystal-ball"

    tiny_delivery(areas=("EWR",))
    broken = tiny_delivery(areas=("EWR", "JFK"), model=b"two\nlines", model_type="Broken")
    other = tiny_delivery(areas=("LGA", "TLV"), change=of_glass, model_type="Glass")
    new = tiny_delivery(areas=("LGA",), change=newer)
    damaged = tiny_delivery()
    (damaged / "model.onnx").write_bytes(b"flipped")
    result = check()
    assert result.exit_code == 1
    header, *lines, summary, areas, unknown = result.stdout.splitlines()
    assert header.split() == ["lost", "type", "code", "reason"]
    assert [line.split()[:3] for line in lines] == [
        [damaged.name, "-", "corrupt"],
        [broken.name, "Broken", "corrupt"],
        [other.name, "Glass", "runtime-unavailable"],
        [new.name, "-", "schema-too-new"],
    ]
    assert f"supported here: up to {NEWEST_SCHEMA}" in lines[3]
    assert summary.endswith(
        f"would lose 4 of 5 deliveries in {store}: "
        "2 corrupt, 1 runtime-unavailable, 1 schema-too-new"
    )
    assert areas == "Areas left without any model: JFK, LGA, TLV."
    assert unknown == "The areas of 2 lost deliveries are unknown (unreadable metadata)."


def test_an_area_that_another_model_keeps_is_not_left_without_any(
    check: Callable[[], Result], tiny_delivery: Build
) -> None:
    tiny_delivery()
    tiny_delivery(model=b"no")
    assert check().stdout.splitlines()[-1] == "Areas left without any model: none."


def test_a_store_that_cannot_be_read_is_wrong_use(check: Callable[[], Result], store: Path) -> None:
    store.rmdir()
    result = check()
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"the store {store} cannot be read" in result.stderr
    assert "FAIRWEATHER_STORE" in result.stderr


def test_an_empty_store_has_nothing_to_lose_and_the_count_says_that_nothing_was_checked(
    check: Callable[[], Result], store: Path
) -> None:
    result = check()
    assert result.exit_code == 0
    assert result.stdout.endswith(f"would lose none of 0 deliveries in {store}\n")


def test_a_delivery_that_cannot_be_copied_is_lost_and_the_others_are_checked(
    make_app: MakeApp, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_delivery()
    app = make_app()
    odd = tiny_delivery()
    real = Ingestion.ingest

    def fail(self: Ingestion, delivery_id: str, fingerprint: str) -> Any:
        if delivery_id == odd.name:
            raise OSError(5, "Input/output\nerror")
        return real(self, delivery_id, fingerprint)

    monkeypatch.setattr(Ingestion, "ingest", fail)
    result = app.test_cli_runner().invoke(args=["check"])
    assert result.exit_code == 1
    _, line, *_ = result.stdout.splitlines()
    assert line.split()[:3] == [odd.name, "-", "runtime-unavailable"]
    assert "(Input/output error)" in line  # one line, whatever the reason
    assert "1 of 2 deliveries" in result.stdout


def test_a_delivery_that_goes_while_the_store_is_checked_is_not_lost(
    make_app: MakeApp, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()
    app = make_app()
    refresher = app.extensions["fairweather"].catalogue.refresher
    names = refresher.names()
    (path / "manifest.json").unlink()
    monkeypatch.setattr(refresher, "names", lambda: names)
    result = app.test_cli_runner().invoke(args=["check"])
    assert result.exit_code == 0
    assert "none of 0 deliveries" in result.stdout


def test_checking_leaves_what_the_app_serves_as_it_was(
    make_app: MakeApp, tiny_delivery: Build
) -> None:
    app = make_app()
    tiny_delivery()
    app.test_cli_runner().invoke(args=["check"])
    assert not app.extensions["fairweather"].catalogue.snapshot.entries


# --------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"valid_months": [7]}, "out-of-season", "example 1 (EWR, 2013-01-10T00:00Z) must be"),
        (
            {"applicability_domain": {"temperature": {"maximum": 1.0}}},
            "out-of-domain",
            "be served, and this release refuses",
        ),
        (
            {"applicability_domain": {"temperature": {"minimum": 40.0}}},
            "out-of-domain",
            "(7 more of its examples differ)",
        ),
    ],
)
def test_an_example_to_be_served_that_this_release_refuses_is_a_loss(
    ingest: Ingest, tiny_delivery: Build, changes: Document, code: str, told: str
) -> None:
    path = tiny_delivery(change=lambda document: document.update(changes))
    loss = find_regression(ingest(path))
    assert loss is not None
    assert (loss.delivery_id, loss.model_type, loss.code) == (path.name, "IdentityPredictor", code)
    assert told in loss.reason


def test_missing_values_are_judged_before_the_domain_and_the_output(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    def allow_none(document: Document) -> None:
        document["inputs"][0]["max_missing"] = 0.0

    assert find_regression(ingest(tiny_delivery(max_missing=0.25))) is None
    loss = find_regression(ingest(tiny_delivery(max_missing=0.25, change=allow_none)))
    assert loss is not None
    assert "must be refused with invalid-output, and this release refuses it with observ" in (
        loss.reason
    )
    bounds = {"temperature": {"max_missing": 0.0}}
    gaps = tiny_delivery(max_missing=0.25, applicability_domain=bounds)
    assert find_regression(ingest(gaps)) is None  # the kit expects out-of-domain


def test_an_example_whose_newest_values_are_missing_is_refused_as_the_model_asks(
    ingest: Ingest, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expect_stale(arrays: dict[str, Any]) -> Mapping[str, Any]:
        changed = expecting(2, "observations-stale")(arrays)
        changed["input/temperature"][2, -4:] = np.nan
        return changed

    path = rewrite_examples(
        tiny_delivery(max_missing=0.5, max_age=timedelta(hours=3)), expect_stale
    )
    assert find_regression(ingest(path)) is None
    others = tuple(each for each in checks.CHECKS if "inputs[].max_age" not in each.obeys)
    monkeypatch.setattr(checks, "CHECKS", others)
    regression = find_regression(ingest(path))
    assert regression is not None
    assert "must be refused with observations-stale, and this release" in regression.reason


def test_an_example_to_be_refused_that_this_release_would_serve_is_a_loss(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    path = rewrite_examples(tiny_delivery(), expecting(2, "out-of-domain"))
    loss = find_regression(ingest(path))
    assert loss is not None
    assert loss.code == Code.CORRUPT
    assert "must be refused with out-of-domain, and this release serves it" in loss.reason


def test_refusals_are_judged_without_the_margins_that_an_operator_gives(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    path = tiny_delivery(applicability_domain={"temperature": {"maximum": 20.0}})
    rewrite_examples(path, expecting(2, "out-of-domain", 20.5))  # the default margin is 3
    assert find_regression(ingest(path)) is None


@pytest.mark.parametrize("code", ["serve", "out-of-domain"])
@pytest.mark.parametrize("bound", [20.1, 20.3, 33.3])
def test_a_window_at_the_edge_of_float32_makes_no_loss(
    ingest: Ingest, tiny_delivery: Build, code: str, bound: float
) -> None:
    domain = {"temperature": {"maximum": bound}}
    for schema in ("0.2", NEWEST_SCHEMA):
        path = tiny_delivery(schema=schema, applicability_domain=domain)
        rewrite_examples(path, expecting(2, code, float(np.float32(bound))))
        assert find_regression(ingest(path)) is None
    beyond = rewrite_examples(
        tiny_delivery(applicability_domain=domain), expecting(2, "serve", bound + 0.001)
    )
    assert find_regression(ingest(beyond)) is not None


@pytest.mark.parametrize("code", ["too-windy", "below-baseline", "withdrawn"])
def test_a_verdict_that_no_window_gets_here_is_not_judged(
    ingest: Ingest, tiny_delivery: Build, code: str
) -> None:
    path = rewrite_examples(tiny_delivery(), expecting(2, code))
    assert find_regression(ingest(path)) is None


def test_examples_that_this_release_cannot_even_judge_are_a_loss_and_no_crash(
    ingest: Ingest, tiny_delivery: Build, caplog: pytest.LogCaptureFixture
) -> None:
    def at_no_time(arrays: dict[str, Any]) -> Mapping[str, Any]:
        return {"reference_time": np.full_like(arrays["reference_time"], 2**62)}

    loss = find_regression(ingest(rewrite_examples(tiny_delivery(), at_no_time)))
    assert loss is not None
    assert loss.code == Code.CORRUPT
    assert "this release failed on its examples" in loss.reason
    assert "Traceback" in caplog.text


def test_a_new_check_counts_in_a_request_and_in_the_release_check(
    *,
    make_app: MakeApp,
    ingest: Ingest,
    tiny_delivery: Build,
    observe: Callable[..., None],
    day: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusal = Refusal(code=Code.OUT_OF_DOMAIN, reason="too windy")
    windy = Check(phase=Phase.WINDOWS, find=lambda trial: refusal if trial.windows else None)
    monkeypatch.setattr(checks, "CHECKS", (windy, *checks.CHECKS))
    path = tiny_delivery(areas=("JFK",))
    observe("JFK", day)
    answer = make_app().test_client().get("/weather/predict?area=JFK")
    assert answer.json is not None
    assert answer.json["refused"][0]["reason"] == "too windy"
    regression = find_regression(ingest(path))
    assert regression is not None
    assert regression.code == "out-of-domain"
