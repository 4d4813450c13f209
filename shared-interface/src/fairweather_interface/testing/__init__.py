"""The testing kit: valid metadata, tiny and golden deliveries, golden windows for both teams.

Installed with ``fairweather-interface[testing]``, its fixtures are there in pytest: ``store`` (an
empty one), ``tiny_delivery`` (:func:`build_delivery`, bound to that store), ``golden_window`` and
``golden_delivery`` (a test that asks for one runs once for each, the latter for each folder below
those that the ini option ``golden_deliveries`` names). A producer's test ends with
:func:`assert_delivery_conforms`.
"""

from fairweather_interface.testing.builders import build_delivery, metadata_document
from fairweather_interface.testing.conformance import assert_delivery_conforms
from fairweather_interface.testing.identity import identity_onnx
from fairweather_interface.testing.vocabulary import vocabulary_problems
from fairweather_interface.testing.windows import GOLDEN_WINDOWS, GoldenWindow

__all__ = [
    "GOLDEN_WINDOWS", "GoldenWindow", "assert_delivery_conforms", "build_delivery",
    "identity_onnx", "metadata_document", "vocabulary_problems",
]  # fmt: skip
