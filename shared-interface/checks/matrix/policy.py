"""The oracle: what an app must do with a delivery, from raw metadata and the facts of a release.

This is the reading policy said once more, by somebody else: it shares no code with the contract or
the app, so that an expectation is never taken from what it is meant to test. It reads two documents
as they are written, ``metadata.json`` and a release's software manifest, and calls nothing.
"""

# ruff: noqa: INP001 - a module beside its siblings, not a package

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

Document: TypeAlias = Mapping[str, Any]
SERVE = "serve"
LIVE = "live"
_UNCERTAINTY_SINCE = (0, 3)
_VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What an app must make of a delivery.

    Attributes:
        state: ``live``, ``refused`` or ``quarantined``, as ``/models`` says it.
        code: why it is not live; None when it is.
    """

    state: str
    code: str | None = None


def expect_delivery(metadata: Document, software: Document) -> Expected:
    """Foretell what a release makes of a delivery when it finds it in its store."""
    written, reader = schema(metadata.get("schema_version")), schema(metadata.get("min_reader"))
    if written is None or reader is None:
        return Expected(state="quarantined", code="corrupt")
    readable = software["readable_schemas"]
    oldest, newest = schema(readable["oldest"]), schema(readable["newest"])
    if oldest is None or newest is None:
        raise ValueError(f"found readable_schemas {readable}, expected versions such as '0.1'")
    if written[0] > newest[0] or reader > newest or written < oldest:
        return Expected(state="refused", code="schema-too-new")
    fed = all(each["role"] in software["roles"] for each in metadata["inputs"])
    if not fed or not any(_runs(artifact, software) for artifact in metadata["artifacts"]):
        return Expected(state="refused", code="runtime-unavailable")
    return Expected(state=LIVE)


def expect_example(
    metadata: Document, software: Document, *, area: str, reference_time: str, expect: str
) -> str:
    """Foretell what a release answers to one example: ``serve``, or the code of its refusal.

    What a release must not read it refuses as a whole; then the season decides, then what the
    trainer says must come of the windows.
    """
    delivery = expect_delivery(metadata, software)
    if delivery.code is not None:
        return delivery.code
    if area not in metadata["areas"]:
        return "area-not-declared"
    zone = ZoneInfo(metadata["areas"][area]["timezone"])
    if (
        datetime.fromisoformat(reference_time).astimezone(zone).month
        not in metadata["valid_months"]
    ):
        return "out-of-season"
    return expect


def expect_bands(metadata: Document, software: Document) -> list[str]:
    """Foretell for which variables a release shows how uncertain it is, sorted."""
    newest = schema(software["readable_schemas"]["newest"])
    if newest is None or newest < _UNCERTAINTY_SINCE:
        return []
    probabilities: dict[str, list[float]] = {}
    for quantile in metadata.get("uncertainty") or ():
        probabilities.setdefault(quantile["output"], []).append(quantile["probability"])
    return sorted(
        output["variable"]
        for output in metadata["outputs"]
        for found in [probabilities.get(output["name"], [])]
        if found and min(found) < 0.5 < max(found)  # noqa: PLR2004 - the median
    )


def schema(text: object) -> tuple[int, int] | None:
    """Return a schema version as two numbers; None for what is not one."""
    match = _VERSION.fullmatch(text) if isinstance(text, str) else None
    return (int(match[1]), int(match[2])) if match else None


def judge(found: Document, metadata: Document, software: Document) -> Iterator[str]:
    """Hold what an app did with one delivery against what it must do; yield every difference.

    Args:
        found: the facts that were recorded: ``state``, ``code``, ``reason``, ``examples``.
        metadata: of the delivery, as it is written.
        software: what the app's release says it supports.
    """
    expected = expect_delivery(metadata, software)
    if (found["state"], found["code"]) != (expected.state, expected.code):
        yield (
            f"/models says {_said(found['state'], found['code'])} "
            f"({found['reason'] or 'no reason given'}), "
            f"expected {_said(expected.state, expected.code)}"
        )
    if not found["examples"]:
        yield "no example was asked for"
    for number, example in enumerate(found["examples"]):
        problem = _judge_example(example, metadata, software)
        if problem:
            yield f"example {number} ({example['area']} {example['reference_time']}): {problem}"


def _judge_example(example: Document, metadata: Document, software: Document) -> str | None:
    expected = expect_example(
        metadata,
        software,
        **{name: example[name] for name in ("area", "reference_time", "expect")},
    )
    if example["status"] != 200:  # noqa: PLR2004 - HTTP
        answer = f"refused with {example['code'] or example['problem']}"
        fits = example["status"] == 422 and example["code"] == expected  # noqa: PLR2004 - HTTP
        return None if fits else f"{answer} (status {example['status']}), expected {expected}"
    if expected != SERVE:
        return f"served, expected a refusal with {expected}"
    if not example["by_it"]:
        return "served by another delivery"
    if not example["worst"] <= 1:
        return f"off by {example['worst']:.3g} of what is tolerated"
    bands = expect_bands(metadata, software)
    if example["bands"] != bands:
        return f"shows bands of {example['bands']}, expected {bands}"
    return None


def _runs(artifact: Document, software: Document) -> bool:
    if artifact.get("path") is None:
        return False
    needs = artifact.get("needs") or {}
    return any(
        runtime["format"] == artifact["format"]
        and _within(needs.get("opset"), runtime.get("max_opset"))
        and _within(needs.get("ir_version"), runtime.get("max_ir_version"))
        for runtime in software["runtimes"]
    )


def _within(needed: int | None, most: int | None) -> bool:
    return needed is None or most is None or needed <= most


def _said(state: object, code: object) -> str:
    return str(state) if code is None else f"{state} ({code})"
