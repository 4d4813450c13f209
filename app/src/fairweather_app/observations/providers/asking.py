"""Asking a provider over HTTP: JSON, with patience.

What may pass is asked again: a connection that breaks, 429 and the server errors that speak of
overload. ``Retry-After`` is obeyed; who asks for longer than `LONGEST_WAIT` is not asked again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import urllib3

from fairweather_app.errors import ProviderError

ATTEMPTS_MORE = 4
LONGEST_WAIT = 120.0
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
_PASSING = frozenset({429, 500, 502, 503, 504})
_SHOWN = 200


class _Patience(urllib3.Retry):
    """Retries that give up where they are told to come back much later."""

    def get_retry_after(self, response: urllib3.BaseHTTPResponse) -> float | None:
        seconds = super().get_retry_after(response)
        if seconds is not None and seconds > LONGEST_WAIT:
            raise _TooLongError(f"it answers {response.status}: ask again in {seconds:.0f} s")
        return seconds


class _TooLongError(urllib3.exceptions.HTTPError):
    """The server wants to be asked much later."""


def ask_json(provider: str, url: str, query: Mapping[str, str]) -> tuple[int, Any]:
    """The status and the JSON that `url` answers, with `query` added to its own.

    Raises:
        ProviderError: there is no answer, or it is not JSON.
    """
    bare = url.partition("?")[0]  # the query may hold a key
    full = f"{url}{'&' if '?' in url else '?'}{urlencode(query, safe=',')}"
    patience = _Patience(
        total=ATTEMPTS_MORE,
        status_forcelist=_PASSING,
        backoff_factor=1.0,
        raise_on_status=False,
    )
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    try:
        with urllib3.PoolManager(retries=patience, timeout=timeout) as http:
            answer = http.request("GET", full)
    except urllib3.exceptions.MaxRetryError as error:
        raise ProviderError(provider, f"{bare} cannot be reached: {_why(error.reason)}") from None
    except urllib3.exceptions.HTTPError as error:
        raise ProviderError(provider, f"{bare} cannot be used: {error}") from None
    try:
        return answer.status, json.loads(answer.data)
    except ValueError:
        phrase = HTTPStatus(answer.status).phrase if answer.status in _STATUSES else ""
        shown = " ".join(answer.data[:_SHOWN].decode(errors="replace").split())
        raise ProviderError(
            provider,
            f"{bare} answers {answer.status} {phrase} and no JSON, but {shown!r}; "
            "FAIRWEATHER_PROVIDER_URL names the address",
        ) from None


_STATUSES = frozenset(int(each) for each in HTTPStatus)


def _why(reason: Exception | None) -> str:
    """What urllib3 says, without the object that it was said by."""
    return re.sub(r"^.*?\): ", "", str(reason)) or type(reason).__name__
