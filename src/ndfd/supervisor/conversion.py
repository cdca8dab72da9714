"""One conversion on its way through the pool, and the judge of what its worker says."""

from __future__ import annotations

import asyncio
import os
from typing import NamedTuple

from ndfd import platform
from ndfd.errors import (
    Busy,
    ConversionTimeout,
    DocumentChanged,
    DocumentError,
    DocumentKillsWorkers,
    InputError,
    NativeMissing,
    NdfdError,
    UsageError,
    WorkerProtocolError,
    error_from_code,
)
from ndfd.model.conversion import ConversionReport, ConvertOptions, OnPage, PageReport
from ndfd.protocol import frames
from ndfd.supervisor import claims
from ndfd.supervisor.assignment import Waiting
from ndfd.supervisor.document_state import DocumentState
from ndfd.supervisor.task import WHOLE, Task, TooLong

#: What a worker says of a conversion.
OfJob = frames.JobPage | frames.JobDone | frames.JobTooLong | frames.JobFailed

#: What a worker may say of a conversion. Anything else, such as that the caller is not permitted, is not its to say.
_SAYABLE = (DocumentError, InputError, NativeMissing, UsageError)


class Result(NamedTuple):
    """A finished conversion."""

    report: ConversionReport
    #: The rendered document: a memfd sealed against every change, of the size that the report says. Whoever gets the
    #: result closes it.
    fd: int


class Conversion:
    """Waits, is on a worker, has an outcome. Everything from the worker is untrusted: it has seen the document."""

    def __init__(
        self,
        number: int,
        document_fd: int,
        options: ConvertOptions,
        uid: int,
        on_page: OnPage | None,
        deadline_s: float,
        now: float,
        task: Task = WHOLE,
    ) -> None:
        self.number = number
        self.document_fd = document_fd
        self.options = options
        self.uid = uid
        self._document = task.document or DocumentState.of(document_fd)
        self.deadline_s = deadline_s
        self.asked_at = now
        self.due_at = now + deadline_s
        self.task = task
        self.pages_done, self.pages_total = task.start()
        self.outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        #: How the worker ended that it had before.
        self.death: NdfdError | None = None
        self._on_page = on_page
        #: Pages that its caller has been told of; those of a second attempt come again.
        self._pages_told = self.pages_done

    @property
    def page(self) -> int | None:
        """The page it is on, 1-based; None while that is not known."""
        return None if self.pages_total is None else min(self.pages_done + 1, self.task.last_page(self.pages_total))

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What its worker gets: the document, and its parts."""
        return (self.document_fd, *self.task.parts)

    def waiting(self) -> Waiting:
        """For `assign`."""
        return Waiting(self.uid, fresh=self.death is not None, background=self.task.background())

    def job(self, now: float, cpu_s: float | None) -> frames.Job:
        """What its worker is told; `cpu_s` is the CPU time that it may take."""
        return frames.Job(self.number, self.options, max(self.due_at - now, 0.0), cpu_s, self.task.work)

    def require_sendable(self, now: float, cpu_s: float | None) -> None:
        """`UsageError` when what its worker is told does not fit into a message."""
        try:
            frames.encode(self.job(now, cpu_s))
        except ValueError as error:
            raise UsageError(f"the options are too long: {error}") from error

    def take(self, frame: OfJob, descriptors: tuple[int, ...]) -> bool:
        """Takes a frame of its worker; whether it was the last. `WorkerProtocolError` for what no sound worker sends.

        The descriptors are closed then, as they are unless they are the result's.
        """
        try:
            self._check(frame, descriptors)
            frame = claims.checked(frame, self.task.media_type(self.options))
        except WorkerProtocolError:
            for fd in descriptors:
                os.close(fd)
            raise
        match frame:
            case frames.JobPage(page=page):
                self._take_page(page)
                return False
            case frames.JobDone(report=report):
                self._succeed(Result(report, descriptors[0]))
            case frames.JobTooLong(pages=pages):
                self.fail(TooLong(pages))
            case frames.JobFailed():
                self.fail(_error(frame))
        return True

    def fail(self, error: BaseException) -> None:
        """Its outcome, unless it has one."""
        if not self.outcome.done():
            self.outcome.set_exception(error)

    def died(self, error: NdfdError) -> bool:
        """Its worker has ended without an answer; whether it is tried once more, which only a fresh worker may do.

        So a document that hits a worker spoiled by an earlier one costs nobody anything, and one that kills workers is
        told from an accident.
        """
        if self.outcome.done():
            return False
        if self.death is not None:
            both = f"it ended two workers: first, {self.death}; then, {error}"
            self.fail(DocumentKillsWorkers(both, page=error.page))
            return False
        self.death = error
        self.pages_done, self.pages_total = self.task.start()
        return True

    def overdue(self) -> NdfdError:
        """The error for one whose deadline passed while it waited."""
        return self.death or Busy(f"no worker was free within {self.deadline_s:g} s")

    def timeout(self) -> ConversionTimeout:
        """The error for a conversion that is not done at its deadline."""
        return ConversionTimeout(f"not done after {self.deadline_s:g} s: ended {self.where()}", page=self.page)

    def where(self) -> str:
        """How far it has come, as the end of a sentence."""
        if self.pages_total is None:
            return "before its first page was done"
        if self.pages_done == self.pages_total:
            return f"after the last of {self.pages_total} pages"
        return f"on page {self.page} of {self.pages_total}"

    def let_go(self) -> None:
        """Its caller is gone, or goes: it hears of no page any more, and a result that nobody took is closed."""
        self._on_page = None
        if not self.outcome.done():
            self.outcome.cancel()

    def discard(self) -> None:
        """Closes a result that came in the same moment in which its caller gave up."""
        if self.outcome.done() and not self.outcome.cancelled() and self.outcome.exception() is None:
            os.close(self.outcome.result().fd)

    def _take_page(self, page: PageReport) -> None:
        if self.pages_total is None:
            self.pages_total = page.total
        # In order, each once: so a worker cannot keep its caller busy with pages that do not end.
        last = self.task.last_page(self.pages_total)
        if (page.number, page.total) != (self.pages_done + 1, self.pages_total) or page.number > last:
            raise WorkerProtocolError(f"page {page.number} of {page.total} came {self.where()}")
        self.pages_done += 1
        if self._on_page is not None and page.number > self._pages_told:
            self._pages_told = page.number
            self._on_page(page)

    def changed(self) -> DocumentChanged | None:
        """The error for a document that is not any more what it was when it was handed in; None while it is."""
        return self._document.changed(self.document_fd, self.page)

    def _succeed(self, result: Result) -> None:
        changed = self.changed()
        if self.outcome.done() or changed is not None:
            os.close(result.fd)
        if changed is not None:
            # It was read from a mapping: pages of before and after may stand side by side in it.
            self.fail(changed)
        elif not self.outcome.done():
            self.outcome.set_result(result)

    def _check(self, frame: OfJob, descriptors: tuple[int, ...]) -> None:
        if frame.id != self.number:
            raise WorkerProtocolError(f"it speaks of job {frame.id} and has job {self.number}")
        if len(descriptors) != isinstance(frame, frames.JobDone):
            raise WorkerProtocolError(f"a frame came with {len(descriptors)} descriptors")
        if isinstance(frame, frames.JobDone):
            _check_result(frame.report, descriptors[0])
            if (why := self.task.fault(frame.report, self.pages_done)) is not None:
                raise WorkerProtocolError(why)
        if isinstance(frame, frames.JobTooLong) and (self.pages_done or not self.task.is_too_long(frame.pages)):
            raise WorkerProtocolError(f"it calls the document too long, with {frame.pages} pages, {self.where()}")


def _check_result(report: ConversionReport, fd: int) -> None:
    """Without seals the worker could shorten the memory while somebody reads it, which kills the reader (SIGBUS)."""
    if not platform.is_sealed(fd):
        raise WorkerProtocolError("the result is not a sealed memfd")
    status = os.fstat(fd)
    size = status.st_size
    if size != report.size_bytes:
        raise WorkerProtocolError(f"the result has {size} bytes, its report says {report.size_bytes}")
    # A memfd of a terabyte costs nothing while nothing is written to it. A sound worker writes all of its result, which
    # so is never larger than the worker's memory.
    if status.st_blocks * 512 < size:
        raise WorkerProtocolError(f"the result has {size} bytes, and not all of them were written")


def _error(frame: frames.JobFailed) -> NdfdError:
    error = error_from_code(frame.code, frame.message, hint=frame.hint, page=frame.page)
    if isinstance(error, _SAYABLE):
        return error
    # What to do about it is not its to say, either.
    said = frame.message if frame.code == NdfdError.code else f"{frame.code}: {frame.message}"
    return NdfdError(said, page=frame.page)
