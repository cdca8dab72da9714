"""Runs a child process as a service: between the controls of a manager, the child's pipes, and its log file.

What is done when, `windows_service_course` decides. Here are the threads around it. Nothing here calls Windows: what
does is handed in, so that the whole runs, and is tested, on any system.

The owner's protocol, between the host and its child:

- The child's standard output: the first line says that it serves. `{"error": {"message": …, "hint": …}}` as a JSON
  object says why it never will; the child then ends by itself.
- The child's standard input: the line `drain` asks it to let running work end and then to stop, `reload` to read its
  configuration again. The end of the pipe asks it to stop fast. Lines that it does not know it ignores.
- Everything else that it writes, to either stream, is its log.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import logging.handlers
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ndfd.platform.windows_job import Containment
from ndfd.platform.windows_service_course import (
    CloseInput,
    Control,
    Event,
    Kill,
    Limits,
    Note,
    Outcome,
    Say,
    ServiceCourse,
    ServiceStatus,
    State,
    Step,
)

#: Lines of the log that an event shows.
_LAST_LINES = 10
#: A longer line of the child is cut into several.
_LINE_MAX_BYTES = 65536
_LOG_MAX_BYTES, _LOGS_KEPT = 10 * 1024 * 1024, 5
#: What a process that has ended wrote is there at once; a process it started may hold its pipes open for ever.
_PIPES_END_S = 1.0
#: What the system gives as the number of an error that has none.
_ERROR_GEN_FAILURE = 31

_Happening = Callable[[ServiceCourse], tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What a host is started with."""

    #: Of the service.
    name: str
    #: The child: its program and arguments.
    command: tuple[str, ...]
    #: The folder of its log files, NAME.log and NAME.log.1 to .5, of 10 MiB each.
    log_dir: Path
    limits: Limits = field(default_factory=Limits)


class ChildLog:
    """The log file of the child, which turns over by its size, and its last lines. Threads may share it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._last: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        self._file: logging.Handler = logging.NullHandler()
        #: Why there is no file; None: there is one.
        self.problem: str | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = logging.handlers.RotatingFileHandler(
                folder / f"{name}.log", maxBytes=_LOG_MAX_BYTES, backupCount=_LOGS_KEPT, encoding="utf-8"
            )
        except OSError as error:
            self.problem = str(error)

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last ones of the child's standard error, oldest first."""
        return tuple(self._last)

    def child_said(self, line: bytes) -> None:
        """A line of the child's standard output."""
        self._write(_text(line))

    def child_logged(self, line: bytes) -> None:
        """A line of the child's standard error."""
        text = _text(line)
        self._last.append(text)
        self._write(text)

    def host_says(self, text: str) -> None:
        """A line of the host's."""
        self._write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} service host: {text}")

    def close(self) -> None:
        """The file; nothing may follow."""
        self._file.close()

    def _write(self, text: str) -> None:
        # A disk that is full costs the lines and no more: the handler keeps its errors to itself.
        self._file.handle(logging.makeLogRecord({"msg": text}))


class ServiceHost:
    """One run of the service."""

    def __init__(
        self,
        options: HostOptions,
        report: Callable[[ServiceStatus], None],
        write_event: Callable[[Event, str], None],
        containment: Containment,
    ) -> None:
        """`report` tells the manager the status; both functions are called by the thread that calls `run`."""
        self._options = options
        self._report = report
        self._write_event = write_event
        self._containment = containment
        self._happened: queue.SimpleQueue[_Happening] = queue.SimpleQueue()
        self._to_child: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._log = ChildLog(options.log_dir, options.name)

    def control(self, control: Control) -> None:
        """Passes on a control of the manager; returns at once. Any thread may call it."""
        self._happened.put(lambda course: course.asked(control, time.monotonic()))

    def run(self) -> Outcome:
        """From the start of the child to its end. STOPPED is reported last of all, and not for a recovery."""
        course = ServiceCourse(self._options.name, self._options.limits, time.monotonic())
        self._report(course.status)
        if self._log.problem:
            self._note(Note(Event.LOG_UNWRITABLE, f"There is no log file: {self._log.problem}"))
        process = self._start(course)
        if process is not None:
            self._serve(course, process)
        assert course.outcome is not None
        self._log.close()
        if not course.outcome.recover:
            self._report(course.status)
        return course.outcome

    def _serve(self, course: ServiceCourse, process: subprocess.Popen[bytes]) -> None:
        """Until there is an outcome."""
        reported = course.status
        while course.outcome is None:
            steps = self._next_steps(course)
            # STOPPED comes last of all: the SCM may end the process at once.
            if course.status != reported and course.status.state is not State.STOPPED:
                reported = course.status
                self._report(reported)
            for step in steps:
                self._do(step, process)
        self._to_child.put(None)

    def _next_steps(self, course: ServiceCourse) -> tuple[Step, ...]:
        wait_s = None if course.wake_at is None else max(0.0, course.wake_at - time.monotonic())
        steps: tuple[Step, ...] = ()
        with contextlib.suppress(queue.Empty):
            steps = self._happened.get(timeout=wait_s)(course)
        return steps + course.tick(time.monotonic())

    def _do(self, step: Step, process: subprocess.Popen[bytes]) -> None:
        match step:
            case Say(line):
                self._to_child.put(line)
            case CloseInput():
                self._to_child.put(None)
            case Kill():
                self._containment.kill(process)
            case Note():
                self._note(step)

    def _note(self, note: Note) -> None:
        self._write_event(note.event, note.text)
        self._log.host_says(note.text)

    def _start(self, course: ServiceCourse) -> subprocess.Popen[bytes] | None:
        command = self._options.command
        self._log.host_says(f"starting {subprocess.list2cmdline(command)}")
        try:
            process = _contained(command, self._containment)
        except OSError as error:
            number = getattr(error, "winerror", None) or _ERROR_GEN_FAILURE
            self._note(course.not_started(number, f"{command[0]}: {error}"))
            return None
        self._attend(process)
        return process

    def _attend(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        pumps = (
            _thread("stdout", self._hear, process.stdout),
            _thread("stderr", self._copy, process.stderr),
        )
        _thread("stdin", self._tell, process.stdin)
        _thread("ending", self._await, process, pumps)

    def _hear(self, stdout: IO[bytes]) -> None:
        with stdout:
            for line in _lines(stdout):
                self._log.child_said(line)
                if line.endswith(b"\n"):
                    self._happened.put(_spoken(line))

    def _copy(self, stderr: IO[bytes]) -> None:
        with stderr:
            for line in _lines(stderr):
                self._log.child_logged(line)

    def _tell(self, stdin: IO[bytes]) -> None:
        """Writes what is to be said until there is no more. A thread's job: a child that reads nothing blocks it."""
        # Of a child that is gone its end tells.
        with contextlib.suppress(OSError):
            while (line := self._to_child.get()) is not None:
                stdin.write(line)
                stdin.flush()
        with contextlib.suppress(OSError):
            stdin.close()

    def _await(self, process: subprocess.Popen[bytes], pumps: Sequence[threading.Thread]) -> None:
        exit_code = process.wait()
        limit = time.monotonic() + _PIPES_END_S
        for pump in pumps:
            pump.join(max(0.0, limit - time.monotonic()))
        self._happened.put(lambda course: course.ended(exit_code & 0xFFFFFFFF, self._log.last_lines))


def _contained(command: Sequence[str], containment: Containment) -> subprocess.Popen[bytes]:
    """A child that nothing of it can outlive. OSError, and no child, where that cannot be."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        creationflags=containment.creation_flags,
    )
    try:
        containment.admit(process)
    except OSError:
        process.kill()
        process.communicate()
        raise
    return process


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace").rstrip("\r\n")


def _spoken(line: bytes) -> _Happening:
    return lambda course: course.spoke(line, time.monotonic())


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: stream.readline(_LINE_MAX_BYTES), b"")


def _thread(name: str, work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, name=f"child-{name}", daemon=True)
    thread.start()
    return thread
