"""One zygote process: started, asked for workers, heard of their ends, ended."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import structlog

from ndfd import platform
from ndfd.errors import NdfdError, WorkerProtocolError, WorkerStartFailed, error_from_code
from ndfd.model.process_tuning import TuningState
from ndfd.model.sandbox import Confinement, Sandbox
from ndfd.model.status import EngineStatus
from ndfd.platform import Channel, Message
from ndfd.protocol import frames
from ndfd.supervisor.confinement import require
from ndfd.supervisor.fresh_worker import FreshWorker
from ndfd.supervisor.spawner import WorkerEvents
from ndfd.supervisor.worker_process import WorkerProcess

_log = structlog.get_logger(__name__)

#: Seconds a zygote that was asked to end, and only has to end its workers for that, may take until it is killed.
_CLOSE_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class ZygoteOptions:
    """What a zygote is started with."""

    #: Address space of one worker.
    memory_bytes: int
    #: Folders of the fonts for text whose font is not embedded.
    font_dirs: tuple[Path, ...] = ()
    #: The CPUs that it and its workers run on; None for those of this process.
    cpus: frozenset[int] | None = None
    #: Measures of confinement that its workers may lack (`ndfd.model.measures`).
    allow: frozenset[str] = frozenset()
    #: What is added to its nice value, and so to its workers', as far as this process may.
    nice: int = 0
    #: The knobs that it sets for itself and its workers, and what they shall be (`platform.process`).
    tuning: tuple[tuple[str, str], ...] = ()
    #: Those of each worker alone, for one after the other; empty: they have none.
    places: tuple[tuple[tuple[str, str], ...], ...] = ()
    #: Its environment and its workers'; None for this process's.
    environment: Mapping[str, str] | None = None
    #: The program; a frozen daemon names itself here.
    command: tuple[str, ...] = (sys.executable, "-m", "ndfd.worker.zygote")
    #: Seconds until it must be ready: loading takes well under one, on a cold disk some.
    ready_wait_s: float = 60.0
    #: Seconds in which it must fork a worker, which takes milliseconds; one that does not is taken for stuck.
    spawn_wait_s: float = 20.0


@dataclass(slots=True)
class _Request:
    events: WorkerEvents
    answer: asyncio.Future[WorkerProcess]


class Started(NamedTuple):
    """A zygote's process that nobody listens to yet."""

    #: This end of its channel.
    channel: Channel
    process: subprocess.Popen[bytes]
    pidfd: int

    def discard(self) -> None:
        """Ends it."""
        self.channel.close()
        platform.kill(self.pidfd)
        self.process.wait()
        os.close(self.pidfd)


class ZygoteProcess:
    """Runs from its construction, or before, until `ended`. `ready` first."""

    def __init__(self, options: ZygoteOptions, stderr: int | None = None, started: Started | None = None) -> None:
        """`stderr` is the standard error of it and its workers; None for this process's. `started` is taken over."""
        self._options = options
        self._loop = asyncio.get_running_loop()
        #: Its exit code, once it and all it said are at their end.
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self._ready: asyncio.Future[EngineStatus] = self._loop.create_future()
        #: What confines its workers; None before it is ready.
        self.sandbox: Sandbox | None = None
        #: What came of its knobs; empty before it is ready.
        self.tuning: tuple[TuningState, ...] = ()
        self._requests: dict[int, _Request] = {}
        self._fresh: dict[int, FreshWorker] = {}
        self._workers: dict[int, WorkerProcess] = {}
        self._decoder = frames.FrameDecoder[frames.FromZygote](frames.FromZygote)
        self._channel, self._process, self._pidfd = started or start(options, stderr)
        self._channel.setblocking(False)
        self._loop.add_reader(self._channel.fileno(), self._readable)
        self._loop.add_reader(self._pidfd, self._process_over)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def ready(self) -> EngineStatus:
        """Waits until workers can be spawned. The error that the zygote named, or `WorkerStartFailed`: it has ended.

        `SandboxIncomplete` when its workers would lack what they may not lack.
        """
        try:
            async with asyncio.timeout(self._options.ready_wait_s):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            raise WorkerStartFailed(f"the zygote was not ready after {self._options.ready_wait_s:g} s") from None
        finally:
            if not self._ready.done() or self._ready.exception() is not None:
                await self.close()

    async def spawn(self, worker: int, events: WorkerEvents) -> WorkerProcess:
        """A worker that has confined itself, as the kernel confirms.

        `WorkerStartFailed` when it could not, when the fork fails, or when the zygote ends or does not answer.
        """
        request = _Request(events, self._loop.create_future())
        self._requests[worker] = request
        process: WorkerProcess | None = None
        try:
            self._channel.send(frames.encode(frames.Spawn(worker)))
            async with asyncio.timeout(self._options.spawn_wait_s):
                process = await request.answer
        except TimeoutError:
            if worker in self._fresh:
                raise WorkerStartFailed(
                    f"a new worker was not confined after {self._options.spawn_wait_s:g} s"
                ) from None
            self.kill()
            raise WorkerStartFailed(f"the zygote did not answer within {self._options.spawn_wait_s:g} s") from None
        except OSError as error:
            # It is dead already, and its end is not told yet; or it reads nothing any more, and is of no use.
            self.kill()
            await asyncio.wait([self.ended])
            raise WorkerStartFailed(f"the zygote takes no request: {error.strerror}") from error
        finally:
            del self._requests[worker]
            if process is None:
                _disown(request.answer)
                if (fresh := self._fresh.pop(worker, None)) is not None:
                    fresh.give_up()
        return process

    def kill(self) -> None:
        """Ends it at once; its workers go on."""
        if not self.ended.done():
            platform.kill(self._pidfd)

    async def close(self) -> None:
        """Ends it, and every worker that it still has; returns when it has ended."""
        self._stop_listening()
        if not self.ended.done():
            # It reads this end's closing as its own end.
            self._channel.close()
            await asyncio.wait([self.ended], timeout=_CLOSE_WAIT_S)
        self.kill()
        await asyncio.wait([self.ended])

    def _readable(self) -> None:
        try:
            message = self._channel.receive()
            if message is not None:
                self._take(message)
                return
        except BlockingIOError:
            return
        except (WorkerProtocolError, OSError) as error:
            _log.error("the zygote is killed: %s", error)
        self._stop_listening()
        self.kill()

    def _take(self, message: Message) -> None:
        try:
            frame = self._decoder.decode(message.data)
        except WorkerProtocolError:
            message.close_descriptors()
            raise
        if isinstance(frame, frames.Spawned) and len(message.descriptors) in (2, 3):
            self._spawned(frame, *message.descriptors)
            return
        message.close_descriptors()
        self._told(frame)

    def _told(self, frame: frames.FromZygote) -> None:
        match frame:
            case frames.ZygoteReady(engine=engine, sandbox=sandbox, tuning=tuning):
                self.tuning = tuning
                self._loaded(engine, sandbox)
            case frames.ZygoteFailed(code=code, message=text, hint=hint):
                self._fail_ready(error_from_code(code, text, hint=hint))
            case frames.SpawnFailed(worker=worker, reason=reason):
                self._refuse(worker, WorkerStartFailed(f"no worker can be forked: {reason}"))
            case frames.Exited(worker=worker, exit_code=exit_code, rss_max_bytes=rss_max_bytes):
                if (process := self._workers.pop(worker, None)) is not None:
                    process.exited(exit_code, rss_max_bytes)
            case frames.Spawned():
                raise WorkerProtocolError("a new worker came without its descriptors")

    def _loaded(self, engine: EngineStatus, sandbox: Sandbox) -> None:
        if self._ready.done():
            return
        try:
            require(sandbox, self._options.allow)
        except NdfdError as error:
            self._fail_ready(error)
        else:
            self.sandbox = sandbox
            self._ready.set_result(engine)

    def _spawned(self, frame: frames.Spawned, channel_fd: int, pidfd: int, status_fd: int | None = None) -> None:
        request = self._requests.get(frame.worker)
        if request is None or request.answer.done() or self.sandbox is None:
            # Whoever asked has gone. The closed channel ends the worker, too; the kill does not wait for that.
            platform.kill(pidfd)
            for fd in (channel_fd, pidfd, status_fd):
                if fd is not None:
                    os.close(fd)
            return
        channel = platform.channel_from_descriptor(channel_fd, frames.MAX_FRAME_BYTES, frames.MAX_DESCRIPTORS)
        self._fresh[frame.worker] = FreshWorker(
            frame.pid,
            channel,
            pidfd,
            status_fd,
            self.sandbox,
            functools.partial(self._confined, frame.worker),
            functools.partial(self._unconfined, frame.worker),
        )

    def _confined(self, worker: int, fresh: FreshWorker, confinement: Confinement) -> None:
        del self._fresh[worker]
        request = self._requests.get(worker)
        if request is None or request.answer.done():
            fresh.give_up()
            return
        process = WorkerProcess(
            fresh.pid,
            fresh.channel,
            fresh.pidfd,
            fresh.status_fd,
            request.events,
            self._options.memory_bytes,
            confinement,
            fresh.tuning,
        )
        self._workers[worker] = process
        request.answer.set_result(process)

    def _unconfined(self, worker: int, error: NdfdError) -> None:
        self._fresh.pop(worker, None)
        self._refuse(worker, error)

    def _refuse(self, worker: int, error: NdfdError) -> None:
        request = self._requests.get(worker)
        if request is not None and not request.answer.done():
            request.answer.set_exception(error)

    def _fail_ready(self, error: NdfdError) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
            # `ready` raises it; it is no fault when nobody waits there any more.
            self._ready.exception()

    def _process_over(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._take_rest()
        self._stop_listening()
        self._channel.close()
        exit_code = self._process.wait()
        os.close(self._pidfd)
        reason = WorkerStartFailed(f"the zygote {ending(exit_code)}")
        self._fail_ready(reason)
        for fresh in self._fresh.values():
            fresh.give_up()
        self._fresh.clear()
        for worker in list(self._requests):
            self._refuse(worker, reason)
        for process in list(self._workers.values()):
            process.zygote_gone()
        self._workers.clear()
        self.ended.set_result(exit_code)

    def _take_rest(self) -> None:
        """What it said before it ended: why it failed, and the ends of workers."""
        with contextlib.suppress(WorkerProtocolError, OSError):
            while self._listening and (message := self._channel.receive()) is not None:
                self._take(message)

    @property
    def _listening(self) -> bool:
        return self._channel.fileno() >= 0

    def _stop_listening(self) -> None:
        if self._listening:
            self._loop.remove_reader(self._channel.fileno())


def start(options: ZygoteOptions, stderr: int | None) -> Started:
    """Starts the process, outside of any event loop as well; `WorkerStartFailed` with nothing left."""
    with contextlib.ExitStack() as undo:
        try:
            ours, theirs = platform.channel_pair(frames.MAX_FRAME_BYTES, frames.MAX_DESCRIPTORS)
            undo.callback(ours.close)
            with contextlib.closing(theirs):
                process = subprocess.Popen(
                    _command(options, theirs),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    env=options.environment,
                    # A Ctrl-C in the daemon's terminal is for the daemon.
                    start_new_session=True,
                    pass_fds=(theirs.fileno(),),
                )
            undo.callback(process.wait)
            undo.callback(process.kill)
            pidfd = platform.pidfd(process.pid)
        except OSError as error:
            raise WorkerStartFailed(f"the zygote cannot be started: {error}") from error
        undo.pop_all()
    return Started(ours, process, pidfd)


def _disown(answer: asyncio.Future[WorkerProcess]) -> None:
    """Ends a worker that came in the same moment in which whoever asked for it gave up."""
    if answer.done() and not answer.cancelled() and answer.exception() is None:
        answer.result().kill()


def _command(options: ZygoteOptions, channel: Channel) -> list[str]:
    command = [*options.command, "--channel", str(channel.fileno()), "--memory-limit", str(options.memory_bytes)]
    if options.cpus is not None:
        command += ["--cpus", ",".join(map(str, sorted(options.cpus)))]
    if options.nice:
        command += ["--nice", str(options.nice)]
    for knob, value in options.tuning:
        command += ["--tune", f"{knob}={value}"]
    for place in options.places:
        command += ["--place", ",".join(f"{knob}={value}" for knob, value in place)]
    for folder in options.font_dirs:
        command += ["--font-dir", str(folder)]
    return command


def ending(exit_code: int | None) -> str:
    """How a process ended, as the end of a sentence."""
    if exit_code is None:
        return "ended, and nobody saw how"
    if exit_code >= 0:
        return f"exited with status {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    return f"was killed by {name}"
