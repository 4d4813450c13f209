"""Answer questions with one contract: that of a release, or the one at hand.

Run with the sources of that contract on the path. It reads a question a line, as JSON, and writes
an answer a line, until its input ends. Only names that every release since 0.1.0 has are used, or
looked up; a part of an answer that a release cannot give is left out of it.
"""

# ruff: noqa: INP001 - a script beside its siblings, not a package

from __future__ import annotations

import importlib
import inspect
import io
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fairweather_interface as contract
from fairweather_interface import errors, testing

Answer = dict[str, Any]

# The hour before and after every month's end, in every zone of the earth, and the 29th of February.
_DAYS = [datetime(2016, month, day, tzinfo=UTC) for month in range(1, 13) for day in (1, 15)]
_TIMES = [day + timedelta(hours=hours) for day in _DAYS for hours in (-14, -1, 0, 5, 12)]


class AbsentError(Exception):
    """A release cannot answer: it has no such function yet."""


def main() -> int:
    """Answer every question until the input ends."""
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"answer": _ASKED[question["ask"]](**question["about"])}
        except AbsentError as error:
            answer = {"absent": str(error)}
        except errors.FairweatherError as error:
            answer = {"refused": type(error).__name__}
        except Exception as error:  # noqa: BLE001 - whatever a contract under test raises
            answer = {"crashed": f"{type(error).__name__}: {error}"[:300]}
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()
    return 0


# ---------------------------------------------------------------------------- metadata


def _metadata(text: str) -> Answer:
    return _views(contract.read_metadata(text))


def _rewritten(text: str, schema: str | None = None) -> Answer:
    """Return what the writer makes of metadata, in its newest schema or an older one."""
    metadata = contract.read_metadata(text)
    given = {} if schema is None else {"schema": schema}
    return {"text": contract.dump_metadata(metadata, **given).decode()}


def _views(metadata: Any) -> Answer:  # noqa: ANN401 - another record in every release
    """Return what a reader acts on, in words that every release has."""
    return {
        "min_reader": metadata.min_reader,
        "delivery": [metadata.delivery_id, metadata.created_at.isoformat(), metadata.model_digest],
        "words": [metadata.topic, metadata.author, metadata.model_type],
        "areas": [
            [name, area.latitude, area.longitude, area.timezone]
            for name, area in metadata.areas.items()
        ],
        "inputs": [
            [item.name, item.dtype, list(item.shape), item.role, item.variable, item.unit,
             _seconds(item.period), _seconds(item.sample_rate), item.max_missing,
             item.areas and list(item.areas)]
            for item in metadata.inputs
        ],
        "outputs": [
            [item.name, item.variable, item.unit, _seconds(item.step), list(item.shape)]
            for item in metadata.outputs
        ],
        "required_inputs": [item.name for item in metadata.required_inputs],
        "variables": list(metadata.variables),
        "horizon": _seconds(metadata.horizon),
        "artifacts": [_plain(item) for item in metadata.artifacts],
        "canonical": _plain(metadata.canonical),
        "tolerance": [
            [name, item.absolute, item.relative] for name, item in metadata.tolerance.items()
        ],
        "performance": [
            [row.area, row.variable, row.mae, row.rmse, row.bias, row.count, row.evaluation_id,
             row.skill, row.skill_interval and list(row.skill_interval),
             [[block.start.isoformat(), block.end.isoformat()] for block in row.held_out]]
            for row in metadata.performance
        ],
        "training": _plain(metadata.training) if metadata.training else None,
        "season": list(_season(metadata)),
        "missing": list(_missing(metadata)),
        "domain": list(_domain(metadata)),
        **_newer_views(metadata),
    }  # fmt: skip


def _newer_views(metadata: Any) -> Answer:  # noqa: ANN401 - another record in every release
    found: Answer = {}
    if hasattr(metadata, "quantiles"):
        found["quantiles"] = [
            [[item.probability, item.name] for item in metadata.quantiles(output.name)]
            for output in metadata.outputs
        ]
    if hasattr(contract, "check_applicability"):
        found["applicability"] = list(_applicability(metadata))
    if hasattr(contract, "check_age"):
        found["age"] = list(_age(metadata))
    return found


def _season(metadata: Any) -> Iterator[str | None]:  # noqa: ANN401
    for area in metadata.areas:
        for time in _TIMES:
            yield _code(contract.check_season, metadata, area, time)


def _missing(metadata: Any) -> Iterator[list[object]]:  # noqa: ANN401
    for item in metadata.required_inputs:
        samples = item.shape[-1]
        allowed = int(samples * (item.max_missing or 0))
        for missing in sorted({0, 1, allowed - 1, allowed, allowed + 1, samples - 1, samples}):
            if 0 <= missing <= samples:
                yield [item.name, missing, _code(contract.check_missing, item, missing)]


def _bounds(metadata: Any) -> list[float]:  # noqa: ANN401
    """Return numbers on both sides of every bound that the document declares."""
    document = metadata.model_dump(mode="json")
    bounds = [document.get("max_temperature_seen"), document.get("max_humidity_seen"), 20.0]
    for each in (document.get("applicability_domain") or {}).values():
        bounds += [each.get("minimum"), each.get("maximum")]
    near = {float(bound) for bound in bounds if bound is not None}
    return sorted({bound + step for bound in near for step in (-1.0, -1e-6, 0.0, 1e-6, 1.0)})


def _domain(metadata: Any) -> Iterator[list[object]]:  # noqa: ANN401
    for value in _bounds(metadata):
        for margin in (0.0, 0.5):
            highest = {"temperature": value, "humidity": value}
            margins = dict.fromkeys(highest, margin)
            yield [value, margin, _code(contract.check_domain, metadata, highest, margins=margins)]


def _applicability(metadata: Any) -> Iterator[list[object]]:  # noqa: ANN401
    names = [item.name for item in metadata.required_inputs]
    for value in _bounds(metadata):
        window = contract.Observed(lowest=value, highest=value, missing=0)
        windows = dict.fromkeys(names, window)
        yield [value, _code(contract.check_applicability, metadata, windows)]
    for item in metadata.required_inputs:
        for missing in {0, item.shape[-1] // 10, item.shape[-1] // 2, item.shape[-1]}:
            window = contract.Observed(lowest=None, highest=None, missing=missing)
            windows = dict.fromkeys(names, window)
            yield [missing, _code(contract.check_applicability, metadata, windows)]


def _age(metadata: Any) -> Iterator[list[object]]:  # noqa: ANN401
    ages = {item.max_age for item in metadata.required_inputs if item.max_age is not None}
    second = timedelta(seconds=1)
    for age in sorted({timedelta(0)}.union(*({age - second, age, age + second} for age in ages))):
        window = contract.Observed(lowest=1.0, highest=1.0, missing=0, age=age)
        windows = {item.name: window for item in metadata.required_inputs}
        yield [_seconds(age), _code(contract.check_age, metadata, windows)]


def _code(check: Callable[..., Any], *arguments: object, **named: object) -> str | None:
    try:
        refusal = check(*arguments, **named)
    except Exception as error:  # noqa: BLE001 - part of the answer
        return f"raises {type(error).__name__}"
    return None if refusal is None else str(refusal.code.value)


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _plain(record: Any) -> object:  # noqa: ANN401
    """Return a record as JSON data without what is absent, and without fields it does not know."""
    known = type(record).model_fields
    data = record.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in data.items() if name in known}


# ---------------------------------------------------------------------------- deliveries


def _delivery(path: str) -> Answer:
    delivery = contract.open_delivery(Path(path))
    canonical = delivery.metadata.canonical.path
    return {
        "views": _views(delivery.metadata),
        "artifact_digest": contract.artifact_digest(Path(path), canonical),
        "problems": bool(contract.verify_delivery(Path(path))),
        "listed": [each.name for each in contract.list_deliveries(Path(path).parent)],
    }


def _manifest(path: str) -> Answer:
    manifest = contract.read_manifest(Path(path))
    files = {name: [entry.sha256, entry.size] for name, entry in manifest.files.items()}
    return {"delivery_id": manifest.delivery_id, "files": files}


def _build(store: str, fields: dict[str, Any]) -> Answer:
    fields = {name: _given(value) for name, value in fields.items()}
    return {"path": str(testing.build_delivery(Path(store), **fields))}


def _document(fields: dict[str, Any]) -> Answer:
    fields = {name: _given(value) for name, value in fields.items()}
    return {"document": testing.metadata_document(**fields)}


def _given(value: Any) -> Any:  # noqa: ANN401 - JSON has no better type
    is_hours = isinstance(value, dict) and set(value) == {"hours"}
    return timedelta(hours=value["hours"]) if is_hours else value


# ---------------------------------------------------------------------------- the other documents


def _definitions(text: str) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "definitions.yaml"
        path.write_text(text, encoding="utf-8")  # JSON is YAML
        return _of_region(contract.load_definitions(path))


def _of_region(found: Any) -> Answer:  # noqa: ANN401 - another record in every release
    return {
        "region": found.region,
        "areas": [[name, _plain(area)] for name, area in found.areas.items()],
        "required_inputs": [
            [item.variable, _seconds(item.period), _seconds(item.sample_rate), item.area]
            for item in found.required_inputs
        ],
    }


def _software(text: str) -> Answer:
    software = contract.read_software(text)
    return {"fields": _plain(software), "text": contract.dump_software(software).decode()}


def _verdict(text: str, software: str) -> Answer:
    if not hasattr(contract, "check"):
        raise AbsentError("check")
    metadata = contract.read_metadata(text)
    verdict = contract.check(metadata, contract.read_software(software))
    codes = [str(refusal.code.value) for refusal in verdict.refusals]
    return {"serves": verdict.serves, "codes": codes}


def _duration(text: object) -> Answer:
    duration = contract.parse_duration(text)
    said, iso = contract.format_duration(duration), contract.iso_duration(duration)
    return {"seconds": _seconds(duration), "words": said, "iso": iso}


def _said() -> Answer:
    """Return what a release states outside documents; every part may only grow."""
    return {
        "codes": {code.value: "a code" for code in contract.Code},
        "variables": {
            name: [row.unit, row.minimum, row.maximum] for name, row in contract.VARIABLES.items()
        },
        "files": {
            name: getattr(contract, name)
            for name in ("CARD", "EXAMPLES", "MANIFEST", "METADATA", "SIGNATURE")
        },
        "golden windows": {window.name: repr(window) for window in testing.GOLDEN_WINDOWS},
        "packaged definitions": {
            name: _of_region(contract.load_definitions(name))
            for name in ("israel", "new-york")
            if _is_packaged(name)
        },
    }


def _is_packaged(name: str) -> bool:
    try:
        return bool(contract.load_definitions(name).areas)
    except errors.FairweatherError:
        return False


def _command(arguments: list[str]) -> Answer:
    """Return the exit code of ``fairweather-interface``, and the options its help names."""
    main = importlib.import_module("fairweather_interface.__main__").main
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = stop.code
    options = sorted({word.strip("[],") for word in out.getvalue().split() if "--" in word})
    return {"exit": code, "options": options if "--help" in arguments else None}


def _ledger() -> Answer:
    """Return the ledger that the records give, and how schemas are written and stepped through."""
    from fairweather_interface import history, ledger  # noqa: PLC0415 - absent from 0.1.0

    return {
        "text": ledger.ledger_text(),
        "steps": sorted(history.STEPS),
        "step modules": {
            version: inspect.getmodule(step).__name__ for version, step in history.STEPS.items()
        },
    }


_ASKED: dict[str, Callable[..., Answer]] = {
    "metadata": _metadata,
    "rewritten": _rewritten,
    "delivery": _delivery,
    "manifest": _manifest,
    "build": _build,
    "document": _document,
    "definitions": _definitions,
    "software": _software,
    "verdict": _verdict,
    "duration": _duration,
    "said": _said,
    "command": _command,
    "ledger": _ledger,
}


if __name__ == "__main__":
    sys.exit(main())
