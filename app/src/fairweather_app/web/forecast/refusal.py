"""Put a refusal into words: what happened, the reasons, and what can be asked instead."""

from __future__ import annotations

from dataclasses import dataclass

from fairweather_interface.refusals import Code

from fairweather_app.errors import (
    InvalidRequestError,
    NoApplicableModelError,
    NotReadyError,
    ObservationsMissingError,
    ObservationStoreError,
    RequestError,
    UnknownAreaError,
)
from fairweather_app.refusals import MOST_REFUSALS, RefusedDelivery
from fairweather_app.web.layout.wording import in_counts, listed, sentence

TRAIN = "fairweather-research train RECIPE.yaml --store STORE"

IMPORT = "flask --app fairweather_app observations import FILE"

LOOKED_AT_AGAIN = (
    "This app looks at its store every few seconds: try again in a minute. Whoever runs this app "
    "finds the cause in its log."
)

_HOW_TO_WRITE_A_START = (
    "Write the start as local time of the area, such as 2013-12-20T19:00, or with a zone, such as "
    "2013-12-20T00:00Z."
)

_ADVICE: dict[str, str] = {
    Code.AREA_NOT_DECLARED: "A model speaks only for the areas it declares, and a nearby area is "
    "never a substitute. A model that declares this one answers here soon after it is delivered.",
    Code.VARIABLE_NOT_DECLARED: "Ask for another quantity, or for everything there is.",
    Code.OUT_OF_SEASON: "Ask for a start in the months that a model is made for, or deliver a "
    "model for this season.",
    Code.OUT_OF_DOMAIN: "The recent weather is outside what a model declares itself fit for: "
    "beyond the lowest or highest values it has seen, or with more gaps. Ask for another start, "
    "or deliver a model trained on such weather.",
    Code.OBSERVATIONS_MISSING: "A model starts from recent observations. Ask for a start at which "
    "they are there, or bring them.",
    Code.SCHEMA_TOO_NEW: "A model was delivered for a newer release of this app: update the app.",
    Code.RUNTIME_UNAVAILABLE: "A model cannot be run here, or has not been read yet; it says why.",
    Code.BELOW_BASELINE: "A model does no better than a simple guess, and this app is set to "
    "refuse such models.",
    Code.CORRUPT: "A delivery is damaged: deliver it once more.",
}
"""What can be done, by code; a code that needs no advice, or that is unknown here, has none."""

_FEW_SAID_NO = {
    1: "The one model there is was asked, and it does not declare itself fit for this.",
    2: "Both models were asked, and neither declares itself fit for this.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """What the page says instead of a forecast.

    Attributes:
        status: the HTTP status of the page.
        title: one line.
        sentence: what happened, whole.
        counts: how many deliveries gave each code, in words; empty where there is one code.
        candidates: what each of them said, as many as an answer lists.
        more: how many others said something too.
        advice: what can be done, most to the point first.
        command: what an operator types next, if anything.
    """

    status: int
    title: str
    sentence: str
    counts: str = ""
    candidates: tuple[RefusedDelivery, ...] = ()
    more: int = 0
    advice: tuple[str, ...] = ()
    command: str = ""


def refused_page(error: RequestError | ObservationStoreError, area: str) -> Refused:
    """Return what to show for a request that cannot be answered with a forecast of `area`."""
    if isinstance(error, NotReadyError):
        return Refused(
            status=503,
            title="The models are not known yet",
            sentence=sentence(str(error)),
            advice=(LOOKED_AT_AGAIN,),
        )
    if isinstance(error, UnknownAreaError):
        return Refused(
            status=404,
            title=f"Nobody here knows {area}",
            sentence="No model, no definition and no observation has an area of this name.",
            advice=("Check the spelling, or choose an area below.",) if error.known else (),
        )
    if isinstance(error, NoApplicableModelError):
        return _no_model(error, area)
    if isinstance(error, ObservationStoreError):
        return Refused(
            status=503,
            title="The observations cannot be read",
            sentence="The app cannot use its database of observations at the moment.",
            advice=("Try again in a minute; whoever runs this app finds the cause in its log.",),
        )
    problems = error.problems if isinstance(error, InvalidRequestError) else (str(error),)
    return Refused(
        status=400,
        title="This cannot be asked",
        sentence=sentence(listed(problems)),
        advice=(_HOW_TO_WRITE_A_START,),
    )


def _no_model(error: NoApplicableModelError, area: str) -> Refused:
    if not error.refused:
        return Refused(
            status=422,
            title="No model has been delivered yet",
            sentence=f"Without a model there is no forecast, for {area} or anywhere.",
            advice=("Train a model; this page answers as soon as it is delivered.",),
            command=TRAIN,
        )
    listed_here = tuple(error.refused[:MOST_REFUSALS])
    codes = dict.fromkeys([*(each.code for each in listed_here), *error.refused_counts])
    missing = isinstance(error, ObservationsMissingError)
    advice = tuple(_ADVICE[code] for code in codes if code in _ADVICE)
    if missing:  # those that declare the area come first; what the others say helps nobody
        advice = (_ADVICE[Code.OBSERVATIONS_MISSING],)
    return Refused(
        status=503 if missing else 422,
        title=f"Observations for {area} are missing"
        if missing
        else f"No model can answer for {area}",
        sentence="There are models for this area, but not the recent weather they start from."
        if missing
        else _FEW_SAID_NO.get(
            len(error.refused),
            f"All {len(error.refused)} models were asked, and none declares itself fit for this.",
        ),
        counts=in_counts(error.refused_counts) if len(codes) > 1 else "",
        candidates=listed_here,
        more=len(error.refused) - len(listed_here),
        advice=advice,
        command=IMPORT if missing else TRAIN if set(codes) == {Code.AREA_NOT_DECLARED} else "",
    )
