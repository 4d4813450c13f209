"""What goes over the wire: every request and answer of the HTTP interface, as pydantic models.

Requests are validated in pydantic's JSON mode, answers are built from values that are already
valid, and the OpenAPI document is made of both. Times are aware, in UTC, and written with ``Z``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from fairweather_interface.names import LONGEST_NAME, parse_name
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from fairweather_app.catalogue.entries import State
from fairweather_app.common.times import parse_time
from fairweather_app.forecasting.areas import AreaSummary
from fairweather_app.forecasting.pins import PinSummary
from fairweather_app.refusals import MOST_REFUSALS, RefusedDelivery
from fairweather_app.rollout.evidence import Comparison
from fairweather_app.text import MOST_NAMED


def _optional(description: str | None = None) -> Any:  # noqa: ANN401 - the default of any field
    """Return a field that is left out while it is None."""
    return Field(default=None, exclude_if=lambda value: value is None, description=description)


WHOLE_SECONDS = r"^(19|20|21)\d\d-[^.]+(\.0+)?(Z|[+-]\d\d:\d\d)$"
"""What `parse_time` takes, of the times of RFC 3339, for those who read JSON Schema."""

RequestTime = Annotated[
    AwareDatetime,
    BeforeValidator(parse_time),
    Field(strict=False),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": WHOLE_SECONDS}),
]


class _Response(BaseModel):
    """The body of a response: frozen once built."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="null",
        json_schema_mode_override="serialization",
    )


NAME = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0\xad][^\x00-\x1f\x7f-\x9f]*$"
"""What `parse_name` takes, for those who read JSON Schema, as far as Latin-1 goes."""

Name = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_NAME, json_schema_extra={"pattern": NAME}),
    AfterValidator(parse_name),
]


MOST_AREAS = 100
MOST_VARIABLES = 50
MOST_INPUTS = 200


class PredictRequest(BaseModel):
    """The body of ``POST /weather/predict``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    area: Name = Field(description="The area the forecast is for.")
    variables: list[Name] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_VARIABLES,
        description="What is wanted; everything there is, if absent.",
    )
    reference_time: RequestTime | None = Field(
        default=None,
        description="When the forecast starts, on a whole second with its zone, from 1900 to 2200; "
        "the app's clock tells, if absent.",
    )
    observations: dict[str, list[float | None]] | None = Field(
        default=None,
        max_length=MOST_INPUTS,
        description="Windows keyed by input name, oldest first, null where missing. "
        "An input that is not here is read from the app's own observations.",
    )


class LargePredictRequest(PredictRequest):
    """The same, of a body so large that the first wrong value of each window is enough."""

    observations: dict[str, Annotated[list[float | None], Field(fail_fast=True)]] | None = Field(
        default=None, max_length=MOST_INPUTS
    )


class Problem(_Response):
    """An RFC 9457 problem: every answer that is not a success."""

    type: str = Field(description="/problems/<code>")
    title: str = Field(description="The code in words.")
    status: int = Field(description="The HTTP status once more.")
    detail: str = Field(description="What is wrong with this request, in a sentence for people.")
    problems: list[str] | None = _optional(
        f"invalid-request: everything that is wrong with it; from {MOST_NAMED} on it is counted."
    )
    areas: list[str] | None = _optional(
        f"unknown-area: the areas there are, at most {MOST_AREAS}; /areas lists all."
    )
    refused: list[RefusedDelivery] | None = _optional(
        "no-applicable-model, observations-missing, observations-stale: who refuses, at most 20."
    )
    refused_counts: dict[str, int] | None = _optional("How many refuse with each code, of all.")


class VariableForecast(_Response):
    """The forecast of one variable, one value for each time of the series."""

    unit: str = Field(description="A UDUNITS string, such as degC.")
    value: list[float | None] = Field(
        description="null at a time of the series for which this variable has no step."
    )
    lower: list[float | None] | None = _optional(
        "Lower bounds, shaped like value; only where the model can tell its "
        "uncertainty. Then upper and interval are there too."
    )
    upper: list[float | None] | None = _optional()
    interval: tuple[float, float] | None = _optional(
        "The probabilities that a value comes out below lower and below upper, such "
        "as [0.1, 0.9]: four of five are expected between the two."
    )


class ForecastSeries(_Response):
    """Valid times, and beside them one `VariableForecast` for each variable, by its name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, VariableForecast]

    time: list[AwareDatetime]

    @property
    def variables(self) -> Mapping[str, VariableForecast]:
        """The forecasts by variable, in the order in which the model declares them."""
        return self.__pydantic_extra__


class ReceiptInput(_Response):
    """What an input of the model was supplied with."""

    variable: str
    observed_until: AwareDatetime | None = Field(
        description="The time of the newest sample with a value in its window; null without any. A "
        "sample is the mean over the sample rate up to its time."
    )
    age: timedelta | None = Field(
        description="How far observed_until lies before the reference time: whole samples, as an "
        "ISO 8601 duration such as PT2H; null without any."
    )
    missing: float = Field(ge=0, le=1, description="The share of its window without a value.")


_SIGNED_BY = (
    "The names of the operator's keys that vouch for the delivery, empty where none does; null "
    "where none are asked."
)


class Receipt(_Response):
    """Which delivery answered, what it is, from what, and who was refused."""

    delivery_id: str
    digest: str = Field(description="sha256:<hex> of the delivery's manifest.")
    model_type: str
    schema_version: str
    topic: str
    author: str
    train_end_time: AwareDatetime
    runtime: str = Field(description="What ran the model, such as 'onnxruntime 1.32.0'.")
    skill: dict[str, float | None] = Field(
        description="By variable: held-out skill for this area; null where none is stated."
    )
    synthetic: bool = Field(description="True when trained on generated, not observed, values.")
    signed_by: list[str] | None = Field(description=_SIGNED_BY)
    trial: bool | None = _optional(
        "True when the delivery was not promoted for this area, or was held back there: it answers "
        "as a canary, or because no other delivery does. Else it is not there."
    )
    inputs: dict[str, ReceiptInput] = Field(
        description="By name of the model's inputs: how old and how whole the observations were."
    )
    refused: list[RefusedDelivery] = Field(max_length=MOST_REFUSALS)
    refused_counts: dict[str, int]


class Forecast(_Response):
    """The answer of ``/weather/predict``."""

    area: str
    reference_time: AwareDatetime
    timezone: str = Field(description="IANA zone of the area, for showing local time.")
    forecast: ForecastSeries
    receipt: Receipt


class Areas(_Response):
    """The answer of ``/areas``."""

    areas: list[AreaSummary]


MOST_LISTED = 1000
"""A page of ``/models`` lists at most so many deliveries, and so many if nobody says."""


class ModelsQuery(BaseModel):
    """What may be asked of ``/models``: which deliveries, and which page of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: State | None = Field(default=None, description="Only those.")
    area: Name | None = Field(default=None, description="Only those that declare this area.")
    q: Name | None = Field(
        default=None,
        description="Only those with all these words in their id, model type, topic, author, "
        "areas, variables, state, code or reason.",
    )
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = Field(
        default=MOST_LISTED, description="How many to list."
    )
    after: Name | None = Field(
        default=None, description="The id of the last delivery of the page before."
    )


class RolloutState(_Response):
    """What became of a delivery in an area, under a rollout by evidence."""

    area: str
    state: Literal["incumbent", "alone", "trial", "promoted", "held", "demoted"]
    time: AwareDatetime = Field(description="Since when.")
    reason: str = Field(description="Why, with the figures that decided.")
    incumbent: str | None = Field(description="Which delivery it was compared with; else null.")


class ModelSummary(_Response):
    """One delivery as the catalogue sees it; fields are null while metadata cannot be read."""

    delivery_id: str
    state: State
    code: str | None = Field(description="Why it is not live; null when it is.")
    reason: str | None
    digest: str | None
    schema_version: str | None
    model_type: str | None
    topic: str | None
    author: str | None
    areas: list[str]
    variables: list[str]
    valid_months: list[int] = Field(
        description="The local months, 1 to 12, of the starts that it may be asked for."
    )
    capabilities: list[str] = Field(
        description="What it can beyond a plain forecast. uncertainty: lower and upper bounds "
        "of at least one variable."
    )
    train_end_time: AwareDatetime | None
    synthetic: bool | None
    runtime: str | None
    signed_by: list[str] | None = Field(description=_SIGNED_BY)
    trust_problem: str | None = Field(
        description="Why none of the operator's keys vouches for it, also where it is served all "
        "the same; null where one does, or none are asked."
    )
    unknown_fields: list[str] = Field(description="Fields of a newer schema, kept and not used.")
    rollout: list[RolloutState] = Field(
        description="By area, what became of it under a rollout by evidence: trial, promoted, "
        "held, demoted, or alone where no other answered. Empty where it answers by rank, as "
        "one that was live before."
    )


class StoreReport(_Response):
    """How the last look at the store went."""

    checked_at: AwareDatetime | None = Field(description="null before the first look.")
    problem: str | None = Field(description="Why what is live was kept as it was; else null.")


class Models(_Response):
    """The answer of ``/models``."""

    store: StoreReport
    pins: list[PinSummary]
    models: list[ModelSummary] = Field(description="By delivery id.")
    total: int | None = _optional(
        "How many deliveries match; only where this page does not hold all of them."
    )
    next: str | None = _optional("The address of the next page; only where there is one.")


class LiveScoreSummary(_Response):
    """How past forecasts of a delivery did, for one area and variable on one lead day."""

    area: str
    variable: str
    lead_day: int = Field(description="1 is the first 24 hours.")
    count: int = Field(description="How many forecast values could be held against what came.")
    mae: float = Field(description="Mean absolute error, in the variable's unit.")
    bias: float = Field(description="Mean of forecast minus observed, in the variable's unit.")


class ModelDetail(ModelSummary):
    """The answer of ``/models/<delivery_id>``."""

    shadow: bool = Field(
        description="It predicts beside the one that answers, and never answers itself."
    )
    live_scores: list[LiveScoreSummary] | None = Field(
        description="What the app answered, held against what came; null while the observation "
        "database cannot be used."
    )
    lived_skill: list[Comparison] = Field(
        description="Its past forecasts beside those of other live deliveries, on lead day 1."
    )
    card: str | None = Field(description="Address of the model card, when there is one.")
    metadata: dict[str, Any] | None = Field(
        description="What it declares, unknown fields included."
    )


class Health(_Response):
    """The answer of ``/healthz``: the process is up."""

    status: Literal["ok"] = "ok"


class Readiness(_Response):
    """The answer of ``/readyz`` when at least one verified delivery is loaded."""

    status: Literal["ready", "degraded"] = Field(
        description="degraded while the store has a problem: what is live may be out of date."
    )
    live: int
    store: StoreReport
    look_age_seconds: float | None = Field(
        description="Since the last look at the store; null before the first."
    )
