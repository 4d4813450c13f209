from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pkgutil import resolve_name

import numpy as np
import numpy.typing as npt
import pytest
from fairweather_interface.ledger import must_obey_rows
from fairweather_interface.metadata import ModelMetadata, Output, read_metadata
from fairweather_interface.refusals import Code, Phase
from fairweather_interface.testing import metadata_document
from fairweather_interface.variables import VARIABLES

from fairweather_app.models_backend.checks import (
    CHECKS,
    Trial,
    check_observed,
    check_output,
    check_predictions,
    check_windows,
    first_refusal,
)
from fairweather_app.models_backend.runtime_model import Prediction
from fairweather_app.models_backend.software import NEWEST_SCHEMA, OLDEST_SCHEMA
from fairweather_app.observations import Window

NOON = datetime(2013, 6, 20, 12, tzinfo=UTC)
NAN = float("nan")


def metadata(**changes: object) -> ModelMetadata:
    return read_metadata(json.dumps(metadata_document(samples=4) | changes))


def window(*values: float) -> dict[str, Window]:
    made = Window(
        values=np.array(values, dtype=np.float32),
        reference_time=NOON,
        sample_rate=timedelta(hours=1),
    )
    return {"temperature": made}


def output(variable: str = "temperature", unit: str = "degC") -> Output:
    return Output.model_validate(
        {
            "name": "x",
            "variable": variable,
            "unit": unit,
            "step": timedelta(hours=1),
            "shape": (-1, 3),
        }
    )


OBEYED_BY_CONSTRUCTION: Mapping[str, str] = {
    "fairweather_interface.metadata:read_metadata": "min_reader schema_version",
    "fairweather_interface.delivery:open_delivery": "delivery_id",
    "fairweather_app.models_backend.protocol:artifact_of": (
        "artifacts artifacts[].format artifacts[].path"
    ),
    "fairweather_app.models_backend.protocol:ModelsBackend.cannot_run": (
        "artifacts[].needs artifacts[].needs.ir_version artifacts[].needs.opset "
        "artifacts[].needs.tensorflow"
    ),
    "fairweather_app.models_backend.acceptance:check_roles": (
        "inputs[].dtype inputs[].role inputs[].shape"
    ),
    "fairweather_app.models_backend.acceptance:check_units": "inputs[].unit outputs[].unit",
    "fairweather_app.models_backend.acceptance:check_signature": (
        "inputs inputs[].name outputs outputs[].name outputs[].shape"
    ),
    "fairweather_app.models_backend.runtime_model:RuntimeModel.predict": (
        "areas outputs[].step outputs[].variable"
    ),
    "fairweather_app.observations.windows:get_inputs": (
        "inputs[].areas inputs[].period inputs[].sample_rate inputs[].variable"
    ),
}
"""By what obeys them, the fields of the first schema without which no model is loaded or run."""


def test_what_obeys_each_duty_of_the_newest_schema_is_named_once() -> None:
    checked = [path for check in CHECKS for path in check.obeys]
    constructed = [path for paths in OBEYED_BY_CONSTRUCTION.values() for path in paths.split()]
    duties = {row.path: row for row in must_obey_rows(NEWEST_SCHEMA)}
    named = Counter([*checked, *constructed])
    assert not [path for path in duties if path not in named], "name the check that obeys them"
    assert set(named) == set(duties)
    assert set(named.values()) == {1}
    assert all(callable(resolve_name(where)) for where in OBEYED_BY_CONSTRUCTION)
    late = {path for path, row in duties.items() if row.since != OLDEST_SCHEMA}
    assert late <= set(checked), "what a newer schema limits is checked, for each forecast"


def test_a_whole_window_is_fit() -> None:
    assert check_windows(metadata(), window(1, 2, 3, 4)) is None


def test_every_window_that_is_not_fit_is_named_with_its_gaps() -> None:
    document = metadata_document(variables=("temperature", "humidity"), samples=2)
    both = read_metadata(json.dumps(document))
    made = window(1, NAN)["temperature"]
    refusal = check_windows(both, {"temperature": made, "humidity": made})
    assert refusal is not None
    assert refusal.code is Code.OBSERVATIONS_MISSING
    assert refusal.reason.count("from 2013-06-20T11:00Z to 2013-06-20T12:00Z") == 2
    assert "humidity" in refusal.reason


@pytest.mark.parametrize(
    ("values", "refuses"), [((1, 2, NAN, NAN), False), ((1, NAN, NAN, NAN), True)]
)
def test_a_newest_value_that_is_older_than_the_input_allows_is_stale(
    values: tuple[float, ...],
    refuses: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    fit = read_metadata(
        json.dumps(metadata_document(samples=4, max_missing=0.9, max_age=timedelta(hours=2)))
    )
    trial = Trial(
        metadata=fit, area="EWR", reference_time=NOON, margins={}, windows=window(*values)
    )
    refusal = first_refusal(trial, Phase.WINDOWS)
    assert (refusal is not None) is refuses
    if refusal is not None:
        assert refusal.code is Code.OBSERVATIONS_STALE
        assert refusal.reason == "newest temperature 3 h before the start; the model is fit for 2 h"


def test_weather_that_was_never_seen_in_training_is_out_of_domain() -> None:
    cool = metadata(applicability_domain={"temperature": {"maximum": 0.0}})
    refusal = check_observed(cool, window(1, 1, 9, 1), margins={"temperature": 3})
    assert refusal is not None
    assert refusal.code is Code.OUT_OF_DOMAIN
    assert check_observed(cool, window(1, 1, 9, 1), margins={"temperature": 9}) is None


def test_the_highest_of_all_windows_of_a_variable_counts() -> None:
    document = metadata_document(samples=1)
    document["inputs"].append(document["inputs"][0] | {"name": "region", "areas": ["EWR", "JFK"]})
    bounds = {"maximum": 10.0}
    document["applicability_domain"] = {"temperature": bounds, "region": bounds}
    region = read_metadata(json.dumps(document))
    windows = window(5) | {"region": window(11)["temperature"]}
    refusal = check_observed(region, windows, margins={})
    assert refusal is not None
    assert refusal.code is Code.OUT_OF_DOMAIN


def test_a_bound_on_humidity_counts_like_one_on_temperature() -> None:
    document = metadata_document(
        samples=4, variables=("humidity",), applicability_domain={"humidity": {"maximum": 40.0}}
    )
    dry = read_metadata(json.dumps(document))
    humid = {"humidity": window(44, 41, 40, 39)["temperature"]}
    margins = {"humidity": 3.0}
    refusal = check_observed(dry, humid, margins=margins)
    assert refusal is not None
    assert refusal.code is Code.OUT_OF_DOMAIN
    assert check_observed(dry, humid, margins={"humidity": 5.0}) is None


def test_a_window_without_any_value_says_nothing_about_the_domain() -> None:
    cool = metadata(applicability_domain={"temperature": {"maximum": 0.0}})
    assert check_observed(cool, window(NAN, NAN, NAN, NAN), margins={}) is None


@pytest.mark.parametrize(
    ("values", "margin", "told"),
    [
        ((1, 2, 3, 4), 0.0, None),
        ((1, 2, 3, 4.5), 0.0, "reached 4.5 degC"),
        ((1, 2, 3, 4.5), 0.5, None),
        ((0.5, 2, 3, 4), 0.0, "fell to 0.5 degC"),
        ((0.5, 2, 3, 4), 0.5, None),
        ((NAN, 2, 3, 4), 0.0, None),
        ((NAN, NAN, 3, 4), 9.0, "lacks 2 of 4 observations"),
        ((NAN, NAN, NAN, 9), 0.0, "above the 4 degC it is declared fit for; temperature lacks"),
    ],
)
def test_every_bound_of_the_domain_counts_and_the_margin_widens_both_ends(
    values: tuple[float, ...], margin: float, told: str | None
) -> None:
    bounds = {"minimum": 1.0, "maximum": 4.0, "max_missing": 0.25}
    narrow = metadata_document(
        samples=4, max_missing=0.9, applicability_domain={"temperature": bounds}
    )
    refusal = check_observed(
        read_metadata(json.dumps(narrow)), window(*values), margins={"temperature": margin}
    )
    assert (refusal is None) == (told is None)
    if refusal is not None and told is not None:
        assert refusal.code is Code.OUT_OF_DOMAIN
        assert told in refusal.reason


def test_a_bound_on_one_window_says_nothing_about_another_of_the_same_variable() -> None:
    document = metadata_document(samples=1)
    document["inputs"].append(document["inputs"][0] | {"name": "region", "areas": ["EWR", "JFK"]})
    document["applicability_domain"] = {"region": {"minimum": 10.0}}
    region = read_metadata(json.dumps(document))
    warm, cold = window(11)["temperature"], window(5)["temperature"]
    assert check_observed(region, {"temperature": cold, "region": warm}, margins={}) is None
    assert check_observed(region, {"temperature": warm, "region": cold}, margins={}) is not None


# ------------------------------------------------------------------------------------ output


TEMPERATURE = VARIABLES["temperature"]


def of(*values: float) -> npt.NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


@pytest.mark.parametrize("value", [NAN, float("inf"), -float("inf"), 61.0, -81.0])
def test_one_value_that_cannot_be_makes_the_output_invalid(value: float) -> None:
    sound, broken = of(1, 2, 3), of(1, value, 3)
    for prediction, what in (
        (Prediction(broken), "temperature"),
        (Prediction(sound, broken, sound), "the lower bound of temperature"),
        (Prediction(sound, sound, broken), "the upper bound of temperature"),
    ):
        refusal = check_output(output(), prediction, TEMPERATURE)
        assert refusal is not None
        assert refusal.code is Code.INVALID_OUTPUT
        assert f"{what} that is no number" in refusal.reason or f"{what} from" in refusal.reason


def test_a_band_that_is_upside_down_at_one_step_makes_the_output_invalid() -> None:
    sound = Prediction(of(2, 2, 2), of(1, 1, 1), of(3, 1, 3))
    assert check_output(output(), sound, TEMPERATURE) is None  # touching is no crossing
    refusal = check_output(
        output(), Prediction(of(2, 2, 2), of(1, 1, 1), of(3, 0.5, 3)), TEMPERATURE
    )
    assert refusal is not None
    assert refusal.code is Code.INVALID_OUTPUT
    assert "at step 2 the lower bound is 1 degC, the upper one 0.5" in refusal.reason


def test_every_variable_is_looked_at() -> None:
    both = read_metadata(json.dumps(metadata_document(variables=("temperature", "humidity"))))
    fine = {"temperature": Prediction(of(1)), "humidity": Prediction(of(50))}
    assert check_predictions(both, fine) is None
    refusal = check_predictions(both, fine | {"humidity": Prediction(of(101))})
    assert refusal is not None
    assert "humidity from 101 to 101 %, possible is 0 to 100" in refusal.reason


def test_the_limits_themselves_are_possible() -> None:
    assert check_output(output(), Prediction(of(-80, 0, 60)), TEMPERATURE) is None


def test_of_an_unknown_variable_only_numbers_are_asked() -> None:
    moonlight = output("moonlight", "lx")
    assert check_output(moonlight, Prediction(of(0, 1e9)), None) is None
    assert check_output(moonlight, Prediction(of(NAN)), None) is not None
