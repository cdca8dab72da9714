"""One place in the pool: a worker from the request for it to its end."""

from __future__ import annotations

from collections.abc import Callable

from ndfd.errors import WorkerProtocolError
from ndfd.model.status import WorkerState, WorkerStatus
from ndfd.protocol.frames import FromWorker
from ndfd.supervisor.assignment import Idle
from ndfd.supervisor.conversion import Conversion
from ndfd.supervisor.spawner import End, Worker
from ndfd.supervisor.states import Action, Event, step


class PooledWorker:
    """What the pool knows of a worker; also the ear of its process, which it hands on with itself named."""

    def __init__(
        self,
        number: int,
        now: float,
        received: Callable[[PooledWorker, FromWorker, tuple[int, ...]], None],
        violated: Callable[[PooledWorker, WorkerProtocolError], None],
        ended: Callable[[PooledWorker, End], None],
    ) -> None:
        self.number = number
        self.state = WorkerState.STARTING
        self.process: Worker | None = None
        self.started_at = now
        #: Since when it has been idle or busy.
        self.since = now
        #: The user whose documents it has seen.
        self.uid: int | None = None
        self.served = 0
        self.conversion: Conversion | None = None
        #: How its process ended before `process` was set.
        self.early_end: End | None = None
        #: Why it ended, where nothing that was asked of it explains that.
        self.cause = "no worker was started"
        #: The system call that its confinement denied, as it said.
        self.denied_call: int | None = None
        self._received = received
        self._violated = violated
        self._ended = ended

    def apply(self, event: Event, now: float) -> Action:
        """Changes the state; what the pool has to do."""
        self.state, action = step(self.state, event)
        self.since = now
        return action

    @property
    def is_ready(self) -> bool:
        """Whether it takes a conversion, now or after the one it has."""
        return self.state in (WorkerState.IDLE, WorkerState.BUSY)

    def idle(self) -> Idle:
        """For `assign`."""
        return Idle(self.number, self.uid)

    def status(self, now: float) -> WorkerStatus:
        """For `ndfd status`."""
        conversion = self.conversion
        return WorkerStatus(
            id=self.number,
            pid=0 if self.process is None else self.process.pid,
            state=self.state,
            served=self.served,
            age_s=now - self.started_at,
            rss_bytes=0 if self.process is None else self.process.resident_bytes(),
            document=None if conversion is None else conversion.options.name,
            page=None if conversion is None else conversion.pages_done,
            pages=None if conversion is None else conversion.pages_total,
            busy_s=None if conversion is None else now - self.since,
            tuning=() if self.process is None else self.process.tuning,
        )

    # WorkerEvents

    def received(self, frame: FromWorker, descriptors: tuple[int, ...]) -> None:
        """A frame of its process."""
        self._received(self, frame, descriptors)

    def violated(self, error: WorkerProtocolError) -> None:
        """No frame of its process."""
        self._violated(self, error)

    def ended(self, end: End) -> None:
        """The end of its process.

        It may be heard before anybody has heard of the process; or nobody ever will, because it came too late.
        """
        if self.process is None:
            self.early_end = end
        else:
            self._ended(self, end)
