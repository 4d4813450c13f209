"""What the model card tells: in agreement with the metadata, in words."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fairweather_interface.metadata import Artifact
from fairweather_interface.refusals import Code, Refusal
from fairweather_interface.verdict import Verdict

from card_pages import Elements, pictures
from conftest import result_of
from fairweather_research import load_observations
from fairweather_research.delivery.card.card import _by_day, _share, write_card
from fairweather_research.delivery.metadata import Provenance
from fairweather_research.delivery.result import BranchRecord
from fairweather_research.evaluation.trust import trust_sentence
from fairweather_research.networks.base import NETWORKS
from fairweather_research.observations.report import QualityReport

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Trained


@pytest.fixture(scope="module")
def page(trained: Trained) -> str:
    return (trained.delivery.path / "card" / "index.html").read_text(encoding="utf-8")


def test_the_card_leads_with_how_far_the_model_is_to_be_trusted(
    trained: Trained, page: str, tmp_path: Path
) -> None:
    metrics = json.loads((trained.delivery.path / "card" / "metrics.json").read_text())
    header = page.partition("</header>")[0]
    assert f'<p class="lead"><strong>{metrics["trust"]}</strong></p>' in header
    result = result_of(trained)
    assert metrics["trust"] == trust_sentence(
        [(one.variable, one.days) for one in result.judgements]
    )
    skilled = tuple(
        one.model_copy(
            update={"days": tuple(day.model_copy(update={"skill": 0.3}) for day in one.days)}
        )
        for one in result.judgements
    )
    better = result.model_copy(update={"judgements": skilled})
    write_card(tmp_path / "card", trained.delivery.metadata, better, QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert "To be trusted for two days of temperature and humidity; the whole of its" in page


def test_the_skill_on_day_1_is_the_same_in_the_headline_the_table_and_the_metadata(
    trained: Trained, page: str
) -> None:
    for one in trained.delivery.metadata.performance:
        assert one.by_lead_day is not None
        first = one.by_lead_day[0]
        better = min(first.baselines, key=first.baselines.__getitem__)
        skill = _share(first.skill)
        assert (
            f"{one.variable} at {one.area}</span><strong>{first.mae:.2f} "
            f"{'°C' if one.variable == 'temperature' else '%'}</strong>skill {skill} against "
            f"{better}</li>"
        ) in page
        assert f'<th scope="row">Skill</th><td>{skill}</td>' in page


@pytest.mark.parametrize("fixture", ["trained", "banded"])
def test_the_card_shows_day_1_by_the_age_of_the_observations(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    delivery = request.getfixturevalue(fixture).delivery
    page = (delivery.path / "card" / "index.html").read_text(encoding="utf-8")
    tables = re.findall("<caption><span>Day 1 by the age.*?</table>", page, flags=re.DOTALL)
    assert len(tables) == len(delivery.metadata.performance)
    for one, table in zip(delivery.metadata.performance, tables, strict=True):
        assert re.findall('<th scope="col">(.*?)</th>', table)[1:] == [
            "3 hours old",
            "6 hours old",
        ]
        for name, values in {
            "This model": [f"{age.mae:.2f}" for age in one.by_age or ()],
            "Persistence": [f"{age.baselines['persistence']:.2f}" for age in one.by_age or ()],
            "Skill": [_share(age.skill) for age in one.by_age or ()],
        }.items():
            cells = "".join(f"<td>{value}</td>" for value in values)
            assert f'<th scope="row">{name}</th>{cells}</tr>' in table
        assert ("Inside the band" in table) is (fixture == "banded")


def test_the_card_says_what_the_model_is_for_where_the_recipe_does(
    trained: Trained, page: str, tmp_path: Path
) -> None:
    assert "What it is for" not in page
    said = {
        "intended_use": "Planning a picnic.",
        "limitations": "Not for <storms>.",
        "licence": "CC-BY-4.0",
        "contact": "weather@example.org",
    }
    metadata = trained.delivery.metadata.model_copy(update=said)
    write_card(tmp_path / "card", metadata, result_of(trained), QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    part = page.partition('<h2 id="use">What it is for</h2>')[2].partition("</dl>")[0]
    assert re.findall("<dd>(.*?)</dd>", part) == [
        said["intended_use"],
        "Not for &lt;storms&gt;.",
        said["licence"],
        said["contact"],
    ]
    assert '<a href="#use">What it is for</a>' in page
    assert Elements(page).open == []
    only = trained.delivery.metadata.model_copy(update={"contact": "weather@example.org"})
    write_card(tmp_path / "other", only, result_of(trained), QualityReport(series=()))
    page = (tmp_path / "other" / "index.html").read_text(encoding="utf-8")
    assert "<dt>Contact</dt>" in page
    assert "<dt>Limitations</dt>" not in page
    assert Elements(page).open == []


def test_the_card_says_how_old_the_newest_value_may_be(
    trained: Trained, page: str, tmp_path: Path
) -> None:
    assert "newest value may be" not in page
    inputs = tuple(
        item.model_copy(update={"max_age": timedelta(hours=3)})
        for item in trained.delivery.metadata.inputs
    )
    metadata = trained.delivery.metadata.model_copy(update={"inputs": inputs})
    write_card(tmp_path / "card", metadata, result_of(trained), QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert page.count("10% may be missing, and the newest value may be 3 hours old</dd>") == 2


def test_the_card_says_which_software_serves_it_or_that_nobody_asked(
    trained: Trained, page: str, tmp_path: Path
) -> None:
    assert '<tr><th scope="row">fairweather-app ' in page  # the newest that research knows
    write_card(
        tmp_path / "alone", trained.delivery.metadata, result_of(trained), QualityReport(series=())
    )
    alone = (tmp_path / "alone" / "index.html").read_text(encoding="utf-8")
    assert "Not checked: no software manifest was available" in alone
    refusal = Refusal(code=Code.SCHEMA_TOO_NEW, reason="too <new> for it")
    write_card(
        tmp_path / "card",
        trained.delivery.metadata,
        result_of(trained),
        QualityReport(series=()),
        verdicts=[
            ("fairweather-app 0.3.0", Verdict()),
            ("fairweather-app 0.2.0", Verdict(unused=("uncertainty",))),
            ("fairweather-app 0.1.0", Verdict(refusals=(refusal,))),
        ],
    )
    checked = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert "Not checked" not in checked
    rows = re.findall(r"<tr><th scope=\"row\">(fairweather-app.*?)</tr>", checked)
    assert [" ".join(re.sub("<.*?>", " ", row).split()) for row in rows] == [
        "fairweather-app 0.3.0 serves supports everything",
        "fairweather-app 0.2.0 serves without uncertainty",
        "fairweather-app 0.1.0 refuses schema-too-new: too &lt;new&gt; for it",
    ]


def test_the_card_says_how_to_reproduce_the_delivery(trained: Trained, page: str) -> None:
    command = f"fairweather-research reproduce {trained.delivery.metadata.delivery_id} --data FILE"
    assert f"<pre>{command}</pre>" in page
    assert "FILE is summer.parquet" in page
    assert "trust-network" not in page


@pytest.mark.parametrize("network", [*NETWORKS, "a.b:c"])
def test_a_network_from_outside_is_named_in_the_command_that_reproduces(
    trained: Trained, tmp_path: Path, network: str
) -> None:
    training = Provenance.of(trained.delivery.metadata)
    recipe = {**training.recipe, "network": network}
    metadata = trained.delivery.metadata.model_copy(
        update={"training": training.model_copy(update={"recipe": recipe})}
    )
    write_card(tmp_path / "card", metadata, result_of(trained), QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    plugged = network not in NETWORKS
    assert (" --data FILE --trust-network</pre>" in page) is plugged
    assert ("runs the code of <code>a.b:c</code>" in page) is plugged


@pytest.mark.parametrize(
    ("step", "leads", "middles"),
    [
        ("1 hour", 48, [12, 36]),
        ("1 hour", 30, [12, 27]),
        ("1 hour", 7, [3]),
        ("3 hours", 10, [4, 9]),
        ("1 day", 3, [0, 1, 2]),
    ],
)
def test_trust_of_a_lead_day_is_of_the_middle_of_that_day(
    step: str, leads: int, middles: list[int]
) -> None:
    number, _, unit = step.rstrip("s").partition(" ")
    distance = timedelta(**{f"{unit}s": int(number)})
    assert _by_day([float(lead) for lead in range(leads)], distance) == middles


def test_the_card_of_a_horizon_that_ends_within_a_day_tells_its_trust_day_by_day(
    trained: Trained, tmp_path: Path
) -> None:
    result = result_of(trained)
    factors = tuple(lead / 100 for lead in range(30))
    result = result.model_copy(update={"shrinkage": dict.fromkeys(result.shrinkage, factors)})
    write_card(tmp_path / "card", trained.delivery.metadata, result, QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    (table,) = re.findall(r"How far the network is trusted.*?</table>", page, flags=re.DOTALL)
    assert re.findall(r"<t[dh][^>]*>([\d.]+)</t[dh]>", table) == ["1", "2"] + ["0.12", "0.27"] * 2


def test_synthetic_data_are_marked_loudly(trained: Trained, page: str, tmp_path: Path) -> None:
    assert "ynthetic" not in page.split("The recipe, in full", maxsplit=1)[0]
    training = trained.delivery.metadata.training.model_copy(update={"synthetic": True})
    metadata = trained.delivery.metadata.model_copy(update={"training": training})
    write_card(tmp_path / "card", metadata, result_of(trained), QualityReport(series=()))
    marked = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert marked.count('<p class="loud" role="note">Synthetic') == 2
    metrics = json.loads((tmp_path / "card" / "metrics.json").read_text())
    assert metrics["synthetic"] is True


def test_an_artifact_that_was_left_out_is_told_with_the_reason(
    trained: Trained, tmp_path: Path
) -> None:
    kept, _ = trained.delivery.metadata.artifacts
    gone = Artifact(format="onnx", omitted="y differs from the SavedModel by up to 7")
    metadata = trained.delivery.metadata.model_copy(update={"artifacts": (kept, gone)})
    write_card(tmp_path / "card", metadata, result_of(trained), QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert "<strong>left out</strong>: y differs from the SavedModel by up to 7" in page


def test_the_card_shows_the_numbers_of_the_metadata(trained: Trained, page: str) -> None:
    metadata = trained.delivery.metadata
    training = Provenance.of(metadata)
    highest = (metadata.applicability_domain or {})["temperature"].maximum
    for one in metadata.performance:
        symbol = {"temperature": "°C", "humidity": "%"}[one.variable]
        assert (
            f'<tr><th scope="row">{one.area}, {one.variable}</th><td>{one.mae:.2f} {symbol}</td>'
            f"<td>{one.rmse:.2f}</td>"
        ) in page
    assert str(metadata.model_digest) in page
    assert training.data_digest in page
    assert metadata.delivery_id in page
    assert "June, July" in page
    assert f"Trained up to {highest:.1f} °C; do not use beyond" in page
    for name, version in training.packages.items():
        assert f"{name} {version}" in page


def test_the_card_shows_the_quality_report_and_the_whole_recipe(page: str, summer: Path) -> None:
    report = load_observations(str(summer)).report
    assert any(one.gaps for one in report.series)
    for one in report.series:
        numbers = (one.rows, one.kept, one.missing, len(one.gaps))
        cells = "".join(f"<td>{number:,}</td>" for number in numbers)
        told = "".join(f"; {line.strip()}" for line in one.sentences()[1:])
        row = f'<tr><th scope="row">{one.area} {one.variable}</th>{cells}<td class="text">'
        assert row in page
        assert page.partition(row)[2].partition("\n")[0].endswith(f"{told}</td></tr>")
    assert "model_type: TinyPredictor" in page


def test_the_card_says_how_the_bands_held_and_where_they_did_not(banded: Trained) -> None:
    folder = banded.delivery.path / "card"
    page = (folder / "index.html").read_text(encoding="utf-8")
    judgements = json.loads((folder / "metrics.json").read_text())["judgements"]
    assert "87.5 % of outcomes should lie in the band from the 2.5 % to the 90 % quantile" in page
    verdicts = []
    for one in judgements:
        for held in (one["coverage"]["whole"], *one["coverage"]["days"]):
            assert f"{100 * held['inside']:.1f} %" in page
            verdicts.append(held["verdict"])
    assert len(set(verdicts)) > 1  # three epochs on two months: some are off, and the card says so
    assert page.count("<br>too ") == sum(
        day["verdict"].startswith("too") for one in judgements for day in one["coverage"]["days"]
    )
    told = pictures(page)
    assert len(told) == 4 * 6 + 2 * 2 + 1  # coverage and reliability of four series besides
    assert sum("the 2.5 %, 10 %, 90 % quantile" in text for text in told) == 4


def test_a_card_without_bands_does_not_speak_of_any(page: str) -> None:
    assert "band" not in page.partition("</style>")[2]


def test_the_card_says_every_bound_in_words(banded: Trained) -> None:
    page = (banded.delivery.path / "card" / "index.html").read_text(encoding="utf-8")
    for name, bounds in (banded.delivery.metadata.applicability_domain or {}).items():
        symbol = {"temperature": "°C", "humidity": "%"}[name]
        assert (
            f"Trained from {bounds.minimum:.1f} up to {bounds.maximum:.1f} {symbol}, with up to "
            f"{bounds.max_missing:.1%} of the values missing; do not use beyond that."
        ) in page


def test_text_of_a_recipe_cannot_become_markup(trained: Trained, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    metadata = trained.delivery.metadata.model_copy(update={"topic": hostile, "author": hostile})
    write_card(tmp_path / "card", metadata, result_of(trained), QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_metrics_are_the_same_numbers_for_machines(trained: Trained) -> None:
    metrics = json.loads((trained.delivery.path / "card" / "metrics.json").read_text())
    metadata = trained.delivery.metadata
    assert metrics["delivery_id"] == metadata.delivery_id
    assert metrics["synthetic"] is False
    assert [one["mae"] for one in metrics["judgements"]] == [
        one.mae for one in metadata.performance
    ]
    assert len(metrics["shrinkage"]["temperature_forecast"]) == 48
    assert metrics["quality"][0]["area"] == "EWR"
    assert metrics["quality"][0]["start"].endswith("Z")


def test_a_network_that_tells_of_no_epochs_has_a_card_without_a_curve(
    trained: Trained, tmp_path: Path
) -> None:
    result = result_of(trained).model_copy(update={"epochs": (), "best_epoch": 0})
    write_card(tmp_path / "card", trained.delivery.metadata, result, QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert "The network reported no epochs." in page
    assert "Loss by epoch" not in page


def test_a_model_of_several_networks_says_what_chooses_each(
    trained: Trained, tmp_path: Path
) -> None:
    branches = tuple(
        BranchRecord(condition=f"humidity {side} 60 %", windows=1200, judged=300, best_epoch=1)
        for side in ("below", "at or above")
    )
    result = result_of(trained).model_copy(update={"branches": branches})
    write_card(tmp_path / "card", trained.delivery.metadata, result, QualityReport(series=()))
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert "It holds 2 networks" in page
    assert (
        "humidity at or above 60 %: 1,200 training windows, 300 held out; kept from epoch 1."
        in page
    )
