"""From a delivery to an entry: everything a delivery can be, and what becomes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fairweather_interface.errors import CorruptDeliveryError, IncompleteDeliveryError
from fairweather_interface.refusals import Code
from fairweather_interface.testing import identity_onnx

from answers import refused_with
from catalogues import Ingest
from fairweather_app.forecasting.context import AppContext
from fairweather_app.models_backend import acceptance_process

Build = Callable[..., Path]
Document = dict[str, Any]


def test_a_sound_delivery_is_live(ingest: Ingest, tiny_delivery: Build) -> None:
    found = ingest(tiny_delivery(variables=("temperature", "humidity"), context=True))
    assert (found.entry.state, found.entry.code, found.entry.reason) == ("live", None, None)
    assert found.model is not None
    assert found.delivery is found.model.delivery


def test_the_model_is_loaded_from_the_verified_copy(
    ingest: Ingest, tiny_delivery: Build, tmp_path: Path
) -> None:
    found = ingest(tiny_delivery())
    assert found.delivery is not None
    assert found.delivery.path.is_relative_to(tmp_path / "cache")


def test_a_backend_loads_a_model_by_its_id_from_a_verified_copy(
    tiny_delivery: Build, context: AppContext
) -> None:
    path = tiny_delivery()
    (backend,) = context.catalogue.backends
    model = backend.load_by_id(path.name)
    assert model.delivery_id == path.name
    assert model.delivery.path.is_relative_to(context.settings.cache)
    flip_a_byte(path)
    flip_a_byte(model.delivery.path)
    with pytest.raises(CorruptDeliveryError, match="is corrupt"):
        backend.load_by_id(path.name)


# ------------------------------------------------------------------------------------- bytes


def flip_a_byte(path: Path) -> None:
    content = bytearray((path / "model.onnx").read_bytes())
    content[20] ^= 1
    (path / "model.onnx").write_bytes(content)


def cut_short(path: Path) -> None:
    os.truncate(path / "model.onnx", 40)


def lose_a_file(path: Path) -> None:
    (path / "examples.npz").unlink()


def add_a_file(path: Path) -> None:
    (path / "notes.txt").write_text("not listed")


def link_a_file(path: Path) -> None:
    (path / "card" / "more.html").symlink_to("/etc/hostname")


def add_a_pipe(path: Path) -> None:
    os.mkfifo(path / "card" / "pipe")


def break_the_manifest(path: Path) -> None:
    (path / "manifest.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (flip_a_byte, "model.onnx: its sha256 differs"),
        (cut_short, "model.onnx: found 40 bytes"),
        (lose_a_file, "examples.npz: listed in manifest.json, not found"),
        (add_a_file, "notes.txt: found, not listed"),
        (link_a_file, "card/more.html: found a link"),
        (add_a_pipe, "card/pipe: found neither a file nor a folder"),
        (break_the_manifest, "manifest.json"),
    ],
)
def test_a_damaged_delivery_is_quarantined_as_corrupt_and_the_damage_named(
    ingest: Ingest, tiny_delivery: Build, damage: Callable[[Path], None], told: str
) -> None:
    path = tiny_delivery()
    damage(path)
    refused_with(ingest(path), "quarantined", Code.CORRUPT, told)


def test_damage_is_found_although_a_good_copy_is_in_the_cache(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    assert ingest(path).entry.state == "live"
    flip_a_byte(path)
    assert ingest(path).entry.code is Code.CORRUPT


def test_a_damaged_copy_in_the_cache_is_brought_again(ingest: Ingest, tiny_delivery: Build) -> None:
    path = tiny_delivery()
    first = ingest(path)
    assert first.delivery is not None
    flip_a_byte(first.delivery.path)
    assert ingest(path).entry.state == "live"


def test_a_delivery_without_a_manifest_is_not_there_yet(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    (path / "manifest.json").unlink()
    with pytest.raises(IncompleteDeliveryError):
        ingest(path)


def test_a_delivery_under_another_name_than_its_own_is_corrupt(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    path = tiny_delivery()
    renamed = path.rename(path.with_name("another"))
    refused_with(ingest(renamed), "quarantined", Code.CORRUPT, "delivery_id")


# ---------------------------------------------------------------------------------- runtimes


def test_an_unknown_format_beside_a_known_one_is_ignored(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    def rewrite(document: Document) -> None:
        document["artifacts"].append({"format": "crystal-ball", "path": "card"})

    assert ingest(tiny_delivery(change=rewrite)).entry.state == "live"


def test_only_unknown_formats_leave_no_runtime_and_both_sides_are_named(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    def rewrite(document: Document) -> None:
        document["artifacts"][0]["format"] = "crystal-ball"
        document["artifacts"].append({"format": "onnx", "omitted": "tf2onnx failed on Erfc"})

    found = ingest(tiny_delivery(change=rewrite))
    refused_with(
        found, "refused", Code.RUNTIME_UNAVAILABLE, "crystal-ball", "onnx", "failed on Erfc"
    )


def test_an_artifact_that_needs_a_newer_runtime_names_both_versions(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    def rewrite(document: Document) -> None:
        document["artifacts"][0]["needs"] = {"opset": 99, "ir_version": 8}

    found = ingest(tiny_delivery(change=rewrite))
    refused_with(found, "refused", Code.RUNTIME_UNAVAILABLE, "opset 99", "runs up to")


def test_garbage_with_true_digests_is_corrupt(ingest: Ingest, tiny_delivery: Build) -> None:
    found = ingest(tiny_delivery(model=b"not a model"))
    refused_with(found, "quarantined", Code.CORRUPT, "not an ONNX model")


def test_an_unknown_model_type_is_served_by_what_it_declares(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    assert ingest(tiny_delivery(model_type="TeaLeafPredictor")).entry.state == "live"


def test_an_unknown_role_cannot_be_fed(ingest: Ingest, tiny_delivery: Build) -> None:
    def rewrite(document: Document) -> None:
        document["inputs"][1]["role"] = "elevation"

    found = ingest(tiny_delivery(context=True, change=rewrite))
    refused_with(
        found, "refused", Code.RUNTIME_UNAVAILABLE, "role 'elevation'", "feeds observations"
    )


def test_a_context_input_of_another_type_cannot_be_fed(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    def rewrite(document: Document) -> None:
        document["inputs"][1]["dtype"] = "float32"

    found = ingest(tiny_delivery(context=True, change=rewrite))
    assert found.entry.state != "live"


@pytest.mark.parametrize("part", ["inputs", "outputs"])
def test_another_unit_than_the_contract_has_is_corrupt(
    ingest: Ingest, tiny_delivery: Build, part: str
) -> None:
    def rewrite(document: Document) -> None:
        document[part][0]["unit"] = "K"

    found = ingest(tiny_delivery(change=rewrite))
    refused_with(found, "quarantined", Code.CORRUPT, "temperature in 'K'", "'degC'")


def test_an_unforeseen_failure_is_an_entry_and_not_the_end_of_the_app(
    ingest: Ingest,
    tiny_delivery: Build,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(acceptance_process.AcceptanceTests, "load_tested", explode)
    found = ingest(tiny_delivery())
    refused_with(found, "quarantined", Code.CORRUPT, "ZeroDivisionError: unforeseen")
    assert "Traceback" in caplog.text


def test_a_disk_that_fails_while_a_copy_is_loaded_says_nothing_about_the_delivery(
    ingest: Ingest, tiny_delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(acceptance_process.AcceptanceTests, "load_tested", fail)
    with pytest.raises(OSError, match="Input/output error"):
        ingest(tiny_delivery())


# ------------------------------------------------------------------------------------- proof


def test_an_artifact_that_lacks_a_declared_output_is_corrupt(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    found = ingest(tiny_delivery(model=identity_onnx([("temperature", "warmth")], 24)))
    refused_with(found, "quarantined", Code.CORRUPT, "'temperature_forecast' is not in the art")


def test_an_artifact_that_gives_more_than_is_declared_is_fine(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    def declare_less(document: Document) -> None:
        del document["outputs"][1]

    path = tiny_delivery(variables=("temperature", "humidity"), change=declare_less)
    assert ingest(path).entry.state == "live"


def test_an_artifact_that_takes_more_than_is_declared_is_corrupt(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    model = identity_onnx([("temperature", "temperature_forecast")], 24, unused=("secret",))
    found = ingest(tiny_delivery(model=model))
    refused_with(found, "quarantined", Code.CORRUPT, "input 'secret' is not in the metadata")


def test_an_artifact_of_another_shape_is_corrupt_and_both_are_told(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    model = identity_onnx([("temperature", "temperature_forecast")], 48)
    found = ingest(tiny_delivery(model=model))
    refused_with(found, "quarantined", Code.CORRUPT, "float32 [?, 48]", "float32 [?, 24]")


def test_outputs_that_differ_from_the_examples_are_corrupt_and_the_difference_told(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    # the artifact has its two outputs the wrong way round
    pairs = [("temperature", "humidity_forecast"), ("humidity", "temperature_forecast")]
    found = ingest(
        tiny_delivery(variables=("temperature", "humidity"), model=identity_onnx(pairs, 24))
    )
    refused_with(found, "quarantined", Code.CORRUPT, "example 1 came out differently", "tolerance")


def test_missing_values_that_go_through_alike_are_no_difference(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    assert ingest(tiny_delivery(max_missing=0.25)).entry.state == "live"


def test_an_example_to_be_served_that_is_impossible_is_invalid_output(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    # the kit's examples lie a degree below this
    found = ingest(tiny_delivery(applicability_domain={"temperature": {"maximum": 500.0}}))
    refused_with(found, "quarantined", Code.INVALID_OUTPUT, "in an example", "-80 to 60")


def test_the_reason_of_several_faults_names_them_all(ingest: Ingest, tiny_delivery: Build) -> None:
    path = tiny_delivery()
    flip_a_byte(path)
    lose_a_file(path)
    refused_with(ingest(path), "quarantined", Code.CORRUPT, "model.onnx", "examples.npz")


# ------------------------------------------------------------------------------------- bands

PAIRS = [("temperature", "temperature_forecast"), ("temperature", "temperature_forecast_q10")]


@pytest.mark.parametrize(
    ("pairs", "samples", "shifts", "told"),
    [
        (PAIRS[:1], 24, {}, "output 'temperature_forecast_q10' is not in the artifact"),
        (PAIRS, 48, {PAIRS[1][1]: -4.0}, "_q10' is float32 [?, 48], the metadata says float32 [?,"),
        (PAIRS, 24, {PAIRS[1][1]: -3.0}, "example 1 came out differently: 'temperature_forecast_q"),
    ],
    ids=["names", "shapes", "values"],
)
def test_metadata_that_lie_about_a_quantile_are_corrupt(  # noqa: PLR0917 - fixtures and parameters
    ingest: Ingest,
    tiny_delivery: Build,
    pairs: list[tuple[str, str]],
    samples: int,
    shifts: dict[str, float],
    told: str,
) -> None:
    model = identity_onnx(pairs, samples, shifts=shifts)
    found = ingest(tiny_delivery(quantiles=(0.1,), model=model))
    refused_with(found, "quarantined", Code.CORRUPT, told)


def test_quantiles_that_come_out_as_declared_are_live_also_those_that_nobody_shows(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    assert ingest(tiny_delivery(quantiles=(0.1,))).entry.state == "live"
    assert ingest(tiny_delivery(quantiles=(0.05, 0.25, 0.5, 0.75, 0.95))).entry.state == "live"


def test_a_band_of_an_example_to_be_served_that_cannot_be_is_invalid_output(
    ingest: Ingest, tiny_delivery: Build
) -> None:
    def swap(document: Document) -> None:
        low, high = document["uncertainty"]
        low["probability"], high["probability"] = high["probability"], low["probability"]

    found = ingest(tiny_delivery(quantiles=(0.1, 0.9), change=swap))
    refused_with(found, "quarantined", Code.INVALID_OUTPUT, "in an example", "upside down")


def test_a_card_is_no_place_to_hide_a_path(ingest: Ingest, tiny_delivery: Build) -> None:
    path = tiny_delivery()
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["../../outside"] = {"sha256": "0" * 64, "size": 0}
    (path / "manifest.json").write_text(json.dumps(manifest))
    refused_with(ingest(path), "quarantined", Code.CORRUPT, "../../outside")
