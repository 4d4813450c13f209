"""Files and folders of this user alone: what is refused, and what is made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairweather_app.common.private_files import check_private, make_private_folder


@pytest.fixture(params=[0o000, 0o002, 0o027, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.usefixtures("umask")
def test_a_folder_is_made_for_this_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "a" / "b")
    assert [mode(tmp_path / "a"), mode(tmp_path / "a" / "b")] == [0o700, 0o700]
    (tmp_path / "a" / "b").chmod(0o755)  # as an older release made it
    make_private_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700


@pytest.mark.parametrize("wrong", [0o770, 0o702, 0o777, 0o1777])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_others_may_write_to_is_refused_with_what_to_type(
    tmp_path: Path, wrong: int, kind: str
) -> None:
    path = tmp_path / "it's here"
    path.mkdir() if kind == "folder" else path.write_text("{}")
    path.chmod(wrong)
    with pytest.raises(PermissionError) as caught:
        check_private(path)
    assert f"mode {wrong:04o}" in str(caught.value)
    assert str(caught.value).endswith(f"rm -r '{tmp_path}/it'\"'\"'s here'")


def test_what_belongs_to_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(PermissionError, match=f"belongs to user {owner}"):
        make_private_folder(tmp_path / "cache")


@pytest.mark.parametrize("kind", ["link", "link to nowhere", "pipe"])
def test_a_link_and_a_device_are_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "cache"
    (tmp_path / "elsewhere").mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    with pytest.raises(OSError, match=r"is a link or a device|File exists"):
        make_private_folder(path)
    assert not (tmp_path / "nowhere").exists()
    assert os.path.lexists(path)


def test_a_folder_above_that_anybody_may_write_to_has_to_be_sticky(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    make_private_folder(shared / "mine" / "cache")
    check_private(shared, sticky=True)
    shared.chmod(0o777)
    with pytest.raises(PermissionError, match=rf"{shared} .*mode 0777.* type chmod o-w {shared}"):
        make_private_folder(shared / "mine" / "cache")
    with pytest.raises(PermissionError, match="mode 0777"):
        check_private(shared, sticky=True)
