"""Proof that a loaded model is what its metadata says, and runs here as it ran where it was made.

Each check raises `LoadError`: this release can feed every input and knows every unit; the
runtime's signature is the metadata's, quantiles included; the examples come out as the trainer
computed them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from fairweather_interface.definitions import VARIABLES
from fairweather_interface.delivery import EXAMPLES
from fairweather_interface.examples import SERVE
from fairweather_interface.metadata import BATCH, OBSERVATIONS, Input, ModelMetadata, Output
from fairweather_interface.refusals import Code

from fairweather_app.errors import LoadError, PredictionError, RemoteUnavailableError
from fairweather_app.models_backend.checks import check_predictions
from fairweather_app.models_backend.runtime_model import ROLES, RuntimeModel
from fairweather_app.models_backend.session import Arrays, Tensor

FED_AS = {"reference_time": ("int64", (BATCH,)), "area_index": ("int64", (BATCH,))}
"""How the inputs that are no observations are fed: dtype and shape by role."""


def prove(model: RuntimeModel) -> None:
    """Hold a freshly loaded model against its metadata and its examples.

    Raises:
        LoadError: it is not what it says.
    """
    check_signature(model)
    replay_examples(model)


def check_roles(metadata: ModelMetadata) -> None:
    """Every input has a role, a type and a shape that this release can feed."""
    problems = [problem for each in metadata.inputs for problem in _role_problems(each)]
    if problems:
        raise LoadError(Code.RUNTIME_UNAVAILABLE, "; ".join(problems))


def check_units(metadata: ModelMetadata) -> None:
    """Inputs and outputs of variables that the contract knows are in the contract's unit."""
    named: list[Input | Output] = [*metadata.required_inputs, *metadata.outputs]
    problems = []
    for each in named:
        variable = VARIABLES.get(each.variable or "")
        if variable is not None and each.unit != variable.unit:
            problems.append(
                f"{each.name!r} is {each.variable} in {each.unit!r}, the contract has it in "
                f"{variable.unit!r}"
            )
    if problems:
        raise LoadError(Code.CORRUPT, "; ".join(problems))


def check_signature(model: RuntimeModel) -> None:
    """The artifact takes exactly the declared inputs and gives at least the declared outputs.

    Quantiles are outputs here: each is declared with the shape of the output that it is of.
    """
    found = model.session.signature
    declared = {each.name: each for each in model.metadata.inputs}
    problems = [
        f"input {name!r} is not in the metadata" for name in found.inputs if name not in declared
    ]
    for name, each in declared.items():
        expected = Tensor(each.dtype, _sizes(each))
        problems += _difference("input", name, expected, found.inputs.get(name), open_sizes=False)
    for name, output in _given(model.metadata).items():
        expected = Tensor("float32", _sizes(output))
        problems += _difference("output", name, expected, found.outputs.get(name), open_sizes=True)
    if problems:
        raise LoadError(
            Code.CORRUPT, "the artifact is not what the metadata says: " + "; ".join(problems)
        )


def replay_examples(model: RuntimeModel) -> None:
    """Every example comes out within the declared tolerance, and what is to be served is sane."""
    examples = read_examples(model)
    found = run_examples(model, examples)
    differences = list(_replay_problems(model.metadata, found, examples))
    if differences:
        raise LoadError(Code.CORRUPT, "; ".join(differences))
    for row in np.flatnonzero(examples["expect"] == SERVE).tolist():
        refusal = check_predictions(model.metadata, model.predictions(found, row))
        if refusal is not None:
            raise LoadError(refusal.code, f"in an example: {refusal.reason}")


def read_examples(model: RuntimeModel) -> Arrays:
    """The arrays of a delivery's examples, by name."""
    with np.load(model.delivery.path / EXAMPLES, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def run_examples(model: RuntimeModel, examples: Arrays) -> Arrays:
    """Every output and every quantile that the metadata declare, for all examples at once.

    Raises:
        LoadError: the runtime failed on them.
        RemoteUnavailableError: what runs the model elsewhere failed, which says nothing about it.
    """
    feeds = {each.name: examples[f"input/{each.name}"] for each in model.metadata.inputs}
    try:
        return model.session.run(feeds, list(_given(model.metadata)))
    except PredictionError as error:
        if error.code is not Code.INVALID_OUTPUT:
            raise RemoteUnavailableError(f"the examples cannot be run: {error}") from error
        raise LoadError(Code.CORRUPT, f"the examples cannot be run: {error}") from error


def _given(metadata: ModelMetadata) -> dict[str, Output]:
    """What the artifact has to give: tensors by name, each with the output whose shape it has."""
    outputs = {each.name: each for each in metadata.outputs}
    return outputs | {each.name: outputs[each.output] for each in metadata.uncertainty or ()}


def _role_problems(each: Input) -> Iterator[str]:
    if each.role not in ROLES:
        known = ", ".join(ROLES)
        yield f"input {each.name!r} has the role {each.role!r}; this release feeds {known}"
        return
    expected = ("float32", each.shape) if each.role == OBSERVATIONS else FED_AS[each.role]
    if (each.dtype, each.shape) != expected:
        yield (
            f"input {each.name!r} of role {each.role!r} is {each.dtype} {list(each.shape)}; "
            f"this release feeds {expected[0]} {list(expected[1])}"
        )


def _sizes(declared: Input | Output) -> tuple[int | None, ...]:
    return tuple(None if size == BATCH else size for size in declared.shape)


def _difference(
    kind: str, name: str, expected: Tensor, found: Tensor | None, *, open_sizes: bool
) -> list[str]:
    """How a tensor differs from what is declared; `open_sizes`: a size left open differs not."""
    if found is None:
        return [f"{kind} {name!r} is not in the artifact"]
    same = found.dtype == expected.dtype and (
        _fits(found.shape, expected.shape) if open_sizes else found.shape == expected.shape
    )
    return [] if same else [f"{kind} {name!r} is {found}, the metadata says {expected}"]


def _fits(found: tuple[int | None, ...] | None, expected: tuple[int | None, ...] | None) -> bool:
    if found is None or expected is None:
        return True
    return len(found) == len(expected) and all(
        size is None or size == wanted for size, wanted in zip(found, expected, strict=True)
    )


def _replay_problems(metadata: ModelMetadata, found: Arrays, examples: Arrays) -> Iterator[str]:
    for name in _given(metadata):
        expected, got = examples[f"output/{name}"], found[name]
        if got.shape != expected.shape:
            yield f"output {name!r} came out as {got.shape}, expected {expected.shape}"
            continue
        tolerance = metadata.tolerance[name]
        same = np.isclose(
            got, expected, atol=tolerance.absolute, rtol=tolerance.relative, equal_nan=True
        )
        if not same.all():
            row, step = np.argwhere(~same)[0]
            yield (
                f"example {row + 1} came out differently: {name!r} at step {step + 1} is "
                f"{got[row, step]:g}, the trainer computed {expected[row, step]:g} (tolerance "
                f"{tolerance.absolute:g} + {tolerance.relative:g} of the value)"
            )
