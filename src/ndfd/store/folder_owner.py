"""Whose a state folder is: who may change it could bend what is written, and read what all handed in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ndfd.errors import StoreError
from ndfd.platform import files


def refuse_others(folder: Path) -> None:
    """`StoreError` unless it is this process's user's, and nobody else can put another in its place; OSError.

    By owners and mode bits, as far as the system tells; access control lists are not looked at.
    """
    fd, way = files.open_folder(folder)
    os.close(fd)
    if not way:
        return
    user = os.geteuid()
    for above in way[:-1]:
        if above.st_uid not in (0, user):
            raise _refused(folder, f"lies in a folder of user {above.st_uid}, who could put another in its place")
        # With the sticky bit, as in /tmp, only its owner can.
        if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
            raise _refused(folder, "lies in a folder that every user can change")
    own = way[-1]
    if own.st_uid != user:
        raise _refused(folder, f"belongs to user {own.st_uid}, and the daemon runs as user {user}")
    groups = own.st_mode & stat.S_IWGRP and own.st_gid not in (0, os.getegid())
    if own.st_mode & stat.S_IWOTH or groups:
        raise _refused(folder, "can be changed by other users", f"look at what is in it, then chmod 700 {folder}")


def _refused(folder: Path, what: str, hint: str = "chown it, or name another: [storage] state_dir") -> StoreError:
    return StoreError(f"the state folder {folder} {what}", hint=hint)
