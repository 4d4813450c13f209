"""Tiny ONNX models, a description and examples of them, for the tests of `pack`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

DESCRIPTION = """\
author: Maintenance
model_type: PumpFailurePredictor
areas:
  Pump-1: {latitude: 53.54, longitude: 9.98, timezone: Europe/Berlin}
  Pump-2: {latitude: 53.54, longitude: 9.99, timezone: Europe/Berlin}
inputs:
  window: {variable: vibration, period: 24 hours, sample_rate: 1 hour}
outputs:
  risk: {variable: failure_risk, step: 1 day, horizon: 1 day}
variables:
  vibration: {unit: mm s-1, minimum: 0, maximum: 50}
  failure_risk: {unit: "1", minimum: 0, maximum: 1, label: Risk of failure}
training: {train_end_time: "2026-10-31T00:00:00Z", synthetic: false}
"""
START = 1_790_000_000  # in September 2026
ROWS = 8


def node(kind: str, *names: str, **attributes: Any) -> onnx.NodeProto:
    """Return a node whose last name is what it gives."""
    return helper.make_node(kind, list(names[:-1]), [names[-1]], **attributes)


def model(
    nodes: Sequence[onnx.NodeProto] = (node("Gather", "window", "first", "risk", axis=1),),
    *,
    batch: str | int | None = "batch",
    time: str | int = 24,
    steps: str | int | None = 1,
    dtype: int = TensorProto.FLOAT,
    gives: int = TensorProto.FLOAT,
    more: Sequence[onnx.ValueInfoProto] = (),
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """Return a model whose risk is, unless `nodes` say otherwise, the first value of the window."""
    graph = helper.make_graph(
        list(nodes),
        "pumps",
        [helper.make_tensor_value_info("window", dtype, [batch, time]), *more],
        [helper.make_tensor_value_info("risk", gives, [batch, steps])],
        [helper.make_tensor("first", TensorProto.INT64, [1], [0])],
    )
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(each, 1) for each in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def examples(**changes: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Return examples whose windows rise slowly from below one, with some arrays changed."""
    rise = np.arange(24)[None, :] + np.arange(ROWS)[:, None]
    arrays = {
        "input/window": (rise / 40).astype(np.float32),
        "area": np.array(["Pump-1", "Pump-2"] * (ROWS // 2)),
        "reference_time": START + 86400 * np.arange(ROWS, dtype=np.int64),
    }
    return arrays | changes


def write(
    folder: Path,
    *,
    made: onnx.ModelProto | bytes | None = None,
    description: str = DESCRIPTION,
    arrays: dict[str, npt.NDArray[Any]] | bytes | None = None,
) -> dict[str, Path]:
    """Write the three files of a model, and return them as the arguments of `pack`."""
    made = model() if made is None else made
    paths = {name: folder / name for name in ("model", "describe", "examples", "store")}
    paths["model"].write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    paths["describe"].write_text(description, encoding="utf-8")
    if isinstance(arrays, bytes):
        paths["examples"].write_bytes(arrays)
    else:
        with paths["examples"].open("wb") as file:
            np.savez(file, **(examples() if arrays is None else arrays))  # type: ignore[arg-type]  # any name
    return paths
