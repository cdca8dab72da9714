"""An answer and its request under a daemon that is killed between any two steps: the peer gets exactly one answer."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ndfd import platform
from ndfd.server import keeping
from ndfd.server.keeping import ConnectionTable, Keeper, Kept
from ndfd.server.outbox import ANSWER_MAX_BYTES, Outbox
from tests.server.storing_manager import StoringManager, storing_manager


class KilledError(BaseException):
    """Stands for the end of the process: nothing of the daemon's is done after it."""


@pytest.fixture
def manager() -> Iterator[StoringManager]:
    """Keeps what daemons leave."""
    with storing_manager() as manager:
        yield manager


class Asked:
    """A connection of the first daemon on which a request has come whole and was looked at, and nothing behind it."""

    def __init__(self, manager: StoringManager) -> None:
        self._manager = manager
        self.peer, self._sock = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self.peer.setblocking(False)
        platform.peek_onwards(self._sock)
        self.kept = Keeper(manager.store, manager.passed()).keep("http", self._sock)
        self.peer.sendall(b"request")
        assert self._sock.recv(100, socket.MSG_PEEK) == b"request"

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *_: object) -> None:
        self.peer.close()
        self._sock.close()

    def answer(self, data: bytes = b"answer", *, last: bool = False) -> int:
        """Has the first daemon answer."""
        return self.kept.answer(data, len(b"request"), last=last)

    def taken_up(self) -> tuple[socket.socket, Kept] | None:
        """The connection as the next daemon has it, which has it to close; None where it is closed."""
        taken = Keeper(self._manager.store, self._manager.passed()).take_up("http")
        return taken[0] if taken else None

    def received(self) -> bytes:
        """What the peer has got since it last asked."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            while piece := self.peer.recv(1 << 20):
                data += piece
        return data


def killed_before(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> None:
    def killed(*args: Any, **kwargs: Any) -> None:
        monkeypatch.undo()
        raise KilledError

    monkeypatch.setattr(where, name, killed)


def killed_after(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> None:
    function: Callable[..., Any] = getattr(where, name)

    def killed(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)
        monkeypatch.undo()
        raise KilledError

    monkeypatch.setattr(where, name, killed)


STEPS = [
    (killed_before, Outbox, "put"),
    (killed_after, Outbox, "put"),
    (killed_after, ConnectionTable, "note_answering"),
    (killed_after, Outbox, "send"),
    (killed_after, keeping, "consume"),
    (killed_after, ConnectionTable, "note"),
]


@pytest.mark.parametrize(("killed", "where", "step"), STEPS)
def test_a_request_is_answered_once_whenever_the_daemon_is_killed(
    manager: StoringManager,
    monkeypatch: pytest.MonkeyPatch,
    killed: Callable[[pytest.MonkeyPatch, Any, str], None],
    where: Any,
    step: str,
) -> None:
    with Asked(manager) as asked:
        killed(monkeypatch, where, step)
        with pytest.raises(KilledError):
            asked.answer()
        taken = asked.taken_up()
        assert taken is not None
        sock, kept = taken
        with sock:
            was_answered = asked.received() == b"answer"
            platform.peek_onwards(sock)
            if was_answered:
                with pytest.raises(BlockingIOError):
                    sock.recv(100, socket.MSG_PEEK)
                asked.peer.sendall(b"request")
            # The one that is left, or one that is asked now.
            assert sock.recv(100, socket.MSG_PEEK) == b"request"
            assert kept.answer(b"answer", len(b"request"), last=False) == len(b"answer")
            assert asked.received() == b"answer"
            assert kept.settled


def test_a_connection_whose_last_answer_was_sent_is_closed(
    manager: StoringManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Asked(manager) as asked:
        killed_after(monkeypatch, Outbox, "send")
        with pytest.raises(KilledError):
            asked.answer(last=True)
        assert asked.taken_up() is None
        assert asked.received() == b"answer"
        assert asked.peer.recv(1) == b""


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel takes the half of an answer."""
    send = Outbox.send
    monkeypatch.setattr(Outbox, "send", lambda outbox, sock, size_bytes: send(outbox, sock, size_bytes // 2))


@pytest.mark.usefixtures("half")
def test_a_connection_whose_answer_was_sent_in_part_is_closed(
    manager: StoringManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Asked(manager) as asked:
        killed_after(monkeypatch, Outbox, "send")
        with pytest.raises(KilledError):
            asked.answer()
        assert asked.taken_up() is None
        assert asked.received() == b"ans"


@pytest.mark.usefixtures("half")
def test_what_was_not_sent_of_an_answer_is_left_to_the_caller(manager: StoringManager) -> None:
    with Asked(manager) as asked:
        assert asked.answer() == 3
        assert not asked.kept.settled
        assert asked.received() == b"ans"
        assert asked.taken_up() is None


@pytest.mark.parametrize("reason", ["large", "touched", "full"])
def test_an_answer_that_cannot_be_sent_so_changes_nothing(manager: StoringManager, reason: str) -> None:
    with Asked(manager) as asked:
        data = b"answer"
        if reason == "large":
            data = bytes(ANSWER_MAX_BYTES + 1)
        elif reason == "touched":
            asked.kept.touch()
        else:
            with contextlib.suppress(BlockingIOError):
                while True:
                    asked._sock.send(bytes(4096))
            asked.answer()
        assert asked.answer(data) == 0
        assert asked.kept.settled is (reason != "touched")
        assert asked._sock.recv(100) == b"request"


def test_without_the_outbox_nobody_knows_what_was_sent(
    manager: StoringManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Asked(manager) as asked:
        killed_after(monkeypatch, Outbox, "send")
        with pytest.raises(KilledError):
            asked.answer()
        table, *_, connection = manager.stored
        manager.stored = [table, connection]
        assert asked.taken_up() is None
