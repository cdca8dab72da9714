"""The folder of a daemon's sockets: one daemon at a time, and nothing removed that is not its own."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ndfd import platform
from ndfd.errors import SocketError
from ndfd.platform import LocalListener

_log = logging.getLogger(__name__)

_LOCK = "ndfd.lock"
#: Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn, 4096 by default.
_BACKLOG = 1024


class RuntimeDir:
    """Makes and locks the folder for the length of a `with` block; removes the sockets it made at the end.

    Those that the service manager listens on are its own: neither their files nor their modes are changed.

    The lock is flock(2)'s: the kernel gives it back when the daemon dies, however it dies, so a lock file that is left
    means nothing. It is therefore never removed, since a daemon that starts may hold the removed one; only `remove`,
    for a folder that nobody else knows, takes it along.
    """

    def __init__(self, path: Path, passed: Mapping[str, socket.socket] | None = None) -> None:
        """`passed` are listening sockets of the service manager in this folder, by their names."""
        self.path = path
        self._passed = dict(passed or {})
        #: The mode that is asked for, of which the manager's sockets know nothing.
        self._mode: int | None = None
        self._lock_fd = -1
        self._listeners: list[LocalListener] = []

    def __enter__(self) -> Self:
        """`SocketError` when the folder cannot be used or another daemon runs in it."""
        platform.make_socket_dir(self.path)
        try:
            self._lock_fd = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise SocketError(f"{self.path / _LOCK}: {error.strerror}") from error
        try:
            self._take_lock()
        except BaseException:
            os.close(self._lock_fd)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove_sockets()
        for sock in self._passed.values():
            sock.close()
        os.close(self._lock_fd)

    def listen(self, name: str, mode: int) -> socket.socket:
        """A listening Unix socket in the folder: the manager's, or one with these permission bits.

        `SocketError` when it cannot be made.
        """
        if name in self._passed:
            self._check_mode(mode)
            return self._passed[name].dup()
        listener = platform.listen(self.path / name, mode=mode, backlog=_BACKLOG)
        self._listeners.append(listener)
        return listener.socket

    def set_socket_mode(self, mode: int) -> None:
        """Gives the sockets these permission bits; connections that are open stay."""
        self._check_mode(mode)
        for listener in self._listeners:
            try:
                listener.path.chmod(mode)
            except OSError as error:
                # Somebody has removed it, or made it theirs: nobody reaches the daemon there any more.
                _log.warning("%s: the mode cannot be changed: %s", listener.path, error.strerror)

    def remove_sockets(self) -> None:
        """Removes the files of the sockets made here, unless something else stands in their place by now.

        Whoever connects to one of the manager's waits for the next daemon.
        """
        for listener in self._listeners:
            listener.remove_file()
        self._listeners.clear()

    def remove(self, *names: str) -> None:
        """Removes the whole folder, with these files: for a private one, whose owner may be gone."""
        self.remove_sockets()
        with suppress(OSError):
            for name in names:
                (self.path / name).unlink(missing_ok=True)
            (self.path / _LOCK).unlink()
            self.path.rmdir()

    def _check_mode(self, mode: int) -> None:
        if mode == self._mode:
            return
        self._mode = mode
        for name in self._passed:
            with suppress(OSError):
                actual = stat.S_IMODE((self.path / name).stat().st_mode)
                if actual != mode:
                    _log.warning(
                        "[network] socket_mode has no effect on %s, which the service manager has made with mode %04o: "
                        "set SocketMode= of its unit",
                        self.path / name,
                        actual,
                    )

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._lock_fd, 32, 0).decode("ascii", "replace").strip()
            raise SocketError(
                f"{self.path}: another daemon{f' (pid {pid})' if pid else ''} runs there",
                hint="stop it, or give this one a folder of its own: NDFD_NETWORK__SOCKET_DIR",
            ) from None
        os.ftruncate(self._lock_fd, 0)
        os.pwrite(self._lock_fd, f"{os.getpid()}\n".encode(), 0)
