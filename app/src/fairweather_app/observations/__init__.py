"""Observations: reading archives, keeping them in a database, and the windows models are fed with.

`reading` judges a file and makes an `archive` of it, `store` keeps that, `windows` makes of it
what a model asks for, `ready` keeps that in memory, `given` does so with what a request brings
along. Nothing here knows of
deliveries or HTTP; `reading` brings a large library and is imported by the command that needs it.
"""

from fairweather_app.observations.series import Archive
from fairweather_app.observations.store import ObservationStore
from fairweather_app.observations.window_cache import ReadyWindows
from fairweather_app.observations.windows import Wanted, Window, get_inputs

__all__ = ["Archive", "ObservationStore", "ReadyWindows", "Wanted", "Window", "get_inputs"]
