"""Keys of tests, what they sign, and files that name them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fairweather_interface.envelope import (
    Envelope,
    dump_envelope,
    key_id,
    new_envelope,
    parse_envelope,
)
from fairweather_interface.manifest import SIGNATURE, read_manifest
from flask import Flask
from flask.testing import FlaskClient

from fairweather_app.forecasting.context import AppContext

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
BEFORE = datetime(2024, 2, 29, tzinfo=UTC)
"""Past for every clock, and after the kit's deliveries state that they were made."""


def private(name: str) -> Ed25519PrivateKey:
    """Return the key of a name, the same one each time."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def public_hex(name: str) -> str:
    return private(name).public_key().public_bytes_raw().hex()


def public_pem(name: str) -> str:
    pem = private(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def signed(envelope: Envelope, *names: str, hint: str | None = None) -> Envelope:
    """Return an envelope with the signatures of keys."""
    for name in names:
        own = key_id(bytes.fromhex(public_hex(name)))
        value = private(name).sign(envelope.signed_bytes)
        envelope = envelope.with_signature(own if hint is None else hint, value)
    return envelope


def sign(delivery: Path, *names: str, at: datetime = BEFORE) -> Path:
    """Sign a delivery, or co-sign what was signed before; return its folder."""
    path = delivery / SIGNATURE
    made = new_envelope(read_manifest(delivery), at)
    if path.exists():
        made = parse_envelope(path.read_bytes())
    path.with_suffix(".new").write_bytes(dump_envelope(signed(made, *names)))
    path.with_suffix(".new").rename(path)
    return delivery


def key(name: str, **more: object) -> dict[str, Any]:
    return {"name": name, "public": public_hex(name), **more}


def write_keys(path: Path, *keys: Mapping[str, Any], require: str = "signed") -> Path:
    """Write a file of keys in one step, for its owner alone."""
    new = path.with_suffix(".new")
    new.write_text(yaml.safe_dump({"require": require, "keys": list(keys)}))
    new.chmod(0o600)
    new.rename(path)
    return path


class Signed:
    """An app with a file of keys, and what it answers for EWR and JFK."""

    def __init__(self, make_app: Callable[..., Flask], keys: Path) -> None:
        self._make_app = make_app
        self.keys = keys

    def start(self, *keys: dict[str, Any], require: str = "signed", **settings: object) -> None:
        write_keys(self.keys, *keys, require=require)
        self.app = self._make_app(keys=self.keys, **settings)
        self.context: AppContext = self.app.extensions["fairweather"]
        self.client: FlaskClient = self.app.test_client()

    def look(self) -> None:
        self.context.catalogue.refresh()

    def answer(self, area: str = "EWR") -> Any:
        return self.client.get(f"/weather/predict?area={area}").json

    def model(self, delivery: Path) -> Any:
        return self.client.get(f"/models/{delivery.name}").json

    def refused(self, delivery: Path) -> str:
        """Return why a delivery is not trusted."""
        found = self.model(delivery)
        assert (found["state"], found["code"]) == ("refused", "not-trusted")
        return str(found["reason"])
