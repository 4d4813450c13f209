"""What an app says of a delivery: asked until it has looked, bounded, and shown as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.delivery import open_delivery
from fairweather_interface.testing import build_delivery
from typer.testing import CliRunner, Result

from fairweather_research.cli.main import app as command
from fairweather_research.delivery import app_client
from fairweather_research.delivery.app_client import App
from fairweather_research.errors import AppError
from web_server import served


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for between two questions."""
    monkeypatch.setattr(app_client, "_POLL_SECONDS", 0)


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    return build_delivery(tmp_path / "store")


class AppOfTests:
    """Stands in for an app: what it says of one delivery, look by look, and who answers."""

    def __init__(self, delivery: Path, *looks: Mapping[str, Any] | None) -> None:
        self.id = delivery.name
        self._looks = list(looks)
        self._number = 0
        self.forecast: tuple[int, Any] = (200, {"receipt": {"delivery_id": self.id}})

    def __call__(self, path: str) -> tuple[int, Any]:
        if path == f"/models/{self.id}":
            found = self._looks[min(self._number, len(self._looks) - 1)]
            self._number += 1
            if found is None:
                return 404, {"title": "Unknown delivery"}
            return 200, {"delivery_id": self.id, "areas": ["Paris"], **found}
        if path.startswith("/models?"):
            return 200, {"store": {"checked_at": f"2026-01-01T00:00:{self._number:02}Z"}}
        assert path == "/weather/predict?area=Paris"
        return self.forecast


def publish(delivery: Path, address: str, *more: object) -> Result:
    store = delivery.parents[1] / "there"
    options = ["--store", store, "--follow", address, *more]
    return CliRunner().invoke(command, ["publish", *map(str, (delivery, *options))])


LIVE = {"state": "live"}
CORRUPT = {"state": "quarantined", "code": "corrupt", "reason": "model.onnx differs"}
UNTRUSTED = {"state": "refused", "code": "not-trusted", "reason": "it is not signed"}


@pytest.mark.parametrize(
    ("looks", "code", "told"),
    [
        ([None, None, LIVE], 0, "live: {id} at {app}"),
        ([None, UNTRUSTED, LIVE], 0, "live: {id} at {app}"),
        ([CORRUPT], 1, "quarantined: {id} at {app}: corrupt: model.onnx differs"),
        ([None, UNTRUSTED], 1, "refused: {id} at {app}: not-trusted: it is not signed"),
    ],
)
def test_the_app_is_asked_until_it_has_looked_and_its_answer_is_the_exit_code(
    delivery: Path, looks: list[Any], code: int, told: str
) -> None:
    with served(AppOfTests(delivery, *looks)) as address:
        shown = publish(delivery, address)
    lines = shown.stdout.splitlines()
    assert shown.exit_code == code
    assert lines[0] == str(delivery.parents[1] / "there" / delivery.name)
    assert lines[1] == told.format(id=delivery.name, app=address)
    assert len(lines) == (3 if code == 0 else 2)


def test_an_app_that_does_not_look_or_is_not_there_ends_with_3(delivery: Path) -> None:
    with served(AppOfTests(delivery, None)) as address:
        shown = publish(delivery, address, "--wait", "0")
    assert shown.exit_code == 3
    assert f"{address} did not look at it within 0 seconds" in shown.stderr
    shown = publish(delivery, address, "--wait", "0")
    assert shown.exit_code == 3
    assert "is one running there?" in shown.stderr
    assert open_delivery(delivery.parents[1] / "there" / delivery.name).digest


@pytest.mark.parametrize(
    ("forecast", "told"),
    [
        ((200, {"receipt": {"delivery_id": "{id}"}}), "answers now"),
        (
            (200, {"receipt": {"delivery_id": "another", "model_type": "Older"}}),
            "ranks after Older another, which answers now",
        ),
        (
            (
                422,
                {
                    "detail": "no model",
                    "refused": [
                        {"delivery_id": "{id}", "code": "out-of-season", "reason": "valid May"}
                    ],
                },
            ),
            "cannot answer now: out-of-season: valid May",
        ),
        ((503, {"detail": "not ready"}), "nobody answers now: not ready"),
    ],
)
def test_where_it_ranks_is_told_for_each_area(
    delivery: Path, forecast: tuple[int, Any], told: str
) -> None:
    stand_in = AppOfTests(delivery, LIVE)
    stand_in.forecast = (
        forecast[0],
        json.loads(json.dumps(forecast[1]).replace("{id}", delivery.name)),
    )
    with served(stand_in) as address:
        shown = publish(delivery, address)
    assert shown.stdout.splitlines()[2:] == [f"  Paris: {told}"]


def test_a_trial_is_told_with_its_reason_and_is_no_failure(delivery: Path) -> None:
    rollout = [{"area": "Paris", "state": "trial", "reason": "2 of 100 forecasts"}]
    with served(AppOfTests(delivery, {**LIVE, "rollout": rollout})) as address:
        shown = publish(delivery, address)
    assert shown.exit_code == 0
    _, state, area = shown.stdout.splitlines()
    assert state == f"on trial: {delivery.name} at {address}"
    assert area == "  Paris: trial: 2 of 100 forecasts; answers now"


def test_signs_that_would_steer_a_terminal_are_escaped(delivery: Path) -> None:
    hostile = {**CORRUPT, "reason": "\x1b[2Jgone"}
    with served(AppOfTests(delivery, hostile)) as address:
        shown = publish(delivery, address)
    assert r"corrupt: \x1b[2Jgone" in shown.stdout


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b"<html>"),
        (200, b"[" * 100_000),
        (200, b" " * (app_client._LARGEST + 1) + b"{}"),
        (200, {"delivery_id": 7}),
        (200, {"delivery_id": "x", "areas": "JFK"}),
        (302, "http://example.invalid/models"),
    ],
    ids=["HTML", "deep", "large", "another type", "no list", "a redirect"],
)
def test_what_no_app_answers_is_an_error_of_its_own(status: int, content: object) -> None:
    with (
        served(lambda _path: (status, content)) as address,
        pytest.raises(AppError, match="no answer of an app"),
    ):
        App(address).delivery("x")


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://host/", "https://a:b@host", "host:5000", ""]
)
def test_what_is_no_address_of_an_app_is_wrong_use_and_nothing_is_published(
    delivery: Path, address: str
) -> None:
    shown = publish(delivery, address)
    assert shown.exit_code == 2
    assert not (delivery.parents[1] / "there").exists()


def test_lived_skill_stands_beside_the_declared_one(delivery: Path) -> None:
    metadata = open_delivery(delivery).metadata
    one = metadata.performance[0]
    key = {"area": one.area, "variable": one.variable}
    known = {
        **LIVE,
        "live_scores": [
            {**key, "lead_day": 2, "count": 9, "mae": 3.0, "bias": 0.0},
            {**key, "lead_day": 1, "count": 240, "mae": 1.5, "bias": 0.1},
        ],
        "lived_skill": [
            {**key, "other": "57dfc915-65a0", "count": 120, "mae": 1.5, "other_mae": 2.0}
        ],
    }
    with served(AppOfTests(delivery, known)) as address:
        shown = CliRunner().invoke(command, ["standing", str(delivery), "--app", address])
    assert shown.exit_code == 0
    (row,) = [line for line in shown.stdout.splitlines() if one.variable in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[:5] == [
        one.area,
        one.variable,
        f"1.50 {metadata.variable_table[one.variable].symbol}",
        "240",
        "25 % beside 57dfc915 (120 forecasts)".replace(" %", "%"),
    ]
    assert cells[5] == ("-" if one.skill is None else f"{one.skill:.0%}")


def test_a_delivery_that_the_app_does_not_know_has_no_figures(delivery: Path) -> None:
    with served(AppOfTests(delivery, None)) as address:
        shown = CliRunner().invoke(command, ["standing", str(delivery), "--app", address])
    assert (shown.exit_code, shown.stdout) == (1, f"{address} does not know {delivery.name}\n")
