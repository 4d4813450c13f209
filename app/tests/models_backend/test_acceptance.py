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

from fairweather_app.errors import LoadError, PredictionError
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
    document = metadata_document(created_at=made)
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
