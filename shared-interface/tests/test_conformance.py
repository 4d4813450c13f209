"""The testing kit for producers and consumers: conformance, and golden deliveries as fixtures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairweather_interface import read_metadata
from fairweather_interface.testing import assert_delivery_conforms, build_delivery
from fairweather_interface.testing import conformance as kit
from schemas import NEWEST

Tiny = Callable[..., Path]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"schema": "0.1"},
        {"schema": "0.2", "max_humidity_seen": 90.0},
        {"quantiles": (0.1, 0.9)},
        {"applicability_domain": {"temperature": {"minimum": -20.0}}},
    ],
    ids=str,
)
def test_a_delivery_that_conforms_passes(tiny_delivery: Tiny, fields: dict[str, Any]) -> None:
    assert_delivery_conforms(tiny_delivery(**fields))


def test_a_delivery_that_does_not_conform_fails_with_every_problem(tiny_delivery: Tiny) -> None:
    path = tiny_delivery(change=lambda it: it.update(novelty=1, oddity=2))
    with pytest.raises(AssertionError) as caught:
        assert_delivery_conforms(path)
    assert str(caught.value).startswith(f"{path} does not conform:\n  - ")
    for told in (f"novelty: schema {NEWEST} has no such field", f"oddity: schema {NEWEST} has no"):
        assert told in str(caught.value)


def test_a_reader_that_is_let_in_or_kept_out_wrongly_is_a_problem(
    tiny_delivery: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_delivery()

    class Careless:
        metadata = read_metadata((path / "metadata.json").read_bytes()).model_copy(
            update={"min_reader": "0.2"}
        )

    monkeypatch.setattr(kit, "verify_delivery", lambda _: ())
    monkeypatch.setattr(kit, "open_delivery", lambda _, **__: Careless())
    with pytest.raises(AssertionError, match=r"min_reader 0\.2: a reader of 0\.1 reads it"):
        assert_delivery_conforms(path)


_ASKING = """
def test_golden(golden_delivery, store):
    assert golden_delivery.parent == store
    (golden_delivery / "manifest.json").unlink()
"""


def test_a_test_runs_once_for_every_golden_delivery_on_a_copy_of_its_own(
    pytester: pytest.Pytester,
) -> None:
    for name in ("old", "new"):
        build_delivery(pytester.path / "golden" / name)
    pytester.makeini("[pytest]\ngolden_deliveries = golden")
    pytester.makepyfile(_ASKING)
    for _ in range(2):
        pytester.runpytest("-v").assert_outcomes(passed=2)
    pytester.runpytest("-v").stdout.fnmatch_lines(
        ["*test_golden[[]new[]]*", "*test_golden[[]old[]]*"]
    )


def test_golden_deliveries_that_are_not_there_are_an_error_and_no_skip(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeini("[pytest]\ngolden_deliveries = nowhere")
    pytester.makepyfile(_ASKING)
    told = pytester.runpytest()
    assert told.ret != 0
    told.stdout.fnmatch_lines(["*found no golden deliveries below*nowhere*"])
