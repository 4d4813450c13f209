"""Serve weather forecasts from delivered models, or refuse with a reason.

A tour in two minutes::

    from fairweather_app import create_app

    app = create_app({"store": "deliveries", "observations": "sqlite:///observations.sqlite"})
    app.extensions["fairweather"].catalogue.refresh()       # scan the store once
    app.test_client().get("/weather/predict?area=JFK").json

A **delivery** that appears in the store is copied, verified, loaded and tested (`catalogue`). It is
live in the next **snapshot**. A request tries the models in the order that `forecasting` ranks
them, with windows of `observations`, and returns the first forecast that passes every check; each
delivery that was refused is listed with a code. ``flask --app fairweather_app run`` serves, and
polls the store while it does (`background.poller`).
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime reads it once, when it is imported

from fairweather_app.background.poller import start_polling
from fairweather_app.factory import create_app
from fairweather_app.settings import Settings, load_settings

__all__ = ["Settings", "create_app", "load_settings", "start_polling"]
