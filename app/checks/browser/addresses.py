"""The addresses that the browser reads: those of all pages, and situations of the forecast page.

The pages are those of the app's own table: a new one is read, measured and held against axe-core
without a change here, unless its address has an argument that `ARGUMENTS` does not know.
"""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import json
import re
import urllib.request
from datetime import timedelta

import flask
import world

from fairweather_app.api.routes import api
from fairweather_app.web import PAGES, register_pages

SITUATIONS = {
    "forecast": "/?area=JFK",
    "past": "/?area=JFK&reference_time={week_ago}",
    "stale": "/?area=EWR",
    "refusal": "/?area=LGA",
    "refused-time": "/?area=JFK&reference_time=2015-07-01T12:00",
    "unknown": "/?area=Atlantis",
}
ARGUMENTS = {"delivery_id": "/models?state=live&limit=1"}
"""By argument of an address: the JSON of which the first model has it."""


def page_addresses() -> dict[str, str]:
    """Return the address of each page by the name of its endpoint, arguments in braces."""
    app = flask.Flask("addresses")
    app.register_blueprint(api)
    register_pages(app)
    rules = {rule.endpoint: rule.rule for rule in app.url_map.iter_rules()}
    addresses = {}
    for page in PAGES:
        address = re.sub(r"<(\w+)>", r"{\1}", rules[page.endpoint])
        unknown = set(re.findall(r"{(\w+)}", address)) - set(ARGUMENTS)
        if unknown:
            raise ValueError(
                f"found {unknown} in {address}, expected a way to fill it: add it to ARGUMENTS"
            )
        # "/" alone leads to the area that was read last
        query = "&".join(f"{name}={text}" for name, text in page.query.items())
        addresses[page.endpoint.partition(".")[2]] = f"{address}?{query}" if query else address
    return addresses


PAGE_ADDRESSES = page_addresses()
ALL = SITUATIONS | PAGE_ADDRESSES


def filled(server: str, path: str) -> str:
    """Return an address of `ALL` with its arguments filled in, as a server knows them."""
    week_ago = world.present() - timedelta(days=7)
    values = {"week_ago": week_ago.strftime("%Y-%m-%dT%H:00Z")}
    for name, source in ARGUMENTS.items():
        if f"{{{name}}}" in path:
            with urllib.request.urlopen(f"{server}{source}", timeout=10) as answer:  # noqa: S310 - loopback
                values[name] = json.load(answer)["models"][0][name]
    return path.format(**values)
