"""The accelerators of the machine, asked for in a process of their own that may hang or crash without harm."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import msgspec

from ndfd.model.hardware import Accelerators, Backend, BackendState, Hardware
from ndfd.platform.machine import machine_parts

#: Seconds that each library may take, all being asked at once: a driver that wakes sleeping devices takes one or two.
ANSWER_LIMIT_S = 5.0
#: Of an answer; one of all the devices that are told of has some 25 kB, for which a pipe has room.
_ANSWER_MAX_BYTES = 1 << 16
#: Seconds until a process that was killed has ended; one that hangs in a driver, where no signal reaches it, does not.
_END_WAIT_S = 1.0

#: Made at once: msgspec 0.22 crashes when two threads are the first to decode a type.
_decoder = msgspec.json.Decoder(Accelerators)

#: Left to the system because they did not end when they were killed; held so that they are waited for some day.
_stuck: list[subprocess.Popen[bytes]] = []


def hardware() -> Hardware:
    """The machine as it is now. Blocks as `accelerators`; never fails."""
    return Hardware(machine_parts.processor(), accelerators())


def accelerators(
    limit_s: float = ANSWER_LIMIT_S,
    command: Sequence[str] = (sys.executable, "-P", "-m", "ndfd.platform.accelerator_probe"),
) -> tuple[Accelerators, ...]:
    """What each backend that this system could have offers; blocks for `limit_s` and a little more at most.

    Never fails: what goes wrong with a library is in its backend's answer. `command` is the program that asks; a
    frozen daemon names itself there. -P: nothing is imported from the folder that this was started in.
    """
    _stuck[:] = [process for process in _stuck if process.poll() is None]
    deadline = time.monotonic() + limit_s
    asked = [(backend, _start([*command, str(int(limit_s) + 2), backend])) for backend in machine_parts.libraries]
    return tuple(_answer(backend, process, deadline, limit_s) for backend, process in asked)


def _start(command: Sequence[str]) -> subprocess.Popen[bytes] | OSError:
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as error:
        return error


def _answer(
    backend: Backend, process: subprocess.Popen[bytes] | OSError, deadline: float, limit_s: float
) -> Accelerators:
    if isinstance(process, OSError):
        problem = f"no process could be started to ask it: {process.strerror}"
        return Accelerators(backend, BackendState.FAILED, problem=problem)
    assert process.stdout is not None
    with process.stdout:
        line, in_time = _read_line(process.stdout.fileno(), deadline)
    answer = _decoded(line, backend)
    # Whether a process that has answered then ends is of no interest: some libraries hang when they are unloaded. One
    # that closed its end of the pipe without an answer has ended, or is about to.
    status = _end(process, patience_s=_END_WAIT_S if in_time and answer is None else 0.0)
    if answer is not None:
        return answer
    if not in_time:
        return Accelerators(backend, BackendState.HUNG, problem=f"it did not answer within {limit_s:g} s")
    return Accelerators(backend, BackendState.CRASHED, problem=_how(status))


def _read_line(fd: int, deadline: float) -> tuple[bytes, bool]:
    """What is written up to the end of a line, or until the other end is closed; False when the deadline came first."""
    data = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while b"\n" not in data and len(data) <= _ANSWER_MAX_BYTES:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return bytes(data), False
            piece = os.read(fd, _ANSWER_MAX_BYTES)
            if not piece:
                break
            data += piece
    return bytes(data), True


def _decoded(line: bytes, backend: Backend) -> Accelerators | None:
    """None for anything but a whole answer on this backend."""
    if not line.endswith(b"\n"):
        return None
    try:
        answer = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return answer if answer.backend is backend else None


def _end(process: subprocess.Popen[bytes], patience_s: float) -> int | None:
    """Ends it when the patience is at an end; its exit code, None for one that cannot be ended."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(patience_s)
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(_END_WAIT_S)
    _stuck.append(process)
    return None


def _how(status: int | None) -> str:
    if status is None:
        return "the process that asked it cannot be ended: it hangs in the driver"
    if status < 0:
        try:
            return f"it ended the process that asked it: {signal.Signals(-status).name}"
        except ValueError:
            return f"it ended the process that asked it: signal {-status}"
    return f"it ended the process that asked it: exit status {status}"
