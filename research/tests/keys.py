"""Key files as openssl makes them, and which keys have signed a delivery."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from fairweather_interface.envelope import Envelope, read_envelope

from fairweather_research.delivery.keys import SigningKey, load_key


def key_file(folder: Path, seed: int, *, password: str | None = None, mode: int = 0o600) -> Path:
    """Write the private Ed25519 key of a seed as PEM; return its path."""
    how: KeySerializationEncryption = NoEncryption()
    if password is not None:
        how = BestAvailableEncryption(password.encode())
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    path = folder / f"key-{seed}.pem"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    path.chmod(mode)
    return path


def key_of(folder: Path, seed: int) -> SigningKey:
    """Return the key of a seed, as a command would load it."""
    return load_key(f"file:{key_file(folder, seed)}")


def envelope_of(delivery: Path | str) -> Envelope:
    """Return the envelope of a delivery that has one."""
    envelope = read_envelope(Path(delivery))
    assert envelope is not None
    return envelope


def signers(delivery: Path | str, *keys: SigningKey) -> list[bool]:
    """Return of each key whether a signature in the envelope verifies with it."""
    return [_has_signed(envelope_of(delivery), key) for key in keys]


def _has_signed(envelope: Envelope, key: SigningKey) -> bool:
    for signature in envelope.signatures:
        try:
            public = Ed25519PublicKey.from_public_bytes(key.public)
            public.verify(signature.value, envelope.signed_bytes)
        except InvalidSignature:
            continue
        return signature.key_id == key.key_id
    return False
