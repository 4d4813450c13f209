"""ONNX is included only where it proves to be the same model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from fairweather_interface.testing import identity_onnx

from fairweather_research.export import saved_model

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext
    from pathlib import Path

INPUT = np.array([[1.0, 2.0], [3.0, np.nan]], np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(identity_onnx([("x", "y")], 2))
    return path


def test_equal_answers_are_no_disagreement(model: Path) -> None:
    whole = INPUT[:1]
    assert saved_model._disagreement(model, {"x": whole}, {"y": whole}) is None


def test_a_difference_beyond_the_tolerance_is_told_with_its_size(model: Path) -> None:
    found = saved_model._disagreement(model, {"x": INPUT[:1]}, {"y": INPUT[:1] + 0.5})
    assert found is not None
    assert "y differs from the SavedModel by up to 0.5" in found


def test_a_missing_value_that_comes_through_is_a_disagreement(model: Path) -> None:
    expected = np.nan_to_num(INPUT)
    assert saved_model._disagreement(model, {"x": INPUT}, {"y": expected})


def test_other_inputs_than_the_signature_are_told(model: Path) -> None:
    found = saved_model._disagreement(model, {"z": INPUT}, {"y": INPUT})
    assert found == "the converted model wants the inputs ['x'], not ['z']"


def test_a_file_that_onnx_runtime_cannot_load_is_told(model: Path) -> None:
    model.write_bytes(b"not a model")
    found = saved_model._disagreement(model, {"x": INPUT}, {"y": INPUT})
    assert found is not None
    assert "cannot run it" in found


def test_a_conversion_that_fails_leaves_a_reason_and_no_file(
    tmp_path: Path, fresh_processes: ForkServerContext
) -> None:
    (tmp_path / "model").mkdir()
    with saved_model.Conversion(fresh_processes) as conversion:
        conversion.start(tmp_path)
        report = conversion.finish({}, {})
    assert report.omitted is not None
    assert report.omitted.startswith("tf2onnx ended with code")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(("opset", "ir_version"), [(18, 8), (17, 9)])
def test_a_conversion_that_needs_more_than_was_promised_is_told(
    model: Path, opset: int, ir_version: int
) -> None:
    told = onnx.load(str(model))
    told.opset_import[0].version, told.ir_version = opset, ir_version
    onnx.save(told, str(model))
    found = saved_model._excess(model)
    assert found is not None
    assert f"needs opset {opset} and IR version {ir_version}, expected 17 and 8" in found


def test_a_conversion_that_hangs_is_ended(
    tmp_path: Path, fresh_processes: ForkServerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_model, "_CONVERSION_SECONDS", 0)
    with saved_model.Conversion(fresh_processes) as conversion:
        conversion.start(tmp_path)
        report = conversion.finish({}, {})
    assert report.omitted == "tf2onnx did not finish within 0 seconds"
    assert not conversion._process.is_alive()
