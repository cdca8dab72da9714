"""macOS (not run on this platform): renameatx_np keeps names that are taken. Nothing there tells of writers."""

from __future__ import annotations

import ctypes
import errno
import os

from ndfd.platform.base_files import Files

#: sys/stdio.h
_RENAME_EXCL = 4
_NOT_THIS_WAY = {errno.EINVAL, errno.ENOTSUP}


class DarwinFiles(Files):
    """The answers of macOS."""

    def rename_new(self, old: str, new: str, old_folder_fd: int, new_folder_fd: int) -> None:
        """renameatx_np(2) with RENAME_EXCL: APFS and HFS+."""
        function = ctypes.CDLL(None, use_errno=True).renameatx_np
        function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
        if function(old_folder_fd, os.fsencode(old), new_folder_fd, os.fsencode(new), _RENAME_EXCL) == 0:
            return
        error = ctypes.get_errno()
        if error not in _NOT_THIS_WAY:
            raise OSError(error, os.strerror(error), old, None, new)
        super().rename_new(old, new, old_folder_fd, new_folder_fd)
