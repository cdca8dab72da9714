"""Linux: everything that `Platform` promises. Kernel 5.4 or newer (waitid with P_PIDFD)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ndfd.errors import WorkerStartFailed
from ndfd.model.host import Host
from ndfd.model.sandbox import Sandbox, Seen
from ndfd.platform import (
    linux_attestation,
    linux_cgroup,
    linux_host,
    linux_namespaces,
    linux_pressure,
    linux_sandbox,
    linux_stalling,
    linux_syscalls,
)
from ndfd.platform.base import Peer, Platform, Pressure, WorkerLimits
from ndfd.platform.channel import Channel
from ndfd.platform.folders import ConfigDirs, SocketDirs, StateDirs
from ndfd.platform.linux_service_manager import LinuxServiceManager
from ndfd.platform.service_manager import ServiceManager

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

#: struct ucred of unix(7): pid, uid, gid.
_UCRED = struct.Struct("iII")
#: include/uapi/asm-generic/socket.h, which Python does not name.
_SO_COOKIE = 57

#: A conversion takes and frees the same buffers page by page. By default glibc gives what is above 128 kB at the end of
#: the heap back each time and maps each larger block anew: 2 % of a conversion's CPU. 64 MB are kept instead, and
#: blocks up to the largest that glibc lets be chosen come from the heap.
_KEEP_MEMORY = (
    "glibc.malloc.trim_threshold=67108864",
    "glibc.malloc.mmap_threshold=33554432",
    "glibc.malloc.top_pad=1048576",
)


class Linux(Platform):
    """The answers of Linux."""

    name = "Linux"

    def socket_dirs(self, environment: Mapping[str, str]) -> SocketDirs:
        """/run/ndfd; and $XDG_RUNTIME_DIR/ndfd, else ndfd-UID in the temporary folder ($TMPDIR, /tmp)."""
        runtime = environment.get("XDG_RUNTIME_DIR")
        # `make_socket_dir` refuses it when it is another user's.
        temporary = Path(environment.get("TMPDIR") or "/tmp", f"ndfd-{os.geteuid()}")  # noqa: S108
        return SocketDirs(Path("/run/ndfd"), Path(runtime, "ndfd") if runtime else temporary)

    def config_dirs(self, environment: Mapping[str, str], home: Path | None) -> ConfigDirs:
        """/etc/ndfd; and ndfd in $XDG_CONFIG_HOME, else in ~/.config (XDG Base Directory Specification 0.8)."""
        # "All paths must be absolute. If […] relative, the implementation should […] ignore it."
        xdg = Path(environment.get("XDG_CONFIG_HOME", ""))
        base = xdg if xdg.is_absolute() else None if home is None else home / ".config"
        return ConfigDirs(Path("/etc/ndfd"), None if base is None else base / "ndfd")

    def state_dirs(self, environment: Mapping[str, str], home: Path | None) -> StateDirs:
        """/var/lib/ndfd; and ndfd in $XDG_STATE_HOME, else in ~/.local/state (XDG Base Directory Specification 0.8)."""
        xdg = Path(environment.get("XDG_STATE_HOME", ""))
        base = xdg if xdg.is_absolute() else None if home is None else home / ".local/state"
        return StateDirs(Path("/var/lib/ndfd"), None if base is None else base / "ndfd")

    def drop_from_cache(self, fd: int) -> None:
        """posix_fadvise(2); advice only, and of pages that are on the disk already."""
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def is_system_service(self, environment: Mapping[str, str]) -> bool:
        """$SYSTEMD_EXEC_PID names the process that systemd itself started; $MANAGERPID is set by a user's manager.

        systemd.exec(5), "Environment Variables Set or Propagated by the Service Manager".
        """
        return environment.get("SYSTEMD_EXEC_PID") == str(os.getpid()) and "MANAGERPID" not in environment

    def service_manager(self, environment: Mapping[str, str]) -> ServiceManager:
        """systemd's protocols: $NOTIFY_SOCKET, $LISTEN_FDS."""
        if environment.get("NOTIFY_SOCKET") or "LISTEN_PID" in environment:
            return LinuxServiceManager(environment)
        return super().service_manager(environment)

    def font_roots(self, home: Path | None) -> tuple[Path, ...]:
        """As fontconfig's defaults."""
        shared = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
        return shared if home is None else (*shared, home / ".fonts", home / ".local/share/fonts")

    def peer_identity(self, connection: socket.socket) -> Peer:
        """SO_PEERCRED: the credentials of the process that called connect(2)."""
        pid, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        return Peer(uid, gid, pid)

    def socket_cookie(self, connection: socket.socket) -> int:
        """SO_COOKIE (Linux 4.6)."""
        return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), sys.byteorder)

    def channel_pair(self, frame_max_bytes: int, descriptors_max: int) -> tuple[Channel, Channel]:
        """SOCK_SEQPACKET."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return Channel(one, frame_max_bytes, descriptors_max), Channel(other, frame_max_bytes, descriptors_max)

    def channel_from_descriptor(self, fd: int, frame_max_bytes: int, descriptors_max: int) -> Channel:
        """OSError when the descriptor is no socket."""
        os.set_inheritable(fd, False)
        return Channel(socket.socket(fileno=fd), frame_max_bytes, descriptors_max)

    def memfd(self, name: str) -> int:
        """memfd_create(2)."""
        try:
            return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError as error:
            raise OSError(error.errno, f"memfd_create: {error.strerror}") from None

    def seal(self, fd: int) -> None:
        """F_ADD_SEALS of fcntl(2): SEAL, SHRINK, GROW and WRITE."""
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)

    def is_sealed(self, fd: int) -> bool:
        """F_GET_SEALS of fcntl(2); EINVAL there means no memfd."""
        try:
            return fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _SEALS == _SEALS
        except OSError:
            return False

    def pidfd(self, pid: int) -> int:
        """pidfd_open(2); it sets close-on-exec itself. OSError, too, where it could not be used to end the process."""
        try:
            fd = os.pidfd_open(pid)
        except OSError as error:
            raise OSError(error.errno, f"pidfd_open: {error.strerror}") from None
        try:
            # A filter around a container may know the one call and not the other: better said now than at a deadline.
            signal.pidfd_send_signal(fd, 0)
        except ProcessLookupError:
            pass
        except OSError as error:
            os.close(fd)
            raise OSError(error.errno, f"pidfd_send_signal: {error.strerror}") from None
        return fd

    def kill(self, pidfd: int) -> None:
        """pidfd_send_signal(2)."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    def reap(self, pidfd: int) -> int | None:
        """waitid(2) with P_PIDFD."""
        try:
            ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            return None
        if ended is None:
            return None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def resident_bytes(self, pid: int) -> int:
        """The second field of /proc/PID/statm, which anyone may read."""
        try:
            pages = Path(f"/proc/{pid}/statm").read_bytes().split()[1]
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return int(pages) * resource.getpagesize()

    def usable_cpus(self) -> int:
        """The affinity mask, and the cgroup's CPU quota rounded up."""
        cpus = len(os.sched_getaffinity(0))
        quota = linux_cgroup.cpu_quota()
        return cpus if quota is None else max(1, min(cpus, quota))

    def allowed_cpus(self) -> frozenset[int]:
        """sched_getaffinity(2), which is within the cpuset of the control group."""
        return frozenset(os.sched_getaffinity(0))

    def run_on_cpus(self, cpus: frozenset[int]) -> bool:
        """sched_setaffinity(2). It leaves out in silence what is not allowed, so what came of it is looked at."""
        allowed = self.allowed_cpus()
        try:
            os.sched_setaffinity(0, cpus)
            refused = cpus - self.allowed_cpus()
        except PermissionError:
            # The kernel always lets a process choose for itself: this is a filter of system calls around it.
            return allowed == cpus
        except OSError:
            refused = cpus  # EINVAL: none of them is there and allowed.
        if refused:
            raise WorkerStartFailed(
                f"[swarm] cpus names CPUs that are not there or not allowed: {_listed(refused)}",
                hint=f"mend [swarm] cpus; allowed are {_listed(allowed)}",
            )
        return True

    def add_nice(self, increment: int) -> bool:
        """nice(2). To take from it needs CAP_SYS_NICE, or room below RLIMIT_NICE (getrlimit(2))."""
        # A filter of system calls around the daemon may refuse even that.
        if increment == 0:
            return True
        try:
            os.nice(increment)
        except PermissionError:
            return False
        return True

    def usable_memory(self) -> int:
        """The machine's, or the limit of the control group when that is lower."""
        limit = linux_cgroup.memory_limit()
        try:
            physical = super().usable_memory()
        except OSError:
            # Without /proc; from sysinfo(2).
            physical = os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
        return physical if limit is None else min(physical, limit)

    def file_system(self, path: Path) -> str | None:
        """By /proc/self/mountinfo."""
        return linux_host.file_system(path)

    def may_stall(self, fd: int) -> bool:
        """By the device and the mount of the file."""
        return linux_stalling.may_stall(fd)

    def host(self) -> Host:
        """Limits by getrlimit(2); a user namespace is really tried."""
        descriptors, descriptors_max = linux_host.limit(resource.RLIMIT_NOFILE)
        return msgspec.structs.replace(
            super().host(),
            descriptors=descriptors,
            descriptors_max=descriptors_max,
            processes=linux_host.limit(resource.RLIMIT_NPROC)[0],
            processes_used=linux_host.threads_of_user(),
            user_namespaces=linux_host.makes_user_namespaces(),
            clock_synchronized=linux_host.clock_synchronized(),
        )

    def pressure(self) -> Pressure | None:
        """PSI, of the machine and of the control group."""
        return linux_pressure.pressure()

    def allocator_environment(self, environment: Mapping[str, str], *, huge_pages: bool) -> Mapping[str, str]:
        """GLIBC_TUNABLES (glibc 2.26, huge pages 2.35); other C libraries do not read it. What is set there wins."""
        tunables = [*_KEEP_MEMORY, *(("glibc.malloc.hugetlb=1",) if huge_pages else ())]
        if given := environment.get("GLIBC_TUNABLES"):
            tunables.append(given)
        return {**environment, "GLIBC_TUNABLES": ":".join(tunables)}

    def forget_environment(self) -> None:
        """Also /proc/PID/environ."""
        linux_sandbox.forget_environment()

    def separate_zygote(self) -> tuple[str, ...]:
        """Namespaces."""
        return linux_namespaces.separate()

    def confine_worker(self, limits: WorkerLimits) -> tuple[str, ...]:
        """rlimits, no_new_privs, no capabilities, not dumpable, PR_SET_MDWE, Landlock, a filter of system calls."""
        return linux_sandbox.confine(limits)

    def measure_confinement(self, limits: WorkerLimits) -> Sandbox:
        """What the kernel, the process itself and denied calls that were tried say."""
        return linux_attestation.measure(limits)

    def process_status(self, pid: int) -> int | None:
        """/proc/PID/status."""
        return linux_attestation.process_status(pid)

    def seen_confinement(self, status_fd: int) -> Seen | None:
        """Some 40 microseconds."""
        return linux_attestation.seen(status_fd)

    def resident_bytes_of(self, status_fd: int) -> int:
        """VmRSS."""
        return linux_attestation.resident_bytes(status_fd)

    def system_call_name(self, number: int) -> str:
        """Of this machine's table."""
        machine = linux_syscalls.this_machine()
        return super().system_call_name(number) if machine is None else machine.name(number)


def _listed(cpus: frozenset[int]) -> str:
    first = ", ".join(map(str, sorted(cpus)[:32]))
    return first if len(cpus) <= 32 else f"{first} and {len(cpus) - 32} more"
