"""Connections that outlive the daemon: the service manager keeps their descriptors, and the next daemon serves on.

A request that came whole stays in the kernel's buffer, where it is only looked at (MSG_PEEK), until it is answered. So
a daemon that ends, in whatever way, takes nothing along: the next one finds the request and serves it again. What a
connection was in the midst of is noted in memory that the manager keeps as well (`ConnectionTable`), because a request
of which a part was consumed, or an answer of which a part was sent, cannot be taken up again: such a connection is
closed, and its peer sees it. Between the two lies the moment in which the answer was sent and its request not yet
consumed: for answers that are sent at once, `Answering` tells what was done.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence

from ndfd import platform
from ndfd.server.answering import Answering, Standing
from ndfd.server.connection_table import SLOTS, ConnectionTable

_log = logging.getLogger(__name__)

#: What the manager calls the memory of the table.
TABLE_NAME = "connections"
#: What it calls the connections of a door: this and the door's name.
CONNECTION_PREFIX = "connection-"

#: Daemons that ended with the same request begun, after which that is taken for the cause: its connection is closed, or
#: it would end every daemon.
_ENDED_MAX = 10
#: Descriptors in one message to the manager: SCM_MAX_FD of unix(7) is 253.
_TOGETHER_MAX = 250
#: What a manager keeps that does not say how much: what the packaged units ask for (FileDescriptorStoreMax=).
_MANAGERS_MAX = 2048
#: Of that, what is none of ours: the table, the listening socket of the network, and some to spare.
_OTHERS_MAX = 16
#: The manager's queue of messages is full: it empties it in less.
_AGAIN_S = 0.01


class Kept:
    """One connection of a door, from its accept to `close` or `let_go`."""

    def __init__(
        self,
        sock: socket.socket,
        table: ConnectionTable | None = None,
        cookie: int = 0,
        answering: Answering | None = None,
        *,
        suspect: bool = False,
    ) -> None:
        """Without a table it is one that nobody keeps. `suspect`: daemons have ended with its request."""
        self._sock = sock
        self._table = table
        self._cookie = cookie
        self._answering = answering
        self._settled = True
        self._suspect = suspect
        self._left = False
        self._stored = True

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
            self._suspect = False
        self._settled = True

    def answer(self, data: bytes, descriptors: Sequence[int], request_bytes: int, peeked_bytes: int) -> int:
        """Sends the whole answer to a request that waits in the kernel, then consumes the request; never waits.

        The descriptors go with the first byte. Gives how many bytes of `data` were sent. When it is all, the connection
        was settled at every moment. None is sent when the answer is too long, or the peer's buffer full: send it in
        another way then. When a part was sent, the connection is touched, the request not consumed, and the rest is to
        be sent in another way, too.

        The connection must be settled, and prepared by `platform.resuming`; `peeked_bytes` of it were looked at and are
        not consumed, among them no descriptors but the request's own. OSError when the peer is gone.
        """
        answering = self._answering
        if answering is None:
            return 0
        sent = 0
        try:
            sent = answering.answer(self._sock, self._cookie, data, descriptors, request_bytes, peeked_bytes)
        finally:
            if sent < len(data):
                if sent:
                    self.touch()
                answering.forget()
        if self._suspect and sent == len(data):
            assert self._table is not None
            self._table.note_ended(self._cookie, 0)
            self._suspect = False
        return sent

    def close(self) -> None:
        """Ends the connection: the peer sees it although the manager has a duplicate, which it then drops."""
        if self._table is not None:
            _end(self._sock)
            self._table.remove(self._cookie)
        self._sock.close()

    def let_go(self) -> None:
        """Closes this process's descriptor alone: the connection, settled as it is, waits for the next daemon."""
        assert self._settled, "a connection in the midst of an exchange cannot be taken up"
        self._left = True
        if self._stored:
            self._sock.close()

    def store_later(self) -> None:
        """The manager does not have it yet: until `stored`, this process's descriptor is the only one."""
        self._stored = False

    def stored(self) -> None:
        """The manager has it."""
        self._stored = True
        if self._left:
            self._sock.close()


class Keeper:
    """Has connections kept. Made once, before the doors open; without anybody who keeps, all its answers are empty."""

    def __init__(
        self,
        store: Callable[[str, Sequence[int]], bool] | None = None,
        passed: Iterable[platform.PassedDescriptor] = (),
        later: Callable[[float, Callable[[], None]], object] | None = None,
        descriptors_max: int | None = None,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        """`store`, `passed`, `descriptors_max` and `has_room` are the manager's (`ServiceManager.store`, `take_passed`,
        `keeps_max`, `has_room`); `later` is the loop's `call_later`. Of `passed`, it takes over the table and the
        connections, and leaves the others alone."""
        self._store = store
        self._later = later
        self._has_room = has_room
        self._kept_max = min(SLOTS, (descriptors_max or _MANAGERS_MAX) - _OTHERS_MAX)
        self._passed: dict[str, list[int]] = {}
        #: By the manager's name for them, connections that are not with it yet.
        self._waiting: dict[str, list[Kept]] = {}
        self._retrying = False
        for each in passed:
            if each.name == TABLE_NAME or each.name.startswith(CONNECTION_PREFIX):
                self._passed.setdefault(each.name, []).append(each.fd)
        tables = self._passed.pop(TABLE_NAME, [])
        self._table: ConnectionTable | None = None
        self._answering: Answering | None = None
        if store is None:
            _close_all(tables)
        else:
            self._table = self._make_table(tables)
            self._answering = self._make_answering(self._table)

    @property
    def keeps(self) -> bool:
        """Whether there is anybody who keeps connections."""
        return self._table is not None

    @property
    def behind(self) -> bool:
        """Whether the manager has no time: what is accepted now would be lost with this process."""
        return self._retrying or not self._has_room()

    def keep(self, door: str, sock: socket.socket) -> Kept:
        """For a connection that was just accepted."""
        # Beyond what the manager keeps, it would drop it without a word.
        if self._table is None or self._table.is_full or len(self._table) >= self._kept_max:
            return Kept(sock)
        # Before all else, because whatever comes next may be the end of this process.
        name = CONNECTION_PREFIX + door
        stored = not self._retrying and self._store is not None and self._store(name, (sock.fileno(),))
        cookie = platform.socket_cookie(sock)
        self._table.add(cookie)
        kept = Kept(sock, self._table, cookie, self._answering)
        if not stored:
            kept.store_later()
            self._waiting.setdefault(name, []).append(kept)
            if not self._retrying:
                self._try_again()
        return kept

    def take_up(self, door: str) -> list[tuple[socket.socket, Kept]]:
        """The connections of a former daemon that may be served further, once; the others of this door are closed.

        So are those whose request was begun by one daemon after the other that then ended.
        """
        taken = []
        for fd in self._passed.pop(CONNECTION_PREFIX + door, ()):
            sock = socket.socket(fileno=fd)
            cookie = platform.socket_cookie(sock)
            if self._table is not None and self._table.is_settled(cookie) and self._may_begin(sock, cookie):
                suspect = self._table.ended(cookie) > 0
                taken.append((sock, Kept(sock, self._table, cookie, self._answering, suspect=suspect)))
            else:
                _end(sock)
                if self._table is not None:
                    self._table.remove(cookie)
        return taken

    def _may_begin(self, sock: socket.socket, cookie: int) -> bool:
        assert self._table is not None
        # What was looked at is a request that was begun, or was about to be.
        ended = self._table.ended(cookie) + 1 if platform.resuming.peeked_bytes(sock) > 0 else 0
        self._table.note_ended(cookie, ended)
        if ended > _ENDED_MAX:
            _log.warning("a connection is closed: %d daemons in a row ended with its request", ended)
        return ended <= _ENDED_MAX

    def _make_table(self, fds: list[int]) -> ConnectionTable:
        assert self._store is not None
        _close_all(fds[1:])
        table = ConnectionTable(fds[0] if fds else None)
        # Without the table in safety no connection is of use: they are then all found unsettled, and closed.
        if not fds:
            self._store(TABLE_NAME, (table.fd,))
        cookies = self._cookies()
        table.retain(cookies)
        if table.continued:
            # Those that were handed over, and then the daemon ended. One that it had closed is not there either.
            for cookie, fd in cookies.items():
                if cookie not in table and not _is_ended(fd):
                    table.add(cookie)
        return table

    def _make_answering(self, table: ConnectionTable) -> Answering:
        answering = Answering(table.notes)
        cookie = answering.interrupted
        if table.is_settled(cookie):
            with _borrowed(self._cookies()[cookie]) as sock:
                table.note(cookie, settled=answering.recovered(sock) is not Standing.BROKEN)
        answering.forget()
        return answering

    def _cookies(self) -> dict[int, int]:
        """Of the connections that were handed over, their descriptors by their cookies."""
        cookies = {}
        for fds in self._passed.values():
            for fd in fds:
                with _borrowed(fd) as sock:
                    cookies[platform.socket_cookie(sock)] = fd
        return cookies

    def _hand_over(self) -> None:
        """To a manager that had no time when they were accepted."""
        assert self._store is not None
        self._retrying = False
        for name, waiting in list(self._waiting.items()):
            while waiting:
                batch = waiting[:_TOGETHER_MAX]
                fds = [kept.fileno() for kept in batch if kept.fileno() >= 0]
                if fds and not self._store(name, fds):
                    self._try_again()
                    return
                del waiting[:_TOGETHER_MAX]
                for kept in batch:
                    kept.stored()
            del self._waiting[name]

    def _try_again(self) -> None:
        assert self._later is not None
        self._retrying = True
        self._later(_AGAIN_S, self._hand_over)


@contextlib.contextmanager
def _borrowed(fd: int) -> Iterator[socket.socket]:
    """The socket behind a descriptor, which stays open."""
    sock = socket.socket(fileno=fd)
    try:
        yield sock
    finally:
        sock.detach()


def _is_ended(fd: int) -> bool:
    """Whether a connection was shut down, as `Kept.close` does it."""
    poll = select.poll()
    poll.register(fd, 0)
    return bool(poll.poll(0))


def _end(sock: socket.socket) -> None:
    """Closes a connection so that its peer sees it, whoever has a duplicate."""
    # OSError: the peer has ended it before.
    with sock, contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _close_all(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)
