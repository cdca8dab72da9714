"""systemd, and whatever else speaks its protocols: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping, Sequence

from ndfd.errors import SocketError
from ndfd.model.printable import printable
from ndfd.platform.linux_notify_socket import NotifySocket
from ndfd.platform.service_manager import PassedDescriptor, ServiceManager

#: SD_LISTEN_FDS_START of sd-daemon.h.
_FIRST_FD = 3
#: What systemd calls a descriptor without a name.
_NO_NAME = "unknown"
#: systemd drops a message of more than 4096 bytes whole, and a character may take four.
_STATUS_MAX_CHARACTERS = 900
#: Under which the probe of `keeps_descriptors` is stored.
_PROBE_NAME = "probe"
#: Seconds for a manager that is busy, as at boot; it answers in well under a millisecond.
_PROBE_WAIT_S = 5.0


class LinuxServiceManager(ServiceManager):
    """Made from the environment that the manager started this process with. Closes nothing of what it is given."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """What is there and makes no sense is left out and named in `warnings`."""
        self._environment = environment
        self._socket = self._notify_socket()
        self.present = self._socket is not None
        self.watchdog_s = self._watchdog()
        # systemd 254 says in $FDSTORE how many it keeps, older ones nothing.
        kept = environment.get("FDSTORE", "")
        self.keeps_max = int(kept) if _is_number(kept) else None
        self._taken = False
        self._keeps: bool | None = None

    def take_passed(self) -> tuple[PassedDescriptor, ...]:
        """$LISTEN_FDS, where $LISTEN_PID is this process; `SocketError` when they are not what they should be.

        None of them is inherited from then on.
        """
        if self._taken or self._for_another("LISTEN_PID", unset=True):
            return ()
        self._taken = True
        count = self._environment.get("LISTEN_FDS", "0")
        if not _is_number(count):
            raise _wrong(f"LISTEN_FDS: {printable(count, 40)!r} is no number of descriptors")
        names = self._environment.get("LISTEN_FDNAMES", "").split(":")
        passed = []
        for index, fd in enumerate(range(_FIRST_FD, _FIRST_FD + int(count))):
            name = names[index] if index < len(names) else ""
            try:
                os.set_inheritable(fd, False)
            except OSError as error:
                raise _wrong(f"LISTEN_FDS: descriptor {fd} was not handed over: {error.strerror}") from error
            passed.append(PassedDescriptor(printable(name, 255) or _NO_NAME, fd))
        return tuple(passed)

    def ready(self, status: str) -> None:
        """READY=1."""
        self._tell("READY=1", _status(status))

    def status(self, text: str) -> None:
        """STATUS=. The next one makes good for one that finds the manager's queue full."""
        if self._socket is not None:
            self._socket.offer(_status(text))

    def reloading(self) -> None:
        """RELOADING=1, with the moment, by which the manager tells this reload from one that was begun before."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, status: str) -> None:
        """STOPPING=1."""
        self._tell("STOPPING=1", _status(status))

    def watchdog(self) -> None:
        """WATCHDOG=1. The next one makes good for one that finds the manager's queue full."""
        if self._socket is not None:
            self._socket.offer("WATCHDOG=1")

    def extend_timeout(self, seconds: float) -> None:
        """EXTEND_TIMEOUT_USEC=."""
        self._tell(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def failed(self, number: int, status: str) -> None:
        """ERRNO=."""
        self._tell(_status(status), *((f"ERRNO={number}",) if number else ()))

    def main_pid(self, pid: int) -> None:
        """MAINPID=."""
        self._tell(f"MAINPID={pid}")

    def keeps_descriptors(self) -> bool:
        """By a pipe whose writing end is stored."""
        if self._keeps is None:
            self._keeps = self._socket is not None and self.keeps_max != 0 and self._probe()
        return self._keeps

    def store(self, name: str, fds: Sequence[int]) -> bool:
        """FDSTORE=1."""
        return self._socket is not None and self._socket.offer(_to_store(name), fds)

    def has_room(self) -> bool:
        """By poll(2)."""
        return self._socket is None or self._socket.has_room()

    def unstore(self, name: str) -> None:
        """FDSTOREREMOVE=1."""
        self._tell("FDSTOREREMOVE=1", f"FDNAME={name}")

    def barrier(self, timeout_s: float) -> bool:
        """BARRIER=1, with the writing end of a pipe that the manager closes when it comes to it."""
        if self._socket is None:
            return True
        begun = time.monotonic()
        read_end, write_end = os.pipe()
        try:
            try:
                sent = self._socket.send("BARRIER=1", (write_end,), timeout_s)
            finally:
                os.close(write_end)
            return sent and _hangs_up(read_end, timeout_s - (time.monotonic() - begun))
        finally:
            os.close(read_end)

    def _tell(self, *lines: str) -> None:
        if self._socket is not None:
            self._socket.tell("\n".join(lines))

    def _probe(self) -> bool:
        assert self._socket is not None
        read_end, write_end = os.pipe()
        try:
            try:
                sent = self._socket.send(_to_store(_PROBE_NAME), (write_end,), _PROBE_WAIT_S)
            finally:
                os.close(write_end)
            return sent and self.barrier(_PROBE_WAIT_S) and not _hangs_up(read_end, 0.0)
        finally:
            self.unstore(_PROBE_NAME)
            os.close(read_end)

    def _notify_socket(self) -> NotifySocket | None:
        address = self._environment.get("NOTIFY_SOCKET")
        if not address:
            return None
        try:
            return NotifySocket(address)
        except (ValueError, OSError) as error:
            self._warn(f"the service manager is told nothing: NOTIFY_SOCKET={address}: {error}")
            return None

    def _watchdog(self) -> float | None:
        limit = self._environment.get("WATCHDOG_USEC")
        if limit is None or not self.present or self._for_another("WATCHDOG_PID", unset=False):
            return None
        if not _is_number(limit) or int(limit) == 0:
            self._warn(f"the service manager's watchdog is not served: WATCHDOG_USEC={limit} is no time")
            return None
        return int(limit) / 1_000_000

    def _for_another(self, variable: str, *, unset: bool) -> bool:
        """Whether the variable names another process, which has left it to this one; `unset` is for one not there."""
        pid = self._environment.get(variable)
        if pid is None:
            return unset
        if not _is_number(pid):
            self._warn(f"{variable}={pid} is no process: what comes with it is not used")
        return pid != str(os.getpid())

    def _warn(self, text: str) -> None:
        self.warnings = (*self.warnings, printable(text, _STATUS_MAX_CHARACTERS))


def _status(text: str) -> str:
    return f"STATUS={printable(text, _STATUS_MAX_CHARACTERS)}"


def _to_store(name: str) -> str:
    # FDPOLL is left at its default: the manager drops what is broken or hung up by itself.
    return f"FDSTORE=1\nFDNAME={name}"


def _hangs_up(read_end: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(read_end, 0)
    return bool(poll.poll(max(0, int(timeout_s * 1000))))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _wrong(message: str) -> SocketError:
    return SocketError(
        message, hint="whoever started ndfd in the name of a service manager has not followed sd_listen_fds(3)"
    )
