"""The model card: a page inside itself, readable by anyone, with the same pictures every time."""

from __future__ import annotations

import itertools
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from card_pages import Elements, pictures
from conftest import result_of
from fairweather_research.dataset.window_set import WindowSet
from fairweather_research.delivery.card.card import _share, write_card
from fairweather_research.delivery.card.plots import training_plot
from fairweather_research.evaluation.scores import BASELINES, Baseline
from fairweather_research.networks.base import EpochRecord
from fairweather_research.observations.report import QualityReport

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from conftest import Commanded, Trained


@pytest.fixture(scope="module")
def page(trained: Trained) -> str:
    return (trained.delivery.path / "card" / "index.html").read_text(encoding="utf-8")


def test_the_card_asks_for_nothing_outside_itself(page: str) -> None:
    elements = Elements(page)
    assert elements.open == []
    forbidden = {"script", "link", "iframe", "object", "image", "use", "foreignobject"}
    assert not forbidden & {tag for tag, _ in elements.found}
    for tag, attributes in elements.found:
        assert not {"src", "srcset", "xlink:href"} & set(attributes), tag
        assert (attributes.get("href") or "#").startswith("#"), tag
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in page
    assert "@import" not in page


def test_the_card_knows_light_and_dark_and_small_screens(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert '<meta name="viewport"' in page
    assert 'lang="en"' in page


def test_every_picture_says_in_words_what_it_shows(page: str) -> None:
    told = pictures(page)
    # errors, bias, and two weeks of four series; two inputs twice; the training
    assert len(told) == 4 * 4 + 2 * 2 + 1
    assert all(len(text) > 40 for text in told)


def test_a_card_of_many_series_draws_some_and_tells_the_numbers_of_all(
    trained: Trained, tmp_path: Path
) -> None:
    result, metadata = result_of(trained), trained.delivery.metadata
    many = result.model_copy(update={"judgements": result.judgements * 10})
    metadata = metadata.model_copy(update={"performance": metadata.performance * 10})
    write_card(tmp_path / "card", metadata, many, QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 12 * 4 + 2 * 2 + 1
    assert page.count("the card draws the first 12 of its 40 series") == 28
    assert page.count("Mean absolute error in ") == 40
    assert len(page.encode()) < 400_000


def test_headings_descend_one_step_at_a_time_and_every_table_has_a_caption(page: str) -> None:
    found = [tag for tag, _ in Elements(page).found]
    levels = [int(tag[1]) for tag in found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert found.count("caption") == found.count("table") > 4
    assert found.count("th") == sum("scope" in a for tag, a in Elements(page).found if tag == "th")


def test_a_baseline_more_is_drawn_and_listed_beside_the_others(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = result_of(trained)
    monkeypatch.setitem(BASELINES, "guess", Baseline("a <wild> guess", "", WindowSet.targets))

    def guessed(scores: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(
            one.model_copy(update={"baselines": {**one.baselines, "guess": 77.77}})
            for one in scores
        )

    judgements = guessed(
        one.model_copy(update={"days": guessed(one.days), "ages": guessed(one.ages)})
        for one in result.judgements
    )
    result = result.model_copy(update={"judgements": judgements})
    write_card(tmp_path / "card", trained.delivery.metadata, result, QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert "<em>guess</em> (a &lt;wild&gt; guess)" in page
    assert '<tr><th scope="row">Guess</th><td>77.77</td><td>77.77</td></tr>' in page
    assert page.count('class="line baseline guess"') == 4 * 2  # in the drawing, and its legend
    metrics = json.loads((tmp_path / "card" / "metrics.json").read_text())
    assert metrics["judgements"][0]["days"][0]["guess_mae"] == 77.77


def test_links_lead_to_places_of_the_page(page: str) -> None:
    places = {a["id"] for tag, a in Elements(page).found if tag == "h2"}
    links = {(a["href"] or "")[1:] for tag, a in Elements(page).found if tag == "a"}
    assert links == places


def test_the_card_is_small(page: str, banded: Trained) -> None:
    path = banded.delivery.path / "card" / "index.html"
    assert max(len(page.encode()), path.stat().st_size) < 150_000


def test_weeks_are_chosen_by_rule_and_named(trained: Trained, page: str) -> None:
    metrics = json.loads((trained.delivery.path / "card" / "metrics.json").read_text())
    for one in metrics["judgements"]:
        typical, worst = one["trace"], one["worst"]
        assert typical["mae"] <= worst["mae"]
        assert typical["among"] == worst["among"] > 2
        for trace, word in ((typical, "median"), (worst, "largest")):
            zone = ZoneInfo("America/New_York")
            start = datetime.fromtimestamp(trace["reference_time"], tz=zone)
            assert (
                f"{start:%Y-%m-%d %H:%M %Z}, and as it came; mean absolute error "
                f"{trace['mae']:.2f} {'°C' if one['variable'] == 'temperature' else '%'}, the "
                f"{word} of {trace['among']} held-out forecasts"
            ) in page
        apart = [abs(f - o) for f, o in zip(worst["forecast"], worst["observed"], strict=True)]
        assert sum(apart) / len(apart) == pytest.approx(worst["mae"])


def test_the_domain_is_drawn_from_all_that_taught(trained: Trained) -> None:
    metrics = json.loads((trained.delivery.path / "card" / "metrics.json").read_text())
    assert set(metrics["portraits"]) == set(metrics["seen"])
    for name, portrait in metrics["portraits"].items():
        seen = metrics["seen"][name]
        assert portrait["edges"][0] == pytest.approx(seen["lowest"])
        assert portrait["edges"][-1] == pytest.approx(seen["highest"])
        assert [month["month"] for month in portrait["months"]] == [5, 6, 7]  # local: 31 May
        assert max(month["highest"] for month in portrait["months"]) == seen["highest"]
        assert sum(portrait["counts"]) > 1000


def test_two_trainings_of_one_recipe_have_the_same_pictures(
    page: str, commanded: Commanded
) -> None:
    again = (commanded.delivery.path / "card" / "index.html").read_text(encoding="utf-8")
    drawn = [re.findall("<svg.*?</svg>", each, flags=re.DOTALL) for each in (page, again)]
    assert len(drawn[0]) > 10
    assert drawn[0] == drawn[1]


def test_the_training_of_several_networks_shows_what_each_went_back_to() -> None:
    epochs = [EpochRecord(number=n, training=1 / n, calibration=1.5 / n) for n in range(1, 7)]
    plot = training_plot(epochs, [2, 5])
    assert [word for word in ("kept: 2", "kept: 5") if f">{word}<" not in plot.svg] == []
    assert "the weights of epochs 2 and 5 were kept" in plot.text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123, "+12.3 %"), (-0.02, "\N{MINUS SIGN}2.0 %"), (-0.0001, "0.0 %"), (None, "\N{EN DASH}")],
)
def test_skill_is_written_with_its_sign_and_zero_without(value: float | None, text: str) -> None:
    assert _share(value) == text
