"""Connections that outlive the daemon: the service manager keeps their descriptors, and the next daemon serves on.

A request that came whole stays in the kernel's buffer, where it is only looked at (MSG_PEEK), until it is answered. So
a daemon that ends, in whatever way, takes nothing along: the next one finds the request and serves it again. What a
connection was in the midst of is noted in memory that the manager keeps as well (`ConnectionTable`), because a request
of which a part was consumed, or an answer of which a part was sent, cannot be taken up again: such a connection is
closed, and its peer sees it. Between the two, where a whole answer is sent and its request then consumed, the table,
the outbox and the socket together say how far a daemon that was killed had come (`Kept.answer`).
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import stat
from collections.abc import Callable, Iterable, Sequence

from ndfd import platform
from ndfd.server.outbox import ANSWER_MAX_BYTES, Outbox

#: What the manager calls the memory of the table, and both ends of the outbox.
TABLE_NAME = "connections"
#: What it calls the connections of a door: this and the door's name.
CONNECTION_PREFIX = "connection-"

#: Changes with the meaning of what is in the table, and of what is left in a socket: an older daemon's is not taken up.
_VERSION = 1
_SLOTS = 8192
#: The first word of the table is its version; then come two words for each slot: the socket's cookie, and its standing.
_WORD_BYTES = 8
_TABLE_BYTES = _WORD_BYTES * (1 + 2 * _SLOTS)
_SETTLED, _TOUCHED, _ANSWERING, _ANSWERING_LAST = 1, 2, 3, 4
#: Above the standing, where an answer is on its way: its size in bytes.
_SIZE_SHIFT = 8

#: Descriptors in one message to the manager: SCM_MAX_FD of unix(7) is 253.
_TOGETHER_MAX = 250
#: The manager's queue of messages is full: it empties it in less.
_AGAIN_S = 0.01
#: Where bytes go that were looked at before.
_scratch = bytearray(64 * 1024)


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

    def note_answering(self, cookie: int, size_bytes: int, *, last: bool) -> None:
        """The outbox has an answer of that size for it, and gives it to the socket next; it may be the last one."""
        standing = _ANSWERING_LAST if last else _ANSWERING
        self._words[2 + 2 * self._slots[cookie]] = standing | size_bytes << _SIZE_SHIFT

    def answering(self, cookie: int) -> tuple[int, bool] | None:
        """What `note_answering` noted last: the size, and whether it is the last; None if that is over."""
        slot = self._slots.get(cookie)
        word = 0 if slot is None else self._words[2 + 2 * slot]
        standing, size_bytes = word & ((1 << _SIZE_SHIFT) - 1), word >> _SIZE_SHIFT
        return (size_bytes, standing == _ANSWERING_LAST) if standing in (_ANSWERING, _ANSWERING_LAST) else None

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

    def __init__(
        self, sock: socket.socket, table: ConnectionTable | None, cookie: int, outbox: Outbox | None = None
    ) -> None:
        """Without a table it is one that nobody keeps."""
        self._sock = sock
        self._table = table
        self._outbox = outbox
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

    def answer(self, data: bytes | memoryview, request_bytes: int, *, last: bool) -> int:
        """Sends a whole answer and consumes its request, as if in one step: whenever this process is killed, the next
        one serves the connection further, and answers the request if this one has not.

        The request is `request_bytes` long, all that MSG_PEEK gave since `platform.peek_onwards`. Gives how many bytes
        were sent. All: the connection is settled, unless the answer is the `last`. Some: the rest is the caller's to
        send, and the request the caller's to consume. None: the connection is as it was, and this way is not to be had,
        as without a manager, for more than `ANSWER_MAX_BYTES`, after `touch`, and while the peer takes nothing.
        """
        if self._table is None or self._outbox is None or not self._settled or len(data) > ANSWER_MAX_BYTES:
            return 0
        if not self._outbox.put(data):
            return 0
        self._table.note_answering(self._cookie, len(data), last=last)
        sent = self._outbox.send(self._sock, len(data))
        if sent == len(data):
            consume(self._sock, request_bytes)
            self._settled = not last
        else:
            self._settled = sent == 0
        self._table.note(self._cookie, settled=self._settled)
        if sent < len(data):
            self._outbox.empty()
        return sent

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
        self._outbox: Outbox | None = None
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
        kept = Kept(sock, self._table, cookie, self._outbox)
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
            kept = Kept(sock, self._table, cookie, self._outbox)
            if self._table is not None and self._table.is_settled(cookie):
                taken.append((sock, kept))
            else:
                kept.close()
        return taken

    def _make_table(self, fds: list[int]) -> ConnectionTable:
        assert self._store is not None
        pipes = [fd for fd in fds if stat.S_ISFIFO(os.fstat(fd).st_mode)]
        tables = [fd for fd in fds if fd not in pipes]
        # Less than both ends is of no use.
        for fd in (*tables[1:], *pipes[2:], *(pipes if len(pipes) < 2 else ())):
            os.close(fd)
        table = ConnectionTable(tables[0] if tables else None)
        self._outbox = Outbox(pipes[:2] if len(pipes) >= 2 else ())
        # Without the table in safety no connection is of use: they are then all found unsettled, and closed.
        if not tables:
            self._store(TABLE_NAME, (table.fd,))
        if len(pipes) < 2:
            self._store(TABLE_NAME, self._outbox.fds)
        connections = {_cookie(fd): fd for fds in self._passed.values() for fd in fds}
        table.retain(connections)
        for cookie, fd in connections.items():
            if (answering := table.answering(cookie)) is not None:
                waiting_bytes = self._outbox.waiting_bytes if len(pipes) >= 2 else None
                table.note(cookie, settled=_resolve(fd, *answering, waiting_bytes))
        self._outbox.empty()
        return table

    def _hand_over(self) -> None:
        """As soon as they are accepted, because whatever comes next may be the end of this process."""
        assert self._store is not None
        self._retrying = False
        for name, waiting in list(self._waiting.items()):
            while waiting:
                fds = [kept.fileno() for kept in waiting[:_TOGETHER_MAX] if kept.fileno() >= 0]
                if fds and not self._store(name, fds):
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


def consume(sock: socket.socket, size_bytes: int) -> None:
    """Takes what is there, and was looked at, out of the socket."""
    while size_bytes:
        size_bytes -= sock.recv_into(_scratch, min(size_bytes, len(_scratch)))


def _resolve(fd: int, size_bytes: int, last: bool, waiting_bytes: int | None) -> bool:
    """Whether a connection may be taken up whose daemon ended amid `Kept.answer`; consumes a request that is answered.

    `waiting_bytes` of the answer's are still in the outbox, in which there is none but this one; None: it is lost.
    """
    if waiting_bytes == size_bytes:
        return True
    if waiting_bytes != 0 or last:
        return False
    with socket.socket(fileno=os.dup(fd)) as sock:
        # What is not consumed yet: the kernel lowers it with every read.
        consume(sock, platform.peek_onwards(sock))
    return True
