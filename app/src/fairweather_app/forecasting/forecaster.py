"""From a request to the model that answers it, or to the reasons why none does.

`Forecaster.decide` is the one way behind the HTTP interface, the page and the command line. It
walks the candidates that `find_best_model` ranks and makes the checks of `models_backend.checks`
with each: start, windows, domain, prediction, output. The first that passes them all answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from fairweather_interface.metadata import Input
from fairweather_interface.refusals import Code, Phase, Refusal

from fairweather_app import errors
from fairweather_app.catalogue.catalogue import Catalogue
from fairweather_app.catalogue.model_cache import in_use
from fairweather_app.common.lru import LruCache
from fairweather_app.common.request_trace import RequestTrace
from fairweather_app.common.time_limit import TimeLimit
from fairweather_app.forecasting.areas import is_known, known_areas
from fairweather_app.forecasting.selection import find_best_model
from fairweather_app.forecasting.selector import Selectors, Variables, refused
from fairweather_app.models_backend.checks import Trial, first_refusal
from fairweather_app.models_backend.runtime_model import Predictions, RuntimeModel
from fairweather_app.observations import Window, WindowCache, get_inputs
from fairweather_app.observations.request_windows import RequestObservations, Series
from fairweather_app.refusals import Refusals, RefusedDelivery

PREDICTIONS_KEPT = 2000
PAUSE_SECONDS = 30.0
"""A model that was given up is not asked again for so long."""

Clock = Callable[[str], datetime]
"""Gives the reference time for an area: aware, in UTC, on a whole second."""

PredictionKey = tuple[str, str, datetime, bytes]
"""Delivery digest, area, reference time, digest of the windows."""

NO_OBSERVATIONS = RequestObservations({}, ())

AWAITED = frozenset({Code.OBSERVATIONS_MISSING, Code.OBSERVATIONS_STALE})
"""The refusals that observations to come may lift."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForecastRequest:
    """A request for a forecast; without observations it can be a key.

    None for `variables` asks for as many as one model gives, None for the `reference_time` (aware)
    asks the app's clock. `observations` are series by the name of their input; inputs that are not
    among them are read from the app's own observations.
    """

    area: str
    variables: Variables = None
    reference_time: datetime | None = None
    observations: Mapping[str, Series] | None = None


@dataclass(frozen=True, kw_only=True)
class SelectedForecast:
    """The model that answers a request, its predictions, and every delivery passed over.

    `reference_time` is in UTC: the request's, or the clock's where it has none. `windows` are what
    it predicted from, by input name. `refused` lists candidates first, then what else declares the
    area, then the rest.
    `trial`: the model was not promoted, and answers as a canary or because no other does.
    `repeatable`: the same snapshot and windows decide the same again.
    """

    request: ForecastRequest
    reference_time: datetime
    model: RuntimeModel
    windows: Mapping[str, Window]
    predictions: Predictions
    trial: bool
    refused: Refusals
    repeatable: bool


class Forecaster:
    """Decides which model answers and predicts, within `seconds` and the operator's `margins`."""

    def __init__(
        self,
        catalogue: Catalogue,
        selectors: Selectors,
        windows: WindowCache,
        clock: Clock,
        *,
        seconds: float,
        margins: Mapping[str, float],
    ) -> None:
        self.catalogue = catalogue
        self.selectors = selectors
        self.predictions: LruCache[PredictionKey, Predictions] = LruCache(PREDICTIONS_KEPT)
        self._windows = windows
        self._clock = clock
        self._limit = TimeLimit(seconds, pause=PAUSE_SECONDS)
        self._margins = margins

    def decide(
        self,
        request: ForecastRequest,
        trace: RequestTrace | None = None,
        *,
        use_cache: bool = False,
    ) -> SelectedForecast:
        """Walk the candidates for the area of a request and take the first that passes.

        With `use_cache` a prediction that was made of the same windows before is taken. Without a
        forecast that is a `RequestError` of one of its kinds, or `ObservationStoreError`.
        """
        area, time = request.area, request.reference_time
        snapshot = self.catalogue.snapshot
        if snapshot.not_ready is not None:
            raise errors.NotReadyError(snapshot.not_ready)
        if not is_known(snapshot.contents, self._windows, area):
            raise errors.UnknownAreaError(area, known=known_areas(snapshot.contents, self._windows))
        if time is None:
            time = self._clock(area)
        elif time.tzinfo is None:
            raise errors.InvalidRequestError([f"reference_time: {time} has no zone; expected one"])
        time = time.astimezone(UTC)
        selection = find_best_model(
            area, self, variables=request.variables, snapshot=snapshot, time=time
        )
        candidates: Iterable[RuntimeModel] = selection.candidates
        given = NO_OBSERVATIONS
        if request.observations:
            candidates = list(candidates)
            inputs = [each.required_inputs for each in candidates]
            given = RequestObservations(request.observations, inputs, snapshot.contents.variables)
        passed_over: list[RefusedDelivery] = []
        in_season: list[tuple[RuntimeModel, Code]] = []
        repeatable = True
        for model in candidates:
            outcome = self.attempt(model, area, time, given, trace, use_cache=use_cache)
            if isinstance(outcome, Refusal):
                passed_over.append(refused(model.metadata, outcome.code, outcome.reason))
                repeatable = repeatable and outcome.code.repeatable
                if outcome.code.phase is not Phase.START:
                    in_season.append((model, outcome.code))
                continue
            return SelectedForecast(
                request=request,
                reference_time=time,
                model=model,
                windows=outcome.windows,
                predictions=outcome.predictions,
                trial=snapshot.contents.rollout.stands_back(model.delivery.digest, area),
                refused=selection.refusals(passed_over),
                repeatable=repeatable and not selection.failed_to_open,
            )
        raise self._no_forecast(request, time, in_season, selection.refusals(passed_over))

    def _no_forecast(
        self,
        request: ForecastRequest,
        time: datetime,
        in_season: Sequence[tuple[RuntimeModel, Code]],
        refusals: Refusals,
    ) -> errors.NoApplicableModelError:
        """Return why no model answers: 503 or 422 over HTTP.

        `in_season` are the candidates that could answer at that time of the year, with the code of
        each. Waiting helps where all of them wait for observations of the app's own that may still
        come. The next one is due after the shortest of their sample rates.
        """
        codes = {code for _, code in in_season}
        inputs = [each for model, _ in in_season for each in model.required_inputs]
        waits = bool(codes) and codes <= AWAITED and not request.observations
        if not waits or not self._may_change(request, time, inputs):
            return errors.NoApplicableModelError(request.area, refused=refusals)
        stale = Code.OBSERVATIONS_STALE in codes
        kind = errors.ObservationsStaleError if stale else errors.ObservationsMissingError
        due = min(each.sample_rate for each in inputs if each.sample_rate is not None)
        return kind(request.area, refused=refusals, retry_after=due // timedelta(seconds=1))

    def _may_change(
        self, request: ForecastRequest, time: datetime, inputs: Iterable[Input]
    ) -> bool:
        """Return whether observations to come may lie in a window of these inputs.

        They may where the start is the clock's, which moves on, and where something of an input
        was not observed up to the start yet. Else all windows lie in the past.
        """
        if request.reference_time is None or time >= self._clock(request.area):
            return True
        latest = (
            self._windows.latest(area, each.variable)
            for each in inputs
            for area in each.areas or (request.area,)
        )
        return any(newest is None or newest < time for newest in latest)

    def attempt(
        self,
        model: RuntimeModel,
        area: str,
        reference_time: datetime,
        given: RequestObservations = NO_OBSERVATIONS,
        trace: RequestTrace | None = None,
        *,
        use_cache: bool = False,
    ) -> Trial | Refusal:
        """Return what one model predicts for an area that it declares, or why it refuses."""
        trace = trace or RequestTrace()
        trial = Trial(
            metadata=model.metadata, area=area, reference_time=reference_time, margins=self._margins
        )
        try:
            refusal = first_refusal(trial, Phase.START)
            if refusal is None:
                inputs = model.required_inputs
                mine = given.windows(inputs, reference_time)
                read = partial(self._windows.window, trace=trace)
                known = model.variables
                work = partial(
                    get_inputs, inputs, area, reference_time, read, given=mine, variables=known
                )
                trial.windows = trace.timed("windows", work)
                refusal = first_refusal(trial, Phase.WINDOWS)
            return refusal or self._predict(model, trial, trace, use_cache=use_cache) or trial
        except errors.UnsuppliedInputError as error:
            return Refusal(code=Code.OBSERVATIONS_MISSING, reason=str(error))
        except (errors.LoadError, errors.PredictionError) as error:
            return Refusal(code=error.code, reason=str(error))
        except errors.GivenUpError as error:
            return Refusal(code=Code.TIMED_OUT, reason=str(error))

    def _predict(
        self, model: RuntimeModel, trial: Trial, trace: RequestTrace, *, use_cache: bool
    ) -> Refusal | None:
        """Fill in the predictions of a trial, or return why they are none."""
        key: PredictionKey | None = None
        if use_cache:
            digests = b"".join(trial.windows[each.name].digest for each in model.required_inputs)
            key = (model.delivery.digest, trial.area, trial.reference_time, digests)
            known = self.predictions.get(key)
            if known is not None:
                trace.predictions["kept"] += 1
                trial.predictions = known
                return None
        trace.predictions["made"] += 1
        work = partial(model.predict, trial.area, trial.reference_time, trial.windows)
        limited = partial(self._limit.run, f"delivery {model.delivery_id}", work)
        with in_use(model, trace):  # so loading is not charged to the time limit
            trial.predictions = predictions = trace.timed("predict", limited)
        refusal = first_refusal(trial, Phase.RUN)
        if refusal is None and key is not None:
            self.predictions.put(key, predictions)
        return refusal
