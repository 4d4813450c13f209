"""Several networks in one graph, and the condition that chooses among them; see ``branches``.

All networks are computed for every row, and each row keeps the answer of its own branch: a batch
may hold rows of all branches, and no runtime has to know control flow. The choice is a gather,
which takes an answer as it is. tf2onnx 1.17 turns a ``tf.where`` into a sum of products, in which
a branch that was not chosen still speaks where its answer is infinite or no number; and it divides
whole numbers towards 0, so that times before 1970 are moved past it before they are divided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research.branches import ByMonth, month_of_day
from fairweather_research.split import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairweather_research.branches import Switch

__all__ = ["Multiplexed", "branch_of_rows"]


class Multiplexed:
    """Networks that stand in the graph as one, and the switch that chooses among them."""

    def __init__(self, networks: Sequence[Any], switch: Switch) -> None:
        self.networks = tuple(networks)
        self.switch = switch

    @property
    def variables(self) -> list[Any]:
        """Those of all networks."""
        return [variable for network in self.networks for variable in network.variables]

    def __call__(self, inputs: list[Any], *, branch: Any) -> Any:  # noqa: ANN401 - tensors have no types
        """Answer, [rows, outputs, leads]; ``branch`` says for each row who, int32 [rows]."""
        said = tf.stack([network(inputs, training=False) for network in self.networks], axis=1)
        rows = tf.range(tf.shape(branch)[0])
        return tf.gather_nd(said, tf.stack([rows, branch], axis=1))


def branch_of_rows(switch: Switch, reference: Any, newest: Any) -> Any:  # noqa: ANN401 - tensors have no types
    """The branch that answers each row, int32 [rows].

    Args:
        switch: the condition.
        reference: reference times, int64 [rows] seconds.
        newest: all inputs at the step, what is missing filled in with what is usual,
            float32 [rows, inputs, steps].
    """
    if isinstance(switch, ByMonth):
        branch_of_day = np.array(switch.branch_of, np.int32)[month_of_day()]
        cycle = DAY * len(branch_of_day)  # 400 years
        moment = tf.math.floormod(reference + cycle, cycle)
        return tf.gather(branch_of_day, tf.math.floordiv(moment, DAY))
    steps = newest[:, switch.input, -switch.steps :]
    compared, factor = {
        "minimum": (tf.reduce_min, 1),
        "maximum": (tf.reduce_max, 1),
        "mean": (tf.reduce_sum, switch.steps),
    }[switch.statistic]
    thresholds = np.array(switch.at, np.float32) * np.float32(factor)
    reached = tf.greater_equal(compared(steps, axis=1)[:, None], thresholds)
    return tf.reduce_sum(tf.cast(reached, tf.int32), axis=1)
