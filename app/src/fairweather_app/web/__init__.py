"""Pages for people: the forecast at ``/``, the models, their coverage, the API's document.

A page is a `Page` in `PAGES`: its address, its link in the foot of all pages, its place in the
OpenAPI document and the checks of the browser follow from it.
"""

from __future__ import annotations

import shlex

import flask

from fairweather_app.web.docs import docs_page, send_library
from fairweather_app.web.forecast.page import forecast_page
from fairweather_app.web.layout.assets import asset_url, send_asset
from fairweather_app.web.layout.page import Page
from fairweather_app.web.layout.rendering import index_address, lock_down
from fairweather_app.web.layout.wording import counted, sentence
from fairweather_app.web.model_pages.coverage import coverage_page
from fairweather_app.web.model_pages.detail import show_model
from fairweather_app.web.model_pages.listing import show_models

__all__ = ["PAGES", "Page", "register_pages"]

PAGES = (
    Page(endpoint="page.index", view=forecast_page, rule="/", title="Areas", query={"area": ""}),
    Page(endpoint="api.list_models", view=show_models, title="Models"),
    Page(endpoint="api.get_model", view=show_model),
    Page(endpoint="page.coverage", view=coverage_page, rule="/coverage", title="Coverage"),
    Page(endpoint="page.docs", view=docs_page, rule="/docs", title="API"),
)
"""Every page; those with a title are linked in this order in the foot of all pages."""


def register_pages(app: flask.Flask) -> None:
    """Register `PAGES` and their files; the routes of the HTTP API are there before."""
    blueprint = flask.Blueprint("page", __name__, template_folder="templates")
    blueprint.after_request(lock_down)
    blueprint.add_url_rule("/page/<path:name>", "asset", send_asset)
    blueprint.add_url_rule("/docs/<name>", "docs_file", send_library)
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
