"""Workers on their way: asked of the spawner, and told of when they are there, or will not be."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

import structlog

from ndfd.errors import NdfdError, WorkerStartFailed
from ndfd.supervisor.pooled_worker import PooledWorker
from ndfd.supervisor.spawner import Spawner, Worker
from ndfd.supervisor.states import Event
from ndfd.supervisor.zygote_process import ending

_log = structlog.get_logger(__name__)


class Launcher:
    """`tell` hears SPAWNED or NOT_SPAWNED of each worker once."""

    def __init__(self, spawner: Spawner, tell: Callable[[PooledWorker, Event], None]) -> None:
        self._spawner = spawner
        self._tell = tell
        self._tasks: set[asyncio.Task[Worker]] = set()
        #: Why the last one that could not be started could not.
        self.error: NdfdError | None = None

    def launch(self, worker: PooledWorker) -> None:
        """Asks for its process."""
        task = asyncio.create_task(self._spawner.spawn(worker.number, worker), name=f"spawn {worker.number}")
        self._tasks.add(task)
        # Not a coroutine around it: one that is cancelled before it first runs would never hear of it.
        task.add_done_callback(functools.partial(self._launched, worker))

    def cancel(self) -> None:
        """Gives up those that are not there yet."""
        for task in self._tasks:
            task.cancel()

    def _launched(self, worker: PooledWorker, task: asyncio.Task[Worker]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            self._tell(worker, Event.NOT_SPAWNED)
        elif (error := task.exception()) is not None:
            _log.error("no worker can be started", worker=worker.number, reason=str(error))
            self.error = error if isinstance(error, NdfdError) else WorkerStartFailed(repr(error))
            worker.cause = str(error)
            self._tell(worker, Event.NOT_SPAWNED)
        elif worker.early_end is not None:
            worker.cause = f"a worker {ending(worker.early_end.exit_code)} as soon as it was started"
            _log.error("a worker ended at once", worker=worker.number, exit_code=worker.early_end.exit_code)
            self.error = WorkerStartFailed(worker.cause)
            self._tell(worker, Event.NOT_SPAWNED)
        else:
            worker.process = task.result()
            self._tell(worker, Event.SPAWNED)
