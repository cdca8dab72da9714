"""Connections that outlive the daemon: the service manager keeps their descriptors, and the next daemon serves on.

A request that came whole stays in the kernel's buffer, where it is only looked at (MSG_PEEK), until it is answered. So
a daemon that ends, in whatever way, takes nothing along: the next one finds the request and serves it again. What a
connection was in the midst of is noted in memory that the manager keeps as well (`ConnectionTable`), because a request
of which a part was consumed, or an answer of which a part was sent, cannot be taken up again: such a connection is
closed, and its peer sees it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
from collections.abc import Callable, Iterable, Sequence

from ndfd import platform

#: What the manager calls the memory of the table.
TABLE_NAME = "connections"
#: What it calls the connections of a door: this and the door's name.
CONNECTION_PREFIX = "connection-"

#: Changes with the meaning of what is in the table, and of what is left in a socket: an older daemon's is not taken up.
_VERSION = 1
_SLOTS = 8192
#: The first word of the table is its version; then come two words for each slot: the socket's cookie, and its standing.
_WORD_BYTES = 8
_TABLE_BYTES = _WORD_BYTES * (1 + 2 * _SLOTS)
_SETTLED, _TOUCHED = 1, 2

#: Descriptors in one message to the manager: SCM_MAX_FD of unix(7) is 253.
_TOGETHER_MAX = 250
#: The manager's queue of messages is full: it empties it in less.
_AGAIN_S = 0.01


class ConnectionTable:
    """In shared memory: of each connection that is kept, whether it may be taken up. Survives SIGKILL."""

    def __init__(self, fd: int | None = None) -> None:
        """`fd` is the memory of a former daemon's table, which this one takes over; None makes an empty one."""
        self.fd = platform.memfd("ndfd-connections") if fd is None else fd
        os.ftruncate(self.fd, _TABLE_BYTES)
        self._words = memoryview(mmap.mmap(self.fd, _TABLE_BYTES)).cast("Q")
        if self._words[0] != _VERSION:
            for index in range(len(self._words)):
                self._words[index] = 0
            self._words[0] = _VERSION
        self._slots = {self._words[1 + 2 * slot]: slot for slot in range(_SLOTS) if self._words[1 + 2 * slot]}
        taken = set(self._slots.values())
        self._free = [slot for slot in reversed(range(_SLOTS)) if slot not in taken]

    def add(self, cookie: int) -> bool:
        """Notes a connection, settled; False when the table is full."""
        if not self._free:
            return False
        slot = self._slots[cookie] = self._free.pop()
        # In this order: a daemon that dies in between leaves a slot without a connection.
        self._words[2 + 2 * slot] = _SETTLED
        self._words[1 + 2 * slot] = cookie
        return True

    def is_settled(self, cookie: int) -> bool:
        """Whether the connection is in the table and may be taken up."""
        slot = self._slots.get(cookie)
        return slot is not None and self._words[2 + 2 * slot] == _SETTLED

    def note(self, cookie: int, *, settled: bool) -> None:
        """From now on it may, or may not, be taken up."""
        self._words[2 + 2 * self._slots[cookie]] = _SETTLED if settled else _TOUCHED

    def remove(self, cookie: int) -> None:
        """Forgets a connection, if it is there."""
        slot = self._slots.pop(cookie, None)
        if slot is not None:
            self._words[1 + 2 * slot] = 0
            self._free.append(slot)

    def retain(self, cookies: Iterable[int]) -> None:
        """Forgets all but these."""
        for cookie in self._slots.keys() - set(cookies):
            self.remove(cookie)


class Kept:
    """One connection of a door, from its accept to `close` or `let_go`."""

    def __init__(self, sock: socket.socket, table: ConnectionTable | None, cookie: int) -> None:
        """Without a table it is one that nobody keeps."""
        self._sock = sock
        self._table = table
        self._cookie = cookie
        self._settled = True

    def fileno(self) -> int:
        """The descriptor; -1 when it is closed."""
        return self._sock.fileno()

    @property
    def resumable(self) -> bool:
        """Whether another daemon may serve this connection after this one: requests are then left in the kernel."""
        return self._table is not None

    @property
    def settled(self) -> bool:
        """Whether all that was consumed of it is answered whole, so that another daemon could serve it from here."""
        return self._settled

    def touch(self) -> None:
        """Call before anything of a request is consumed, of an answer sent, or done that must not be done twice."""
        if self._settled and self._table is not None:
            self._table.note(self._cookie, settled=False)
        self._settled = False

    def settle(self) -> None:
        """Call when the request is consumed and its answer is with the kernel."""
        if not self._settled and self._table is not None:
            self._table.note(self._cookie, settled=True)
        self._settled = True

    def close(self) -> None:
        """Ends the connection: the peer sees it although the manager has a duplicate, which it then drops."""
        if self._table is not None:
            # OSError: the peer has ended it before.
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
            self._table.remove(self._cookie)
        self._sock.close()

    def let_go(self) -> None:
        """Closes this process's descriptor alone: the connection, settled as it is, waits for the next daemon."""
        assert self._settled, "a connection in the midst of an exchange cannot be taken up"
        self._sock.close()


class Keeper:
    """Has connections kept. Made once, before the doors open; without anybody who keeps, all its answers are empty."""

    def __init__(
        self,
        store: Callable[[str, Sequence[int]], bool] | None = None,
        passed: Iterable[platform.PassedDescriptor] = (),
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        """`store` and `passed` are the manager's (`ServiceManager.store`, `take_passed`); `later` is the loop's
        `call_later`. Of `passed`, it takes over the table and the connections, and leaves the others alone."""
        self._store = store
        self._later = later
        self._passed: dict[str, list[int]] = {}
        #: By the manager's name for them, connections that are not with it yet.
        self._waiting: dict[str, list[Kept]] = {}
        self._retrying = False
        tables = []
        for each in passed:
            if each.name == TABLE_NAME:
                tables.append(each.fd)
            elif each.name.startswith(CONNECTION_PREFIX):
                self._passed.setdefault(each.name, []).append(each.fd)
        self._table = None if store is None else self._make_table(tables)

    @property
    def keeps(self) -> bool:
        """Whether there is anybody who keeps connections."""
        return self._table is not None

    def keep(self, door: str, sock: socket.socket) -> Kept:
        """For a connection that was just accepted."""
        if self._table is None:
            return Kept(sock, None, 0)
        cookie = platform.socket_cookie(sock)
        if not self._table.add(cookie):
            return Kept(sock, None, 0)
        kept = Kept(sock, self._table, cookie)
        self._waiting.setdefault(CONNECTION_PREFIX + door, []).append(kept)
        if not self._retrying:
            self._hand_over()
        return kept

    def take_up(self, door: str) -> list[tuple[socket.socket, Kept]]:
        """The connections of a former daemon that may be served further, once; the others of this door are closed."""
        taken = []
        for fd in self._passed.pop(CONNECTION_PREFIX + door, ()):
            sock = socket.socket(fileno=fd)
            cookie = platform.socket_cookie(sock)
            kept = Kept(sock, self._table, cookie)
            if self._table is not None and self._table.is_settled(cookie):
                taken.append((sock, kept))
            else:
                kept.close()
        return taken

    def _make_table(self, fds: list[int]) -> ConnectionTable:
        assert self._store is not None
        for fd in fds[1:]:
            os.close(fd)
        table = ConnectionTable(fds[0] if fds else None)
        # Without the table in safety no connection is of use: they are then all found unsettled, and closed.
        if not fds:
            self._store(TABLE_NAME, (table.fd,))
        table.retain(_cookie(fd) for fds in self._passed.values() for fd in fds)
        return table

    def _hand_over(self) -> None:
        """As soon as they are accepted, because whatever comes next may be the end of this process."""
        assert self._store is not None
        self._retrying = False
        for name, waiting in list(self._waiting.items()):
            while waiting:
                batch = waiting[:_TOGETHER_MAX]
                if not self._store(name, [kept.fileno() for kept in batch if kept.fileno() >= 0]):
                    self._try_again()
                    return
                del waiting[:_TOGETHER_MAX]
            del self._waiting[name]

    def _try_again(self) -> None:
        assert self._later is not None
        self._retrying = True
        self._later(_AGAIN_S, self._hand_over)


def _cookie(fd: int) -> int:
    with socket.socket(fileno=os.dup(fd)) as sock:
        return platform.socket_cookie(sock)
