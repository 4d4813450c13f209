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


def remembered_area() -> str:
    """Return the area that was read last; empty when there is none."""
    return unquote(flask.request.cookies.get(AREA, ""), errors="replace")


def chosen_units() -> Units:
    """Return the units to show: the address's, else the remembered ones, else °C."""
    asked = read_units(flask.request.args.get("units"))
    return asked or read_units(flask.request.cookies.get(UNITS)) or CELSIUS


def remember(answer: flask.Response, *, area: str = "", units: Units | None = None) -> None:
    """Remember what was chosen, where it is not remembered already."""
    if area and area != remembered_area():
        _keep(answer, AREA, quote(area))
    if units is not None and units != flask.request.cookies.get(UNITS):
        _keep(answer, UNITS, units)


def _keep(answer: flask.Response, name: str, value: str) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=FOR,
        path=flask.url_for("page.index"),
        secure=flask.request.is_secure,
        httponly=True,
        samesite="Lax",
    )
