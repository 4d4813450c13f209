"""Keep the area and the units that a reader chose, in two cookies.

Cookies and not the browser's storage, because they work without JavaScript. They hold the two
choices and nothing else; an area or units in the address come before them.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote, unquote

import flask

from fairweather_app.web.layout.units import CELSIUS, Units, read_units

AREA = "fairweather-area"
UNITS = "fairweather-units"
FOR = timedelta(days=365)


def last_area() -> str:
    """Return the area that was read last; empty when there is none."""
    return unquote(flask.request.cookies.get(AREA, ""), errors="replace")


def chosen_units() -> Units:
    """Return the units to show: the address's, else the cookie's, else °C."""
    asked = read_units(flask.request.args.get("units"))
    return asked or read_units(flask.request.cookies.get(UNITS)) or CELSIUS


def keep_preferences(answer: flask.Response, *, area: str = "") -> flask.Response:
    """Set cookies for an area and for the units of the address, where they are not set already."""
    units = read_units(flask.request.args.get("units"))
    chosen = {AREA: quote(area), UNITS: units or ""}
    for name, value in chosen.items():
        if value and value != flask.request.cookies.get(name):
            answer.set_cookie(
                name,
                value,
                max_age=FOR,
                path=flask.url_for("page.index"),
                secure=flask.request.is_secure,
                httponly=True,
                samesite="Lax",
            )
    return answer
