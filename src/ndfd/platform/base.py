"""What ndfd asks of the operating system: the promise of each call, and the portable answer where there is one.

`Linux`, `Darwin` and `Windows` derive from `Platform` and override what they do better. A call without a portable
answer raises `NotSupported` here, so a system that lacks something says so by name instead of doing it badly.
"""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ndfd.errors import NotSupported, SocketError
from ndfd.model.host import Host
from ndfd.model.sandbox import Sandbox, Seen
from ndfd.platform.channel import Channel
from ndfd.platform.cjk_fonts import CJK_FONT
from ndfd.platform.folders import ConfigDirs, SocketDirs, StateDirs
from ndfd.platform.local_listener import LocalListener, identity_of, reason_of, refuse_if_taken
from ndfd.platform.service_manager import ServiceManager


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end of a local connection when it connected, by the kernel's word."""

    #: Effective user and group id.
    uid: int
    gid: int
    #: For messages only: the process may have ended and its number be another's by now.
    pid: int


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What a worker may take."""

    #: Address space of the process, and size of any file or memfd it writes.
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Pressure:
    """How long processes waited for what they needed, in per cent of the last ten seconds."""

    #: The time in which at least one could run and had no CPU.
    cpu_percent: float
    #: The time in which at least one waited for memory: for a page to be freed, or read back.
    memory_percent: float


#: The number that the descriptor of a worker's channel must have when it confines itself.
WORKER_CHANNEL_FD = 3


class Platform:
    """The portable answers."""

    #: For messages.
    name = "this system"

    # Places

    def socket_dirs(self, environment: Mapping[str, str]) -> SocketDirs:
        """The default folders of the sockets; none of them is made or looked at."""
        raise self._lacks("local sockets in folders")

    def config_dirs(self, environment: Mapping[str, str], home: Path | None) -> ConfigDirs:
        """The default folders of the configuration; none of them is made or looked at."""
        raise self._lacks("a folder for the configuration")

    def file_system(self, path: Path) -> str | None:
        """The type of the file system that holds what is at this path, by the system's name for it; None: not known."""
        return None

    def state_dirs(self, environment: Mapping[str, str], home: Path | None) -> StateDirs:
        """The default folders of what outlives the daemon; none of them is made or looked at."""
        raise self._lacks("a folder for what is kept")

    def drop_from_cache(self, fd: int) -> None:
        """Has the file's clean pages leave memory, where that can be asked for: the next read of it asks the disk."""

    def may_stall(self, fd: int) -> bool:
        """Whether somebody else may keep us waiting when we read this file, or merely ask for its size.

        Never waits itself. True where the system cannot tell.
        """
        return True

    def is_system_service(self, environment: Mapping[str, str]) -> bool:
        """Whether the machine's service manager, not a user or a user's own manager, started this process."""
        return False

    def service_manager(self, environment: Mapping[str, str]) -> ServiceManager:
        """The manager that started this process, or one that nobody listens to."""
        return ServiceManager()

    def make_socket_dir(self, path: Path) -> None:
        """Makes the folder of the sockets, mode 0700, unless it is there.

        `SocketError` when it cannot be made, or is there and is no folder, or is another user's: under a folder that
        everyone may write to, whoever comes first owns the name.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = path.lstat()
        except OSError as error:
            raise SocketError(f"the folder {path} cannot be made: {error.strerror}") from error
        if not stat.S_ISDIR(status.st_mode):
            raise SocketError(f"{path} is no folder", hint="name another with [network] socket_dir")
        if status.st_uid not in (os.geteuid(), 0):
            raise SocketError(f"the folder {path} belongs to user {status.st_uid}", hint="remove it, or name another")

    def font_roots(self, home: Path | None) -> tuple[Path, ...]:
        """The folders under which fonts are installed: for everyone, and for the user whose home it is."""
        return ()

    def fallback_font_dirs(self, home: Path | None = None) -> tuple[Path, ...]:
        """The folders that hold a font for Chinese, Japanese or Korean, judged by the names of its files.

        Each folder directly holds such a file. In the order of `font_roots`, then by name.
        """
        found: dict[Path, None] = {}
        for root in self.font_roots(home):
            # Unreadable folders are passed over: os.walk's default.
            for folder, subfolders, files in os.walk(root):
                subfolders.sort()
                if any(CJK_FONT.match(name) for name in files):
                    found[Path(folder)] = None
        return tuple(found)

    # Local sockets

    def listen(self, path: Path, *, mode: int, backlog: int = 128) -> LocalListener:
        """A listening stream socket at `path` with these permission bits, in place of one that nobody answers on.

        `SocketError` when what lies there is no socket, when a daemon answers there, or when the system refuses.
        The new file takes the place of the old in one step and is never seen with other bits. Two daemons that start
        there at the same moment are not told apart: the one that comes last has the path.
        """
        refuse_if_taken(path)
        # unlink + bind would leave a moment in which nobody answers, and chmod after bind one with the umask's bits.
        staged = path.with_name(f"{path.name}.{os.getpid()}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                staged.unlink()
            listener.bind(str(staged))
            staged.chmod(mode)
            listener.listen(backlog)
            identity = identity_of(staged)
            staged.rename(path)
        except OSError as error:
            listener.close()
            with contextlib.suppress(OSError):
                staged.unlink()
            raise SocketError(f"cannot listen at {path}: {reason_of(error, staged)}") from error
        listener.setblocking(False)
        return LocalListener(listener, path, identity)

    def peer_identity(self, connection: socket.socket) -> Peer:
        """Who is at the other end of an accepted local connection; OSError when the kernel does not say."""
        raise self._lacks("the identity of a local socket's peer")

    def socket_cookie(self, connection: socket.socket) -> int:
        """A number that no other socket of this boot has, in whichever process it is; never 0."""
        raise self._lacks("numbers of sockets")

    # Channels between our own processes

    def channel_pair(self, frame_max_bytes: int, descriptors_max: int) -> tuple[Channel, Channel]:
        """Two connected ends that keep the boundaries of messages, pass descriptors, and see the other's end."""
        raise self._lacks("a channel that keeps message boundaries")

    def channel_from_descriptor(self, fd: int, frame_max_bytes: int, descriptors_max: int) -> Channel:
        """The end of such a channel that came as an inherited or passed descriptor, which it takes over."""
        raise self._lacks("a channel that keeps message boundaries")

    # Memory shared by descriptor

    def memfd(self, name: str) -> int:
        """A new descriptor on memory that is read and written like a file and has no path; `name` is for diagnosis.

        The portable answer is a temporary file without a name, which cannot be sealed.
        """
        fd, path = tempfile.mkstemp(prefix=name)
        Path(path).unlink()
        return fd

    def seal(self, fd: int) -> None:
        """Seals a `memfd` for good: nobody can write to it, resize it or take the seals off.

        OSError (EBUSY) while a writable mapping of it exists.
        """
        raise self._lacks("sealed memory")

    def is_sealed(self, fd: int) -> bool:
        """Whether a descriptor is a memfd with all the seals of `seal`; False for anything else."""
        return False

    def sealed_memfd(self, name: str, data: bytes | memoryview) -> int:
        """A new sealed memfd that holds `data`."""
        fd = self.memfd(name)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            self.seal(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    # Processes

    def pidfd(self, pid: int) -> int:
        """A descriptor on a process that never means another one, readable once the process has ended.

        `pid` must be a child that has not been reaped, or it may be another process's by now.
        """
        raise self._lacks("descriptors on processes")

    def kill(self, pidfd: int) -> None:
        """Ends the process behind a `pidfd` at once (SIGKILL); one that has ended already is let be."""
        raise self._lacks("descriptors on processes")

    def reap(self, pidfd: int) -> int | None:
        """The exit code of an ended child behind a `pidfd`, as `os.waitstatus_to_exitcode`; the child is gone after it.

        None when it is no child of this process, has been reaped, or has not ended.
        """
        raise self._lacks("descriptors on processes")

    def resident_bytes(self, pid: int) -> int:
        """Resident set of a process; 0 when there is no such process."""
        raise self._lacks("the memory of another process")

    def usable_cpus(self) -> int:
        """How many CPUs' worth of time this process may use, at least 1."""
        return os.cpu_count() or 1

    def allowed_cpus(self) -> frozenset[int]:
        """The CPUs that this process may run on, by number."""
        raise self._lacks("a choice of CPUs")

    def run_on_cpus(self, cpus: frozenset[int]) -> bool:
        """From now on this thread, and every process that it starts, runs on these CPUs only.

        False, with nothing changed, when it may not choose at all. `WorkerStartFailed`, which names them, when there
        are some that it may not run on.
        """
        raise self._lacks("a choice of CPUs")

    def add_nice(self, increment: int) -> bool:
        """Adds to the nice value of this process, and of every one that it starts from now on (nice(2)).

        False, with the value as it was, when this process may not take so much from it.
        """
        if increment == 0:
            return True
        raise self._lacks("priorities of processes")

    def usable_memory(self) -> int:
        """Bytes of memory that this process and its children could use at most."""
        # Not at the top: every client imports this module, and few ask.
        import psutil  # type: ignore[import-untyped]  # It ships none.

        return int(psutil.virtual_memory().total)

    def host(self) -> Host:
        """What this machine gives a daemon that this process's user starts here."""
        machine = platform.uname()
        return Host(
            system=f"{self.name} {machine.release} on {machine.machine}",
            cpus=self.usable_cpus(),
            memory_bytes=self.usable_memory(),
            descriptors=None,
            descriptors_max=None,
            processes=None,
            processes_used=None,
            user_namespaces=None,
            clock_synchronized=None,
        )

    def pressure(self) -> Pressure | None:
        """How short CPUs and memory are, on the machine or for this process; None where the system does not say."""
        return None

    def user_id(self, name: str) -> int:
        """The number of a user; KeyError for one that this machine does not know."""
        # Not at the top: Windows has no such module.
        import pwd

        return pwd.getpwnam(name).pw_uid

    def allocator_environment(self, environment: Mapping[str, str], *, huge_pages: bool) -> Mapping[str, str]:
        """The environment in which a process keeps the memory that it frees, for its next buffers, up to a bound.

        With `huge_pages` it asks for huge ones. Where the allocator cannot be told so, the environment as it is.
        """
        return environment

    def forget_environment(self) -> None:
        """Empties the environment of this process, and what others see of it: it may hold secrets."""
        raise self._lacks("a way to forget the environment")

    def separate_zygote(self) -> tuple[str, ...]:
        """Keeps this process and its later children apart from the rest of the system, where that costs nothing.

        Returns by what. It must have one thread.
        """
        return ()

    def confine_worker(self, limits: WorkerLimits) -> tuple[str, ...]:
        """Takes from this process, for good, what a worker does not need, before it sees a byte of a document.

        Its channel must be at `WORKER_CHANNEL_FD`, everything that it will need must be loaded, and it must have one
        thread. Returns the names of the measures that this host lacks; the others are in force.
        """
        raise self._lacks("confinement for workers")

    def measure_confinement(self, limits: WorkerLimits) -> Sandbox:
        """What `confine_worker` comes to on this host: measured and tried in children that end before it returns.

        `WorkerStartFailed` when a confined process cannot live.
        """
        raise self._lacks("confinement for workers")

    def process_status(self, pid: int) -> int | None:
        """A descriptor by which the kernel tells of a process for as long as it lives; None where it cannot be had.

        It is asked for before the process confines itself: one that nobody may trace is hidden where /proc hides what
        is others', but not from who has opened it before.
        """
        return None

    def seen_confinement(self, status_fd: int) -> Seen | None:
        """The kernel's word on a process, which the process cannot forge; None when it has ended."""
        return None

    def resident_bytes_of(self, status_fd: int) -> int:
        """Resident set of the process; 0 when it has ended."""
        raise self._lacks("the memory of another process")

    def system_call_name(self, number: int) -> str:
        """Of the system call with this number, for messages."""
        return f"call {number}"

    def _lacks(self, what: str) -> NotSupported:
        return NotSupported(f"{self.name} has no {what} that ndfd could use")
