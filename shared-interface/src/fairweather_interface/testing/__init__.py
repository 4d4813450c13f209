"""The testing kit: valid metadata, tiny deliveries and golden windows for both teams.

Installed with ``fairweather-interface[testing]``, its fixtures are simply there in pytest:

``store``
    an empty folder for deliveries.
``tiny_delivery``
    :func:`build_delivery`, bound to that store.
``golden_window``
    a raw series and the exact window it must give; a test that asks for it runs once for each.
"""

from fairweather_interface.testing.builders import build_delivery, metadata_document
from fairweather_interface.testing.identity import identity_onnx
from fairweather_interface.testing.windows import GOLDEN_WINDOWS, GoldenWindow

__all__ = [
    "GOLDEN_WINDOWS",
    "GoldenWindow",
    "build_delivery",
    "identity_onnx",
    "metadata_document",
]
