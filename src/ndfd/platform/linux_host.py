"""What the kernel says of the machine and of the limits around this process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import struct
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
#: adjtimex(2): the state of a clock that nothing keeps right.
_TIME_ERROR = 5

_libc = ctypes.CDLL(None, use_errno=True)


def limit(which: int) -> tuple[int | None, int | None]:
    """A resource limit as it is and as high as it may be set; None for no limit."""
    soft, hard = (None if value == resource.RLIM_INFINITY else value for value in resource.getrlimit(which))
    return soft, hard


def threads_of_user() -> int | None:
    """What the kernel counts against RLIMIT_NPROC of this user; None without /proc."""
    total, uid = 0, os.getuid()
    try:
        processes = [path for path in Path("/proc").iterdir() if path.name.isdecimal()]
    except OSError:
        return None
    for process in processes:
        # One that has ended meanwhile, or is hidden.
        with contextlib.suppress(OSError, KeyError, ValueError):
            lines = (process / "status").read_text().splitlines()
            said = dict(line.split(":", 1) for line in lines if ":" in line)
            if int(said["Uid"].split()[0]) == uid:
                total += int(said["Threads"])
    return total or None


def makes_user_namespaces() -> bool:
    """Really tried, by a child."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if _libc.unshare(_CLONE_NEWUSER) == 0 else 1)
    return os.waitpid(pid, 0)[1] == 0


def clock_synchronized() -> bool | None:
    """Whether a time service keeps the clock right (adjtimex(2), which anyone may ask); None where it is refused."""
    # struct timex, of which nothing is set: only asks. 208 bytes on 64-bit machines.
    state = _libc.adjtimex(ctypes.create_string_buffer(struct.pack("I", 0), 256))
    return None if state < 0 else state != _TIME_ERROR


def file_system(path: Path) -> str | None:
    """Of the mount whose place is the longest part of the path (proc_pid_mountinfo(5)); None without /proc."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    real = path.resolve()
    found: tuple[int, str | None] = (-1, None)
    for line in lines:
        before, _, after = line.partition(" - ")
        # Spaces and the like are written in octal.
        place = Path(before.split()[4].encode().decode("unicode_escape"))
        # Of two mounts at one place the later covers the earlier.
        if real.is_relative_to(place) and len(place.parts) >= found[0]:
            found = (len(place.parts), after.split()[0])
    return found[1]
