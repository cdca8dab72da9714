"""The manager that started this process, if any: what it handed over, and what it is told.

This is the portable answer, for a process that nobody manages: nothing was handed over, and telling does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PassedDescriptor:
    """A descriptor that the manager handed over at the start. It is this process's to close, and closes on exec."""

    #: What the manager calls it; several may have the same name.
    name: str
    fd: int


class ServiceManager:
    """Tells the manager how the service is. No call waits or fails: a manager that does not listen ends no service."""

    #: Whether there is one.
    present = False
    #: It ends this process when it hears no `watchdog` for so many seconds; None: it does not watch.
    watchdog_s: float | None = None
    #: What of its start was not as it should be, for the log.
    warnings: tuple[str, ...] = ()

    #: Descriptors that it keeps at most; None: it does not say.
    keeps_max: int | None = None

    def take_passed(self) -> tuple[PassedDescriptor, ...]:
        """What was handed over, once: a second call gives nothing. `SocketError` when it is not as it was announced."""
        return ()

    def ready(self, status: str) -> None:
        """The service serves: after its start, and after each `reloading`."""

    def status(self, text: str) -> None:
        """One line for people, shown by the manager's status command."""

    def reloading(self) -> None:
        """The configuration is read again; `ready` follows whatever comes of it."""

    def stopping(self, status: str) -> None:
        """The service ends. The last that is told, but for `status` and `extend_timeout`."""

    def watchdog(self) -> None:
        """The service makes progress."""

    def extend_timeout(self, seconds: float) -> None:
        """The start, reload or stop under way needs up to so many seconds from now."""

    def failed(self, number: int, status: str) -> None:
        """The service ends because of an error with this number (errno(3)); 0 when there is none that fits."""

    def main_pid(self, pid: int) -> None:
        """Another process is the service's main one from now on."""

    def keeps_descriptors(self) -> bool:
        """Whether what is stored really is kept over the end of this process. Measured once; may take a moment."""
        return False

    def store(self, name: str, fds: Sequence[int]) -> bool:
        """Has the manager keep duplicates of these until the service's start after this process's end.

        The next process has them from `take_passed`. One that is broken or hung up is dropped by itself. False when the
        manager takes no more at this moment: try again later.
        """
        return False

    def has_room(self) -> bool:
        """Whether it would take something to store at this moment."""
        return True

    def unstore(self, name: str) -> None:
        """Drops everything that is kept under this name."""

    def barrier(self, timeout_s: float) -> bool:
        """Waits until the manager has worked through everything it was told; False when it has not in this time."""
        return True
