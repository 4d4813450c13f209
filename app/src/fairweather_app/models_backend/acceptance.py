"""Acceptance test of a loaded model: it matches its metadata, and runs here as it was trained.

Each check raises `LoadError`: this release can supply every input and knows every unit, tolerances
are small; the runtime's signature is the metadata's, quantiles included; the examples give the
trainer's outputs, in one batch and one by one, as requests are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
from fairweather_interface.delivery import EXAMPLES
from fairweather_interface.examples import SERVE
from fairweather_interface.metadata import BATCH, OBSERVATIONS, Input, ModelMetadata, Output
from fairweather_interface.refusals import Code
from fairweather_interface.variables import VARIABLES, conflicts
from fairweather_interface.verdict import check

from fairweather_app.common.times import CLOCKS_DIFFER, write_time
from fairweather_app.errors import LoadError, PredictionError, RemoteUnavailableError
from fairweather_app.models_backend.checks import check_predictions
from fairweather_app.models_backend.runtime_model import ROLES, Arrays, RuntimeModel, Tensor
from fairweather_app.models_backend.software import describe_software

LARGEST_TOLERANCE = 0.01
"""Of the range of a variable: what examples prove nothing beyond."""
ALONE = 8
"""So many examples are also run one by one."""


def accept(model: RuntimeModel) -> None:
    """Compare a freshly loaded model with its metadata and replay its examples."""
    check_signature(model)
    replay_examples(model)


def check_roles(metadata: ModelMetadata) -> None:
    """Refuse an input whose role, type or shape this release cannot supply."""
    problems = []
    for each in metadata.inputs:
        if each.role not in ROLES:
            problems.append(
                f"input {each.name!r} has the role {each.role!r}; this release feeds "
                f"{', '.join(ROLES)}"
            )
            continue
        # observations come as float32 of any length, the others as one integer
        expected = ("float32", each.shape) if each.role == OBSERVATIONS else ("int64", (BATCH,))
        if (each.dtype, each.shape) != expected:
            problems.append(
                f"input {each.name!r} of role {each.role!r} is {each.dtype} {list(each.shape)}; "
                f"this release feeds {expected[0]} {list(expected[1])}"
            )
    if problems:
        raise LoadError(Code.RUNTIME_UNAVAILABLE, "; ".join(problems))


def check_supply(metadata: ModelMetadata) -> None:
    """Refuse a window that this release cannot supply, as the contract's check does."""
    verdict = check(metadata, describe_software(()))
    lacking = [each for each in verdict.refusals if each.code is Code.OBSERVATIONS_MISSING]
    if lacking:
        raise LoadError(Code.OBSERVATIONS_MISSING, "; ".join(each.reason for each in lacking))


def check_units(metadata: ModelMetadata) -> None:
    """Refuse a variable that the contract has otherwise, or a known one in another unit."""
    named: list[Input | Output] = [*metadata.required_inputs, *metadata.outputs]
    declared = {name: each.row(name) for name, each in (metadata.declared_variables or {}).items()}
    problems = [f"variables: {problem}" for problem in conflicts(declared, VARIABLES)]
    variables = metadata.variable_table
    for each in named:
        variable = variables.get(each.variable or "")
        if variable is not None and each.unit != variable.unit:
            problems.append(
                f"{each.name!r} is {each.variable} in {each.unit!r}, its row has it in "
                f"{variable.unit!r}"
            )
    if problems:
        raise LoadError(Code.CORRUPT, "; ".join(problems))


def check_times(metadata: ModelMetadata, now: datetime) -> None:
    """Refuse what states that it learned from times after it was made, or was made after now."""
    made, learned = metadata.created_at, metadata.training.train_end_time
    if max(learned - made, made - now) > CLOCKS_DIFFER:
        raise LoadError(
            Code.CORRUPT,
            f"it states {write_time(learned)} as train_end_time and {write_time(made)} as "
            f"created_at, and here it is {write_time(now)}: none may lie after the next",
        )


def check_signature(model: RuntimeModel) -> None:
    """Refuse an artifact with other inputs than declared, or without an output or quantile."""
    found = model.session.signature
    declared = {each.name: each for each in model.metadata.inputs}
    problems = [
        f"input {name!r} is not in the metadata" for name in found.inputs if name not in declared
    ]
    for name, each in declared.items():
        expected = Tensor(each.dtype, _sizes(each))
        problems += _difference("input", name, expected, found.inputs.get(name))
    for name, output in model.tensors.items():
        expected = Tensor("float32", _sizes(output))
        problems += _difference("output", name, expected, found.outputs.get(name), open_sizes=True)
    if problems:
        raise LoadError(
            Code.CORRUPT, "the artifact is not what the metadata says: " + "; ".join(problems)
        )


def replay_examples(model: RuntimeModel) -> None:
    """Refuse examples that differ beyond the tolerance, or give no forecast where they must."""
    examples = read_examples(model)
    check_tolerances(model, examples)
    found = run_examples(model, examples)
    differences = list(_differences(model, found, examples))
    for row in range(min(ALONE, len(examples["expect"])) if not differences else 0):
        one = {name: array[row : row + 1] for name, array in examples.items()}
        differences += _differences(model, run_examples(model, one), one, first=row)
    if differences:
        raise LoadError(Code.CORRUPT, "; ".join(differences))
    for row in np.flatnonzero(examples["expect"] == SERVE).tolist():
        refusal = check_predictions(model.metadata, model.predictions(found, row))
        if refusal is not None:
            raise LoadError(refusal.code, f"in an example: {refusal.reason}")


def check_tolerances(model: RuntimeModel, examples: Arrays) -> None:
    """Refuse a tolerance of more than `LARGEST_TOLERANCE` of the variable's range, in its unit.

    A variable whose limits are not known ranges over what the examples expect.
    """
    problems = []
    rows = model.metadata.variable_table
    for name, output in model.tensors.items():
        row, expected = rows.get(output.variable), examples[f"output/{name}"]
        low, high = (row.minimum, row.maximum) if row else (expected.min(), expected.max())
        most = LARGEST_TOLERANCE * (high - low)
        given = model.metadata.tolerance[name]
        tolerated = given.absolute + given.relative * max(abs(low), abs(high))
        if not tolerated <= most:
            problems.append(
                f"the tolerance of {name!r} is {tolerated:g} {output.unit}, expected at most "
                f"{most:g}: {LARGEST_TOLERANCE:.0%} of what {output.variable} ranges over"
            )
    if problems:
        raise LoadError(Code.CORRUPT, "; ".join(problems))


def read_examples(model: RuntimeModel) -> Arrays:
    """Read the arrays of a delivery's examples that its metadata name, by name."""
    names = [f"input/{each.name}" for each in model.metadata.inputs]
    names += [f"output/{name}" for name in model.tensors]
    with np.load(model.delivery.path / EXAMPLES, allow_pickle=False) as file:
        return {name: file[name] for name in (*names, "area", "reference_time", "expect")}


def run_examples(model: RuntimeModel, examples: Arrays) -> Arrays:
    """Run all examples in one batch; what a server fails at is a `RemoteUnavailableError`."""
    feeds = {each.name: examples[f"input/{each.name}"] for each in model.metadata.inputs}
    try:
        return model.run(feeds, list(model.tensors))
    except PredictionError as error:
        if error.code is not Code.INVALID_OUTPUT:
            raise RemoteUnavailableError(f"the examples cannot be run: {error}") from error
        raise LoadError(Code.CORRUPT, f"the examples cannot be run: {error}") from error


def _sizes(declared: Input | Output) -> tuple[int | None, ...]:
    return tuple(None if size == BATCH else size for size in declared.shape)


def _difference(
    kind: str, name: str, expected: Tensor, found: Tensor | None, *, open_sizes: bool = False
) -> list[str]:
    """Describe how a tensor differs from the declared one; an `open_sizes` None matches any."""
    if found is None:
        return [f"{kind} {name!r} is not in the artifact"]
    sizes, wanted = found.shape, expected.shape or ()
    if open_sizes and (sizes is None or len(sizes) == len(wanted)):
        pairs = zip(sizes or wanted, wanted, strict=True)
        sizes = tuple(want if size is None else size for size, want in pairs)
    if sizes == expected.shape and found.dtype == expected.dtype:
        return []
    return [f"{kind} {name!r} is {found}, the metadata says {expected}"]


def _differences(
    model: RuntimeModel, found: Arrays, examples: Arrays, *, first: int | None = None
) -> Iterator[str]:
    """Describe the first difference of each tensor; `first` is the place of one that ran alone."""
    for name in model.tensors:
        expected, got = examples[f"output/{name}"], found[name]
        tolerance = model.metadata.tolerance[name]
        same = np.isclose(
            got, expected, atol=tolerance.absolute, rtol=tolerance.relative, equal_nan=True
        )
        if not same.all():
            row, step = np.argwhere(~same)[0]
            alone = "" if first is None else "run alone, "
            yield (
                f"{alone}example {row + 1 + (first or 0)} came out differently: {name!r} at step "
                f"{step + 1} is {got[row, step]:g}, the trainer computed {expected[row, step]:g} "
                f"(tolerance {tolerance.absolute:g} + {tolerance.relative:g} of the value)"
            )
