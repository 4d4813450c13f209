"""Ed25519 keys to sign with: of files, hardware tokens and key services.

::

    key = load_key("file:~/.config/fairweather/key.pem")
    key.public                  # its 32 public bytes; what an operator lists in keys.yaml
    key.sign(data)              # 64 bytes

A key is tried when it is loaded, so that nothing is trained first that could not be signed then.
Libraries are imported here only: signing is the extra ``[signed]``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from getpass import getpass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fairweather_interface.envelope import key_id
from fairweather_interface.errors import short
from fairweather_interface.manifest import read_document

from fairweather_research.errors import SigningKeyError

#: The variable of the environment with the password of a key's file, or the PIN of a token.
PASSWORD = "FAIRWEATHER_KEY_PASSWORD"  # noqa: S105 - the name of one

_MAKE_ONE = "make one with: openssl genpkey -algorithm ed25519 -out key.pem && chmod 600 key.pem"
_LARGEST_FILE = 64 << 10
_TRIED = b"fairweather-research tries a key"  # begins as no signed document does


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """An Ed25519 key: its 32 public bytes, and a function that signs."""

    public: bytes
    sign: Callable[[bytes], bytes]

    @property
    def key_id(self) -> str:
        """The id that an envelope names it by."""
        return key_id(self.public)


def load_key(uri: str) -> SigningKey:
    """Return a key that has signed and verified: ``file:``, ``pkcs11:``, ``awskms:`` or ``hv:``.

    Raises:
        SigningKeyError: it cannot be used, is no Ed25519 key, can be read by others, or a library
            is not installed.
    """
    scheme, _, name = uri.partition(":")
    if scheme not in _SCHEMES:
        raise SigningKeyError(
            f"found the key {short(uri)}, expected file:PATH, pkcs11:token=LABEL;object=LABEL, "
            "awskms:KEY or hv:KEY of Vault"
        )
    load, needed = _SCHEMES[scheme]
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - an extra

        key = load(name)
        public = ed25519.Ed25519PublicKey.from_public_bytes(key.public)
        public.verify(key.sign(_TRIED), _TRIED)
    except SigningKeyError:
        raise
    except ImportError as error:
        raise SigningKeyError(
            f"found no {error.name}, which a key at {scheme}: needs; run `pip install "
            f"'securesystemslib[crypto]'{needed}`"
        ) from error
    except Exception as error:  # libraries and services raise errors of their own
        reason = " ".join(f"{type(error).__name__} {error}".split())[:300]
        raise SigningKeyError(
            f"the key {uri} cannot be used ({reason}), expected a private Ed25519 key"
            + f"; {_MAKE_ONE}" * (scheme == "file")
        ) from error
    return key


def _of_file(name: str) -> SigningKey:
    """Load a PEM file in PKCS #8 that its owner alone can read, as ssh wants it."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra

    signers: Any = import_module("securesystemslib.signer")
    path = Path(name).expanduser()
    data = read_document(path, _LARGEST_FILE, follow_links=True)
    if (mode := path.stat().st_mode & 0o777) & 0o077:
        raise SigningKeyError(
            f"found the mode {mode:04o} of {path}, expected a key that nobody else can read; run: "
            f"chmod 600 {path}"
        )
    try:
        private = serialization.load_pem_private_key(data, None)
    except TypeError:  # as cryptography says that it is encrypted
        secret = _secret(f"Password of {path}")
        private = serialization.load_pem_private_key(data, secret.encode())
    return _of_signer(signers.CryptoSigner(private))


def _of_vault(name: str) -> SigningKey:
    """Take the newest version of a key of Vault's engine "transit"."""
    vault: Any = import_module("securesystemslib.signer").VaultSigner
    return _of_signer(vault.from_priv_key_uri(*vault.import_(name)))


def _of_signer(signer: Any) -> SigningKey:  # noqa: ANN401 - its library is an extra
    key = signer.public_key
    if key.keytype != "ed25519":
        raise SigningKeyError(f"found a key of {key.keytype}, expected Ed25519; {_MAKE_ONE}")
    return SigningKey(
        public=bytes.fromhex(key.keyval["public"]),
        sign=lambda data: bytes.fromhex(signer.sign(data).signature),
    )


def _of_kms(name: str) -> SigningKey:
    """Take a key of AWS (ECC_NIST_EDWARDS25519), which securesystemslib 1.6 cannot sign with."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra

    client: Any = import_module("boto3").client("kms")
    public: Any = serialization.load_der_public_key(client.get_public_key(KeyId=name)["PublicKey"])
    how = {"KeyId": name, "MessageType": "RAW", "SigningAlgorithm": "ED25519_SHA_512"}
    return SigningKey(
        public=public.public_bytes_raw(),
        sign=lambda data: bytes(client.sign(Message=data, **how)["Signature"]),
    )


def _of_token(name: str) -> SigningKey:
    """Take a key of a PKCS #11 token (RFC 7512), which securesystemslib 1.6 cannot sign with."""
    pkcs11: Any = import_module("pkcs11")
    path, _, query = name.partition("?")
    pairs = [each.partition("=") for each in (*path.split(";"), *query.split("&")) if each]
    given = {key: unquote(value) for key, _, value in pairs}
    module = given.pop("module-path", os.environ.get("PYKCS11LIB"))
    if set(given) != {"token", "object"} or not module:
        raise SigningKeyError(
            f"found {', '.join(given) or 'nothing'} in the key pkcs11:, expected token=LABEL;"
            f"object=LABEL, with ?module-path=LIBRARY or PYKCS11LIB in the environment; the PIN is "
            f"asked for, or {PASSWORD}"
        )
    token = pkcs11.lib(module).get_token(token_label=given["token"])
    session = token.open(user_pin=_secret(f"PIN of {given['token']}"))
    kinds = (pkcs11.ObjectClass.PRIVATE_KEY, pkcs11.ObjectClass.PUBLIC_KEY)
    private, public = (session.get_key(object_class=kind, label=given["object"]) for kind in kinds)
    return SigningKey(
        public=bytes(public[pkcs11.Attribute.EC_POINT][-32:]),  # DER: an octet string of 32
        sign=lambda data: bytes(private.sign(data, mechanism=pkcs11.Mechanism.EDDSA)),
    )


def _secret(what: str) -> str:
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    if not sys.stdin.isatty():
        raise SigningKeyError(f"found no {PASSWORD}, expected it where nobody can be asked: {what}")
    return getpass(f"{what}: ")


# What comes before the colon -> what loads it, and what to install beside the extra.
_SCHEMES: dict[str, tuple[Callable[[str], SigningKey], str]] = {
    "file": (_of_file, ""),
    "pkcs11": (_of_token, " python-pkcs11"),
    "awskms": (_of_kms, " boto3"),
    "hv": (_of_vault, " hvac"),
}
