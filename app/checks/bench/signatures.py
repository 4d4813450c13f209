"""Measure what a signature costs at a look: the first verdict on a delivery, and each later one.

    python app/checks/bench/signatures.py [--deliveries 1000]

Prints one JSON object, in microseconds a delivery.
"""

# ruff: noqa: INP001 - scripts beside each other, not a package

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fairweather_interface.envelope import dump_envelope, key_id, new_envelope
from fairweather_interface.manifest import FileEntry, Manifest

from fairweather_app.catalogue.entries import Entry, State
from fairweather_app.catalogue.trust import Policy


def signed(key: Ed25519PrivateKey, count: int) -> Iterator[Entry]:
    """Entries of deliveries that were never there, each signed."""
    now = datetime.now(UTC)
    for number in range(count):
        name, digest = str(UUID(int=number, version=4)), f"sha256:{number:064x}"
        files = {"model.onnx": FileEntry(sha256=f"{number:064x}", size=1)}
        envelope = new_envelope(Manifest(delivery_id=name, files=files, digest=digest), now)
        public = key_id(key.public_key().public_bytes_raw())
        envelope = envelope.with_signature(public, key.sign(envelope.signed_bytes))
        yield Entry(
            delivery_id=name,
            state=State.LIVE,
            fingerprint=name,
            digest=digest,
            envelope=dump_envelope(envelope),
        )


def main() -> None:
    """Look twice, and print what a delivery took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--deliveries", type=int, default=1000)
    count = parser.parse_args().deliveries
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw().hex()
    policy = Policy.model_validate(
        {"require": "signed", "keys": [{"name": "team", "public": public}]}
    )
    entries = list(signed(private, count))
    taken = {}
    for look in ("first", "later"):
        start = time.perf_counter()
        verdicts = [policy.check(each, datetime.now(UTC)) for each in entries]
        taken[look] = round((time.perf_counter() - start) / count * 1e6, 1)
        if any(each.problem for each in verdicts):
            raise SystemExit(f"a signature did not verify: {verdicts[0].problem}")
    print(json.dumps({"deliveries": count, "microseconds": taken}))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
