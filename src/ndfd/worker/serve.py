"""A worker's loop: a job with a document in, page frames and one answer out, until the supervisor closes the channel.

A job is to convert a document, to read a part of one, or to put the parts together.

What goes wrong with a document is said in the answer. What goes wrong with the worker ends the process: the supervisor
sees its end and its exit code.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import math
import mmap
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator

import msgspec

from ndfd import platform
from ndfd.errors import (
    EX_PROTOCOL,
    ConversionOutOfMemory,
    EmptyDocument,
    InputError,
    NdfdError,
    NotSupported,
    WorkerProtocolError,
)
from ndfd.model.conversion import ConversionReport, PageReport
from ndfd.model.sandbox import Confinement, Sandbox
from ndfd.model.sections import Section
from ndfd.protocol import frames
from ndfd.worker.engine import Engine

#: Seconds past a job's deadline after which the kernel ends this process (SIGALRM), in case no daemon is left to do it.
ALARM_GRACE_S = 5.0

#: Of an error's message in a frame: it may quote the document.
_MESSAGE_MAX_CHARACTERS = 1000

#: Knobs and what they shall be (`platform.process`), of one worker alone.
Place = tuple[tuple[str, str], ...]

#: How the kernel says that memory, or the limit of a file's size that bounds a memfd, is used up.
_OUT_OF_MEMORY = frozenset({errno.ENOMEM, errno.EFBIG, errno.ENOSPC})


def serve(
    channel: platform.Channel, engine: Engine, limits: platform.WorkerLimits, sandbox: Sandbox, place: Place = ()
) -> None:
    """Runs in the fresh child. Returns when the supervisor has closed its end between two jobs.

    SystemExit(0) when it did so within a job. `NotSupported` when less confines this process than `sandbox` says.
    """
    _reset_signals()
    _keep_only(channel)
    engine.tell_violations(channel.fileno(), frames.VIOLATION)
    # Before the confinement, which lets it do nothing of the kind.
    tuning = tuple(platform.process.apply(knob, value, "worker") for knob, value in place)
    _confine(limits, sandbox)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        channel.send(frames.encode(frames.Confined(tuning)))
    gc.enable()
    decoder = frames.FrameDecoder[frames.ToWorker](frames.ToWorker)
    confinement = sandbox.confinement()
    while (message := channel.receive()) is not None:
        job = decoder.decode(message.data)
        if not isinstance(job, frames.Job):
            raise WorkerProtocolError("a part came without its job")
        (document_fd,) = message.descriptors
        _Work(channel, job, limits, confinement, decoder).run(engine, document_fd)


def _reset_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        # The C library keeps two numbers for itself and refuses them.
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    # So that a write fails with EPIPE or EFBIG, and is handled, instead of ending the process.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    ignore_what_is_the_daemons()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def ignore_what_is_the_daemons() -> None:
    """What an operator asks of the daemon is for it alone, but `systemctl kill --signal=` sends it to every process."""
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def _keep_only(channel: platform.Channel) -> None:
    """And the three standard descriptors: stdin and stdout are /dev/null, stderr is a pipe to the daemon's log."""
    channel.move_to(platform.WORKER_CHANNEL_FD)
    os.closerange(platform.WORKER_CHANNEL_FD + 1, os.sysconf("SC_OPEN_MAX"))


def _confine(limits: platform.WorkerLimits, sandbox: Sandbox) -> None:
    lacking = set(platform.confine_worker(limits)) - set(sandbox.missing)
    if lacking:
        # The zygote's word on its workers stands on their results: it must hold for each of them.
        raise NotSupported(f"this worker could not be confined as others are: {', '.join(sorted(lacking))} failed")


class _Work:
    """One job."""

    def __init__(
        self,
        channel: platform.Channel,
        job: frames.Job,
        limits: platform.WorkerLimits,
        confinement: Confinement,
        decoder: frames.FrameDecoder[frames.ToWorker],
    ) -> None:
        self._channel = channel
        self._job = job
        self._limits = limits
        self._confinement = confinement
        self._decoder = decoder
        #: The page the conversion is on, where that is known: 1-based.
        self._page = job.work.first if isinstance(job.work, frames.Part) else None
        #: That are still to be received.
        self._parts_left = job.work.parts if isinstance(job.work, frames.Compose) else 0

    def run(self, engine: Engine, document_fd: int) -> None:
        """Converts and answers; takes the descriptor over."""
        signal.alarm(math.ceil(self._job.deadline_s + ALARM_GRACE_S))
        # Where limits cannot be set, that is known of every worker, and allowed; the deadline still holds.
        if "rlimits" not in self._confinement.missing:
            _limit_cpu(self._job.cpu_s)
        try:
            answer, *result = self._answer(engine, document_fd)
        except Exception as error:  # noqa: BLE001 - every failure of a conversion becomes an answer
            while self._parts_left:
                os.close(self._receive_part())
            self._fail(error)
        else:
            try:
                self._send(answer, *result)
            finally:
                for fd in result:
                    os.close(fd)
        finally:
            signal.alarm(0)

    def _answer(self, engine: Engine, document_fd: int) -> tuple[bytes, *tuple[int, ...]]:
        """The frame and the descriptors that go with it."""
        cpu_before_s = time.process_time()
        document = _map(document_fd)
        try:
            done = self._do(engine, document)
        finally:
            # A view that is still held keeps the mapping until it goes.
            with contextlib.suppress(BufferError):
                document.close()
        if isinstance(done, int):
            return (frames.encode(frames.JobTooLong(self._job.id, done)),)
        result, report = done
        report = msgspec.structs.replace(
            report,
            size_bytes=len(result),
            cpu_s=time.process_time() - cpu_before_s,
            rss_max_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        )
        return frames.encode(frames.JobDone(self._job.id, report)), platform.sealed_memfd(
            "ndfd-result", memoryview(result)
        )

    def _do(self, engine: Engine, document: mmap.mmap) -> tuple[bytes | bytearray, ConversionReport] | int:
        """The result; or, when it is not to be converted, the number of its pages."""
        work, options, by_parts = self._job.work, self._job.options, engine.by_parts
        if isinstance(work, frames.Whole) and (work.pages_max is None or by_parts is None):
            return engine.convert(document, options, self._on_page, self._confinement)
        if by_parts is None:
            raise NotSupported("this engine reads each document whole")
        match work:
            case frames.Whole():
                assert work.pages_max is not None
                return by_parts.convert_up_to(work.pages_max, document, options, self._on_page, self._confinement)
            case frames.Part():
                section = Section(work.first, work.last)
                return by_parts.read_part(document, options, section, work.pages, self._on_page)
            case frames.Compose():
                return by_parts.compose(document, options, work.pages, self._parts(), self._confinement)

    def _parts(self) -> Iterator[mmap.mmap]:
        """Each part when it is asked for, and until the next one is: few descriptors can be used at a time."""
        while self._parts_left:
            with _map(self._receive_part()) as part:
                yield part

    def _receive_part(self) -> int:
        """The descriptor of the next part. Ends this process when anything else comes."""
        # SystemExit is not an Exception: no handler within a conversion takes it for the document's fault.
        try:
            message = self._channel.receive()
            if message is None:
                raise SystemExit(0)
            frame = self._decoder.decode(message.data)
        except WorkerProtocolError as error:
            raise SystemExit(EX_PROTOCOL) from error
        if not isinstance(frame, frames.JobPart) or frame.id != self._job.id or len(message.descriptors) != 1:
            raise SystemExit(EX_PROTOCOL)
        self._parts_left -= 1
        return message.descriptors[0]

    def _on_page(self, page: PageReport) -> None:
        self._page = min(page.number + 1, page.total)
        self._send(frames.encode(frames.JobPage(self._job.id, page)))

    def _fail(self, error: Exception) -> None:
        known = self._known(error)
        page = self._page if known.page is None else known.page
        message, hint = known.message[:_MESSAGE_MAX_CHARACTERS], known.hint[:_MESSAGE_MAX_CHARACTERS]
        self._send(frames.encode(frames.JobFailed(self._job.id, known.code, message, hint, page)))

    def _known(self, error: Exception) -> NdfdError:
        if isinstance(error, NdfdError):
            return error
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _OUT_OF_MEMORY):
            return ConversionOutOfMemory(f"the conversion needs more memory than {self._limits.memory_bytes} bytes")
        # For the daemon's log: the caller is told the kind of error and no more of our insides.
        traceback.print_exception(error, file=sys.stderr)
        return NdfdError(f"{type(error).__name__}: {error}")

    def _send(self, frame: bytes, *descriptors: int) -> None:
        try:
            self._channel.send(frame, descriptors)
        except (BrokenPipeError, ConnectionResetError):
            # Not an Exception: no handler within a conversion takes it for the document's fault.
            raise SystemExit(0) from None


def _limit_cpu(cpu_s: float | None) -> None:
    """The kernel ends this process (SIGXCPU) when it has taken so much more CPU time, to the second."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = hard if cpu_s is None else math.ceil(time.process_time() + cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _map(document_fd: int) -> mmap.mmap:
    """The document, read-only and not copied; takes the descriptor over."""
    try:
        if os.fstat(document_fd).st_size == 0:
            raise EmptyDocument("the document has 0 bytes")
        return mmap.mmap(document_fd, 0, access=mmap.ACCESS_READ)
    except OSError as error:
        if error.errno in _OUT_OF_MEMORY:
            raise
        raise InputError(f"the document cannot be mapped: {error.strerror}") from error
    finally:
        os.close(document_fd)
