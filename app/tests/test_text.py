"""Texts that leave the app: how long they may be, and what is hidden in them."""

from __future__ import annotations

import pytest

from fairweather_app.errors import (
    AppError,
    InvalidRequestError,
    RemoteUnavailableError,
    UnknownAreaError,
)
from fairweather_app.text import bounded, cut, escape_unseen, join_some, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://host/path?limit=3", "https://host/path?limit=3"),
        ("ftp://user:hunter2@host/x is away", "ftp://***@host/x is away"),
        ("at 's3://key:a/b@c@bucket/x'", "at 's3://***@bucket/x'"),
        ("http://token@host:80 and http://u:p@h", "http://***@host:80 and http://***@h"),
        ("postgresql://h/db?user=u&password=hunter2", "postgresql://h/db?user=***&password=***"),
        ('Invalid bucket name "key:hunter2@host"', 'Invalid bucket name "***@host"'),
        ("at 12:30 from a@b.example", "at 12:30 from a@b.example"),
        ("https://h/v1?apikey=hunter2&x=1: timed out", "https://h/v1?apikey=***&x=1: timed out"),
        ("https://h/v1?X-Amz-Signature=ab12", "https://h/v1?X-Amz-Signature=***"),
    ],
)
def test_secrets_of_an_address_are_masked_and_nothing_else(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert str(RemoteUnavailableError(text)) == masked


def test_what_is_long_is_cut_and_what_is_left_out_is_counted() -> None:
    names = [f"area-{number}" for number in range(4000)]
    assert cut("x" * 300) == "x" * 199 + "…"
    assert join_some(names[:2]) == "area-0, area-1"
    assert join_some(names).endswith("area-19 and 3980 more")
    assert bounded(["a"]) == ("a",)
    assert bounded("x" * 1000 for _ in range(21)) == ("x" * 499 + "…",) * 20 + ("and 1 more",)
    assert len(str(UnknownAreaError("y" * 10_000, known=names))) < 600
    assert len(InvalidRequestError(names).problems) == 21
    assert len(str(AppError("//" * 10_000_000))) == 20_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zürich, \u05d7\u05d9\u05e4\u05d4, \U0001f468\u200d\U0001f33e\n", None),
        ("a\x1b[2J\x9b\x00", r"a\u001b[2J\u009b\u0000"),
        ("\u202e\u2066\u200e\ufeff\xad", r"\u202e\u2066\u200e\ufeff\u00ad"),
        ("\ud800 \U000e0041", r"\ud800 \udb40\udc41"),
    ],
)
def test_a_mark_that_cannot_be_seen_is_written_as_json_writes_it(
    text: str, shown: str | None
) -> None:
    assert escape_unseen(text) == (text if shown is None else shown)
