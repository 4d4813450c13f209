"""Writing: from a decision to its answer, written once and as fast as it can be.

The bytes are what `api.schemas.Forecast` would write: every answer validates as one, with times in
UTC and ``Z``, and numbers as the shortest decimals that read back as the model's own float32 (a
float32 widened to a float shows digits that the model never had: 21.3 as 21.299999237060547).
What does not depend on the request is made once for each model, area and choice of variables.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import orjson
from fairweather_interface.metadata import Output

from fairweather_app.api.schemas import Forecast, Receipt
from fairweather_app.common import request_trace
from fairweather_app.common.times import MICROSECOND
from fairweather_app.forecasting.answers import Answer, KeptAnswer
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecast_request import ForecastRequest
from fairweather_app.forecasting.forecasts import Decision, decide
from fairweather_app.models_backend.runtime_model import RuntimeModel, Values

OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
OF_THE_REQUEST = {"refused", "refused_counts"}
FRAMES_KEPT = 1000

Times = npt.NDArray[np.datetime64]
Axis = tuple[timedelta, int]
"""The step of an output, and how many steps it has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What every answer of one model, for one area and choice of variables, has in common."""

    outputs: tuple[Output, ...]
    axes: frozenset[Axis]
    timezone: str
    receipt: dict[str, orjson.Fragment]


_frames: WeakKeyDictionary[RuntimeModel, dict[tuple[str, tuple[str, ...] | None], Frame]] = (
    WeakKeyDictionary()
)
"""By model, while it is in use: by area and wanted variables."""


def answer(app_context: AppContext, request: ForecastRequest) -> Answer:
    """Forecast with the best model that declares itself fit, whatever was asked before.

    Raises:
        AppError: as `decide` does.
    """
    return make_answer(decide(app_context, request))


def ready_answer(app_context: AppContext, request: ForecastRequest) -> Answer:
    """Forecast from the app's own observations, or give the answer that is still true.

    An answer is true until the contents of the catalogue change or an observation arrives; what
    led to it must repeat. The memo is looked into after both were asked for, so nothing is ever
    answered that was not true when the request came.

    Raises:
        AppError: as `decide` does.
    """
    contents, revision = app_context.catalogue.snapshot.contents, app_context.ready.revision()
    if request.reference_time is None and app_context.settings.clock == "now":
        # else it follows from the observations
        request = replace(request, reference_time=app_context.clock(request.area))
    kept = app_context.answers.get(request)
    if kept is not None and kept.contents is contents and kept.revision == revision:
        done = request_trace.current()
        done.area, done.memo, done.delivery_id = request.area, "hit", kept.delivery_id
        return kept.answer
    decision = decide(app_context, request, remember=True)
    made = make_answer(decision)
    model = decision.model
    if decision.repeatable:
        kept = KeptAnswer(
            answer=made, delivery_id=model.delivery_id, contents=contents, revision=revision
        )
        app_context.answers.put(request, kept)
    app_context.live.answered(model, request.area, decision.reference_time, decision.predictions)
    return made


def forecast(app_context: AppContext, request: ForecastRequest) -> Forecast:
    """The answer, read as its schema says: `ready_answer` unless observations are given.

    Raises:
        AppError: as `decide` does.
    """
    make = ready_answer if request.observations is None else answer
    return Forecast.model_validate_json(make(app_context, request).body)


def make_answer(decision: Decision) -> Answer:
    """Write a decision down."""
    area = decision.request.area
    frame = _frame(decision.model, area, decision.request.variables)
    return Answer(
        orjson.dumps(
            {
                "area": area,
                "reference_time": _naive(decision.reference_time),
                "timezone": frame.timezone,
                "forecast": _series(frame, decision),
                "receipt": frame.receipt | decision.refused.told,
            },
            option=OPTIONS,
        )
    )


def _frame(model: RuntimeModel, area: str, variables: tuple[str, ...] | None) -> Frame:
    frames = _frames.setdefault(model, {})
    frame = frames.get((area, variables))
    if frame is None:
        outputs = tuple(
            each
            for each in model.metadata.outputs
            if variables is None or each.variable in variables
        )
        frame = _make_frame(model, area, outputs)
        if len(frames) >= FRAMES_KEPT:  # whoever asks chooses the key
            frames.clear()
        frames[area, variables] = frame
    return frame


def _make_frame(model: RuntimeModel, area: str, outputs: tuple[Output, ...]) -> Frame:
    metadata = model.metadata
    receipt = Receipt(
        delivery_id=model.delivery_id,
        digest=model.delivery.digest,
        model_type=metadata.model_type,
        schema_version=metadata.schema_version,
        topic=metadata.topic,
        author=metadata.author,
        train_end_time=metadata.training.train_end_time,
        runtime=model.session.runtime,
        skill={each.variable: model.skill(area, each.variable) for each in outputs},
        synthetic=metadata.training.synthetic,
        refused=[],
        refused_counts={},
    )
    return Frame(
        outputs=outputs,
        axes=frozenset((each.step, each.shape[-1]) for each in outputs),
        timezone=metadata.areas[area].timezone,
        receipt={
            name: orjson.Fragment(orjson.dumps(value))
            for name, value in receipt.model_dump(mode="json", exclude=OF_THE_REQUEST).items()
        },
    )


def _series(frame: Frame, decision: Decision) -> dict[str, Any]:
    """Put outputs on one time axis; where steps differ, a variable has null between its own."""
    start = _naive(decision.reference_time)
    if len(frame.axes) == 1:
        (axis,) = frame.axes
        series: dict[str, Any] = {"time": _valid_times(start, *axis)}
        times = None
    else:
        times = _valid_times_of_all(start, frame.axes)
        series = {"time": times}
    for each in frame.outputs:
        at = None if times is None else (times, _valid_times(start, each.step, each.shape[-1]))
        prediction = decision.predictions[each.variable]
        told = {"unit": each.unit, "value": _spread(prediction.value, at)}
        if prediction.lower is not None and prediction.upper is not None:
            low, high = decision.model.bands[each.variable]
            told["lower"] = _spread(prediction.lower, at)
            told["upper"] = _spread(prediction.upper, at)
            told["interval"] = (low.probability, high.probability)
        series[each.variable] = told
    return series


def _spread(values: Values, at: tuple[Times, Times] | None) -> Values:
    """Values at all times of an answer, NaN (written as null) where they have none.

    `at` are those times and the values' own, None where these are the same.
    """
    if at is None:
        return np.ascontiguousarray(values)
    times, own = at
    spread = np.full(len(times), np.nan, dtype=np.float32)
    spread[np.searchsorted(times, own)] = values
    return spread


def _valid_times_of_all(start: datetime, axes: Iterable[Axis]) -> Times:
    return np.unique(np.concatenate([_valid_times(start, *each) for each in axes]))


def _valid_times(start: datetime, step: timedelta, count: int) -> Times:
    leads = np.arange(1, count + 1) * np.timedelta64(step // MICROSECOND, "us")
    times: Times = np.datetime64(start, "us") + leads
    return times


def _naive(time: datetime) -> datetime:
    """A time in UTC without saying so, as NumPy takes it and orjson is told to understand it."""
    return time.replace(tzinfo=None)
