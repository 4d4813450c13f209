"""For WSGI servers, in each worker: ``fairweather-app serve`` does it, or any other.

Do not preload: neither the thread that watches the store nor a loaded model survives a fork.
"""

from fairweather_app.accounting import LOGS_REQUESTS
from fairweather_app.application import create_app
from fairweather_app.config import load_settings
from fairweather_app.logs import show_log
from fairweather_app.serving import start_polling

_settings = load_settings()
show_log(_settings.log_format)
app = create_app(_settings)
app.config[LOGS_REQUESTS] = _settings.log_requests
start_polling(app)
