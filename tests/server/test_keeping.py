"""Who has connections kept: the table of their standing, and how they come to the manager and back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.platform import PassedDescriptor
from ndfd.server import connection_table
from ndfd.server.accepting import Accepting
from ndfd.server.connection_table import ConnectionTable
from ndfd.server.keeping import CONNECTION_PREFIX, TABLE_NAME, Keeper, Kept
from tests.server.doors import open_descriptors


class Manager:
    """Keeps duplicates of what it is sent, as long as it has room."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, int]] = []
        self.full = False
        self.later: list[Callable[[], None]] = []
        #: How many descriptors came at a time.
        self.batches: list[int] = []

    def store(self, name: str, fds: Sequence[int]) -> bool:
        if self.full:
            return False
        self.batches.append(len(fds))
        self.kept += [(name, os.dup(fd)) for fd in fds]
        return True

    def keeper(self, descriptors_max: int | None = None) -> Keeper:
        """Of a daemon that was just started."""
        passed = [PassedDescriptor(name, os.dup(fd)) for name, fd in self.kept]
        return Keeper(self.store, passed, lambda _, step: self.later.append(step), descriptors_max)

    def names(self) -> list[str]:
        return [name for name, _ in self.kept]

    def drop(self, name: str) -> None:
        """As if it had never come."""
        for each, fd in self.kept:
            if each == name:
                os.close(fd)
        self.kept = [each for each in self.kept if each[0] != name]


@pytest.fixture
def manager() -> Iterator[Manager]:
    manager = Manager()
    yield manager
    for _, fd in manager.kept:
        os.close(fd)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A caller's end of a connection, and the daemon's."""
    theirs, ours = socket.socketpair()
    theirs.settimeout(20)
    with theirs, ours:
        yield theirs, ours


@pytest.fixture
def table() -> Iterator[ConnectionTable]:
    table = ConnectionTable()
    yield table
    os.close(table.fd)


# The table


def test_a_table_tells_the_next_daemon_what_it_was_told(table: ConnectionTable) -> None:
    assert table.add(7)
    assert table.add(8)
    table.note(8, settled=False)
    former = ConnectionTable(table.fd)
    assert former.is_settled(7)
    assert not former.is_settled(8)
    assert not former.is_settled(9)
    former.note(8, settled=True)
    former.remove(7)
    assert [ConnectionTable(table.fd).is_settled(cookie) for cookie in (7, 8)] == [False, True]


def test_a_table_has_room_again_for_what_it_forgets(table: ConnectionTable, monkeypatch: pytest.MonkeyPatch) -> None:
    added = 0
    while table.add(added + 1):
        added += 1
    assert added == 8192
    assert not ConnectionTable(table.fd).add(99_999)
    table.remove(5)
    table.remove(5)
    assert table.add(99_999)
    assert not table.add(100_000)
    table.retain([1, 2])
    assert [table.is_settled(cookie) for cookie in (1, 2, 3, 99_999)] == [True, True, False, False]


def test_a_table_of_another_version_is_begun_anew(table: ConnectionTable) -> None:
    assert table.add(7)
    os.pwrite(table.fd, (99).to_bytes(8, "little"), 0)
    assert not ConnectionTable(table.fd).is_settled(7)


def test_memory_that_is_no_table_is_made_one(table: ConnectionTable) -> None:
    os.ftruncate(table.fd, 0)
    os.write(table.fd, os.urandom(100))
    assert not ConnectionTable(table.fd).is_settled(7)
    assert ConnectionTable(table.fd).add(7)


# One connection


def test_a_connection_that_nobody_keeps_is_only_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    theirs, ours = pair
    kept = Keeper().keep("door", ours)
    assert not kept.resumable
    kept.touch()
    assert not kept.settled
    kept.settle()
    assert kept.settled
    kept.close()
    assert kept.fileno() == -1
    assert theirs.recv(1) == b""


def test_no_more_is_kept_than_the_manager_keeps(manager: Manager) -> None:
    keeper = manager.keeper(descriptors_max=18)
    pairs = [socket.socketpair() for _ in range(3)]
    kept = [keeper.keep("door", ours) for _, ours in pairs]
    assert [each.resumable for each in kept] == [True, True, False]
    kept[0].close()
    theirs, ours = socket.socketpair()
    assert keeper.keep("door", ours).resumable
    for each in (*(sock for pair in pairs for sock in pair), theirs, ours):
        each.close()


def test_while_the_manager_takes_nothing_no_further_connection_is_accepted(manager: Manager, tmp_path: Path) -> None:
    async def body() -> None:
        keeper, accepted = manager.keeper(), list[Kept]()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "sock"))
            listener.listen()

            def keep(sock: socket.socket) -> None:
                accepted.append(keeper.keep("door", sock))

            accepting = Accepting(listener, keep, full=lambda: keeper.behind)
            manager.full = True
            peers = [socket.socket(socket.AF_UNIX) for _ in range(3)]
            for sock in peers:
                sock.connect(str(tmp_path / "sock"))
            await asyncio.sleep(0.05)
            assert len(accepted) == 1
            manager.full = False
            manager.later.pop()()
            while len(accepted) < 3:
                await asyncio.sleep(0.001)
            accepting.close()
            for each in (*accepted, *peers):
                each.close()

    asyncio.run(body())


def test_a_closed_connection_ends_for_its_peer_although_the_manager_has_it(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    theirs, ours = pair
    manager.keeper().keep("door", ours).close()
    assert manager.names().count(CONNECTION_PREFIX + "door") == 1
    assert theirs.recv(1) == b""
    assert manager.keeper().take_up("door") == []


def test_a_connection_goes_to_the_daemon_after_this_one(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    theirs, ours = pair
    keeper = manager.keeper()
    kept = keeper.keep("door", ours)
    assert keeper.keeps
    assert kept.resumable
    theirs.send(b"asked")
    kept.let_go()
    former = manager.keeper()
    assert former.take_up("other") == []
    ((sock, taken),) = former.take_up("door")
    assert former.take_up("door") == []
    with sock:
        assert sock.recv(10) == b"asked"
        assert taken.resumable
        assert taken.settled


def test_a_connection_that_was_touched_is_closed_by_the_next_daemon(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    theirs, ours = pair
    manager.keeper().keep("door", ours).touch()
    assert manager.keeper().take_up("door") == []
    assert theirs.recv(1) == b""


def test_a_connection_in_the_midst_of_an_exchange_is_not_let_go(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    kept = manager.keeper().keep("door", pair[1])
    kept.touch()
    with pytest.raises(AssertionError, match="midst"):
        kept.let_go()
    kept.settle()
    kept.let_go()


def test_a_connection_whose_daemon_ended_when_it_had_just_handed_it_over_is_taken_up(
    manager: Manager, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = pair
    keeper = manager.keeper()
    monkeypatch.setattr(ConnectionTable, "add", lambda table, cookie: True)
    keeper.keep("door", ours)
    monkeypatch.undo()
    ours.close()
    theirs.send(b"one")
    ((sock, kept),) = manager.keeper().take_up("door")
    assert sock.recv(100, socket.MSG_PEEK) == b"one"
    kept.close()


def test_a_connection_of_a_table_that_is_lost_is_closed(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    theirs, ours = pair
    manager.keeper().keep("door", ours)
    manager.drop(TABLE_NAME)
    assert manager.keeper().take_up("door") == []
    assert theirs.recv(1) == b""


def test_connections_are_closed_when_nobody_keeps_them_any_more(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    theirs, ours = pair
    manager.keeper().keep("door", ours).let_go()
    before = open_descriptors()
    passed = [PassedDescriptor(name, os.dup(fd)) for name, fd in manager.kept]
    keeper = Keeper(None, passed)
    assert not keeper.keeps
    assert keeper.take_up("door") == []
    assert open_descriptors() == before
    assert theirs.recv(1) == b""


def test_what_is_not_its_own_is_left_alone(manager: Manager) -> None:
    ours, theirs = os.pipe()
    Keeper(manager.store, [PassedDescriptor("listener-network", ours), PassedDescriptor("connection", theirs)])
    os.close(ours)
    os.close(theirs)


def test_the_table_is_stored_once(manager: Manager) -> None:
    manager.keeper()
    manager.keeper()
    assert manager.names() == [TABLE_NAME]


def test_a_full_table_keeps_no_more(
    manager: Manager, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_table, "_TABLE_BYTES", 8 * (connection_table._FIRST_SLOT + 2))
    keeper = manager.keeper()
    assert keeper.keep("door", pair[0]).resumable
    assert not keeper.keep("door", pair[1]).resumable
    assert manager.names().count(CONNECTION_PREFIX + "door") == 1


# A manager that is busy


def test_connections_wait_for_a_manager_that_is_busy(manager: Manager) -> None:
    keeper = manager.keeper()
    manager.full = True
    pairs = [socket.socketpair() for _ in range(300)]
    closed, *kept = [keeper.keep("door", ours) for ours, _ in pairs]
    closed.close()
    # One attempt after the other, however many wait.
    assert len(manager.later) == 1
    manager.later.pop()()
    assert len(manager.later) == 1
    manager.full, manager.batches = False, []
    manager.later.pop()()
    assert manager.later == []
    # SCM_MAX_FD of unix(7) is 253.
    assert manager.batches == [249, 50]
    for each in kept:
        each.close()
    for _, theirs in pairs:
        theirs.close()


def test_connections_that_are_gone_before_the_manager_had_time_are_not_sent(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    keeper = manager.keeper()
    manager.full = True
    keeper.keep("door", pair[1]).close()
    manager.full, manager.batches = False, []
    manager.later.pop()()
    assert (manager.later, manager.batches) == ([], [])


def test_a_connection_that_is_let_go_stays_open_until_the_manager_has_it(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    theirs, ours = pair
    keeper = manager.keeper()
    manager.full = True
    kept = keeper.keep("door", ours)
    kept.let_go()
    manager.full = False
    manager.later.pop()()
    assert kept.fileno() == -1
    theirs.send(b"asked")
    ((sock, _),) = manager.keeper().take_up("door")
    with sock:
        assert sock.recv(10) == b"asked"


# A short answer and the end of its request


def asked(manager: Manager, pair: tuple[socket.socket, socket.socket], request: bytes) -> Kept:
    """A kept connection with a request that was looked at."""
    theirs, ours = pair
    kept = manager.keeper().keep("door", ours)
    ours.setblocking(False)
    platform.resuming.prepare_peeking(ours)
    theirs.send(request)
    assert ours.recv(1000, socket.MSG_PEEK) == request
    return kept


def test_an_answer_is_sent_and_its_request_consumed(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    theirs, ours = pair
    kept = asked(manager, pair, b"one two")
    assert kept.answer(b"answer", (), 4, 7) == 6
    assert kept.settled
    assert theirs.recv(100) == b"answer"
    assert ours.recv(100) == b"two"
    ((sock, _),) = manager.keeper().take_up("door")
    sock.close()


def test_an_answer_that_is_too_long_is_not_begun(manager: Manager, pair: tuple[socket.socket, socket.socket]) -> None:
    kept = asked(manager, pair, b"one")
    assert kept.answer(bytes(10_000_000), (), 3, 3) == 0
    assert kept.settled
    assert kept.answer(b"short", (), 3, 3) == 5


def test_an_answer_that_finds_no_room_is_not_begun(manager: Manager, pair: tuple[socket.socket, socket.socket]) -> None:
    theirs, ours = pair
    kept = asked(manager, pair, b"one")
    filled_bytes = 0
    while sent := _sent_at_once(ours):
        filled_bytes += sent
    assert kept.answer(b"short", (), 3, 3) == 0
    assert kept.settled
    assert len(theirs.recv(filled_bytes, socket.MSG_WAITALL)) == filled_bytes
    assert kept.answer(b"short", (), 3, 3) == 5
    assert theirs.recv(100) == b"short"


@pytest.mark.parametrize("killed", [False, True])
def test_an_answer_of_which_a_part_was_sent_leaves_its_connection_touched(
    manager: Manager, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    theirs, ours = pair
    kept = asked(manager, pair, b"one")
    # The kernel takes a message in pieces of half a buffer.
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    if killed:
        monkeypatch.setattr("ndfd.server.answering.Answering.forget", lambda self: None)
        monkeypatch.setattr(Kept, "touch", lambda self: None)
    sent = kept.answer(b"x" * 60_000, (), 3, 3)
    assert 0 < sent < 60_000
    assert kept.settled == killed
    monkeypatch.undo()
    assert theirs.recv(100_000) == b"x" * sent
    assert ours.recv(100) == b"one"
    assert manager.keeper().take_up("door") == []
    assert theirs.recv(1) == b""


def test_descriptors_go_with_the_first_byte_of_an_answer(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    kept = asked(manager, pair, b"one")
    fds = [os.memfd_create("a"), os.memfd_create("b")]
    inodes = [os.fstat(fd).st_ino for fd in fds]
    assert kept.answer(b"answer", fds, 3, 3) == 6
    data, received, _, _ = socket.recv_fds(pair[0], 100, 8)
    assert (data, [os.fstat(fd).st_ino for fd in received]) == (b"answer", inodes)
    for fd in (*fds, *received):
        os.close(fd)


def test_an_answer_to_a_peer_that_is_gone_is_an_error_and_leaves_nothing(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    keeper = manager.keeper()
    theirs, ours = socket.socketpair()
    with ours:
        theirs.close()
        with pytest.raises(OSError, match="Broken pipe"):
            keeper.keep("door", ours).answer(b"answer", (), 3, 3)
    theirs, ours = pair
    kept = keeper.keep("door", ours)
    theirs.send(b"one")
    assert kept.answer(b"another", (), 3, 3) == 7
    assert theirs.recv(100) == b"another"


def begun(manager: Manager) -> Kept | None:
    """Of the next daemon, which looks at the request of its one connection; None when it has closed that."""
    taken = manager.keeper().take_up("door")
    if not taken:
        return None
    ((sock, kept),) = taken
    platform.resuming.prepare_peeking(sock)
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        sock.recv(100, socket.MSG_PEEK)
    return kept


def ended(kept: Kept | None) -> None:
    """Its daemon ends with it as it is."""
    assert kept is not None
    kept.let_go()


def test_a_request_that_ends_one_daemon_after_the_other_is_not_begun_for_ever(
    manager: Manager, pair: tuple[socket.socket, socket.socket]
) -> None:
    theirs, ours = pair
    manager.keeper().keep("door", ours)
    ours.close()
    # An idle one is taken up as often as there are daemons.
    for _ in range(20):
        ended(begun(manager))
    theirs.send(b"one")
    for _ in range(10):
        ended(begun(manager))
    kept = begun(manager)
    assert kept is not None
    # Whatever daemon answers it: the next request is begun with.
    assert kept.answer(b"answer", (), 3, 3) == 6
    ended(kept)
    theirs.send(b"two")
    for _ in range(11):
        ended(begun(manager))
    assert begun(manager) is None
    assert theirs.recv(100) == b"answer"
    assert theirs.recv(1) == b""


def _sent_at_once(sock: socket.socket) -> int:
    try:
        return sock.send(bytes(1000))
    except BlockingIOError:
        return 0
