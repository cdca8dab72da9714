"""Connections of the Varlink door that outlive its daemon: one that stops, and one that is killed."""

from __future__ import annotations

import asyncio
import base64
import gc
import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ndfd.errors import ShuttingDown
from ndfd.model.conversion import ConvertOptions, OnPage
from ndfd.model.jobs import JobOptions
from ndfd.protocol.varlink_interfaces import METHODS
from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoorLimits
from ndfd.server.keeping import CONNECTION_PREFIX
from ndfd.server.kept_stream import KeptStream
from ndfd.server.repeating import REPEATABLE
from ndfd.server.varlink_exchange import Exchange
from ndfd.supervisor.task import never, nothing
from tests.server.doors import LIMITS, Doors, ScriptedConversions, open_descriptors
from tests.server.kept_doors import KeptDoors, Killable, Shelf, end_helpers, next_daemon
from tests.server.results import Result
from tests.server.varlink_peer import CONVERT, GET_STATUS, Peer, document

INLINE = {"document": {"data": base64.b64encode(b"a document").decode()}}
RELOAD = "io.ndfd.Service.Reload"
KEPT = CONNECTION_PREFIX + "varlink"


@pytest.fixture(scope="module", autouse=True)
def processes_end() -> Iterator[None]:
    yield
    end_helpers()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path)
    yield shelf
    shelf.close()


class Caller(Peer):
    """A peer of whichever daemon serves the shelf's listener."""

    def __init__(self, shelf: Shelf) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(shelf.listener.getsockname())
        self._data = b""
        self.descriptors = []

    def convert(self, name: str, *descriptors: int, **flags: bool) -> None:
        """Asks for a conversion, of the first descriptor where there is one."""
        source = {"document": {"fd": 0}} if descriptors else INLINE
        self.send({"method": CONVERT, "parameters": {**source, "name": name}, **flags}, *descriptors)

    def content(self) -> str:
        """Of the next reply."""
        return str(self.reply()["parameters"]["content"])

    def is_served(self) -> bool:
        """Whether the next reply is that to the next call: none came twice, and none is missing."""
        return bool(self.ask("org.varlink.service.GetInfo")["parameters"]["product"] == "ndfd")

    def is_refused(self) -> bool:
        """Whether something came that was not asked for."""
        return bool(select.select([self.sock], [], [], 0)[0])


class Refusing(ScriptedConversions):
    """Fails as a pool does that stops."""

    def __init__(self) -> None:
        super().__init__()
        self._refused = asyncio.Event()

    async def refuse_after(self, step: Callable[[], None]) -> None:
        step()
        self._refused.set()

    async def convert(
        self,
        document_fd: int,
        options: ConvertOptions,
        *,
        uid: int,
        on_page: OnPage | None,
        background: Callable[[], bool] = never,
        on_worker: Callable[[], None] = nothing,
    ) -> Result:
        self.started.set()
        await self._refused.wait()
        raise ShuttingDown("the daemon stops before a worker was free")


def descriptors() -> int:
    """How many are open, but for what former tests left to the collector."""
    gc.collect()
    return open_descriptors()


def submitted(doors: KeptDoors) -> str:
    """Id of a job that was submitted behind the doors."""
    fd = document()
    submission = doors.run(doors.jobs.submit(fd, JobOptions(ConvertOptions()), uid=os.getuid()))
    os.close(fd)
    return str(submission.job.id)


# A daemon that stops


def test_an_idle_connection_survives_a_stop(shelf: Shelf) -> None:
    with Caller(shelf) as caller:
        with next_daemon(shelf):
            assert caller.is_served()
        with next_daemon(shelf) as doors:
            assert doors.varlink.connections == 1
            assert caller.is_served()


def test_a_request_that_came_between_two_daemons_is_served_with_its_descriptor(shelf: Shelf) -> None:
    fd = document()
    with Caller(shelf) as known, Caller(shelf) as new:
        with next_daemon(shelf):
            assert known.is_served()
        for caller in (known, new):
            caller.convert("a", fd)
        os.close(fd)
        with next_daemon(shelf):
            for caller in (known, new):
                assert caller.content().endswith("a document")
                assert caller.is_served()


def test_a_call_in_progress_ends_and_its_connection_goes_on_with_the_next_daemon(shelf: Shelf) -> None:
    with Caller(shelf) as caller:
        with next_daemon(shelf) as doors:
            caller.convert("big:3000000")
            caller.send({"method": GET_STATUS})
            assert doors.conversions.started.wait(20)
            stopping = doors.begin(doors.varlink.stop(20))
            assert len(caller.content()) == 3_000_000
            stopping.result(20)
        with next_daemon(shelf):
            assert "version" in caller.reply()["parameters"]
            assert caller.is_served()


def test_a_call_that_the_grace_does_not_suffice_for_is_served_by_the_next_daemon(shelf: Shelf) -> None:
    fd = document()
    with Caller(shelf) as caller:
        with next_daemon(shelf) as doors:
            caller.convert("hang", fd)
            assert doors.conversions.started.wait(20)
            doors.run(doors.varlink.stop(0))
            assert doors.conversions.cancelled.is_set()
        with next_daemon(shelf) as doors:
            assert doors.conversions.started.wait(20)
            assert doors.conversions.seen[0][0].name == "hang"
    os.close(fd)


def test_a_call_that_is_refused_because_the_daemon_stops_is_served_by_the_next_one(shelf: Shelf) -> None:
    with Caller(shelf) as caller:
        with next_daemon(shelf) as doors:
            doors.conversions = Refusing()
            doors.serving.current = doors.generation(1)
            caller.convert("a")
            assert doors.conversions.started.wait(20)
            doors.run(doors.conversions.refuse_after(doors.varlink.pause))
            doors.run(doors.varlink.stop(20))
        with next_daemon(shelf):
            assert caller.content().endswith("a document")
            assert caller.is_served()


def test_a_call_that_was_answered_in_part_is_told_of_the_stop_and_closed(shelf: Shelf) -> None:
    with Caller(shelf) as caller:
        with next_daemon(shelf) as doors:
            job = submitted(doors)
            caller.send({"method": "io.ndfd.Jobs.Watch", "parameters": {"ids": [job]}, "more": True})
            assert caller.reply()["continues"]
            doors.run(doors.varlink.stop(0))
            assert caller.reply()["parameters"]["code"] == "daemon-stopping"
            assert caller.is_closed()
        assert shelf.names().count(KEPT) == 0


def test_a_half_message_is_closed_by_a_stop(shelf: Shelf) -> None:
    with Caller(shelf) as caller, Caller(shelf) as idle:
        with next_daemon(shelf) as doors:
            assert idle.is_served()
            caller.send(b'{"method":')
            doors.wait_touched(1)
        assert caller.is_closed()
        assert shelf.names().count(KEPT) == 1


def test_a_door_that_pauses_begins_no_call_and_refuses_none(shelf: Shelf) -> None:
    with Caller(shelf) as busy, Caller(shelf) as idle, Caller(shelf) as waiting:
        with next_daemon(shelf) as doors:
            assert idle.is_served()
            busy.convert("hang")
            assert doors.conversions.started.wait(20)
            doors.call(doors.varlink.pause)
            idle.convert("idle")
            with Caller(shelf) as new:
                new.convert("new")
                doors.wait_connections(1)
                doors.run(doors.varlink.stop(0))
        assert [options.name for options, _ in doors.conversions.seen] == ["hang"]
        waiting.sock.close()
        with next_daemon(shelf):
            assert idle.content().endswith("a document")


def test_nobody_is_kept_without_a_manager(tmp_path: Path) -> None:
    doors = Doors(tmp_path, DoorLimits(), HttpDoorLimits(), LIMITS)
    with doors.open(), Peer(doors) as peer:
        assert "version" in peer.ask(GET_STATUS)["parameters"]
        doors.run(doors.varlink.stop(0))
        assert peer.is_closed()


# A daemon that is killed


def test_an_idle_connection_survives_a_kill(shelf: Shelf) -> None:
    with Caller(shelf) as caller:
        daemon = Killable(shelf)
        assert caller.is_served()
        daemon.kill()
        with next_daemon(shelf):
            assert caller.is_served()


def test_a_call_under_way_is_answered_once_by_the_next_daemon_with_its_descriptor(shelf: Shelf) -> None:
    fd = document(b"of the caller")
    with Caller(shelf) as caller:
        daemon = Killable(shelf)
        caller.convert("stay", fd)
        os.close(fd)
        daemon.wait_for("stay")
        daemon.kill()
        with next_daemon(shelf):
            assert caller.content().endswith("of the caller")
            assert caller.is_served()


def test_a_request_that_was_not_looked_at_is_answered_by_the_next_daemon(shelf: Shelf) -> None:
    with Caller(shelf) as caller:
        daemon = Killable(shelf)
        assert caller.is_served()
        daemon.freeze()
        caller.convert("a")
        daemon.kill()
        with next_daemon(shelf):
            assert caller.content().endswith("a document")
            assert caller.is_served()


@pytest.mark.parametrize("together", [False, True])
def test_pipelined_calls_are_answered_once_each_and_in_order(shelf: Shelf, together: bool) -> None:
    files = {name: document(name.encode()) for name in ("one", "stay", "three")}
    with Caller(shelf) as caller:
        daemon = Killable(shelf)
        daemon.freeze()
        for name, fd in files.items():
            caller.convert(name, fd)
            if together:
                caller.send({"method": GET_STATUS})
            os.close(fd)
        daemon.thaw()
        assert caller.content().endswith("one")
        daemon.wait_for("one")
        if together:
            assert "version" in caller.reply()["parameters"]
        daemon.wait_for("stay")
        daemon.kill()
        with next_daemon(shelf) as doors:
            for name in ("stay", "three"):
                assert caller.content().endswith(name)
                if together:
                    assert "version" in caller.reply()["parameters"]
            assert caller.is_served()
            assert [options.name for options, _ in doors.conversions.seen] == ["stay", "three"]


def test_half_a_message_is_lost_with_its_daemon_and_the_caller_sees_it(shelf: Shelf) -> None:
    with Caller(shelf) as caller, Caller(shelf) as marker:
        daemon = Killable(shelf)
        caller.send(b'{"method":')
        # Connections are accepted in their order, and what is there is read before what comes later.
        assert marker.is_served()
        daemon.kill()
        with next_daemon(shelf) as doors:
            assert caller.is_closed()
            assert doors.varlink.connections == 1
            assert marker.is_served()


def test_half_an_answer_ends_in_the_end_of_the_stream(shelf: Shelf) -> None:
    with Caller(shelf) as caller:
        daemon = Killable(shelf)
        caller.convert("big:3000000")
        begun = caller.sock.recv(1000)
        daemon.kill()
        with next_daemon(shelf):
            while data := caller.sock.recv(1 << 20):
                begun += data
        assert len(begun) < 3_000_000


def test_what_must_not_be_done_twice_is_not(shelf: Shelf) -> None:
    with Caller(shelf) as caller:
        daemon = Killable(shelf)
        caller.send({"method": RELOAD})
        daemon.wait_for("reload")
        daemon.kill()
        with next_daemon(shelf) as doors:
            assert caller.is_closed()
            assert doors.configurations.reloads == []


def test_every_method_says_whether_it_may_be_done_twice() -> None:
    assert REPEATABLE.keys() == METHODS.keys()


@pytest.mark.parametrize("method", METHODS)
def test_what_must_not_be_done_twice_touches_its_connection_before(shelf: Shelf, method: str) -> None:
    with next_daemon(shelf) as doors, Caller(shelf) as caller:
        touched = []

        async def handle(exchange: Exchange) -> None:
            assert isinstance(exchange.stream, KeptStream)
            touched.append(not exchange.stream._kept.settled)
            await exchange.send(exchange.answer.finish({}))

        assert doors.varlink._calls._handlers.keys() == METHODS.keys()
        doors.varlink._calls._handlers[method] = handle
        assert caller.ask(method) == {"parameters": {}}
        assert caller.ask(method) == {"parameters": {}}
        assert touched == [not REPEATABLE[method]] * 2


def test_a_message_larger_than_a_look_is_served_and_its_connection_stays_kept(shelf: Shelf) -> None:
    large = {"document": {"data": base64.b64encode(b"x" * 1_000_000).decode()}}
    with Caller(shelf) as caller:
        daemon = Killable(shelf)
        caller.send({"method": CONVERT, "parameters": {**large, "name": "a"}})
        assert "1000000 bytes" in caller.content()
        daemon.wait_for("a")
        assert caller.is_served()
        daemon.kill()
        with next_daemon(shelf):
            assert caller.is_served()


def test_a_large_answer_leaves_its_connection_kept(shelf: Shelf) -> None:
    with Caller(shelf) as caller:
        daemon = Killable(shelf)
        caller.convert("big:3000000")
        assert len(caller.content()) == 3_000_000
        assert caller.is_served()
        daemon.kill()
        with next_daemon(shelf):
            assert caller.is_served()


@pytest.mark.parametrize(
    "moment",
    [
        f"{when} {call} {number}"
        for when in ("before", "after")
        for call in (
            "ndfd.platform NotedSender.prepare",
            "ndfd.platform NotedSender.send",
            "ndfd.server.answering consume",
            "ndfd.server.answering Answering.forget",
        )
        for number in (1, 2)
    ],
)
def test_an_answer_comes_once_whatever_moment_its_daemon_is_killed_in(shelf: Shelf, moment: str) -> None:
    call = {"method": CONVERT, "parameters": {**INLINE, "reply": "descriptor"}}
    with Caller(shelf) as caller:
        daemon = Killable(shelf, dies=moment)
        # Alike, so that the one cannot be told from the other by what it says.
        for _ in range(3):
            caller.send(call)
        daemon.died()
        with next_daemon(shelf):
            for _ in range(3):
                assert caller.reply()["parameters"]["fd"] == 0
            assert len(caller.descriptors) == 3
            assert caller.is_served()


def test_a_request_in_many_small_pieces_is_answered_once(shelf: Shelf) -> None:
    request = b'{"method":"io.ndfd.Service.GetStatus"}\0'
    with Caller(shelf) as caller:
        daemon = Killable(shelf)
        daemon.freeze()
        for at in range(len(request)):
            caller.send(request[at : at + 1])
        daemon.thaw()
        assert "version" in caller.reply()["parameters"]
        assert caller.is_served()
        daemon.kill()
        with next_daemon(shelf):
            assert caller.is_served()


# What holds for all connections holds for those that are kept


def test_a_kept_connection_that_is_cut_off_ends_for_its_peer(shelf: Shelf) -> None:
    with next_daemon(shelf, stall_s=0.05), Caller(shelf) as caller:
        assert caller.is_served()
        assert shelf.names().count(KEPT) == 1
        caller.send(b'{"method":')
        assert caller.is_closed()
        assert shelf.names().count(KEPT) == 0


def test_a_peer_that_leaves_has_its_conversion_cancelled_and_leaves_nothing(shelf: Shelf) -> None:
    fd = document()
    with next_daemon(shelf) as doors:
        assert shelf.names().count(KEPT) == 0
        before = descriptors()
        with Caller(shelf) as caller:
            caller.convert("hang", fd)
            caller.send({"method": GET_STATUS}, fd)
            assert doors.conversions.started.wait(20)
        assert doors.conversions.cancelled.wait(20)
        doors.wait_connections(0)
        assert shelf.names().count(KEPT) == 0
        assert descriptors() == before
    os.close(fd)


def test_garbage_is_answered_by_an_error_and_the_end(shelf: Shelf) -> None:
    fd = document()
    with next_daemon(shelf) as doors:
        assert shelf.names().count(KEPT) == 0
        before = descriptors()
        with Caller(shelf) as caller:
            caller.send({"method": GET_STATUS})
            caller.send(b"garbage\0", fd)
            assert "version" in caller.reply()["parameters"]
            assert caller.reply()["parameters"]["code"] == "protocol"
            assert caller.is_closed()
        with Caller(shelf) as caller:
            caller.send({"method": GET_STATUS}, *[fd] * 20)
            assert "more than 8 descriptors" in caller.reply()["parameters"]["message"]
            assert caller.is_closed()
        doors.wait_connections(0)
        assert shelf.names().count(KEPT) == 0
        assert descriptors() == before
    os.close(fd)


def test_a_oneway_call_is_served_once_and_not_answered(shelf: Shelf) -> None:
    with next_daemon(shelf) as doors, Caller(shelf) as caller:
        caller.convert("a", oneway=True)
        assert caller.is_served()
        assert len(doors.conversions.seen) == 1


def test_a_call_that_would_leave_varlink_is_refused(shelf: Shelf) -> None:
    with next_daemon(shelf), Caller(shelf) as caller:
        refused = caller.ask(GET_STATUS, upgrade=True)
        assert refused["error"] == "org.varlink.service.MethodNotImplemented"
        assert caller.is_served()


def test_a_half_closed_caller_gets_its_replies_and_the_end(shelf: Shelf) -> None:
    with next_daemon(shelf), Caller(shelf) as caller:
        caller.convert("pages:2", more=True)
        caller.send({"method": GET_STATUS})
        caller.sock.shutdown(socket.SHUT_WR)
        assert [caller.reply().get("continues", False) for _ in range(3)] == [True, True, False]
        assert "version" in caller.reply()["parameters"]
        assert caller.is_closed()


def test_100_pipelined_calls_keep_their_own_descriptors(shelf: Shelf) -> None:
    files = [document(b"%d." % number) for number in range(100)]
    with next_daemon(shelf) as doors:
        with Caller(shelf) as caller:
            assert caller.is_served()
            before = descriptors()
            for number, fd in enumerate(files):
                if number % 3 == 0:
                    caller.send({"method": GET_STATUS})
                caller.convert("a", fd)
            for number, _ in enumerate(files):
                if number % 3 == 0:
                    assert "version" in caller.reply()["parameters"]
                assert caller.content().endswith(f": {number}.")
            assert caller.is_served()
            assert descriptors() == before
        doors.wait_connections(0)
    for fd in files:
        os.close(fd)


def test_descriptors_sent_in_one_piece_with_two_calls_are_those_of_the_second(shelf: Shelf) -> None:
    fd = document(b"of the second")
    first = b'{"method":"io.ndfd.Service.GetStatus"}\0'
    second = b'{"method":"io.ndfd.Documents.Convert","parameters":{"document":{"fd":0},"name":"stay"}}\0'
    with Caller(shelf) as one, Caller(shelf) as other:
        daemon = Killable(shelf)
        one.send(first + second, fd)
        assert "version" in one.reply()["parameters"]
        daemon.wait_for("stay")
        daemon.freeze()
        other.send(first + second, fd)
        os.close(fd)
        daemon.kill()
        with next_daemon(shelf):
            # Its descriptor went with the first request, which was consumed.
            assert one.is_closed()
            assert "version" in other.reply()["parameters"]
            assert other.content().endswith("of the second")
            assert other.is_served()


def test_a_call_whose_bytes_were_consumed_with_those_before_it_is_lost_with_its_daemon(shelf: Shelf) -> None:
    fd = document()
    call = b'{"method":"io.ndfd.Documents.Convert","parameters":{"document":{"fd":0},"name":"stay"}}\0'
    with Caller(shelf) as caller, Caller(shelf) as marker:
        daemon = Killable(shelf)
        caller.send(b'{"method":"io.ndfd.Ser')
        # Connections are accepted in their order, and what is there is read before what comes later.
        assert marker.is_served()
        # The descriptor comes with the end of the one call, though it is the other's.
        caller.send(b'vice.GetStatus"}\0' + call, fd)
        os.close(fd)
        assert "version" in caller.reply()["parameters"]
        daemon.wait_for("stay")
        daemon.kill()
        with next_daemon(shelf):
            assert caller.is_closed()


def test_connections_beyond_the_limits_are_not_taken_up(shelf: Shelf) -> None:
    with Caller(shelf) as one, Caller(shelf) as two:
        with next_daemon(shelf):
            assert one.is_served()
            assert two.is_served()
        with next_daemon(shelf, connections_max=1) as doors:
            assert doors.varlink.connections == 1
            answers = [caller.reply() for caller in (one, two) if caller.is_refused()]
            assert [answer["parameters"]["code"] for answer in answers] == ["try-again"]
        assert shelf.names().count(KEPT) == 1


def test_a_refused_connection_is_not_kept(shelf: Shelf) -> None:
    with next_daemon(shelf, connections_max=1), Caller(shelf) as one, Caller(shelf) as two:
        assert one.is_served()
        assert two.reply()["parameters"]["code"] == "try-again"
        assert two.is_closed()
        assert shelf.names().count(KEPT) == 1
