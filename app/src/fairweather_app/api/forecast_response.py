"""From a request for a forecast to the bytes of its response, kept while they are true.

The bytes are what `api.schemas.Forecast` would write: every response validates as one, with times
in UTC and ``Z``, and numbers as the shortest decimals that read back as the model's own float32 (a
float32 widened to a float shows digits that the model never had: 21.3 as 21.299999237060547).
What does not depend on the request is made once for each model, area and choice of variables.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, cast
from weakref import WeakKeyDictionary

import flask
import numpy as np
import numpy.typing as npt
import orjson
from fairweather_interface.durations import iso_duration
from fairweather_interface.metadata import Input, Output

from fairweather_app.catalogue.snapshot import Contents
from fairweather_app.common.lru import LruCache
from fairweather_app.common.request_trace import RequestTrace
from fairweather_app.common.times import MICROSECOND
from fairweather_app.errors import NoApplicableModelError
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.forecaster import ForecastRequest, SelectedForecast
from fairweather_app.models_backend.runtime_model import RuntimeModel, Values
from fairweather_app.observations import Window
from fairweather_app.refusals import RefusedDelivery

RESPONSES = "fairweather-responses"
RESPONSE_BYTES_KEPT = 16_000_000
AGES_KEPT = 1000
OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z

Times = npt.NDArray[np.datetime64]
Axis = tuple[timedelta, int]
"""The step of an output, and how many steps it has."""


@dataclass(frozen=True, eq=False)
class ForecastResponse:
    """A forecast as JSON, the delivery that made it, and how old its oldest input was."""

    body: bytes
    delivery_id: str
    input_age: timedelta

    @cached_property
    def etag(self) -> str:
        """The entity tag of the body: the same exactly when the bytes are."""
        return f'"{blake2b(self.body, digest_size=16).hexdigest()}"'


CachedResponse = tuple[ForecastResponse, Contents, int]
"""A response, and the contents and the revision of the observations for which it is true."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseTemplate:
    """What every response of one model, for one area and choice of variables, has in common."""

    outputs: tuple[Output, ...]
    axes: frozenset[Axis]
    timezone: str
    receipt: dict[str, orjson.Fragment]


class ForecastResponses:
    """Makes the responses of one app, and keeps them. Safe to share between threads.

    Every method raises what `Forecaster.decide` raises, and fills in the `trace` once, at its end.
    """

    def __init__(self, app_context: AppContext) -> None:
        self._context = app_context
        self.cache: LruCache[ForecastRequest, CachedResponse] = LruCache(
            RESPONSE_BYTES_KEPT, size=_size
        )
        # by area and outputs, of each model while it is in use
        self.templates: WeakKeyDictionary[
            RuntimeModel, dict[tuple[str, tuple[str, ...]], ResponseTemplate]
        ] = WeakKeyDictionary()

    def make(self, request: ForecastRequest, trace: RequestTrace) -> ForecastResponse:
        """Forecast with the best model that declares itself fit, and use no cache."""
        response = self.write(self._decide(request, trace))
        trace.input_age = response.input_age
        return response

    def get(self, request: ForecastRequest, trace: RequestTrace) -> ForecastResponse:
        """Forecast from the app's own observations, or return the response that is still true.

        A response is true until the contents of the catalogue change or an observation arrives;
        what led to it must repeat. The cache is read after both were asked for, so no response is
        returned that was not true when the request came.
        """
        context = self._context
        contents, revision = context.catalogue.snapshot.contents, context.windows.revision()
        if request.reference_time is None and context.settings.clock == "now":
            # else it follows from the observations
            request = replace(request, reference_time=context.clock(request.area))
        kept = self.cache.get(request)
        if kept is not None and kept[1] is contents and kept[2] == revision:
            response = kept[0]
            trace.area, trace.cache, trace.delivery_id = request.area, "hit", response.delivery_id
            trace.input_age = response.input_age
            return response
        selected = self._decide(request, trace, use_cache=True)
        response = self.write(selected)
        trace.input_age = response.input_age
        if selected.repeatable:
            self.cache.put(request, (response, contents, revision))
        delivery_id, time = selected.model.delivery_id, selected.reference_time
        context.live.note_answer(delivery_id, request.area, time)
        return response

    def write(self, selected: SelectedForecast) -> ForecastResponse:
        """Serialize a selected forecast."""
        area, wanted = selected.request.area, selected.request.variables
        outputs = selected.model.metadata.variables
        key = (area, tuple(each for each in outputs if wanted is None or each in wanted))
        templates = self.templates.setdefault(selected.model, {})
        template = templates.get(key)
        if template is None:
            template = templates[key] = _make_template(selected.model, *key)
        inputs = {
            each.name: _input(each, selected.windows[each.name])
            for each in selected.model.required_inputs
        }
        entry = self._context.catalogue.snapshot.entries.get(selected.model.delivery_id)
        beside = {
            "signed_by": entry.signed_by if entry else None,
            **({"trial": True} if selected.trial else {}),
            "inputs": inputs,
        }
        content = {
            "area": area,
            "reference_time": _naive(selected.reference_time),
            "timezone": template.timezone,
            "forecast": _series(template, selected),
            "receipt": template.receipt | beside | selected.refused.as_json,
        }
        return ForecastResponse(
            orjson.dumps(content, option=OPTIONS), selected.model.delivery_id, _oldest(selected)
        )

    def _decide(
        self, request: ForecastRequest, trace: RequestTrace, *, use_cache: bool = False
    ) -> SelectedForecast:
        trace.area = request.area
        tried: tuple[RefusedDelivery, ...] = ()
        try:
            selected = self._context.forecaster.decide(request, trace, use_cache=use_cache)
            trace.delivery_id, tried = selected.model.delivery_id, selected.refused.tried
        except NoApplicableModelError as error:
            tried = error.refused.tried
            raise
        finally:
            if use_cache and trace.predictions:
                trace.cache = "hit" if "kept" in trace.predictions else "miss"
            if tried:
                trace.refusals = Counter(each.code for each in tried)
        return selected


def current_responses() -> ForecastResponses:
    """Return the `ForecastResponses` of the app that answers the current request."""
    return cast("ForecastResponses", flask.current_app.extensions[RESPONSES])


def _size(request: ForecastRequest, kept: CachedResponse) -> int:
    """Estimate the bytes of a response and its key: a client chooses the words of the key."""
    return 1000 + len(kept[0].body) + 4 * sum(map(len, (request.area, *(request.variables or ()))))


def _make_template(model: RuntimeModel, area: str, variables: tuple[str, ...]) -> ResponseTemplate:
    metadata = model.metadata
    outputs = tuple(each for each in metadata.outputs if each.variable in variables)
    receipt = {
        "delivery_id": model.delivery_id,
        "digest": model.delivery.digest,
        "model_type": metadata.model_type,
        "schema_version": metadata.schema_version,
        "topic": metadata.topic or "",
        "author": metadata.author,
        "train_end_time": metadata.training.train_end_time,
        "runtime": model.session.runtime,
        "skill": {each.variable: model.skill(area, each.variable) for each in outputs},
        "synthetic": metadata.training.synthetic,
    }
    return ResponseTemplate(
        outputs=outputs,
        axes=frozenset((each.step, each.shape[-1]) for each in outputs),
        timezone=metadata.areas[area].timezone,
        receipt={
            name: orjson.Fragment(orjson.dumps(value, option=OPTIONS))
            for name, value in receipt.items()
        },
    )


def _series(template: ResponseTemplate, selected: SelectedForecast) -> dict[str, Any]:
    """Put outputs on one time axis; where steps differ, a variable has null between its own."""
    start = _naive(selected.reference_time)
    axes = [_valid_times(start, *axis) for axis in template.axes]
    times = axes[0] if len(axes) == 1 else np.unique(np.concatenate(axes))
    series: dict[str, Any] = {"time": times}
    for each in template.outputs:
        own = axes[0] if len(axes) == 1 else _valid_times(start, each.step, each.shape[-1])
        prediction = selected.predictions[each.variable]
        forecast = {"unit": each.unit, "value": _spread(prediction.value, times, own)}
        if prediction.lower is not None and prediction.upper is not None:
            low, high = selected.model.bands[each.variable]
            forecast["lower"] = _spread(prediction.lower, times, own)
            forecast["upper"] = _spread(prediction.upper, times, own)
            forecast["interval"] = (low.probability, high.probability)
        series[each.variable] = forecast
    return series


def _input(declared: Input, window: Window) -> dict[str, Any]:
    """Return one input as a receipt lists it: see `schemas.ReceiptInput`."""
    observed = window.observed
    until = None if observed.age is None else _naive(window.reference_time - observed.age)
    return {
        "variable": declared.variable,
        "observed_until": until,
        "age": None if observed.age is None else _iso(observed.age),
        "missing": observed.missing / window.values.size,
    }


@lru_cache(maxsize=AGES_KEPT)
def _iso(age: timedelta) -> str:
    return iso_duration(age) if age else "PT0S"


def _oldest(selected: SelectedForecast) -> timedelta:
    """Return the age of the oldest input; one without any value is as old as its window is long."""
    ages = [
        window.values.size * window.sample_rate if age is None else age
        for window in selected.windows.values()
        for age in [window.observed.age]
    ]
    return max(ages, default=timedelta(0))


def _spread(values: Values, times: Times, own: Times) -> Values:
    """Return values at all times of a response, NaN (written as null) where they have none."""
    if own is times:
        return np.ascontiguousarray(values)
    spread = np.full(len(times), np.nan, dtype=np.float32)
    spread[np.searchsorted(times, own)] = values
    return spread


def _valid_times(start: datetime, step: timedelta, count: int) -> Times:
    leads = np.arange(1, count + 1) * np.timedelta64(step // MICROSECOND, "us")
    times: Times = np.datetime64(start, "us") + leads
    return times


def _naive(time: datetime) -> datetime:
    """Return a time in UTC without its zone, as NumPy takes it and `OPTIONS` declare it."""
    return time.replace(tzinfo=None)
