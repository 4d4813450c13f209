"""Trust: which keys the operator lets speak, for what, and what they say of each delivery.

The keys are in the YAML file that ``FAIRWEATHER_KEYS`` names; docs/operations.md has an example.

Laws: a payload is read only after a signature over it was verified with a key of this file; a key
id is a hint which key to try. A verdict follows from the digest, the envelope, what the metadata
declare, this file and the time, and from nothing that was decided before. The file may lie neither
in the store nor where others can write; one that turns wrong while the app runs changes nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from weakref import WeakKeyDictionary

import yaml
from fairweather_interface.definitions import load_yaml
from fairweather_interface.envelope import Envelope, key_id, parse_envelope
from fairweather_interface.errors import EnvelopeError
from fairweather_interface.manifest import read_document
from fairweather_interface.metadata.record import UtcTime
from fairweather_interface.metadata.schema import ONNX
from fairweather_interface.names import parse_name
from fairweather_interface.problems import problems_of
from fairweather_interface.refusals import Code
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from fairweather_app.catalogue.entries import Declared, Entry, State, TrustVerdict
from fairweather_app.common.times import CLOCKS_DIFFER, write_time
from fairweather_app.errors import LoadError, SettingsError
from fairweather_app.models_backend import ModelsBackend
from fairweather_app.text import LONGEST_SENTENCE, cut, join_some

LARGEST_FILE = 1 << 20
MOST_KEYS = 100
MOST_TRIED = 200
"""Signatures of one envelope that are held against a key, at most; each takes 0.1 ms."""
_SETTING = "FAIRWEATHER_KEYS"
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def _parse_public(value: object) -> Any:  # noqa: ANN401 - cryptography is imported where keys are
    """Read an Ed25519 key."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only with keys
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        text = str(value).strip()
        if not text.startswith("-----BEGIN PUBLIC KEY-----"):
            return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(  # noqa: TRY004 - pydantic takes no other
            "expected a public Ed25519 key, as PEM (openssl pkey -in key.pem -pubout prints it) "
            "or as the 64 hexadecimal digits of its 32 bytes, in quotes"
        )
    return key


_Name = Annotated[str, AfterValidator(parse_name)]


class Key(BaseModel):
    """One key, and what its holder may say; what is None has no bound."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: _Name
    public: Annotated[Any, BeforeValidator(_parse_public)]
    areas: list[_Name] | None = None
    authors: list[str] | None = None
    formats: list[str] = [ONNX]
    evaluates: bool = False
    until: UtcTime | None = None
    revoked: str | bool = False

    @cached_property
    def id(self) -> str:
        """Its id, which signers write as a hint."""
        return key_id(self.public.public_bytes_raw())

    def objection(self, signed_at: datetime) -> str | None:
        """Return why what it signed at that time is not to be believed; None where it is."""
        if self.revoked is not False:
            why = "" if self.revoked is True else f": {self.revoked}"
            return f"its key {self.name!r} was revoked{why}"
        if self.until is not None and signed_at > self.until:
            at, until = write_time(signed_at), write_time(self.until)
            return f"its key {self.name!r} signed at {at}, and was to be used until {until}"
        return None

    def speaks_for(self, area: str) -> bool:
        """Return whether its holder may speak for an area."""
        return self.areas is None or area in self.areas


class Policy(BaseModel):
    """The file of keys as it was read; its verdicts follow from it and from their entry alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    require: Literal["off", "warn", "signed"]
    keys: Annotated[list[Key], Field(min_length=1, max_length=MOST_KEYS)]
    _verdicts: WeakKeyDictionary[Entry, TrustVerdict] = PrivateAttr(
        default_factory=WeakKeyDictionary
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for what in ("name", "id"):
            values = [getattr(each, what) for each in self.keys]
            if twice := [each.name for each in self.keys if values.count(getattr(each, what)) > 1]:
                same = "the same public key" if what == "id" else "the same name"
                raise ValueError(f"found {same} twice ({join_some(twice)}), expected it once")
        return self

    def check(self, entry: Entry, now: datetime) -> TrustVerdict:
        """Return what the keys say of an entry; without its record, of its digest and id alone."""
        verdict = self._verdicts.get(entry)
        if verdict is None:
            try:
                verdict = self._check(entry)
            except LoadError as error:
                verdict = self._problem(str(error))
            self._verdicts[entry] = verdict
        if verdict.signed_at is not None and verdict.signed_at - now > CLOCKS_DIFFER:
            at, here = write_time(verdict.signed_at), write_time(now)
            problem = self._problem(f"it was signed at {at}, in the future: here it is {here}")
            return replace(problem, signed_at=verdict.signed_at)
        return verdict

    def _problem(self, text: str) -> TrustVerdict:
        named = any(each.evaluates for each in self.keys)
        evaluated: frozenset[str] | None = frozenset() if named else None
        return TrustVerdict(problem=cut(text, LONGEST_SENTENCE), evaluated=evaluated)

    def _check(self, entry: Entry) -> TrustVerdict:
        if not entry.envelope:
            raise _untrusted("it is not signed")
        try:
            envelope = parse_envelope(entry.envelope)
            signers = self._signers(envelope)
            statement = envelope.statement()
        except EnvelopeError as error:
            raise _untrusted(f"it has no envelope of signatures: {error}") from None
        if statement.digest != entry.digest:
            problem = f"what was signed has other bytes: {statement.digest}, here {entry.digest}"
            raise _untrusted(problem)
        if statement.delivery_id != entry.delivery_id:
            raise _untrusted(f"what was signed has another id: {statement.delivery_id!r}")
        signed_at = statement.signed_at
        objections = [each.objection(signed_at) for each in signers]
        if all(objections):
            raise _untrusted("; ".join(filter(None, objections)))
        valid = [key for key in signers if key.objection(signed_at) is None]
        if entry.declared is None:
            return TrustVerdict(signed_by=tuple(key.name for key in valid), signed_at=signed_at)
        return self._hear(valid, entry, entry.declared, signed_at)

    def _signers(self, envelope: Envelope) -> list[Key]:
        """Return the keys of this file whose signature verifies, each once, in their order."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only with keys

        found: set[str] = set()
        hinted: list[str] = []
        tried = 0
        for signature in envelope.signatures:
            hinted += [each.name for each in self.keys if each.id == signature.key_id]
            for key in sorted(self.keys, key=lambda each: each.id != signature.key_id):
                if key.name in found or tried >= MOST_TRIED:
                    continue
                tried += 1
                try:
                    key.public.verify(signature.value, envelope.signed_bytes)
                except InvalidSignature:
                    continue
                found.add(key.name)
                break
        if not found and hinted:
            raise _untrusted(f"the signature as {join_some(hinted)} does not verify")
        if not found:
            ids = [repr(each.key_id[:16]) for each in envelope.signatures]
            raise _untrusted(f"it is signed by no key that is known here ({join_some(ids)})")
        return [each for each in self.keys if each.name in found]

    def _hear(
        self, valid: Sequence[Key], entry: Entry, declared: Declared, signed_at: datetime
    ) -> TrustVerdict:
        """Hold what metadata declare against what the keys that signed may say."""
        names, areas = join_some([each.name for each in valid]), entry.areas
        heard = [each for each in valid if each.authors is None or declared.author in each.authors]
        if not heard:
            raise _untrusted(f"no key of {names} may speak for the author {declared.author!r}")
        speaking = [each for each in heard if each.formats and any(map(each.speaks_for, areas))]
        foreign = [area for area in areas if not any(key.speaks_for(area) for key in speaking)]
        if foreign:
            raise _untrusted(f"no key of {names} may speak for {join_some(foreign)}")
        if declared.created_at - signed_at.timestamp() > CLOCKS_DIFFER.total_seconds():
            raise _untrusted(f"it states a created_at after {write_time(signed_at)}, its signed_at")
        formats = frozenset(each for key in speaking for each in key.formats)
        if declared.format is not None and declared.format not in formats:
            raise _untrusted(f"no key of {names} lets a {declared.format} run here")
        by = [each for each in heard if each.evaluates]
        measured = frozenset(area for area in areas if any(key.speaks_for(area) for key in by))
        return TrustVerdict(
            signed_by=tuple(each.name for each in heard if each in speaking or each in by),
            signed_at=signed_at,
            formats=formats,
            evaluated=measured if any(each.evaluates for each in self.keys) else None,
        )


class Trust:
    """The policy as it was last read, and what it makes of entries.

    `policy` is None where no file is named, or its `require` is off. `problem` says why the file as
    it is now is not followed.
    """

    def __init__(
        self,
        path: Path | None = None,
        store: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read the file, or raise `SettingsError`."""
        self.policy: Policy | None = None
        self.problem: str | None = None
        self._path = path
        self._store = store
        self.now = now
        self._text: bytes | None = None
        self._applied: WeakKeyDictionary[Entry, Entry] = WeakKeyDictionary()
        if path is not None:
            self._read(path)

    def reload(self) -> None:
        """Read the file again where it changed; what is wrong with it now is `problem`."""
        if self._path is None:
            return
        try:
            self._read(self._path)
            self.problem = None
        except SettingsError as error:
            self.problem = f"{error}; the keys that were read before count"

    def verdict(self, entry: Entry) -> TrustVerdict | None:
        """Return what the keys say of an entry; None where none are asked."""
        return None if self.policy is None else self.policy.check(entry, self.now())

    def refusal(self, entry: Entry) -> TrustVerdict | None:
        """Return the verdict by which an entry may not be served; None where it may."""
        verdict = self.verdict(entry) if self._is_required else None
        return verdict if verdict and verdict.problem else None

    def allowed(self, entry: Entry, backends: Sequence[ModelsBackend]) -> Sequence[ModelsBackend]:
        """Return the backends that may run what an entry holds, or raise `LoadError`."""
        verdict = self.verdict(entry) if self._is_required else None
        if verdict is None:
            return backends
        if verdict.problem is not None:
            raise _untrusted(verdict.problem)
        return [each for each in backends if each.format in verdict.formats]

    def apply(self, entry: Entry) -> Entry:
        """Return an entry with what the keys say of it: refused, if it was live and may not be."""
        verdict = None if entry.digest is None else self.verdict(entry)
        if verdict is None:
            return entry
        made = self._applied.get(entry)
        if made is None or made.trust is not verdict:
            made = replace(entry, trust=verdict)
            if entry.live and self.refusal(entry):
                state, code = State.REFUSED, Code.NOT_TRUSTED
                made = replace(made, state=state, code=code, reason=verdict.problem)
            self._applied[entry] = made
        return made

    @property
    def _is_required(self) -> bool:
        return self.policy is not None and self.policy.require == "signed"

    def _read(self, path: Path) -> None:
        problems: tuple[str, ...]
        try:
            text = _read_safely(path, self._store)
            if text == self._text:
                return
            policy = Policy.model_validate(load_yaml(text.decode()))
        except ImportError:
            problems = ("pip install 'fairweather-app[signed]' brings what it needs",)
        except ValidationError as error:
            problems = problems_of(error, "")
        except (OSError, ValueError, yaml.YAMLError) as error:
            problems = (getattr(error, "strerror", None) or str(error),)
        else:
            self._text, self.policy = text, None if policy.require == "off" else policy
            return
        raise SettingsError([f"{_SETTING} is {str(path)!r}: {each}" for each in problems])


def _untrusted(reason: str) -> LoadError:
    return LoadError(Code.NOT_TRUSTED, reason)


def _read_safely(path: Path, store: str) -> bytes:
    """Return the bytes of the file; `ValueError` where others than the operator may write it."""
    real, folder = path.resolve(strict=True), Path(store.removeprefix("file://"))
    if real.is_relative_to(folder.resolve()) or path.absolute().is_relative_to(folder.absolute()):
        raise ValueError(f"expected a file outside the store {store}, where others write")
    for each in (real, real.parent):
        about = each.stat()
        theirs = about.st_mode & _OTHERS and not (each != real and about.st_mode & stat.S_ISVTX)
        if theirs or about.st_uid not in (0, os.geteuid()):
            raise ValueError(f"expected that only root or who runs the app may write {each}")
    return read_document(real, LARGEST_FILE)
