"""The command ``fairweather-interface``: verify, show and check deliveries, read the rules."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from fairweather_interface.delivery import METADATA, open_delivery, verify_delivery
from fairweather_interface.envelope import envelope_problems, read_envelope
from fairweather_interface.errors import (
    CorruptDeliveryError,
    FairweatherError,
    MetadataError,
    SoftwareError,
    UnsupportedSchemaError,
)
from fairweather_interface.history import STEPS
from fairweather_interface.ledger import changes_text, ledger_text, meanings_text
from fairweather_interface.metadata import metadata_notes
from fairweather_interface.pack import pack
from fairweather_interface.refusals import Code, Refusal
from fairweather_interface.software import read_software
from fairweather_interface.summary import describe
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
        for problem in problems or _notes(path):
            _print(f"  - {problem}")
    return 1 if bad else 0


def _show(options: argparse.Namespace) -> int:
    delivery = open_delivery(options.delivery)
    if options.json:
        sys.stdout.buffer.write((delivery.path / METADATA).read_bytes())  # UTF-8 everywhere
        return 0
    rows = describe(delivery.metadata, delivery.digest)
    problems = envelope_problems(delivery.path, delivery.manifest)
    rows += [("signed by", f"nobody: {each}") for each in problems]
    if not problems and (envelope := read_envelope(delivery.path)) is not None:
        claim = f"at {envelope.statement().signed_at.isoformat()} (a claim, not verified here)"
        rows += [("signed by", f"key {each.key_id!r} {claim}") for each in envelope.signatures]
    rows += [("note", note.removeprefix("note: ")) for note in _notes(delivery.path)]
    for name, value in rows:
        _print(f"{name:<16} {value}")
    return 0


def _pack(options: argparse.Namespace) -> int:
    folder = pack(
        options.model, describe=options.describe, examples=options.examples, store=options.store
    )
    _print(str(folder))
    return 0


def _notes(path: Path) -> list[str]:
    return [f"note: {note}" for note in metadata_notes((path / METADATA).read_bytes())]


def _rules(options: argparse.Namespace) -> int:
    try:
        text = options.text(options.version)
    except MetadataError as error:
        _print(str(error), to=sys.stderr)
        return 2
    sys.stdout.write(text)
    if not text:
        _print(f"nothing came since schema {options.version}, the newest", to=sys.stderr)
    return 0


def _check(options: argparse.Namespace) -> int:
    try:
        software = read_software(options.software.read_bytes())
    except (SoftwareError, OSError) as error:
        _print(f"{options.software}: {error}", to=sys.stderr)
        return 2
    release = f"{software.name} {software.version}"
    notes: list[str] = []
    try:
        verdict = check(open_delivery(options.delivery).metadata, software)
        notes = _notes(options.delivery)
    except UnsupportedSchemaError as error:  # no release obeys more than this package knows
        verdict = Verdict(refusals=(Refusal(code=Code.SCHEMA_TOO_NEW, reason=str(error)),))
    except (CorruptDeliveryError, MetadataError) as error:
        verdict = Verdict(refusals=(Refusal(code=Code.CORRUPT, reason=str(error)),))
    _print(f"{options.delivery}: {release} {'serves' if verdict.serves else 'refuses'}")
    for refusal in verdict.refusals:
        _print(f"  - {refusal.code}: {refusal.reason}")
    if verdict.serves and verdict.unused:
        _print(f"  without {', '.join(verdict.unused)}, which it does not know")
    for note in notes:
        _print(f"  - {note}")
    return 0 if verdict.serves else 1


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

    def command(
        name: str, summary: str, description: str, example: str, **defaults: Callable[..., object]
    ) -> argparse.ArgumentParser:
        example = f"example: fairweather-interface {name} {example}"
        made = commands.add_parser(name, help=summary, description=description, epilog=example)
        made.set_defaults(**defaults)
        return made

    verify = command(
        "verify",
        "check digests, metadata and layout; list every problem",
        "Check the digests, metadata and layout of deliveries and list every problem. "
        "Exits 0 when all conform, 1 when one does not.",
        "store/*",
        run=_verify,
    )
    verify.add_argument("delivery", nargs="+", type=Path, metavar="DELIVERY", help="its folder")
    show = command(
        "show",
        "say what a delivery declares",
        "Verify a delivery and say what it declares.",
        "store/DELIVERY_ID --json",
        run=_show,
    )
    show.add_argument("delivery", type=Path, metavar="DELIVERY", help="its folder")
    show.add_argument("--json", action="store_true", help="the whole metadata, as JSON")
    check_ = command(
        "check",
        "say whether a release of the software supports a delivery",
        "Verify a delivery and hold what it declares against a software manifest. "
        "Exits 0 when that release supports it; otherwise prints every reason and exits 1.",
        "store/DELIVERY_ID --software app.json",
        run=_check,
    )
    check_.add_argument("delivery", type=Path, metavar="DELIVERY", help="its folder")
    words = (
        "a software manifest; the app prints its own with 'flask --app fairweather_app software'"
    )
    check_.add_argument("--software", type=Path, required=True, metavar="FILE", help=words)
    pack_ = command(
        "pack",
        "make a delivery of an ONNX model and a description",
        "Make a delivery of an ONNX model: names, types and shapes are taken from the file, the "
        "rest from a description in YAML; what the examples must give is computed. The last line "
        "of the output is the delivery's folder. Needs 'fairweather-interface[pack]'.",
        "MODEL.onnx --describe DESCRIBE.yaml --examples EXAMPLES.npz --store store",
        run=_pack,
    )
    pack_.add_argument("model", type=Path, metavar="MODEL", help="an ONNX file, weights included")
    for name, metavar, words in (
        ("describe", "FILE", "the description, YAML: author, areas, inputs, outputs, training"),
        ("examples", "FILE", "at least 8 windows with their area and reference time, .npz"),
        ("store", "FOLDER", "where deliveries lie; made where it is not there"),
    ):
        pack_.add_argument(f"--{name}", type=Path, required=True, metavar=metavar, help=words)
    ledger = command(
        "ledger",
        "print the field ledger of a schema",
        "Print every field of a schema on a line of its own: path, type, constraints, unit, since "
        "when, and what a reader who does not know it has to do.",
        "0.1",
        run=_rules,
        text=ledger_text,
    )
    words = f"a schema version (default: {SCHEMA_VERSION}, the newest)"
    ledger.add_argument("version", nargs="?", default=SCHEMA_VERSION, metavar="VERSION", help=words)
    words = "print what each field states instead, as TOML (from schema 0.4 on)"
    ledger.add_argument(
        "--meanings", dest="text", action="store_const", const=meanings_text, help=words
    )
    changes = command(
        "changes",
        "say what came since a schema",
        "Say what came since a schema: what each step brought, and its new rows of the field "
        "ledger.",
        "--against 0.1",
        run=_rules,
        text=changes_text,
    )
    last = tuple(STEPS)[-1]
    words = f"a schema version (default: {last}, the one before the newest)"
    changes.add_argument("--against", dest="version", default=last, metavar="VERSION", help=words)
    return parser


if __name__ == "__main__":
    sys.exit(main())
