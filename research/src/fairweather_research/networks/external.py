"""External networks (``package.module:callable``): load, validate and record them.

``build_network`` imports and builds the network that a recipe names, ``validate_network`` tries the
fitted one, ``provenance_of`` returns what is recorded of it. Errors in its code end as a
``NetworkError`` that says where.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fairweather_research.environment import NETWORK
from fairweather_research.errors import AbsentNetworkError, NetworkError
from fairweather_research.networks.base import (
    NETWORKS,
    Build,
    ExportsOnnx,
    InTensorFlow,
    NetworkInputs,
    NetworkShape,
)

_ROWS = 64  # windows that a network is tried on
_SAME = 1e-3  # usual spreads: what rounding may change in a batch
_HELP = "install the package that holds it, or put its folder into PYTHONPATH"


def refuse_absent(name: str) -> None:
    """Refuse a network whose module cannot be found, without importing the module itself.

    The packages around it are imported.

    Raises:
        AbsentNetworkError: there is none, or a package around it cannot be imported.
    """
    if name not in NETWORKS:
        _find_module(name)


def _find_module(name: str) -> ModuleSpec:
    module = name.partition(":")[0]
    found = None
    with (
        wrap_errors(name, f"looking for {module}", AbsentNetworkError),
        suppress(ModuleNotFoundError, AttributeError, ValueError),
    ):
        found = find_spec(module)
    if found is None:
        raise _refused(name, f"found no module {module!r}; {_HELP}", AbsentNetworkError)
    return found


def load_build(name: str) -> Build:
    """Import the function that builds a network.

    Raises:
        AbsentNetworkError: there is no such module, or importing it fails.
        NetworkError: it holds no such callable.
    """
    if name in NETWORKS:
        return import_module(NETWORKS[name]).build  # type: ignore[no-any-return]
    refuse_absent(name)
    module, _, attribute = name.partition(":")
    with wrap_errors(name, f"importing {module}", AbsentNetworkError):
        found = getattr(import_module(module), attribute, None)
    if not callable(found):
        there = "no such name" if found is None else f"{type(found).__name__}, which is no callable"
        raise _refused(
            name,
            f"found {there} at {attribute!r} of {module}; expected a function "
            "`build(shape, sample)`",
        )
    return found  # type: ignore[no-any-return]


def build_network(
    name: str, shape: NetworkShape, sample: NetworkInputs
) -> InTensorFlow | ExportsOnnx:
    """Build the untrained network that a recipe names.

    Raises:
        NetworkError: it cannot be had, or is neither a Keras model nor a ``Network``.
    """
    build = load_build(name)
    with wrap_errors(name, "building it"):
        made = build(shape, sample)
    import keras  # type: ignore[import-untyped]  # noqa: PLC0415 - slow, and only the training process comes here

    if isinstance(made, keras.Model):
        refuse_other_numbers(name, made, sample)
        from fairweather_research.networks.keras_network import KerasNetwork  # noqa: PLC0415 - slow

        return KerasNetwork(made, shape)
    missing = [part for part in ("fit", "predict") if not callable(getattr(made, part, None))]
    if not (hasattr(made, "model") or callable(getattr(made, "export_onnx", None))):
        missing.append("model (in TensorFlow) or export_onnx (in another framework)")
    if missing:
        raise _refused(
            name,
            f"found that it builds {type(made).__name__}, without {', '.join(missing)}; return a "
            "Keras model, or an object with these",
        )
    return made  # type: ignore[no-any-return]


def refuse_other_numbers(name: str, model: Any, sample: NetworkInputs) -> None:  # noqa: ANN401 - TensorFlow has no types
    """Refuse a model in TensorFlow that answers in other numbers than float32.

    Raises:
        NetworkError: it does, or cannot be called.
    """
    with wrap_errors(name, "asking it"):
        found = np.asarray(model(sample.rows(slice(0, 1)).loaded().arrays(), training=False)).dtype
    if found != np.float32:
        raise _refused(
            name,
            f"found answers in {found}, expected float32; build its layers with dtype float32, and "
            "set no other policy or precision",
        )


def validate_network(
    name: str,
    predict: Callable[[NetworkInputs], npt.NDArray[np.float32]],
    shape: NetworkShape,
    inputs: NetworkInputs,
) -> None:
    """Try a fitted network on real windows and on an empty one.

    Raises:
        NetworkError: its output has another shape, is not finite, differs from call to call, or
            differs with the other rows of the batch.
    """
    tried = np.linspace(0, len(inputs) - 1, min(_ROWS, len(inputs))).astype(np.int64)
    some = inputs.rows(tried).loaded()
    nothing = NetworkInputs(
        anomalies=np.zeros_like(some.anomalies[:2]),
        present=np.zeros_like(some.present[:2]),
        area=some.area[:2],
        calendar=some.calendar[:2],
    )
    with wrap_errors(name, "asking it"):
        output, again, alone, empty = (
            np.asarray(predict(tried)) for tried in (some, some, some.rows(slice(0, 1)), nothing)
        )
    expected = (len(some), shape.outputs, shape.leads)
    if output.shape != expected:
        problem = (
            f"found answers of shape {list(output.shape)}, expected {list(expected)}: "
            "[rows, outputs, leads]"
        )
    elif not np.isfinite(output).all():
        problem = "found answers that are no number; look at its loss and learning rate"
    elif not np.isfinite(empty).all():
        problem = (
            "found no number for a past that is all missing; expected one: divide by nothing that "
            "can be 0"
        )
    elif not np.array_equal(output, again):
        problem = (
            "found other answers to the same question; expected no randomness at inference: leave "
            "dropout and noise to training"
        )
    elif np.abs(output[:1] - alone).max() > _SAME:
        problem = (
            "found another answer to a window alone than in company; expected every row for "
            "itself: nothing may be averaged over a batch at inference"
        )
    else:
        return
    raise _refused(name, problem)


def provenance_of(name: str, network: object) -> dict[str, str]:
    """Return what provenance records of an external network, in the manner of ``packages``.

    ``network package.module:callable`` with a digest of its module's source; the distributions that
    its package comes from, and those that the network names in ``packages``, with their versions.
    Empty for a network of ``NETWORKS``.
    """
    if name in NETWORKS:
        return {}
    package = name.partition(":")[0].partition(".")[0]
    found = {f"{NETWORK}{name}": source_digest(name)}
    theirs = packages_distributions().get(package, [])
    for distribution in sorted({*theirs, *getattr(network, "packages", ())}):
        try:
            found[distribution] = version(distribution)
        except PackageNotFoundError:
            found[distribution] = "not installed"
    return found


def source_digest(name: str) -> str:
    """Return the digest of the file that holds an external network; its module is not run.

    It covers that file alone: what the file imports is recorded by version, if at all.

    Raises:
        NetworkError: there is no such module, or its file cannot be read.
    """
    found = _find_module(name)
    file = found.origin if found.has_location else None
    try:
        source = Path(file).read_bytes() if file else b""
    except OSError as error:
        raise _refused(
            name, f"{file}: cannot be read ({error.strerror}); make it readable"
        ) from error
    return f"sha256:{hashlib.sha256(source).hexdigest()}"


@contextmanager
def wrap_errors(name: str, what: str, kind: type[NetworkError] = NetworkError) -> Iterator[None]:
    """Turn an error of an external network into a ``NetworkError`` with file and line.

    Errors of a network of this package are faults of this package, and pass through.
    """
    try:
        yield
    except NetworkError:
        raise
    except Exception as error:
        if name in NETWORKS:
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f" ({Path(last.filename).name}, line {last.lineno})"
        raise _refused(
            name,
            f"{what} failed with {type(error).__name__}: {' '.join(str(error).split())[:300]}"
            f"{'' if last.filename == __file__ else where}; mend it and train again",
            kind,
        ) from error


def _refused(name: str, problem: str, kind: type[NetworkError] = NetworkError) -> NetworkError:
    return kind(name, [f"`network`: {problem}"])
