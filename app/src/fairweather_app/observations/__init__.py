"""Observations: archives, the database that stores them, and the windows that models need.

`archive_file` reads a file into an `Archive`, `store` stores it, `windows` computes the windows of
a model's inputs, `window_cache` keeps them in memory, `request_windows` makes those of a request.
Nothing here depends on deliveries or HTTP. `archive_file` imports a large library: import it only
where a command needs it.
"""

from fairweather_app.observations.store import Archive, ObservationStore
from fairweather_app.observations.window_cache import WindowCache
from fairweather_app.observations.windows import Window, WindowSpec, get_inputs

__all__ = ["Archive", "ObservationStore", "Window", "WindowCache", "WindowSpec", "get_inputs"]
