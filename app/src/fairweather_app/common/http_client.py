"""Pools of connections to other servers, through the proxy that the environment names.

A response is whole in time and not too long, or it is none. The time limit of HTTP libraries
applies between two reads: a server that sends a byte now and then keeps its client for ever. Here
the connection is shut down when the read timeout of the request is over, and a response that is
longer than `LONGEST_RESPONSE`, decompressed, is `TooLongError`.

``HTTP_PROXY``, ``HTTPS_PROXY`` or else ``ALL_PROXY``, in either case, is the proxy for addresses of
that scheme. ``NO_PROXY`` lists what is connected to directly, separated by commas: hosts, domains,
networks such as ``10.0.0.0/8``, or ``*``.
"""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from ipaddress import ip_address, ip_network
from socket import SHUT_RDWR
from threading import Timer
from typing import Any
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse
from urllib3.util import Url, make_headers, parse_url

from fairweather_app.errors import SettingsError

LONGEST_RESPONSE = 64 << 20
_PART = 1 << 16


class TooLongError(urllib3.exceptions.HTTPError):
    """A response is longer than `LONGEST_RESPONSE`."""


class _LimitedConnection(HTTPConnection):
    """A connection whose response is read to its end, within its limits of time and length."""

    def request(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as urllib3 calls it
        """Send a request; `getresponse` reads the content of its response."""
        super().request(*args, **options | {"preload_content": False})

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 does
        """Wait for the whole response, headers and body; raises `TimeoutError`."""
        late: list[bool] = []
        sock = self.sock  # http.client lets go of it before the body is read

        def end() -> None:
            late.append(True)
            with suppress(OSError):  # the server may have hung up just now
                sock.shutdown(SHUT_RDWR)

        timer = Timer(float(self.timeout or 0), end)
        timer.daemon = True
        timer.start()
        try:
            found = _read(super().getresponse())
        except Exception as error:
            if late:
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()
        if late:  # headers that were cut off look like a short response
            raise TimeoutError
        return found


def _read(found: HTTPResponse) -> HTTPResponse:
    """Read a response to its end, and return it with its content in memory."""
    content = BytesIO()
    for part in found.stream(_PART):
        content.write(part)
        if content.tell() > LONGEST_RESPONSE:
            most = f"{LONGEST_RESPONSE >> 20} MB"
            raise TooLongError(f"it answers {found.status} with more than {most}")
    content.seek(0)
    return HTTPResponse(
        content,
        headers=found.headers,
        status=found.status,
        reason=found.reason,
        decode_content=False,
        enforce_content_length=False,
    )


class _LimitedTLSConnection(_LimitedConnection, HTTPSConnection):
    """The same, encrypted."""


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _LimitedConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _LimitedTLSConnection


def open_pool(url: str, **options: Any) -> urllib3.PoolManager:  # noqa: ANN401 - as urllib3 takes them
    """Return a pool for `url`; its `proxy` is the address in use, without user and password.

    What the environment names and is no HTTP proxy is `SettingsError`.
    """
    target, proxies = parse_url(url), getproxies()
    given = proxies.get(target.scheme or "") or proxies.get("all")
    if not given or _is_direct(target, proxies.get("no", "")):
        return _limited(urllib3.PoolManager(**options))
    try:
        proxy = parse_url(given if "://" in given else f"http://{given}")
        user = make_headers(proxy_basic_auth=unquote(proxy.auth, "latin-1")) if proxy.auth else None
        manager = urllib3.ProxyManager(proxy._replace(auth=None).url, proxy_headers=user, **options)
        return _limited(manager)
    except urllib3.exceptions.HTTPError:  # which may hold a password
        name = f"{target.scheme}_PROXY".upper()
        expected = "is no address of an HTTP proxy: expected one such as http://proxy.example:3128"
        raise SettingsError([f"{name} (or ALL_PROXY) {expected}"]) from None


def _limited(pool: urllib3.PoolManager) -> urllib3.PoolManager:
    pool.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    return pool


def _is_direct(target: Url, listed: str) -> bool:
    """Return whether a list names the host, a domain or a network that it is in, or all."""
    if proxy_bypass(target.netloc or ""):
        return True
    for each in listed.split(","):
        with suppress(ValueError):  # one of the two is a name
            network = ip_network(each.strip(), strict=False)
            if ip_address((target.host or "").strip("[]")) in network:
                return True
    return False
