"""Passes over the windows: how a network is fitted. Only the training process comes here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras  # type: ignore[import-untyped]  # ships no types

from fairweather_research.networks import EpochRecord, FitPlan

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["fit_network"]


def fit_network(
    model: Any,  # noqa: ANN401 - Keras has no types
    loss: Callable[[Any, Any], Any],
    plan: FitPlan,
    *,
    teaching: tuple[Any, Any],
    checking: tuple[Any, Any],
    progress: Callable[[EpochRecord], None],
) -> tuple[EpochRecord, ...]:
    """Fit a network in place to inputs and targets, and keep the weights that check best.

    Args:
        model: a Keras model that was not compiled yet.
        loss: of targets and what the model says; it ignores targets that are NaN.
        plan: how many passes, and how large a step.
        teaching: inputs and targets to learn from.
        checking: inputs and targets that decide when to stop, never learned from.
        progress: called after every pass.
    """
    model.compile(optimizer=keras.optimizers.Adam(plan.learning_rate), loss=loss)
    stopping = keras.callbacks.EarlyStopping(patience=plan.patience, restore_best_weights=True)
    history = _History(progress)
    model.fit(
        *teaching,
        batch_size=plan.batch_size,
        epochs=plan.epochs,
        validation_data=checking,
        validation_batch_size=1024,
        callbacks=[stopping, history],
        verbose=0,
    )
    return tuple(history.epochs)


class _History(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Keeps every epoch and reports it at once."""

    def __init__(self, progress: Callable[[EpochRecord], None]) -> None:
        super().__init__()
        self.epochs: list[EpochRecord] = []
        self._progress = progress

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        done = EpochRecord(
            number=epoch + 1,
            training=float(logs["loss"]),
            calibration=float(logs["val_loss"]),
        )
        self.epochs.append(done)
        self._progress(done)
