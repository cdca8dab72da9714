"""What confines a worker, measured by a process beside the zygote, which loads the document stack meanwhile.

A measurement is a dozen forks. Those of a process that has loaded nothing yet are cheaper, too.
"""

from __future__ import annotations

import os
from typing import NoReturn

import msgspec

from ndfd import platform
from ndfd.errors import NdfdError, WorkerStartFailed, error_from_code
from ndfd.model.sandbox import Sandbox

#: Instead of its number, which may be another process's by then.
_REAPED = -1


class _Failed(msgspec.Struct, frozen=True, tag=True):
    code: str
    message: str
    hint: str


class _Measured(msgspec.Struct, frozen=True, tag=True):
    sandbox: Sandbox


class Measurement:
    """Under way from its construction, `close` it; the process must have one thread, as for any fork.

    When this process is killed meanwhile, it ends by itself after some milliseconds.
    """

    def __init__(self, limits: platform.WorkerLimits) -> None:
        """OSError, and nothing left, when there can be no such process."""
        read_fd, write_fd = os.pipe()
        self._pipe = os.fdopen(read_fd, "rb")
        try:
            self._pid = os.fork()
            if self._pid == 0:
                _measure(limits, write_fd)
        except OSError:
            self._pipe.close()
            raise
        finally:
            os.close(write_fd)

    def result(self) -> Sandbox:
        """Waits for it; once. `WorkerStartFailed` when a process confined as a worker is cannot live."""
        said = self._pipe.read()
        exit_code = self._reap()
        if not said:
            raise WorkerStartFailed(f"the process that measures the confinement ended with status {exit_code}")
        told = msgspec.msgpack.decode(said, type=_Measured | _Failed)
        if isinstance(told, _Failed):
            raise error_from_code(told.code, told.message, hint=told.hint)
        return told.sandbox

    def close(self) -> None:
        """Leaves nothing of it: waits for its end, when nobody has waited for its result."""
        self._pipe.close()
        if self._pid != _REAPED:
            self._reap()

    def _reap(self) -> int:
        pid, self._pid = self._pid, _REAPED
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _measure(limits: platform.WorkerLimits, write_fd: int) -> NoReturn:
    """In the child, which must never return into its parent's code."""
    try:
        # As the zygote will have it when it forks workers.
        platform.forget_environment()
        platform.separate_zygote()
        told: _Measured | _Failed
        try:
            told = _Measured(platform.measure_confinement(limits))
        except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor is told
            known = error if isinstance(error, NdfdError) else NdfdError(f"{type(error).__name__}: {error}")
            told = _Failed(known.code, known.message, known.hint)
        with os.fdopen(write_fd, "wb") as pipe:
            pipe.write(msgspec.msgpack.encode(told))
        os._exit(os.EX_OK)
    finally:
        os._exit(os.EX_SOFTWARE)
