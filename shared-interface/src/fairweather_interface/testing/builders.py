"""Builders of valid metadata and of tiny deliveries, for the tests of both teams.

A tiny delivery is a real one: it conforms, its ONNX artifact runs, its examples replay. Its
model hands every window on unchanged, so that a forecast is known beforehand.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from fairweather_interface.definitions import VARIABLES
from fairweather_interface.delivery import (
    CARD,
    EXAMPLES,
    METADATA,
    artifact_digest,
    new_delivery_id,
    staged_delivery,
)
from fairweather_interface.durations import iso_duration
from fairweather_interface.history import downgrade, uncarried, upgrade
from fairweather_interface.manifest import write_manifest
from fairweather_interface.metadata import (
    AREA_INDEX,
    OBSERVATIONS,
    REFERENCE_TIME,
    derive_min_reader,
)
from fairweather_interface.testing.identity import floats, identity_onnx, integers, npz, texts
from fairweather_interface.versions import SCHEMA_VERSION

_TINY: Mapping[str, Any] = yaml.safe_load(
    (resources.files(__package__) / "tiny.yaml").read_text(encoding="utf-8")
)
_NO_DIGEST = _TINY["document"]["model_digest"]
_EXAMPLES = 8
_MODEL = "model.onnx"


def metadata_document(
    *,
    schema: str = SCHEMA_VERSION,
    areas: Sequence[str] = ("EWR",),
    variables: Sequence[str] = ("temperature",),
    samples: int = 24,
    context: bool = False,
    max_missing: float = 0.0,
    max_age: timedelta | None = None,
    skill: float | None = 0.25,
    skill_interval: tuple[float, float] | None = (0.2, 0.3),
    by_lead_day: Sequence[float] = (),
    by_age: Mapping[timedelta, float] = MappingProxyType({}),
    quantiles: Sequence[float] = (),
    declared_variables: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    **changes: Any,  # noqa: ANN401 - any field of the contract
) -> dict[str, Any]:
    """Return a valid metadata document: plain JSON data, as a delivery would hold it.

    Args:
        schema: the one it is written in, the newest by default; ``min_reader`` is derived from
            what it declares.
        areas: what the model declares; names outside New York lie at 0° N, 0° E in UTC.
        variables: what it forecasts, each from an hourly window of itself.
        samples: the length of the windows and of the forecasts, in hours.
        context: whether the model also takes ``reference_time`` and ``area_index``.
        max_missing: the share of a window that may be missing.
        max_age: how old the newest value of a window may be.
        skill: the skill of every area and variable.
        skill_interval: its 95 % interval.
        by_lead_day: the skill of day 1, 2 and so on, against an MAE of 2; a band holds 80 %.
        by_age: the skill of day 1, likewise, by the age of the newest values.
        quantiles: the probabilities of the quantiles it gives of every variable.
        declared_variables: the field ``variables``: rows that the contract's own table lacks.
        changes: fields of the contract that replace the builder's own, in the words of the newest
            schema or of ``schema``.

    Raises:
        NotExpressibleError: an older ``schema`` cannot say what is asked for.
    """
    units = {name: row.unit for name, row in VARIABLES.items()}
    units |= {name: row["unit"] for name, row in declared_variables.items()}

    def score(skill: float) -> dict[str, Any]:
        best = {"mae": 2 * (1 - skill), "baselines": {"persistence": 3.0, "climatology": 2.0}}
        return best | ({"coverage": 0.8} if quantiles else {})

    inputs = [
        {
            "name": variable,
            **_TINY["input"],
            "shape": [-1, samples],
            "variable": variable,
            "unit": units[variable],
            "period": iso_duration(timedelta(hours=samples)),
            "max_missing": max_missing,
            **({"max_age": iso_duration(max_age)} if max_age is not None else {}),
        }
        for variable in variables
    ]
    if context:
        inputs += [
            {"name": role, "dtype": "int64", "shape": [-1], "role": role}
            for role in (REFERENCE_TIME, AREA_INDEX)
        ]
    outputs: list[dict[str, Any]] = [
        {
            "name": f"{variable}_forecast",
            "variable": variable,
            "unit": units[variable],
            "step": "PT1H",
            "shape": [-1, samples],
        }
        for variable in variables
    ]
    bands: list[dict[str, Any]] = [
        {
            "name": f"{variable}_forecast_q{100 * probability:g}".replace(".", "_"),
            "output": f"{variable}_forecast",
            "probability": probability,
        }
        for variable in variables
        for probability in quantiles
    ]
    scores = {
        "skill": skill,
        "skill_interval": list(skill_interval) if skill_interval else None,
        "by_lead_day": [{"day": day} | score(each) for day, each in enumerate(by_lead_day, 1)],
        "by_age": [{"age": iso_duration(age)} | score(each) for age, each in by_age.items()],
    }
    places = _TINY["areas"]
    optional = {"uncertainty": bands, "variables": declared_variables}
    document = {
        "schema_version": schema,
        "min_reader": schema,
        **_TINY["document"],
        "areas": {name: places.get(name, places["elsewhere"]) for name in areas},
        "inputs": inputs,
        "outputs": outputs,
        "tolerance": {
            each["name"]: {"absolute": 1e-4, "relative": 1e-4} for each in (*outputs, *bands)
        },
        "performance": [
            {"area": area, "variable": variable, **_TINY["performance"]}
            | {name: each for name, each in scores.items() if each not in (None, [])}
            for area in areas
            for variable in variables
        ],
        **{name: each for name, each in optional.items() if each},
        **changes,
    }
    plain = upgrade(json.loads(json.dumps(document)), schema=schema)  # its parts share nothing
    plain = uncarried(downgrade(plain, schema=schema), schema=schema)
    said = {"min_reader": derive_min_reader(plain, schema=schema)} | changes
    return plain | {"min_reader": said["min_reader"]}


def build_delivery(
    store: Path,
    *,
    delivery_id: str | None = None,
    model: bytes | None = None,
    change: Callable[[dict[str, Any]], None] | None = None,
    **fields: Any,  # noqa: ANN401 - handed on to metadata_document
) -> Path:
    """Write a tiny delivery into a store and return its folder.

    Its forecast of a variable is the window of that variable, its quantile of probability p the
    same values and 10 (p - 0.5). ``model`` are bytes that take the identity model's place.
    ``change`` edits the metadata document in place just before it is written; what it makes need
    not conform, and the delivery is complete all the same (digests are true). Without it the
    delivery is verified like any other. The other arguments are those of
    :func:`metadata_document`, such as ``areas`` and ``schema``, or fields of the contract.
    """
    delivery_id = delivery_id or new_delivery_id()
    document = metadata_document(**{"delivery_id": delivery_id, **fields})
    outputs = {each["name"]: each["variable"] for each in document["outputs"]}
    quantiles = document.get("uncertainty") or ()
    shifts = {each["name"]: round(10 * (each["probability"] - 0.5), 6) for each in quantiles}
    pairs = [(variable, name) for name, variable in outputs.items()]
    pairs += [(outputs[each["output"]], each["name"]) for each in quantiles]
    samples = document["outputs"][0]["shape"][-1]
    context = [each["name"] for each in document["inputs"] if each["role"] != OBSERVATIONS]
    model = model or identity_onnx(pairs, samples, unused=context, shifts=shifts)
    newest = upgrade(document, schema=fields.get("schema", SCHEMA_VERSION))
    examples = _examples(newest, pairs, samples, shifts)

    def write(folder: Path) -> None:
        (folder / _MODEL).write_bytes(model)
        (folder / EXAMPLES).write_bytes(examples)
        (folder / CARD).parent.mkdir()
        (folder / CARD).write_text("<!doctype html><title>Card</title><p>A tiny model.\n")
        if document["model_digest"] == _NO_DIGEST:
            document["model_digest"] = artifact_digest(folder, _MODEL)
        if change is not None:
            change(document)
        (folder / METADATA).write_text(json.dumps(document, indent=2), encoding="utf-8")

    if change is None:
        with staged_delivery(store, delivery_id) as folder:
            write(folder)
    else:
        staging = store / f".tiny-{delivery_id}"
        staging.mkdir(parents=True)
        try:
            write(staging)
            write_manifest(staging, delivery_id)
            staging.rename(store / delivery_id)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return store / delivery_id


def _wave(document: dict[str, Any], variable: str) -> tuple[float, float]:
    """Return the middle and the swing of a variable's waves, inside every bound it declares."""
    own = (document.get("applicability_domain") or {}).get(variable, {})
    row = (document.get("variables") or {}).get(variable, {})
    maxima = (own.get("maximum"), row.get("maximum"))
    low = own.get("minimum", row.get("minimum"))
    high = min((each for each in maxima if each is not None), default=None)
    if high is None:
        tops = {"temperature": 20.0, "humidity": 80.0}
        middle = tops.get(variable, VARIABLES[variable].maximum / 2) - 5.0
        return (middle if low is None else low + 5.0), 4.0
    if low is None:
        return high - 6.0, 4.0
    return (low + high) / 2, min(4.0, (high - low) / 4)


def _examples(
    document: dict[str, Any],
    pairs: Sequence[tuple[str, str]],
    samples: int,
    shifts: Mapping[str, float],
) -> bytes:
    """Return examples of gentle waves; where values may be missing, the first window lacks one."""
    areas, months = list(document["areas"]), document["valid_months"]
    domain = document.get("applicability_domain") or {}
    times = [datetime(2013, months[0], 10 + row, tzinfo=UTC) for row in range(_EXAMPLES)]
    seconds = [int(time.timestamp()) for time in times]
    missing = any(item.get("max_missing") for item in document["inputs"])
    arrays: dict[str, Any] = {}
    for variable, output in pairs:
        middle, swing = _wave(document, variable)
        rows = [
            [middle + swing * math.sin((row + hour) / 4) for hour in range(samples)]
            for row in range(_EXAMPLES)
        ]
        if missing:
            rows[0][0] = math.nan
        shifted = [[value + shifts.get(output, 0.0) for value in row] for row in rows]
        arrays |= {f"input/{variable}": floats(rows), f"output/{output}": floats(shifted)}
    if any(item["role"] == REFERENCE_TIME for item in document["inputs"]):
        arrays["input/reference_time"] = integers(seconds)
        arrays["input/area_index"] = integers([row % len(areas) for row in range(_EXAMPLES)])
    arrays["area"] = texts([areas[row % len(areas)] for row in range(_EXAMPLES)])
    arrays["reference_time"] = integers(seconds)
    allowed = min(
        (own["max_missing"] for own in domain.values() if own.get("max_missing") is not None),
        default=1.0,
    )
    lacking = "invalid-output" if allowed >= 1 / samples else "out-of-domain"
    arrays["expect"] = texts(
        [lacking if missing and row == 0 else "serve" for row in range(_EXAMPLES)]
    )
    return npz(arrays)
