"""A spawner whose workers are objects: what they say, and when they end, is the test's to decide."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from ndfd.errors import NdfdError, ShuttingDown, WorkerProtocolError
from ndfd.model.process_tuning import TuningState
from ndfd.model.status import EngineStatus
from ndfd.protocol.frames import FromWorker, Job
from ndfd.supervisor.spawner import End, WorkerEvents

#: What a worker does with a job, of which it gets the document's bytes.
Behaviour = Callable[["FakeWorker", Job, bytes], None]

_SIGKILL = 9
#: The address space of each worker.
MEMORY_BYTES = 100_000_000


class FakeWorker:
    """A worker without a process. What it says is heard at once; its end is heard from the event loop, as a real one's.

    `over` may be set by hand for a worker whose end nobody has heard of yet.
    """

    def __init__(self, number: int, events: WorkerEvents, behaviour: Behaviour | None) -> None:
        self.number = number
        self.pid = 100_000 + number
        self.tuning: tuple[TuningState, ...] = ()
        #: What was sent to it.
        self.jobs: list[Job] = []
        self.parts: list[list[bytes]] = []
        self.rss_bytes = 10_000_000
        self.killed = False
        #: That it has come to, for its end.
        self.rss_max_bytes = 10_000_000
        self.over = False
        self._events = events
        self._behaviour = behaviour

    def send(self, job: Job, document_fd: int, *parts: int) -> None:
        """Keeps the job and what its parts hold; BrokenPipeError when the worker has ended."""
        if self.over:
            raise BrokenPipeError("the worker has ended")
        self.jobs.append(job)
        self.parts.append([os.pread(part, os.fstat(part).st_size, 0) for part in parts])
        if self._behaviour is not None:
            document = os.pread(document_fd, os.fstat(document_fd).st_size, 0)
            asyncio.get_running_loop().call_soon(self._behaviour, self, job, document)

    def kill(self) -> None:
        """It ends by SIGKILL, and says nothing more."""
        self.killed = True
        self.end(-_SIGKILL)

    def resident_bytes(self) -> int:
        """`rss_bytes`."""
        return 0 if self.over else self.rss_bytes

    def say(self, frame: FromWorker, *descriptors: int) -> None:
        """It sends a frame, with duplicates of the descriptors."""
        if not self.over:
            self._events.received(frame, tuple(map(os.dup, descriptors)))

    def babble(self) -> None:
        """It sends what is no frame."""
        self._events.violated(WorkerProtocolError("a frame of 3 bytes is malformed"))

    def end(self, exit_code: int | None) -> None:
        """Its process ends."""
        if not self.over:
            self.over = True
            asyncio.get_running_loop().call_soon(self._events.ended, End(exit_code, self.rss_max_bytes, MEMORY_BYTES))


class FakeSpawner:
    """Gives a new `FakeWorker` each time, unless told to refuse."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        #: Every worker there ever was, in order.
        self.workers: list[FakeWorker] = []
        #: Raised instead of giving a worker, while it is set.
        self.refusal: NdfdError | None = None
        #: While it is set, whoever asks for a worker waits.
        self.stuck = False
        self.closed = False
        self._behaviour = behaviour

    async def start(self) -> EngineStatus:
        """At once."""
        return EngineStatus("fake 1", "python")

    async def spawn(self, worker: int, events: WorkerEvents) -> FakeWorker:
        """At once, unless `stuck`."""
        if self.stuck:
            await asyncio.get_running_loop().create_future()
        if self.closed:
            raise ShuttingDown("no worker is started any more")
        if self.refusal is not None:
            raise self.refusal
        self.workers.append(FakeWorker(worker, events, self._behaviour))
        return self.workers[-1]

    async def close(self) -> None:
        """Ends every worker; returns when their ends have been heard."""
        self.closed = True
        for worker in self.workers:
            worker.kill()
        await asyncio.sleep(0)

    @property
    def alive(self) -> list[FakeWorker]:
        """The workers that have not ended."""
        return [worker for worker in self.workers if not worker.over]
