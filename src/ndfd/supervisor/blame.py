"""What ended a worker over a document: the causes told apart, the error for each, and what is kept of it."""

from __future__ import annotations

import os
import signal
import time

import ndfd
from ndfd import platform
from ndfd.errors import (
    ConversionCpuLimit,
    ConversionOutOfMemory,
    ConversionTimeout,
    DocumentChanged,
    DocumentError,
    NdfdError,
    SandboxViolation,
    WorkerCrashed,
    WorkerProtocolError,
)
from ndfd.model.crash import CrashCause, CrashReport, Stage
from ndfd.model.status import EngineStatus
from ndfd.supervisor.conversion import Conversion
from ndfd.supervisor.pooled_worker import PooledWorker
from ndfd.supervisor.spawner import End
from ndfd.supervisor.zygote_process import ending

_CAUSES: dict[type[NdfdError], CrashCause] = {
    WorkerCrashed: CrashCause.CRASH,
    ConversionTimeout: CrashCause.TIMEOUT,
    ConversionOutOfMemory: CrashCause.MEMORY,
    ConversionCpuLimit: CrashCause.CPU,
    SandboxViolation: CrashCause.SANDBOX_VIOLATION,
    WorkerProtocolError: CrashCause.PROTOCOL,
}

#: PDFium aborts when it is refused memory, and of its reasons to abort that is by far the usual one for a worker that
#: held so much of what it might have: measured 0.91 to 0.94 on bombs, with limits of 400 to 1100 MB.
_MEMORY_USED_UP = 0.8


def blame(conversion: Conversion, end: End, call: int | None) -> NdfdError:
    """The error for a conversion whose worker ended so; `call` is the denied system call that it named, if it did."""
    where, page = conversion.where(), conversion.page
    if end.exit_code == -signal.SIGBUS and (changed := conversion.changed()) is not None:
        # The kernel's answer to who reads a mapping of a file that has become shorter.
        return changed
    if call is not None or end.exit_code == -signal.SIGSYS:
        what = "a system call of another table" if call is None else platform.system_call_name(call)
        return SandboxViolation(f"the worker attempted {what}, which its confinement denies, {where}", page=page)
    if end.exit_code == -signal.SIGXCPU:
        return ConversionCpuLimit(f"its CPU time was used up {where}", page=page)
    if end.exit_code == -signal.SIGABRT and end.rss_max_bytes >= _MEMORY_USED_UP * end.memory_bytes > 0:
        used = f"{end.rss_max_bytes} of {end.memory_bytes} bytes"
        return ConversionOutOfMemory(f"the engine gave up {where}, with {used} in use", page=page)
    hint = None
    if end.exit_code == -signal.SIGKILL:
        hint = "SIGKILL comes from the kernel when memory runs out, or from an administrator; see the kernel's log"
    return WorkerCrashed(f"the worker {ending(end.exit_code)} {where}", page=page, hint=hint)


def is_final(error: NdfdError) -> bool:
    """Whether a fresh worker is not tried: it used up what a document may, or the document is no more what it was."""
    return isinstance(error, (DocumentError, DocumentChanged))


def crash_report(
    error: NdfdError, conversion: Conversion, worker: PooledWorker, end: End, engine: EngineStatus | None
) -> CrashReport | None:
    """What is kept of it; None for an end that no document brought about, such as a cancellation."""
    cause = _CAUSES.get(type(error))
    if cause is None:
        return None
    # One that named a denied call may be ended by the kernel or by us, whoever is first: the signal says nothing more.
    exit_code = end.exit_code if worker.denied_call is None else None
    return CrashReport(
        at=time.time(),
        cause=cause,
        code=error.code,
        stage=_stage(conversion),
        conversion=conversion.number,
        uid=conversion.uid,
        attempt=1 if conversion.death is None else 2,
        size_bytes=os.fstat(conversion.document_fd).st_size,
        format=conversion.options.format,
        engine="" if engine is None else engine.name,
        version=ndfd.__version__,
        worker=worker.number,
        pid=0 if worker.process is None else worker.process.pid,
        served=worker.served,
        page=conversion.page,
        pages=conversion.pages_total,
        signal=_signal_name(-exit_code) if exit_code is not None and exit_code < 0 else None,
        exit_status=exit_code if exit_code is not None and exit_code >= 0 else None,
        call=None if worker.denied_call is None else platform.system_call_name(worker.denied_call),
        rss_max_bytes=end.rss_max_bytes,
    )


def _stage(conversion: Conversion) -> Stage:
    if conversion.pages_total is None:
        return Stage.OPENING
    return Stage.READING if conversion.pages_done < conversion.pages_total else Stage.FINISHING


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
