"""The pool: workers, a queue before them, and what becomes of both.

Everything happens in the event loop, on events: a frame, a process's end, a timer, a call. Nothing is polled.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator

import structlog

from ndfd import platform
from ndfd.errors import ConversionTimeout, NdfdError, ShuttingDown, WorkerProtocolError, WorkerStartFailed
from ndfd.model.conversion import ConvertOptions, OnPage
from ndfd.model.crash import CrashReport
from ndfd.model.status import EngineStatus, WorkerState
from ndfd.protocol import frames
from ndfd.supervisor import progress
from ndfd.supervisor.assignment import Assignment, assign, may_take
from ndfd.supervisor.autoscaler import Autoscaler
from ndfd.supervisor.blame import blame, crash_report, is_final
from ndfd.supervisor.breaker import Breaker
from ndfd.supervisor.changes import Changes
from ndfd.supervisor.conversion import Conversion, OfJob, Result
from ndfd.supervisor.launcher import Launcher
from ndfd.supervisor.pooled_worker import PooledWorker
from ndfd.supervisor.renewal import Renewal
from ndfd.supervisor.snapshot import Load, Snapshot
from ndfd.supervisor.spawner import Clock, End, Spawner
from ndfd.supervisor.staffing import PoolLimits, idle_for_work, outlived, spares, surplus, to_retire, worn_out
from ndfd.supervisor.states import Action, Event
from ndfd.supervisor.task import WHOLE, Task
from ndfd.supervisor.zygote_process import ending

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
        pressure: Callable[[], platform.Pressure | None] = platform.pressure,
    ) -> None:
        """`numbers` are those that its workers get, which the pools of one daemon share; `on_crash` is told of each
        that a document ended."""
        self._spawner = spawner
        self._limits = limits
        self._numbers = itertools.count(1) if numbers is None else numbers
        self._on_crash = on_crash
        self._clock: Clock = clock or asyncio.get_running_loop()
        #: That its workers run; None before the start.
        self.engine: EngineStatus | None = None
        self._workers: dict[int, PooledWorker] = {}
        self._waiting: deque[Conversion] = deque()
        self._launcher = Launcher(spawner, self._apply)
        self._conversions_made = 0
        #: Conversions taken on and not ended.
        self._in_flight = 0
        self._scaling = Autoscaler(limits, self._clock, pressure, self._rescale)
        self._breaker = Breaker(self._clock, self._rescale)
        self._closing = False
        self._stopping = False
        self._changes = Changes()
        self._renewal = Renewal(self._workers, self._places, self._changes)

    # What callers do

    async def start(self) -> EngineStatus:
        """Returns when every worker has been started or could not be; `WorkerStartFailed` when none could.

        A pool that has none while it is idle starts none.
        """
        self.engine = await self._spawner.start()
        self._rescale()
        while any(worker.process is None for worker in self._workers.values()):
            await self._changes.next()
        if not self._workers and self._limits.workers_min > 0:
            error = self._launcher.error or WorkerStartFailed("no worker could be started")
            await self.stop()
            raise error
        return self.engine

    async def convert(
        self, document_fd: int, options: ConvertOptions, *, uid: int, on_page: OnPage | None = None, task: Task = WHOLE
    ) -> Result:
        """Converts the document behind `document_fd`, which stays the caller's and must stay open until the return.

        `options.deadline_s` is set: which deadline holds is decided before. `on_page` is called for each finished page,
        from the event loop, never after the return. The result's descriptor is the caller's to close. Fails with the
        errors of `ndfd.errors`; `Busy` when no worker was free before the deadline, `SwarmCircuitOpen` when none can be
        had. Cancelling ends the work: the worker is killed and replaced. `task` asks for a part of the work; `TooLong`
        comes only where it allows that answer.
        """
        if self._closing:
            raise ShuttingDown("the daemon is stopping and takes no new documents")
        deadline_s, now = options.deadline_s, self._clock.time()
        assert deadline_s is not None, "a conversion without a deadline"
        self._conversions_made += 1
        conversion = Conversion(self._conversions_made, document_fd, options, uid, on_page, deadline_s, now, task)
        conversion.require_sendable(now, self._limits.cpu_s)
        timer = self._clock.call_later(deadline_s, self._due, conversion)
        self._in_flight += 1
        self._waiting.append(conversion)
        try:
            self._rescale()
            self._dispatch()
            result = await conversion.outcome
        except BaseException as error:
            conversion.discard()
            self._withdraw(conversion, error)
            raise
        finally:
            timer.cancel()
            conversion.let_go()
            self._in_flight -= 1
            self._rescale()
            self._changes.tell()
        return result

    def snapshot(self) -> Snapshot:
        """Reads the memory of each worker from the system, so is not free: some 20 microseconds a worker."""
        now = self._clock.time()
        return Snapshot(
            engine=self.engine,
            workers=tuple(worker.status(now) for worker in self._workers.values()),
            queued=len(self._waiting),
            available=self._breaker.is_closed or any(worker.is_ready for worker in self._workers.values()),
            warnings=() if (says := self._breaker.says()) is None else (says,),
        )

    def load(self) -> Load:
        """How much is going on, which costs nothing to know."""
        return progress.load(self._workers.values(), len(self._waiting), self._breaker.says())

    def stuck(self) -> str | None:
        """Why nothing goes on although it should; None while all is well."""
        return progress.stuck(self._workers.values(), self._waiting, self._pairs(self._plan()), self._clock.time())

    def reconfigure(self, limits: PoolLimits) -> None:
        """`limits` hold from now on; no conversion is lost by it.

        Missing workers are started, each beside those on their way out only when one of them has ended: there are
        never more processes than the higher of both numbers. Surplus ones end at once, or with their conversion.
        """
        former, self._limits = self._limits, limits
        self._scaling.reconfigure(limits)
        for worker in outlived(self._workers.values(), former, limits):
            self._apply(worker, Event.RETIRED)
        self._rescale()
        self._dispatch()

    async def renew(self) -> int:
        """Replaces every worker that there is, one by one: returns their number when those in their places are ready.

        Never are fewer ready than before by more than one, and no conversion is lost by it: a busy worker goes when it
        has answered. `ShuttingDown` when the pool stops meanwhile; cancelling leaves those that were not reached.
        """
        renewed = await self._renewal.run(lambda worker: self._apply(worker, Event.RETIRED))
        if self._stopping:
            raise ShuttingDown("the daemon stops before every worker was replaced")
        return renewed

    def wind_down(self) -> None:
        """From now on there are no more workers than conversions, but always one: for a pool that another one follows.

        `convert` works as before for whoever still holds this pool. `stop` ends it.
        """
        self._scaling.wind_down()
        self._rescale()

    async def drain(self) -> None:
        """Takes no new conversion from now on (`ShuttingDown`); returns when none waits or runs."""
        self._closing = True
        while self._in_flight:
            await self._changes.next()

    async def stop(self) -> None:
        """Fails what waits and what runs (`ShuttingDown`), ends every process; returns when they have ended."""
        self._closing = self._stopping = True
        self._scaling.stop()
        self._breaker.stop()
        for conversion in self._waiting:
            conversion.fail(ShuttingDown("the daemon stops before a worker was free"))
        self._waiting.clear()
        for worker in list(self._workers.values()):
            if worker.conversion is not None:
                worker.conversion.fail(ShuttingDown(f"the daemon stops {worker.conversion.where()}"))
                worker.conversion = None
            self._apply(worker, Event.CONDEMNED)
        self._launcher.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WAIT_S):
                while self._workers:
                    await self._changes.next()
        await self._spawner.close()

    # The queue

    def _plan(self) -> Assignment:
        idle = sorted(
            (worker for worker in self._workers.values() if worker.state is WorkerState.IDLE),
            key=lambda worker: worker.since,
        )
        busy = sum(worker.state in (WorkerState.BUSY, WorkerState.DRAINING) for worker in self._workers.values())
        return assign(
            (conversion.waiting() for conversion in self._waiting),
            (worker.idle() for worker in idle[: idle_for_work(self._limits, self._wanted(), self._workers.values())]),
            coming=self._places() - len(idle) - busy,
            reuse=self._limits.reuse,
        )

    def _pairs(self, plan: Assignment) -> list[tuple[Conversion, PooledWorker]]:
        return [(self._waiting[position], self._workers[number]) for position, number in plan.give.items()]

    def _dispatch(self) -> None:
        plan = self._plan()
        for conversion, worker in self._pairs(plan):
            self._give(conversion, worker)
        # While the circuit is open nobody would come in its place.
        for number in plan.replace if self._breaker.is_closed else ():
            self._apply(self._workers[number], Event.CONDEMNED)

    def _give(self, conversion: Conversion, worker: PooledWorker) -> None:
        assert worker.process is not None
        try:
            worker.process.send(conversion.job(self._clock.time(), self._limits.cpu_s), *conversion.descriptors)
        except OSError as error:
            # It has died and its end is not told yet; the document was not the cause, and goes to the next one.
            _log.warning("a worker took no job: it is replaced", worker=worker.number, reason=str(error))
            self._apply(worker, Event.CONDEMNED)
        else:
            self._waiting.remove(conversion)
            worker.uid, worker.conversion = conversion.uid, conversion
            conversion.task.on_worker()
            self._scaling.begun(self._clock.time() - conversion.asked_at)
            self._apply(worker, Event.ENGAGED)

    def _due(self, conversion: Conversion) -> None:
        conversion.fail(conversion.overdue() if conversion in self._waiting else conversion.timeout())

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
        # A circuit that is open closes only by a worker on trial, even where none is wanted otherwise.
        return self._scaling.wanted if self._breaker.is_closed else max(self._scaling.wanted, 1)

    def _places(self) -> int:
        return self._wanted() + spares(self._limits, self._wanted())

    def _rescale(self) -> None:
        """After every change of what there is to do, or of what may be had."""
        if self.engine is None or self._stopping:
            return
        waited_s = self._clock.time() - self._waiting[0].asked_at if self._waiting else 0.0
        self._scaling.decide(self._in_flight, len(self._waiting), waited_s)
        self._fill()
        for worker in to_retire(self._workers.values(), self._places()):
            self._apply(worker, Event.RETIRED)

    def _fill(self) -> None:
        if self.engine is None or self._stopping:
            return
        for _ in range(self._breaker.startable(self._places() - len(self._workers), self._workers.values())):
            worker = PooledWorker(next(self._numbers), self._clock.time(), self._received, self._violated, self._ended)
            self._workers[worker.number] = worker
            self._launcher.launch(worker)
        self._fail_stranded()

    def _fail_stranded(self) -> None:
        """While the circuit is open nobody waits for a worker that may not come: only for those that there are."""
        if self._breaker.is_closed:
            return
        ready = [worker.idle() for worker in self._workers.values() if worker.is_ready]
        for conversion in list(self._waiting):
            if not any(may_take(each, conversion.waiting(), self._limits.reuse) for each in ready):
                self._waiting.remove(conversion)
                conversion.fail(self._breaker.error())

    def _apply(self, worker: PooledWorker, event: Event) -> None:
        action = worker.apply(event, self._clock.time())
        if worker.state is WorkerState.DEAD:
            del self._workers[worker.number]
        if worker.uid is not None and event is not Event.ENGAGED:
            self._breaker.proved(worker)
        match action:
            case Action.KILL:
                assert worker.process is not None
                worker.process.kill()
            case Action.OFFER:
                if event is Event.SPAWNED:
                    self._breaker.started(worker)
                self._dispatch()
            case Action.REPLACE | Action.BLAME:
                self._fill()
            case Action.BACK_OFF:
                # After its first document whatever ends it may be the document's doing.
                if worker.uid is None:
                    self._breaker.failed(worker.cause)
                self._fill()
            case Action.NOTHING:
                pass
        self._changes.tell()

    def _received(self, worker: PooledWorker, frame: frames.FromWorker, descriptors: tuple[int, ...]) -> None:
        conversion = worker.conversion
        if conversion is None or isinstance(frame, frames.Violation):
            for fd in descriptors:
                os.close(fd)
            if isinstance(frame, frames.Violation):
                # It ends by itself, if it spoke the truth; that it is being ended, its end tells.
                assert worker.process is not None
                worker.denied_call = frame.call
                worker.process.kill()
            else:
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

    def _answered(self, worker: PooledWorker, frame: OfJob) -> None:
        worker.conversion = None
        worker.served += 1
        too_many = surplus(self._workers.values(), self._places()) > 0
        worn = worn_out(worker, frame, self._limits, too_many=too_many)
        if (reason := "it is renewed" if self._renewal.is_due(worker) else worn) is not None:
            _log.info("a worker is replaced", worker=worker.number, reason=reason)
            self._apply(worker, Event.CONDEMNED)
        else:
            self._apply(worker, Event.ANSWERED)

    def _violated(self, worker: PooledWorker, error: WorkerProtocolError) -> None:
        _log.error("a worker broke the protocol: it is killed", worker=worker.number, reason=str(error))
        if worker.conversion is not None:
            where = f"the worker broke the protocol {worker.conversion.where()}: {error}"
            self._died(worker, worker.conversion, WorkerProtocolError(where, page=worker.conversion.page), End(None))
        elif worker.uid is None:
            self._breaker.failed(str(error))
        self._apply(worker, Event.CONDEMNED)
        self._dispatch()

    def _ended(self, worker: PooledWorker, end: End) -> None:
        if worker.conversion is not None:
            error = blame(worker.conversion, end, worker.denied_call)
            _log.error("a worker crashed", worker=worker.number, reason=str(error))
            self._died(worker, worker.conversion, error, end)
        elif worker.state is WorkerState.IDLE:
            worker.cause = f"an idle worker {ending(end.exit_code)}"
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
        report = crash_report(error, conversion, worker, end, self.engine)
        if report is not None and self._on_crash is not None:
            self._on_crash(report)
