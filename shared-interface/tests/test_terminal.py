"""What reaches a terminal of a text that a stranger wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairweather_interface.terminal import printable


@pytest.mark.parametrize(
    "text",
    [
        "Beit-Shemesh",
        "Zürich \N{BULLET} 4 °C",
        "two\nlines",
        "\N{IDEOGRAPHIC SPACE}\N{NO-BREAK SPACE}\N{EN QUAD}",
        "نمی\N{ZERO WIDTH NON-JOINER}خواهم",
        "क्\N{ZERO WIDTH JOINER}ष",
    ],
)
def test_text_of_every_script_stays_as_it_is(text: str) -> None:
    assert printable(text) == printable(text, escaped=True) == text


@pytest.mark.parametrize(
    "sign",
    [
        "\x1b", "\r", "\b", "\t", "\x00", "\x7f", "\x9b",
        "\u202e", "\u2066", "\u2028", "\ufeff", "\udce9",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_sign_that_steers_a_terminal_or_turns_text_around_is_replaced(sign: str) -> None:
    assert printable(f"a{sign}b") == "a\N{REPLACEMENT CHARACTER}b"
    escaped = printable(f"a{sign}b", escaped=True)
    assert escaped.isascii()
    assert escaped.startswith("a\\")
    assert escaped.encode().decode("unicode_escape") == f"a{sign}b"


@given(text=st.text())
def test_what_was_made_printable_stays_so_sign_by_sign(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    assert len(shown) == len(text)
    assert shown.count("\n") == text.count("\n")
