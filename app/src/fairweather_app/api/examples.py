"""Examples of requests and answers, as the OpenAPI document shows them.

Each is built of the model that the code uses, so that it cannot say what the code would not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from fairweather_interface.software import Runtime, SchemaRange, Software
from pydantic import BaseModel

from fairweather_app.api.problems import CODES
from fairweather_app.api.schemas import (
    Areas,
    AreaSummary,
    Forecast,
    ForecastSeries,
    Health,
    LiveScoreSummary,
    ModelDetail,
    Models,
    ModelSummary,
    PinSummary,
    PredictRequest,
    Problem,
    Readiness,
    Receipt,
    RefusedDelivery,
    StoreReport,
    VariableForecast,
    count_refusals,
)

DELIVERY_ID = "2b0f1f6e-6b0c-4f0e-9d61-3f1f7d6a3c11"
_OTHER_ID = "5ddd8ae1-30ab-4427-baec-efcbb1c829ee"
_DIGEST = "sha256:" + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_START = datetime(2013, 12, 20, tzinfo=UTC)
_TRAINED = datetime(2013, 11, 30, 23, tzinfo=UTC)
_LOOKED = datetime(2013, 12, 20, 0, 0, 7, tzinfo=UTC)

_REFUSED = RefusedDelivery(
    delivery_id=_OTHER_ID,
    model_type="SummerHumidityPredictor",
    code="out-of-season",
    reason="it may be asked for June, July and August, and not for December",
)
_STORE = StoreReport(checked_at=_LOOKED, problem=None)

FORECAST = Forecast(
    area="JFK",
    reference_time=_START,
    timezone="America/New_York",
    forecast=ForecastSeries.model_validate(
        {
            "time": [_START + timedelta(hours=k) for k in (1, 2, 3)],
            "temperature": VariableForecast(
                unit="degC",
                value=[4.1, 3.9, 3.8],
                lower=[2.2, 1.9, 1.7],
                upper=[6.3, 6.2, 6.1],
                interval=(0.1, 0.9),
            ),
            "humidity": VariableForecast(unit="%", value=[61.0, 62.5, 63.25]),
        }
    ),
    receipt=Receipt(
        delivery_id=DELIVERY_ID,
        digest=_DIGEST,
        model_type="WinterPredictor",
        schema_version="0.3",
        topic="The week ahead in New York",
        author="The coast team",
        train_end_time=_TRAINED,
        runtime="onnxruntime 1.32.0",
        skill={"temperature": 0.24, "humidity": None},
        synthetic=False,
        refused=[_REFUSED],
        refused_counts=count_refusals([_REFUSED]),
    ),
)

_SUMMARY = ModelSummary(
    delivery_id=DELIVERY_ID,
    state="live",
    code=None,
    reason=None,
    digest=_DIGEST,
    schema_version="0.3",
    model_type="WinterPredictor",
    topic="The week ahead in New York",
    author="The coast team",
    areas=["EWR", "JFK"],
    variables=["temperature", "humidity"],
    valid_months=[1, 2, 3, 10, 11, 12],
    capabilities=["uncertainty"],
    train_end_time=_TRAINED,
    synthetic=False,
    runtime="onnxruntime 1.32.0",
    unknown_fields=[],
)

ANSWERS: dict[type[BaseModel], BaseModel] = {
    Forecast: FORECAST,
    Areas: Areas(
        areas=[
            AreaSummary(
                area="JFK",
                latitude=40.6413,
                longitude=-73.7781,
                timezone="America/New_York",
                models=1,
                variables=["humidity", "temperature"],
                latest_observation=_START,
            )
        ]
    ),
    Software: Software(
        name="fairweather-app",
        version="0.4.0",
        readable_schemas=SchemaRange(oldest="0.1", newest="0.3"),
        runtimes=(
            Runtime(
                format="onnx",
                name="onnxruntime",
                version="1.32.0",
                max_opset=25,
                max_ir_version=12,
            ),
        ),
        roles=("observations", "reference_time", "area_index"),
        variables={"temperature": "degC", "humidity": "%"},
        longest_period=timedelta(days=366),
        shortest_sample_rate=timedelta(minutes=1),
    ),
    Models: Models(
        store=_STORE,
        pins=[PinSummary(area="JFK", delivery_id=DELIVERY_ID, problem=None)],
        models=[_SUMMARY],
        total=340,
        next=f"/models?limit=1&after={DELIVERY_ID}",
    ),
    ModelDetail: ModelDetail(
        **_SUMMARY.model_dump(),
        shadow=False,
        live_scores=[
            LiveScoreSummary(
                area="JFK", variable="temperature", lead_day=1, count=240, mae=1.9, bias=-0.2
            )
        ],
        card=f"/models/{DELIVERY_ID}/card/",
        metadata={"schema_version": "0.3", "delivery_id": DELIVERY_ID},
    ),
    Health: Health(),
    Readiness: Readiness(live=12, store=_STORE),
}
"""An example of each answer, by its model."""

REQUESTS = {
    "from the app's own observations": PredictRequest(area="JFK", variables=["temperature"]),
    "from a start in the past": PredictRequest(area="JFK", reference_time=_START),
    "from observations": PredictRequest(
        area="JFK",
        reference_time=_START,
        observations={"temperature": [3.9, None, 4.4], "humidity": [60.0, 61.5, None]},
    ),
}
"""Bodies of ``POST /weather/predict``; windows are as long as the model declares, here cut."""

_REFUSES: dict[str, Sequence[RefusedDelivery]] = {
    "no-applicable-model": [_REFUSED],
    "observations-missing": [
        RefusedDelivery(
            delivery_id=DELIVERY_ID,
            model_type="WinterPredictor",
            code="observations-missing",
            reason="temperature of JFK lacks 168 of 720 values",
        )
    ],
}
_DETAILS = {
    "unknown-area": "nobody knows the area 'Atlantis'; the areas there are: EWR, JFK",
    "unknown-delivery": f"no delivery '{_OTHER_ID}' is known; /models lists those that are",
    "no-applicable-model": "no model may answer for JFK; refused: 1 with out-of-season",
    "observations-missing": "observations for JFK are missing: temperature of JFK lacks 168 of "
    "720 values",
    "observations-unavailable": "the observation database cannot be used at the moment; the "
    "operator's log says why",
    "invalid-request": "area: Field required",
    "not-ready": "the store has not been looked at yet",
}


def problem_example(code: str, status: int) -> Problem:
    """A problem as it is answered with one of its statuses."""
    refused = _REFUSES.get(code)
    return Problem(
        type=f"/problems/{code}",
        title=CODES[code],
        status=status,
        detail=_DETAILS.get(code, HTTPStatus(status).description or CODES[code]),
        problems=[_DETAILS[code]] if code == "invalid-request" else None,
        areas=["EWR", "JFK"] if code == "unknown-area" else None,
        refused=None if refused is None else list(refused),
        refused_counts=None if refused is None else count_refusals(refused),
    )


def written(example: BaseModel) -> Any:  # noqa: ANN401 - any JSON
    """An example as it goes over the wire."""
    return example.model_dump(mode="json", exclude_unset=isinstance(example, PredictRequest))
