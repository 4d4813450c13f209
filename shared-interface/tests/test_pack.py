"""Pack: a model that is none of ours becomes a delivery, or every reason why not is told."""

from __future__ import annotations

import io
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fairweather_interface import (
    EXAMPLES,
    PackError,
    list_deliveries,
    open_delivery,
    verify_delivery,
)
from fairweather_interface.__main__ import main
from fairweather_interface.metadata import Tolerance
from fairweather_interface.pack import pack
from pack_models import DESCRIPTION, ROWS, START, examples, model, node, write


def test_a_packed_model_conforms_and_its_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    paths = write(tmp_path)
    folder = pack(**paths)
    assert verify_delivery(folder) == ()
    assert list_deliveries(paths["store"]) == (folder,)
    assert (folder / "model.onnx").read_bytes() == paths["model"].read_bytes()


def test_what_the_file_and_the_description_say_is_declared_and_nothing_else(tmp_path: Path) -> None:
    metadata = open_delivery(pack(**write(tmp_path))).metadata
    assert (metadata.author, metadata.model_type) == ("Maintenance", "PumpFailurePredictor")
    assert list(metadata.areas) == ["Pump-1", "Pump-2"]
    (window,), (risk,), (artifact,) = metadata.inputs, metadata.outputs, metadata.artifacts
    assert (window.name, window.dtype, window.shape) == ("window", "float32", (-1, 24))
    assert (window.variable, window.unit, window.max_missing) == ("vibration", "mm s-1", 0)
    assert (risk.name, risk.unit, risk.horizon) == ("risk", "1", timedelta(days=1))
    assert artifact.needs is not None
    assert (artifact.needs.opset, artifact.needs.ir_version) == (17, 8)
    assert metadata.tolerance == {"risk": Tolerance(absolute=1e-4, relative=0.0)}
    assert metadata.valid_months == tuple(range(1, 13))
    assert metadata.performance == ()  # nobody measured it
    assert metadata.training.model_fields_set == {"train_end_time", "synthetic"}
    assert metadata.variable_table["failure_risk"].label == "Risk of failure"


def test_the_examples_hold_what_the_runtime_computed(tmp_path: Path) -> None:
    with np.load(pack(**write(tmp_path)) / EXAMPLES) as file:
        arrays = {name: file[name] for name in file.files}
    assert arrays["output/risk"].ravel().tolist() == arrays["input/window"][:, 0].tolist()
    assert arrays["expect"].tolist() == ["serve"] * ROWS


def test_time_and_area_of_a_row_are_what_their_roles_are_fed_with(tmp_path: Path) -> None:
    context = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch"]) for name in ("when", "at")
    ]
    made = model(
        [
            node("Cast", "at", "place", to=TensorProto.FLOAT),
            node("Unsqueeze", "place", "one", "risk"),
            node("Identity", "window", "unused"),
            node("Identity", "when", "unused_too"),
        ],
        more=context,
    )
    made.graph.initializer.append(helper.make_tensor("one", TensorProto.INT64, [1], [1]))
    roles = "inputs:\n  when: {role: reference_time}\n  at: {role: area_index}\n"
    described = DESCRIPTION.replace("inputs:\n", roles)
    with np.load(pack(**write(tmp_path, made=made, description=described)) / EXAMPLES) as file:
        assert file["output/risk"].ravel().tolist() == [0.0, 1.0] * (ROWS // 2)
        assert file["input/when"].tolist() == [START + 86400 * row for row in range(ROWS)]


def test_what_may_be_missing_and_what_it_is_fit_for_is_declared(tmp_path: Path) -> None:
    window = "max_missing: 0.25, max_age: 2 hours, domain: {maximum: 20}}"
    described = DESCRIPTION.replace("sample_rate: 1 hour}", f"sample_rate: 1 hour, {window}")
    arrays = examples()
    arrays["input/window"][2, [5, 23]] = np.nan
    metadata = open_delivery(pack(**write(tmp_path, description=described, arrays=arrays))).metadata
    assert metadata.inputs[0].max_age == timedelta(hours=2)
    assert metadata.applicability_domain is not None
    assert metadata.applicability_domain["window"].maximum == 20


def test_the_command_prints_the_path_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = write(tmp_path)
    options = [f"--{name}={paths[name]}" for name in ("describe", "examples", "store")]
    assert main(["pack", str(paths["model"]), *options]) == 0
    assert capsys.readouterr().out == f"{list_deliveries(paths['store'])[0]}\n"
    assert main(["pack", str(tmp_path / "none.onnx"), *options]) == 1
    assert "found no model at" in capsys.readouterr().err
    assert len(list_deliveries(paths["store"])) == 1


def test_without_the_extra_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "fairweather_interface.pack.packing", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PackError, match=r"no onnxruntime here.*'fairweather-interface\[pack\]'"):
        pack(**write(tmp_path))


def refused(tmp_path: Path, **files: Any) -> str:
    """Return why nothing is delivered."""
    paths = write(tmp_path, **files)
    with pytest.raises(PackError) as refusal:
        pack(**paths)
    assert not paths["store"].exists() or list_deliveries(paths["store"]) == ()
    return str(refusal.value)


_FLOAT, _DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE
_CAST = node("Cast", "window", "risk", to=_DOUBLE)
_TEXT = node("Cast", "window", "risk", to=TensorProto.STRING)
_SEQUENCE = helper.make_tensor_sequence_value_info("risk", _FLOAT, None)


def sequence() -> onnx.ModelProto:
    made = model([node("SequenceConstruct", "window", "risk")])
    made.graph.output[0].CopyFrom(_SEQUENCE)
    return made


MODELS = {
    "no batch axis": (model(batch=8), "found tensor(float) [8, 24], expected tensor(float) [?, 24"),
    "steps that are not known": (
        model([node("Slice", "window", "zero", "window_end", "one", "risk")], steps="n",
              more=[helper.make_tensor_value_info("window_end", TensorProto.INT64, [1])]),
        "outputs.risk: found tensor(float) [?, ?], expected tensor(float) [?, 1]: export it with",
    ),
    "two classes for one step": (
        model([node("Slice", "window", "zero", "two", "one", "risk")], steps=2),
        "found tensor(float) [?, 2], expected tensor(float) [?, 1]: an input has period / sample",
    ),
    "a window of another length": (model(time=25), "inputs.window: found tensor(float) [?, 25]"),
    "a window of any length": (model(time="time"), "with a fixed size of every axis but the first"),
    "float64 inputs": (
        model(
            [node("Gather", "window", "first", "x", axis=1), node("Cast", "x", "risk", to=_FLOAT)],
            dtype=_DOUBLE,
        ),
        "found tensor(double) [?, 24], expected tensor(float) [?, 24]: export it in that type",
    ),
    "float64 outputs": (model([_CAST], gives=_DOUBLE, steps=24), "outputs.risk: found tensor(dou"),
    "texts": (model([_TEXT], gives=TensorProto.STRING, steps=24), "found tensor(string)"),
    "no tensor at all": (sequence(), "a classifier of scikit-learn with zipmap=False"),
    "an input that is not described": (
        model(more=[helper.make_tensor_value_info("load", _FLOAT, ["batch", 24])]),
        "inputs.load: found in the model, expected it described",
    ),
    "operators of somebody else": (
        model([node("Guess", "window", "risk", domain="com.example")], domains=["com.example"]),
        "found the operators com.example.Guess",
    ),
    "no model": (b"\x08\x07 not a model", "found no ONNX model in"),
    "nothing": (b"", "found no ONNX model in"),
    "a model that no runtime loads": (
        model([node("Gathr", "window", "first", "risk")]),
        "does not load",
    ),
    "a forecast that is no share": (
        model([node("Add", "x", "x", "risk"), node("Gather", "window", "last", "x", axis=1)][::-1]),
        "outputs.risk: found 1.15, expected failure_risk from 0 to 1 1",
    ),
    "a forecast that is no number": (
        model([node("Gather", "window", "first", "x", axis=1), node("Log", "x", "y"),
               node("Sqrt", "y", "risk")]),
        "outputs.risk: found nan, expected failure_risk",
    ),
    "a forecast that depends on its neighbours": (
        model([node("Gather", "window", "first", "x", axis=1),
               node("ReduceMin", "x", "low", axes=[0]), node("Sub", "x", "low", "risk")]),
        "no request may change the forecast of another",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MODELS)
def test_a_model_is_refused(what: str, tmp_path: Path) -> None:
    made, why = MODELS[what]
    if isinstance(made, onnx.ModelProto):
        for name, value in (("zero", 0), ("one", 1), ("two", 2), ("last", 23)):
            made.graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [1], [value]))
    assert why in refused(tmp_path, made=made)


def test_weights_in_another_file_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    made = model([node("Add", "x", "much", "risk"), node("Gather", "window", "first", "x")][::-1])
    weights = np.zeros([1, 2000], np.float32)
    made.graph.initializer.append(onnx.numpy_helper.from_array(weights, "much"))
    onnx.save(made, tmp_path / "saved.onnx", save_as_external_data=True, location="weights.bin")
    why = refused(tmp_path, made=(tmp_path / "saved.onnx").read_bytes())
    assert "found weights outside of" in why
    assert "'much'" in why


DESCRIPTIONS = {
    "no such output": (("  risk:", "  chance:"), "outputs.chance: not found in the model, w"),
    "an input that it lacks": (("  window:", "  x: {role: area_index}\n  window:"), "inputs."),
    "a key that looks like another": (("variable: vib", "varible: vib"), "did you mean variable?"),
    "no variable": (("variable: vibration, ", ""), "inputs.window: found no variable, expected"),
    "a variable that nobody declares": (
        ("variable: failure_risk", "variable: chance"),
        "outputs.risk.variable: found 'chance', expected one of temperature",
    ),
    "a known variable in another unit": (
        ("variables:\n", "variables:\n  humidity: {unit: g, minimum: 0, maximum: 1}\n"),
        "variables: found humidity from 0 to 1 g, expected 0 to 100 %",
    ),
    "a part of a step": (("horizon: 1 day", "horizon: 36 hours"), "outputs.risk: found a part of"),
    "a part of a sample": (("rate: 1 hour", "rate: 7 hours"), "inputs.window: found a part"),
    "a date without quotes": (('"2026-10-31T00:00:00Z"', "2026-10-31"), "quote it where a name"),
    "a training after today": (('"2026-10', '"2926-10'), "training.train_end_time: found 2926"),
    "no word of what is synthetic": ((", synthetic: false", ""), "training.synthetic: not found"),
    "a role of nobody": (("window: {", "window: {role: label, "), "inputs.window.role: found 'lab"),
    "a key twice": (("author: M", "author: N\nauthor: M"), "found the key 'author' twice"),
    "a tolerance that hides everything": (
        ("horizon: 1 day", "horizon: 1 day, tolerance: {absolute: 0.5, relative: 0}"),
        "tolerance: found 0.5 1 for 'risk', expected",
    ),
    "no mapping": ((DESCRIPTION, "- author"), "expected a mapping"),
}  # fmt: skip


@pytest.mark.parametrize("what", DESCRIPTIONS)
def test_a_description_is_refused(what: str, tmp_path: Path) -> None:
    (old, new), why = DESCRIPTIONS[what]
    assert old in DESCRIPTION
    assert why in refused(tmp_path, description=DESCRIPTION.replace(old, new))


def windows(value: float, dtype: Any = np.float32) -> dict[str, Any]:
    return examples(**{"input/window": np.full([ROWS, 24], value, dtype)})


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value)
    return buffer.getvalue()


ARRAYS = {
    "seven rows": ({name: each[:7] for name, each in examples().items()}, "found 7 examples, expe"),
    "no rows": ({name: each[:0] for name, each in examples().items()}, "found 0 examples"),
    "no areas": ({"reference_time": examples()["reference_time"]}, "not found: input/window, area"),
    "one array too many": (examples(output=np.zeros(8)), "found output, expected no more than"),
    "float64 windows": (windows(0.5, np.float64), "input/window: found dtype '<f8', expected '<"),
    "shorter windows": (
        examples(**{"input/window": np.zeros([ROWS, 23], np.float32)}),
        "input/window: found shape [8, 23], expected [8, 24]",
    ),
    "dates for seconds": (
        examples(reference_time=np.array(["2026-10-01"] * ROWS, "datetime64[s]")),
        "reference_time: found dtype '<M8[s]', expected '<i8'",
    ),
    "a time in no calendar": (
        examples(reference_time=np.full(ROWS, 2**62)),
        "row 1: found a reference_time in no calendar",
    ),
    "an area of nobody": (examples(area=np.array(["Pump-3"] * ROWS)), "area: found ['Pump-3'], wh"),
    "a missing value": (windows(np.nan), "row 1: window: 24 of 24 observations are missing"),
    "an infinite value": (windows(np.inf), "row 1 of input/window: found inf, expected vibration"),
    "a value that cannot be": (windows(51), "found 51, expected vibration from 0 to 50 mm s-1"),
    "a pickle": (examples(area=np.array([{}] * ROWS)), "not a zip of plain NumPy arrays"),
    "no zip": (saved(np.zeros(8)), "not a zip of plain NumPy arrays"),
}  # fmt: skip


@pytest.mark.parametrize("what", ARRAYS)
def test_examples_are_refused(what: str, tmp_path: Path) -> None:
    arrays, why = ARRAYS[what]
    assert why in refused(tmp_path, arrays=arrays)


def test_no_examples_are_refused(tmp_path: Path) -> None:
    paths = write(tmp_path)
    paths["examples"].unlink()
    with pytest.raises(PackError, match="not found"):
        pack(**paths)


def test_rows_out_of_season_or_beyond_the_domain_are_refused(tmp_path: Path) -> None:
    described = DESCRIPTION.replace("training:", "valid_months: [1, 2]\ntraining:")
    assert "row 1: asked in September at Pump-1" in refused(tmp_path, description=described)
    described = DESCRIPTION.replace("1 hour}", "1 hour, domain: {maximum: 0.7}}")
    assert "row 7: vibration reached 0.725" in refused(tmp_path, description=described)


def test_what_may_be_missing_must_be_shown(tmp_path: Path) -> None:
    described = DESCRIPTION.replace("1 hour}", "1 hour, max_missing: 0.5}")
    assert "no example has a missing value" in refused(tmp_path, description=described)


def test_a_store_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    paths = write(tmp_path)
    paths["store"].write_bytes(b"a file")
    with pytest.raises(PackError, match="cannot write to the store"):
        pack(**paths)
