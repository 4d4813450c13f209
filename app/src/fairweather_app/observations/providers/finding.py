"""From the name in the settings to a provider.

A name is a packaged provider's (``open-meteo``), an entry point's of the group
``fairweather_app.providers``, or ``package.module:callable``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points

from fairweather_app.errors import AppError, SettingsError
from fairweather_app.observations.providers.open_meteo import OpenMeteo
from fairweather_app.observations.providers.protocol import MakeProvider, Provider

GROUP = "fairweather_app.providers"
PACKAGED: Mapping[str, MakeProvider] = {"open-meteo": OpenMeteo}


def find_provider(name: str, url: str | None) -> Provider:
    """The provider of a name, asking at `url` or at its own address.

    Raises:
        SettingsError: there is none of that name, or it cannot be imported or made. Whatever code
            of somebody else's raises on the way is told in the sentence.
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
    except Exception as error:  # noqa: BLE001 - a module of somebody else's may raise anything
        raise SettingsError(
            [f"FAIRWEATHER_PROVIDER is {name!r}: {module}:{attribute} cannot be had ({error})"]
        ) from None
    if not callable(make):
        raise SettingsError(
            [f"FAIRWEATHER_PROVIDER is {name!r}: expected a callable, found {make!r}"]
        )
    try:
        provider: Provider = make(url)
    except AppError:
        raise  # says itself what is wrong
    except Exception as error:  # noqa: BLE001 - likewise
        problem = (
            f"FAIRWEATHER_PROVIDER is {name!r}: it cannot be made with the address {url!r} "
            f"({type(error).__name__}: {error}); expected a callable that takes the address of "
            "FAIRWEATHER_PROVIDER_URL, or None, and gives an object with `fetch`"
        )
        raise SettingsError([problem]) from None
    if not callable(getattr(provider, "fetch", None)):
        raise SettingsError(
            [f"FAIRWEATHER_PROVIDER is {name!r}: expected it to give an object with `fetch`"]
        )
    return provider
