"""The standing of connections that are kept, in shared memory that outlives the daemon: see `keeping`."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable

from ndfd import platform
from ndfd.server.answering import NOTES_BYTES

#: Changes with the meaning of what is in the table, and of what is left in a socket: an older daemon's is not taken up.
_VERSION = 1
#: Connections that find room.
SLOTS = 8192
#: The first word of the table is its version; then come the notes of `Answering`, then two words for each slot: the
#: socket's cookie, and its standing.
_WORD_BYTES = 8
_FIRST_SLOT = 1 + NOTES_BYTES // _WORD_BYTES
_TABLE_BYTES = _WORD_BYTES * (_FIRST_SLOT + 2 * SLOTS)
_SETTLED, _TOUCHED = 1, 2
#: Above the standing: how many daemons in a row ended with the same request begun and not answered.
_ENDED_SHIFT = 8


class ConnectionTable:
    """In shared memory: of each connection that is kept, whether it may be taken up. Survives SIGKILL."""

    def __init__(self, fd: int | None = None) -> None:
        """`fd` is the memory of a former daemon's table, which this one takes over; None makes an empty one."""
        self.fd = platform.memfd("ndfd-connections") if fd is None else fd
        os.ftruncate(self.fd, _TABLE_BYTES)
        memory = memoryview(mmap.mmap(self.fd, _TABLE_BYTES))
        self._words = memory.cast("Q")
        #: Whether it goes on with a former daemon's.
        self.continued = self._words[0] == _VERSION
        if not self.continued:
            for index in range(len(self._words)):
                self._words[index] = 0
            self._words[0] = _VERSION
        #: For `Answering`.
        self.notes = memory[_WORD_BYTES : _WORD_BYTES * _FIRST_SLOT]
        #: By the cookie, the index of the slot's first word.
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        for slot in reversed(range(_FIRST_SLOT, len(self._words), 2)):
            if cookie := self._words[slot]:
                self._slots[cookie] = slot
            else:
                self._free.append(slot)

    def __len__(self) -> int:
        """Connections in it."""
        return len(self._slots)

    def __contains__(self, cookie: int) -> bool:
        return cookie in self._slots

    @property
    def is_full(self) -> bool:
        """Whether no further connection has room."""
        return not self._free

    def add(self, cookie: int) -> bool:
        """Notes a connection, settled; False when the table is full."""
        if not self._free:
            return False
        slot = self._slots[cookie] = self._free.pop()
        # In this order: a daemon that dies in between leaves a slot without a connection.
        self._words[slot + 1] = _SETTLED
        self._words[slot] = cookie
        return True

    def is_settled(self, cookie: int) -> bool:
        """Whether the connection is in the table and may be taken up."""
        slot = self._slots.get(cookie)
        return slot is not None and self._words[slot + 1] & ((1 << _ENDED_SHIFT) - 1) == _SETTLED

    def ended(self, cookie: int) -> int:
        """How many daemons in a row ended with the request that waits there."""
        return self._words[self._slots[cookie] + 1] >> _ENDED_SHIFT

    def note_ended(self, cookie: int, count: int) -> None:
        """Of a settled connection: sets what `ended` tells."""
        self._words[self._slots[cookie] + 1] = _SETTLED | count << _ENDED_SHIFT

    def note(self, cookie: int, *, settled: bool) -> None:
        """From now on it may, or may not, be taken up."""
        self._words[self._slots[cookie] + 1] = _SETTLED if settled else _TOUCHED

    def remove(self, cookie: int) -> None:
        """Forgets a connection, if it is there."""
        slot = self._slots.pop(cookie, None)
        if slot is not None:
            self._words[slot] = 0
            self._free.append(slot)

    def retain(self, cookies: Iterable[int]) -> None:
        """Forgets all but these."""
        for cookie in self._slots.keys() - set(cookies):
            self.remove(cookie)
