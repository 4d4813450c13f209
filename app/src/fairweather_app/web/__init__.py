"""Pages for people: the forecast at ``/``, the models, their coverage, the API's document.

A page is a `Page` in `PAGES`: its address, its link in the foot of all pages, its place in the
OpenAPI document and the checks of the browser follow from it.
"""

from __future__ import annotations

import shlex

import flask

from fairweather_app.web import docs
from fairweather_app.web.forecast import page as forecast_page
from fairweather_app.web.layout.assets import asset_url, send_asset
from fairweather_app.web.layout.page import Page
from fairweather_app.web.layout.rendering import index_address, lock_down
from fairweather_app.web.layout.wording import counted, sentence
from fairweather_app.web.model_pages import coverage, detail, listing

__all__ = ["PAGES", "Page", "register_pages"]

PAGES: tuple[Page, ...] = (forecast_page.PAGE, listing.PAGE, detail.PAGE, coverage.PAGE, docs.PAGE)
"""Every page; those with a title are linked in this order in the foot of all pages."""


def register_pages(app: flask.Flask) -> None:
    """Register `PAGES` and their files; the routes of the HTTP API are there before."""
    blueprint = flask.Blueprint("page", __name__, template_folder="templates")
    blueprint.after_request(lock_down)
    blueprint.add_url_rule("/page/<path:name>", "asset", send_asset)
    blueprint.add_url_rule("/docs/<name>", "docs_file", docs.send_library)
    for page in PAGES:
        page.register(app, blueprint)
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(
        asset_url=asset_url,
        counted=counted,
        index_address=index_address,
        navigation=[page for page in PAGES if page.title],
        sentence=sentence,
        shell_quoted=shlex.quote,
    )
