"""The operator's file of keys, whoever signs, and attackers who write what nobody may.

The team's key signs what is delivered, and is rotated under load; a contractor's signs one
delivery, and can be revoked. What an attacker writes is never to be served.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fairweather_interface.envelope import (
    dump_envelope,
    key_id,
    new_envelope,
    read_envelope,
)
from fairweather_interface.manifest import SIGNATURE, read_manifest

STRANGER = "nobody's"
"""A key that no file names."""
MOST_REVOKED = 9


class Keys:
    """Keys by name, and the file that names those of the operator in the order they came."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self._path = path
        self._chance = chance
        self._private: dict[str, Ed25519PrivateKey] = {}
        self._named: dict[str, bool] = {}  # whether it is revoked
        self._number = 0
        self.team = self.add("team")

    def add(self, who: str) -> str:
        """Make a key and write it into the file; return its name."""
        self._number += 1
        name = f"{who} {self._number}"
        self._named[name] = False
        self._write()
        return name

    def revoke(self, name: str) -> None:
        """Revoke a key in the file."""
        self._named[name] = True
        self._write()

    def sign(self, folder: Path, name: str) -> None:
        """Sign a delivery, or co-sign one that is signed, in one step; the newest two stay."""
        manifest = read_manifest(folder)
        envelope = read_envelope(folder) or new_envelope(manifest, datetime.now(UTC))
        envelope = replace(envelope, signatures=envelope.signatures[-1:])
        value = self._key(name).sign(envelope.signed_bytes)
        envelope = envelope.with_signature(key_id(self._public(name)), value)
        made = folder / f".{SIGNATURE}"
        made.write_bytes(dump_envelope(envelope))
        made.rename(folder / SIGNATURE)

    def _key(self, name: str) -> Ed25519PrivateKey:
        if name not in self._private:
            seed = self._chance.randbytes(32)
            self._private[name] = Ed25519PrivateKey.from_private_bytes(seed)
        return self._private[name]

    def _public(self, name: str) -> bytes:
        return self._key(name).public_key().public_bytes_raw()

    def _write(self) -> None:
        gone = [name for name, revoked in self._named.items() if revoked][:-MOST_REVOKED]
        keys = [
            {"name": name, "public": self._public(name).hex(), "revoked": revoked}
            for name, revoked in self._named.items()
            if name not in gone
        ]
        made = self._path.with_suffix(".new")
        made.write_text(json.dumps({"require": "signed", "keys": keys}), encoding="utf-8")
        made.chmod(0o600)
        made.rename(self._path)
