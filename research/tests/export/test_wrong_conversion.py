"""A conversion to ONNX that silently differs: caused, found, told, and left out."""

from __future__ import annotations

import contextlib
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types
import yaml
from fairweather_interface.delivery import Delivery, open_delivery, verify_delivery
from fairweather_interface.refusals import Code
from fairweather_interface.software import Runtime
from fairweather_interface.verdict import check
from typer.testing import CliRunner

from fairweather_research.cli.main import app
from fairweather_research.delivery.compatibility import newest_software, serving_problems
from fairweather_research.export import artifacts, saved_model
from live_software import software

TENSORFLOW = Runtime(format="tensorflow-saved-model", name="tensorflow", version="2.21.0")
WRONG_CONVERTER = Path(__file__).parents[1] / "wrong_converter"


class Leaky(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """Puts 0 where a value is missing, in words that tf2onnx gets wrong without saying so."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def forecast(self, x: Any) -> dict[str, Any]:
        return {"y": tf.where(tf.math.is_finite(x), x, tf.zeros_like(x))}


def test_a_missing_value_that_the_real_converter_lets_through_is_found(
    tmp_path: Path, fresh_processes: ForkServerContext
) -> None:
    module = Leaky()
    path = tmp_path / artifacts.SAVED_MODEL_FOLDER
    tf.saved_model.save(module, str(path), signatures={"model_signature": module.forecast})
    x = np.array([[1.0, np.nan, 3.0, 4.0]], np.float32)
    y = saved_model.load_signature(path)(x=tf.constant(x))["y"].numpy()
    assert y.tolist() == [[1.0, 0.0, 3.0, 4.0]]
    with saved_model.Conversion(fresh_processes) as conversion:
        conversion.start(tmp_path)
        report = conversion.finish({"x": x}, {"y": y})
    assert report.omitted is not None
    assert report.omitted.startswith("y differs from the SavedModel by up to nan on the examples")
    assert not (tmp_path / artifacts.ONNX_FILE).exists()


@pytest.fixture(scope="module")
def told(
    tiny_document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Delivery, str]:
    """What is delivered, and said, where the converter changes every weight by a hundredth."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(tiny_document), encoding="utf-8")
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(WRONG_CONVERTER)  # which training processes are given, too
        schema = ("--schema", newest_software().readable_schemas.newest)
        asked = ["train", "recipe.yaml", "--store", "store", "--strict", *schema]
        done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1  # it is delivered, and nothing live can serve it
    return open_delivery(Path(done.stdout.splitlines()[-1])), done.stderr


def test_the_artifact_is_left_out_and_metadata_card_and_command_say_why(
    told: tuple[Delivery, str],
) -> None:
    delivery, stderr = told
    saved_model, onnx = delivery.metadata.artifacts
    assert saved_model.canonical
    assert onnx.path is None
    assert onnx.omitted is not None
    assert "_forecast differs from the SavedModel by up to " in onnx.omitted
    assert "more than the tolerance of 0.01" in onnx.omitted
    assert not (delivery.path / "model.onnx").exists()
    assert f"No onnx artifact: {onnx.omitted}" in " ".join(stderr.split())
    card = (delivery.path / "card" / "index.html").read_text(encoding="utf-8")
    assert f"<strong>left out</strong>: {onnx.omitted}" in card
    assert verify_delivery(delivery.path) == ()


def test_what_came_out_is_held_against_live_software_and_kept(told: tuple[Delivery, str]) -> None:
    delivery, stderr = told
    said = " ".join(stderr.split())
    release = newest_software().version
    assert (
        f"No live software can serve this: fairweather-app {release} refuses: runtime-unavailable: "
        in said
    )
    assert f"Kept in the store, for software that can serve it: {delivery.path}" in said
    assert "Serve:" not in said
    assert "warning:" not in said  # before the training nobody could know
    assert serving_problems(delivery.metadata)
    both = [software(), software(runtimes=(*software().runtimes, TENSORFLOW))]
    assert serving_problems(delivery.metadata, both) == ()
    assert len(serving_problems(delivery.metadata, both[:1])) == 1


def test_only_software_with_a_runtime_for_the_other_artifact_serves_it(
    told: tuple[Delivery, str],
) -> None:
    metadata = told[0].metadata
    bare, extra = software(), software(runtimes=(*software().runtimes, TENSORFLOW))
    assert [each.code for each in check(metadata, bare).refusals] == [Code.RUNTIME_UNAVAILABLE]
    assert check(metadata, extra).serves
