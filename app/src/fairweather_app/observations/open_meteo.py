"""Open-Meteo: hourly values for any place, from https://open-meteo.com or a server of one's own.

Its values are analyses of weather models at the place, not readings of a station there. With
``timezone=GMT`` its times are UTC without an offset. The address of its archive takes the same
query. Free use is non-commercial and limited; the data are CC BY 4.0.

A request is repeated when a connection breaks, on 429 and on the server errors of overload.
``Retry-After`` is obeyed, unless it is longer than `LONGEST_WAIT`. A redirect is followed on the
same host, with the same scheme: nobody sends the app to an address that only the app can reach.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urljoin

import urllib3
from fairweather_interface.errors import short
from fairweather_interface.metadata import Area
from fairweather_interface.metadata.record import parse_json
from fairweather_interface.variables import VARIABLES
from urllib3.util import parse_url

from fairweather_app.common.http_client import open_pool
from fairweather_app.errors import ProviderError
from fairweather_app.observations.providers import Reading
from fairweather_app.text import LONGEST, cut

NAME = "open-meteo"
ADDRESS = "https://api.open-meteo.com/v1/forecast"
PLACES_AT_ONCE = 50

ATTEMPTS_MORE = 4
LONGEST_WAIT = 120.0
CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0
"""For a whole answer; what all answers may take is the limit of `fetch`."""
MOST_REDIRECTS = 3
MOST_PARTS = 10_000
"""Lists and objects of an answer: some ten are in a place's."""
_PASSING = frozenset({429, 500, 502, 503, 504})

NAMES = {
    "temperature_2m": "temperature",
    "relative_humidity_2m": "humidity",
    "dew_point_2m": "dew_point",
    "pressure_msl": "pressure",
    "wind_speed_10m": "wind_speed",
}
"""Its names of variables, and the contract's."""
UNITS = {variable.symbol: variable.unit for variable in VARIABLES.values()}
"""Units as people write them, and UDUNITS; any other is passed on, and refused as wrong."""

Wrong = Callable[[str], ProviderError]
"""Makes the error of a problem."""


class OpenMeteo:
    """The provider at `url`, which may have a query: its forecast address, or its archive's."""

    def __init__(self, url: str | None = None) -> None:
        self.url = url or ADDRESS

    def fetch(
        self, places: Mapping[str, Area], *, since: datetime, until: datetime
    ) -> Iterator[Reading]:
        """Yield the readings of `places` in [since, until], in whole days, nulls included."""
        names = sorted(places)
        for start in range(0, len(names), PLACES_AT_ONCE):
            asked = names[start : start + PLACES_AT_ONCE]
            locations = self._request([places[name] for name in asked], since, until)
            for name, location in zip(asked, locations, strict=True):
                yield from _readings(name, location)

    def _request(self, places: Sequence[Area], since: datetime, until: datetime) -> list[Any]:
        query = {
            "latitude": ",".join(f"{each.latitude:g}" for each in places),
            "longitude": ",".join(f"{each.longitude:g}" for each in places),
            "hourly": ",".join(NAMES),
            "wind_speed_unit": "ms",
            "timezone": "GMT",
            "start_date": f"{since.astimezone(UTC):%Y-%m-%d}",
            "end_date": f"{until.astimezone(UTC):%Y-%m-%d}",
        }
        status, answer = _get_json(self.url, query)
        if isinstance(answer, dict) and answer.get("error"):
            reason = cut(" ".join(str(answer.get("reason", "no reason")).split()))
            raise ProviderError(NAME, f"it answers {status}: {reason}")
        locations = answer if isinstance(answer, list) else [answer]  # of one place no list
        if status != 200 or len(locations) != len(places):  # noqa: PLR2004 - OK
            found = f"{status} with {len(locations)} locations"
            raise ProviderError(NAME, f"it answers {found}; expected 200 with {len(places)}")
        return locations


def _readings(area: str, location: object) -> Iterator[Reading]:

    def wrong(found: str) -> ProviderError:
        return ProviderError(NAME, f"its answer for {area} cannot be understood: {found}")

    if not isinstance(location, dict):
        raise wrong(f"expected an object, found {type(location).__name__}")
    offset = location.get("utc_offset_seconds")
    if offset != 0:
        raise wrong(f"expected times in UTC (utc_offset_seconds 0), found {short(offset)}")
    hourly, units = location.get("hourly"), location.get("hourly_units")
    if not isinstance(hourly, dict) or not isinstance(units, dict):
        raise wrong("expected hourly and hourly_units")
    times = [_time(text, wrong) for text in _column(hourly, "time", None, wrong)]
    for name, variable in NAMES.items():
        unit = str(units.get(name, "none"))
        for time, value in zip(times, _column(hourly, name, len(times), wrong), strict=True):
            yield Reading(area, time, variable, UNITS.get(unit, unit), value)


def _column(hourly: dict[str, Any], name: str, length: int | None, wrong: Wrong) -> list[Any]:
    column = hourly.get(name)
    if not isinstance(column, list):
        raise wrong(f"expected a list hourly.{name}, found {type(column).__name__}")
    if length is not None and len(column) != length:
        raise wrong(f"expected {length} values of hourly.{name}, one a time; found {len(column)}")
    return column


def _time(text: object, wrong: Wrong) -> datetime:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        raise wrong(f"expected a time such as 2013-12-20T00:00, found {short(text)}") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


# --------------------------------------------------------------------------------- over HTTP


class _Patience(urllib3.Retry):
    """Retries that give up when the server asks for a much longer wait."""

    def get_retry_after(self, response: urllib3.BaseHTTPResponse) -> float | None:
        seconds = super().get_retry_after(response)
        if seconds is not None and seconds > LONGEST_WAIT:
            raise _TooLongError(f"it answers {response.status}: ask again in {seconds:.0f} s")
        return seconds


class _TooLongError(urllib3.exceptions.HTTPError):
    """The server asks for a much longer wait."""


def _get_json(url: str, query: Mapping[str, str]) -> tuple[int, Any]:
    """Return the status and the JSON of a GET of `url`, with `query` added to its own."""
    bare = url.partition("?")[0]  # the query may hold a key
    full = f"{url}{'&' if '?' in url else '?'}{urlencode(query, safe=',')}"
    patience = _Patience(
        total=ATTEMPTS_MORE, status_forcelist=_PASSING, backoff_factor=1.0, raise_on_status=False
    )
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    try:
        with open_pool(full, retries=patience, timeout=timeout) as pool:
            bare += f" through the proxy {pool.proxy}" if pool.proxy else ""
            for _ in range(MOST_REDIRECTS + 1):
                answer = pool.request("GET", full, redirect=False)
                target = answer.get_redirect_location()
                if not target:
                    break
                before, full = full, urljoin(full, target)
                if _server(full) != _server(before):
                    raise ProviderError(NAME, f"{bare} sends to another address: {cut(full)}")
    except urllib3.exceptions.MaxRetryError as error:
        # without the object that urllib3 names
        reason = getattr(error.reason, "original_error", error.reason)  # of a proxy
        why = re.sub(r"^.*?\): ", "", str(reason)) or type(reason).__name__
        raise ProviderError(NAME, f"{bare} cannot be reached: {why}") from None
    except (urllib3.exceptions.HTTPError, ValueError) as error:  # or the address of a redirect
        raise ProviderError(NAME, f"{bare} cannot be used: {error}") from None
    if answer.data.count(b"[") + answer.data.count(b"{") <= MOST_PARTS:
        with suppress(ValueError):
            return answer.status, parse_json(answer.data)
    phrase = http.client.responses.get(answer.status, "")
    shown = " ".join(answer.data[:LONGEST].decode(errors="replace").split())
    raise ProviderError(
        NAME,
        f"{bare} answers {answer.status} {phrase} and no JSON, but {shown!r}; "
        "FAIRWEATHER_PROVIDER_URL names the address",
    )


def _server(url: str) -> tuple[str | None, str | None, int | None]:
    found = parse_url(url)
    return found.scheme, found.host, found.port
