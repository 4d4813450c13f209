"""Files and folders that this user alone may write to, as SSH demands of its own.

What lies in them is believed: another user of the machine must not be able to put anything there.
"""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path


def make_private_folder(path: Path) -> None:
    """Make a folder that this user alone can open, with those above it, or check the one there.

    Raises `OSError` where it cannot be made, and as `check_private`.
    """
    path = path.absolute()
    for each in reversed([each for each in (path, *path.parents) if not each.exists()]):
        each.mkdir(mode=0o700, exist_ok=True)
    check_private(path)
    if stat.S_IMODE(path.stat().st_mode) != 0o700:  # noqa: PLR2004 - as it is made
        path.chmod(0o700)


def check_private(path: Path, *, sticky: bool = False) -> None:
    """Raise `PermissionError`, with what to type, unless a file or folder is this user's alone.

    It is no link, belongs to this user, and nobody else may write to it. In a `sticky` folder, as
    ``/tmp`` is, others may, and it may be root's: what is below cannot be replaced. Folders above
    that anybody may write to have to be such ones.
    """
    path = path.absolute()
    found = path.lstat()
    mode, sticky = stat.S_IMODE(found.st_mode), sticky and bool(found.st_mode & stat.S_ISVTX)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise _refused(path, "is a link or a device", "rm")
    if found.st_uid != os.geteuid() and not (sticky and found.st_uid == 0):
        raise _refused(path, f"belongs to user {found.st_uid}", "rm -r")
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
        raise _refused(path, f"may be written to by others (mode {mode:04o})", "rm -r")
    for above in path.resolve().parents:
        mode = stat.S_IMODE(above.stat().st_mode)
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise _refused(above, f"may be written to by anybody (mode {mode:04o})", "chmod o-w")


def _refused(path: Path, what: str, remedy: str) -> PermissionError:
    return PermissionError(
        f"found that {path} {what}, expected it to be this user's alone: "
        f"type {remedy} {shlex.quote(str(path))}"
    )
