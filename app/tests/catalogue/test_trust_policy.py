"""Trust: every row of the policy, one verdict each."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from fairweather_interface.envelope import (
    Envelope,
    Signature,
    dump_envelope,
    new_envelope,
    parse_envelope,
)
from fairweather_interface.manifest import FileEntry, Manifest, read_manifest
from fairweather_interface.metadata import SAVED_MODEL, read_metadata
from fairweather_interface.testing import metadata_document

from fairweather_app.catalogue.entries import Entry, State, TrustVerdict, describe
from fairweather_app.catalogue.trust import MOST_TRIED, Policy
from signing import AT, key, public_pem, signed

HOUR = timedelta(hours=1)
MADE = datetime(2014, 1, 1, tzinfo=UTC)
"""When the kit's deliveries state that they were made."""
ID = "00000000-0000-4000-8000-000000000000"
MANIFEST = Manifest(
    delivery_id=ID, files={"x": FileEntry(sha256="0" * 64, size=1)}, digest="sha256:" + "a1" * 32
)
GOLDEN = Path(__file__).parents[3] / "shared-interface" / "tests" / "golden"


def entry(envelope: bytes, *, format_: str | None = "onnx", **changes: Any) -> Entry:
    metadata = read_metadata(
        json.dumps(metadata_document(**{"areas": ("EWR", "JFK"), **changes})).encode()
    )
    return Entry(
        delivery_id=ID,
        state=State.LIVE,
        fingerprint="f",
        digest=MANIFEST.digest,
        areas=tuple(metadata.areas),
        record=describe(metadata, runtime="some runtime", format_=format_),
        envelope=envelope,
    )


def envelope(*names: str, at: datetime = AT, manifest: Manifest = MANIFEST) -> bytes:
    return dump_envelope(signed(new_envelope(manifest, at), *names))


def policy(*keys: dict[str, Any], require: str = "signed") -> Policy:
    return Policy.model_validate({"require": require, "keys": list(keys)})


def judged(found: Entry, *keys: dict[str, Any], now: datetime = AT) -> TrustVerdict:
    return policy(*keys).check(found, now)


B_ID = parse_envelope(envelope("b")).signatures[0].key_id
BY_A = entry(envelope("a"))
A = key("a")
TRUSTED: dict[str, tuple[Entry, list[dict[str, Any]], tuple[str, ...]]] = {
    "a key without bounds speaks for every area and author": (
        BY_A, [A], ("a",),
    ),
    "as PEM": (BY_A, [key("a", public=public_pem("a"))], ("a",)),
    "for its areas and authors": (
        BY_A, [key("a", areas=["JFK", "EWR"], authors=["testing kit"])], ("a",),
    ),
    "an area is known by its one spelling": (
        entry(envelope("a"), areas=("Tel Aviv",)), [key("a", areas=[" Tel\u00a0Aviv "])], ("a",),
    ),
    "two keys speak for what both speak for together": (
        entry(envelope("a", "b")), [key("a", areas=["JFK"]), key("b", areas=["EWR"])], ("a", "b"),
    ),
    "one that is unknown takes nothing away": (
        entry(envelope("stranger", "a")), [A], ("a",),
    ),
    "one that was revoked takes nothing away from another": (
        entry(envelope("a", "b")), [key("a", revoked="stolen"), key("b")], ("b",),
    ),
    "one that speaks for nobody here is not named": (
        entry(envelope("a", "b")), [A, key("b", authors=["somebody"])], ("a",),
    ),
    "signed in the last moment": (BY_A, [key("a", until="2026-11-30T12:00Z")], ("a",)),
    "long ago, by a key that is no longer used": (
        BY_A, [key("a", until="2026-12-01T00:00Z")], ("a",),
    ),
    "a SavedModel under a key that lets it run": (
        entry(envelope("a"), format_=SAVED_MODEL),
        [key("a", formats=["onnx", SAVED_MODEL])], ("a",),
    ),
    "an hour between clocks": (entry(envelope("a", at=AT + HOUR)), [A], ("a",)),
    "signed up to an hour before it was made": (entry(envelope("a", at=MADE - HOUR)), [A], ("a",)),
}  # fmt: skip


@pytest.mark.parametrize("case", TRUSTED)
def test_a_delivery_is_trusted(case: str) -> None:
    found, keys, names = TRUSTED[case]
    verdict = judged(found, *keys)
    assert (verdict.problem, verdict.signed_by) == (None, names)


def _other(**changes: Any) -> Manifest:
    return Manifest(**{"delivery_id": ID, "files": {}, "digest": MANIFEST.digest, **changes})


def _forged(by: str, under: str) -> bytes:
    """Return an envelope that one key signed under the id of another."""
    theirs = parse_envelope(envelope(under)).signatures[0].key_id
    return dump_envelope(signed(new_envelope(MANIFEST, AT), by, hint=theirs))


def _document(change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(envelope("a"))
    change(document)
    return json.dumps(document).encode()


def _payload(text: bytes) -> bytes:
    return dump_envelope(signed(Envelope(payload=text), "a"))


FOREIGN = ["no key of a may speak for EWR"]
REFUSED: dict[str, tuple[Entry, list[dict[str, Any]], list[str]]] = {
    "unsigned": (entry(b""), [A], ["it is not signed"]),
    "no envelope": (entry(b"{}"), [A], ["no envelope", "payloadType"]),
    "too large": (entry(b" " * 65_537), [A], ["no envelope", "65537 bytes"]),
    "an unknown key": (entry(envelope("b")), [A], ["no key that is known", f"('{B_ID[:16]}')"]),
    "a stranger under a known id": (
        entry(_forged("b", "a")), [A], ["the signature as a does not verify"],
    ),
    "a key that the envelope brings along": (
        entry(_document(lambda d: d.update(verificationMaterial={"publicKey": public_pem("b")}))),
        [key("c")], ["no key that is known here"],
    ),
    "a revoked key": (BY_A, [key("a", revoked="stolen")], ["'a' was revoked: stolen"]),
    "revoked without a word": (BY_A, [key("a", revoked=True)], ["'a' was revoked"]),
    "revoked wins over a time to come": (
        BY_A, [key("a", revoked=True, until="2999-01-01T00:00Z")], ["revoked"],
    ),
    "all keys revoked or expired": (
        entry(envelope("a", "b")), [key("a", revoked="x"), key("b", until="2026-11-30T11:59Z")],
        ["'a' was revoked: x", "'b' signed at 2026-11-30T12:00Z", "until 2026-11-30T11:59Z"],
    ),
    "a foreign area": (BY_A, [key("a", areas=["JFK"])], FOREIGN),
    "an area of a key that did not sign": (
        BY_A, [key("a", areas=["JFK"]), key("b", areas=["EWR"])], FOREIGN,
    ),
    "an area of a key that was revoked": (
        entry(envelope("a", "b")),
        [key("a", areas=["JFK"]), key("b", areas=["EWR"], revoked=True)], FOREIGN,
    ),
    "an area of a key that may not speak for the author": (
        entry(envelope("a", "b")),
        [key("a", areas=["JFK"]), key("b", areas=["EWR"], authors=["somebody"])],
        ["no key of a, b may speak for EWR"],
    ),
    "an area of a key that speaks for no delivery": (
        entry(envelope("a", "b")),
        [key("a", areas=["JFK"]), key("b", formats=[], evaluates=True)],
        ["no key of a, b may speak for EWR"],
    ),
    "no area at all": (BY_A, [key("a", areas=[])], ["may speak for EWR, JFK"]),
    "a foreign author": (
        BY_A, [key("a", authors=["Testing kit"])],
        ["no key of a may speak for the author 'testing kit'"],
    ),
    "other bytes": (
        entry(envelope("a", manifest=_other(digest="sha256:" + "b2" * 32))), [A],
        ["other bytes", "b2b2", "a1a1"],
    ),
    "another id": (
        entry(envelope("a", manifest=_other(delivery_id=ID.replace("4000", "4001")))), [A],
        ["another id", "4001"],
    ),
    "from the future": (
        entry(envelope("a", at=AT + HOUR + timedelta(seconds=1))), [A],
        ["signed at 2026-11-30T13:00:01Z, in the future", "here it is 2026-11-30T12:00Z"],
    ),
    "made after it was signed": (
        entry(envelope("a", at=MADE - 2 * HOUR)), [A],
        ["a created_at after 2013-12-31T22:00Z"],
    ),
    "a SavedModel under a key for ONNX": (
        entry(envelope("a"), format_=SAVED_MODEL), [A],
        [f"no key of a lets a {SAVED_MODEL} run"],
    ),
    "a SavedModel that a key of another area would let run": (
        entry(envelope("a", "b"), format_=SAVED_MODEL),
        [A, key("b", areas=["LGA"], formats=[SAVED_MODEL])], [f"lets a {SAVED_MODEL} run"],
    ),
    "a payload of another kind": (entry(_payload(b"{}")), [A], ["no envelope", "payload"]),
    "a payload that is deep": (entry(_payload(b"[" * 9000)), [A], ["no envelope", "payload"]),
    "an empty signature": (
        entry(_document(lambda d: d["signatures"][0].update(sig=""))), [A], ["does not verify"],
    ),
    "a signature that is too long": (
        entry(_document(lambda d: d["signatures"][0].update(sig="AAAA" * 999))),
        [A], ["does not verify"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_delivery_is_not_trusted(case: str) -> None:
    found, keys, parts = REFUSED[case]
    verdict = judged(found, *keys)
    assert verdict.signed_by == ()
    assert verdict.problem is not None
    for part in parts:
        assert part in verdict.problem
    assert len(verdict.problem) <= 500


def test_before_metadata_are_read_the_signature_alone_is_judged() -> None:
    found = Entry(delivery_id=ID, state=State.LIVE, fingerprint="", digest=MANIFEST.digest,
                  envelope=envelope("a"))  # fmt: skip
    assert judged(found, key("a", areas=["LGA"], authors=["x"])).problem is None
    assert "revoked" in str(judged(found, key("a", revoked=True)).problem)


def test_what_is_from_the_future_is_trusted_when_its_time_has_come() -> None:
    rules, found = policy(A), entry(envelope("a", at=AT + 2 * HOUR))
    assert "future" in str(rules.check(found, AT).problem)
    assert rules.check(found, AT + HOUR).problem is None


@pytest.mark.parametrize("hint", ["", "somebody", None])
def test_a_key_id_is_a_hint(hint: str | None) -> None:
    data = dump_envelope(signed(new_envelope(MANIFEST, AT), "a", hint=hint))
    assert judged(entry(data), key("b"), A).signed_by == ("a",)


def test_one_key_counts_once_however_often_it_signed_and_few_are_tried() -> None:
    made = parse_envelope(envelope("a"))
    (signature,) = made.signatures
    many = Envelope(payload=made.payload, signatures=(signature,) * 16)
    assert judged(entry(dump_envelope(many)), A, key("b")).signed_by == ("a",)
    tried = 0

    class Public:
        def public_bytes_raw(self) -> bytes:
            return b"other"

        def verify(self, _signature: bytes, _data: bytes) -> None:
            nonlocal tried
            tried += 1

    class Never(Public):
        def verify(self, signature: bytes, data: bytes) -> None:
            super().verify(signature, data)
            raise InvalidSignature

    hostile = tuple(Signature(key_id=str(k), value=b"") for k in range(16))
    rules = policy(*(key(str(number)) for number in range(100)))
    slow = [each.model_copy(update={"public": Never()}) for each in rules.keys]
    found = entry(dump_envelope(Envelope(payload=made.payload, signatures=hostile)))
    assert rules.model_copy(update={"keys": slow}).check(found, AT).problem is not None
    assert tried <= MOST_TRIED


EVALUATOR = key("e", evaluates=True, formats=[], areas=["JFK", "LGA"])


@pytest.mark.parametrize(
    ("names", "keys", "areas"),
    [
        (("a",), [A], {"EWR", "JFK"}),
        (("a",), [A, EVALUATOR], set()),
        (("a", "e"), [A, EVALUATOR], {"JFK"}),
        (("a", "e"), [A, EVALUATOR | {"areas": None}], {"EWR", "JFK"}),
        (("a", "e"), [A, EVALUATOR | {"revoked": True}], set()),
        (("a", "e"), [A, EVALUATOR | {"authors": ["somebody"]}], set()),
        (("e",), [A, EVALUATOR], set()),
        ((), [A, EVALUATOR], set()),
        ((), [A], {"EWR", "JFK"}),
    ],
)
def test_intervals_of_skill_count_where_an_evaluator_signed_if_any_is_named(
    names: tuple[str, ...], keys: list[dict[str, Any]], areas: set[str]
) -> None:
    found = entry(envelope(*names) if names else b"")
    trust = judged(found, *keys)
    shown = Entry(delivery_id=ID, state=State.LIVE, fingerprint="", trust=trust)
    assert {area for area in ("EWR", "JFK") if shown.interval_counts(area)} == areas
    assert Entry(delivery_id=ID, state=State.LIVE, fingerprint="").interval_counts("JFK")


def test_of_3000_changed_envelopes_and_manifests_none_is_trusted_with_another_statement() -> None:
    folder = GOLDEN / "envelopes"
    publics = {name: (folder / f"{name}.pub").read_text().strip() for name in ("first", "second")}
    rules = policy(*(key(name, public=public) for name, public in publics.items()))
    now = datetime.now(UTC)
    draw = random.Random(16)  # noqa: S311 - the same changes in every run
    trusted = 0
    paths = sorted(folder.glob("*.dsse.json"))
    for path in paths:
        (delivery,) = (GOLDEN / path.name.removesuffix(".dsse.json")).iterdir()
        digest = read_manifest(delivery).digest
        good = path.read_bytes()

        def judge(data: bytes, digest: str, name: str = delivery.name) -> TrustVerdict:
            found = Entry(delivery_id=name, state=State.LIVE, fingerprint="")
            return rules.check(replace(found, digest=digest, envelope=data), now)

        known = judge(good, digest)
        assert known.signed_by[0] == "first"
        for _ in range(-(-2500 // len(paths))):
            data = bytearray(good)
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
            verdict = judge(bytes(data), digest)
            if verdict.problem is None:
                trusted += 1
                assert verdict.signed_at == known.signed_at
                assert set(verdict.signed_by) <= set(known.signed_by)
        manifest = (delivery / "manifest.json").read_bytes()
        for _ in range(-(-600 // len(paths))):
            other = bytearray(manifest)
            other[draw.randrange(len(other))] ^= 1 << draw.randrange(8)
            verdict = judge(good, f"sha256:{hashlib.sha256(other).hexdigest()}")
            assert "other bytes" in str(verdict.problem)
    assert 0 < trusted < 1000  # white space, an id that is only a hint, one of two signatures
