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


class _Failed(msgspec.Struct, frozen=True, tag=True):
    code: str
    message: str
    hint: str


class _Measured(msgspec.Struct, frozen=True, tag=True):
    sandbox: Sandbox


class Measurement:
    """Under way from its construction; the process must have one thread, as for any fork."""

    def __init__(self, limits: platform.WorkerLimits) -> None:
        """OSError, and nothing left, when there can be no such process."""
        self._read_fd, write_fd = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            os.close(self._read_fd)
            os.close(write_fd)
            raise
        if self._pid == 0:
            os.close(self._read_fd)
            _measure(limits, write_fd)
        os.close(write_fd)

    def result(self) -> Sandbox:
        """Waits for it; once. `WorkerStartFailed` when a process confined as a worker is cannot live."""
        with os.fdopen(self._read_fd, "rb") as pipe:
            said = pipe.read()
        exit_code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        if not said:
            raise WorkerStartFailed(f"the process that measures the confinement ended with status {exit_code}")
        told = msgspec.msgpack.decode(said, type=_Measured | _Failed)
        if isinstance(told, _Failed):
            raise error_from_code(told.code, told.message, hint=told.hint)
        return told.sandbox


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
