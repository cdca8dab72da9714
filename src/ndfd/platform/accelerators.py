"""The accelerators of the machine, asked for in a process of their own that may hang or crash without harm."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from ndfd.model.hardware import Accelerators, Backend, BackendState
from ndfd.platform import machine_parts

#: Seconds that all libraries together may take: a driver that wakes sleeping devices takes one or two.
ANSWER_LIMIT_S = 5.0
#: Of answers; a machine with all the devices that are told of has some 50 kB.
_ANSWERS_MAX_BYTES = 1 << 20
#: Seconds until a process that was killed has ended; one that hangs in a driver, where no signal comes through, does not.
_END_WAIT_S = 1.0

#: Left to the system because they did not end when they were killed; held so that they are waited for some day.
_stuck: list[subprocess.Popen[bytes]] = []


def accelerators(
    limit_s: float = ANSWER_LIMIT_S,
    command: Sequence[str] = (sys.executable, "-P", "-m", "ndfd.platform.accelerator_probe"),
) -> tuple[Accelerators, ...]:
    """What each backend that this system could have offers; blocks for at most about `limit_s` for each of them.

    Never fails: what goes wrong with a library is in its backend's answer. `command` is the program that asks; a
    frozen daemon names itself there. -P: nothing is imported from the folder that this was started in.
    """
    _stuck[:] = [process for process in _stuck if process.poll() is None]
    waiting = list(machine_parts.libraries)
    found: list[Accelerators] = []
    while waiting:
        answers, blame = _asked(command, waiting, limit_s)
        found += answers
        del waiting[: len(answers)]
        if waiting:
            # The first without an answer ended or held up the process; the others get another one.
            found.append(msgspec.structs.replace(blame, backend=waiting.pop(0)))
    return tuple(found)


def _asked(
    command: Sequence[str], backends: Sequence[Backend], limit_s: float
) -> tuple[list[Accelerators], Accelerators]:
    """What came, in the order of the backends; and what is to be said of the first that is missing."""
    first = backends[0]
    try:
        process = subprocess.Popen(
            [*command, str(int(limit_s) + 2), *backends],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        problem = f"no process could be started to ask it: {error.strerror}"
        return [], Accelerators(first, BackendState.FAILED, problem=problem)
    assert process.stdout is not None
    with process.stdout:
        data, in_time = _read(process.stdout.fileno(), len(backends), time.monotonic() + limit_s)
    answers = _decoded(data, backends)
    if len(answers) == len(backends):
        _end(process)
        return answers, Accelerators(first, BackendState.FAILED)
    if not in_time:
        _end(process)
        problem = f"it did not answer within {limit_s:g} s"
        return answers, Accelerators(first, BackendState.HUNG, problem=problem)
    # Its end of the pipe is closed, so it has ended or is about to.
    status = _end(process, patience_s=_END_WAIT_S)
    return answers, Accelerators(first, BackendState.CRASHED, problem=_how(status))


def _read(fd: int, lines: int, deadline: float) -> tuple[bytes, bool]:
    """What is written until it is so many lines or the other end is closed; False: the deadline came first, or too much.

    Whether a process that has said everything then ends is of no interest: some libraries hang when they are unloaded.
    """
    data = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while data.count(b"\n") < lines:
            if len(data) > _ANSWERS_MAX_BYTES:
                return bytes(data), False
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return bytes(data), False
            piece = os.read(fd, 1 << 16)
            if not piece:
                return bytes(data), True
            data += piece
    return bytes(data), True


def _decoded(data: bytes, backends: Sequence[Backend]) -> list[Accelerators]:
    """The whole lines up to the first that is none of the answers that were asked for."""
    decoder = msgspec.json.Decoder(Accelerators)
    answers: list[Accelerators] = []
    for line, backend in zip(data.split(b"\n")[:-1], backends, strict=False):
        try:
            answer = decoder.decode(line)
        except msgspec.DecodeError:
            break
        if answer.backend is not backend:
            break
        answers.append(answer)
    return answers


def _end(process: subprocess.Popen[bytes], patience_s: float = 0.0) -> int | None:
    """Ends it, at once or when the patience is at an end; its exit code, None for one that cannot be ended."""
    with suppress(subprocess.TimeoutExpired):
        return process.wait(patience_s)
    process.kill()
    try:
        return process.wait(_END_WAIT_S)
    except subprocess.TimeoutExpired:
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
