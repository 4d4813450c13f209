"""Bring a model of your own: an ONNX file, a description and examples become a delivery.

:func:`pack` takes names, types and shapes of tensors from the file and the rest from a description
in YAML (``description``), holds both against what a delivery may hold (``model_file``), computes
what the examples must give, and delivers (``packing``). It needs the extra ``[pack]``: onnx,
onnxruntime and NumPy are imported when it is called, and by nothing else in this package.
"""

from __future__ import annotations

from pathlib import Path

from fairweather_interface.errors import PackError

__all__ = ["pack"]


def pack(model: Path, *, describe: Path, examples: Path, store: Path) -> Path:
    """Deliver an ONNX model into a store and return the delivery's folder.

    The model's bytes are copied unchanged. What comes out for the examples is computed here, and
    each example is one that must be served. Nothing is visible in the store unless all is well.

    Args:
        model: the ONNX file, whole: float32 ``[batch, time]`` in, float32 ``[batch, steps]`` out.
        describe: the description, YAML; `docs/pack.md` has every key.
        examples: an ``.npz`` of at least 8 rows with ``input/<name>`` of every input that is
            observed, ``area`` (text) and ``reference_time`` (int64, seconds since 1970 UTC).
        store: the folder of deliveries; made where it is not there.

    Raises:
        PackError: the three do not fit together, or what they make is no delivery; ``problems``
            lists every reason with its place.
    """
    try:
        from fairweather_interface.pack.packing import deliver  # noqa: PLC0415 - needs the extra
    except ImportError as error:
        raise PackError(
            f"found no {error.name or 'ONNX Runtime'} here, expected what packing needs: install "
            "'fairweather-interface[pack]'"
        ) from None
    return deliver(Path(model), Path(describe), Path(examples), Path(store))
