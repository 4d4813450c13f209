"""From a request to a forecast, or to the reasons why there is none.

`forecast` is the one function behind the HTTP interface, the page and the command line. `decide`
walks the candidates that `find_best_model` ranks: season, windows, domain, prediction, output.
The first that holds at every step answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from fairweather_interface.applicability import check_season
from fairweather_interface.metadata import Output
from fairweather_interface.refusals import Code, Refusal

from fairweather_app import trail
from fairweather_app.api.schemas import (
    AreaSummary,
    Forecast,
    ForecastSeries,
    Receipt,
    RefusedDelivery,
    VariableForecast,
    count_refusals,
    first_refusals,
)
from fairweather_app.app_context import AppContext
from fairweather_app.errors import (
    InvalidRequestError,
    NoApplicableModelError,
    NotReadyError,
    ObservationsMissingError,
    PredictionError,
    UnknownAreaError,
    UnsuppliedInputError,
)
from fairweather_app.fitness import check_observed, check_predictions, check_windows
from fairweather_app.observations import Window, get_inputs
from fairweather_app.observations.given import GivenObservations
from fairweather_app.runtime_model import Prediction, RuntimeModel, Values
from fairweather_app.selection import Selection, find_best_model, refused

Predictions = dict[str, Prediction]


def known_areas(app_context: AppContext) -> tuple[str, ...]:
    """Every area name that a delivery, a definition or an observation knows, sorted."""
    declared = app_context.catalogue.snapshot.declared_areas
    return tuple(sorted(declared.union(app_context.definitions, app_context.observations.areas())))


def is_known(app_context: AppContext, area: str) -> bool:
    """Whether `known_areas` holds the name, at less cost."""
    return (
        area in app_context.catalogue.snapshot.declared_areas
        or area in app_context.definitions
        or app_context.observations.knows(area)
    )


def area_summaries(app_context: AppContext) -> list[AreaSummary]:
    """What there is for each known area; its place as a live model, else the definitions, say."""
    return [_summarize(app_context, area) for area in known_areas(app_context)]


def _summarize(app_context: AppContext, area: str) -> AreaSummary:
    models = [each for each in app_context.catalogue.snapshot.live if area in each.metadata.areas]
    place = models[0].metadata.areas[area] if models else app_context.definitions.get(area)
    variables = dict.fromkeys(variable for each in models for variable in each.variables)
    return AreaSummary(
        area=area,
        latitude=place.latitude if place else None,
        longitude=place.longitude if place else None,
        timezone=place.timezone if place else None,
        models=len(models),
        variables=list(variables),
        latest_observation=app_context.observations.latest(area),
    )


def forecast(
    app_context: AppContext,
    area: str,
    *,
    variables: tuple[str, ...] | None = None,
    reference_time: datetime | None = None,
    observations: Mapping[str, Sequence[float | None]] | None = None,
) -> Forecast:
    """Forecast `area` with the best model that declares itself fit: `decide`, as an answer.

    Raises:
        AppError: as `decide` does.
    """
    decision = decide(
        app_context,
        area,
        variables=variables,
        reference_time=reference_time,
        observations=observations,
    )
    return _answer(decision, variables)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Which model answers, with what, and every delivery that was passed over.

    `refused` lists candidates first, then what else declares the area, then the rest.
    """

    area: str
    reference_time: datetime
    model: RuntimeModel
    predictions: Predictions
    refused: tuple[RefusedDelivery, ...]


def decide(
    app_context: AppContext,
    area: str,
    *,
    variables: tuple[str, ...] | None = None,
    reference_time: datetime | None = None,
    observations: Mapping[str, Sequence[float | None]] | None = None,
) -> Decision:
    """Walk the candidates for `area` and take the first that holds.

    Args:
        app_context: the app's.
        area: the name of the area, exactly.
        variables: what is wanted; None asks for as many as one model gives.
        reference_time: when the forecast starts (aware); None asks the app's clock.
        observations: windows by input name, oldest first, None where missing; an input that is
            not among them is read from the app's own observations.

    Raises:
        NotReadyError: nothing is live, and what the store holds is not known.
        UnknownAreaError: nobody knows the name.
        InvalidRequestError: `observations` fit no candidate, or `reference_time` has no zone.
        ObservationsMissingError: every candidate lacks observations of the app's own.
        NoApplicableModelError: every delivery refuses.
        ObservationStoreError: the observation database cannot be used.
    """
    trail.note_asked(area)
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
    selection = find_best_model(area, app_context, variables=variables)
    candidates: Iterable[RuntimeModel] = selection.candidates
    given = GivenObservations({}, ())
    if observations:
        candidates = list(candidates)
        given = GivenObservations(observations, [each.required_inputs for each in candidates])
    passed_over: list[RefusedDelivery] = []
    for model in candidates:
        outcome = attempt(model, app_context, area, time, given)
        if isinstance(outcome, Refusal):
            passed_over.append(refused(model, outcome))
            trail.note_refusal(outcome.code.value)
            continue
        trail.note_answer(model.delivery_id)
        return Decision(
            area=area,
            reference_time=time,
            model=model,
            predictions=outcome,
            refused=_in_order(passed_over, selection),
        )
    raise _nobody(area, passed_over, selection, asked_the_store=not observations)


def attempt(
    model: RuntimeModel,
    app_context: AppContext,
    area: str,
    reference_time: datetime,
    given: GivenObservations,
) -> Predictions | Refusal:
    """Let one candidate try: its prediction by variable, or why it does not hold.

    The season goes first: no observation helps a model that is out of it.
    """
    refusal = check_season(model.metadata, area, reference_time)
    if refusal is not None:
        return refusal
    try:
        with trail.stage("windows"):
            windows = _windows(model, app_context, area, reference_time, given)
    except UnsuppliedInputError as error:
        return Refusal(code=Code.OBSERVATIONS_MISSING, reason=str(error))
    refusal = check_windows(model.metadata, windows) or check_observed(
        model.metadata, windows, margins=app_context.settings.domain_margins
    )
    if refusal is not None:
        return refusal
    try:
        with trail.stage("predict"):
            predictions = model.predict(area, reference_time, windows)
    except PredictionError as error:
        return Refusal(code=error.code, reason=str(error))
    return check_predictions(model.metadata, predictions) or predictions


def _windows(
    model: RuntimeModel,
    app_context: AppContext,
    area: str,
    reference_time: datetime,
    given: GivenObservations,
) -> dict[str, Window]:
    return get_inputs(
        model.required_inputs,
        area,
        reference_time,
        app_context.observations,
        given=given.windows(model.required_inputs, reference_time),
    )


def _in_order(
    passed_over: Sequence[RefusedDelivery], selection: Selection
) -> tuple[RefusedDelivery, ...]:
    """All refusals: candidates first, then what else declares the area, then the rest."""
    return (*passed_over, *selection.declaring, *selection.others)


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
    return kind(area, refused=_in_order(passed_over, selection))


def _answer(decision: Decision, variables: tuple[str, ...] | None) -> Forecast:
    model, area = decision.model, decision.area
    outputs = [
        each for each in model.metadata.outputs if variables is None or each.variable in variables
    ]
    metadata = model.metadata
    return Forecast(
        area=area,
        reference_time=decision.reference_time,
        timezone=metadata.areas[area].timezone,
        forecast=_series(outputs, decision),
        receipt=Receipt(
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
            refused=first_refusals(decision.refused),
            refused_counts=count_refusals(decision.refused),
        ),
    )


def _series(outputs: Sequence[Output], decision: Decision) -> ForecastSeries:
    """Put outputs on one time axis; where steps differ, a variable has null between its own."""
    steps = {(each.step, each.shape[-1]) for each in outputs}
    axes = {each: _valid_times(decision.reference_time, *each) for each in steps}
    times = sorted({time for axis in axes.values() for time in axis})
    series: dict[str, VariableForecast] = {}
    for each in outputs:
        prediction = decision.predictions[each.variable]
        band = decision.model.bands.get(each.variable)
        spread = partial(_spread, axis=axes[each.step, each.shape[-1]], times=times)
        series[each.variable] = VariableForecast(
            unit=each.unit,
            value=spread(prediction.value),
            lower=None if prediction.lower is None else spread(prediction.lower),
            upper=None if prediction.upper is None else spread(prediction.upper),
            interval=band and (band[0].probability, band[1].probability),
        )
    return ForecastSeries(time=times, **series)


def _spread(
    values: Values, *, axis: Sequence[datetime], times: Sequence[datetime]
) -> list[float | None]:
    """Values of one axis at the times of all."""
    decimals = shortest_decimals(values)
    if len(axis) == len(times):
        return [*decimals]
    return [*map(dict(zip(axis, decimals, strict=True)).get, times)]


def _valid_times(reference_time: datetime, step: timedelta, count: int) -> list[datetime]:
    return [reference_time + k * step for k in range(1, count + 1)]


def shortest_decimals(values: Values) -> list[float]:
    """Float32 values as the shortest decimals that read back as the very same float32.

    A float32 widened to a float shows digits that the model never had (21.3 as 21.299999237060547).
    """
    return [float(str(value)) for value in values]
