"""Networks: what is learned. Everything physical around a network is the graph's.

A network sees the recent past as scaled anomalies (how far from usual, in units of the usual
spread), which of them are there, the area and the calendar, and answers with scaled anomalies of
the forecast. So no network ever handles units, missing values or limits.

A recipe names one of ``NETWORKS``, or any callable as ``package.module:callable``. Either is a
``Build``: it returns a Keras model, which is fitted here, or an object of its own that can fit
itself (``Network``). What is in TensorFlow becomes part of the SavedModel; what is not says itself
in ONNX (``ExportsOnnx``), and the graph is put around that. Modules are imported only when a
training needs them, so that nothing else waits for TensorFlow.
"""

from fairweather_research.networks.base import (
    HOURS,
    NETWORKS,
    PLUGGED,
    Build,
    EpochRecord,
    ExportsOnnx,
    FitPlan,
    InTensorFlow,
    Lessons,
    Network,
    NetworkInputs,
    NetworkShape,
)

__all__ = [
    "HOURS",
    "NETWORKS",
    "PLUGGED",
    "Build",
    "EpochRecord",
    "ExportsOnnx",
    "FitPlan",
    "InTensorFlow",
    "Lessons",
    "Network",
    "NetworkInputs",
    "NetworkShape",
]
