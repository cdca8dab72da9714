"""Who else may change the configuration or read a secret of it: what the mode bits of files say.

POSIX only. Access control lists of Windows are not looked at: nothing is said of files there.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_HAS_MODE_BITS = hasattr(os, "geteuid")


def config_warnings(path: Path, file: os.stat_result) -> tuple[str, ...]:
    """Warnings about a file of the configuration that somebody else may change, or put another one in its place."""
    if not _HAS_MODE_BITS:
        return ()
    warnings = list(_writable(path, file))
    folder = path.parent
    try:
        folder_status = folder.stat()
    except OSError:
        return tuple(warnings)
    # In a folder with the sticky bit, such as /tmp, only the owner of a file may replace it.
    if not folder_status.st_mode & stat.S_ISVTX:
        warnings += _writable(folder, folder_status)
    return tuple(warnings)


def secret_warnings(path: Path, file: os.stat_result) -> tuple[str, ...]:
    """Warnings about a file with a secret. Of a group that may read it nothing is said: so a service gets its own."""
    if not _HAS_MODE_BITS:
        return ()
    warnings = list(_writable(path, file))
    if file.st_mode & stat.S_IROTH:
        warnings.append(f"{path} holds a secret and every user can read it: chmod o-r {path}")
    return tuple(warnings)


def inline_secret_warning(path: Path, file: os.stat_result, key: str) -> tuple[str, ...]:
    """The warning about a file of the configuration that itself holds a secret and that everyone can read."""
    if not _HAS_MODE_BITS or not file.st_mode & stat.S_IROTH:
        return ()
    return (f"{path} holds the secret {key} and every user can read it: chmod o-r {path}, or set {key}_file instead",)


def _writable(path: Path, file: os.stat_result) -> tuple[str, ...]:
    if file.st_uid not in (0, os.geteuid()):
        return (f"{path} belongs to user {file.st_uid}, who can change it: chown root {path}",)
    if file.st_mode & stat.S_IWOTH:
        return (f"{path} can be changed by every user: chmod o-w {path}",)
    if file.st_mode & stat.S_IWGRP and file.st_gid not in (0, os.getegid()):
        return (f"{path} can be changed by group {file.st_gid}: chmod g-w {path}",)
    return ()
