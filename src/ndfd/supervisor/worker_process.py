"""One worker process as the supervisor holds it: its channel, its pidfd and its exit code, made into one story."""

from __future__ import annotations

import asyncio
import contextlib
import os

import msgspec

from ndfd import platform
from ndfd.errors import WorkerProtocolError
from ndfd.model.process_tuning import TuningState
from ndfd.model.sandbox import Confinement
from ndfd.platform import Channel, Message
from ndfd.protocol import frames
from ndfd.supervisor.spawner import End, WorkerEvents

#: Seconds to wait for the zygote to say how a worker ended, after the kernel said that it has. It takes the zygote well
#: under a millisecond; past this it is taken for stuck, and the exit code for unknown.
EXIT_CODE_WAIT_S = 1.0

#: Frames that are still read after a worker's end. More than a socket buffer holds of the smallest; a bound is needed
#: because a descendant of a hostile worker may hold the channel open and go on sending.
_LAST_FRAMES_MAX = 1024

_decoder = frames.FrameDecoder[frames.FromWorker](frames.FromWorker)


class WorkerProcess:
    """Three sources tell of one process, in no certain order; `events` hears of them in one: frames, then the end.

    The pidfd becomes readable at the process's end, while its last frames may be unread, and its exit code, which only
    the zygote as its parent can have, is on its way. Takes the channel and the descriptors over.
    """

    def __init__(
        self,
        pid: int,
        channel: Channel,
        pidfd: int,
        status_fd: int | None,
        events: WorkerEvents,
        memory_bytes: int,
        confinement: Confinement | None = None,
        tuning: tuple[TuningState, ...] = (),
    ) -> None:
        """`status_fd` is as `ndfd.platform.process_status`.

        `confinement` goes into each of its reports, whatever it says itself.
        """
        self.pid = pid
        self.tuning = tuning
        self._memory_bytes = memory_bytes
        self._confinement = confinement
        self._channel = channel
        self._pidfd = pidfd
        self._status_fd = status_fd
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._listening = True
        self._over = False
        self._exit_code: int | None = None
        self._rss_max_bytes = 0
        self._has_zygote = True
        self._exit_code_timer: asyncio.TimerHandle | None = None
        channel.setblocking(False)
        self._loop.add_reader(channel.fileno(), self._readable)
        self._loop.add_reader(pidfd, self._process_over)

    def send(self, job: frames.Job, document_fd: int, *parts: int) -> None:
        """An idle worker's buffer is empty, so that a frame always fits, and those of all parts of a document do (less
        than 1 KiB each). One that does not is an OSError as well."""
        self._channel.send(frames.encode(job), (document_fd,))
        for part in parts:
            self._channel.send(frames.encode(frames.JobPart(job.id)), (part,))

    def kill(self) -> None:
        """Through the pidfd, so never another process that was given the same number."""
        self._stop_listening()
        if self._pidfd >= 0:
            platform.kill(self._pidfd)

    def resident_bytes(self) -> int:
        """0 after its end."""
        if self._pidfd < 0:
            return 0
        # Only while the pidfd is held is the number this process's own.
        if self._status_fd is None:
            return platform.resident_bytes(self.pid)
        return platform.resident_bytes_of(self._status_fd)

    def exited(self, exit_code: int, rss_max_bytes: int) -> None:
        """The zygote reaped it."""
        self._exit_code, self._rss_max_bytes = exit_code, rss_max_bytes
        if self._over:
            self._finish()

    def zygote_gone(self) -> None:
        """Nobody will say any more how this process ends, unless it is ours to reap (all orphans are pid 1's)."""
        self._has_zygote = False
        if self._over:
            self._finish()

    def _readable(self) -> None:
        try:
            message = self._channel.receive()
        except (BlockingIOError, InterruptedError):
            return
        except (WorkerProtocolError, OSError) as error:
            self._violated(error)
            return
        if message is None:
            # The process ends, and the pidfd will say so; or it closed its channel and lives, which no sound worker
            # does. A kill does not change the exit code of a process that is ending by itself.
            self.kill()
            return
        self._tell(message)

    def _tell(self, message: Message) -> None:
        try:
            frame = _decoder.decode(message.data)
        except WorkerProtocolError as error:
            message.close_descriptors()
            self._violated(error)
            return
        if isinstance(frame, frames.JobDone):
            # What it says of itself it says after it has seen a document.
            report = msgspec.structs.replace(frame.report, sandbox=self._confinement)
            frame = msgspec.structs.replace(frame, report=report)
        self._events.received(frame, message.descriptors)

    def _violated(self, error: Exception) -> None:
        self._stop_listening()
        known = error if isinstance(error, WorkerProtocolError) else WorkerProtocolError(f"the channel failed: {error}")
        self._events.violated(known)

    def _process_over(self) -> None:
        self._over = True
        self._loop.remove_reader(self._pidfd)
        for _ in range(_LAST_FRAMES_MAX):
            if not self._listening or not self._take_last():
                break
        self._stop_listening()
        if self._exit_code is not None or not self._has_zygote:
            self._finish()
        else:
            self._exit_code_timer = self._loop.call_later(EXIT_CODE_WAIT_S, self._finish)

    def _take_last(self) -> bool:
        with contextlib.suppress(WorkerProtocolError, OSError):
            message = self._channel.receive()
            if message is not None:
                self._tell(message)
                return True
        return False

    def _stop_listening(self) -> None:
        if self._listening:
            self._listening = False
            self._loop.remove_reader(self._channel.fileno())

    def _finish(self) -> None:
        if self._pidfd < 0:
            return
        if self._exit_code_timer is not None:
            self._exit_code_timer.cancel()
        if self._exit_code is None:
            self._exit_code = platform.reap(self._pidfd)
        self._channel.close()
        os.close(self._pidfd)
        self._pidfd = -1
        if self._status_fd is not None:
            os.close(self._status_fd)
        self._events.ended(End(self._exit_code, self._rss_max_bytes, self._memory_bytes))
