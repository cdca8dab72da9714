"""Connections of the HTTP door whose daemon is killed: what the next one serves, and whom it must disappoint."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.server.door_process import DoorProcess, door_process
from tests.server.doors import connected
from tests.server.storing_manager import StoringManager, storing_manager
from tests.server.test_kept_http import HEALTH, OK, answer, ask, convert, rest_of


class Daemons:
    """Processes in front of one manager, one after the other."""

    def __init__(self, manager: StoringManager, directory: Path) -> None:
        self._manager = manager
        self._directory = directory
        self._numbers = itertools.count()

    def start(self, *, hangs: bool = True) -> AbstractContextManager[DoorProcess]:
        """The next daemon."""
        return door_process(self._directory / str(next(self._numbers)), self._manager, hangs=hangs)


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    """None is running yet."""
    with storing_manager() as manager:
        yield Daemons(manager, tmp_path)


def test_a_killed_daemon_leaves_its_connections_to_the_next(daemons: Daemons) -> None:
    with daemons.start() as first:
        idle, half, hanging = (connected(first.http_path) for _ in range(3))
        answer_of(idle)
        half.sendall(convert(b"half", size=8))
        hanging.sendall(convert(b"a document", "hang"))
        first.wait_started()
        # Answered after what came before it was looked at.
        answer_of(idle)
        first.kill()
    with idle, half, hanging, daemons.start(hangs=False):
        assert OK in ask(idle)
        half.sendall(b"done")
        assert b"of 8 bytes: halfdone" in answer(half)
        assert b"of 10 bytes: a document" in answer(hanging)
        for sock in (half, hanging):
            assert OK in ask(sock)


def test_what_a_killed_daemon_had_consumed_or_sent_in_part_is_closed_by_the_next(daemons: Daemons) -> None:
    with daemons.start() as first:
        large, unread, pipelined = (connected(first.http_path) for _ in range(3))
        unread.sendall(convert(b"x", "big:4000000"))
        begun = unread.recv(1)
        large.sendall(convert(bytes(500_000), size=1_000_000))
        pipelined.sendall(convert(b"one", "hang") + HEALTH)
        first.wait_started()
        with connected(first.http_path) as other:
            answer_of(other)
        first.kill()
    with large, unread, pipelined, daemons.start(hangs=False):
        assert rest_of(large) == b""
        assert rest_of(pipelined) == b""
        assert len(begun + rest_of(unread)) < 4_000_000


def answer_of(sock: socket.socket) -> bytes:
    """That the door is well."""
    given = ask(sock)
    assert OK in given
    return given
