"""What this release can supply: pickup, the release check and the contract's check are one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.refusals import Code
from fairweather_interface.verdict import check

from answers import refused_with
from catalogues import Ingest
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.release_check import find_regression
from fairweather_app.models_backend.software import describe_software

Build = Callable[..., Path]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"variable": "load", "unit": "MW"}, "needs load, supplied are temperature"),
        ({"period": "PT12M", "sample_rate": "PT30S"}, "needs a sample every 30 seconds"),
        ({"period": "P480D", "sample_rate": "P20D"}, "needs 480 days, the longest window"),
    ],
)
def test_what_no_observation_can_supply_is_refused_alike(
    ingest: Ingest,
    tiny_delivery: Build,
    context: AppContext,
    changes: dict[str, Any],
    reason: str,
) -> None:
    def rewrite(document: dict[str, Any]) -> None:
        document["inputs"][0] |= changes

    found = ingest(tiny_delivery(change=rewrite))
    refused_with(found, "refused", Code.OBSERVATIONS_MISSING, reason)
    assert found.delivery is not None
    software = describe_software(context.catalogue.backends)
    (refusal,) = check(found.delivery.metadata, software).refusals
    regression = find_regression(found)
    assert regression is not None
    for each in (found.entry, regression):
        assert (each.code, each.reason) == (refusal.code, refusal.reason)


def test_a_variable_that_the_delivery_declares_is_supplied(
    ingest: Ingest, tiny_delivery: Build, context: AppContext
) -> None:
    row = {"unit": "MW", "minimum": 0.0, "maximum": 5000.0}
    found = ingest(tiny_delivery(variables=("load",), declared_variables={"load": row}))
    assert found.entry.state == "live"
    assert found.delivery is not None
    software = describe_software(context.catalogue.backends)
    assert check(found.delivery.metadata, software).serves
    assert find_regression(found) is None
