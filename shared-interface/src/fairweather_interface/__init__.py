"""The contract between models and software, and nothing else.

Research writes a delivery::

    with staged_delivery(store, delivery_id) as folder:
        ...                                   # artifacts, examples, card
        metadata = create_metadata(delivery_id=delivery_id, ...)
        (folder / METADATA).write_bytes(dump_metadata(metadata))

and it becomes visible whole, or not at all. The app reads it::

    for path in list_deliveries(store):
        delivery = open_delivery(path, reader="1.0")      # every byte verified
        refusal = check_start(delivery.metadata, "JFK", reference_time)

Nothing here knows how a model is trained, run or chosen. The rest of the contract: definitions
(:func:`load_definitions`), the archive of observations (:mod:`fairweather_interface.archive`), the
software manifest and which release supports which model (:class:`Software`, :func:`check`), the
field ledger (:mod:`fairweather_interface.ledger`), a model that is none of ours made a delivery
(:mod:`fairweather_interface.pack`) and the testing kit (:mod:`fairweather_interface.testing`).
"""

from fairweather_interface.applicability import (
    Observed,
    check_age,
    check_applicability,
    check_missing,
    check_start,
)
from fairweather_interface.definitions import (
    VARIABLES,
    Definitions,
    RequiredInput,
    Variable,
    load_definitions,
)
from fairweather_interface.delivery import (
    CARD,
    EXAMPLES,
    MANIFEST,
    METADATA,
    SIGNATURE,
    Delivery,
    Manifest,
    artifact_digest,
    list_deliveries,
    new_delivery_id,
    open_delivery,
    read_manifest,
    staged_delivery,
    verify_delivery,
)
from fairweather_interface.durations import format_duration, iso_duration, parse_duration
from fairweather_interface.errors import (
    ArchiveError,
    CorruptDeliveryError,
    DefinitionsError,
    DeliveryError,
    DurationError,
    EnvelopeError,
    FairweatherError,
    IncompleteDeliveryError,
    MetadataError,
    NotExpressibleError,
    PackError,
    SoftwareError,
    UnsupportedSchemaError,
)
from fairweather_interface.metadata import (
    Area,
    ModelMetadata,
    create_metadata,
    dump_metadata,
    read_metadata,
)
from fairweather_interface.refusals import Code, Refusal
from fairweather_interface.software import Software, dump_software, read_software
from fairweather_interface.verdict import Verdict, check
from fairweather_interface.versions import SCHEMA_VERSION, SchemaVersion

__all__ = [
    "CARD", "EXAMPLES", "MANIFEST", "METADATA", "SCHEMA_VERSION", "SIGNATURE", "VARIABLES",
    "ArchiveError", "Area", "Code", "CorruptDeliveryError", "Definitions", "DefinitionsError",
    "Delivery", "DeliveryError", "DurationError", "EnvelopeError", "FairweatherError",
    "IncompleteDeliveryError", "Manifest", "MetadataError", "ModelMetadata",
    "NotExpressibleError", "Observed", "PackError", "Refusal", "RequiredInput", "SchemaVersion",
    "Software", "SoftwareError", "UnsupportedSchemaError", "Variable", "Verdict",
    "artifact_digest", "check", "check_age", "check_applicability", "check_missing", "check_start",
    "create_metadata", "dump_metadata", "dump_software", "format_duration", "iso_duration",
    "list_deliveries", "load_definitions", "new_delivery_id", "open_delivery", "parse_duration",
    "read_manifest", "read_metadata", "read_software", "staged_delivery", "verify_delivery",
]  # fmt: skip
