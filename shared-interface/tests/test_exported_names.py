"""What the package promises by name, and what it does not drag along."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest

import fairweather_interface
from fairweather_interface import errors, testing

PROMISED = {
    "fairweather_interface": """
        CARD EXAMPLES MANIFEST METADATA SCHEMA_VERSION SIGNATURE VARIABLES ArchiveError Area Code
        CorruptDeliveryError Definitions DefinitionsError Delivery DeliveryError DurationError
        EnvelopeError FairweatherError IncompleteDeliveryError Manifest MetadataError ModelMetadata
        NotExpressibleError Observed Refusal RequiredInput SchemaVersion Software SoftwareError
        UnsupportedSchemaError Variable Verdict artifact_digest check check_age
        check_applicability check_missing check_start create_metadata
        dump_metadata dump_software format_duration iso_duration list_deliveries load_definitions
        new_delivery_id open_delivery parse_duration read_manifest read_metadata read_software
        staged_delivery verify_delivery PackError""",
    "fairweather_interface.metadata": """
        AREA_INDEX BATCH LEDGER OBSERVATIONS ONNX REFERENCE_TIME SAVED_MODEL WRITTEN_SCHEMAS
        AgeScore Area Artifact ArtifactNeeds Block Bounds DayScore DeclaredVariable Input
        ModelMetadata Output Performance Quantile Score Tolerance Training create_metadata
        derive_min_reader dump_metadata metadata_notes newer_meanings read_metadata with_plain_areas
        writing_problems""",
    "fairweather_interface.delivery": """
        CARD EXAMPLES MANIFEST METADATA SIGNATURE Delivery Manifest artifact_digest
        list_deliveries new_delivery_id open_delivery read_manifest staged_delivery
        verify_delivery""",
    "fairweather_interface.manifest": "FileEntry MANIFEST Manifest file_problems read_manifest",
    "fairweather_interface.examples": "EXAMPLES MINIMUM SERVE",
    "fairweather_interface.variables": """
        VARIABLES Conversion LargestStep Variable conflicts parse_variables plain_variable""",
    "fairweather_interface.errors": "FairweatherError listed",
    "fairweather_interface.definitions": """
        VARIABLES Definitions RequiredInput Variable load_definitions load_yaml
        packaged_definitions parse_definitions plain_definitions""",
    "fairweather_interface.software": """
        Runtime SchemaRange Software dump_software read_software""",
    "fairweather_interface.durations": """
        format_duration iso_duration parse_duration parse_iso_duration""",
    "fairweather_interface.versions": "SCHEMA_VERSION SchemaVersion",
    "fairweather_interface.refusals": "Code Phase Refusal",
    "fairweather_interface.verdict": "Verdict check",
    "fairweather_interface.applicability": """
        Observed check_age check_applicability check_missing check_start start_months starts""",
    "fairweather_interface.history": "STEPS downgrade uncarried upgrade",
    "fairweather_interface.ledger": "LEDGER RESERVED Row changes_text ledger_text must_obey_rows",
    "fairweather_interface.archive": """
        COLUMNS EMPTY_CELLS ORIGIN_KEY Origin archive_text column_problems dump_origin
        parse_origin read_csv_header""",
    "fairweather_interface.names": "LONGEST_NAME parse_name parse_names plain_name",
    "fairweather_interface.pack": "pack",
    "fairweather_interface.terminal": "printable",
    "fairweather_interface.testing": """
        GOLDEN_WINDOWS GoldenWindow assert_delivery_conforms build_delivery identity_onnx
        metadata_document vocabulary_problems""",
}


def test_the_package_exports_what_is_promised_and_nothing_else() -> None:
    for module in (fairweather_interface, testing):
        assert sorted(module.__all__) == sorted(PROMISED[module.__name__].split())
    assert fairweather_interface.__all__ == sorted(
        fairweather_interface.__all__,
        key=lambda name: (not name.isupper(), name[0].islower(), name),
    )


@pytest.mark.parametrize("module", PROMISED)
def test_every_promised_name_is_where_it_is_promised(module: str) -> None:
    found = importlib.import_module(module)
    for name in PROMISED[module].split():
        assert hasattr(found, name), f"{module}.{name}"


def test_every_error_is_at_the_root() -> None:
    for name, item in vars(errors).items():
        if isinstance(item, type) and issubclass(item, Exception):
            assert getattr(fairweather_interface, name) is item


def test_importing_the_contract_imports_no_machinery() -> None:
    code = "import sys, json, fairweather_interface; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    imported = {name.partition(".")[0] for name in json.loads(answer.stdout)}
    assert "fairweather_interface" in imported
    heavy = {
        "tensorflow",
        "numpy",
        "pandas",
        "flask",
        "pytest",
        "hypothesis",
        "onnx",
        "onnxruntime",
    }
    assert not imported & heavy
    assert "fairweather_interface.testing" not in json.loads(answer.stdout)


def test_the_package_is_typed() -> None:
    from importlib import resources  # noqa: PLC0415

    assert (resources.files("fairweather_interface") / "py.typed").is_file()
