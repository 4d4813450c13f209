from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from fairweather_interface.metadata import ModelMetadata, read_metadata
from fairweather_interface.testing import metadata_document

from fairweather_app.models_backend.capabilities import UNCERTAINTY, band_of, can, names_of
from fairweather_app.models_backend.software import NEWEST_SCHEMA
from schemas import NEXT


def metadata(
    quantiles: Sequence[float] = (), schema: str = NEWEST_SCHEMA, **changes: object
) -> ModelMetadata:
    both = ("temperature", "humidity")
    document = metadata_document(schema=schema, variables=both, quantiles=quantiles)
    return read_metadata(json.dumps(document | changes))


@pytest.mark.parametrize(
    ("quantiles", "bounds"),
    [
        ((), None),
        ((0.1, 0.9), (0.1, 0.9)),
        ((0.9, 0.5, 0.1), (0.1, 0.9)),
        ((0.25, 0.05, 0.6, 0.9), (0.05, 0.9)),
        ((0.5,), None),
        ((0.1,), None),
        ((0.1, 0.2, 0.5), None),
        ((0.5, 0.9), None),
    ],
)
def test_uncertainty_takes_a_quantile_on_either_side_of_the_median_and_the_outermost_count(
    quantiles: Sequence[float], bounds: tuple[float, float] | None
) -> None:
    declared = metadata(quantiles)
    band = band_of(declared, declared.outputs[0])
    assert (band and tuple(each.probability for each in band)) == bounds
    assert can(declared, UNCERTAINTY) == (bounds is not None)
    assert names_of(declared) == (["uncertainty"] if bounds else [])


def test_a_capability_is_asked_of_a_variable_where_that_matters() -> None:
    whole = metadata((0.1, 0.9)).model_dump(mode="json")["uncertainty"]
    of_humidity = metadata((0.1, 0.9), uncertainty=whole[2:])
    assert can(of_humidity, UNCERTAINTY)
    assert can(of_humidity, UNCERTAINTY, "humidity")
    assert not can(of_humidity, UNCERTAINTY, "temperature")
    assert not can(of_humidity, UNCERTAINTY, "moonlight")


@pytest.mark.parametrize(
    ("written", "said"), [("0.3", "0.3"), ("0.4", "0.10"), (NEWEST_SCHEMA, NEXT)]
)
def test_what_a_model_can_follows_from_what_it_says_and_from_no_version(
    written: str, said: str
) -> None:
    assert names_of(metadata((0.1, 0.9), written, schema_version=said)) == ["uncertainty"]
    assert names_of(metadata((), written, schema_version=said)) == []
