"""The operator's file of keys: what is wrong with it is told by its place, and changes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fairweather_app.catalogue.trust import LARGEST_FILE, Trust
from fairweather_app.errors import SettingsError
from signing import key, public_hex, public_pem, write_keys

PEM_OF_ANOTHER_KIND = (
    Ed448PrivateKey.generate()
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    return folder / "keys.yaml"


def read(path: Path, store: str = "/srv/store") -> Trust:
    return Trust(path, store)


def test_a_file_names_keys_and_what_they_may(path: Path) -> None:
    keys = [
        key("a", areas=["JFK"], authors=["x"], formats=[], until="2027-06-30T00:00Z"),
        key("b", public=public_pem("b"), evaluates=True, revoked="stolen"),
    ]
    policy = read(write_keys(path, *keys)).policy
    assert policy is not None
    assert [each.name for each in policy.keys] == ["a", "b"]
    assert [each.public.public_bytes_raw().hex() for each in policy.keys] == [
        public_hex("a"),
        public_hex("b"),
    ]


def test_without_a_file_or_where_it_is_off_nobody_is_asked(path: Path) -> None:
    assert Trust().policy is None
    assert read(write_keys(path, key("a"), require="off")).policy is None


PUBLIC = "keys[0].public: expected a public Ed25519 key, as PEM"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"require": "always"}, "require: found 'always', expected 'off', 'warn' or 'signed'"),
        ({"require": None}, "require: found None"),
        ({"keys": []}, "keys: found []"),
        ({"keys": [key("a")] * 101}, "keys: found"),
        ({"keys": {"a": key("a")}}, "keys: found"),
        ({"kes": []}, "kes: found [], expected no such key"),
        ({"keys": ["a"]}, "keys[0]: found 'a', expected a mapping"),
        ({"keys": [key("a", until="2027")]}, "keys[0].until: found '2027', expected a time in UTC"),
        ({"keys": [key("a", areas="JFK")]}, "keys[0].areas: found 'JFK', expected a valid list"),
        ({"keys": [key("a", areas=[1])]}, "keys[0].areas[0]: found 1, expected a text"),
        ({"keys": [key("a", areas=[" "])]}, "keys[0].areas[0]: found ' ', expected a name"),
        ({"keys": [key("a", authors=[2])]}, "keys[0].authors[0]: found 2"),
        ({"keys": [key("a", evaluates="yes")]}, "keys[0].evaluates: found 'yes'"),
        ({"keys": [key("a", revoked=3)]}, "keys[0].revoked"),
        ({"keys": [key("a", revokd=True)]}, "keys[0].revokd: found True, expected no such key"),
        ({"keys": [key("a"), key("b") | {"name": "a"}]}, "the same name twice (a, a)"),
        ({"keys": [key("a"), key("b", public=public_hex("a"))]}, "same public key twice (a, b)"),
        ({"keys": [{"name": "a"}]}, "keys[0].public: not found, expected a value"),
        ({"keys": [key("a", public="00")]}, PUBLIC),
        ({"keys": [key("a", public=7)]}, PUBLIC),
        ({"keys": [key("a", public=PEM_OF_ANOTHER_KIND)]}, PUBLIC),
        ({"keys": [key("a", public=public_pem("a")[:60])]}, PUBLIC),
    ],
    ids=range(22),
)
def test_a_mistake_is_told_by_its_place(path: Path, document: dict[str, Any], told: str) -> None:
    path.write_text(yaml.safe_dump({"require": "signed", "keys": [key("a")]} | document))
    with pytest.raises(SettingsError) as caught:
        read(path)
    assert f"FAIRWEATHER_KEYS is {str(path)!r}: " in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("require: off", "found 'off', which YAML reads as False; quote it"),
        ("require: warn\nrequire: signed", "require"),
        ("", "found None, expected a mapping"),
        ("- a", "expected a mapping"),
        ("a: [", "while parsing"),
        ("\x00", "unacceptable character"),
        ("#" * (LARGEST_FILE + 1), "expected at most 1048576"),
    ],
    ids=range(7),
)
def test_a_text_of_another_kind_is_told(path: Path, text: str, told: str) -> None:
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"FAIRWEATHER_KEYS is ") as caught:
        read(path)
    assert told in str(caught.value)


def test_a_private_key_that_was_put_there_is_not_repeated(path: Path) -> None:
    path.write_text("require: signed\nkeys: [{name: a, public: -----BEGIN PRIVATE KEY----- abc}]")
    with pytest.raises(SettingsError) as caught:
        read(path)
    assert "PRIVATE" not in str(caught.value)


def _in_the_store(path: Path) -> tuple[Path, Path]:
    return path, path.parent


def _linked_into_the_store(path: Path) -> tuple[Path, Path]:
    store = path.parent.parent / "store"
    store.mkdir()
    (store / "real.yaml").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(store / "real.yaml")
    return path, store


def _linked_from_the_store(path: Path) -> tuple[Path, Path]:
    store = path.parent.parent / "store"
    store.mkdir()
    (store / "keys.yaml").symlink_to(path)
    return store / "keys.yaml", store


def _in_a_store_by_another_name(path: Path) -> tuple[Path, Path]:
    store = path.parent.parent / "store"
    store.symlink_to(path.parent)
    return path, store


@pytest.mark.parametrize(
    "lay",
    [_in_the_store, _linked_into_the_store, _linked_from_the_store, _in_a_store_by_another_name],
)
def test_a_file_in_the_store_is_refused(
    path: Path, lay: Callable[[Path], tuple[Path, Path]]
) -> None:
    file, store = lay(write_keys(path, key("a")))
    for named in (str(store), f"file://{store}"):
        with pytest.raises(SettingsError, match="expected a file outside the store"):
            read(file, named)


@pytest.mark.parametrize(
    ("file", "folder", "good"),
    [
        (0o600, 0o755, True),
        (0o644, 0o700, True),
        (0o600, 0o1777, True),  # as /tmp: nobody replaces the file of another
        (0o620, 0o755, False),
        (0o602, 0o755, False),
        (0o1666, 0o755, False),
        (0o600, 0o775, False),
        (0o600, 0o757, False),
    ],
)
def test_a_file_that_others_may_write_is_refused(
    path: Path, file: int, folder: int, *, good: bool
) -> None:
    write_keys(path, key("a")).chmod(file)
    path.parent.chmod(folder)
    if good:
        assert read(path).policy is not None
        return
    with pytest.raises(SettingsError, match="only root or who runs the app may write"):
        read(path)


def test_what_is_no_file_is_refused_and_waited_for_by_nobody(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(SettingsError, match="found a link, a folder or a device"):
        read(path)


def test_a_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keys(path, key("a"))
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner:
        with pytest.raises(SettingsError, match="only root or who runs the app"):
            read(path)
    else:
        assert read(path).policy is not None


def test_a_file_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file or directory"):
        read(path)


def test_a_file_that_turns_wrong_keeps_what_was_read_and_is_told(path: Path) -> None:
    trust = read(write_keys(path, key("a")))
    first = trust.policy
    trust.reload()
    assert (trust.policy, trust.problem) == (first, None)
    path.write_text("require: signed")
    trust.reload()
    assert trust.policy is first
    assert "keys: not found, expected a value" in str(trust.problem)
    assert str(trust.problem).endswith("; the keys that were read before count")
    path.unlink()
    trust.reload()
    assert trust.policy is first
    assert "No such file" in str(trust.problem)
    write_keys(path, key("a", revoked=True)).chmod(0o666)
    trust.reload()
    assert trust.policy is first
    path.chmod(0o600)
    trust.reload()
    assert trust.problem is None
    assert trust.policy is not None
    assert trust.policy.keys[0].revoked is True
    write_keys(path, key("a"), require="off")
    trust.reload()
    assert trust.policy is None


def test_without_the_extra_the_setting_is_refused_with_what_brings_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_keys(path, key("a"))
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(SettingsError, match=r"pip install 'fairweather-app\[signed\]'"):
        read(path)
