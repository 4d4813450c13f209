"""Where the parts come together: `create_app`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import click
from flask import Flask
from flask.cli import NoAppException

from fairweather_app.api.extensions import compress_answers, install_cors
from fairweather_app.api.fast_path import FastPath
from fairweather_app.api.forecast_response import RESPONSES, ForecastResponses
from fairweather_app.api.problems import register_problems
from fairweather_app.api.request_log import install_request_log
from fairweather_app.api.reverse_proxy import install_reverse_proxy
from fairweather_app.api.routes import api
from fairweather_app.background.poller import serves_here, start_polling
from fairweather_app.cli.release import register_commands
from fairweather_app.common.logging import show_log
from fairweather_app.errors import OverridesError, SettingsError
from fairweather_app.forecasting.context import EXTENSION, build_app_context
from fairweather_app.settings import Settings, load_settings, unknown_variables
from fairweather_app.web import register_pages


def create_app(settings: Settings | Mapping[str, Any] | None = None) -> Flask:
    """Make the Flask app.

    Starts no thread and reads no delivery: see `background.poller`. What is not among `settings`
    comes from the environment, the configuration file and the defaults.

    Raises:
        SettingsError: a setting is wrong, or the cache cannot be written (as a usage error inside
            a ``flask`` command).
        OverridesError: the file of `override_cities` is wrong (likewise).
    """
    try:
        chosen = load_settings(settings)
        app_context = build_app_context(chosen)
    except (SettingsError, OverridesError) as error:
        if click.get_current_context(silent=True) is None:
            raise
        raise NoAppException(str(error)) from None  # flask prints it without a stack trace
    for warning in unknown_variables():
        with suppress(OSError):  # a full disk, or a reader that has gone
            click.echo(f"Warning: {warning}", err=True)
    app = Flask("fairweather_app", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = chosen.body_limit + 1  # one more is how a longer one shows
    responses = ForecastResponses(app_context)
    app.extensions.update({EXTENSION: app_context, RESPONSES: responses})
    app.register_blueprint(api)
    register_pages(app)
    log = install_request_log(app, app_context)
    compress_answers(app)
    install_cors(app, chosen.cors_origins)
    register_problems(app)
    register_commands(app)
    fast_path: Any = FastPath(app.wsgi_app, responses, log, chosen)
    app.wsgi_app = fast_path  # type: ignore[method-assign]
    install_reverse_proxy(app, chosen)
    if serves_here():
        show_log(chosen.log_format)
        start_polling(app)
    return app
