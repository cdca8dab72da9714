"""A zygote whose engine does what the document says, in place of reading it. Run as the zygote's program by tests.

The first word of the document is the name of a function here (with - for _); the rest is its argument.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import resource
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ndfd import native, platform
from ndfd.errors import NativeMissing, error_from_code
from ndfd.model.conversion import ConversionReport, ConvertOptions, PageReport
from ndfd.model.document import PageStatus
from ndfd.model.sandbox import Confinement, Sandbox
from ndfd.model.status import EngineStatus
from ndfd.platform import linux_rules, linux_sandbox, linux_syscalls
from ndfd.platform.linux_seccomp import Rule
from ndfd.protocol import frames
from ndfd.worker import nursery, serve
from ndfd.worker.engine import Engine

OnPage = Callable[[PageReport], None]

_MACHINE = linux_syscalls.this_machine()
_GETPID = 0 if _MACHINE is None else _MACHINE.numbers["getpid"]

_GIVEN = dict(os.environ)

#: What this engine does beyond any real one: waits for a signal, makes a pipe and a large memfd, looks at its limits.
_BEYOND = ("rt_sigtimedwait", "pipe2", "ftruncate", "prctl", "prlimit64")


def convert(
    data: mmap.mmap, options: ConvertOptions, on_page: OnPage, confinement: Confinement
) -> tuple[bytes, ConversionReport]:
    word, _, argument = bytes(data).decode().partition(" ")
    pages, result = globals()[word.replace("-", "_")](argument, on_page)
    return result, ConversionReport(pages, 0, 0, options.format.media_type, 0, 0.0, 0)


def echo(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    on_page(page(1, 1))
    return 1, argument.encode()


def pages(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    for number in range(1, int(argument) + 1):
        on_page(page(number, int(argument)))
    return int(argument), b"all"


def pid(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    return 1, str(os.getpid()).encode()


def environment(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """What its zygote was given."""
    return 1, _GIVEN.get(argument, "(not set)").encode()


def left_of_environment(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    return 1, repr((dict(os.environ), libc.getenv(argument.encode()))).encode()


def wait(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """Finishes one page of two, and the other when it is sent SIGUSR1."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    on_page(page(1, 2))
    signal.sigwait({signal.SIGUSR1})
    on_page(page(2, 2))
    return 2, argument.encode()


def burn(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """Takes CPU time, without end or so many seconds of it."""
    on_page(page(1, 3))
    until = time.process_time() + float(argument.partition(" ")[0] or "inf")
    while time.process_time() < until:
        pass
    on_page(page(2, 3))
    on_page(page(3, 3))
    return 3, str(os.getpid()).encode()


def read_late(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """Reads the whole document so many seconds after its first page."""
    on_page(page(1, 1))
    until = time.monotonic() + float(argument.split(" ")[0])
    while time.monotonic() < until:
        pass
    frame = sys._getframe(1)
    document = frame.f_locals["data"]
    return 1, str(sum(1 for _ in bytes(document))).encode()


def open_socket(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    on_page(page(1, 3))
    socket.socket()
    raise AssertionError("still alive")


def claim_violation(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """Says that a call was denied to it which it has not made."""
    send(frames.Violation(_GETPID))
    return hang()


def eat_and_abort(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """As PDFium does."""
    on_page(page(1, 3))
    eaten = []
    with contextlib.suppress(MemoryError):
        while True:
            eaten.append(bytearray(1_000_000))
    signal.raise_signal(signal.SIGABRT)
    raise AssertionError("still alive")


def die(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    on_page(page(1, 3))
    signal.raise_signal(int(argument))
    raise AssertionError("still alive")


def leave(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    os._exit(int(argument))


def answer_and_die(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    fd = platform.sealed_memfd("result", b"made in time")
    send(frames.JobDone(job_id(), report(12)), fd)
    signal.raise_signal(signal.SIGKILL)
    raise AssertionError("still alive")


def eat(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    on_page(page(1, 2))
    return 1, bytes(int(argument))


def fill_memfd(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    os.truncate(platform.memfd("big"), int(argument))
    return 1, b""


def fault(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    raise ZeroDivisionError(argument)


def fail(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    raise error_from_code(argument, f"it is {argument}", page=7)


def limits(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """What holds in the worker."""
    # Read through the descriptor table itself: it can open nothing of /proc.
    descriptors = [fd for fd in range(64) if is_open(fd)]
    lines = [f"NoNewPrivs:\t{ctypes.CDLL(None).prctl(39, 0, 0, 0, 0)}", f"Threads:\t{threading.active_count()}"]
    lines += [f"core {resource.getrlimit(resource.RLIMIT_CORE)}", f"space {resource.getrlimit(resource.RLIMIT_AS)}"]
    lines += [f"descriptors {len(descriptors)}", f"dumpable {ctypes.CDLL(None).prctl(3)}"]
    lines += [
        f"alarm {signal.getsignal(signal.SIGALRM).name}",
        f"blocked {signal.pthread_sigmask(signal.SIG_BLOCK, ())}",
    ]
    return 1, "\n".join(lines).encode()


# What only a hostile worker does


def long_frame(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    os.write(channel(), b"x" * (frames.MAX_FRAME_BYTES + 1))
    return hang()


def garbage(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    os.write(channel(), b"\xc1 no frame")
    return hang()


def zygotes_frame(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.Exited(1, 1, 0, 0))
    return hang()


def wrong_job(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobPage(job_id() + 1, page(1, 1)))
    return hang()


def page_with_descriptor(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobPage(job_id(), page(1, 1)), 0)
    return hang()


def many_descriptors(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobPage(job_id(), page(1, 1)), *[0] * 200)
    return hang()


def done_without_result(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobDone(job_id(), report(0)))
    return hang()


def boast(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    """Says of itself that it is confined as nobody is."""
    told = msgspec.structs.replace(report(0), sandbox=Confinement(0, 99, 99, (), verified=True))
    send(frames.JobDone(job_id(), told), platform.sealed_memfd("result", b""))
    return hang()


def two_results(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    fd = platform.sealed_memfd("result", b"")
    send(frames.JobDone(job_id(), report(0)), fd, fd)
    return hang()


def unsealed_result(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobDone(job_id(), report(0)), platform.memfd("result"))
    return hang()


def result_of_another_size(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobDone(job_id(), report(4)), platform.sealed_memfd("result", b"short"))
    return hang()


def result_is_a_pipe(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobDone(job_id(), report(0)), os.pipe()[0])
    return hang()


def endless_pages(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    while True:
        on_page(page(1, 2))


def empty_frame(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    worker()._channel._sock.sendmsg([b""])
    return hang()


def close_channel(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    os.close(channel())
    return hang()


def speak_unasked(argument: str, on_page: OnPage) -> tuple[int, bytes]:
    send(frames.JobDone(job_id(), report(0)), platform.sealed_memfd("result", b""))
    send(frames.JobPage(job_id(), page(1, 1)))
    return hang()


def page(number: int, total: int) -> PageReport:
    return PageReport(number, total, PageStatus.OK)


def report(size_bytes: int) -> ConversionReport:
    return ConversionReport(1, 0, 0, worker()._job.options.format.media_type, size_bytes, 0.0, 0)


def hang() -> tuple[int, bytes]:
    signal.sigwait(set())
    raise AssertionError("no signal can have come")


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def channel() -> int:
    """The worker's own end: the only socket it has."""
    return next(fd for fd in range(3, 64) if is_open(fd) and stat.S_ISSOCK(os.fstat(fd).st_mode))


def send(frame: frames.Frame, *descriptors: int) -> None:
    worker()._channel.send(frames.encode(frame), descriptors)


def job_id() -> int:
    return worker()._job.id


def worker() -> Any:
    """Out of the frames of the worker's own code, where a hostile engine would find it, too."""
    frame = sys._getframe()
    while "self" not in frame.f_locals or not hasattr(frame.f_locals["self"], "_job"):
        assert frame.f_back is not None
        frame = frame.f_back
    return frame.f_locals["self"]


def mumble(limits: platform.WorkerLimits, sandbox: Sandbox) -> None:
    """Says something else than that it is confined."""
    os.write(platform.WORKER_CHANNEL_FD, b"hm")


#: Words of the command line, each with what then replaces what in workers alone: they are measured as before.
_UNCONFINED: dict[str, tuple[Any, str, Any]] = {
    "unconfined": (serve, "_confine", lambda limits, sandbox: None),
    "die-unconfined": (serve, "_confine", lambda limits, sandbox: os._exit(3)),
    "hang-unconfined": (serve, "_confine", lambda limits, sandbox: hang()),
    "mumble": (serve, "_confine", mumble),
}


def prepare(font_dirs: Sequence[str]) -> Engine:
    if "refuse" in sys.argv:
        raise NativeMissing("there is no engine here")
    if "break" in sys.argv:
        raise ZeroDivisionError("a fault of the engine")
    if "die" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    for word in set(_UNCONFINED).intersection(sys.argv):
        setattr(*_UNCONFINED[word])
    # As a shell may hand them on: a worker must not care.
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    return Engine(EngineStatus("double 1", "python", tuple(font_dirs)), convert, native.violations.tell)


def widen_confinement() -> None:
    """Lets workers make the calls that this file needs; before anything is measured, so that they are found so."""
    linux_rules._ALLOWED = (*linux_rules._ALLOWED, *map(Rule, _BEYOND))


if __name__ == "__main__":
    widen_confinement()
    if "lacking-mdwe" in sys.argv:
        linux_sandbox._PR_SET_MDWE = -1
    words = {"refuse", "break", "die", "lacking-mdwe", *_UNCONFINED}
    sys.exit(nursery.main(prepare, [each for each in sys.argv[1:] if each not in words]))
