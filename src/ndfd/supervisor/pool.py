"""The pool: a set number of workers, a queue before them, and what becomes of both.

Everything happens in the event loop, on events: a frame, a process's end, a timer, a call. Nothing is polled.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator

import structlog

from ndfd.errors import (
    ConversionTimeout,
    NdfdError,
    ShuttingDown,
    UsageError,
    WorkerProtocolError,
    WorkerStartFailed,
)
from ndfd.model.conversion import ConvertOptions
from ndfd.model.crash import CrashReport
from ndfd.model.status import EngineStatus, WorkerState
from ndfd.protocol import frames
from ndfd.supervisor.assignment import Waiting, assign
from ndfd.supervisor.back_off import BackOff
from ndfd.supervisor.blame import blame, crash_report, is_final
from ndfd.supervisor.conversion import Conversion, OfJob, OnPage, Result
from ndfd.supervisor.pooled_worker import PooledWorker
from ndfd.supervisor.snapshot import Snapshot
from ndfd.supervisor.spawner import Clock, End, Spawner, Timer, Worker
from ndfd.supervisor.staffing import PoolLimits, surplus, to_retire, wanted, worn_out
from ndfd.supervisor.states import Action, Event

_log = structlog.get_logger(__name__)

#: Seconds that `stop` waits for killed workers: the kernel ends them in milliseconds, unless one hangs in it (a dead
#: network file system), which nobody can end.
_STOP_WAIT_S = 5.0


class Pool:
    """Made within the event loop that all its calls come from. Call `start` first and `stop` last."""

    def __init__(
        self,
        spawner: Spawner,
        limits: PoolLimits,
        clock: Clock | None = None,
        numbers: Iterator[int] | None = None,
        on_crash: Callable[[CrashReport], None] | None = None,
    ) -> None:
        """`numbers` are those that its workers get, which the pools of one daemon share; `on_crash` is told of each
        that a document ended."""
        self._spawner = spawner
        self._limits = limits
        self._numbers = itertools.count(1) if numbers is None else numbers
        self._on_crash = on_crash
        self._clock: Clock = clock or asyncio.get_running_loop()
        self._engine: EngineStatus | None = None
        self._workers: dict[int, PooledWorker] = {}
        self._waiting: deque[Conversion] = deque()
        self._spawning: set[asyncio.Task[Worker]] = set()
        self._conversions_made = 0
        #: Conversions taken on and not ended.
        self._in_flight = 0
        self._back_off = BackOff()
        self._retry: Timer | None = None
        self._start_error: NdfdError | None = None
        self._winding_down = False
        self._closing = False
        self._stopping = False
        self._unchanged: asyncio.Future[None] | None = None
        self._succeeded = self._failed = self._pages = 0

    # What callers do

    async def start(self) -> EngineStatus:
        """Returns when every worker has been started or could not be; `WorkerStartFailed` when none could."""
        self._engine = await self._spawner.start()
        self._fill()
        while any(worker.process is None for worker in self._workers.values()):
            await self._change()
        if not self._workers:
            error = self._start_error or WorkerStartFailed("no worker could be started")
            await self.stop()
            raise error
        return self._engine

    async def convert(
        self, document_fd: int, options: ConvertOptions, *, uid: int, on_page: OnPage | None = None
    ) -> Result:
        """Converts the document behind `document_fd`, which stays the caller's and must stay open until the return.

        `options.deadline_s` is set: which deadline holds is decided before. `on_page` is called for each finished page,
        from the event loop, never after the return. The result's descriptor is the caller's to close. Fails with the
        errors of `ndfd.errors`; `Busy` when no worker was free before the deadline. Cancelling ends the work: the
        worker is killed and replaced.
        """
        if self._closing:
            raise ShuttingDown("the daemon is stopping and takes no new documents")
        deadline_s, now = options.deadline_s, self._clock.time()
        assert deadline_s is not None, "a conversion without a deadline"
        self._conversions_made += 1
        conversion = Conversion(self._conversions_made, document_fd, options, uid, on_page, deadline_s, now)
        try:
            frames.encode(conversion.job(now, self._limits.cpu_s))
        except ValueError as error:
            raise UsageError(f"the options are too long: {error}") from error
        timer = self._clock.call_later(deadline_s, self._due, conversion)
        self._in_flight += 1
        self._waiting.append(conversion)
        try:
            self._fill()
            self._dispatch()
            result = await conversion.outcome
        except BaseException as error:
            self._failed += 1
            conversion.discard()
            self._withdraw(conversion, error)
            raise
        finally:
            timer.cancel()
            conversion.let_go()
            self._in_flight -= 1
            self._retire_surplus()
            self._changed()
        self._succeeded += 1
        self._pages += result.report.pages
        return result

    def snapshot(self) -> Snapshot:
        """Reads the memory of each worker from the system, so is not free: some 20 microseconds a worker."""
        now = self._clock.time()
        return Snapshot(
            engine=self._engine,
            workers=tuple(worker.status(now) for worker in self._workers.values()),
            queued=len(self._waiting),
            succeeded=self._succeeded,
            failed=self._failed,
            pages=self._pages,
            warnings=() if self._start_error is None else (f"no worker can be started: {self._start_error}",),
        )

    def reconfigure(self, limits: PoolLimits) -> None:
        """`limits` hold from now on; no conversion is lost by it.

        Missing workers are started, each beside those on their way out only when one of them has ended: there are
        never more processes than the higher of both numbers. Surplus ones end at once, or with their conversion.
        """
        self._limits = limits
        for worker in [each for each in self._workers.values() if each.state is WorkerState.IDLE]:
            if worker.served >= limits.jobs_per_worker:
                self._apply(worker, Event.CONDEMNED)
        self._fill()
        self._retire_surplus()

    def wind_down(self) -> None:
        """From now on there are no more workers than conversions, but always one: for a pool that another one follows.

        `convert` works as before for whoever still holds this pool. `stop` ends it.
        """
        self._winding_down = True
        self._retire_surplus()

    async def drain(self) -> None:
        """Takes no new conversion from now on (`ShuttingDown`); returns when none waits or runs."""
        self._closing = True
        while self._in_flight:
            await self._change()

    async def stop(self) -> None:
        """Fails what waits and what runs (`ShuttingDown`), ends every process; returns when they have ended."""
        self._closing = self._stopping = True
        if self._retry is not None:
            self._retry.cancel()
        for conversion in self._waiting:
            conversion.fail(ShuttingDown("the daemon stops before a worker was free"))
        self._waiting.clear()
        for worker in list(self._workers.values()):
            if worker.conversion is not None:
                worker.conversion.fail(ShuttingDown(f"the daemon stops {worker.conversion.where()}"))
                worker.conversion = None
            self._apply(worker, Event.CONDEMNED)
        for task in self._spawning:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WAIT_S):
                while self._workers:
                    await self._change()
        await self._spawner.close()

    # The queue

    def _dispatch(self) -> None:
        idle = sorted(
            (worker for worker in self._workers.values() if worker.state is WorkerState.IDLE),
            key=lambda worker: worker.since,
        )
        busy = sum(worker.state is WorkerState.BUSY for worker in self._workers.values())
        plan = assign(
            (Waiting(conversion.uid, fresh=conversion.death is not None) for conversion in self._waiting),
            (worker.idle() for worker in idle),
            coming=self._wanted() - len(idle) - busy,
        )
        given = [(self._waiting[position], self._workers[number]) for position, number in plan.give.items()]
        for conversion, worker in given:
            self._give(conversion, worker)
        for number in plan.replace:
            self._apply(self._workers[number], Event.CONDEMNED)

    def _give(self, conversion: Conversion, worker: PooledWorker) -> None:
        assert worker.process is not None
        try:
            worker.process.send(conversion.job(self._clock.time(), self._limits.cpu_s), conversion.document_fd)
        except OSError as error:
            # It has died and its end is not told yet; the document was not the cause, and goes to the next one.
            _log.warning("a worker took no job: it is replaced", worker=worker.number, reason=str(error))
            self._apply(worker, Event.CONDEMNED)
        else:
            self._waiting.remove(conversion)
            worker.uid, worker.conversion = conversion.uid, conversion
            self._apply(worker, Event.ENGAGED)

    def _due(self, conversion: Conversion) -> None:
        if conversion in self._waiting:
            conversion.fail(conversion.overdue())
        else:
            conversion.fail(conversion.timeout())

    def _withdraw(self, conversion: Conversion, error: BaseException) -> None:
        """Takes a conversion that has failed from wherever it is; a worker that is still at it is killed."""
        if conversion in self._waiting:
            self._waiting.remove(conversion)
        for worker in self._workers.values():
            if worker.conversion is conversion:
                _log.info("a worker is killed", worker=worker.number, reason=type(error).__name__)
                if isinstance(error, ConversionTimeout):
                    self._report(error, conversion, worker, End(None))
                worker.conversion = None
                self._apply(worker, Event.CONDEMNED)
                return

    # The workers

    def _wanted(self) -> int:
        return wanted(self._limits, self._in_flight, winding_down=self._winding_down)

    def _retire_surplus(self) -> None:
        for worker in to_retire(self._workers.values(), self._wanted()):
            self._apply(worker, Event.CONDEMNED)

    def _fill(self) -> None:
        if self._engine is None or self._stopping or self._retry is not None:
            return
        while len(self._workers) < self._wanted():
            worker = PooledWorker(next(self._numbers), self._clock.time(), self._received, self._violated, self._ended)
            self._workers[worker.number] = worker
            task = asyncio.create_task(self._spawner.spawn(worker.number, worker), name=f"spawn {worker.number}")
            self._spawning.add(task)
            # Not a coroutine around it: one that is cancelled before it first runs would never hear of it.
            task.add_done_callback(functools.partial(self._spawned, worker))

    def _spawned(self, worker: PooledWorker, task: asyncio.Task[Worker]) -> None:
        self._spawning.discard(task)
        if task.cancelled():
            self._apply(worker, Event.NOT_SPAWNED)
        elif (error := task.exception()) is not None:
            _log.error("no worker can be started", worker=worker.number, reason=str(error))
            self._start_error = error if isinstance(error, NdfdError) else WorkerStartFailed(repr(error))
            self._apply(worker, Event.NOT_SPAWNED)
            self._fail_waiting(self._start_error)
        else:
            self._start_error = None
            worker.process = task.result()
            self._apply(worker, Event.SPAWNED)

    def _fail_waiting(self, error: NdfdError) -> None:
        """With no worker left there is nobody to wait for; the next conversion waits for the next attempt."""
        if not self._workers:
            for conversion in self._waiting:
                conversion.fail(WorkerStartFailed(str(error), hint=error.hint))
            self._waiting.clear()

    def _apply(self, worker: PooledWorker, event: Event) -> None:
        action = worker.apply(event, self._clock.time())
        if worker.state is WorkerState.DEAD:
            del self._workers[worker.number]
        match action:
            case Action.KILL:
                assert worker.process is not None
                worker.process.kill()
            case Action.OFFER:
                self._dispatch()
            case Action.REPLACE | Action.BLAME:
                self._fill()
            case Action.BACK_OFF:
                self._refill_later()
            case Action.NOTHING:
                pass
        self._changed()

    def _refill_later(self) -> None:
        if self._retry is None and not self._stopping:
            self._retry = self._clock.call_later(self._back_off.next_s(), self._refill)

    def _refill(self) -> None:
        self._retry = None
        self._fill()

    def _received(self, worker: PooledWorker, frame: frames.FromWorker, descriptors: tuple[int, ...]) -> None:
        conversion = worker.conversion
        if isinstance(frame, frames.Violation):
            for fd in descriptors:
                os.close(fd)
            self._denied(worker, frame.call)
            return
        if conversion is None:
            for fd in descriptors:
                os.close(fd)
            self._violated(worker, WorkerProtocolError("it speaks without a job"))
            return
        try:
            last = conversion.take(frame, descriptors)
        except WorkerProtocolError as error:
            self._violated(worker, error)
        except Exception as error:  # noqa: BLE001 - of the caller's on_page: it gets its own fault back
            conversion.fail(error)
        else:
            if last:
                self._answered(worker, frame)

    def _denied(self, worker: PooledWorker, call: int) -> None:
        """It ends by itself, if it spoke the truth; that it is being ended, its end tells."""
        assert worker.process is not None
        worker.denied_call = call
        worker.process.kill()

    def _answered(self, worker: PooledWorker, frame: OfJob) -> None:
        worker.conversion = None
        worker.served += 1
        self._back_off.reset()
        too_many = surplus(self._workers.values(), self._wanted()) > 0
        if (reason := worn_out(worker, frame, self._limits, too_many=too_many)) is not None:
            _log.info("a worker is replaced", worker=worker.number, reason=reason)
            self._apply(worker, Event.CONDEMNED)
        else:
            self._apply(worker, Event.ANSWERED)

    def _violated(self, worker: PooledWorker, error: WorkerProtocolError) -> None:
        _log.error("a worker broke the protocol: it is killed", worker=worker.number, reason=str(error))
        if worker.conversion is not None:
            where = f"the worker broke the protocol {worker.conversion.where()}: {error}"
            self._died(worker, worker.conversion, WorkerProtocolError(where, page=worker.conversion.page), End(None))
        self._apply(worker, Event.CONDEMNED)
        self._dispatch()

    def _ended(self, worker: PooledWorker, end: End) -> None:
        if worker.conversion is not None:
            error = blame(worker.conversion, end, worker.denied_call)
            _log.error("a worker crashed", worker=worker.number, reason=str(error))
            self._died(worker, worker.conversion, error, end)
        elif worker.state is WorkerState.IDLE:
            _log.error("an idle worker ended", worker=worker.number, exit_code=end.exit_code)
        self._apply(worker, Event.ENDED)
        self._dispatch()

    def _died(self, worker: PooledWorker, conversion: Conversion, error: NdfdError, end: End) -> None:
        """Its worker is lost; it comes before all that wait, for it waited before them."""
        worker.conversion = None
        self._report(error, conversion, worker, end)
        if is_final(error):
            conversion.fail(error)
        elif conversion.died(error):
            self._waiting.appendleft(conversion)

    def _report(self, error: NdfdError, conversion: Conversion, worker: PooledWorker, end: End) -> None:
        if self._on_crash is not None and self._engine is not None:
            report = crash_report(error, conversion, worker, end, self._engine.name)
            if report is not None:
                self._on_crash(report)

    async def _change(self) -> None:
        """Returns after the next change of any worker or conversion."""
        if self._unchanged is None:
            self._unchanged = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._unchanged)

    def _changed(self) -> None:
        if self._unchanged is not None:
            self._unchanged.set_result(None)
            self._unchanged = None
