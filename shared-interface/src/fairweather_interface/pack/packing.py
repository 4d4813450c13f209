"""Pack: hold a file, its description and its examples against each other, and deliver them."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort  # type: ignore[import-untyped]

from fairweather_interface import applicability
from fairweather_interface.delivery import (
    CARD,
    EXAMPLES,
    METADATA,
    new_delivery_id,
    staged_delivery,
)
from fairweather_interface.errors import MetadataError, PackError, in_words, listed, short
from fairweather_interface.examples import SERVE, example_problems
from fairweather_interface.manifest import FileEntry, digest_of_files
from fairweather_interface.metadata import (
    AREA_INDEX,
    ONNX,
    REFERENCE_TIME,
    DeclaredVariable,
    ModelMetadata,
    create_metadata,
    dump_metadata,
)
from fairweather_interface.pack.description import Description, read_description
from fairweather_interface.pack.model_file import ModelFile, read_model
from fairweather_interface.summary import describe
from fairweather_interface.variables import Variable

_MODEL = "model.onnx"
_TOLERANCE = 1e-4  # of a variable's range: another build of the runtime adds in another order
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FATAL_ONLY = 4
_TYPES = {"float32": "tensor(float)", "int64": "tensor(int64)"}
_Arrays = dict[str, npt.NDArray[Any]]


def deliver(model: Path, described: Path, examples: Path, store: Path) -> Path:
    """Deliver a model, as :func:`fairweather_interface.pack.pack` does."""
    file = read_model(model)
    description = read_description(described)
    session = _session(file, model)
    _refuse(f"{model} is not what {described} says:", _tensor_problems(session, description))
    metadata = _metadata(file, description)
    given = example_problems(examples, metadata, writing=True, given=True)
    _refuse(f"found examples we cannot use in {examples}:", given)
    arrays = _read_examples(examples, metadata)
    _refuse(f"found examples that cannot be served in {examples}:", _row_problems(arrays, metadata))
    arrays |= _outputs(session, arrays, metadata)
    _refuse(f"{model} gives no forecasts:", _forecast_problems(arrays, metadata))
    try:
        with staged_delivery(store, metadata.delivery_id) as folder:
            (folder / _MODEL).write_bytes(file.data)
            np.savez_compressed(folder / EXAMPLES, **arrays)  # type: ignore[arg-type]  # any name
            (folder / CARD).parent.mkdir()
            (folder / CARD).write_text(_card(metadata), encoding="utf-8")
            (folder / METADATA).write_bytes(dump_metadata(metadata))
    except OSError as error:
        raise PackError(
            f"cannot write to the store {store} ({error.strerror or error}), expected a folder "
            "with space that you may write to"
        ) from None
    return store / metadata.delivery_id


def _refuse(headline: str, found: Iterable[str]) -> None:
    if problems := tuple(found):
        raise PackError(listed(headline, problems), problems=problems)


def _session(file: ModelFile, path: Path) -> Any:  # noqa: ANN401 - a session of onnxruntime
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    try:
        return ort.InferenceSession(file.data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - it has an error for each reason
        raise PackError(
            f"found a model in {path} that ONNX Runtime {ort.__version__} does not load: "
            f"{str(error)[:500]}"
        ) from None


def _tensor_problems(session: Any, description: Description) -> Iterator[str]:  # noqa: ANN401
    """Yield how the tensors of the model differ from those that are described."""
    found = {f"inputs.{each.name}": each for each in session.get_inputs()}
    taken = found.keys() - description.tensors.keys()
    yield from (f"{place}: found in the model, expected it described" for place in sorted(taken))
    found |= {f"outputs.{each.name}": each for each in session.get_outputs()}
    for place, item in description.tensors.items():
        if place not in found:
            there = in_words(f"{name} {each.type}" for name, each in found.items())
            yield f"{place}: not found in the model, which has {there}"
        elif problem := _difference(found[place], *item.tensor):
            yield f"{place}: {problem}"


def _difference(tensor: Any, dtype: str, shape: tuple[int, ...]) -> str | None:  # noqa: ANN401
    """Return how a tensor of the model differs, and how to export it right."""
    kind, sizes = _TYPES[dtype], [size if isinstance(size, int) else "?" for size in tensor.shape]
    if tensor.type == kind and sizes == ["?", *shape[1:]]:
        return None
    if not tensor.type.startswith("tensor"):
        remedy = "export tensors alone, a classifier of scikit-learn with zipmap=False"
    elif tensor.type != kind:
        remedy = "export it in that type"
    elif sizes[:1] != ["?"]:
        remedy = "export it with an open first axis, which counts requests"
    elif "?" in sizes[1:]:
        remedy = "export it with a fixed size of every axis but the first"
    else:
        remedy = (
            "an input has period / sample_rate values and an output horizon / step (the columns "
            "of a classifier are classes and no steps: cut out the one that is forecast)"
        )
    expected = f"{kind} {_shown(['?', *shape[1:]])}"
    return f"found {tensor.type} {_shown(sizes)}, expected {expected}: {remedy}"


def _shown(sizes: Iterable[object]) -> str:
    return f"[{', '.join(map(str, sizes))}]"


def _metadata(file: ModelFile, description: Description) -> ModelMetadata:
    """Return the metadata of a model whose tensors are those described."""
    rows = description.rows
    inputs, outputs, tolerance = [], [], {}
    for name, item in description.inputs.items():
        words = {each: value for each, value in item if each != "domain"}
        if item.variable is None:
            words = {"role": item.role}
        else:
            words["unit"] = rows[item.variable].unit
        inputs.append({"name": name, "dtype": item.tensor[0], "shape": item.tensor[1], **words})
    for name, output in description.outputs.items():
        row = rows[output.variable]
        usual = {"absolute": _TOLERANCE * (row.maximum - row.minimum), "relative": 0.0}
        tolerance[name] = output.tolerance or usual
        words = {"variable": row.name, "unit": row.unit, "step": output.step}
        outputs.append({"name": name, "shape": output.tensor[1], **words})
    entry = FileEntry(sha256=hashlib.sha256(file.data).hexdigest(), size=len(file.data))
    needs = {"opset": file.opset, "ir_version": file.ir_version}
    taken = {"inputs", "outputs", "variables"}
    domain = {name: item.domain for name, item in description.inputs.items() if item.domain}
    own = {name: DeclaredVariable.of(row) for name, row in description.variables.items()}
    try:
        return create_metadata(
            **{name: value for name, value in description if name not in taken},
            delivery_id=new_delivery_id(),
            created_at=datetime.now(UTC).replace(microsecond=0),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            artifacts=({"format": ONNX, "path": _MODEL, "canonical": True, "needs": needs},),
            model_digest=digest_of_files({_MODEL: entry}),
            tolerance=tolerance,
            applicability_domain=domain or None,
            variables=own or None,
        )
    except MetadataError as error:
        problems = error.problems
    raise PackError(
        listed("found a description that makes no metadata:", problems), problems=problems
    )


def _read_examples(path: Path, metadata: ModelMetadata) -> _Arrays:
    """Return the arrays of the examples, with what follows from area and reference time."""
    with np.load(path, allow_pickle=False) as file:
        arrays: _Arrays = {name: file[name] for name in file.files}
    areas = list(metadata.areas)
    for item in metadata.inputs:
        if item.role == REFERENCE_TIME:
            arrays[f"input/{item.name}"] = arrays["reference_time"]
        if item.role == AREA_INDEX:
            known = [areas.index(name) for name in arrays["area"].tolist()]
            arrays[f"input/{item.name}"] = np.array(known, np.int64)
    return arrays | {"expect": np.array([SERVE] * len(arrays["area"]))}


def _row_problems(arrays: _Arrays, metadata: ModelMetadata) -> Iterator[str]:
    """Yield why a row cannot be served, by the rules that every reader holds it against."""
    for row, area in enumerate(arrays["area"].tolist()):
        try:
            start = _EPOCH + timedelta(seconds=int(arrays["reference_time"][row]))
        except OverflowError:
            yield f"row {row + 1}: found a reference_time in no calendar, expected seconds"
            continue
        refusals = [applicability.check_start(metadata, area, start)]
        seen = {}
        for item in metadata.required_inputs:
            values = arrays[f"input/{item.name}"][row]
            present = np.flatnonzero(~np.isnan(values))
            missing, age, rate = len(values) - len(present), None, item.sample_rate
            lowest = highest = None
            if present.size and rate is not None:
                age = (len(values) - 1 - int(present[-1])) * rate
                lowest, highest = float(values[present].min()), float(values[present].max())
            seen[item.name] = applicability.Observed(
                lowest=lowest, highest=highest, missing=missing, age=age
            )
            refusals.append(applicability.check_missing(item, missing))
            problem = _impossible(values[present], metadata.variable_table[str(item.variable)])
            if problem:
                yield f"row {row + 1} of input/{item.name}: {problem}"
        refusals.append(applicability.check_age(metadata, seen))
        refusals.append(applicability.check_applicability(metadata, seen))
        yield from (f"row {row + 1}: {refusal.reason}" for refusal in refusals if refusal)


def _outputs(session: Any, arrays: _Arrays, metadata: ModelMetadata) -> _Arrays:  # noqa: ANN401
    """Return what the model gives for all rows at once; the last one must give the same alone."""
    names = [output.name for output in metadata.outputs]
    feeds = {item.name: arrays[f"input/{item.name}"] for item in metadata.inputs}
    try:
        together = session.run(names, feeds)
        alone = session.run(names, {name: values[-1:] for name, values in feeds.items()})
    except Exception as error:  # noqa: BLE001 - ONNX Runtime has an error for each reason
        raise PackError(
            f"found examples that the model does not run: {short(str(error))}"
        ) from None
    for name, among, single in zip(names, together, alone, strict=True):
        allowed = metadata.tolerance[name]
        if not np.allclose(single, among[-1:], allowed.relative, allowed.absolute, equal_nan=True):
            raise PackError(
                f"outputs.{name}: found other values for the last example alone than among all, "
                "expected the same: no request may change the forecast of another"
            )
    return {f"output/{name}": values for name, values in zip(names, together, strict=True)}


def _forecast_problems(arrays: _Arrays, metadata: ModelMetadata) -> Iterator[str]:
    for output in metadata.outputs:
        values, sizes = arrays[f"output/{output.name}"], output.shape[1:]
        if values.shape[1:] != sizes:
            yield f"outputs.{output.name}: found the shape {list(values.shape)} for all examples"
        elif problem := _impossible(values, metadata.variable_table[output.variable]):
            yield f"outputs.{output.name}: {problem}"


def _impossible(values: npt.NDArray[Any], row: Variable) -> str | None:
    """Return what is wrong with values of a variable, if anything; NaN is no value."""
    wrong = values[~((values >= row.minimum) & (values <= row.maximum))]
    if not wrong.size:
        return None
    limits = f"{row.minimum:g} to {row.maximum:g} {row.unit}"
    return f"found {wrong.flat[0]:g}, expected {row.name} from {limits}"


def _card(metadata: ModelMetadata) -> str:
    """Return a plain card: all that the metadata declare, and that no skill was measured."""
    cells = "\n".join(
        f"<tr><th scope=row>{html.escape(name)}<td>{html.escape(value)}"
        for name, value in describe(metadata)
    )
    title = html.escape(metadata.model_type)
    return (
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>{title}</title>\n"
        f"<h1>{title}</h1>\n<p>Packed from an ONNX file. Here stands what its author declares; "
        f"how good its forecasts are has not been measured.</p>\n<table>\n{cells}\n</table>\n"
    )
