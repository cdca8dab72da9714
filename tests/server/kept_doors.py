"""The Varlink door under a manager that keeps descriptors: in this process, and in one that can be killed."""

from __future__ import annotations

import array
import asyncio
import contextlib
import importlib
import multiprocessing
import os
import select
import signal
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing import forkserver, resource_tracker
from pathlib import Path

from ndfd.model.configuration import ReloadReport
from ndfd.model.conversion import ConvertOptions, OnPage
from ndfd.platform import PassedDescriptor
from ndfd.protocol.varlink_interfaces import INTERFACES, ServiceInfo
from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoorLimits
from ndfd.server.keeping import Keeper
from ndfd.server.varlink_door import VarlinkDoor
from ndfd.supervisor.task import never, nothing
from tests.server.doors import LIMITS, Doors, ScriptedConversions, listening
from tests.server.results import Result

#: Forks in milliseconds, from a process without threads.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.server.kept_doors"])


def end_helpers() -> None:
    """Ends what multiprocessing leaves running beside this process, whose children other tests count."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


class Shelf:
    """Plays the manager: has the listening socket, and keeps what it is sent."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.listener = listening(directory / "ndfd.sock")
        self._inbox, self.outbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._inbox.setblocking(False)
        self._kept: list[tuple[str, int]] = []

    def names(self) -> list[str]:
        """What it has, after it has dropped what is hung up."""
        self._collect()
        return [name for name, _ in self._kept]

    def passed(self) -> tuple[PassedDescriptor, ...]:
        """What the next daemon gets; it stays here as well."""
        self._collect()
        return tuple(PassedDescriptor(name, os.dup(fd)) for name, fd in self._kept)

    def store(self, name: str, fds: Sequence[int]) -> bool:
        """As `ServiceManager.store`, for a daemon in this process."""
        return stored(self.outbox, name, fds)

    def close(self) -> None:
        self._collect()
        for _, fd in self._kept:
            os.close(fd)
        for sock in (self.listener, self._inbox, self.outbox):
            sock.close()

    def _collect(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                name, fds, _, _ = socket.recv_fds(self._inbox, 100, 253)
                self._kept += [(name.decode(), fd) for fd in fds]
        poll = select.poll()
        for _, fd in self._kept:
            poll.register(fd, 0)
        gone = {fd for fd, _ in poll.poll(0)}
        for fd in gone:
            os.close(fd)
        self._kept = [(name, fd) for name, fd in self._kept if fd not in gone]


def stored(outbox: socket.socket, name: str, fds: Sequence[int]) -> bool:
    """Sends descriptors to a shelf."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
    try:
        outbox.sendmsg([name.encode()], [rights], socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return True


class KeptDoors(Doors):
    """`Doors` of which the Varlink one is kept, and the other closed."""

    def __init__(
        self,
        directory: Path,
        listener: socket.socket,
        store: Callable[[str, Sequence[int]], bool],
        passed: Iterable[PassedDescriptor] = (),
        **door: float,
    ) -> None:
        super().__init__(directory, DoorLimits(**door), HttpDoorLimits(), LIMITS)  # type: ignore[arg-type]
        self.keeper = Keeper(store, passed, self._loop.call_later)
        self.varlink = VarlinkDoor(self.serving, ServiceInfo("", "ndfd", "", "", INTERFACES), self.keeper)
        self._listener = listener

    def call(self, step: Callable[[], None]) -> None:
        """Calls it in the doors' loop."""
        self.run(_called(step))

    def wait_connections(self, number: int) -> None:
        """Returns when so many connections are open."""
        self.run(self._connections(number))

    def wait_touched(self, number: int) -> None:
        """Returns when so many connections cannot be taken up."""
        self.run(self._touched(number))

    async def _start(self) -> None:
        self.varlink.start(self._listener.dup())

    async def _stop(self) -> None:
        await self.varlink.stop(0.1)

    async def _connections(self, number: int) -> None:
        while self.varlink.connections != number:
            await asyncio.sleep(0)

    async def _touched(self, number: int) -> None:
        while number != sum(not each._stream._kept.settled for each in self.varlink._connections.values()):  # type: ignore[attr-defined]
            await asyncio.sleep(0)


async def _called(step: Callable[[], None]) -> None:
    step()


@contextlib.contextmanager
def next_daemon(shelf: Shelf, **door: float) -> Iterator[KeptDoors]:
    """A daemon in this process, which takes up what the shelf has."""
    with KeptDoors(shelf.directory, shelf.listener, shelf.store, shelf.passed(), **door).open() as doors:
        yield doors


class Killable:
    """A daemon in a process of its own. Conversions of documents called `stay…` do not end, nor do reloads."""

    def __init__(self, shelf: Shelf, dies: str = "", **door: float) -> None:
        """`dies` is "before MODULE NAMES NUMBER", or "after …": of which call the process dies, from 1."""
        self._log, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log.settimeout(20)
        args = (shelf.directory, shelf.listener, shelf.outbox, theirs, dies, door)
        self._process = _PROCESSES.Process(target=_serve, args=args, daemon=True)
        self._process.start()
        theirs.close()
        self.wait_for("ready")

    def wait_for(self, what: str) -> None:
        """Until a document of this name is being converted, or "reload"."""
        assert self._log.recv(100) == what.encode()

    def freeze(self) -> None:
        """It does nothing any more; the kernel still takes what its callers send."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self.died()

    def died(self) -> None:
        """Waits for its end."""
        self._process.join(20)
        assert self._process.exitcode == -signal.SIGKILL
        self._process.close()
        self._log.close()


class _Staying(ScriptedConversions):
    def __init__(self, log: socket.socket) -> None:
        super().__init__()
        self._log = log

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
        name = options.name or ""
        self._log.send(name.encode())
        if name.startswith("stay"):
            await self._hang()
        return await super().convert(document_fd, options, uid=uid, on_page=on_page)


def _serve(
    directory: Path,
    listener: socket.socket,
    outbox: socket.socket,
    log: socket.socket,
    dies: str,
    door: dict[str, float],
) -> None:
    def store(name: str, fds: Sequence[int]) -> bool:
        return stored(outbox, name, fds)

    doors = KeptDoors(directory, listener, store, **door)
    doors.conversions = _Staying(log)
    doors.serving.current = doors.generation(1, door=doors.serving.current.door)

    async def reload(*, dry_run: bool) -> ReloadReport:
        log.send(b"reload")
        await doors.conversions._hang()
        raise AssertionError

    doors.configurations.reload = reload  # type: ignore[method-assign]
    with doors.open():
        if dies:
            _die(*dies.split())
        log.send(b"ready")
        signal.pause()


def _die(when: str, module: str, names: str, number: str) -> None:
    *owners, name = names.split(".")
    owner: object = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    call, calls = getattr(owner, name), 0

    def deadly(*args: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == int(number) and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*args, **named)
        if calls == int(number) and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)
