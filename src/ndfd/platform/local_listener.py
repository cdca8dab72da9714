"""A listening local socket and its file: which is whose, and what keeps one from being made."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from ndfd.errors import SocketError


@dataclass(frozen=True, slots=True)
class LocalListener:
    """A listening local socket and the file by which it is reached."""

    socket: socket.socket
    path: Path
    #: Device and inode of the file, by which it is told from another daemon's at the same path.
    identity: tuple[int, int]

    def remove_file(self) -> None:
        """Removes the file if it still is this socket's; a file that another daemon put there since stays."""
        with contextlib.suppress(OSError):
            if identity_of(self.path) == self.identity:
                self.path.unlink()


def identity_of(path: Path) -> tuple[int, int]:
    """Device and inode of what lies there."""
    status = path.lstat()
    return status.st_dev, status.st_ino


def refuse_if_taken(path: Path) -> None:
    """`SocketError` when a daemon answers at this path, or when what lies there is no socket."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise SocketError(f"{path} is there and is no socket", hint="move it away, or name another folder")
    except FileNotFoundError:
        return
    except OSError as error:
        raise SocketError(f"cannot listen at {path}: {reason_of(error, path)}") from error
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except BlockingIOError:
            pass  # EAGAIN: its backlog is full, so somebody listens.
        except OSError as error:
            raise SocketError(f"cannot tell whether a daemon answers at {path}: {reason_of(error, path)}") from error
    raise SocketError(f"a daemon already answers at {path}", hint="use that one, or name another folder for this one")


def reason_of(error: OSError, path: Path) -> str:
    """What kept a local socket from being used at this path, for messages."""
    if error.strerror is None or error.errno == errno.ENAMETOOLONG:
        # Python checks the length before the system does, and sets no errno. sun_path has room for 107 bytes and a NUL
        # on Linux (unix(7)), 103 on macOS.
        return f"the path is too long for a local socket ({len(os.fsencode(path))} bytes)"
    return error.strerror
