"""A variable that the contract does not know: a delivery declares it, and no code names it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from fairweather_interface.variables import VARIABLES
from flask import Flask

from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.forecasting.context import AppContext
from fairweather_app.models_backend.checks import check_predictions
from fairweather_app.models_backend.runtime_model import Prediction
from fairweather_app.observations import ObservationStore
from fairweather_app.observations.providers import Reading
from fairweather_app.settings import load_settings
from fairweather_app.web.layout import wording
from pages import EVENING, Deliver, MakeApp, read

RAIN = {"unit": "mm", "minimum": 0.0, "maximum": 500.0, "label": "Rain", "margin": 5.0}
HOUR = timedelta(hours=1)
SAMPLES = 48

FlaskCommand = Callable[..., Result]


@pytest.fixture
def deliver(tiny_delivery: Deliver) -> Deliver:
    """Deliver a model that forecasts rain from rain."""

    def make(row: dict[str, Any] | None = None, **changes: Any) -> Path:
        return tiny_delivery(
            **{
                "areas": ("JFK",),
                "variables": ("precipitation",),
                "samples": SAMPLES,
                "declared_variables": {"precipitation": row or RAIN},
                **changes,
            }
        )

    return make


@pytest.fixture
def rain_file(tmp_path: Path) -> Callable[..., Path]:
    """Write hours of rain at JFK, the last of them in the evening."""

    def write(values: Sequence[float] | None = None, unit: str = "mm", name: str = "") -> Path:
        given = values or [0.1 * (hour % 7) for hour in range(SAMPLES)]
        first = EVENING - (len(given) - 1) * HOUR
        rows = [
            f"JFK,{(first + k * HOUR).isoformat()},{name or 'precipitation'},{unit},{value}"
            for k, value in enumerate(given)
        ]
        path = tmp_path / "rain.csv"
        path.write_text("area,time,variable,unit,value\n" + "\n".join(rows) + "\n")
        return path

    return write


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["observations", *arguments])


def reason(app: Flask, **query: str) -> str:
    answer = app.test_client().get("/weather/predict", query_string={"area": "JFK", **query})
    (refusal,) = answer.get_json()["refused"]
    return str(refusal["reason"])


# ------------------------------------------------------------------------------------ end to end


def test_the_contract_does_not_know_the_variable_of_these_tests() -> None:
    assert "precipitation" not in VARIABLES


@pytest.mark.parametrize("observed_first", [True, False])
def test_it_is_imported_before_or_after_its_model_and_answered_in_its_unit(
    deliver: Deliver, rain_file: Callable[..., Path], make_app: MakeApp, *, observed_first: bool
) -> None:
    if observed_first:
        notice = run(make_app(), "import", str(rain_file()))
        assert notice.exit_code == 0, notice.output
        assert "no live delivery declares precipitation (yet); it is kept in 'mm'" in notice.stderr
    deliver()
    app = make_app()
    if not observed_first:
        imported = run(app, "import", str(rain_file()))
        assert (imported.exit_code, imported.stderr) == (0, "")
    answer = app.test_client().get("/weather/predict?area=JFK").get_json()
    rain = answer["forecast"]["precipitation"]
    assert rain["unit"] == "mm"
    assert rain["value"] == pytest.approx([0.1 * (hour % 7) for hour in range(SAMPLES)])
    page = read(app.test_client().get("/?area=JFK"))
    assert "Rain mm" in page.text
    assert "0.3" in page.text


def test_pages_show_its_label_and_no_small_value_as_nothing(
    deliver: Deliver, rain_file: Callable[..., Path], make_app: MakeApp
) -> None:
    delivery = deliver()
    app = make_app()
    run(app, "import", str(rain_file([0.0] * 20 + [0.3] * 28)))
    page = read(app.test_client().get("/?area=JFK"))
    (chart,) = (json.loads(each) for each in page.scripts if each.strip().startswith("{"))
    (panel,) = chart["series"]
    assert (panel["label"], panel["unit"]) == ("Rain", "mm")
    assert max(value for value in panel["value"]) == 0.3
    assert max(value for value in panel["recent"] if value is not None) == 0.3
    assert panel["digits"] >= 1
    for address in (f"/models/{delivery.name}", "/coverage"):
        assert "Rain" in read(app.test_client().get(address, headers={"Accept": "text/html"})).text


@pytest.mark.parametrize(
    ("largest", "decimals"), [(0.0, 0), (0.04, 3), (0.3, 2), (4.2, 1), (42.0, 1), (420.0, 0)]
)
def test_an_unknown_variable_has_the_decimals_that_its_values_need(
    largest: float, decimals: int
) -> None:
    assert wording.digits("precipitation", among=(0.0, None, -largest)) == decimals
    assert wording.digits("temperature", among=(largest,)) == VARIABLES["temperature"].digits


# ----------------------------------------------------------------------------------------- limits


def test_its_limits_hold_for_files_requests_and_outputs(
    deliver: Deliver, rain_file: Callable[..., Path], make_app: MakeApp
) -> None:
    deliver()
    app = make_app()
    refused = run(app, "import", str(rain_file([1.0, 501.0])))
    assert refused.exit_code == 1
    assert "precipitation is impossible: 501.0; expected 0 to 500 mm" in refused.stderr
    given = {"area": "JFK", "observations": {"precipitation": [-1.0] * SAMPLES}}
    problem = app.test_client().post("/weather/predict", json=given).get_json()
    assert "value 1 is -1; possible is 0 to 500" in json.dumps(problem)
    context: AppContext = app.extensions["fairweather"]
    metadata = context.catalogue.model(context.catalogue.snapshot.live[0]).metadata
    beyond = {"precipitation": Prediction(np.array([1.0, 600.0], dtype=np.float32))}
    refusal = check_predictions(metadata, beyond)
    assert refusal is not None
    assert "precipitation from 1 to 600 mm, possible is 0 to 500" in refusal.reason


def test_what_was_imported_before_its_limits_were_known_is_told_by_the_status(
    deliver: Deliver, rain_file: Callable[..., Path], make_app: MakeApp
) -> None:
    run(make_app(), "import", str(rain_file([1.0, 501.0, 1.0, 2.0])))
    before = json.loads(run(make_app(), "status", "--json").stdout)
    assert [(each["variable"], each["impossible"]) for each in before] == [("precipitation", 0)]
    deliver()
    (found,) = json.loads(run(make_app(), "status", "--json").stdout)
    assert (found["impossible"], found["quality"]) == (1, ["impossible"])


@pytest.mark.parametrize(
    ("margins", "status"), [("{}", 200), ("{precipitation: 1}", 422), ("{precipitation: 9}", 200)]
)
def test_its_margin_is_the_models_unless_the_operator_names_one(
    deliver: Deliver,
    rain_file: Callable[..., Path],
    make_app: MakeApp,
    margins: str,
    status: int,
) -> None:
    deliver(applicability_domain={"precipitation": {"maximum": 40.0}})
    app = make_app(margins=margins)
    run(app, "import", str(rain_file([1.0] * (SAMPLES - 1) + [44.0])))
    answer = app.test_client().get("/weather/predict?area=JFK")
    assert answer.status_code == status, answer.get_json()


def test_a_margin_may_name_any_variable_that_is_not_a_misspelt_one() -> None:
    assert load_settings({"margins": "{precipitation: 2}"}).domain_margins["precipitation"] == 2


# ------------------------------------------------------------------------------------------ units


def test_another_unit_than_the_declared_or_the_stored_one_is_refused(
    deliver: Deliver, rain_file: Callable[..., Path], make_app: MakeApp
) -> None:
    app = make_app()
    run(app, "import", str(rain_file(unit="inch")))
    other = run(app, "import", str(rain_file()))
    assert other.exit_code == 1
    assert "precipitation in 'mm'; expected 'inch': convert the values" in other.stderr
    deliver()
    app = make_app()
    assert "precipitation is wanted in 'mm', its observations are in 'inch'" in reason(app)
    late = run(app, "import", str(rain_file()))
    assert (
        "precipitation in 'mm'; its stored observations are in 'inch': remove them" in late.stderr
    )
    inch = run(app, "import", str(rain_file(unit="inch")))
    assert "precipitation in 'inch'; expected 'mm': convert the values" in inch.stderr


def test_two_units_of_one_variable_in_a_file_are_refused(
    rain_file: Callable[..., Path], make_app: MakeApp
) -> None:
    path = rain_file([1.0, 2.0])
    path.write_text(path.read_text() + "EWR,2013-12-20T00:00Z,precipitation,inch,1\n")
    refused = run(make_app(), "import", str(path))
    assert refused.exit_code == 1
    assert "row 3: precipitation in 'inch'; expected 'mm'" in refused.stderr


@pytest.mark.parametrize("name", ["humidty", "relative humidity", "2m"])
def test_a_misspelt_name_is_refused_and_never_kept(
    rain_file: Callable[..., Path], make_app: MakeApp, observations: ObservationStore, name: str
) -> None:
    refused = run(make_app(), "import", str(rain_file(name=name)))
    assert refused.exit_code == 1
    assert f"unknown variable {name!r}" in refused.stderr
    assert set(observations.units()) == set(VARIABLES)


@pytest.mark.parametrize("unit", ["mm", "inch"])
def test_a_provider_may_give_what_a_live_delivery_declares_in_its_unit(
    deliver: Deliver, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    class Gauge:
        def fetch(self, places: Any, **_: Any) -> list[Reading]:
            return [Reading(area, EVENING, "precipitation", unit, 1.5) for area in places]

    find = "fairweather_app.cli.observations.find_provider"
    monkeypatch.setattr(find, lambda _name, _url: Gauge())
    command = ("fetch", "--area", "JFK", "--since", "2013-12-19T00:00Z")
    early = run(make_app(), *command)
    assert "found the variable 'precipitation'; expected temperature" in early.output
    deliver()
    app = make_app()
    fetched = run(app, *command)
    if unit == "mm":
        assert fetched.exit_code == 0, fetched.output
        context: AppContext = app.extensions["fairweather"]
        assert context.observations.units()["precipitation"] == "mm"
        assert context.windows.latest("JFK", "precipitation") == EVENING
    else:
        assert "found precipitation in 'inch'; expected 'mm'" in fetched.output


# -------------------------------------------------------------------------------------- conflicts


def trained_until(day: int) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["training"]["train_end_time"] = f"2013-06-{day:02}T00:00:00Z"

    return change


def states(catalogue: Catalogue) -> dict[str, str]:
    return {each.delivery_id: each.summary for each in catalogue.refresh().entries.values()}


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({**RAIN, "maximum": 300.0}, "found precipitation from 0 to 300 mm, expected 0 to 500 mm"),
        ({**RAIN, "unit": "kg m-2"}, "found precipitation from 0 to 500 kg m-2, expected 0 to 500"),
    ],
)
def test_a_delivery_that_disagrees_with_a_live_one_is_refused_and_says_with_whom(
    deliver: Deliver, catalogue: Catalogue, row: dict[str, Any], found: str
) -> None:
    first = deliver(change=trained_until(20)).name
    assert states(catalogue) == {first: "live"}
    later = deliver(row, change=trained_until(10)).name  # what is live stays so
    said = states(catalogue)
    assert said[first] == "live"
    assert said[later].startswith(
        "quarantined (corrupt): its variables disagree with "
        f"delivery {first}, which is live: {found}"
    )
    unchanged = catalogue.snapshot.contents
    assert states(catalogue) == said
    assert catalogue.snapshot.contents is unchanged


def test_of_two_that_come_together_the_one_trained_on_older_data_is_live(
    deliver: Deliver, catalogue: Catalogue
) -> None:
    newer = deliver(change=trained_until(20)).name
    older = deliver({**RAIN, "maximum": 300.0}, change=trained_until(10)).name
    said = states(catalogue)
    assert said[older] == "live"
    assert f"disagree with delivery {older}" in said[newer]
    assert catalogue.snapshot.contents.variables["precipitation"].maximum == 300


def test_a_refused_delivery_is_live_once_the_other_one_is_withdrawn(
    deliver: Deliver, make_app: MakeApp
) -> None:
    older = deliver(change=trained_until(10)).name
    newer = deliver({**RAIN, "maximum": 300.0}, change=trained_until(20)).name
    app = make_app()
    withdrawn = app.test_cli_runner().invoke(
        args=["models", "withdraw", older, "--reason", "-", "--force"]
    )
    assert withdrawn.exit_code == 0, withdrawn.output
    context: AppContext = app.extensions["fairweather"]
    assert states(context.catalogue)[newer] == "live"
    assert context.catalogue.snapshot.contents.variables["precipitation"].maximum == 300


def test_deliveries_that_agree_are_live_and_the_label_is_the_earliest_models(
    deliver: Deliver, catalogue: Catalogue
) -> None:
    deliver({**RAIN, "label": "Downpour", "margin": 1.0}, change=trained_until(20))
    deliver(change=trained_until(10))
    assert set(states(catalogue).values()) == {"live"}
    table = catalogue.snapshot.contents.variables
    assert (table["precipitation"].label, table["temperature"]) == (
        "Rain",
        VARIABLES["temperature"],
    )


def test_a_delivery_that_disagrees_with_the_contract_is_refused(
    deliver: Deliver, catalogue: Catalogue
) -> None:
    kelvin = {"unit": "K", "minimum": 200.0, "maximum": 330.0}

    def change(document: dict[str, Any]) -> None:
        document["variables"]["temperature"] = kelvin

    name = deliver(change=change).name
    said = states(catalogue)[name]
    assert said.startswith("quarantined (corrupt)")
    assert "found temperature from 200 to 330 K, expected -80 to 60 degC" in said


def test_no_module_of_the_app_names_it() -> None:
    package = Path(wording.__file__).parents[2]
    named = [path for path in package.rglob("*.py") if "precipitation" in path.read_text()]
    assert not named
