"""Signed deliveries: the envelope beside a manifest, ``manifest.dsse.json``, as data.

It is a DSSE envelope (github.com/secure-systems-lab/dsse, v1.0.2) over an in-toto Statement v1
(github.com/in-toto/attestation) whose one subject is ``manifest.json``. No manifest lists it, so
that a delivery is signed, and signed again with another key, without a change of digest or id.

Nothing here signs or verifies: who does passes `Envelope.signed_bytes` to a library of
cryptography. Laws: a payload says nothing before a signature over `Envelope.signed_bytes` was
verified; a key id is a hint which key to try, never a name to trust.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from fairweather_interface.errors import EnvelopeError, short
from fairweather_interface.manifest import MANIFEST, SIGNATURE, Manifest, read_document
from fairweather_interface.metadata.record import Record, UtcTime, dump_document, parse_json
from fairweather_interface.problems import problems_of

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://fairweather.example/delivery/v1"
LARGEST_ENVELOPE = 64 << 10
MOST_SIGNATURES = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """One signature: `key_id` as its signer wrote it, and the bytes."""

    key_id: str
    value: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What is signed: the digest (``sha256:<hex>``) of a manifest, whose it is, and when (UTC)."""

    digest: str
    delivery_id: str
    signed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """The signatures over one payload, a statement as JSON."""

    payload: bytes
    signatures: tuple[Signature, ...] = ()

    @property
    def signed_bytes(self) -> bytes:
        """The bytes that are signed: DSSE's pre-authentication encoding of the payload."""
        kind = PAYLOAD_TYPE.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)

    def with_signature(self, key_id: str, value: bytes) -> Envelope:
        """Return the envelope with a signature more; it replaces one of the same key."""
        others = tuple(each for each in self.signatures if each.key_id != key_id)
        added = Signature(key_id=key_id, value=value)
        return Envelope(payload=self.payload, signatures=(*others, added))

    def statement(self) -> Statement:
        """Read the payload; believe it only after one of the signatures was verified.

        Raises:
            EnvelopeError: it is no statement about one manifest.
        """
        try:
            parse_json(self.payload)
            found = _Statement.model_validate_json(self.payload)
        except ValidationError as error:
            raise _error(*problems_of(error, "its payload")) from None
        except ValueError as error:
            raise _error(f"its payload: {error}") from None
        return Statement(
            digest=f"sha256:{found.subject[0].digest.sha256}",
            delivery_id=found.predicate.delivery_id,
            signed_at=found.predicate.signed_at,
        )


class _Digest(Record):
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Subject(Record):
    name: Literal["manifest.json"]
    digest: _Digest


class _Predicate(Record):
    delivery_id: str
    signed_at: UtcTime


class _Statement(Record):
    type: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    subject: Annotated[tuple[_Subject, ...], Field(min_length=1, max_length=1)]
    predicate_type: Annotated[
        Literal["https://fairweather.example/delivery/v1"], Field(alias="predicateType")
    ]
    predicate: _Predicate


def key_id(public: bytes) -> str:
    """Return the id of an Ed25519 key: the sha256, in hexadecimal, of its 32 public bytes."""
    return hashlib.sha256(public).hexdigest()


def new_envelope(manifest: Manifest, signed_at: datetime) -> Envelope:
    """Return the envelope of a manifest to sign; `signed_at` is UTC and written in seconds."""
    digest = manifest.digest.removeprefix("sha256:")
    return Envelope(
        payload=dump_document(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": MANIFEST, "digest": {"sha256": digest}}],
                "predicateType": PREDICATE_TYPE,
                "predicate": {
                    "delivery_id": manifest.delivery_id,
                    "signed_at": signed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                },
            }
        )
    )


def dump_envelope(envelope: Envelope) -> bytes:
    """Return the bytes of ``manifest.dsse.json``."""
    return dump_document(
        {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(envelope.payload).decode(),
            "signatures": [
                {"keyid": each.key_id, "sig": base64.b64encode(each.value).decode()}
                for each in envelope.signatures
            ],
        }
    )


def parse_envelope(data: bytes) -> Envelope:
    """Read the bytes of an envelope; its payload is not looked at.

    Raises:
        EnvelopeError: it is larger than `LARGEST_ENVELOPE`, has more than `MOST_SIGNATURES`, or is
            no DSSE envelope over an in-toto statement. A bundle of Sigstore, which signs models as
            OMS v1, is named as such.
    """
    if len(data) > LARGEST_ENVELOPE:
        raise _error(f"found {len(data)} bytes, expected at most {LARGEST_ENVELOPE}")
    try:
        document = parse_json(data)
    except ValueError as error:
        raise _error(str(error)) from None
    if not isinstance(document, Mapping):
        raise _error(f"found {short(document)}, expected an object")
    media = document.get("mediaType")
    if isinstance(media, str) and media.startswith("application/vnd.dev.sigstore.bundle"):
        raise _error(
            f"found a bundle of Sigstore ({short(media)}), as OMS v1 signs models, "
            f"expected a DSSE envelope over {MANIFEST}: sign it with fairweather-research sign"
        )
    if document.get("payloadType") != PAYLOAD_TYPE:
        raise _error(
            f"found the payloadType {short(document.get('payloadType'))}, expected {PAYLOAD_TYPE!r}"
        )
    signatures = document.get("signatures")
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= MOST_SIGNATURES:
        raise _error(f"expected signatures, a list of 1 to {MOST_SIGNATURES}")
    return Envelope(
        payload=_decode(document.get("payload"), "payload"),
        signatures=tuple(_signature(each, number) for number, each in enumerate(signatures, 1)),
    )


def read_envelope(folder: Path) -> Envelope | None:
    """Read the envelope beside a manifest; None where there is none.

    Raises:
        EnvelopeError: what lies there is no envelope.
        OSError: the disk or the permissions do not allow to read it.
    """
    try:
        return parse_envelope(read_document(folder / SIGNATURE, LARGEST_ENVELOPE))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise _error(str(error)) from None


def envelope_problems(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """Return what is wrong with the envelope of a delivery; empty where there is none.

    Whether a signature in it verifies, and whose it is, is for who knows the keys.
    """
    try:
        envelope = read_envelope(folder)
        statement = None if envelope is None else envelope.statement()
    except EnvelopeError as error:
        return error.problems
    if statement is None:
        return ()
    expected = {"digest": manifest.digest, "delivery_id": manifest.delivery_id}
    return tuple(
        f"{SIGNATURE}: it is about the {name} {getattr(statement, name)}, expected {value}: sign "
        "the delivery again"
        for name, value in expected.items()
        if getattr(statement, name) != value
    )


def _signature(found: object, number: int) -> Signature:
    where = f"signature {number}"
    if not isinstance(found, Mapping) or not isinstance(found.get("keyid", ""), str):
        raise _error(f"{where}: found {short(found)}, expected an object with keyid and sig")
    return Signature(key_id=found.get("keyid", ""), value=_decode(found.get("sig"), where))


def _decode(found: object, where: str) -> bytes:
    try:
        return base64.b64decode(found if isinstance(found, str) else "?", validate=True)
    except ValueError:
        raise _error(f"{where}: found {short(found)}, expected base64") from None


def _error(*problems: str) -> EnvelopeError:
    told = tuple(f"{SIGNATURE}: {problem}" for problem in problems)
    return EnvelopeError("; ".join(told), problems=told)
