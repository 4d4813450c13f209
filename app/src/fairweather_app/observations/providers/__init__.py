"""Providers: where `observations fetch` gets observations from. One module each.

`protocol` says what a provider is, `finding` how the setting names one, `asking` how one asks
over HTTP. `open_meteo` is packaged; anybody can bring another, from outside.
"""

from fairweather_app.observations.providers.finding import PACKAGED, find_provider
from fairweather_app.observations.providers.protocol import Provider, Reading

__all__ = ["PACKAGED", "Provider", "Reading", "find_provider"]
