"""What only a runtime that leaves much open, or fails, brings to light."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fairweather_interface.delivery import open_delivery
from fairweather_interface.metadata import read_metadata
from fairweather_interface.refusals import Code
from fairweather_interface.testing import metadata_document

import onnx_models as write
from fairweather_app.errors import LoadError, PredictionError
from fairweather_app.models_backend import OnnxBackend
from fairweather_app.models_backend.acceptance import (
    accept,
    check_roles,
    check_signature,
    check_times,
)
from fairweather_app.models_backend.runtime_model import Arrays, RuntimeModel, Signature, Tensor

Build = Callable[..., Path]


class StandInSession:
    """Hands its input on after `change`, and does not know the shape of what comes out."""

    runtime = "stand-in 1.0"

    def __init__(self, change: Callable[[Any], Any], **inputs: Tensor) -> None:
        self._change = change
        self.signature = Signature(
            inputs={"temperature": Tensor("float32", (None, 24)), **inputs},
            outputs={"temperature_forecast": Tensor("float32", None)},
        )

    def run(self, feeds: Mapping[str, Any], outputs: Sequence[str]) -> Arrays:
        return {name: self._change(feeds["temperature"]) for name in outputs}


MADE = "2014-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("learned", "made", "now", "good"),
    [
        ("2013-12-31T00:00:00Z", MADE, "2014-01-01T00:00:00Z", True),
        ("2014-01-01T01:00:00Z", MADE, "2013-12-31T23:00:00Z", True),
        ("2014-01-01T01:00:01Z", MADE, "2015-01-01T00:00:00Z", False),
        ("2013-12-31T00:00:00Z", MADE, "2013-12-31T22:59:59Z", False),
        ("9999-12-31T23:59:59.999999Z", MADE, "2015-01-01T00:00:00Z", False),
        ("2013-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2015-01-01T00:00:00Z", False),
    ],
)
def test_what_is_learned_is_learned_before_it_is_made_and_made_before_now(
    learned: str, made: str, now: str, *, good: bool
) -> None:
    document = metadata_document(schema="0.4", created_at=made)
    document["training"]["train_end_time"] = learned
    metadata = read_metadata(json.dumps(document).encode())
    if good:
        check_times(metadata, datetime.fromisoformat(now))
        return
    with pytest.raises(LoadError, match=r"as train_end_time and .* as created_at") as caught:
        check_times(metadata, datetime.fromisoformat(now))
    assert caught.value.code is Code.CORRUPT


def model_of(path: Path, session: StandInSession) -> RuntimeModel:
    return RuntimeModel(delivery=open_delivery(path), session=session)


def test_a_runtime_may_leave_the_shape_of_an_output_open(tiny_delivery: Build) -> None:
    accept(model_of(tiny_delivery(), StandInSession(lambda values: values)))


def test_an_output_of_another_shape_is_found_by_the_examples(tiny_delivery: Build) -> None:
    model = model_of(tiny_delivery(), StandInSession(lambda values: values[:, :5]))
    with pytest.raises(LoadError, match=r"as float32 \(8, 5\), expected float32 \(8, 24\)"):
        accept(model)


def test_a_difference_within_the_tolerance_is_none_and_beyond_it_is_told(
    tiny_delivery: Build,
) -> None:
    path = tiny_delivery()
    accept(model_of(path, StandInSession(lambda values: values * np.float32(1.0001))))
    with pytest.raises(LoadError, match="example 1 came out differently") as caught:
        accept(model_of(path, StandInSession(lambda values: values * np.float32(1.01))))
    assert caught.value.code is Code.CORRUPT


def test_an_artifact_that_cannot_run_its_own_examples_is_corrupt(tiny_delivery: Build) -> None:
    def fail(_values: object) -> None:
        raise PredictionError("stand-in failed: no such kernel")

    with pytest.raises(LoadError, match="the examples cannot be run: stand-in failed") as caught:
        accept(model_of(tiny_delivery(), StandInSession(fail)))
    assert caught.value.code is Code.CORRUPT


def test_all_differences_of_a_signature_are_told_at_once(tiny_delivery: Build) -> None:
    session = StandInSession(lambda values: values, extra=Tensor("int64", (None,)))
    session.signature = Signature(inputs=session.signature.inputs, outputs={})
    with pytest.raises(LoadError) as caught:
        check_signature(model_of(tiny_delivery(), session))
    assert "input 'extra' is not in the metadata" in str(caught.value)
    assert "output 'temperature_forecast' is not in the artifact" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dtype": "float64"}, "is float64 [-1]; this release feeds int64 [-1]"),
        ({"shape": [-1, 1]}, "is int64 [-1, 1]; this release feeds int64 [-1]"),
        ({"role": "elevation"}, "has the role 'elevation'; this release feeds observations"),
    ],
)
def test_an_input_that_this_release_cannot_feed_is_refused(
    changes: dict[str, object], told: str
) -> None:
    document = metadata_document(context=True)
    document["inputs"][1] |= changes
    with pytest.raises(LoadError) as caught:
        check_roles(read_metadata(json.dumps(document)))
    assert told in str(caught.value)
    assert caught.value.code is Code.RUNTIME_UNAVAILABLE


# --------------------------------------------------------------------- one row, and every answer


def test_a_model_that_is_right_in_a_batch_alone_is_refused(tiny_delivery: Build) -> None:
    def off_when_alone(values: Any) -> Any:
        return values if len(values) > 1 else values + np.float32(1)

    model = model_of(tiny_delivery(), StandInSession(off_when_alone))
    with pytest.raises(LoadError, match="run alone, example 1 came out differently") as caught:
        accept(model)
    assert caught.value.code is Code.CORRUPT


def test_a_model_of_one_length_for_a_batch_and_another_for_a_row_is_refused(
    tiny_delivery: Build,
) -> None:
    path = tiny_delivery(model=write.short_when_alone())
    model = OnnxBackend({path.name: open_delivery(path)}.__getitem__).load_by_id(path.name)
    with pytest.raises(LoadError, match=r"float32 \(1, 5\), expected float32 \(1, 24\)"):
        accept(model)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda values: values[:, :5], r"float32 \(1, 5\), expected float32 \(1, 24\)"),
        (lambda values: values[:0], r"float32 \(0, 24\), expected"),
        (lambda values: values[0], r"float32 \(24,\), expected"),
        (lambda values: values.reshape(1, 2, 12), r"float32 \(1, 2, 12\), expected"),
        (lambda values: np.repeat(values, 2, axis=0), r"float32 \(2, 24\), expected"),
        (lambda values: values.astype(np.float64), r"float64 \(1, 24\), expected"),
        (lambda values: values.astype(object), r"object \(1, 24\), expected"),
        (lambda _values: None, r"object \(\), expected"),
        (lambda _values: [[1.0], [1.0, 2.0]], "stand-in 1.0 failed: ValueError: "),
        (lambda values: values / {}, "stand-in 1.0 failed: TypeError: "),
        (lambda values: values[99], "stand-in 1.0 failed: IndexError: "),
    ],
)
def test_every_answer_is_of_the_declared_type_and_shape_or_a_refusal(
    tiny_delivery: Build, change: Callable[[Any], Any], told: str
) -> None:
    model = model_of(tiny_delivery(), StandInSession(change))
    feeds = {"temperature": np.ones((1, 24), np.float32)}
    with pytest.raises(PredictionError, match=told) as caught:
        model.run(feeds, ["temperature_forecast"])
    assert caught.value.code is Code.INVALID_OUTPUT


def test_an_answer_may_be_a_view_of_something_larger(tiny_delivery: Build) -> None:
    model = model_of(tiny_delivery(), StandInSession(lambda values: values[:, ::-1]))
    feeds = {"temperature": np.arange(24, dtype=np.float32)[np.newaxis]}
    found = model.run(feeds, ["temperature_forecast"])
    assert found["temperature_forecast"][0, 0] == 23


def test_an_output_that_is_missing_is_a_refusal(tiny_delivery: Build) -> None:
    session = StandInSession(lambda values: values)
    session.run = lambda *_: {}  # type: ignore[method-assign]
    with pytest.raises(PredictionError, match="failed: KeyError: 'temperature_forecast'"):
        model_of(tiny_delivery(), session).run(
            {"temperature": np.ones(1)}, ["temperature_forecast"]
        )


# ------------------------------------------------------------------------------------ tolerance


@pytest.mark.parametrize(
    ("variable", "tolerance", "most"),
    [
        ("temperature", {"absolute": 1.5, "relative": 0.0}, "1.4"),
        ("temperature", {"absolute": 0.0, "relative": 0.02}, "1.4"),  # of 80 degrees
        ("humidity", {"absolute": 0.9, "relative": 0.01}, "1"),
    ],
)
def test_a_tolerance_that_proves_nothing_is_refused(
    tiny_delivery: Build, variable: str, tolerance: dict[str, float], most: str
) -> None:
    def loosen(document: dict[str, Any]) -> None:
        document["tolerance"][f"{variable}_forecast"] = tolerance

    path = tiny_delivery(schema="0.4", variables=(variable,), change=loosen)
    model = OnnxBackend({path.name: open_delivery(path)}.__getitem__).load_by_id(path.name)
    told = f"the tolerance of '{variable}_forecast' is .*, expected at most {most}: 1% of what"
    with pytest.raises(LoadError, match=told) as caught:
        accept(model)
    assert caught.value.code is Code.CORRUPT


def test_a_tolerance_of_a_hundredth_of_the_range_is_fine(tiny_delivery: Build) -> None:
    def loosen(document: dict[str, Any]) -> None:
        document["tolerance"]["temperature_forecast"] = {"absolute": 1.4, "relative": 0.0}

    accept(model_of(tiny_delivery(change=loosen), StandInSession(lambda values: values + 1)))


def test_a_variable_without_limits_ranges_over_its_examples(tiny_delivery: Build) -> None:
    def invent(document: dict[str, Any]) -> None:
        document["outputs"][0] |= {"variable": "leak", "unit": "1"}
        document["performance"] = []
        document["tolerance"]["temperature_forecast"]["absolute"] = 1e6

    model = model_of(tiny_delivery(change=invent), StandInSession(lambda values: values))
    with pytest.raises(LoadError, match=r"is 1e\+06 1, expected at most 0\.0\d+: 1% of what leak"):
        accept(model)
