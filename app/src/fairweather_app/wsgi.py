"""For WSGI servers: ``granian --interface wsgi fairweather_app.wsgi:app``, or any other."""

from fairweather_app.application import create_app
from fairweather_app.serving import show_log, start_polling

show_log()
app = create_app()
start_polling(app)
