"""The command ``fairweather-interface``: verify, show and check deliveries, read the rules."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from fairweather_interface.applicability import domain_of
from fairweather_interface.delivery import open_delivery, verify_delivery
from fairweather_interface.durations import format_duration
from fairweather_interface.errors import (
    CorruptDeliveryError,
    FairweatherError,
    MetadataError,
    SoftwareError,
    UnsupportedSchemaError,
)
from fairweather_interface.history import STEPS
from fairweather_interface.ledger import changes_text, ledger_text
from fairweather_interface.metadata import Bounds, ModelMetadata
from fairweather_interface.metadata.record import dump_record
from fairweather_interface.refusals import Code, Refusal
from fairweather_interface.software import read_software
from fairweather_interface.terminal import printable
from fairweather_interface.verdict import Verdict, check
from fairweather_interface.versions import SCHEMA_VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 good, 1 a negative answer, 2 wrong use."""
    options = _parser().parse_args(arguments)
    try:
        answer: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (FairweatherError, OSError) as error:
        _print(str(error), to=sys.stderr)
        return 1
    return answer


def _print(line: str, *, to: TextIO | None = None) -> None:
    """Print a line that may hold words of a delivery, escaped where a terminal cannot show them."""
    to = to or sys.stdout
    encoding = to.encoding or "utf-8"
    shown = printable(line, escaped=True)
    print(shown.encode(encoding, "backslashreplace").decode(encoding), file=to)


def _verify(options: argparse.Namespace) -> int:
    bad = 0
    for path in options.delivery:
        try:
            problems = verify_delivery(path)
        except OSError as error:
            problems = (f"cannot be read: {error}",)
        bad += bool(problems)
        _print(f"{path}: {'does not conform' if problems else 'good'}")
        for problem in problems:
            _print(f"  - {problem}")
    return 1 if bad else 0


def _show(options: argparse.Namespace) -> int:
    delivery = open_delivery(options.delivery)
    if options.json:
        sys.stdout.buffer.write(dump_record(delivery.metadata))  # JSON is UTF-8 everywhere
        return 0
    for name, value in describe(delivery.metadata, delivery.digest):
        _print(f"{name:<16} {value}")
    return 0


def _ledger(options: argparse.Namespace) -> int:
    try:
        sys.stdout.write(ledger_text(options.version))
    except MetadataError as error:
        _print(str(error), to=sys.stderr)
        return 2
    return 0


def _changes(options: argparse.Namespace) -> int:
    try:
        changes = changes_text(options.against)
    except MetadataError as error:
        _print(str(error), to=sys.stderr)
        return 2
    sys.stdout.write(changes)
    if not changes:
        _print(f"nothing came since schema {options.against}, the newest", to=sys.stderr)
    return 0


def _check(options: argparse.Namespace) -> int:
    try:
        software = read_software(options.software.read_bytes())
    except (SoftwareError, OSError) as error:
        _print(f"{options.software}: {error}", to=sys.stderr)
        return 2
    release = f"{software.name} {software.version}"
    try:
        verdict = check(open_delivery(options.delivery).metadata, software)
    except UnsupportedSchemaError as error:  # no release obeys more than this package knows
        verdict = Verdict(refusals=(Refusal(code=Code.SCHEMA_TOO_NEW, reason=str(error)),))
    except (CorruptDeliveryError, MetadataError) as error:
        verdict = Verdict(refusals=(Refusal(code=Code.CORRUPT, reason=str(error)),))
    _print(f"{options.delivery}: {release} {'serves' if verdict.serves else 'refuses'}")
    for refusal in verdict.refusals:
        _print(f"  - {refusal.code}: {refusal.reason}")
    if verdict.serves and verdict.unused:
        _print(f"  without {', '.join(verdict.unused)}, which it does not know")
    return 0 if verdict.serves else 1


def describe(metadata: ModelMetadata, digest: str) -> list[tuple[str, str]]:
    """Return what a person wants to know of a delivery, as names and values, in order."""
    rows = [
        ("delivery", metadata.delivery_id),
        ("digest", digest),
        ("schema", f"{metadata.schema_version} (readers of {metadata.min_reader} and later)"),
        ("topic", metadata.topic),
        ("model type", metadata.model_type),
        ("author", metadata.author),
        ("created", metadata.created_at.isoformat()),
        ("areas", ", ".join(metadata.areas)),
        ("months", ", ".join(map(str, metadata.valid_months))),
    ]
    rows += [
        (
            "requires",
            (
                f"{item.variable} [{item.unit}] of {', '.join(item.areas or ('the area',))}, "
                f"{format_duration(item.period)} at {format_duration(item.sample_rate)}, "
                f"at most {item.max_missing:.0%} missing"
            ),
        )
        for item in metadata.required_inputs
        if item.period is not None and item.sample_rate is not None
    ]
    rows += [
        (
            "forecasts",
            (
                f"{item.variable} [{item.unit}] for {format_duration(item.horizon)}, "
                f"every {format_duration(item.step)}"
            ),
        )
        for item in metadata.outputs
    ]
    domain = domain_of(metadata)
    rows += [
        ("fit for", f"{item.name} {_bounds(domain[item.name], item.unit or '')}")
        for item in metadata.required_inputs
        if item.name in domain
    ]
    rows += [
        ("uncertainty", f"{item.variable}: quantiles {', '.join(quantiles)}")
        for item in metadata.outputs
        if (quantiles := [f"{each.probability:.6g}" for each in metadata.quantiles(item.name)])
    ]
    rows += [
        (
            "artifact",
            f"{item.format}: "
            + (f"left out, {item.omitted}" if item.path is None else item.path)
            + (" (canonical)" if item.canonical else ""),
        )
        for item in metadata.artifacts
    ]
    rows += [
        (
            "skill",
            (
                f"{item.area} {item.variable}: "
                f"{'none to tell' if item.skill is None else format(item.skill, '+.1%')}, "
                f"MAE {item.mae:.2f}"
            ),
        )
        for item in metadata.performance
    ]
    training = metadata.training
    rows += [
        ("trained on", training.data_source + (" (synthetic)" if training.synthetic else "")),
        ("trained until", training.train_end_time.isoformat()),
    ]
    rows += [("unknown field", path) for path in metadata.unknown_fields]
    return rows


def _bounds(bounds: Bounds, unit: str) -> str:
    """Return bounds in words."""
    parts = [] if bounds.minimum is None else [f"from {bounds.minimum:g} {unit}"]
    parts += [] if bounds.maximum is None else [f"up to {bounds.maximum:g} {unit}"]
    if bounds.max_missing is not None:
        parts.append(f"at most {100 * bounds.max_missing:g} % missing")
    return ", ".join(parts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fairweather-interface",
        description="The contract between models and software: look at deliveries, read the rules.",
        epilog="example: fairweather-interface verify store/*",
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"fairweather-interface {version('fairweather-interface')}, "
        f"schema {SCHEMA_VERSION}",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    verify = commands.add_parser(
        "verify",
        help="check digests, metadata and layout; list every problem",
        description="Check the digests, metadata and layout of deliveries and list every problem. "
        "Exits 0 when all conform, 1 when one does not.",
        epilog="example: fairweather-interface verify store/*",
    )
    verify.add_argument("delivery", nargs="+", type=Path, metavar="DELIVERY", help="its folder")
    verify.set_defaults(run=_verify)

    show = commands.add_parser(
        "show",
        help="say what a delivery declares",
        description="Verify a delivery and say what it declares.",
        epilog="example: fairweather-interface show store/DELIVERY_ID --json",
    )
    show.add_argument("delivery", type=Path, metavar="DELIVERY", help="its folder")
    show.add_argument("--json", action="store_true", help="the whole metadata, as JSON")
    show.set_defaults(run=_show)

    check_ = commands.add_parser(
        "check",
        help="say whether a release of the software supports a delivery",
        description="Verify a delivery and hold what it declares against a software manifest. "
        "Exits 0 when that release supports it; otherwise prints every reason and exits 1.",
        epilog="example: fairweather-interface check store/DELIVERY_ID --software app.json",
    )
    check_.add_argument("delivery", type=Path, metavar="DELIVERY", help="its folder")
    check_.add_argument(
        "--software",
        type=Path,
        required=True,
        metavar="FILE",
        help="a software manifest; the app prints its own with "
        "'flask --app fairweather_app software'",
    )
    check_.set_defaults(run=_check)

    ledger = commands.add_parser(
        "ledger",
        help="print the field ledger of a schema",
        description="Print every field of a schema on a line of its own: path, type, "
        "constraints, unit, since when, and what a reader who does not know it has to do.",
        epilog="example: fairweather-interface ledger 0.1",
    )
    ledger.add_argument(
        "version",
        nargs="?",
        default=SCHEMA_VERSION,
        metavar="VERSION",
        help=f"a schema version (default: {SCHEMA_VERSION}, the newest)",
    )
    ledger.set_defaults(run=_ledger)

    previous = tuple(STEPS)[-1]
    changes = commands.add_parser(
        "changes",
        help="say what came since a schema",
        description="Say what came since a schema: what each step brought, and its new rows of "
        "the field ledger.",
        epilog="example: fairweather-interface changes --against 0.1",
    )
    changes.add_argument(
        "--against",
        default=previous,
        metavar="VERSION",
        help=f"a schema version (default: {previous}, the one before the newest)",
    )
    changes.set_defaults(run=_changes)
    return parser


if __name__ == "__main__":
    sys.exit(main())
