"""Refusal codes are part of the contract: added to, never renamed."""

from __future__ import annotations

import dataclasses

import pytest

from fairweather_interface.refusals import Code, Refusal


def test_the_codes_are_these_and_only_ever_more() -> None:
    assert [code.value for code in Code] == [
        "area-not-declared",
        "variable-not-declared",
        "out-of-season",
        "out-of-domain",
        "observations-missing",
        "schema-too-new",
        "runtime-unavailable",
        "below-baseline",
        "invalid-output",
        "timed-out",
        "withdrawn",
        "overridden",
        "corrupt",
    ]


def test_a_code_is_named_as_it_is_spelled() -> None:
    for code in Code:
        assert code.name.lower().replace("_", "-") == code.value == str(code) == f"{code}"


def test_a_refusal_is_frozen_and_says_what_is_what() -> None:
    refusal = Refusal(code=Code.CORRUPT, reason="bits fell over")
    assert refusal == Refusal(code=Code("corrupt"), reason="bits fell over")
    assert len({refusal, Refusal(code=Code.CORRUPT, reason="bits fell over")}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        refusal.reason = "else"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Refusal(Code.CORRUPT, "by position")  # type: ignore[call-arg]
