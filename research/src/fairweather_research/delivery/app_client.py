"""Ask a running app about a delivery: whether it has it, where it answers, how it did since.

Answers are bounded in size and time, and no redirect is followed.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from typing import Self
from urllib.parse import quote, urlsplit

from fairweather_interface.metadata import ModelMetadata
from pydantic import BaseModel, ValidationError

from fairweather_research.errors import AppError

_SECONDS = 10  # for one answer
_LARGEST = 16 << 20  # bytes of one
_POLL_SECONDS = 2
_MOST_AREAS = 20
_HANDLERS = (
    *(urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler),
    *(urllib.request.HTTPErrorProcessor, urllib.request.HTTPDefaultErrorHandler),
)


class AppAnswer(BaseModel):
    """An answer of an app, or an entry of one, as far as it is needed here."""

    delivery_id: str = ""
    model_type: str | None = None
    state: str = ""
    code: str | None = None
    reason: str | None = None
    detail: str = ""
    areas: tuple[str, ...] = ()
    rollout: tuple[Self, ...] = ()  # by area: state and reason
    store: Self | None = None
    checked_at: str | None = None  # of the store
    receipt: Self | None = None
    refused: tuple[Self, ...] = ()
    live_scores: tuple[Self, ...] | None = ()
    lived_skill: tuple[Self, ...] = ()
    area: str = ""
    variable: str = ""
    lead_day: int = 0
    count: int = 0
    mae: float = 0.0
    other: str = ""  # another delivery
    other_mae: float = 0.0

    @property
    def is_live(self) -> bool:
        """Whether the delivery may answer, or is on trial."""
        return self.state == "live"


class App:
    """A running app at an address such as ``https://weather.example.org``."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise AppError(
                "found no address of an app, expected one such as https://weather.example.org, "
                "without a password"
            )
        self.address = address.rstrip("/")
        self._opener = urllib.request.OpenerDirector()
        for handler in _HANDLERS:
            self._opener.add_handler(handler())

    def get(self, path: str) -> AppAnswer:
        """Return the answer at a path, or the problem that stands in its place.

        Raises:
            AppError: there is no answer in time, it is larger than any of an app, or another one.
        """
        url, end, content = f"{self.address}{path}", time.monotonic() + _SECONDS, b""
        request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - http, see above
        try:
            try:
                answer = self._opener.open(request, timeout=_SECONDS)
            except urllib.error.HTTPError as error:  # a problem, or a redirect
                answer = error
            with answer:
                while len(content) <= _LARGEST and time.monotonic() < end:
                    if not (chunk := answer.read1(1 << 16)):
                        break
                    content += chunk
            return AppAnswer.model_validate_json(content[:_LARGEST])  # what was cut is no JSON
        except ValidationError:
            place = answer.headers.get("Location")
            reason = f"status {answer.status}" + (f", at {place[:200]} instead" if place else "")
        except (OSError, HTTPException) as error:
            reason = " ".join(str(error).split())[:200]
        raise AppError(f"{url}: no answer of an app ({reason}); is one running there?")

    def delivery(self, delivery_id: str) -> AppAnswer | None:
        """Return what the app knows of a delivery; None where it does not know it (yet)."""
        found = self.get(f"/models/{quote(delivery_id)}")
        return found if found.delivery_id == delivery_id else None

    def wait_for(self, delivery_id: str, seconds: float) -> AppAnswer | None:
        """Return what the app knows of a delivery once it has looked at it; None if it did not.

        An app that cannot be asked is asked again while there is time. A state that is not live
        counts once the app has looked at the store again: it may be of an earlier look.
        """
        end, first = time.monotonic() + seconds, None
        while True:
            late, found = time.monotonic() >= end, None
            try:
                if found := self.delivery(delivery_id):
                    store = self.get("/models?limit=1").store
                    first = first or store
                    if found.is_live or store != first:
                        return found
            except AppError:
                if late:
                    raise
            if late:
                return found
            time.sleep(_POLL_SECONDS)


def state_lines(app: App, found: AppAnswer) -> Iterator[str]:
    """Yield the state of a delivery in an app and, for each area, where it ranks now."""
    trials = {each.area: f"{each.state}: {each.reason}; " for each in found.rollout}
    on_trial = found.is_live and any(each.state == "trial" for each in found.rollout)
    reason = f": {found.code}: {found.reason}" if found.code else ""
    state = "on trial" if on_trial else found.state
    yield f"{state}: {found.delivery_id} at {app.address}{reason}"
    areas = found.areas if found.is_live else ()
    for area in areas[:_MOST_AREAS]:
        yield f"  {area}: {trials.get(area, '')}{_rank(app, found.delivery_id, area)}"
    if len(areas) > _MOST_AREAS:
        yield f"  and {len(areas) - _MOST_AREAS} more areas"


def _rank(app: App, delivery_id: str, area: str) -> str:
    """Describe which delivery answers for an area now, and where this one ranks."""
    answer = app.get(f"/weather/predict?area={quote(area, safe='')}")
    receipt = answer.receipt or answer
    for each in receipt.refused:
        if each.delivery_id == delivery_id:
            return f"cannot answer now: {each.code}: {each.reason}"
    if receipt.delivery_id == delivery_id:
        return "answers now"
    if receipt.delivery_id:
        return f"ranks after {receipt.model_type} {receipt.delivery_id}, which answers now"
    return f"nobody answers now: {answer.detail}"


def skill_rows(found: AppAnswer, metadata: ModelMetadata) -> Iterator[tuple[str, ...]]:
    """Yield area, variable, lived error on day 1, its count, lived skill and declared skill.

    Lived skill is the share of another delivery's error on day 1 that this one takes away, over
    forecasts of the same hours. What is not known is ``-``.
    """
    for one in metadata.performance:
        scores, others = (
            [each for each in rows or () if (each.area, each.variable) == (one.area, one.variable)]
            for rows in (found.live_scores, found.lived_skill)
        )
        symbol = metadata.variable_table[one.variable].symbol
        day = [(f"{each.mae:.2f} {symbol}", each.count) for each in scores if each.lead_day == 1]
        error, count = day[0] if day else ("-", 0)
        lived = [
            f"{1 - each.mae / each.other_mae:.0%} beside {each.other[:8]} ({each.count} forecasts)"
            for each in others
            if each.other_mae > 0
        ]
        declared = "-" if one.skill is None else f"{one.skill:.0%}"
        yield one.area, one.variable, error, str(count), "\n".join(lived) or "-", declared
