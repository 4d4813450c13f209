"""The app behind a proxy: below a path prefix, and with the scheme that its clients see.

Laws:

- Links, redirects, cookies and the OpenAPI document begin with the prefix: a trusted
  ``X-Forwarded-Prefix``, else the setting, else where the WSGI server mounts the app.
- A proxy may strip the setting from the path of a request or leave it: what is an address of the
  app as it stands is one. What it names in ``X-Forwarded-Prefix`` it has stripped.
- ``X-Forwarded-*`` beyond the number of proxies changes nothing, nor does a prefix that is no plain
  path: ``//elsewhere.example`` is another host to a browser.
- A redirect names no host and no scheme.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from fairweather_app.setting_values import PATH_PREFIX
from fairweather_app.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORWARDED = "X-Forwarded-Prefix"


def install_reverse_proxy(app: Flask, settings: Settings) -> None:
    """Serve an app below its prefix, and trust the proxies that the settings count."""

    @app.after_request
    def _for_every_client(answer: Response) -> Response:
        if answer.location:
            answer.location = re.sub(r"^[^/]*//[^/]*", "", answer.location)
            answer.set_data("")  # werkzeug's says host and scheme too
        if settings.proxies:
            answer.vary.add(FORWARDED)
        return answer

    if settings.path_prefix or settings.proxies:
        behind: Any = _BehindProxy(app, settings.path_prefix, settings.proxies)
        app.wsgi_app = behind  # type: ignore[method-assign]


class _BehindProxy:
    """A WSGI application to be put in front of an app's own."""

    def __init__(self, app: Flask, prefix: str | None, trusted: int) -> None:
        self._app: WSGIApplication = app.wsgi_app
        self._addresses, self._prefix = app.url_map.bind(""), prefix
        self._forwarded = ProxyFix(self._plain, trusted, trusted, trusted, x_prefix=trusted)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        prefix, path = self._prefix, environ["PATH_INFO"]
        if prefix:
            environ["SCRIPT_NAME"] = prefix
            if f"{path}/".startswith(f"{prefix}/") and not self._addresses.test(path):
                environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        return self._forwarded(environ, start)

    def _plain(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a request; what was forwarded as its prefix counts if it is a plain path."""
        if not PATH_PREFIX.fullmatch(environ.get("SCRIPT_NAME", "").rstrip("/")):
            environ["SCRIPT_NAME"] = environ["werkzeug.proxy_fix.orig"]["SCRIPT_NAME"] or ""
        return self._app(environ, start)
