"""Signatures beside a manifest: added in one step; nothing else of a delivery changes."""

from __future__ import annotations

import shutil
import stat
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import pytest
from fairweather_interface.delivery import open_delivery, verify_delivery
from fairweather_interface.envelope import MOST_SIGNATURES, dump_envelope, new_envelope
from fairweather_interface.manifest import SIGNATURE
from fairweather_interface.testing import build_delivery
from typer.testing import CliRunner, Result

from fairweather_research.cli.main import app
from fairweather_research.delivery.keys import PASSWORD, SigningKey
from fairweather_research.delivery.publish import publish
from fairweather_research.delivery.signing import envelope_at, sign
from fairweather_research.errors import PublishError, SigningError
from keys import envelope_of, key_file, key_of, signers

WORDS = "of the key"


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    return build_delivery(tmp_path / "store")


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return key_of(tmp_path, 1)


@pytest.fixture
def other(tmp_path: Path) -> SigningKey:
    return key_of(tmp_path, 2)


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sign", *map(str, arguments)])


def test_a_signed_delivery_is_the_same_delivery(delivery: Path, key: SigningKey) -> None:
    before = open_delivery(delivery)
    sign(str(delivery), key)
    assert signers(delivery, key) == [True]
    assert verify_delivery(delivery) == ()
    assert open_delivery(delivery) == before
    statement = envelope_of(delivery).statement()
    assert (statement.digest, statement.delivery_id) == (before.digest, delivery.name)
    assert stat.S_IMODE((delivery / SIGNATURE).stat().st_mode) == stat.S_IMODE(
        (delivery / "metadata.json").stat().st_mode
    )


def test_a_second_key_signs_the_same_statement_and_the_same_key_changes_nothing(
    delivery: Path, key: SigningKey, other: SigningKey
) -> None:
    sign(str(delivery), key)
    first = envelope_of(delivery)
    sign(str(delivery), other)
    assert envelope_of(delivery).payload == first.payload
    assert signers(delivery, key, other) == [True, True]
    content = (delivery / SIGNATURE).read_bytes()
    sign(str(delivery), other)
    assert len(envelope_of(delivery).signatures) == 2
    assert len(content) == len((delivery / SIGNATURE).read_bytes())


def test_keys_that_sign_at_once_all_have_signed(delivery: Path, tmp_path: Path) -> None:
    keys = [key_of(tmp_path, seed) for seed in range(1, 9)]
    threads = [threading.Thread(target=sign, args=(str(delivery), each)) for each in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert signers(delivery, *keys) == [True] * 8


def test_an_envelope_that_cannot_be_written_leaves_the_one_before(
    delivery: Path, key: SigningKey, other: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(str(delivery), key)
    before = {path: path.read_bytes() for path in delivery.rglob("*") if path.is_file()}

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fairweather_research.delivery.signing.os.fsync", full)
    with pytest.raises(PublishError, match="No space left on device"):
        sign(str(delivery), other)
    assert {path: path.read_bytes() for path in delivery.rglob("*") if path.is_file()} == before


def test_an_envelope_about_other_bytes_is_refused_and_replaced_when_that_is_asked(
    delivery: Path, key: SigningKey, other: SigningKey, tmp_path: Path
) -> None:
    another = build_delivery(tmp_path / "another", author="somebody else")
    sign(str(another), other)
    shutil.copy(another / SIGNATURE, delivery / SIGNATURE)
    with pytest.raises(SigningError, match="it is about the digest"):
        sign(str(delivery), key)
    sign(str(delivery), key, replace=True)
    assert signers(delivery, key, other) == [True, False]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{}", "found the payloadType"),
        (b"not json", "manifest.dsse.json"),
        (b" " * 65537, "found 65537 bytes, expected at most 65536"),
        (
            b'{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}',
            "found a bundle of Sigstore",
        ),
    ],
    ids=["another", "no JSON", "large", "OMS"],
)
def test_what_is_no_envelope_is_told_and_replaced_only_when_that_is_asked(
    delivery: Path, tmp_path: Path, content: bytes, told: str
) -> None:
    (delivery / SIGNATURE).write_bytes(content)
    uri = f"file:{key_file(tmp_path, 1)}"
    shown = command(delivery, "--key", uri)
    assert shown.exit_code == 1
    assert told in shown.stderr
    assert "--replace" in shown.stderr
    assert (delivery / SIGNATURE).read_bytes() == content
    assert command(delivery, "--key", uri, "--replace").exit_code == 0
    assert signers(delivery, key_of(tmp_path, 1)) == [True]


def test_a_link_in_place_of_an_envelope_is_replaced_and_never_followed(
    delivery: Path, key: SigningKey, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_text("kept", encoding="utf-8")
    (delivery / SIGNATURE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SigningError, match=SIGNATURE):
        sign(str(delivery), key)
    sign(str(delivery), key, replace=True)
    assert not (delivery / SIGNATURE).is_symlink()
    assert (tmp_path / "elsewhere").read_text(encoding="utf-8") == "kept"


def test_what_does_not_verify_is_not_signed(delivery: Path, key: SigningKey) -> None:
    (delivery / "card" / "index.html").write_text("tampered with", encoding="utf-8")
    with pytest.raises(PublishError, match=r"card/index\.html"):
        sign(str(delivery), key, replace=True)
    assert not (delivery / SIGNATURE).exists()


@pytest.mark.parametrize("hours", [-24 * 365 * 100, 2], ids=["before it was made", "later"])
def test_a_statement_whose_time_cannot_be_is_not_signed_with_another_key(
    delivery: Path, key: SigningKey, hours: int
) -> None:
    manifest = open_delivery(delivery).manifest
    wrong = new_envelope(manifest, datetime.now(UTC) + timedelta(hours=hours))
    (delivery / SIGNATURE).write_bytes(dump_envelope(wrong.with_signature("a", b"b")))
    with pytest.raises(SigningError, match="expected each no later than the next"):
        sign(str(delivery), key)
    sign(str(delivery), key, replace=True)
    assert signers(delivery, key) == [True]


def test_a_delivery_that_was_made_in_the_future_is_not_signed(
    tmp_path: Path, key: SigningKey
) -> None:
    soon = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
    later = build_delivery(tmp_path / "store", created_at=soon)
    with pytest.raises(SigningError, match="created at"):
        sign(str(later), key)


def test_an_envelope_that_is_full_is_told(delivery: Path, key: SigningKey) -> None:
    envelope = new_envelope(open_delivery(delivery).manifest, datetime.now(UTC))
    for number in range(MOST_SIGNATURES):
        envelope = envelope.with_signature(str(number), b"b")
    (delivery / SIGNATURE).write_bytes(dump_envelope(envelope))
    with pytest.raises(SigningError, match=f"found {MOST_SIGNATURES} signatures, .*--replace"):
        sign(str(delivery), key)


def test_a_store_is_signed_by_a_new_key_as_far_as_the_old_one_did_and_bad_ones_are_listed(
    tmp_path: Path, key: SigningKey, other: SigningKey
) -> None:
    store = tmp_path / "store"
    ours = [build_delivery(store) for _ in range(3)]
    for each in ours:
        sign(str(each), key)
    (ours[2] / "metadata.json").write_text("{}", encoding="utf-8")
    stranger = build_delivery(store)
    (stranger / SIGNATURE).write_bytes((ours[0] / SIGNATURE).read_bytes())
    unsigned = build_delivery(store)
    (store / "not-a-delivery").mkdir()
    new = f"file:{key_file(tmp_path, 2)}"
    shown = command("--all", store, "--key", new, "--signed-by", key.public.hex())
    assert shown.exit_code == 1
    assert sorted(shown.stdout.splitlines()) == sorted(map(str, ours[:2]))
    told = [line for line in shown.stderr.splitlines() if line.startswith("not signed")]
    assert len(told) == 3
    assert any(unsigned.name in line and "found no signature of the key" in line for line in told)
    assert shown.stderr.splitlines()[-1] == f"2 of 5 signed by {other.public.hex()}"
    assert signers(ours[0], key, other) == [True, True]
    for bad in (stranger, ours[2], unsigned):
        shutil.rmtree(bad)
    again = build_delivery(store)
    assert command("--all", store, "--key", new).exit_code == 0
    assert signers(again, key, other) == [False, True]


def test_deliveries_at_a_url_are_signed_there(
    delivery: Path, key: SigningKey, other: SigningKey, tmp_path: Path
) -> None:
    store = f"memory://{uuid.uuid4().hex}/deliveries"
    where = publish(str(delivery), store, key)
    assert not (delivery / SIGNATURE).exists()
    assert command("--all", store, "--key", f"file:{key_file(tmp_path, 2)}").stdout == f"{where}\n"
    back = publish(where, str(tmp_path / "back"))
    assert signers(back, key, other) == [True, True]


def test_at_a_url_the_signature_is_there_before_the_manifest(
    delivery: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    system = type(fsspec.filesystem("memory"))
    put, write = system.put_file, system.open

    def record_put(self: object, source: str, target: str, **more: object) -> object:
        order.append(target.rpartition("/")[2])
        return put(self, source, target, **more)

    def record_write(self: object, path: str, *more: object, **options: object) -> object:
        order.append(path.rpartition("/")[2])
        return write(self, path, *more, **options)

    monkeypatch.setattr(system, "put_file", record_put)
    monkeypatch.setattr(system, "open", record_write)
    publish(str(delivery), f"memory://{uuid.uuid4().hex}", key)
    assert [name for name in order if name.startswith("manifest")][-2:] == [
        SIGNATURE,
        "manifest.json",
    ]


@pytest.mark.parametrize("kind", ["folder", "remote"])
def test_publishing_again_brings_the_signatures_that_are_missing_there(
    delivery: Path, key: SigningKey, other: SigningKey, tmp_path: Path, kind: str
) -> None:
    there = f"memory://{uuid.uuid4().hex}" if kind == "remote" else str(tmp_path / "there")
    where = publish(str(delivery), there)
    assert envelope_at(where) is None
    sign(str(delivery), key)
    assert publish(str(delivery), there) == where
    sign(where, other)
    assert publish(str(delivery), there) == where
    assert signers(publish(where, str(tmp_path / "back")), key, other) == [True, True]
    sign(str(delivery), key, replace=True)
    later = new_envelope(open_delivery(delivery).manifest, datetime(2026, 1, 1, tzinfo=UTC))
    (delivery / SIGNATURE).write_bytes(dump_envelope(later.with_signature("a", b"b")))
    with pytest.raises(SigningError, match="found signatures of another statement"):
        publish(str(delivery), there)


def test_the_public_part_is_printed_as_the_operator_lists_it(tmp_path: Path) -> None:
    path = key_file(tmp_path, 1, password=WORDS)
    shown = CliRunner(env={PASSWORD: WORDS}).invoke(
        app, ["sign", "--public", "--key", f"file:{path}"]
    )
    public = key_of(tmp_path, 1).public.hex()
    assert (shown.exit_code, shown.stdout) == (0, f'- name: NAME\n  public: "{public}"\n')
    for wrong in ((), ("a", "--all", "b"), ("a", "--signed-by", "12")):
        assert command(*wrong, "--key", f"file:{path}").exit_code == 2
