"""Metadata: what a model declares, as the document ``metadata.json`` that every delivery holds.

:func:`create_metadata` writes (strictly), :func:`read_metadata` reads (tolerantly), and
``ModelMetadata`` is the newest schema; older documents are upgraded before they become it, and
still report the schema they were written in. A field that is absent and one that is null mean the
same. Lists are tuples, durations are ``timedelta``, times are aware and in UTC.

Where a field belongs: ``schema`` (the document itself), ``tensors`` (what the model takes and
gives), ``evidence`` (how good it is, how it was made) or ``capabilities`` (what it declares beyond
a plain forecast). ``record`` is the base of them all; ``rows`` derives the field ledger from them.
"""

from fairweather_interface.errors import MetadataError, NotExpressibleError, UnsupportedSchemaError
from fairweather_interface.metadata.capabilities import Bounds, DeclaredVariable, Quantile
from fairweather_interface.metadata.evidence import (
    AgeScore,
    Block,
    DayScore,
    Performance,
    Score,
    Tolerance,
    Training,
)
from fairweather_interface.metadata.reading import (
    derive_min_reader,
    metadata_notes,
    newer_meanings,
    read_metadata,
    with_plain_areas,
)
from fairweather_interface.metadata.schema import (
    DELIVERY_ID_PATTERN,
    LEDGER,
    ONNX,
    SAVED_MODEL,
    Area,
    Artifact,
    ArtifactNeeds,
    ModelMetadata,
)
from fairweather_interface.metadata.tensors import (
    AREA_INDEX,
    BATCH,
    OBSERVATIONS,
    REFERENCE_TIME,
    Input,
    Output,
)
from fairweather_interface.metadata.writing import (
    WRITTEN_SCHEMAS,
    create_metadata,
    dump_metadata,
    writing_problems,
)

__all__ = [
    "AREA_INDEX", "BATCH", "DELIVERY_ID_PATTERN", "LEDGER", "OBSERVATIONS", "ONNX",
    "REFERENCE_TIME", "SAVED_MODEL", "WRITTEN_SCHEMAS", "AgeScore", "Area", "Artifact",
    "ArtifactNeeds", "Block", "Bounds", "DayScore", "DeclaredVariable", "Input", "MetadataError",
    "ModelMetadata", "NotExpressibleError", "Output", "Performance", "Quantile", "Score",
    "Tolerance", "Training", "UnsupportedSchemaError", "create_metadata", "derive_min_reader",
    "dump_metadata", "metadata_notes", "newer_meanings", "read_metadata", "with_plain_areas",
    "writing_problems",
]  # fmt: skip
