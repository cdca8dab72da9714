"""The course of a Windows service that stands for a child process: what it reports, and what it does when.

Values only: no clock, no process, no call of the system. Facts about the service control manager (SCM) that shaped it,
from winsvc.h and its documentation:

- A service in a pending state is taken for hung when its checkpoint does not rise within its wait hint, and it is sent
  no control but INTERROGATE: until it runs it accepts none.
- PRESHUTDOWN lets a service hold up the shutdown of the machine for its preshutdown timeout; SHUTDOWN leaves it
  WaitToKillServiceTimeout, 5 s by default.
- The SCM cannot tell one exit code from another when it decides on recovery. With the failure actions flag off it
  recovers a service whose process ended without reporting STOPPED, and no other. So what may get better by itself ends
  that way (`Outcome.recover`), and what only an administrator can mend is reported as STOPPED with its code.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, replace

#: win32_exit: "see the service's own code", "it did not respond in time", "its process ended unexpectedly".
ERROR_SERVICE_SPECIFIC_ERROR, ERROR_SERVICE_REQUEST_TIMEOUT, ERROR_PROCESS_ABORTED = 1066, 1053, 1067
#: sysexits.h: a wrong command line and a wrong configuration are as wrong at the next start.
_PERMANENT = frozenset({64, 78})
#: Characters of the child's own in an event; ReportEventW takes 31839 in all.
_TEXT_MAX = 8000


class State(enum.IntEnum):
    """SERVICE_STATUS.dwCurrentState."""

    STOPPED = 1
    START_PENDING = 2
    STOP_PENDING = 3
    RUNNING = 4
    CONTINUE_PENDING = 5
    PAUSE_PENDING = 6
    PAUSED = 7


class Control(enum.IntEnum):
    """SERVICE_CONTROL_…: those that a service of ndfd knows."""

    STOP = 1
    INTERROGATE = 4
    SHUTDOWN = 5
    PARAMCHANGE = 6
    PRESHUTDOWN = 15


class Accept(enum.IntFlag):
    """SERVICE_ACCEPT_…"""

    NOTHING = 0
    STOP = 0x1
    SHUTDOWN = 0x4
    PARAMCHANGE = 0x8
    PRESHUTDOWN = 0x100


_ACCEPTED = Accept.STOP | Accept.SHUTDOWN | Accept.PARAMCHANGE | Accept.PRESHUTDOWN


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """SERVICE_STATUS of a service in a process of its own."""

    state: State
    #: Controls that the SCM passes on.
    accepted: Accept = Accept.NOTHING
    #: A code of winerror.h; `ERROR_SERVICE_SPECIFIC_ERROR`: see the next.
    win32_exit: int = 0
    specific_exit: int = 0
    #: Rises in a pending state with each sign of progress; 0 in others.
    checkpoint: int = 0
    #: Until the next checkpoint, at most.
    wait_hint_ms: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the course waits, in seconds."""

    #: From the start of the child to its being ready.
    start_s: float = 120.0
    #: For the child to drain; longer than the limit of its own ([runtime] drain_timeout), which is kinder.
    drain_s: float = 60.0
    #: After its input was closed.
    fast_s: float = 4.0
    #: After it was killed.
    kill_s: float = 5.0
    #: Between two checkpoints.
    beat_s: float = 1.0
    #: A machine under load may be so late with a checkpoint.
    hint_s: float = 20.0


class Severity(enum.IntEnum):
    """EVENTLOG_…_TYPE."""

    ERROR = 1
    WARNING = 2
    INFORMATION = 4


class Event(enum.IntEnum):
    """Identifiers of ndfd's events: what a monitor filters by."""

    STARTED = 100
    STOPPED = 101
    RELOAD = 102
    STOPPED_BY_ITSELF = 200
    FORCED = 201
    LOG_UNWRITABLE = 202
    START_FAILED = 300
    START_TIMEOUT = 301
    CHILD_DIED = 302
    HOST_FAILED = 303

    @property
    def severity(self) -> Severity:
        """By its hundred."""
        return {1: Severity.INFORMATION, 2: Severity.WARNING, 3: Severity.ERROR}[self // 100]


@dataclass(frozen=True, slots=True)
class Say:
    """Write this line to the child's standard input."""

    line: bytes


@dataclass(frozen=True, slots=True)
class CloseInput:
    """Close the child's standard input: it stops fast."""


@dataclass(frozen=True, slots=True)
class Kill:
    """End the child and all that it started."""


@dataclass(frozen=True, slots=True)
class Note:
    """Write to the event log."""

    event: Event
    text: str


Step = Say | CloseInput | Kill | Note


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the service ended."""

    #: As in `ServiceStatus`.
    win32_exit: int = 0
    specific_exit: int = 0
    #: Whether the recovery actions shall act: the host then ends its process instead of reporting STOPPED.
    recover: bool = False


class ServiceCourse:
    """From the start of the child to its end. Every call says what happened and when, and gives what is to be done.

    `status` is what to report after each call; `outcome` is there when all is over. Times are seconds of any one clock.
    """

    def __init__(self, name: str, limits: Limits, now: float) -> None:
        self._name = name
        self._limits = limits
        self.outcome: Outcome | None = None
        self.status = ServiceStatus(State.START_PENDING, checkpoint=1, wait_hint_ms=_ms(limits.hint_s))
        self._next_beat = now + limits.beat_s
        #: When patience ends in this state; None: never.
        self._deadline: float | None = now + limits.start_s
        self._stop_reason: str | None = None
        self._closed = self._killed = self._timed_out = False
        #: What the child said of why it does not start.
        self._said: str | None = None

    @property
    def wake_at(self) -> float | None:
        """When `tick` is due; None: not before something happens."""
        if self.outcome is not None or self._deadline is None:
            return None
        return min(self._next_beat, self._deadline)

    def tick(self, now: float) -> tuple[Step, ...]:
        """Time passed."""
        if self.outcome is not None or self._deadline is None:
            return ()
        if now >= self._next_beat:
            self._beat(now)
        return self._lose_patience(now) if now >= self._deadline else ()

    def spoke(self, line: bytes, now: float) -> tuple[Step, ...]:
        """The child wrote a line to its standard output: the first says that it is ready, or why it never will be."""
        if self.status.state is not State.START_PENDING or self._killed:
            return ()
        if (failure := failure_in(line)) is not None:
            self._said = failure
            return ()
        self.status = ServiceStatus(State.RUNNING, _ACCEPTED)
        self._deadline = None
        return (Note(Event.STARTED, f"The service {self._name} is running: {_text(line)}"),)

    def not_started(self, winerror: int, reason: str) -> Note:
        """There is no child: it could not be started."""
        self.outcome = Outcome(winerror)
        self._stopped()
        return Note(Event.START_FAILED, f"The service {self._name} cannot start its program: {reason}")

    def asked(self, control: Control, now: float) -> tuple[Step, ...]:
        """The SCM passed on a control. A second request to stop changes nothing, but for a hastier one."""
        if self.outcome is not None or control is Control.INTERROGATE:
            # The SCM answers with the last status that was reported.
            return ()
        if control is Control.PARAMCHANGE:
            if self.status.state is not State.RUNNING:
                return ()
            return Say(b"reload\n"), Note(Event.RELOAD, f"The service {self._name} reads its configuration again.")
        return self._stop(control, now)

    def ended(self, exit_code: int, last_lines: tuple[str, ...]) -> tuple[Step, ...]:
        """The child ended with this exit code, having logged these lines last."""
        if self.outcome is not None:
            return ()
        was_starting = self.status.state is State.START_PENDING
        self.outcome = self._judge(exit_code, was_starting=was_starting)
        self._stopped()
        return (self._last_words(exit_code, last_lines, was_starting),)

    def _stop(self, control: Control, now: float) -> tuple[Step, ...]:
        if self._stop_reason is None:
            self._stop_reason = control.name.lower()
            self.status = ServiceStatus(State.STOP_PENDING, checkpoint=1, wait_hint_ms=_ms(self._limits.hint_s))
            self._next_beat = now + self._limits.beat_s
            if control is not Control.SHUTDOWN:
                self._deadline = now + self._limits.drain_s
                return (Say(b"drain\n"),)
        return self._close(now) if control is Control.SHUTDOWN and not self._closed else ()

    def _close(self, now: float) -> tuple[Step, ...]:
        self._closed = True
        self._deadline = now + self._limits.fast_s
        return (CloseInput(),)

    def _beat(self, now: float) -> None:
        self._next_beat = now + self._limits.beat_s
        self.status = replace(self.status, checkpoint=self.status.checkpoint + 1)

    def _lose_patience(self, now: float) -> tuple[Step, ...]:
        """The next harder means; at the end the child is given up, whatever became of it."""
        if self._killed:
            return self.ended(ERROR_SERVICE_REQUEST_TIMEOUT, ())
        if self.status.state is State.STOP_PENDING and not self._closed:
            return self._close(now)
        self._killed = True
        self._timed_out = self.status.state is State.START_PENDING
        self._deadline = now + self._limits.kill_s
        return (Kill(),)

    def _judge(self, exit_code: int, *, was_starting: bool) -> Outcome:
        if self._timed_out:
            return Outcome(ERROR_SERVICE_REQUEST_TIMEOUT, recover=True)
        if self._killed:
            return Outcome(ERROR_SERVICE_REQUEST_TIMEOUT)
        if exit_code == 0:
            # A program that ends in peace before it was ready is not one that serves.
            return Outcome(ERROR_PROCESS_ABORTED, recover=True) if was_starting else Outcome()
        permanent = self._stop_reason is not None or exit_code in _PERMANENT
        return Outcome(ERROR_SERVICE_SPECIFIC_ERROR, exit_code, recover=not permanent)

    def _stopped(self) -> None:
        assert self.outcome is not None
        self._deadline = None
        if not self.outcome.recover:
            self.status = ServiceStatus(
                State.STOPPED, win32_exit=self.outcome.win32_exit, specific_exit=self.outcome.specific_exit
            )

    def _last_words(self, exit_code: int, last_lines: tuple[str, ...], was_starting: bool) -> Note:
        name, ending = self._name, describe_exit(exit_code)
        if self._timed_out:
            said = f"The service {name} was not ready within {self._limits.start_s:g} s and was ended."
            return Note(Event.START_TIMEOUT, _with_log(said, last_lines))
        if self._stop_reason is not None:
            if self._killed:
                said = f"The service {name} did not stop when it was asked to ({self._stop_reason}) and was ended."
                return Note(Event.FORCED, _with_log(said, last_lines))
            return Note(Event.STOPPED, f"The service {name} has stopped ({self._stop_reason}) with {ending}.")
        if exit_code == 0 and not was_starting:
            return Note(Event.STOPPED_BY_ITSELF, f"The service {name} has stopped without being asked to.")
        why = f": {self._said}" if self._said else "."
        said = f"The service {name} {'did not start' if was_starting else 'ended unexpectedly'}, with {ending}{why}"
        return Note(Event.START_FAILED if was_starting else Event.CHILD_DIED, _with_log(said, last_lines))


def failure_in(line: bytes) -> str | None:
    """The reason in a line like {"error": {"message": …, "hint": …}}; None for a line that says anything else."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    error = said.get("error") if isinstance(said, dict) else None
    if not isinstance(error, dict):
        return None
    parts = (str(error[key]) for key in ("message", "hint") if error.get(key))
    return "; ".join(parts) or "it gave no reason"


def describe_exit(exit_code: int) -> str:
    """Small codes as they are, those of the system (NTSTATUS) as one looks them up."""
    return f"exit status {exit_code}" if exit_code < 0x10000 else f"exit code 0x{exit_code:08X}"


def _with_log(said: str, last_lines: tuple[str, ...]) -> str:
    if not last_lines:
        return said
    return f"{said}\n\nIts log ends with:\n" + "\n".join(last_lines)[-_TEXT_MAX:]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip()[:_TEXT_MAX]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
