"""The real spawner: keeps one zygote running, and starts another when it ends."""

from __future__ import annotations

import asyncio

import structlog

from ndfd.errors import NdfdError, ShuttingDown, WorkerStartFailed
from ndfd.model.process_tuning import TuningState
from ndfd.model.sandbox import Sandbox
from ndfd.model.status import EngineStatus
from ndfd.supervisor.back_off import LAST_S, BackOff
from ndfd.supervisor.head_start import HeadStart
from ndfd.supervisor.spawner import WorkerEvents
from ndfd.supervisor.worker_output import WorkerOutput
from ndfd.supervisor.worker_process import WorkerProcess
from ndfd.supervisor.zygote_process import ZygoteOptions, ZygoteProcess, ending

__all__ = ["Zygote", "ZygoteOptions"]

_log = structlog.get_logger(__name__)

#: Spawn requests under way at once: each takes about a kilobyte of the channel's buffer, whose usual size is 208 KiB.
_REQUESTS_MAX = 32


class Zygote:
    """Workers outlive the zygote they were forked from: what they convert goes on while the next one starts."""

    def __init__(self, options: ZygoteOptions, first: HeadStart | None = None) -> None:
        """`first` is the first process, taken over."""
        self._options = options
        self._first = first
        self._current: asyncio.Future[ZygoteProcess] | None = None
        self._running: ZygoteProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._sandbox: Sandbox | None = None
        self._tuning: tuple[TuningState, ...] = ()
        self._output: WorkerOutput | None = None
        self._requests = asyncio.Semaphore(_REQUESTS_MAX)

    @property
    def pid(self) -> int | None:
        """Of the zygote that runs now."""
        return None if self._running is None else self._running.pid

    @property
    def sandbox(self) -> Sandbox | None:
        """What confines the workers of the zygote that is or was last ready; None before the first is."""
        return self._sandbox

    @property
    def tuning(self) -> tuple[TuningState, ...]:
        """What came of the knobs of the zygote that is or was last ready, which its workers have from it."""
        return self._tuning

    async def start(self) -> EngineStatus:
        """The first zygote; fails as `ZygoteProcess.ready` does, and nothing is left then."""
        first, self._first = self._first, None
        self._output = WorkerOutput(None if first is None else first.pipe)
        try:
            process = ZygoteProcess(self._options, self._output.fd, None if first is None else first.started)
            engine = await process.ready()
        except BaseException:
            self._output.close()
            raise
        self._running = process
        self._confine_with(process)
        self._current = asyncio.get_running_loop().create_future()
        self._current.set_result(process)
        self._keeper = asyncio.create_task(self._keep(process), name="zygote")
        return engine

    async def spawn(self, worker: int, events: WorkerEvents) -> WorkerProcess:
        """While a new zygote is on its way, waits for it; `WorkerStartFailed` when it does not come.

        One that ends while it is asked is not the last word: the next one is asked, too.
        """
        async with self._requests:
            process = await self._zygote()
            try:
                return await process.spawn(worker, events)
            except WorkerStartFailed:
                if not process.ended.done():
                    raise
            self._forget(process)
            return await (await self._zygote()).spawn(worker, events)

    async def close(self) -> None:
        """Ends the zygote and every worker that it still has."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._current is not None and not self._current.done():
            self._current.set_exception(ShuttingDown("no worker is started any more"))
            self._current.exception()  # It is no fault when nobody waits.
        self._current = None
        if self._running is not None:
            await self._running.close()
            self._running = None
        if self._output is not None:
            self._output.close()

    async def _keep(self, process: ZygoteProcess) -> None:
        back_off = BackOff()
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            exit_code = await asyncio.shield(process.ended)
            if loop.time() - since > LAST_S:
                back_off.reset()
            self._running = None
            self._forget(process)
            _log.error("the zygote ended: another one is started", pid=process.pid, how=ending(exit_code))
            process = await self._restart(back_off)

    async def _restart(self, back_off: BackOff) -> ZygoteProcess:
        while True:
            await asyncio.sleep(back_off.next_s())
            assert self._output is not None
            try:
                process = ZygoteProcess(self._options, self._output.fd)
                self._running = process
                await process.ready()
            except NdfdError as error:
                _log.error("no zygote can be started: tried again later", reason=str(error))
                self._running = None
                self._fail(error)
                continue
            assert self._current is not None
            self._confine_with(process)
            self._current.set_result(process)
            return process

    def _confine_with(self, process: ZygoteProcess) -> None:
        """Each zygote measures anew: what confined the workers of the one before need not be what confines these."""
        if self._sandbox is not None and process.sandbox != self._sandbox:
            _log.warning("workers are confined otherwise than before", sandbox=process.sandbox, before=self._sandbox)
        self._sandbox = process.sandbox
        self._tuning = process.tuning

    def _fail(self, error: NdfdError) -> None:
        """Tells those who wait for a zygote, and lets the next ones wait for the next attempt."""
        assert self._current is not None
        self._current.set_exception(WorkerStartFailed(str(error), hint=error.hint))
        self._current.exception()
        self._current = asyncio.get_running_loop().create_future()

    async def _zygote(self) -> ZygoteProcess:
        if self._current is None:
            raise ShuttingDown("no worker is started any more")
        return await asyncio.shield(self._current)

    def _forget(self, process: ZygoteProcess) -> None:
        """From now on the next one is waited for, whoever noticed first that this one has ended."""
        if self._current is not None and self._current.done() and self._current.result() is process:
            self._current = asyncio.get_running_loop().create_future()
