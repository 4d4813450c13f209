"""What every page has in common: how long it may be, and that nothing in it is hidden."""

from __future__ import annotations

import pytest

from fairweather_app.web.layout import rendering
from pages import BROWSER, Deliver, MakeApp, Reader

HIDDEN = "a\u202eb\u2066c\u200bd\x9be"
SHOWN = r"a\u202eb\u2066c\u200bd\u009be"


def test_marks_that_cannot_be_seen_are_shown_and_letters_stay_joined(
    tiny_delivery: Deliver, make_app: MakeApp
) -> None:
    joined = "خرم\N{ZERO WIDTH NON-JOINER}آباد"
    path = tiny_delivery(areas=("JFK",), topic=HIDDEN, author=joined, model_type=HIDDEN)
    client = make_app().test_client()
    for address in ("/models", f"/models/{path.name}", "/?area=JFK", "/coverage"):
        page = client.get(address, headers={"Accept": BROWSER}).text
        assert SHOWN in Reader(page).text, address
        seen = f"\n\N{NO-BREAK SPACE}{joined}"
        assert all(sign.isprintable() or sign in seen for sign in page), address
    assert joined in client.get(f"/models/{path.name}", headers={"Accept": BROWSER}).text
    assert client.get(f"/models/{path.name}").get_json()["topic"] == HIDDEN


def test_a_page_lists_so_many_areas_and_counts_the_others(
    tiny_delivery: Deliver, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "MOST_OFFERED", 20)
    tiny_delivery(areas=tuple(f"Station-{number:03}" for number in range(100)))
    client = make_app().test_client()
    for address in ("/?area=", "/?area=Nowhere"):
        page = client.get(address, headers={"Accept": BROWSER}).text
        assert Reader(page).text.count("Station-") == 20
        assert "more: write a name in the search box." in page
        assert len(page) < 20_000
