"""From a request to a decision which model answers, or to the reasons why none does.

`decide` is the one function behind the HTTP interface, the page and the command line. It walks
the candidates that `find_best_model` ranks: season, windows, domain, prediction, output. The first
that holds at every step answers; `answers` writes it down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from fairweather_interface.applicability import check_season
from fairweather_interface.refusals import Code, Refusal

from fairweather_app.catalogue.model_cache import in_use
from fairweather_app.common import request_trace
from fairweather_app.errors import (
    GivenUpError,
    InvalidRequestError,
    LoadError,
    NoApplicableModelError,
    NotReadyError,
    ObservationsMissingError,
    PredictionError,
    UnknownAreaError,
    UnsuppliedInputError,
)
from fairweather_app.forecasting.areas import is_known, known_areas
from fairweather_app.forecasting.context import AppContext, PredictionKey
from fairweather_app.forecasting.forecast_request import ForecastRequest
from fairweather_app.forecasting.selection import Selection, find_best_model
from fairweather_app.forecasting.selector import refused
from fairweather_app.models_backend.checks import check_observed, check_predictions, check_windows
from fairweather_app.models_backend.runtime_model import Predictions, RuntimeModel
from fairweather_app.observations import Window, get_inputs
from fairweather_app.observations.request_windows import RequestObservations
from fairweather_app.refusals import REPEATABLE, Refusals, RefusedDelivery

NOTHING_GIVEN = RequestObservations({}, ())


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Which model answers, with what, and every delivery that was passed over.

    `reference_time` is in UTC: the request's, or the clock's where it has none. `refused` lists
    candidates first, then what else declares the area, then the rest.
    `repeatable`: the same snapshot and windows decide the same again.
    """

    request: ForecastRequest
    reference_time: datetime
    model: RuntimeModel
    predictions: Predictions
    refused: Refusals
    repeatable: bool


def decide(
    app_context: AppContext, request: ForecastRequest, *, remember: bool = False
) -> Decision:
    """Walk the candidates for the area of a request and take the first that holds.

    With `remember`, a prediction that was made of the same windows before will do.

    Raises:
        NotReadyError: nothing is live, and what the store holds is not known.
        UnknownAreaError: nobody knows the name.
        InvalidRequestError: the observations fit no candidate, or the time has no zone.
        ObservationsMissingError: every candidate lacks observations of the app's own.
        NoApplicableModelError: every delivery refuses.
        ObservationStoreError: the observation database cannot be used.
    """
    area, reference_time = request.area, request.reference_time
    done = request_trace.current()
    done.area = area
    not_ready = app_context.catalogue.snapshot.not_ready
    if not_ready is not None:
        raise NotReadyError(not_ready)
    if not is_known(app_context, area):
        raise UnknownAreaError(area, known=known_areas(app_context))
    if reference_time is None:
        reference_time = app_context.clock(area)
    elif reference_time.tzinfo is None:
        raise InvalidRequestError([f"reference_time: {reference_time} has no zone; expected one"])
    time = reference_time.astimezone(UTC)
    selection = find_best_model(area, app_context, variables=request.variables)
    candidates: Iterable[RuntimeModel] = selection.candidates
    given = NOTHING_GIVEN
    if request.observations:
        candidates = list(candidates)
        given = RequestObservations(
            request.observations, [each.required_inputs for each in candidates]
        )
    passed_over: list[RefusedDelivery] = []
    for model in candidates:
        outcome = attempt(model, app_context, area, time, given, remember=remember)
        if isinstance(outcome, Refusal):
            passed_over.append(refused(model.metadata, outcome.code, outcome.reason))
            done.refusals[outcome.code.value] += 1
            continue
        done.delivery_id = model.delivery_id
        return Decision(
            request=request,
            reference_time=time,
            model=model,
            predictions=outcome,
            refused=selection.refusals(passed_over),
            repeatable=not selection.lost and all(each.code in REPEATABLE for each in passed_over),
        )
    raise _nobody(area, passed_over, selection, asked_the_store=not request.observations)


def attempt(
    model: RuntimeModel,
    app_context: AppContext,
    area: str,
    reference_time: datetime,
    given: RequestObservations = NOTHING_GIVEN,
    *,
    remember: bool = False,
) -> Predictions | Refusal:
    """Let one candidate try: its prediction by variable, or why it does not hold.

    The season goes first: no observation helps a model that is out of it. With `remember` a
    prediction of the same delivery, area, time and windows is not made twice.
    """
    refusal = check_season(model.metadata, area, reference_time)
    if refusal is not None:
        return refusal
    try:
        with request_trace.stage("windows"):
            windows = _windows(model, app_context, area, reference_time, given)
    except UnsuppliedInputError as error:
        return Refusal(code=Code.OBSERVATIONS_MISSING, reason=str(error))
    refusal = check_windows(model.metadata, windows) or check_observed(
        model.metadata, windows, margins=app_context.settings.domain_margins
    )
    if refusal is not None:
        return refusal
    key: PredictionKey = (model.delivery.digest, area, reference_time, b"")
    known = None
    if remember:
        key = (*key[:3], b"".join(windows[each.name].digest for each in model.required_inputs))
        known = app_context.predictions.get(key)
        request_trace.current().memo = "miss" if known is None else "hit"
    if known is not None:
        request_trace.current().predictions["kept"] += 1
        return known
    predictions = _predict(model, app_context, area, reference_time, windows)
    if isinstance(predictions, Refusal):
        return predictions
    refusal = check_predictions(model.metadata, predictions)
    if refusal is None and remember:
        app_context.predictions.put(key, predictions)
    return refusal or predictions


def _predict(
    model: RuntimeModel,
    app_context: AppContext,
    area: str,
    reference_time: datetime,
    windows: Mapping[str, Window],
) -> Predictions | Refusal:
    """Run a model within the time limit; that it is loaded first is not charged to it."""
    request_trace.current().predictions["made"] += 1
    try:
        with in_use(model), request_trace.stage("predict"):
            return app_context.time_limit.run(
                f"delivery {model.delivery_id}",
                partial(model.predict, area, reference_time, windows),
            )
    except (LoadError, PredictionError) as error:
        return Refusal(code=error.code, reason=str(error))
    except GivenUpError as error:
        return Refusal(code=Code.TIMED_OUT, reason=str(error))


def _windows(
    model: RuntimeModel,
    app_context: AppContext,
    area: str,
    reference_time: datetime,
    given: RequestObservations,
) -> dict[str, Window]:
    return get_inputs(
        model.required_inputs,
        area,
        reference_time,
        app_context.ready,
        given=given.windows(model.required_inputs, reference_time),
    )


def _nobody(
    area: str,
    passed_over: Sequence[RefusedDelivery],
    selection: Selection,
    *,
    asked_the_store: bool,
) -> NoApplicableModelError:
    """The error that says why nobody answers.

    Only when waiting for observations would help is it `ObservationsMissingError`: not when the
    request brought its own.
    """
    lacking = passed_over and all(each.code == Code.OBSERVATIONS_MISSING for each in passed_over)
    kind = ObservationsMissingError if lacking and asked_the_store else NoApplicableModelError
    return kind(area, refused=selection.refusals(passed_over))
