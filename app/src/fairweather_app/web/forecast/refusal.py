"""Put a refusal into words: what happened, the reasons, and what to do.

Another time is suggested only after a model of the area made a forecast for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, tzinfo
from itertools import islice, takewhile
from typing import Any, NamedTuple

from fairweather_interface.applicability import starts
from fairweather_interface.refusals import Code, Refusal

from fairweather_app import errors
from fairweather_app.common.times import write_time
from fairweather_app.forecasting.context import AppContext
from fairweather_app.forecasting.selection import find_best_model
from fairweather_app.refusals import MOST_REFUSALS, count_refusals
from fairweather_app.web.layout.local_time import moment
from fairweather_app.web.layout.wording import listed, sentence

MODELS_TRIED = 5
STARTS_TRIED = 12
STARTS_SUGGESTED = 3

Suggestion = tuple[str, str, str]
"""A time that has a forecast, as an address writes it and in words, and the type of the model."""

TRAIN = "fairweather-research train RECIPE.yaml --store STORE"
IMPORT = "flask --app fairweather_app observations import FILE"
HOW_TO_WRITE_A_TIME = "Use local time, 2013-12-20T19:00, or name the zone, 2013-12-20T00:00Z."
TRY_AGAIN = "Try again in a minute. The log has the reason."


class Reason(NamedTuple):
    """A code in words, of one model and of several, and what a reader can do, if anything."""

    one: str
    many: str
    advice: str = ""


_NOT_COVERED = "A forecast appears here as soon as a model for {area} is delivered."
_OTHER_CONDITIONS = "Choose another time, or deliver a model trained for such conditions."
_NO_SKILL = "This app is set to refuse models that are no better than a simple guess."

REASONS: Mapping[str, Reason] = {
    Code.AREA_NOT_DECLARED: Reason("does not cover {area}", "do not cover {area}", _NOT_COVERED),
    Code.VARIABLE_NOT_DECLARED: Reason("lacks this variable", "lack this variable"),
    Code.OUT_OF_SEASON: Reason(
        *("is for another season", "are for another season"),
        "Choose a time in the months that these models are valid for.",
    ),
    Code.OUT_OF_DOMAIN: Reason(
        *("was not trained for such conditions", "were not trained for such conditions"),
        _OTHER_CONDITIONS,
    ),
    Code.OBSERVATIONS_MISSING: Reason(
        *("lacks observations", "lack observations"), "Choose another time, or import observations."
    ),
    Code.OBSERVATIONS_STALE: Reason(
        *("needs newer observations", "need newer observations"),
        "Wait for newer observations or import them, or choose an earlier time.",
    ),
    Code.SCHEMA_TOO_NEW: Reason("needs a newer app", "need a newer app", "Update the app."),
    Code.RUNTIME_UNAVAILABLE: Reason(*("cannot run here",) * 2, "The reason is given below."),
    Code.BELOW_BASELINE: Reason(
        *("is no better than a simple guess", "are no better than a simple guess"), _NO_SKILL
    ),
    Code.INVALID_OUTPUT: Reason(*("returned no valid forecast",) * 2),
    Code.TIMED_OUT: Reason(*("took too long",) * 2, "Try again in a minute."),
    Code.WITHDRAWN: Reason("was withdrawn", "were withdrawn"),
    Code.OVERRIDDEN: Reason("was set aside by the operator", "were set aside by the operator"),
    Code.NOT_TRUSTED: Reason(
        *("is signed by no trusted key", "are signed by no trusted key"),
        "Have it signed by a key that the operator trusts.",
    ),
    Code.CORRUPT: Reason("is damaged", "are damaged", "Damaged models must be delivered again."),
}
"""By code; every code of the contract has a row."""


def reasons_in_words(counts: Mapping[str, int], area: str) -> str:
    """Return the reasons of several models: ``41 do not cover LGA and 2 are damaged``."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return listed([f"{count} {_reason(code, count, area)}" for code, count in ordered])


def _reason(code: str, count: int, area: str) -> str:
    unknown = f"refused with {code}"
    words = REASONS.get(code, Reason(unknown, unknown))
    return (words.one if count == 1 else words.many).format(area=area)


def refusal_view(
    error: errors.RequestError | errors.ObservationStoreError,
    area: str,
    declaring: Collection[str] = (),
) -> tuple[int, dict[str, Any]]:
    """Return the status of a request that has no forecast of `area`, and what to show instead.

    `declaring` are the ids of the deliveries that declare the area.
    """
    if isinstance(error, errors.NoApplicableModelError):
        return _no_model(error, area, declaring)
    status, title, cause, advice = 400, "That request is not valid", str(error), HOW_TO_WRITE_A_TIME
    if isinstance(error, errors.InvalidRequestError):
        cause = listed(error.problems)
    elif isinstance(error, errors.NotReadyError):
        status, title, advice = 503, "Still loading models", TRY_AGAIN
    elif isinstance(error, errors.ObservationStoreError):
        status, title, advice = 503, "The observations cannot be read", TRY_AGAIN
        cause = "the app cannot use its database of observations at the moment"
    elif isinstance(error, errors.UnknownAreaError):
        status, title = 404, f"We have no place called “{area}”"
        cause = "no model, definition or observation has this name"
        advice = "Check the spelling, or choose a place below." if error.known else ""
    return status, {"title": title, "cause": sentence(cause), "advice": [advice] if advice else []}


def _no_model(
    error: errors.NoApplicableModelError, area: str, declaring: Collection[str]
) -> tuple[int, dict[str, Any]]:
    """Return the same where every delivery refuses.

    ``counts`` is empty where there is one reason; of the refusals ``candidates`` are as many as an
    answer lists, and ``more`` is how many others there are; ``command`` is for operators.
    """
    if not error.refused:
        return 422, {
            "title": "No model has been delivered yet",
            "cause": "There is no forecast without a model.",
            "advice": ["A forecast appears here as soon as a model is delivered."],
            "command": TRAIN,
        }
    awaiting = error if isinstance(error, errors.AwaitingObservationsError) else None
    # refusals of deliveries that declare the area come first
    for_area = takewhile(lambda each: each.delivery_id in declaring, error.refused)
    counts = {awaiting.code.value: 1} if awaiting else count_refusals(for_area)
    which, all_counts = f" for {area}", error.refused.counts
    if not counts:
        which = ""
        uncovered = all_counts.get(Code.AREA_NOT_DECLARED, 0)
        counts = {Code.AREA_NOT_DECLARED.value: uncovered} if uncovered else all_counts
    codes = sorted(counts, key=lambda code: -counts[code])
    advice = (REASONS[code].advice.format(area=area) for code in codes if code in REASONS)
    return 503 if awaiting else 422, {
        "title": f"No forecast for {area}",
        "cause": f"{awaiting.what.format(area=area)}." if awaiting else _cause(counts, which, area),
        "counts": reasons_in_words(all_counts, area) if len(all_counts) > 1 else "",
        "candidates": error.refused[:MOST_REFUSALS],
        "more": max(len(error.refused) - MOST_REFUSALS, 0),
        "advice": [each for each in advice if each],
        "command": IMPORT if awaiting else TRAIN if set(counts) == {Code.AREA_NOT_DECLARED} else "",
    }


def _cause(counts: Mapping[str, int], which: str, area: str) -> str:
    """Return why none of some models makes a forecast: one reason, or how many have which."""
    total, (code, *more) = sum(counts.values()), counts
    models, none = f"All {total} models", f"None of the {total} models"
    if total <= 2:  # noqa: PLR2004 - which English has words for
        models, none = ("The only model", "") if total == 1 else ("Both models", "Neither model")
    if more:
        return f"{none}{which} can be used: {reasons_in_words(counts, area)}."
    if code == Code.AREA_NOT_DECLARED and none:
        return f"{none} covers {area}."
    return f"{models}{which} {_reason(code, total, area)}."


def suggest(
    app_context: AppContext,
    area: str,
    *,
    asked: datetime | None,
    latest: datetime | None,
    zone: tzinfo,
) -> tuple[Suggestion, ...]:
    """Return times that models of the area answer, the latest first; none without observations.

    Tried are the latest observation and the ends of the months before, as far as a model allows.
    """
    if latest is None:
        return ()
    newest = latest.replace(minute=0, second=0, microsecond=0)
    tried = 0
    found: dict[datetime, str] = {}
    for model in islice(find_best_model(area, app_context).candidates, MODELS_TRIED):
        for start in starts(model.metadata, area, until=newest):
            if start == asked or start in found:
                continue
            if tried == STARTS_TRIED or len(found) == STARTS_SUGGESTED:
                break
            tried += 1
            outcome = app_context.forecaster.attempt(model, area, start, use_cache=True)
            if not isinstance(outcome, Refusal):
                found[start] = model.metadata.model_type
    return tuple(
        (write_time(start), moment(start, zone), found[start])
        for start in sorted(found, reverse=True)
    )
