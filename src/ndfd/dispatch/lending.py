"""Whether a file in a watched folder may be somebody else's, whom the daemon would betray. Pure.

The daemon reads with its own rights, and puts what it has read where others read. Who may change a folder can put a
file there that he cannot read: by moving it there from another folder of his, where somebody left it; by a link to it
(where fs.protected_hardlinks of proc(5) is off); or by moving a whole folder into the place of the watched one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence


def lent(folders: Sequence[os.stat_result], file: os.stat_result, daemon_uid: int) -> str | None:
    """What is wrong with taking the file; None when nothing is.

    `folders` are those on the way to it, its own the last. A file that everybody can read is anybody's to put there;
    any other has to belong to all who could have, but for root and the daemon's user.
    """
    if not folders:
        return None  # The system does not tell.
    hosts: set[int] = set()
    hidden = False
    for folder in folders:
        hidden = hidden or bool(hosts and folder.st_uid not in hosts and not folder.st_mode & stat.S_IXOTH)
        if folder.st_uid not in (0, daemon_uid):
            hosts.add(folder.st_uid)
    if file.st_mode & stat.S_IROTH and not hidden:
        return None
    if others := hosts - {file.st_uid}:
        return f"belongs to user {file.st_uid}, and the folder to user {min(others)}"
    if not _shared(folders[-1], file):
        return None
    if file.st_nlink > 1:
        return f"of user {file.st_uid} has another name elsewhere, and the folder is open to several users"
    return "belongs to root, and the folder is open to several users" if file.st_uid == 0 else None


def _shared(folder: os.stat_result, file: os.stat_result) -> bool:
    """Whether others than the folder's owner may put files there, who may not read this one."""
    if folder.st_mode & stat.S_IWOTH:
        return True
    # A group with the number of the owner is the owner's own, as most distributions make them.
    if not folder.st_mode & stat.S_IWGRP or folder.st_gid == folder.st_uid:
        return False
    return not (file.st_gid == folder.st_gid and file.st_mode & stat.S_IRGRP)
