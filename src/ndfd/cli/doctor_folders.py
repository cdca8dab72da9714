"""What `ndfd doctor` says of the daemon's folders. Nothing is made in them."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from ndfd import platform
from ndfd.config.job_settings import StorageSettings
from ndfd.config.places import VARLINK_SOCKET
from ndfd.config.quantities import format_size
from ndfd.model.checkup import Check, Verdict

GROUP = "folders"

#: Of struct sockaddr_un, without the byte that ends it; the daemon makes each socket under its name and a suffix first.
_SOCKET_PATH_MAX_BYTES = 107
_SUFFIX_BYTES = len(".4194304")
#: What they hold is gone after a restart of the machine.
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
#: SQLite's write-ahead log needs memory that all its users share, so one machine.
_OF_NETWORKS = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs"})


def socket_folder(folder: Path) -> Check:
    """Whether a daemon of this user can make its sockets there."""
    name, elsewhere = "socket folder", "name another with [network] socket_dir"
    if len(os.fsencode(folder / VARLINK_SOCKET)) + _SUFFIX_BYTES > _SOCKET_PATH_MAX_BYTES:
        return Check(GROUP, name, Verdict.FAILURE, f"{folder}: the path is too long for a socket", elsewhere)
    return _unusable(folder, name, elsewhere) or Check(GROUP, name, Verdict.OK, _made(folder))


def state_folder(folder: Path, storage: StorageSettings) -> Check:
    """Whether a daemon of this user can keep jobs there, and they are safe there."""
    name, elsewhere = "state folder", "name another with [storage] state_dir"
    if (unusable := _unusable(folder, name, elsewhere)) is not None:
        return unusable
    there = _nearest(folder)
    free_bytes = shutil.disk_usage(there).free
    if free_bytes < storage.keep_free:
        least = format_size(storage.keep_free)
        text = f"{folder}: {_size(free_bytes)} are free, and jobs are taken only while {least} are"
        return Check(GROUP, name, Verdict.FAILURE, text, f"free some space, lower [storage] keep_free, or {elsewhere}")
    kind = platform.file_system(there)
    if kind in _IN_MEMORY:
        text = f"{folder} is in memory ({kind}): no job outlives a restart of the machine"
        return Check(GROUP, name, Verdict.WARNING, text, elsewhere)
    if kind in _OF_NETWORKS:
        text = f"{folder} is on a network ({kind}), where the store's database cannot keep its promises"
        return Check(GROUP, name, Verdict.FAILURE, text, f"{elsewhere}, on a local disk")
    on = "" if kind is None else f", on {kind}"
    return Check(GROUP, name, Verdict.OK, f"{_made(folder)}{on}, {_size(free_bytes)} free")


def _unusable(folder: Path, name: str, elsewhere: str) -> Check | None:
    there = _nearest(folder)
    try:
        status = there.stat()
    except OSError as error:
        return Check(GROUP, name, Verdict.FAILURE, f"{there}: {error.strerror}", elsewhere)
    if not stat.S_ISDIR(status.st_mode):
        return Check(GROUP, name, Verdict.FAILURE, f"{there} is no folder", elsewhere)
    if there == folder and status.st_uid not in (os.geteuid(), 0):
        return Check(GROUP, name, Verdict.FAILURE, f"{folder} belongs to user {status.st_uid}", elsewhere)
    if not os.access(there, os.W_OK | os.X_OK):
        what = "nothing can be made in" if there == folder else "it is not there and cannot be made in"
        advice = f"run this as the daemon's user, or {elsewhere}"
        return Check(GROUP, name, Verdict.FAILURE, f"{folder}: {what} {there}", advice)
    return None


def _nearest(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if os.path.lexists(path))


def _made(folder: Path) -> str:
    return f"{folder}" if os.path.lexists(folder) else f"{folder}, which the daemon makes"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
