"""Golden deliveries: what was once delivered is read for ever, as it was."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fairweather_interface import (
    MANIFEST,
    METADATA,
    SCHEMA_VERSION,
    UnsupportedSchemaError,
    dump_metadata,
    open_delivery,
    verify_delivery,
)
from fairweather_interface.__main__ import main
from fairweather_interface.errors import MetadataError
from fairweather_interface.ledger import LEDGER
from fairweather_interface.metadata import WRITTEN_SCHEMAS
from fairweather_interface.testing import assert_delivery_conforms
from fairweather_interface.versions import SchemaVersion

_HERE = Path(__file__).parent
_GOLDEN = _HERE / "golden"
_LISTED: list[dict[str, str]] = tomllib.loads((_HERE / "goldens.toml").read_text())["golden"]
_PRODUCED = [golden for golden in _LISTED if golden["folder"].startswith("research-")]


def _path(golden: dict[str, str]) -> Path:
    return _GOLDEN / golden["folder"]


def _metadata(golden: dict[str, str]) -> dict[str, Any]:
    return dict(json.loads((_path(golden) / METADATA).read_bytes()))


def _named(golden: dict[str, str]) -> str:
    return golden["folder"].partition("/")[0]


def _golden(name: str) -> dict[str, str]:
    return next(golden for golden in _LISTED if _named(golden) == name)


def test_every_golden_delivery_is_listed_and_there() -> None:
    there = {str(path.parent.relative_to(_GOLDEN)) for path in _GOLDEN.rglob(MANIFEST)}
    assert sorted(there) == [golden["folder"] for golden in _LISTED]


@pytest.mark.parametrize("golden", _LISTED, ids=_named)
def test_a_golden_delivery_is_what_it_was(golden: dict[str, str]) -> None:
    manifest = (_path(golden) / MANIFEST).read_bytes()
    assert f"sha256:{hashlib.sha256(manifest).hexdigest()}" == golden["digest"]
    for name, entry in json.loads(manifest)["files"].items():
        data = (_path(golden) / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"].removeprefix("sha256:"), name
    document = _metadata(golden)
    assert document["schema_version"] == golden["schema"]
    assert document["min_reader"] == golden["min_reader"]


@pytest.mark.parametrize("golden", _PRODUCED, ids=_named)
def test_what_a_released_producer_delivered_conforms_to_this_day(golden: dict[str, str]) -> None:
    assert_delivery_conforms(_path(golden))
    delivery = open_delivery(_path(golden))
    assert delivery.digest == golden["digest"]
    assert delivery.metadata.schema_version == golden["schema"]
    assert json.loads(dump_metadata(delivery.metadata)) == _metadata(golden)


@pytest.mark.parametrize("golden", _PRODUCED, ids=_named)
def test_every_reader_its_min_reader_allows_reads_it_and_no_other(golden: dict[str, str]) -> None:
    for reader in WRITTEN_SCHEMAS:
        if SchemaVersion.parse(reader) >= SchemaVersion.parse(golden["min_reader"]):
            assert open_delivery(_path(golden), reader=reader).digest == golden["digest"]
        else:
            with pytest.raises(UnsupportedSchemaError):
                open_delivery(_path(golden), reader=reader)


def test_the_next_minor_is_read_and_its_unknown_fields_are_kept_on_every_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    golden = _golden("next-minor")
    metadata = open_delivery(_path(golden), reader="0.1").metadata
    assert metadata.schema_version == "0.99"
    assert verify_delivery(_path(golden)) == ()
    assert all(path.endswith("novelty") for path in metadata.unknown_fields)
    kinds = {path.partition("[")[0].partition(".")[0] for path in metadata.unknown_fields}
    then = [row.path for row in LEDGER if row.since in ("0.1", "0.2", "0.3")]  # when it was made
    records = {path.partition("[")[0].partition(".")[0] for path in then if "." in path}
    assert kinds == {"novelty"} | {name.removesuffix("{}") for name in records}
    assert main(["show", str(_path(golden)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == _metadata(golden)


def test_the_next_major_is_refused_with_both_versions_and_the_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    golden = _golden("next-major")
    with pytest.raises(UnsupportedSchemaError) as caught:
        open_delivery(_path(golden))
    assert (caught.value.found, caught.value.supported) == ("99.0", SCHEMA_VERSION)
    for told in (
        "found metadata of schema 99.0 that needs a reader of schema 99.0",
        f"supported here: up to {SCHEMA_VERSION}",
        "upgrade this software",
        f"or have the model delivered again in schema {SCHEMA_VERSION}",
    ):
        assert told in str(caught.value)
    assert main(["verify", str(_path(golden))]) == 1
    assert "upgrade this software" in capsys.readouterr().out


def test_the_fixture_of_the_kit_hands_out_copies_of_all_of_them(
    golden_delivery: Path, store: Path
) -> None:
    assert golden_delivery.parent == store
    assert golden_delivery.name in {Path(golden["folder"]).name for golden in _LISTED}
    try:
        assert open_delivery(golden_delivery).metadata.delivery_id == golden_delivery.name
    except MetadataError:
        assert golden_delivery.name in _golden("next-major")["folder"]
