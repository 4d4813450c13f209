"""An area has one name, however it is spelt: in a delivery, an archive, a request, a command."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from fairweather_interface.names import plain_name
from flask import Flask

from answers import the_problem
from fairweather_app.observations import ObservationStore
from fairweather_app.observations.archive_file import read_archive

Build = Callable[..., Path]
MakeApp = Callable[..., Flask]

NFD = unicodedata.normalize("NFD", "Zürich")
PERSIAN = "خرم\N{ZERO WIDTH NON-JOINER}آباد"
BENGALI = "ক\N{BENGALI SIGN VIRAMA}\N{ZERO WIDTH JOINER}ষ"
FARM = "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{EAR OF RICE} Farm"
SPELT = [
    (" lead", "lead ", "lead"),
    ("trail ", "trail", "\ttrail"),
    ("Tel\N{NO-BREAK SPACE}Aviv", "Tel Aviv", "Tel  Aviv"),
    (NFD, "Zürich", NFD),
    ("Zürich", NFD, "Zürich"),
    (PERSIAN, PERSIAN, PERSIAN),
    (BENGALI, f"{BENGALI} ", BENGALI),
    (FARM, FARM, FARM),
    ("\N{RIGHT-TO-LEFT MARK}חיפה", "חיפה", "חיפה\N{ZERO WIDTH SPACE}"),
]
"""How a delivery, an archive and whoever asks spell one name."""


@pytest.fixture
def bring(tmp_path: Path, observations: ObservationStore) -> Callable[[str], None]:
    """Import a day of temperatures of an area, spelt as given."""

    def run(area: str) -> None:
        path = tmp_path / "day.csv"
        hours = range(24)
        rows = [f'"{area}",2013-06-20T{hour:02}:00Z,temperature,degC,{hour}\n' for hour in hours]
        text = "area,time,variable,unit,value\n" + "".join(rows)
        path.write_text(text, encoding="utf-8", newline="\n")
        observations.add(read_archive(path))

    return run


@pytest.mark.parametrize("spelt", SPELT, ids=ascii)
def test_what_goes_live_is_observed_and_asked_for_in_any_spelling_of_its_name(
    make_app: MakeApp,
    tiny_delivery: Build,
    bring: Callable[[str], None],
    spelt: tuple[str, str, str],
) -> None:
    declared, observed, asked = spelt
    delivery_id = tiny_delivery(areas=(declared,), schema="0.4").name
    bring(observed)
    app = make_app()
    client = app.test_client()
    name = plain_name(declared)
    areas = client.get("/areas").get_json()["areas"]
    (listed,) = [each for each in areas if each["models"]]
    assert (listed["area"], listed["latest_observation"]) == (name, "2013-06-20T23:00:00Z")
    for text in (declared, observed, asked, name):
        got = client.get(f"/weather/predict?area={quote(text)}")
        posted = client.post("/weather/predict", json={"area": text})
        assert (got.status_code, posted.status_code) == (200, 200), got.get_json()
        assert got.get_json()["area"] == posted.get_json()["area"] == name
        assert client.get(f"/?area={quote(text)}").status_code == 200
        (model,) = client.get(f"/models?area={quote(text)}").get_json()["models"]
        assert (model["delivery_id"], model["areas"]) == (delivery_id, [name])
        why = app.test_cli_runner().invoke(args=["models", "why", text])
        assert why.exit_code == 0, why.output
        assert delivery_id in why.output
    status = app.test_cli_runner().invoke(args=["observations", "status", "--area", asked])
    assert status.exit_code == 0, status.output
    check = app.test_cli_runner().invoke(args=["check"])
    assert check.exit_code == 0, check.output


def test_models_that_spell_a_name_differently_are_ranked_together(
    make_app: MakeApp, tiny_delivery: Build, bring: Callable[[str], None]
) -> None:
    better = tiny_delivery(areas=(NFD,), skill=0.6, skill_interval=(0.5, 0.7), schema="0.4").name
    worse = tiny_delivery(areas=("Zürich",), skill=0.3, skill_interval=(0.2, 0.4)).name
    bring("Zürich")
    app = make_app()
    why = app.test_cli_runner().invoke(args=["models", "why", "Zürich"]).stdout
    assert f"{better} answers for Zürich" in why
    assert "ranks lower" in why
    assert worse in why


def test_pins_and_overrides_take_any_spelling(
    make_app: MakeApp, tiny_delivery: Build, bring: Callable[[str], None], tmp_path: Path
) -> None:
    tiny_delivery(areas=(NFD,), skill=0.6, skill_interval=(0.5, 0.7), schema="0.4")
    chosen = tiny_delivery(areas=("Zürich ",), skill_interval=(0.2, 0.4), schema="0.4").name
    bring("Zürich")
    overrides = tmp_path / "overrides.yaml"
    overrides.write_text(f"override_cities: {{{chosen}: ['{NFD} ']}}\n", encoding="utf-8")
    app = make_app(overrides=overrides)
    pinned = app.test_cli_runner().invoke(args=["models", "pin", f" {NFD}", chosen])
    assert pinned.exit_code == 0, pinned.output
    app.extensions["fairweather"].catalogue.refresh()
    answer = app.test_client().get("/weather/predict?area=Zürich").get_json()
    assert answer["receipt"]["delivery_id"] == chosen


@pytest.mark.parametrize(
    ("areas", "reason"),
    [
        (("JFK", "JFK "), "found 'JFK' and 'JFK ', expected one of the two"),
        (("\N{ZERO WIDTH SPACE}",), "expected a name"),
        (("a\x00b",), "without the control character"),
        (("a\ue000b",), "without the private character"),
        (("a\N{INTERLINEAR ANNOTATION ANCHOR}b",), "without the invisible character"),
        (("a\N{TAG LATIN SMALL LETTER A}",), "without the invisible character"),
    ],
)
def test_a_delivery_whose_areas_cannot_be_asked_for_is_not_live(
    make_app: MakeApp, tiny_delivery: Build, areas: tuple[str, ...], reason: str
) -> None:
    delivery_id = tiny_delivery(areas=areas, schema="0.4").name
    entry = make_app().extensions["fairweather"].catalogue.snapshot.entry(delivery_id)
    assert entry.summary.startswith("quarantined (corrupt): areas: ")
    assert reason in entry.summary


@pytest.mark.parametrize("area", ["a\x00b", "\N{ZERO WIDTH SPACE} ", ""])
def test_what_is_no_name_is_told(make_app: MakeApp, area: str) -> None:
    client = make_app().test_client()
    got = client.get(f"/weather/predict?area={quote(area)}")
    (problem,) = the_problem(got, 400, "invalid-request")["problems"]
    assert problem.startswith("area: ")
    posted = client.post("/weather/predict", json={"area": area})
    the_problem(posted, 422, "invalid-request")
