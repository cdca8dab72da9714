"""A worker between its fork and its first document: it confines itself, and the kernel is asked whether that is so."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from ndfd import platform
from ndfd.errors import NdfdError, WorkerProtocolError, WorkerStartFailed
from ndfd.model.process_tuning import TuningState
from ndfd.model.sandbox import Confinement, Sandbox
from ndfd.platform import Channel
from ndfd.protocol import frames
from ndfd.supervisor.confinement import verified

_decoder = frames.FrameDecoder[frames.FromFreshWorker](frames.FromFreshWorker)


class FreshWorker:
    """Takes the channel and the descriptors over. Calls one of `confined` and `failed`, once, unless it is given up
    before.

    After `confined` all are the caller's; after `failed` the process is killed and all are closed.
    """

    def __init__(
        self,
        pid: int,
        channel: Channel,
        pidfd: int,
        status_fd: int | None,
        sandbox: Sandbox,
        confined: Callable[[FreshWorker, Confinement], None],
        failed: Callable[[NdfdError], None],
    ) -> None:
        self.pid = pid
        self.channel = channel
        self.pidfd = pidfd
        #: As `ndfd.platform.process_status`.
        self.status_fd = status_fd
        #: What came of its own knobs, as it said before it had seen any document.
        self.tuning: tuple[TuningState, ...] = ()
        self._sandbox = sandbox
        self._confined = confined
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        channel.setblocking(False)
        self._loop.add_reader(channel.fileno(), self._readable)

    def give_up(self) -> None:
        """Ends it; nothing is said of it any more."""
        if self.pidfd < 0:
            return
        self._loop.remove_reader(self.channel.fileno())
        platform.kill(self.pidfd)
        self.channel.close()
        os.close(self.pidfd)
        self.pidfd = -1
        if self.status_fd is not None:
            os.close(self.status_fd)

    def _readable(self) -> None:
        try:
            confinement = self._heard()
        except (BlockingIOError, InterruptedError):
            return
        except NdfdError as error:
            self.give_up()
            self._failed(error)
            return
        self._loop.remove_reader(self.channel.fileno())
        self._confined(self, confinement)

    def _heard(self) -> Confinement:
        """What confines it, once it says that it is confined; BlockingIOError while it says nothing."""
        try:
            message = self.channel.receive()
        except BlockingIOError:
            raise
        except (WorkerProtocolError, OSError) as error:
            raise WorkerStartFailed(f"a new worker cannot be heard: {error}") from error
        if message is None:
            raise WorkerStartFailed(
                "a new worker ended before it was confined", hint="the daemon's log has what it said on its end"
            )
        message.close_descriptors()
        try:
            self.tuning = _decoder.decode(message.data).tuning
        except WorkerProtocolError as error:
            raise WorkerStartFailed(f"a new worker did not say that it is confined: {error}") from error
        return verified(self.pid, self.status_fd, self._sandbox)
