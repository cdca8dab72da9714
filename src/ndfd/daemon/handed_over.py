"""What the service manager handed over at the start, sorted by whom it is for: each door has its listening socket."""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ndfd.config.places import HTTP_SOCKET, VARLINK_SOCKET, default_socket_dir
from ndfd.config.settings import NetworkSettings
from ndfd.errors import SocketError
from ndfd.platform import PassedDescriptor
from ndfd.server.keeping import CONNECTION_PREFIX, TABLE_NAME

_log = logging.getLogger(__name__)

#: What the manager calls the listening socket of [network] bind_address, which it keeps.
NETWORK_LISTENER = "listener-network"

_DOORS = (VARLINK_SOCKET, HTTP_SOCKET)


@dataclass(slots=True)
class HandedOver:
    """Each thing is for whoever takes it out of here."""

    #: Listening Unix sockets by the names of their files, which are the manager's.
    doors: dict[str, socket.socket] = field(default_factory=dict)
    #: Where they lie; None when there are none.
    folder: Path | None = None
    #: Listening sockets on the network that a former daemon had kept.
    network: list[socket.socket] = field(default_factory=list)
    #: Connections and their table, for the `Keeper`.
    connections: list[PassedDescriptor] = field(default_factory=list)

    @classmethod
    def of(cls, passed: Iterable[PassedDescriptor]) -> HandedOver:
        """`SocketError` for a listening socket that is no door's: whoever connects there would wait for ever.

        What else nobody here knows is named in the log and closed.
        """
        handed = cls()
        for each in passed:
            if each.name == TABLE_NAME or each.name.startswith(CONNECTION_PREFIX):
                handed.connections.append(each)
            elif (sock := _listening(each.fd)) is None:
                _log.warning("a descriptor of the service manager is of no use here: it is closed: %s", each.name)
                os.close(each.fd)
            elif each.name == NETWORK_LISTENER:
                handed.network.append(sock)
            else:
                handed._take_door(sock)
        return handed

    def folder_for(self, network: NetworkSettings) -> Path:
        """Where the daemon's sockets are: by itself where the manager's are; `SocketError` when they are elsewhere."""
        configured = network.socket_dir
        if configured == "auto":
            return self.folder or default_socket_dir()
        if self.folder is not None and self.folder.resolve() != configured.resolve():
            raise SocketError(
                f"the service manager listens in {self.folder}, and [network] socket_dir is {configured}",
                hint='set socket_dir = "auto", or make it and ListenStream= of the socket unit the same',
            )
        return configured

    def drop_connections(self) -> None:
        """For a daemon that can have none kept: the other end of each sees its end, whoever has duplicates."""
        for each in self.connections:
            if not stat.S_ISSOCK(os.fstat(each.fd).st_mode):
                os.close(each.fd)
                continue
            with socket.socket(fileno=each.fd) as sock:
                _hang_up(sock)
        self.connections.clear()

    def _take_door(self, sock: socket.socket) -> None:
        name = sock.getsockname()
        path = Path(name) if sock.family == socket.AF_UNIX and isinstance(name, str) and name else None
        if path is None or path.name not in _DOORS or path.name in self.doors or sock.type != socket.SOCK_STREAM:
            raise SocketError(
                f"the service manager listens for this daemon at {_shown(name)}, which is none of its doors",
                hint=f"ListenStream= of the socket unit names two paths: FOLDER/{VARLINK_SOCKET}, FOLDER/{HTTP_SOCKET}",
            )
        if self.folder is not None and path.parent.resolve() != self.folder.resolve():
            raise SocketError(
                f"the service manager listens in two folders: {self.folder} and {path.parent}",
                hint="name both sockets in the same folder: ListenStream= of the socket unit",
            )
        self.folder = path.parent
        self.doors[path.name] = sock


def _listening(fd: int) -> socket.socket | None:
    """Takes the descriptor over if it is a listening socket; None, and it is as it was, when not."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return None
    sock = socket.socket(fileno=fd)
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()
        return None
    sock.setblocking(False)
    return sock


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # Its other end has gone before.


def _shown(name: object) -> str:
    match name:
        case bytes():
            return "@" + name[1:].decode("ascii", "backslashreplace")
        case (str(host), int(port), *_):
            return f"{host} port {port}"
    return str(name) or "a socket without a name"
