"""Descriptors that a service manager keeps for a service, by systemd's rules: FileDescriptorStoreMax= and FDSTORE=1.

Which are in systemd.service(5) and sd_notify(3); the order, which is in neither, is that of systemd's list.
"""

from __future__ import annotations

import ctypes
import os
import select

from ndfd.platform import linux_syscalls

#: The name of what is stored without one, or with one that cannot be.
_NAMELESS = "stored"
_NAME_MAX = 255
_KCMP_FILE = 0


class DescriptorStore:
    """Of one service. Uses the caller's epoll, in which a descriptor of the store tells its hang-up."""

    def __init__(self, epoll: select.epoll, maximum: int) -> None:
        self._epoll = epoll
        self._maximum = maximum
        #: Names by descriptor, in the order in which they came.
        self._names: dict[int, str] = {}
        self._is_same_file = _SameFile()

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, fd: int) -> bool:
        return fd in self._names

    def passed(self) -> list[tuple[int, str]]:
        """As they are handed to the next process: the newest first."""
        return list(reversed(self._names.items()))

    def add(self, name: str | None, fds: list[int], *, poll: bool = True) -> None:
        """Takes these over. One that is there already, or is too many, is closed; `poll` False is FDPOLL=0."""
        for fd in fds:
            if len(self._names) >= self._maximum or any(self._is_same_file(fd, other) for other in self._names):
                os.close(fd)
                continue
            self._names[fd] = name if name is not None and _is_name(name) else _NAMELESS
            if poll:
                try:
                    # What hangs up or breaks is always told.
                    self._epoll.register(fd, 0)
                except PermissionError:
                    # A file, a memfd: nothing ever happens to it.
                    continue

    def remove(self, name: str) -> None:
        """Drops all of this name."""
        for fd in [fd for fd, other in self._names.items() if other == name]:
            self.drop(fd)

    def drop(self, fd: int) -> None:
        """Drops one, for its hang-up."""
        del self._names[fd]
        try:
            self._epoll.unregister(fd)
        except (PermissionError, FileNotFoundError):
            # Not polled.
            pass
        finally:
            os.close(fd)

    def clear(self) -> None:
        """Drops all."""
        for fd in list(self._names):
            self.drop(fd)


class _SameFile:
    """Whether two descriptors of this process are of one open file: kcmp(2), for which glibc has no function."""

    def __init__(self) -> None:
        machine = linux_syscalls.this_machine()
        assert machine is not None, "this processor's system calls are not known"
        self._number = machine.numbers["kcmp"]
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall

    def __call__(self, one: int, other: int) -> bool:
        if not os.path.sameopenfile(one, other):
            return False
        # The same inode, which may be open twice.
        pid = os.getpid()
        answer: int = self._syscall(self._number, pid, pid, _KCMP_FILE, ctypes.c_ulong(one), ctypes.c_ulong(other))
        if answer < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"kcmp: {os.strerror(number)}")
        return answer == 0


def _is_name(name: str) -> bool:
    """fdname_is_valid of systemd: it stands in a list between colons."""
    return len(name) <= _NAME_MAX and all(" " <= each < "\x7f" and each != ":" for each in name)
