"""From the name in the settings to a provider.

A name is a packaged provider's (``open-meteo``), an entry point's of the group
``fairweather_app.providers``, or ``package.module:callable``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points

from fairweather_app.errors import SettingsError
from fairweather_app.observations.providers.open_meteo import OpenMeteo
from fairweather_app.observations.providers.protocol import MakeProvider, Provider

GROUP = "fairweather_app.providers"
PACKAGED: Mapping[str, MakeProvider] = {"open-meteo": OpenMeteo}


def find_provider(name: str, url: str | None) -> Provider:
    """The provider of a name, asking at `url` or at its own address.

    Raises:
        SettingsError: there is none of that name, or it cannot be imported.
    """
    installed = {each.name: each.value for each in entry_points(group=GROUP)}
    if name in PACKAGED:
        return PACKAGED[name](url)
    module, _, attribute = installed.get(name, name).partition(":")
    if not attribute:
        known = ", ".join(sorted({*PACKAGED, *installed}))
        raise SettingsError(
            [f"FAIRWEATHER_PROVIDER is {name!r}: expected {known}, or package.module:callable"]
        )
    try:
        make = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            [f"FAIRWEATHER_PROVIDER is {name!r}: {module}:{attribute} cannot be had ({error})"]
        ) from None
    if not callable(make):
        raise SettingsError(
            [f"FAIRWEATHER_PROVIDER is {name!r}: expected a callable, found {make!r}"]
        )
    provider: Provider = make(url)
    if not callable(getattr(provider, "fetch", None)):
        raise SettingsError(
            [f"FAIRWEATHER_PROVIDER is {name!r}: expected it to give an object with `fetch`"]
        )
    return provider
