"""The model card: inside itself, in agreement with the metadata, readable by anyone."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from fairweather_research.card import _share, write_card
from fairweather_research.card.plots import training_plot
from fairweather_research.observations import QualityReport
from fairweather_research.results import EpochRecord, TrainingResult

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Trained


class Elements(HTMLParser):
    """Every start tag with its attributes, and whether all that opened was closed."""

    VOID = frozenset({"meta", "img", "source", "br", "hr", "link", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(trained: Trained) -> str:
    return (trained.delivery.path / "card" / "index.html").read_text(encoding="utf-8")


def test_the_card_asks_for_nothing_outside_itself(page: str) -> None:
    elements = Elements(page)
    assert elements.open == []
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in elements.found}
    for tag, attributes in elements.found:
        for name in ("src", "srcset", "href"):
            if name in attributes:
                assert (attributes[name] or "").startswith("data:image/svg+xml;base64,"), tag
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in page
    assert "@import" not in page


def test_the_card_knows_light_and_dark_and_small_screens(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert '<meta name="viewport"' in page
    assert 'lang="en"' in page


def test_every_picture_says_in_words_what_it_shows(page: str) -> None:
    pictures = [attributes for tag, attributes in Elements(page).found if tag == "img"]
    assert len(pictures) == 9  # errors and a forecast of four series, and the training
    assert all(len(attributes["alt"] or "") > 40 for attributes in pictures)


def test_the_card_shows_the_numbers_of_the_metadata(trained: Trained, page: str) -> None:
    metadata = trained.delivery.metadata
    for one in metadata.performance:
        assert f"{one.mae:.2f}" in page
        assert f"{one.rmse:.2f}" in page
    assert metadata.model_digest in page
    assert metadata.training.data_digest in page
    assert metadata.delivery_id in page
    assert "June, July" in page
    assert f"up to {metadata.max_temperature_seen:.1f} °C" in page
    for name, version in metadata.training.packages.items():
        assert f"{name} {version}" in page


def test_the_card_shows_the_quality_report_and_the_whole_recipe(page: str) -> None:
    assert "EWR humidity: " in page
    assert "rows kept" in page
    assert "model_type: TinyPredictor" in page


def test_the_card_says_how_the_bands_held_and_where_they_did_not(banded: Trained) -> None:
    folder = banded.delivery.path / "card"
    page = (folder / "index.html").read_text(encoding="utf-8")
    judgements = json.loads((folder / "metrics.json").read_text())["judgements"]
    assert "from the 2.5 % to the 90 % quantile declares that 87.5 %" in page
    verdicts = []
    for one in judgements:
        for held in (one["coverage"]["whole"], *one["coverage"]["days"]):
            assert f"{100 * held['inside']:.1f} %" in page
            verdicts.append(held["verdict"])
    assert len(set(verdicts)) > 1  # three epochs on two months: some are off, and the card says so
    assert page.count("<br>too ") == sum(
        day["verdict"].startswith("too") for one in judgements for day in one["coverage"]["days"]
    )
    pictures = [attributes for tag, attributes in Elements(page).found if tag == "img"]
    assert len(pictures) == 13  # the coverage of four series besides
    assert any("its band" in (attributes["alt"] or "") for attributes in pictures)


def test_a_card_without_bands_does_not_speak_of_any(page: str) -> None:
    assert "band" not in page.replace("fairweather", "")


def test_the_card_says_every_bound_in_words(banded: Trained) -> None:
    page = (banded.delivery.path / "card" / "index.html").read_text(encoding="utf-8")
    for name, bounds in (banded.delivery.metadata.applicability_domain or {}).items():
        symbol = {"temperature": "°C", "humidity": "%"}[name]
        assert (
            f"observations from {bounds.minimum:.1f} up to {bounds.maximum:.1f} {symbol} and "
            f"windows that lack up to {bounds.max_missing:.1%} of their values were seen"
        ) in page


def test_text_of_a_recipe_cannot_become_markup(trained: Trained, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    metadata = trained.delivery.metadata.model_copy(update={"topic": hostile, "author": hostile})
    metrics = json.loads((trained.delivery.path / "card" / "metrics.json").read_text())
    fields = {name: metrics[name] for name in TrainingResult.model_fields}
    result = TrainingResult.model_validate_json(json.dumps(fields))
    write_card(tmp_path / "card", metadata, result, QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_metrics_are_the_same_numbers_for_machines(trained: Trained) -> None:
    metrics = json.loads((trained.delivery.path / "card" / "metrics.json").read_text())
    metadata = trained.delivery.metadata
    assert metrics["delivery_id"] == metadata.delivery_id
    assert [one["mae"] for one in metrics["judgements"]] == [
        one.mae for one in metadata.performance
    ]
    assert len(metrics["shrinkage"]["temperature_forecast"]) == 48
    assert metrics["quality"][0]["area"] == "EWR"
    assert metrics["quality"][0]["start"].endswith("Z")


def test_plots_are_the_same_bytes_every_time() -> None:
    epochs = [EpochRecord(number=n, training=1 / n, calibration=1.5 / n) for n in (1, 2, 3)]
    first, second = training_plot(epochs, [3]), training_plot(epochs, [3])
    assert first == second
    assert first.light != first.dark
    assert not re.search(r"<dc:date>", first.light)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123, "+12.3 %"), (-0.02, "\N{MINUS SIGN}2.0 %"), (-0.0001, "0.0 %"), (None, "\N{EN DASH}")],
)
def test_skill_is_written_with_its_sign_and_zero_without(value: float | None, text: str) -> None:
    assert _share(value) == text
