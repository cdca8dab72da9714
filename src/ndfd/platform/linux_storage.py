"""Linux: unnamed files that are linked in, copies that the file system makes, writeback that is started early."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from pathlib import Path

from ndfd.platform.base_storage import Storage

#: linux/fs.h: _IOW(0x94, 9, int).
_FICLONE = 0x40049409
#: linux/fs.h
_SYNC_FILE_RANGE_WRITE = 2

#: What says that these two files cannot be copied this way, as opposed to: the copy failed.
_NOT_THIS_WAY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY, errno.EPERM, errno.EBADF}
_NO_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}

#: One call copies no more than this anyway (sendfile(2)).
_AT_ONCE_BYTES = 0x7FFFF000


class LinuxStorage(Storage):
    """The answers of Linux."""

    def __init__(self) -> None:
        self._sync_file_range = _sync_file_range()

    def boot_id(self) -> str:
        """By random(4); containers have that of their host, whose page cache theirs is."""
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return ""

    def open_unnamed(self, folder: Path, mode: int = 0o600) -> int | None:
        """O_TMPFILE of open(2); not on NFS, for one."""
        try:
            return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode)
        except OSError as error:
            if error.errno in _NO_UNNAMED and folder.is_dir():
                return None
            raise

    def link(self, fd: int, name: str, folder_fd: int) -> bool:
        """linkat(2) through /proc/self/fd: AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH."""
        try:
            # os.link asks for AT_SYMLINK_FOLLOW only where one of the folders is given by descriptor.
            os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=folder_fd)
        except FileExistsError:
            return False
        return True

    def copy(self, source: int, target: int, size: int) -> int:
        """FICLONE shares the blocks (btrfs, xfs, bcachefs); copy_file_range and sendfile copy within the kernel."""
        try:
            fcntl.ioctl(target, _FICLONE, source)
        except OSError as error:
            if error.errno not in _NOT_THIS_WAY:
                raise
        else:
            return os.fstat(target).st_size
        for way in (_copy_file_range, _sendfile):
            try:
                return way(source, target, size)
            except OSError as error:
                if error.errno not in _NOT_THIS_WAY or os.fstat(target).st_size:
                    raise
        return super().copy(source, target, size)

    def start_writeback(self, fd: int) -> None:
        """sync_file_range(2): no promise, but of a batch of files each later fsync finds less to do."""
        if self._sync_file_range is not None:
            self._sync_file_range(fd, 0, 0, _SYNC_FILE_RANGE_WRITE)


def _copy_file_range(source: int, target: int, size: int) -> int:
    done = 0
    while done < size:
        copied = os.copy_file_range(source, target, min(_AT_ONCE_BYTES, size - done), done, done)
        if copied == 0:
            break
        done += copied
    if done == 0 and size:
        # Some file systems whose files have no real size (procfs) answer 0 (copy_file_range(2), BUGS).
        raise OSError(errno.EINVAL, "nothing copied")
    return done


def _sendfile(source: int, target: int, size: int) -> int:
    done = 0
    os.lseek(target, 0, os.SEEK_SET)
    while done < size:
        copied = os.sendfile(target, source, done, min(_AT_ONCE_BYTES, size - done))
        if copied == 0:
            break
        done += copied
    return done


def _sync_file_range() -> ctypes._NamedFuncPointer | None:
    try:
        function = ctypes.CDLL(None, use_errno=True).sync_file_range
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function
