"""Bands: fitted on training time, calibrated on calibration time, blind to the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types

from fairweather_research.dataset.split import Part
from fairweather_research.export.graph import Bands, Constants, ForecastGraph
from fairweather_research.networks.base import EpochRecord, FitPlan
from fairweather_research.networks.keras_network import fit_network
from fairweather_research.training.bands import _network, _pinball, fit_bands
from fairweather_research.training.fitting import Fitted, _measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairweather_research import Recipe
    from fairweather_research.dataset.window_set import WindowSet


class Silent:
    """A network that always says climatology."""

    variables: tuple[Any, ...] = ()

    def __call__(self, inputs: list[Any], *, training: bool) -> Any:
        assert not training
        return tf.zeros_like(inputs[0][:, :2, :1]) + tf.zeros([1, 1, 48])


@pytest.fixture(scope="module")
def windows(tiny_windows: WindowSet, tiny_document: dict[str, Any]) -> WindowSet:
    from fairweather_research import Recipe  # noqa: PLC0415

    recipe = Recipe.parse({**tiny_document, "quantiles": [0.1, 0.9]}, source="tiny.yaml")
    return replace(tiny_windows, plan=recipe.blueprint)


def silent(windows: WindowSet) -> Fitted:
    usual = _measure(windows)
    return Fitted(
        network=Silent(),
        foreign=None,
        windows=windows,
        predicted=np.zeros((len(windows), 2, 48), np.float32),
        constants=Constants(**usual, shrinkage=np.ones((2, 48))),
        epochs=(),
        best_epochs=(0,),
        switch=None,
        origin={},
    )


def bands_of(windows: WindowSet, **changes: Any) -> Bands:
    tf.keras.utils.set_random_seed(1)
    fitted = replace(silent(windows), **changes)
    return fit_bands(windows, fitted, FitPlan(epochs=4), lambda _: None)


@pytest.fixture(scope="module")
def bands(windows: WindowSet) -> Bands:
    return bands_of(windows)


def test_the_bands_hold_what_they_declare_on_the_time_they_were_made_from(
    windows: WindowSet, bands: Bands
) -> None:
    graph = ForecastGraph(windows.plan, Silent(), silent(windows).constants, bands)
    inputs = windows.inputs() | {"reference_time": windows.reference, "area_index": windows.area}
    said = graph.forecast(**{name: tf.constant(values) for name, values in inputs.items()})
    known = windows.parts() != Part.HELD_OUT
    for output, truth in zip(windows.plan.outputs, windows.targets().swapaxes(0, 1), strict=True):
        low, high = (np.asarray(said[quantile.name]) for quantile in output.quantiles)
        there = known & np.isfinite(truth)
        assert 0.8 <= ((low <= truth) & (truth <= high))[there].mean() < 0.97


def test_what_came_in_held_out_time_changes_nothing(windows: WindowSet, bands: Bands) -> None:
    other = replace(
        windows,
        truths={
            key: series._replace(
                value=np.where(windows.split.part(series.time) == Part.HELD_OUT, -5.0, series.value)
            )
            for key, series in windows.truths.items()
        },
    )
    for name in ("kernel", "bias", "widening"):
        np.testing.assert_array_equal(getattr(bands_of(other), name), getattr(bands, name))


def test_bands_grow_with_the_error_of_a_forecast_without_another_variable(
    windows: WindowSet, bands: Bands
) -> None:
    shape = (len(windows), 2, 48)
    worse = np.random.default_rng(1).choice([-3.0, 3.0], shape).astype(np.float32)
    late = bands_of(windows, predicted_late=worse)
    np.testing.assert_array_equal(late.kernel[:-1], bands.kernel)
    np.testing.assert_array_equal(late.widening, bands.widening)
    assert (late.kernel[-1] > 0).all()
    same = bands_of(windows, predicted_late=np.zeros(shape, np.float32))
    assert (same.kernel[-1] == 0).all()


def test_the_pinball_loss_is_least_at_the_quantile_on_either_side() -> None:
    error = np.random.default_rng(1).normal(size=(2000, 1, 1)).astype(np.float32)
    error[::7] = np.nan
    loss = _pinball(np.array([0.1, 0.9]))
    reaches = np.linspace(0.5, 2.5, 41)
    told = [
        float(loss(tf.constant(error), tf.fill((2000, 1, 2, 1), np.float32(r)))) for r in reaches
    ]
    assert reaches[int(np.argmin(told))] == pytest.approx(1.28, abs=0.1)
    assert np.isfinite(told).all()


def test_a_recipe_without_quantiles_has_a_plan_without(tiny: Callable[..., Recipe]) -> None:
    assert tiny().blueprint.probabilities == ()
    names = [q.name for q in tiny(quantiles=[0.001, 0.07, 0.975]).blueprint.outputs[0].quantiles]
    assert names == [
        "temperature_forecast_q0_1",
        "temperature_forecast_q7",
        "temperature_forecast_q97_5",
    ]


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_loss_of_one_lead_is_the_mean_over_each_error_and_its_own_reach(outputs: int) -> None:
    """Of a last axis of one, Keras would hold every error against the reach of every row."""
    rng = np.random.default_rng(1)
    error = (5 * rng.normal(size=(64, outputs, 1))).astype(np.float32)
    probabilities = np.array([0.1, 0.9])
    model = _network(3, np.full((outputs, 2, 1), -3.0, np.float32))
    shown = np.zeros((64, 3), np.float32)
    epochs: list[EpochRecord] = []
    fit_network(
        model,
        _pinball(probabilities),
        FitPlan(epochs=1, learning_rate=1e-9),
        training=([shown], error),
        calibration=([shown], error),
        progress=epochs.append,
    )
    above = error[:, :, None] - np.array([-1.0, 1.0])[:, None] * np.log1p(np.exp(-3.0))
    share = probabilities[:, None]
    expected = np.maximum(share * above, (share - 1) * above).mean()
    assert epochs[0].calibration == pytest.approx(float(expected), rel=1e-3)
