"""The WSGI app for a server's workers, of ``fairweather-app serve`` or any other.

Do not preload: neither the thread that polls the store nor a loaded model survives a fork.
"""

from fairweather_app.api.request_log import LOGS_REQUESTS
from fairweather_app.background.poller import start_polling
from fairweather_app.common.logging import show_log
from fairweather_app.factory import create_app
from fairweather_app.settings import load_settings

FIRST_REFRESH_SECONDS = 10.0
"""A worker takes requests after its first refresh, or after so long without one."""

_settings = load_settings()
show_log(_settings.log_format)
app = create_app(_settings)
app.config[LOGS_REQUESTS] = _settings.log_requests
start_polling(app).wait_for_first_refresh(FIRST_REFRESH_SECONDS)
