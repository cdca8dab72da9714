"""Whether somebody can keep us waiting for a file of his: asked without asking the file's own file system.

A user may mount a file system of his own making (FUSE), and the kernel passes on to it even fstat(2) and statfs(2),
for as long as it likes not to answer. statx(2) with AT_STATX_DONT_SYNC takes what the kernel has already.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
from pathlib import Path

_AT_EMPTY_PATH, _AT_STATX_DONT_SYNC = 0x1000, 0x4000
_STATX_MNT_ID = 0x1000
#: Of struct statx: the device that holds the file, and its mount.
_DEVICE, _MOUNT = struct.Struct("=II"), struct.Struct("=Q")
_DEVICE_AT, _MOUNT_AT, _SIZE = 136, 144, 256
#: Without a block device, and nobody's own. Not overlay: what is below it may be anything.
_ANSWERS = frozenset({"tmpfs", "ramfs", "btrfs", "zfs", "bcachefs", "hugetlbfs", "devtmpfs"})

_libc = ctypes.CDLL(None, use_errno=True)


def may_stall(fd: int) -> bool:
    """Whether the file behind the descriptor is not known to be on a disk or in memory of this machine."""
    found = _statx(fd)
    if found is None:
        return True
    device, mount = found
    # Only root mounts a block device.
    return device[0] == 0 and device != _of_memory() and _type_of(mount) not in _ANSWERS


def _statx(fd: int) -> tuple[tuple[int, int], int] | None:
    buffer = ctypes.create_string_buffer(_SIZE)
    try:
        failed = _libc.statx(fd, b"", _AT_EMPTY_PATH | _AT_STATX_DONT_SYNC, _STATX_MNT_ID, buffer)
    except AttributeError:
        # A C library without it.
        return None
    if failed:
        return None
    major, minor = _DEVICE.unpack_from(buffer.raw, _DEVICE_AT)
    return (major, minor), _MOUNT.unpack_from(buffer.raw, _MOUNT_AT)[0]


@functools.cache
def _of_memory() -> tuple[int, int] | None:
    """The device of all memory files: one mount of the kernel's own, which is in no namespace."""
    fd = os.memfd_create("ndfd-probe", os.MFD_CLOEXEC)
    try:
        found = _statx(fd)
    finally:
        os.close(fd)
    return None if found is None else found[0]


def _type_of(mount: int) -> str | None:
    """Of the file system of a mount in this process's namespace (proc_pid_mountinfo(5)); None for any other."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    # The mount of an open file stays, and so does its number.
    return next((line.partition(" - ")[2].split()[0] for line in lines if line.startswith(f"{mount} ")), None)
