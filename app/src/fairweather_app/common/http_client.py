"""Pools of connections to other servers, through the proxy that the environment names.

``HTTP_PROXY``, ``HTTPS_PROXY`` or else ``ALL_PROXY``, in either case, is the proxy for addresses of
that scheme. ``NO_PROXY`` lists what is connected to directly, separated by commas: hosts, domains,
networks such as ``10.0.0.0/8``, or ``*``.
"""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.util import Url, make_headers, parse_url

from fairweather_app.errors import SettingsError


def open_pool(url: str, **options: Any) -> urllib3.PoolManager:  # noqa: ANN401 - as urllib3 takes them
    """Return a pool for `url`; its `proxy` is the address in use, without user and password.

    What the environment names and is no HTTP proxy is `SettingsError`.
    """
    target, proxies = parse_url(url), getproxies()
    given = proxies.get(target.scheme or "") or proxies.get("all")
    if not given or _is_direct(target, proxies.get("no", "")):
        return urllib3.PoolManager(**options)
    try:
        proxy = parse_url(given if "://" in given else f"http://{given}")
        user = make_headers(proxy_basic_auth=unquote(proxy.auth, "latin-1")) if proxy.auth else None
        return urllib3.ProxyManager(proxy._replace(auth=None).url, proxy_headers=user, **options)
    except urllib3.exceptions.HTTPError:  # which may hold a password
        name = f"{target.scheme}_PROXY".upper()
        expected = "is no address of an HTTP proxy: expected one such as http://proxy.example:3128"
        raise SettingsError([f"{name} (or ALL_PROXY) {expected}"]) from None


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
