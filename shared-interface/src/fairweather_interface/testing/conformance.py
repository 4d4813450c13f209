"""What a producer's test asks of a delivery it made."""

from __future__ import annotations

from pathlib import Path

from fairweather_interface.delivery import open_delivery, verify_delivery
from fairweather_interface.errors import UnsupportedSchemaError, listed
from fairweather_interface.metadata import WRITTEN_SCHEMAS
from fairweather_interface.versions import SchemaVersion


def assert_delivery_conforms(path: Path) -> None:
    """Assert that a delivery is all that the contract asks of one, and that readers may rely on it.

    That is what ``verify`` finds: every byte, the layout, the laws of a strict writer, the
    examples. And it is read by the oldest reader that it declares to need, and by no older one.

    Raises:
        AssertionError: it is not; the message lists every problem.
    """
    problems = list(verify_delivery(path))
    if not problems:
        metadata = open_delivery(path).metadata
        needed = SchemaVersion.parse(metadata.min_reader)
        for schema in WRITTEN_SCHEMAS:
            try:
                open_delivery(path, reader=schema)
                reads = True
            except UnsupportedSchemaError:
                reads = False
            if reads != (SchemaVersion.parse(schema) >= needed):
                does = "reads" if reads else "refuses"
                problems.append(f"min_reader {needed}: a reader of {schema} {does} it")
    if problems:
        raise AssertionError(listed(f"{path} does not conform:", tuple(problems)))
