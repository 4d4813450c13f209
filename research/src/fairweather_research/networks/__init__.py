"""Networks: the learned part of a model. The graph around it does everything physical.

A network gets the recent past as scaled anomalies (the difference from usual, in units of the usual
spread), a mask of those that are present, the area and the calendar, and returns scaled anomalies
of the forecast. So no network handles units, missing values or limits.

A recipe names one of ``NETWORKS``, or any callable as ``package.module:callable``. Either is a
``Build``: it returns a Keras model, which is fitted here, or an object that fits itself
(``Network``). One in TensorFlow becomes part of the SavedModel; another exports itself as ONNX
(``ExportsOnnx``), and the graph is put around that. Modules are imported only when a training needs
them, so that nothing else waits for TensorFlow.
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
