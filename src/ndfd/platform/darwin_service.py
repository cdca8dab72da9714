"""launchd: the sockets that it handed over.

Not run on this platform: written from its manual pages (launchd.plist(5), launch(3)), and nothing here has been
executed on it. launchd is told nothing (it has no such protocol) and keeps no descriptors but the listening sockets.
"""

from __future__ import annotations

import ctypes
import errno
import os

from ndfd.platform.service_manager import PassedDescriptor, ServiceManager

#: The keys of Sockets in packaging/launchd/*.plist.
SOCKET_NAMES = ("varlink", "http")

#: launch_activate_socket(3): there is no socket of this name, this process is no job of launchd, it was taken already.
_NOTHING = frozenset({errno.ENOENT, errno.ESRCH, errno.EALREADY})


class LaunchdManager(ServiceManager):
    """The job of which this is the process."""

    present = True

    def __init__(self, library: ctypes.CDLL | None = None) -> None:
        """`library` holds launch_activate_socket and free; None: libSystem, which every process has."""
        self._library = library

    def take_passed(self) -> tuple[PassedDescriptor, ...]:
        """The listening sockets by their keys in the property list; one key may have several."""
        library = self._library if self._library is not None else ctypes.CDLL(None)
        return tuple(PassedDescriptor(name, fd) for name in SOCKET_NAMES for fd in _activated(library, name))


def _activated(library: ctypes.CDLL, name: str) -> list[int]:
    """int launch_activate_socket(const char *name, int **fds, size_t *cnt): an errno; the caller frees the array."""
    activate = library.launch_activate_socket
    activate.restype = ctypes.c_int
    activate.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.POINTER(ctypes.c_int)), ctypes.POINTER(ctypes.c_size_t)]
    found, count = ctypes.POINTER(ctypes.c_int)(), ctypes.c_size_t(0)
    number = activate(name.encode(), ctypes.byref(found), ctypes.byref(count))
    if number in _NOTHING:
        return []
    if number:
        raise OSError(number, f"launchd does not hand over the socket {name}: {os.strerror(number)}")
    fds = [found[at] for at in range(count.value)]
    library.free.argtypes = [ctypes.c_void_p]
    library.free(found)
    for fd in fds:
        os.set_inheritable(fd, False)
    return fds
