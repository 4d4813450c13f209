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
import pkgutil
import re
import sys
import tempfile
import zipfile
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
_NEAR = (-1.0, -1e-6, 0.0, 1e-6, 1.0)


class AbsentError(Exception):
    """A release cannot answer: it has no such function yet."""


class KnownError(Exception):
    """What was asked for cannot be had, for a reason that is a part of the answer."""


def main() -> int:
    """Answer every question until the input ends."""
    answer: Answer
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"answer": _ASKED[question["ask"]](**question["about"])}
        except AbsentError as error:
            answer = {"absent": str(error)}
        except errors.FairweatherError as error:
            answer = {"refused": type(error).__name__}
        except KnownError as error:
            answer = {"refused": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever a contract under test raises
            answer = {"crashed": f"{type(error).__name__}: {error}"[:300]}
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()
    return 0


# ---------------------------------------------------------------------------- metadata


def _metadata(text: str) -> Answer:
    return _views(contract.read_metadata(text), json.loads(text))


def _sealed(text: str) -> Answer:
    """Return a document with the ``min_reader`` that follows from what it declares."""
    from fairweather_interface.metadata import derive_min_reader  # noqa: PLC0415

    document = json.loads(text)
    return {"document": document | {"min_reader": derive_min_reader(document)}}


def _stepped(text: str) -> Answer:
    """Return what the steps make of a document, and whether it comes back as it was."""
    from fairweather_interface import history  # noqa: PLC0415

    document = json.loads(text)
    schema = str(document["schema_version"])
    upgraded = history.upgrade(json.loads(text), schema=schema)
    if not isinstance(upgraded, dict):
        raise KnownError(f"upgrade gives {type(upgraded).__name__}, expected a document")
    return {
        "document": upgraded,
        "back": history.downgrade(json.loads(json.dumps(upgraded)), schema=schema) == document,
    }


def _rewritten(text: str, schema: str | None = None) -> Answer:
    """Return what the writer makes of metadata, in its newest schema or an older one."""
    metadata = contract.read_metadata(text)
    given = {} if schema is None else {"schema": schema}
    text = contract.dump_metadata(metadata, **given).decode()
    return {"text": text, "document": json.loads(text)}


def _written(text: str, schema: str) -> Answer:
    """Return the document that the writer makes of metadata in a schema, whatever its spelling."""
    return {"document": _rewritten(text, schema)["document"]}


def _views(metadata: Any, document: Answer) -> Answer:  # noqa: ANN401 - differs by release
    """Return what a reader acts on, in words that every release has."""
    bounds = sorted({bound + step for bound in _bounds(document) for step in _NEAR})
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
             [[block.start.isoformat(), block.end.isoformat()] for block in row.held_out or ()]]
            for row in metadata.performance
        ],
        "training": _plain(metadata.training) if metadata.training else None,
        "season": list(_season(metadata)),
        "missing": list(_missing(metadata)),
        "unknown": sorted(metadata.unknown_fields),
        **_newer_views(metadata, bounds),
    }  # fmt: skip


def _newer_views(metadata: Any, bounds: list[float]) -> Answer:  # noqa: ANN401
    found: Answer = {}
    if hasattr(contract, "check_domain"):  # the older call, up to schema 0.4
        found["domain"] = list(_domain(metadata, bounds))
    if hasattr(metadata, "quantiles"):
        found["quantiles"] = [
            [[item.probability, item.name] for item in metadata.quantiles(output.name)]
            for output in metadata.outputs
        ]
    if hasattr(contract, "check_applicability"):
        found["applicability"] = list(_applicability(metadata, bounds))
    if hasattr(contract, "check_age"):
        found["age"] = list(_age(metadata))
    return found


def _season(metadata: Any) -> Iterator[str | None]:  # noqa: ANN401
    names = vars(contract)
    check = names.get("check_start") or names["check_season"]  # as it was called up to 0.3
    for area in metadata.areas:
        for time in _TIMES:
            yield _code(check, metadata, area, time)


def _missing(metadata: Any) -> Iterator[list[object]]:  # noqa: ANN401
    for item in metadata.required_inputs:
        samples = item.shape[-1]
        allowed = int(samples * (item.max_missing or 0))
        for missing in sorted({0, 1, allowed - 1, allowed, allowed + 1, samples - 1, samples}):
            if 0 <= missing <= samples:
                yield [item.name, missing, _code(contract.check_missing, item, missing)]


def _bounds(value: object, name: str = "") -> Iterator[float]:
    """Yield every number that a document declares under the name of a bound, and one beside."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _bounds(item, str(key))
    elif isinstance(value, (int, float)) and ("maximum" in name or "minimum" in name
                                              or name.endswith("_seen")):  # fmt: skip
        yield float(value)
    if not name:
        yield 20.0


def _domain(metadata: Any, bounds: list[float]) -> Iterator[list[object]]:  # noqa: ANN401
    check = vars(contract)["check_domain"]
    for value in bounds:
        for margin in (0.0, 0.5):
            highest = {"temperature": value, "humidity": value}
            margins = dict.fromkeys(highest, margin)
            yield [value, margin, _code(check, metadata, highest, margins=margins)]


def _applicability(metadata: Any, bounds: list[float]) -> Iterator[list[object]]:  # noqa: ANN401
    names = [item.name for item in metadata.required_inputs]
    for value in bounds:
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
    document = json.loads((Path(path) / "metadata.json").read_text(encoding="utf-8"))
    model = str(delivery.metadata.canonical.path)
    return {
        "views": _views(delivery.metadata, document),
        "artifact_digest": contract.artifact_digest(Path(path), model),
        "problems": bool(contract.verify_delivery(Path(path))),
        "listed": Path(path) in [Path(path).parent / each.name
                                 for each in contract.list_deliveries(Path(path).parent)],
    }  # fmt: skip


def _manifest(path: str) -> Answer:
    manifest = contract.read_manifest(Path(path))
    files = {name: [entry.sha256, entry.size] for name, entry in manifest.files.items()}
    return {"delivery_id": manifest.delivery_id, "files": files}


def _build(store: str, fields: dict[str, Any]) -> Answer:
    fields = {name: _given(value) for name, value in fields.items()}
    path = testing.build_delivery(Path(store), **fields)
    with zipfile.ZipFile(path / "examples.npz") as arrays:
        times = {
            name: len(str(int.from_bytes(arrays.read(name)[-8:], "little", signed=True)))
            for name in arrays.namelist()
            if "reference_time" in name
        }
        files = dict.fromkeys(arrays.namelist(), "an array")
    return {"path": str(path), "arrays": files, "digits of times": times}


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
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = stop.code
    out.seek(0)
    words = out.read().split() if "--help" in arguments else []
    return {"exit": code, "options": {word.strip("[],"): 1 for word in words if "--" in word}}


def _names() -> Answer:
    """Return every public name of the package: what it is, and what may be said to it."""
    found: Answer = {}
    for module in pkgutil.iter_modules(contract.__path__, "fairweather_interface."):
        if module.name.rpartition(".")[2].startswith("_"):
            continue
        holder = importlib.import_module(module.name)
        listed = getattr(holder, "__all__", None) or (
            name for name, value in vars(holder).items() if name[0].isalpha() and (
                getattr(value, "__module__", None) == holder.__name__ if callable(value)
                else re.search(rf"^{name}\b[^=\n]*=", inspect.getsource(holder), re.MULTILINE))
        )  # fmt: skip
        for name, value in ((name, getattr(holder, name)) for name in listed):
            found[f"{module.name}.{name}"] = _name(value)
    found |= {f"fairweather_interface.{each}": _name(getattr(contract, each))
              for each in contract.__all__}  # fmt: skip
    return found


def _name(value: Any) -> Answer:  # noqa: ANN401 - anything that has a name
    if isinstance(value, type):
        own = inspect.getsource(value)
        homes = [base for base in value.__mro__ if base.__module__.startswith("fairweather")]
        names = set(re.findall(r"self\.([a-z]\w*)\b[^=\n]*=[^=]", own))
        names.update(*(vars(base) for base in homes), getattr(value, "model_fields", ()))
        return {
            "kind": "class",
            "bases": [base.__name__ for base in value.__mro__[1:] if base is not object
                      and not base.__module__.startswith("pydantic")],
            "fields": sorted(getattr(value, "model_fields", ())),
            "attributes": sorted(
                name for name in names if name[0] != "_" and not name.startswith("model_")
            ),
            **({} if hasattr(value, "model_fields") else _signature(value)),
        }  # fmt: skip
    if callable(value):
        return {"kind": "function", **_signature(value)}
    return {"kind": type(value).__name__}


def _signature(value: Callable[..., Any]) -> Answer:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return {}
    nothing, newest = inspect.Parameter.empty, contract.SCHEMA_VERSION
    own = {nothing: None, newest: "SCHEMA_VERSION"}
    returned = signature.return_annotation
    return {
        "parameters": {
            it.name: [
                it.kind.name,
                own[it.default] if it.default in (nothing, newest) else repr(it.default),
            ]
            for it in signature.parameters.values()
        },
        "returns": None if returned is nothing or isinstance(value, type) else str(returned),
    }


def _place(home: tuple[type, str] | None) -> str:
    """Return the file and the line of a field."""
    for record in home[0].__mro__ if home else ():
        if home and home[1] in vars(record).get("__annotations__", {}):
            lines, first = inspect.getsourcelines(record)
            at = next((i for i, line in enumerate(lines) if f" {home[1]}:" in line), 0)
            return f"{Path(inspect.getfile(record)).name}:{first + at}"
    return ""


def _ledger() -> Answer:
    """Return the ledger that the records give, what its fields mean, and how schemas step."""
    from fairweather_interface import history, ledger, metadata  # noqa: PLC0415 - not in 0.1.0

    return {
        "text": ledger.ledger_text(),
        "meanings": {row.path: getattr(row, "meaning", "") for row in ledger.LEDGER},
        "meanings_text": ledger.meanings_text() if hasattr(ledger, "meanings_text") else None,
        "reasons": {row.path: getattr(row, "harmless", None) for row in ledger.LEDGER},
        "places": {row.path: _place(getattr(row, "home", None)) for row in ledger.LEDGER},
        "steps": list(history.STEPS),
        "written": list(getattr(metadata, "WRITTEN_SCHEMAS", ())),
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
    "names": _names,
    "sealed": _sealed,
    "stepped": _stepped,
    "written": _written,
}


if __name__ == "__main__":
    sys.exit(main())
