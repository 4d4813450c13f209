"""Keep the area and the units, °C or °F, that a reader chose, in two cookies.

Cookies and not the browser's storage, because they work without JavaScript. They hold the two
choices and nothing else; an area or units in the address come before them. Data stay in the
contract's units: only what is shown is converted, here, and only temperatures.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Literal
from urllib.parse import quote, unquote

import flask

Units = Literal["C", "F"]
CELSIUS: Units = "C"
FAHRENHEIT: Units = "F"
NAMES: dict[Units, str] = {"C": "°C", "F": "°F"}

_CELSIUS_IN_DATA = "degC"

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


def read_units(text: str | None) -> Units | None:
    """Return the units that an address or a cookie names, in either case; None if it does not."""
    return {"c": CELSIUS, "f": FAHRENHEIT}.get((text or "").strip().lower())


def shown_unit(unit: str, units: Units) -> str:
    """Return the unit that values in `unit` are shown in: ``°F``, or `unit` itself."""
    return NAMES[FAHRENHEIT] if units == FAHRENHEIT and unit == _CELSIUS_IN_DATA else unit


def shown_values(values: Iterable[float | None], unit: str, units: Units) -> list[float | None]:
    """Return values in `unit` as they are shown."""
    if shown_unit(unit, units) == unit:
        return list(values)
    return [None if value is None else value * 9 / 5 + 32 for value in values]
