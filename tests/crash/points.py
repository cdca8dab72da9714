"""Where a process ends itself: at the n-th pass of one of the store's durable steps."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ndfd.store.steps import Step
from tests.crash.disk import cut

#: How long a life stays at its point: whoever goes on without waiting for the store gets ahead of it then.
STAYS_MS = (0, 0, 25)


@dataclass(frozen=True)
class Point:
    """One moment of one life."""

    step: Step
    #: From 1.
    passes: int
    #: Milliseconds that the thread stays there first, as on a slow disk, while all others go on.
    stay_ms: int = 0

    def __str__(self) -> str:
        return f"{self.step.value}:{self.passes}:{self.stay_ms}"

    @classmethod
    def parse(cls, text: str) -> Point:
        """From `str(point)`."""
        step, passes, stay_ms = text.split(":")
        return cls(Step(step), int(passes), int(stay_ms))


def ending_at(point: Point, first: Callable[[], None]) -> Callable[[Step], None]:
    """What to give to a store as `reached`; at the point the process does `first` and is no more."""
    left = point.passes

    def reached(step: Step) -> None:
        nonlocal left
        if step is point.step:
            left -= 1
            if left == 0:
                time.sleep(point.stay_ms / 1000)
                first()
                os.kill(os.getpid(), signal.SIGKILL)

    return reached


def power_off(mounted: Path) -> Callable[[], None]:
    """Cuts the power of the file system that is mounted there."""
    return lambda: cut(mounted)


def frozen_power_off(mounted: Path) -> Callable[[], None]:
    """The same, of a process whose other threads stand still then, and that ends with it.

    Or else one of them could take the word of a sync that was under way in that moment (seen on ext4), and pass it on.
    """

    def power_off() -> None:
        process = os.getpid()
        if os.fork() == 0:
            try:
                freeze(process)
                cut(mounted)
            finally:
                os.kill(process, signal.SIGKILL)
                os._exit(0)
        while True:
            signal.pause()

    return power_off


def freeze(pid: int) -> None:
    """Returns when no thread of the process runs any more."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, signal.SIGSTOP)
        until = time.monotonic() + 5
        tasks = Path(f"/proc/{pid}/task")
        while time.monotonic() < until:
            states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks.iterdir()]
            if all(state in "TtZX" for state in states):
                return
            time.sleep(0.001)
