"""The graph that is delivered: raw observations in, a forecast in physical units out.

Everything between is inside: bringing inputs to the step, setting missing values aside, calendar
terms from the reference time, anomalies, the network, shrinkage, units again, bands where there
are any, and the limits of the real. Its terms are those of ``climatology``; a test holds the two
together.

Time arithmetic is done on int64 before anything becomes float32, which cannot count the seconds of
a decade. Missing values are replaced with ``tf.where(tf.math.is_nan(x), zeros, x)``, the one form
that is known to survive conversion to ONNX.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research.climatology import DAILY_WAVES, DAILY_WAVES_THAT_CHANGE, YEAR
from fairweather_research.split import DAY

if TYPE_CHECKING:
    import numpy.typing as npt

    from fairweather_research.blueprint import Blueprint, InputPlan

__all__ = ["Bands", "Constants", "ForecastGraph", "reaches", "terms"]


@dataclass(frozen=True, kw_only=True)
class Constants:
    """What was measured on training time and is part of the model."""

    input_usual: npt.NDArray[np.float64]  # climatology's coefficients, [areas, inputs, TERMS]
    input_spread: npt.NDArray[np.float64]  # [areas, inputs] in the input's unit
    output_usual: npt.NDArray[np.float64]  # [areas, outputs, TERMS]
    output_spread: npt.NDArray[np.float64]  # [areas, outputs] in the output's unit
    shrinkage: npt.NDArray[np.float64]  # [outputs, leads]


@dataclass(frozen=True, kw_only=True)
class Bands:
    """How far from the forecast its quantiles lie, in usual spreads: a linear map of the calendar.

    Its input is ``terms`` of the reference time without the constant, then the area, one-hot; its
    output, [outputs, quantiles, leads] laid flat, becomes a reach by ``reaches`` and ``widening``.
    """

    kernel: npt.NDArray[np.float64]  # [TERMS - 1 + areas, outputs * quantiles * leads]
    bias: npt.NDArray[np.float64]  # [outputs * quantiles * leads]
    widening: npt.NDArray[np.float64]  # [outputs, quantiles, leads]


def terms(time: Any) -> Any:  # noqa: ANN401 - tensors have no types
    """``climatology.terms`` as operations of the graph: int64 [...] -> float32 [..., TERMS]."""
    day = tf.cast(tf.math.floormod(time, DAY), tf.float32) * (2 * np.pi / DAY)
    year = tf.cast(tf.math.floormod(time, YEAR), tf.float32) * (2 * np.pi / YEAR)
    yearly = [tf.sin(year), tf.cos(year)]
    daily = [wave(k * day) for k in range(1, DAILY_WAVES + 1) for wave in (tf.sin, tf.cos)]
    changing = [y * d for d in daily[: 2 * DAILY_WAVES_THAT_CHANGE] for y in yearly]
    return tf.stack([tf.ones_like(day), *yearly, *daily, *changing], axis=-1)


def reaches(raw: Any) -> Any:  # noqa: ANN401 - tensors have no types
    """What makes any number a reach: above 0, smooth, and known to ONNX."""
    return tf.math.softplus(raw)


class ForecastGraph(tf.Module):  # type: ignore[misc]  # ships no types
    """A trained network with its batteries.

    ``forecast`` is the concrete function of the signature ``model_signature``: keyword tensors
    named as the blueprint names them, in any batch size, and a mapping of outputs.
    """

    def __init__(
        self,
        plan: Blueprint,
        network: Any,  # noqa: ANN401 - Keras has no types
        constants: Constants,
        bands: Bands | None = None,
    ) -> None:
        super().__init__(name="fairweather")
        self._plan = plan
        # Only the network's variables are tracked: the saved model needs no Keras to be read.
        self.network_variables = [variable.value for variable in network.variables]
        self.input_usual = _variable(constants.input_usual, "input_usual")
        self.input_spread = _variable(constants.input_spread, "input_spread")
        self.output_usual = _variable(constants.output_usual, "output_usual")
        self.output_spread = _variable(constants.output_spread, "output_spread")
        self.shrinkage = _variable(constants.shrinkage, "shrinkage")
        if bands is not None:
            self.bands_kernel = _variable(bands.kernel, "bands_kernel")
            self.bands_bias = _variable(bands.bias, "bands_bias")
            self.bands_widening = _variable(bands.widening, "bands_widening")
        specs = {
            item.name: tf.TensorSpec([None, item.samples], tf.float32, name=item.name)
            for item in plan.inputs
        }
        specs["reference_time"] = tf.TensorSpec([None], tf.int64, name="reference_time")
        specs["area_index"] = tf.TensorSpec([None], tf.int64, name="area_index")

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # ships no types
        def forecast(**tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - tensors have no types
            return self._forecast(network, tensors)

        self.forecast = forecast.get_concrete_function(**specs)

    def _forecast(self, network: Any, tensors: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
        reference, area = tensors["reference_time"], tensors["area_index"]
        anomalies, present = self._recent(tensors, reference, area)
        one_hot = tf.one_hot(area, len(self._plan.areas), dtype=tf.float32)
        calendar = terms(reference)[:, 1:]
        said = network([anomalies, present, one_hot, calendar], training=False) * self.shrinkage
        times = self._steps_from(reference, 1, self._plan.leads + 1)
        usual = self._usual(self.output_usual, area, times)
        spread = tf.gather(self.output_spread, area)[:, :, None]
        value = usual + said * spread
        answer = {
            output.name: tf.clip_by_value(value[:, number], output.minimum, output.maximum)
            for number, output in enumerate(self._plan.outputs)
        }
        if self._plan.probabilities:
            seen = tf.concat([calendar, one_hot], axis=1)
            answer |= self._quantiles(answer, seen, spread)
        return answer

    def _quantiles(self, forecast: dict[str, Any], seen: Any, spread: Any) -> dict[str, Any]:  # noqa: ANN401
        """Every quantile, outwards from the forecast, none nearer to it than the one before."""
        outputs, chances = self._plan.outputs, self._plan.probabilities
        raw = tf.matmul(seen, self.bands_kernel) + self.bands_bias
        shape = [-1, len(outputs), len(chances), self._plan.leads]
        reach = tf.reshape(reaches(raw), shape) * self.bands_widening * spread[:, :, :, None]
        below = [number for number, chance in enumerate(chances) if chance < 0.5]  # noqa: PLR2004
        above = range(len(below), len(chances))
        answer = {}
        for number, output in enumerate(outputs):
            for side, outwards in ((-1.0, below[::-1]), (1.0, above)):
                furthest = tf.zeros_like(reach[:, number, 0])
                for place in outwards:
                    furthest = tf.maximum(furthest, reach[:, number, place])
                    answer[output.quantiles[place].name] = tf.clip_by_value(
                        forecast[output.name] + side * furthest, output.minimum, output.maximum
                    )
        return answer

    def _recent(self, tensors: dict[str, Any], reference: Any, area: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Scaled anomalies of all inputs at the step, 0 where missing, and where they are present.

        Inputs with a shorter period than the longest are missing before they begin.
        """
        values, presents = zip(
            *(self._at_the_step(tensors[item.name], item) for item in self._plan.inputs),
            strict=True,
        )
        value, present = tf.stack(values, axis=1), tf.stack(presents, axis=1)
        times = self._steps_from(reference, 1 - self._plan.steps, 1)
        usual = self._usual(self.input_usual, area, times)
        spread = tf.gather(self.input_spread, area)[:, :, None]
        return present * (value - usual) / spread, present

    def _at_the_step(self, window: Any, item: InputPlan) -> tuple[Any, Any]:  # noqa: ANN401
        """One raw window as [batch, steps] of means over the present samples, and where any is."""
        steps = item.period // self._plan.step
        runs = tf.reshape(window, [-1, steps, item.samples // steps])
        missing = tf.math.is_nan(runs)
        number = tf.reduce_sum(1.0 - tf.cast(missing, tf.float32), axis=-1)
        total = tf.reduce_sum(tf.where(missing, tf.zeros_like(runs), runs), axis=-1)
        present = tf.minimum(number, 1.0)
        before = [[0, 0], [self._plan.steps - steps, 0]]
        return tf.pad(total / tf.maximum(number, 1.0), before), tf.pad(present, before)

    def _steps_from(self, reference: Any, first: int, end: int) -> Any:  # noqa: ANN401
        offsets = self._plan.step_seconds * np.arange(first, end, dtype=np.int64)
        return reference[:, None] + tf.constant(offsets, tf.int64)

    @staticmethod
    def _usual(coefficients: Any, area: Any, times: Any) -> Any:  # noqa: ANN401
        """Climatology at [batch, times] of every series, [batch, series, times]."""
        return tf.matmul(tf.gather(coefficients, area), terms(times), transpose_b=True)


def _variable(value: npt.NDArray[np.float64], name: str) -> Any:  # noqa: ANN401
    return tf.Variable(value.astype(np.float32), trainable=False, name=name)
