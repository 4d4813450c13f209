"""Envelopes: signatures beside a manifest, as data; who has the keys verifies them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from fairweather_interface import SIGNATURE, EnvelopeError, open_delivery, verify_delivery
from fairweather_interface.__main__ import main
from fairweather_interface.envelope import (
    LARGEST_ENVELOPE,
    MOST_SIGNATURES,
    PAYLOAD_TYPE,
    Envelope,
    Statement,
    dump_envelope,
    envelope_problems,
    key_id,
    new_envelope,
    parse_envelope,
    read_envelope,
)
from fairweather_interface.ledger import LEDGER
from fairweather_interface.manifest import Manifest, read_manifest

Tiny = Callable[..., Path]
Capture = pytest.CaptureFixture[str]
_AT = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
_DIGEST = "sha256:" + "a1" * 32
_ID = "2b0f1f6e-6b0c-4f0e-9d61-3f1f7d6a3c11"
_MANIFEST = Manifest(delivery_id=_ID, files={}, digest=_DIGEST)
_ENVELOPE = new_envelope(_MANIFEST, _AT).with_signature("k", b"s" * 64)
_HERE = Path(__file__).parent
_GOLDEN = _HERE / "golden"
_LISTED: list[dict[str, Any]] = tomllib.loads((_HERE / "goldens.toml").read_text())["envelope"]


def _document(**changes: object) -> bytes:
    """Return a good envelope with changes at its top; None takes a field away."""
    document = json.loads(dump_envelope(_ENVELOPE)) | changes
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def _states(change: Callable[[dict[str, Any]], object]) -> Envelope:
    """Return an envelope whose statement was changed."""
    statement = json.loads(_ENVELOPE.payload)
    change(statement)
    return Envelope(payload=json.dumps(statement).encode())


def test_what_is_written_is_read_again() -> None:
    signed = _ENVELOPE.with_signature("another", b"")
    data = dump_envelope(signed)
    assert parse_envelope(data) == signed
    assert parse_envelope(json.dumps(json.loads(data), separators=(",", ":")).encode()) == signed
    assert signed.statement() == Statement(digest=_DIGEST, delivery_id=_ID, signed_at=_AT)


def test_the_signed_bytes_are_dsse_s() -> None:
    kind = b"application/vnd.in-toto+json"
    assert Envelope(payload=b'{"a": 1}').signed_bytes == b"DSSEv1 28 " + kind + b' 8 {"a": 1}'
    assert len(kind) == 28


def test_a_time_is_written_in_utc_and_in_seconds() -> None:
    there = timezone(timedelta(hours=2))
    envelope = new_envelope(_MANIFEST, datetime(2026, 11, 30, 14, 0, 1, 999, tzinfo=there))
    assert b'"signed_at": "2026-11-30T12:00:01Z"' in envelope.payload


def test_a_key_signs_once_and_a_second_key_adds_to_it() -> None:
    again = _ENVELOPE.with_signature("other", b"1").with_signature("k", b"2")
    assert again.payload == _ENVELOPE.payload
    assert [(each.key_id, each.value) for each in again.signatures] == [
        ("other", b"1"),
        ("k", b"2"),
    ]


def test_the_id_of_a_key_follows_from_its_bytes() -> None:
    assert key_id(bytes(32)) == hashlib.sha256(bytes(32)).hexdigest()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "Expecting value"),
        (b"\xff", "utf-8"),
        (b"[]", "expected an object"),
        (b"null", "expected an object"),
        (b"[" * 60_000, "nested too deeply"),
        (b" " * (LARGEST_ENVELOPE + 1), f"found 65537 bytes, expected at most {LARGEST_ENVELOPE}"),
        (b'{"payload": "", "payload": ""}', "the key 'payload' twice"),
        (_document(payloadType="application/json"), "found the payloadType 'application/json'"),
        (_document(payloadType=None), f"found the payloadType None, expected '{PAYLOAD_TYPE}'"),
        (_document(payloadType=[]), "found the payloadType []"),
        (_document(payload=None), "payload: found None, expected base64"),
        (_document(payload=True), "payload: found True, expected base64"),
        (_document(payload=1234), "payload: found 1234, expected base64"),
        (_document(payload="e30"), "payload: found 'e30', expected base64"),
        (_document(payload="e30=\n"), "payload: found 'e30=\\n', expected base64"),
        (_document(payload="e30_"), "payload: found 'e30_', expected base64"),
        (_document(payload="éé"), "payload: found 'éé', expected base64"),
        (_document(signatures=None), "expected signatures, a list of 1 to 16"),
        (_document(signatures=[]), "expected signatures, a list of 1 to 16"),
        (_document(signatures={"0": {"sig": ""}}), "expected signatures, a list of 1 to 16"),
        (_document(signatures=[{"sig": ""}] * (MOST_SIGNATURES + 1)), "a list of 1 to 16"),
        (_document(signatures=["x"]), "signature 1: found 'x', expected an object"),
        (_document(signatures=[{"sig": ""}, {"keyid": 1, "sig": ""}]), "signature 2: found"),
        (_document(signatures=[{"keyid": "k"}]), "signature 1: found None, expected base64"),
        (_document(signatures=[{"sig": "?"}]), "signature 1: found '?', expected base64"),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else "",
)
def test_what_is_no_envelope_is_told_in_a_sentence(data: bytes, told: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        parse_envelope(data)
    assert str(caught.value).startswith(f"{SIGNATURE}: ")
    assert told in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("version", ["+json;version=0.3", ".v0.3+json"])
def test_a_bundle_of_sigstore_is_named(version: str) -> None:
    bundle = {
        "mediaType": f"application/vnd.dev.sigstore.bundle{version}",
        "dsseEnvelope": json.loads(dump_envelope(_ENVELOPE)),
    }
    with pytest.raises(EnvelopeError, match=r"a bundle of Sigstore .* fairweather-research sign"):
        parse_envelope(json.dumps(bundle).encode())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"), "_type: found"),
        (
            lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"),
            "predicateType: found",
        ),
        (lambda s: s.update(subject=[]), "subject: found []"),
        (lambda s: s["subject"].append(s["subject"][0]), "subject: found"),
        (
            lambda s: s["subject"][0].update(name="model.onnx"),
            "subject[0].name: found 'model.onnx'",
        ),
        (lambda s: s["subject"][0].update(digest={"sha512": "0"}), "sha256: not found"),
        (lambda s: s["subject"][0]["digest"].update(sha256="A1" * 32), "sha256: found 'A1A1"),
        (lambda s: s["predicate"].pop("delivery_id"), "delivery_id: not found"),
        (lambda s: s["predicate"].update(delivery_id=1), "delivery_id: found 1"),
        (lambda s: s["predicate"].update(signed_at=0), "signed_at: found 0"),
        (lambda s: s["predicate"].update(signed_at="2026-11-30"), "signed_at: found '2026-11-30'"),
        (lambda s: s["predicate"].update(signed_at="2026-11-30T12:00:00+02:00"), "a time in UTC"),
        (lambda s: s["predicate"].update(signed_at="2026-13-30T12:00:00Z"), "a time in UTC"),
        (lambda s: s["predicate"].update(signed_at="9" * 9), "a time in UTC"),
    ],
    ids=range(14),
)
def test_a_payload_that_states_something_else_is_told_by_its_field(
    change: Callable[[dict[str, Any]], object], told: str
) -> None:
    with pytest.raises(EnvelopeError) as caught:
        _states(change).statement()
    assert told in "\n".join(caught.value.problems)
    assert all(each.startswith(f"{SIGNATURE}: its payload") for each in caught.value.problems)


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[]", b"{}", b"1e999", b'{"a":1,"a":1}', b'{"a":' * 9_000]
)
def test_a_payload_that_is_no_statement_is_told(payload: bytes) -> None:
    with pytest.raises(EnvelopeError, match="its payload"):
        Envelope(payload=payload).statement()


def test_fields_that_nobody_knows_are_passed_over() -> None:
    signature = {"keyid": "k", "sig": base64.b64encode(b"s" * 64).decode(), "cert": "x"}
    assert parse_envelope(_document(novelty=[1], signatures=[signature])) == _ENVELOPE

    def change(statement: dict[str, Any]) -> None:
        for each in (statement, statement["subject"][0], statement["predicate"]):
            each["novelty"] = {"deep": [1]}
        statement["subject"][0]["digest"]["sha512"] = "0"

    assert _states(change).statement() == _ENVELOPE.statement()


def test_a_folder_without_an_envelope_has_none(tmp_path: Path) -> None:
    assert read_envelope(tmp_path) is None
    assert read_envelope(tmp_path / "absent") is None
    assert envelope_problems(tmp_path, _MANIFEST) == ()


def test_only_a_regular_file_of_the_right_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / SIGNATURE
    (tmp_path / "real").write_bytes(dump_envelope(_ENVELOPE))
    path.symlink_to("real")
    makers: tuple[Callable[[], object], ...] = (path.mkdir, lambda: os.mkfifo(path))
    for make in makers:
        assert "found a link, a folder or a device" in envelope_problems(tmp_path, _MANIFEST)[0]
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        make()
    assert "found a link, a folder or a device" in envelope_problems(tmp_path, _MANIFEST)[0]
    path.unlink()
    with path.open("wb") as file:
        file.truncate(20 << 30)  # takes no room on the disk
    with pytest.raises(EnvelopeError, match=f"found {20 << 30} bytes, expected at most 65536"):
        read_envelope(tmp_path)


def test_an_envelope_about_another_delivery_is_a_problem_by_its_name(tmp_path: Path) -> None:
    (tmp_path / SIGNATURE).write_bytes(dump_envelope(_ENVELOPE))
    assert envelope_problems(tmp_path, _MANIFEST) == ()
    other = Manifest(delivery_id=_ID.replace("2b", "3c"), files={}, digest="sha256:" + "00" * 32)
    digest, name = envelope_problems(tmp_path, other)
    assert f"the digest {_DIGEST}, expected {other.digest}" in digest
    assert f"the delivery_id {_ID}, expected {other.delivery_id}: sign" in name


def test_verify_tells_what_is_no_envelope_beside_all_else(
    tiny_delivery: Tiny, capsys: Capture
) -> None:
    path = tiny_delivery()
    (path / SIGNATURE).write_bytes(b"{}")
    (path / "metadata.json").write_bytes(b"{}")
    assert main(["verify", str(path)]) == 1
    out = capsys.readouterr().out
    assert f"\n  - {SIGNATURE}: found the payloadType None" in out
    assert "\n  - metadata.json: its sha256 differs" in out


def test_signing_changes_neither_digest_nor_what_any_reader_reads(
    tiny_delivery: Tiny, capsys: Capture
) -> None:
    path = tiny_delivery(schema="0.1")
    before = open_delivery(path)
    made = new_envelope(before.manifest, _AT).with_signature("k", b"1")
    for envelope in (made, made.with_signature("m", b"2")):
        (path / SIGNATURE).write_bytes(dump_envelope(envelope))
        assert verify_delivery(path) == ()
        for reader in {row.since for row in LEDGER}:
            assert open_delivery(path, reader=reader).manifest == before.manifest
    assert main(["show", str(path)]) == 0
    signed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("signed")]
    assert [line.split(None, 2)[2] for line in signed] == [
        f"key '{name}' at 2026-11-30T12:30:00+00:00 (a claim, not verified here)" for name in "km"
    ]


def test_show_says_of_an_unsigned_delivery_nothing_and_of_a_bad_envelope_what_it_is(
    tiny_delivery: Tiny, capsys: Capture
) -> None:
    path = tiny_delivery()
    assert main(["show", str(path)]) == 0
    assert "\nsigned" not in capsys.readouterr().out
    (path / SIGNATURE).write_bytes(b'{"payloadType": "\\u001b[2J"}')
    assert main(["show", str(path)]) == 0
    out = capsys.readouterr().out
    assert "\nsigned by        nobody: manifest.dsse.json: found the payloadType '\\x1b[2J'" in out


def test_of_3000_changed_envelopes_none_states_another_thing_under_its_signature() -> None:
    folder = _GOLDEN / "envelopes"
    read = 0
    for path in sorted(folder.glob("*.dsse.json")):
        good = path.read_bytes()
        known = parse_envelope(good)
        made = {(known.signed_bytes, each.value) for each in known.signatures}
        draw = random.Random(path.name)  # noqa: S311 - the same changes in every run
        for _ in range(500):
            data = bytearray(good)
            for _ in range(draw.choice((1, 1, 3))):
                data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
            try:
                found = parse_envelope(bytes(data))
                statement = found.statement()
            except EnvelopeError:
                continue
            if made & {(found.signed_bytes, each.value) for each in found.signatures}:
                read += 1
                assert statement == known.statement()
    assert read > 100  # white space, another key id, one of two signatures


@pytest.mark.parametrize("listed", _LISTED, ids=lambda listed: str(listed["golden"]))
def test_a_golden_envelope_is_what_it_was_and_read_to_this_day(listed: dict[str, Any]) -> None:
    data = (_GOLDEN / "envelopes" / f"{listed['golden']}.dsse.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == listed["sha256"]
    (folder,) = (_GOLDEN / str(listed["golden"])).iterdir()
    manifest = read_manifest(folder)
    envelope = parse_envelope(data)
    assert envelope.statement() == Statement(
        digest=manifest.digest, delivery_id=folder.name, signed_at=listed["signed_at"]
    )
    ids = [key_id(bytes.fromhex(_public(name))) for name in listed["keys"]]
    assert [each.key_id for each in envelope.signatures] == (ids if listed["hints"] else [""])
    assert all(len(each.value) == 64 for each in envelope.signatures)


def test_every_golden_envelope_is_listed_and_there() -> None:
    there = {path.name for path in (_GOLDEN / "envelopes").glob("*.dsse.json")}
    assert there == {f"{listed['golden']}.dsse.json" for listed in _LISTED}
    assert {name for listed in _LISTED for name in listed["keys"]} == {"first", "second"}


def _public(name: str) -> str:
    return (_GOLDEN / "envelopes" / f"{name}.pub").read_text()
