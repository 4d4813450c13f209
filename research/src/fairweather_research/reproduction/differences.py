"""The differences between two trainings: data, code, packages and machine.

Only what their deliveries record is compared. What was not recorded is listed, and never taken for
equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fairweather_interface.delivery import EXAMPLES, Delivery
from fairweather_interface.metadata import ONNX

from fairweather_research.delivery.metadata import Provenance
from fairweather_research.environment import NETWORK, OURS, source_of, version_of

_CODE = "fairweather-research"
_TO = "\N{RIGHTWARDS ARROW}"
_METRICS = "card/metrics.json"


@dataclass(frozen=True, kw_only=True)
class Record:
    """The record of a training in its delivery."""

    data_digest: str
    code_version: str
    packages: Mapping[str, str]  # Python among them
    threads: int
    machine: str | None  # None: not recorded


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One of the four things a training depends on: recorded against now."""

    what: Literal["data", "code", "packages", "machine"]
    differs: bool | None  # None: not recorded
    differences: tuple[str, ...] = ()  # one each, old to new
    unrecorded: tuple[str, ...] = ()  # what would have to be known to be sure


def record_of(delivery: Delivery) -> Record:
    """Return the record of a delivery; the machine is read from the numbers of its model card."""
    training = Provenance.of(delivery.metadata)
    return Record(
        data_digest=training.data_digest,
        code_version=training.code_version,
        packages=dict(training.packages),
        threads=training.threads,
        machine=_recorded_machine(delivery),
    )


def compare(recorded: Record, now: Record) -> tuple[Finding, ...]:
    """Compare data, code, packages and machine, in this order."""
    other_data = recorded.data_digest != now.data_digest
    digests = (f"{recorded.data_digest} {_TO} {now.data_digest}",) if other_data else ()
    return (
        Finding(what="data", differs=other_data, differences=digests),
        _code(recorded, now),
        _packages(recorded, now),
        _machine(recorded, now),
    )


def forecast_difference(recorded: Delivery, again: Delivery) -> str:
    """Describe in a sentence how far two models' forecasts differ on the examples of the first.

    The second is run from its ONNX artifact.
    """
    import numpy as np  # noqa: PLC0415 - a quick answer needs none of it

    with np.load(recorded.path / EXAMPLES, allow_pickle=False) as file:
        expected = dict(file)
    inputs = {
        name.removeprefix("input/"): value
        for name, value in expected.items()
        if name.startswith("input/")
    }
    try:
        found = _answers(again, inputs)
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no common base
        return f"their forecasts were not compared: {error}"[:300]
    largest = []
    for output in recorded.metadata.outputs:
        before, after = expected[f"output/{output.name}"], found.get(output.name)
        if after is None or after.shape != before.shape:
            return f"their forecasts were not compared: no {output.name} of the same shape"
        apart = float(np.nanmax(np.abs(after - before)))
        largest.append(f"{apart:.3g} {output.unit} ({output.name})")
    return f"on the recorded examples their forecasts differ by up to {', '.join(largest)}"


def _answers(delivery: Delivery, inputs: Mapping[str, Any]) -> dict[str, Any]:
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - slow, and ships no types

    path = next(
        (one.path for one in delivery.metadata.artifacts if one.format == ONNX and one.path), None
    )
    if path is None:
        raise LookupError("the rebuilt delivery holds no ONNX artifact")
    session = onnxruntime.InferenceSession(
        str(delivery.path / path), providers=["CPUExecutionProvider"]
    )
    names = [item.name for item in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def _code(recorded: Record, now: Record) -> Finding:
    before = recorded.code_version.removeprefix(f"{_CODE} ")
    after = now.code_version.removeprefix(f"{_CODE} ")
    differences: list[str] = []
    unrecorded: list[str] = []
    if before != after:
        differences.append(f"trained by {_named(before)}; this is {_named(after)}")
    for name in OURS:
        if name == _CODE and differences:
            continue  # listed already
        then = recorded.packages.get(name, before if name == _CODE else None)
        here = now.packages.get(name, after if name == _CODE else None)
        found, unknown = _compare_package(name, then, here)
        differences += found
        unrecorded += unknown
    guessed = bool(unrecorded) and ".dev" in before  # many states bear such a version
    for name in sorted({*recorded.packages, *now.packages}):
        if name.startswith(NETWORK):
            then, here = recorded.packages.get(name), now.packages.get(name)
            found, unknown = _compare_network(name, then, here)
            differences += found
            unrecorded += unknown
    return Finding(
        what="code",
        differs=True if differences else None if guessed else False,
        differences=tuple(differences),
        unrecorded=tuple(unrecorded),
    )


def _compare_package(name: str, then: str | None, here: str | None) -> tuple[list[str], list[str]]:
    """Return how a package of ours differs, and what of it was not recorded."""
    if then is None or here is None:
        return [], [f"the version of {name}"]
    if version_of(then) != version_of(here):
        return [f"{name} {version_of(then)} {_TO} {version_of(here)}"], []
    if source_of(then) is None or source_of(here) is None:
        return [], [f"the source of {name} {version_of(then)}, only its version"]
    if then == here:
        return [], []
    sources = f"({source_of(then)} {_TO} {source_of(here)})"
    return [f"{name} {version_of(then)}, but another source {sources}"], []


def _compare_network(name: str, then: str | None, here: str | None) -> tuple[list[str], list[str]]:
    """Return the same of an external network, of which the digest of one file is recorded."""
    if then is None:
        return [], [f"the source of the {name}"]
    module = name.removeprefix(NETWORK).partition(":")[0]
    differences = [] if then == here else [f"{name} {then} {_TO} {here or 'not recorded'}"]
    return differences, [f"what {module} imports from files beside its own"]


def _packages(recorded: Record, now: Record) -> Finding:
    then, here = _others(recorded), _others(now)
    differences = tuple(
        f"{name} {version} {_TO} {here.get(name, 'not installed')}"
        for name, version in sorted(then.items())
        if here.get(name) != version
    )
    unknown = len(set(here) - set(then))
    noun = "package" if unknown == 1 else "packages"
    return Finding(
        what="packages",
        differs=bool(differences) if then else None,
        differences=differences,
        unrecorded=(f"{unknown} {noun} that the training needs, too",) if unknown else (),
    )


def _others(record: Record) -> dict[str, str]:
    """Return the packages that are not ours, nor the code of a network."""
    return {
        name: version
        for name, version in record.packages.items()
        if name not in OURS and not name.startswith(NETWORK)
    }


def _machine(recorded: Record, now: Record) -> Finding:
    then = recorded.machine.split(", ") if recorded.machine else []
    here = now.machine.split(", ") if now.machine else []
    differences = [f"{old} {_TO} {new}" for old, new in zip(then, here, strict=False) if old != new]
    if recorded.threads != now.threads:
        differences.append(f"threads {recorded.threads} {_TO} {now.threads}")
    known = min(len(then), len(here))
    parts = ("its system", "its C library", "its processor", "its vector instructions")
    return Finding(
        what="machine",
        differs=True if differences else False if known else None,
        differences=tuple(differences),
        unrecorded=parts[known:],
    )


def _recorded_machine(delivery: Delivery) -> str | None:
    if _METRICS not in delivery.manifest.files:
        return None
    try:
        metrics: Any = json.loads((delivery.path / _METRICS).read_bytes())
    except (ValueError, RecursionError):
        return None
    platform = metrics.get("platform") if isinstance(metrics, dict) else None
    return platform if isinstance(platform, str) and platform else None


def _named(version: str) -> str:
    return f"{_CODE} {version}" if version[:1].isdigit() else repr(version)
