"""A network in PyTorch, plugged into a recipe as ``torch_mixer:build``.

It shows what a network of another framework has to bring: ``fit``, ``predict`` and ``export_onnx``.
Units, missing values, calendar, climatology, trust by lead day and bands are put around it by
fairweather-research, so there is nothing of them here.
"""

# ruff: noqa: INP001 - a module that is plugged in by its name, not a package

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from fairweather_research.networks.base import (
    HOURS,
    EpochRecord,
    FitPlan,
    Lessons,
    NetworkInputs,
    NetworkShape,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

_UNITS = 64
_DROPPED = 0.5
_DECAY = 1e-3


class _Mixer(nn.Module):
    """One hidden layer over the last day, and a linear map beside it."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.steps = min(shape.steps_a_day, shape.steps)
        self.answer = (shape.outputs, shape.leads)
        recent = 2 * shape.inputs * self.steps
        size = shape.outputs * shape.leads
        self.encode = nn.Linear(recent + shape.areas + HOURS.stop - HOURS.start, _UNITS)
        self.dropout = nn.Dropout(_DROPPED)
        self.decode = nn.Linear(_UNITS, size)
        self.beside = nn.Linear(recent + shape.areas, size)
        for layer in (self.decode, self.beside):  # an untrained network says climatology
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        anomalies: torch.Tensor,
        present: torch.Tensor,
        area: torch.Tensor,
        calendar: torch.Tensor,
    ) -> torch.Tensor:
        """Answer [rows, outputs, leads]."""
        recent = torch.cat([anomalies[:, :, -self.steps :], present[:, :, -self.steps :]], dim=1)
        past = torch.cat([recent.flatten(1), area], dim=1)
        hidden = torch.relu(self.encode(torch.cat([past, calendar[:, HOURS]], dim=1)))
        said: torch.Tensor = self.decode(self.dropout(hidden)) + self.beside(past)
        return said.unflatten(1, self.answer)


class TorchMixer:
    """The network as fairweather-research fits and delivers it."""

    #: Distributions whose versions provenance records.
    packages = ("torch",)

    def __init__(self, shape: NetworkShape) -> None:
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(mode=True)
        # NumPy was seeded with the recipe's seed; PyTorch keeps a generator of its own
        torch.manual_seed(int(np.random.randint(2**31)))  # noqa: NPY002 - the seeded generator
        self._shape = shape
        self._model = _Mixer(shape)
        fading = np.exp(-np.arange(shape.leads) / shape.steps_a_day)
        self._weights = torch.tensor(fading / fading.mean(), dtype=torch.float32)

    def fit(
        self,
        teaching: Lessons,
        checking: Lessons,
        plan: FitPlan,
        progress: Callable[[EpochRecord], None],
    ) -> None:
        """Fit with Adam and keep the weights that check best."""
        shown, targets = _tensors(teaching.inputs), torch.from_numpy(teaching.targets)
        asked, wanted = _tensors(checking.inputs), torch.from_numpy(checking.targets)
        optimizer = torch.optim.AdamW(
            self._model.parameters(), lr=plan.learning_rate, weight_decay=_DECAY
        )
        best, kept, waited = float("inf"), self._model.state_dict(), 0
        for number in range(1, plan.epochs + 1):
            self._model.train()
            total = 0.0
            for batch in torch.randperm(len(targets)).split(plan.batch_size):
                optimizer.zero_grad()
                loss = self._loss(self._model(*(part[batch] for part in shown)), targets[batch])
                loss.backward()
                optimizer.step()
                total += loss.item() * len(batch)
            self._model.eval()
            with torch.no_grad():
                checked = self._loss(self._model(*asked), wanted).item()
            progress(EpochRecord(number=number, training=total / len(targets), calibration=checked))
            waited += 1
            if checked < best:
                best, kept, waited = checked, copy.deepcopy(self._model.state_dict()), 0
            elif waited > plan.patience:
                break
        self._model.load_state_dict(kept)
        self._model.eval()

    def predict(self, inputs: NetworkInputs) -> npt.NDArray[np.float32]:
        """Answer, [rows, outputs, leads]."""
        with torch.no_grad():
            said = [self._model(*part) for part in zip(*_batches(inputs), strict=True)]
        return np.asarray(torch.cat(said).numpy())

    def export_onnx(self, path: Path) -> None:
        """Write the network as ONNX of opset 17."""
        shape = self._shape
        widths = {
            "anomalies": (shape.inputs, shape.steps),
            "present": (shape.inputs, shape.steps),
            "area": (shape.areas,),
            "calendar": (shape.calendar,),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the one exporter of opset 17
            torch.onnx.export(
                self._model,
                tuple(torch.zeros(2, *width) for width in widths.values()),
                str(path),
                input_names=list(widths),
                output_names=["said"],
                dynamic_axes={name: {0: "rows"} for name in (*widths, "said")},
                opset_version=17,
                dynamo=False,
            )

    def _loss(self, said: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        there = ~torch.isnan(target)
        error = torch.where(there, said - torch.nan_to_num(target), torch.zeros_like(said)).abs()
        return (error * self._weights).sum() / there.sum().clamp(min=1)


def build(shape: NetworkShape, _sample: NetworkInputs) -> TorchMixer:
    """Build the network; see ``fairweather_research.networks.base.Build``."""
    return TorchMixer(shape)


def _tensors(inputs: NetworkInputs) -> list[torch.Tensor]:
    return [torch.from_numpy(values) for values in inputs.arrays()]


def _batches(inputs: NetworkInputs) -> list[tuple[torch.Tensor, ...]]:
    return [tensor.split(1024) for tensor in _tensors(inputs)]
