"""Sign deliveries: write the envelope beside the manifest, or add a signature to it.

Nothing else of a delivery changes: no manifest lists the envelope, so digest and id stay. A
signature is added to the statement that is there, with its time; the envelope is replaced in one
step, so that a reader has the older or the newer one, whole.
"""

from __future__ import annotations

import fcntl
import os
import re
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fairweather_interface.delivery import METADATA, list_deliveries
from fairweather_interface.envelope import (
    LARGEST_ENVELOPE,
    MOST_SIGNATURES,
    Envelope,
    dump_envelope,
    envelope_problems,
    new_envelope,
    parse_envelope,
    read_envelope,
)
from fairweather_interface.manifest import MANIFEST, SIGNATURE, read_listed, read_manifest
from fairweather_interface.metadata import DELIVERY_ID_PATTERN, read_metadata

from fairweather_research.delivery.keys import SigningKey
from fairweather_research.delivery.stores import (
    is_remote,
    local_path,
    reaching,
    store_at,
    verified,
)
from fairweather_research.errors import SigningError

_GRACE = timedelta(hours=1)  # clocks may differ by so much


def sign(
    delivery: str, key: SigningKey, *, replace: bool = False, signed_by: bytes | None = None
) -> None:
    """Verify a delivery and sign it in its place.

    Args:
        delivery: its folder, a path or a URL.
        key: whose signature is added; one of the same key is replaced.
        replace: write a new envelope, whatever lies there, and without its signatures.
        signed_by: sign only what this public key, of 32 bytes, has signed.

    Raises:
        PublishError: the delivery does not verify, or cannot be reached or written.
        SigningError: what is there as an envelope cannot be added to.
    """
    with (
        reaching(delivery),
        verified(delivery, but=SIGNATURE) as folder,
        (folder / MANIFEST).open("rb") as manifest,
    ):
        with suppress(OSError):  # where the file system has locks, others wait with theirs
            fcntl.flock(manifest, fcntl.LOCK_EX)
        if signed_by is not None:
            _refuse_unsigned(folder, signed_by)
        write_envelope(delivery, add_signature(folder, key, replace=replace))


def add_signature(folder: Path, key: SigningKey, *, replace: bool = False) -> bytes:
    """Return the envelope of a verified delivery with a signature more; nothing is written.

    Raises:
        SigningError: what is there is no envelope, is full, or its times contradict each other.
    """
    manifest, now = read_manifest(folder), datetime.now(UTC)
    metadata = read_metadata(read_listed(folder, manifest, METADATA))
    if not replace and (problems := envelope_problems(folder, manifest)):
        raise SigningError(f"{'; '.join(problems)}; --replace writes a new one")
    envelope = (None if replace else read_envelope(folder)) or new_envelope(manifest, now)
    trained, created = metadata.training.train_end_time, metadata.created_at
    signed_at = envelope.statement().signed_at
    if not (trained <= created <= signed_at + _GRACE and signed_at <= now + _GRACE):
        raise SigningError(
            f"{folder.name}: found that it was trained until {trained}, created at {created} and "
            f"signed at {signed_at}, expected each no later than the next, and none later than "
            f"now, {now:%Y-%m-%d %H:%M}+00:00; correct the clock and train again, or say --replace "
            "where the signature that is there is wrong"
        )
    made = envelope.with_signature(key.key_id, key.sign(envelope.signed_bytes))
    if len(made.signatures) > MOST_SIGNATURES:
        raise SigningError(
            f"{folder.name}: found {MOST_SIGNATURES} signatures, expected fewer; --replace writes "
            "a new envelope"
        )
    return dump_envelope(made)


def envelope_at(delivery: str) -> Envelope | None:
    """Return the envelope of a delivery, a path or a URL; None where there is none.

    Raises:
        EnvelopeError: what lies there is none.
    """
    if not is_remote(delivery):
        return read_envelope(local_path(delivery))
    system, root, _ = store_at(delivery)
    if not system.exists(path := f"{root}/{SIGNATURE}"):
        return None
    return parse_envelope(system.cat_file(path, start=0, end=LARGEST_ENVELOPE + 1))


def write_envelope(delivery: str, data: bytes) -> None:
    """Put an envelope beside a manifest in one step."""
    if is_remote(delivery):
        system, root, _ = store_at(delivery)
        system.pipe_file(f"{root}/{SIGNATURE}", data)
        return
    folder = local_path(delivery)
    staged = folder / f".{SIGNATURE}.{uuid.uuid4().hex}"
    try:
        with staged.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(folder / SIGNATURE)
    finally:
        staged.unlink(missing_ok=True)


def deliveries_of(store: str) -> list[str]:
    """Return the complete deliveries of a store, a folder or a URL, by id; nothing is verified.

    Raises:
        PublishError: the store cannot be read.
    """
    with reaching(store):
        if not is_remote(store):
            return [str(path) for path in list_deliveries(local_path(store))]
        system, root, address = store_at(store)
        names = sorted(
            path.rstrip("/").rpartition("/")[2] for path in system.ls(root, detail=False)
        )
        ids = [name for name in names if re.fullmatch(DELIVERY_ID_PATTERN, name)]
        there = [name for name in ids if system.exists(f"{root}/{name}/{MANIFEST}")]
        return [f"{address}/{name}" for name in there]


def _refuse_unsigned(folder: Path, public: bytes) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - an extra

    envelope = read_envelope(folder)
    key = ed25519.Ed25519PublicKey.from_public_bytes(public)
    if envelope is not None:
        for signature in envelope.signatures:
            with suppress(InvalidSignature):
                key.verify(signature.value, envelope.signed_bytes)
                return
    raise SigningError(f"{folder.name}: found no signature of the key {public.hex()}; not signed")
