"""Refusal codes are part of the contract: added to, never renamed."""

from __future__ import annotations

import dataclasses
import json
import pickle
import re

import pytest

from fairweather_interface.refusals import Code, Phase, Refusal


def test_the_codes_are_these_and_only_ever_more() -> None:
    released = {
        "area-not-declared",
        "variable-not-declared",
        "out-of-season",
        "out-of-domain",
        "observations-missing",
        "observations-stale",
        "schema-too-new",
        "runtime-unavailable",
        "below-baseline",
        "invalid-output",
        "timed-out",
        "withdrawn",
        "overridden",
        "corrupt",
    }
    assert released <= {code.value for code in Code}


def test_a_code_is_named_as_it_is_spelled() -> None:
    for code in Code:
        assert code.name.lower().replace("_", "-") == code.value == str(code) == f"{code}"


def test_every_code_has_a_phase_and_a_meaning_that_is_a_sentence() -> None:
    for code in Code:
        assert code.phase in Phase
        assert re.fullmatch(r"[A-Z][^.]*\.", code.meaning)
    assert {code.phase for code in Code} == set(Phase)


def test_the_codes_that_repeat_are_those_of_the_start_and_of_the_windows() -> None:
    for code in Code:
        assert code.repeatable == (code.phase in {Phase.START, Phase.WINDOWS})
    for code in (Code.OUT_OF_SEASON, Code.OBSERVATIONS_MISSING, Code.OUT_OF_DOMAIN):
        assert code.repeatable


def test_a_code_is_found_by_its_value_and_crosses_processes_whole() -> None:
    for code in Code:
        assert Code(code.value) is pickle.loads(pickle.dumps(code)) is code  # noqa: S301 - ours
        assert json.loads(json.dumps(code)) == code.value
    with pytest.raises(ValueError, match="not a valid Code"):
        Code("out of season")


def test_a_refusal_is_frozen_and_says_what_is_what() -> None:
    refusal = Refusal(code=Code.CORRUPT, reason="bits fell over")
    assert refusal == Refusal(code=Code("corrupt"), reason="bits fell over")
    assert len({refusal, Refusal(code=Code.CORRUPT, reason="bits fell over")}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        refusal.reason = "else"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Refusal(Code.CORRUPT, "by position")  # type: ignore[call-arg]
