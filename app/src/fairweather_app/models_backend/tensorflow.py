"""Backend for TensorFlow SavedModels, in process: needs the extra ``[tensorflow]`` and a setting.

A SavedModel is a program. One is loaded only where everything that can run in it is among
`OPERATIONS`, which compute and do nothing else: none reads or writes a file, calls Python, prints
or reaches a network. TensorFlow is imported when the first SavedModel is loaded, which takes
seconds and hundreds of megabytes. It would hang after a fork, so a session refuses to run in
another process than the one that loaded it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Mapping, Sequence
from importlib import metadata as packages
from typing import Any

import numpy.typing as npt
from fairweather_interface.delivery import Delivery
from fairweather_interface.metadata import SAVED_MODEL, Artifact
from fairweather_interface.refusals import Code
from fairweather_interface.software import Runtime
from packaging.version import Version

from fairweather_app.errors import LoadError, PredictionError
from fairweather_app.models_backend.protocol import ModelsBackend, artifact_of
from fairweather_app.models_backend.runtime_model import Arrays, RuntimeModel, Signature, Tensor
from fairweather_app.text import join_some

SIGNATURE_NAME = "model_signature"
OPERATIONS = """
Abs Add AddN AddV2 All Any ArgMax ArgMin AvgPool BatchMatMulV2 BatchMatMulV3 BiasAdd BroadcastArgs
BroadcastTo Cast Ceil ClipByValue ConcatV2 Const Conv2D Cos Cosh Cumsum DepthwiseConv2dNative Div
DivNoNan Einsum Elu EnsureShape Equal Erf Erfc Exp ExpandDims Expm1 Fill Floor FloorDiv FloorMod
FusedBatchNormV3 GatherNd GatherV2 Greater GreaterEqual Identity IdentityN If Inv IsFinite IsInf
IsNan L2Loss LeakyRelu Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr LogSoftmax MatMul
Max MaxPool Maximum Mean Min Minimum Mod Mul MulNoNan Neg NoOp NotEqual OneHot OnesLike Pack Pad
PadV2 PartitionedCall Placeholder PlaceholderWithDefault Pow PreventGradient Prod Range Rank
ReadVariableOp RealDiv Reciprocal Relu Relu6 Reshape ResourceGather ReverseV2 Round Rsqrt Select
SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign Split SplitV
Sqrt Square SquaredDifference Squeeze StatefulPartitionedCall StatelessIf StatelessWhile
StopGradient StridedSlice Sub Sum Tan Tanh TensorListElementShape TensorListFromTensor
TensorListGetItem TensorListReserve TensorListSetItem TensorListStack Tile TopKV2 Transpose
TruncateDiv Unpack VarHandleOp Where While Xdivy Xlogy ZerosLike
"""
"""What research exports is made of, and the layers of Keras."""
SETTING_UP = {"AssignVariableOp", "VarIsInitializedOp"}
"""What Keras leaves beside its variables in a graph; in a function it would make answers vary."""


class TensorFlowBackend(ModelsBackend):
    """Loads SavedModels that carry the signature ``model_signature``; one thread a call."""

    format = SAVED_MODEL
    test_seconds = 30

    def prepare(self) -> None:
        """Import TensorFlow."""
        _import_tensorflow()

    def describe(self) -> Runtime:
        """Describe the runtime without importing TensorFlow."""
        return Runtime(
            format=SAVED_MODEL, name="tensorflow", version=packages.version("tensorflow")
        )

    def cannot_run(self, artifact: Artifact) -> str | None:
        """Compare the TensorFlow version that an artifact needs with the installed one."""
        needed = artifact.needs.tensorflow if artifact.needs else None
        if needed is None:
            return None
        here = packages.version("tensorflow")
        newer = Version(needed).release[:2] > Version(here).release[:2]
        return f"needs TensorFlow {needed}, here is {here}" if newer else None

    def load(self, delivery: Delivery) -> RuntimeModel:
        """Load the SavedModel of a verified delivery."""
        artifact = artifact_of(delivery, SAVED_MODEL)
        if artifact is None or artifact.path is None:
            raise LoadError(Code.RUNTIME_UNAVAILABLE, "it carries no SavedModel")
        tensorflow = _import_tensorflow()
        path = str(delivery.path / artifact.path)
        try:
            # as its own reader finds it: there are three names that the file may have
            problem = find_problem(tensorflow.__internal__.saved_model.parse_saved_model(path))
            loaded = None if problem else tensorflow.saved_model.load(path)
        except Exception as error:  # TensorFlow raises what its file formats raise
            raise LoadError(
                Code.CORRUPT, f"{artifact.path} is not a SavedModel: {error}"
            ) from error
        if loaded is None:
            raise LoadError(Code.CORRUPT, f"{artifact.path} is not run here: {problem}")
        if SIGNATURE_NAME not in loaded.signatures:
            found = ", ".join(loaded.signatures) or "none"
            raise LoadError(
                Code.CORRUPT, f"{artifact.path} has no signature {SIGNATURE_NAME!r}; found {found}"
            )
        return RuntimeModel(delivery=delivery, session=_TensorFlowSession(tensorflow, loaded))


class _TensorFlowSession:
    def __init__(self, tensorflow: Any, loaded: Any) -> None:  # noqa: ANN401 - no types there
        self.runtime = f"tensorflow {tensorflow.__version__}"
        self._tensorflow = tensorflow
        self._loaded = loaded  # owns the variables that the function uses
        self._function = loaded.signatures[SIGNATURE_NAME]
        self._process = os.getpid()
        _, inputs = self._function.structured_input_signature
        self.signature = Signature(
            inputs={name: _tensor(each) for name, each in inputs.items()},
            outputs={
                name: _tensor(each) for name, each in self._function.structured_outputs.items()
            },
        )

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str]) -> Arrays:
        if os.getpid() != self._process:
            raise PredictionError(
                f"{self.runtime} was loaded by process {self._process} and does not survive the "
                f"fork to {os.getpid()}: start the app in each worker, without preloading"
            )
        tensors = {name: self._tensorflow.constant(each) for name, each in feeds.items()}
        try:
            found = self._function(**tensors)
        except self._tensorflow.errors.OpError as error:
            raise PredictionError(f"{self.runtime} failed: {error.message}") from error
        return {name: found[name].numpy() for name in outputs}


def find_problem(saved: Any) -> str | None:  # noqa: ANN401 - no types there
    """Return what a SavedModel could do beside computing; None where that is nothing.

    Its nodes and functions count, whoever calls them, but not the two nodes that save and restore
    its variables: TensorFlow's reader does not run them, and nothing else refers to them.
    """
    if len(saved.meta_graphs) != 1 or not saved.meta_graphs[0].object_graph_def.nodes:
        return "expected one graph, as TensorFlow 2 saves it"
    (meta,) = saved.meta_graphs
    graph, saver = meta.graph_def, meta.saver_def
    used = [each.name for one in meta.signature_def.values() for each in one.outputs.values()]
    used += [name.lstrip("^") for node in graph.node for name in node.input]
    savers = {name.partition(":")[0] for name in (saver.save_tensor_name, saver.restore_op_name)}
    savers -= {name.partition(":")[0] for name in used}
    functions = {each.signature.name: each.node_def for each in graph.library.function}
    found = [node for node in graph.node if not (node.name in savers or node.op in SETTING_UP)]
    found += [node for name in meta.object_graph_def.concrete_functions for node in functions[name]]
    operations: set[str] = set()
    while found:
        operations |= {node.op for node in found}
        attributes = [each for node in found for each in node.attr.values()]
        called = {one.name for each in attributes for one in (each.func, *each.list.func)}
        found = [node for name in called for node in functions.pop(name, ())]
    foreign = sorted(operations.difference(OPERATIONS.split()))
    if not foreign:
        return None
    return f"it uses {join_some(foreign)}, expected operations that only compute"


def _tensor(spec: Any) -> Tensor:  # noqa: ANN401 - a TensorSpec
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    return Tensor(str(spec.dtype.name), shape)


def _import_tensorflow() -> Any:  # noqa: ANN401 - no types there
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tensorflow = importlib.import_module("tensorflow")  # slow and large: only when needed
    with contextlib.suppress(RuntimeError):
        # possible before its first operation only: the first SavedModel sets them
        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return tensorflow
