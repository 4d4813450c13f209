"""Keys to sign with: of files, tokens and services, each tried when it is loaded."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from fairweather_interface.envelope import key_id

from fairweather_research.delivery.keys import PASSWORD, load_key
from fairweather_research.errors import SigningKeyError
from keys import key_file

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
PUBLIC = PRIVATE.public_key().public_bytes_raw()
WORDS = "of the key"


def refused(uri: str) -> str:
    with pytest.raises(SigningKeyError) as error:
        load_key(uri)
    return str(error.value)


def test_a_key_file_is_named_by_the_digest_of_its_public_part(tmp_path: Path) -> None:
    key = load_key(f"file:{key_file(tmp_path, 7)}")
    assert key.public == PUBLIC
    assert key.key_id == key_id(PUBLIC)
    PRIVATE.public_key().verify(key.sign(b"some bytes"), b"some bytes")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_key_file_that_others_can_use_is_refused_as_ssh_does(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, 7, mode=mode)
    told = refused(f"file:{path}")
    assert f"found the mode 0{mode:o} of {path}" in told
    assert f"chmod 600 {path}" in told


def test_a_password_is_taken_from_the_environment_or_asked_of_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"file:{key_file(tmp_path, 7, password=WORDS)}"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    assert f"found no {PASSWORD}" in refused(uri)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("fairweather_research.delivery.keys.getpass", lambda _asked: WORDS)
    assert load_key(uri).public == PUBLIC
    monkeypatch.setenv(PASSWORD, "of another")
    told = refused(uri)
    assert "password" in told
    assert "of another" not in told


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_key_of_another_kind_is_refused_with_how_to_make_one(tmp_path: Path, kind: str) -> None:
    other = (
        rsa.generate_private_key(65537, 2048)
        if kind == "rsa"
        else ec.generate_private_key(ec.SECP256R1())
    )
    path = tmp_path / "other.pem"
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    told = refused(f"file:{path}")
    assert f"found a key of {kind}, expected Ed25519" in told
    assert "openssl genpkey -algorithm ed25519" in told


def test_what_is_no_key_is_told_and_never_read_without_end(tmp_path: Path) -> None:
    (tmp_path / "public.pem").write_bytes(
        PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "public.pem").chmod(0o600)
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("public.pem", "pipe", "zero", "absent.pem"):
        assert "expected a private Ed25519 key" in refused(f"file:{tmp_path / name}")
    for uri in ("key.pem", "file2:key.pem", "https://example.org/key", ""):
        assert "expected file:PATH" in refused(uri)


def test_a_library_that_is_not_there_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pkcs11", "boto3"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "'securesystemslib[crypto]' boto3" in refused("awskms:alias/deliveries")
    told = refused("pkcs11:token=a;object=b?module-path=/usr/lib/token.so")
    assert "'securesystemslib[crypto]' python-pkcs11" in told
    monkeypatch.setitem(sys.modules, "securesystemslib.signer", None)
    assert "pip install 'securesystemslib[crypto]'" in refused(f"file:{key_file(tmp_path, 7)}")


class Service:
    """Stands in for the client of AWS KMS, with one key."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    def get_public_key(self, **_key: str) -> dict[str, bytes]:
        spki = PublicFormat.SubjectPublicKeyInfo
        return {"PublicKey": PRIVATE.public_key().public_bytes(Encoding.DER, spki)}

    def sign(self, *, Message: bytes, **how: str) -> dict[str, bytes]:  # noqa: N803 - as AWS says it
        self.asked.append(how)
        return {"Signature": PRIVATE.sign(Message)}


def test_a_key_of_a_service_signs_the_bytes_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    monkeypatch.setitem(sys.modules, "boto3", SimpleNamespace(client=lambda _name: service))
    key = load_key("awskms:arn:aws:kms:eu-west-1:1:key/2")
    assert key.public == PUBLIC
    assert service.asked == [
        {
            "KeyId": "arn:aws:kms:eu-west-1:1:key/2",
            "MessageType": "RAW",
            "SigningAlgorithm": "ED25519_SHA_512",
        }
    ]


class Token:
    """Stands in for python-pkcs11, with one token that holds a key and a public part."""

    ObjectClass = SimpleNamespace(PRIVATE_KEY="private", PUBLIC_KEY="public")
    Attribute = SimpleNamespace(EC_POINT="point")
    Mechanism = SimpleNamespace(EDDSA="eddsa")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self.opened: list[str] = []
        self._private = private

    def lib(self, path: str) -> Token:
        self.opened.append(path)
        return self

    def get_token(self, *, token_label: str) -> Token:
        self.opened.append(token_label)
        return self

    def open(self, *, user_pin: str) -> Token:
        self.opened.append(user_pin)
        return self

    def get_key(self, *, object_class: str, label: str) -> Any:
        self.opened.append(label)
        return self if object_class == "private" else {"point": b"\x04\x20" + PUBLIC}

    def sign(self, data: bytes, *, mechanism: str) -> bytes:
        assert mechanism == "eddsa"
        return self._private.sign(data)


def test_a_key_of_a_token_is_found_by_its_labels_and_its_pin_is_in_no_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = Token(PRIVATE)
    monkeypatch.setitem(sys.modules, "pkcs11", token)
    monkeypatch.setenv(PASSWORD, "1234")
    uri = "pkcs11:token=fair%20weather;object=deliveries?module-path=/usr/lib/token.so"
    assert load_key(uri).public == PUBLIC
    assert token.opened == [
        "/usr/lib/token.so",
        "fair weather",
        "1234",
        "deliveries",
        "deliveries",
    ]
    told = refused(uri.replace("?", ";pin-value=9876?"))
    assert "found token, object, pin-value" in told
    assert "9876" not in told


def test_a_private_key_that_is_not_that_of_the_public_one_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes([8]) * 32)
    monkeypatch.setitem(sys.modules, "pkcs11", Token(other))
    monkeypatch.setenv(PASSWORD, "1234")
    assert "InvalidSignature" in refused("pkcs11:token=a;object=b?module-path=/usr/lib/token.so")
