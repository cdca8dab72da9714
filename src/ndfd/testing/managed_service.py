"""One service under a manager: its states, and what brings it from one to the next. It has no thread of its own."""

from __future__ import annotations

import enum
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ndfd.testing.descriptor_store import DescriptorStore
from ndfd.testing.notify_socket import Message, NotifySocket, close_all
from ndfd.testing.service_scope import Scope

#: FileDescriptorName= of ndfd.socket.
_LISTENER_NAME = "ndfd"
#: RestartPreventExitStatus=.
_CONFIGURATION = 78
#: "SuccessExitStatus=" of systemd.service(5): by these signals a process ends in order, too.
_CLEAN = frozenset({0, -signal.SIGHUP, -signal.SIGINT, -signal.SIGTERM, -signal.SIGPIPE})


class State(enum.StrEnum):
    """systemd's ActiveState, and the pause before a restart."""

    INACTIVE = "inactive"
    STARTING = "activating"
    RUNNING = "active"
    RELOADING = "reloading"
    STOPPING = "deactivating"
    PAUSING = "auto-restart"
    FAILED = "failed"


#: It serves.
UP = (State.RUNNING, State.RELOADING)
#: It has ended, and is not started again by itself.
OVER = (State.INACTIVE, State.FAILED)


@dataclass(slots=True)
class Unit:
    """How the service is run; what is changed holds from the next start on."""

    command: Sequence[str]
    environment: Mapping[str, str]
    #: Where its output goes.
    log: Path
    #: What the states may last, in seconds; the others last for ever.
    limits_s: dict[State, float]
    watchdog_s: float | None
    store_max: int


class ManagedService:
    """What its manager knows of it. Whoever drives it calls `hear` when there is something to hear, and `expire`."""

    def __init__(
        self, unit: Unit, scope: Scope, notify: NotifySocket, store: DescriptorStore, listeners: Sequence[socket.socket]
    ) -> None:
        self.unit = unit
        self.scope = scope
        self.store = store
        self._notify = notify
        self._listeners = listeners
        self.state = State.INACTIVE
        #: Of the main process; 0 when there is none.
        self.pid = 0
        #: How the service ended last, as systemd's Result.
        self.result = "success"
        self.exit_code: int | None = None
        self.status_text = ""
        #: How often it was started because it had failed, ended before it was ready, and reloaded.
        self.restarts = self.failed_starts = self.reloads = 0
        self.messages: list[Message] = []
        self.history: list[tuple[float, str]] = []
        #: What was asked for: that it is started when it has ended, or that it is not.
        self._wanted = self._unwanted = False
        #: When the state has lasted too long, and when the watchdog has been silent for too long.
        self._deadline_s: float | None = None
        self._watchdog_deadline_s: float | None = None
        #: When a reload was asked for that the service has not told of yet, by the clock of MONOTONIC_USEC.
        self._reload_asked_usec: int | None = None

    def hear(self) -> None:
        """What its processes, and their scope, have said."""
        # Whoever tells something, its start was said before.
        for what, rest in self.scope.hear():
            if what == "ended":
                # What it told before counts.
                self._hear_messages()
            self._scope_said(what, rest)
        self._hear_messages()

    def reload(self) -> None:
        """SIGHUP, when it runs."""
        self._reload_asked_usec = time.monotonic_ns() // 1000
        self._set(State.RELOADING)
        self.scope.signal_main(signal.SIGHUP)

    def start(self) -> None:
        """When it does not run."""
        self._wanted = self._unwanted = False
        self.status_text = ""
        self.result = "success"
        kept = self.store.passed()
        passed = [listener.fileno() for listener in self._listeners] + [fd for fd, _ in kept]
        names = [_LISTENER_NAME] * len(self._listeners) + [name for _, name in kept]
        told = {"LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": ":".join(names)}
        told["NOTIFY_SOCKET"] = str(self._notify.path)
        if self.unit.watchdog_s is not None:
            told["WATCHDOG_USEC"] = str(round(self.unit.watchdog_s * 1e6))
        if self.unit.store_max:
            told["FDSTORE"] = str(self.unit.store_max)
        self._set(State.STARTING)
        with self.unit.log.open("ab") as log:
            self.scope.start(self.unit.command, {**self.unit.environment, **told}, log.fileno(), passed)

    def stop(self, *, start_again: bool) -> None:
        """SIGTERM, if it runs; it is started again when it has ended, or not."""
        if self.state in (*OVER, State.PAUSING):
            if start_again:
                self.start()
            else:
                self._over(State.INACTIVE)
            return
        self._wanted, self._unwanted = start_again, not start_again
        if self.state is not State.STOPPING:
            self._set(State.STOPPING)
            self.scope.signal_main(signal.SIGTERM)

    def until_next(self) -> float | None:
        """Seconds until `expire` has something to do; None when nothing is due."""
        deadlines = [each for each in (self._deadline_s, self._watchdog_deadline_s) if each is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def expire(self) -> None:
        """Does what is due."""
        now_s = time.monotonic()
        if self._watchdog_deadline_s is not None and now_s >= self._watchdog_deadline_s:
            self._abort()
        if self._deadline_s is not None and now_s >= self._deadline_s:
            self._lasted_too_long()

    # From state to state

    def _set(self, state: State) -> None:
        self.state = state
        self._note(state)
        limit_s = self.unit.limits_s.get(state)
        self._deadline_s = None if limit_s is None else time.monotonic() + limit_s
        if state not in UP:
            self._watchdog_deadline_s = None

    def _note(self, what: str) -> None:
        self.history.append((time.monotonic(), str(what)))

    def _abort(self) -> None:
        """systemd's WatchdogSignal=."""
        self.result = "watchdog"
        self._set(State.STOPPING)
        self.scope.signal_main(signal.SIGABRT)

    def _lasted_too_long(self) -> None:
        if self.state is State.PAUSING:
            self.restarts += 1
            self.start()
        elif self.state is State.RELOADING:
            # It serves on.
            self._reload_asked_usec = None
            self._set(State.RUNNING)
        elif self.state is State.STARTING:
            self.result = "timeout"
            self._set(State.STOPPING)
            self.scope.signal_main(signal.SIGTERM)
        else:
            if self.result == "success":
                self.result = "timeout"
            self._set(State.STOPPING)
            self.scope.kill_all()

    def _scope_said(self, what: str, rest: str) -> None:
        self._note(f"{what} {rest}".strip())
        if what == "started":
            self.pid = int(rest)
            if self.state is State.STOPPING:
                # It was asked to end before there was anything to end.
                self.scope.signal_main(signal.SIGTERM)
        elif what == "failed":
            self.pid, self.result = 0, "resources"
            self.failed_starts += 1
            self._ended()
        elif what == "ended":
            self.failed_starts += self.state is State.STARTING
            self.pid, self.exit_code = 0, int(rest)
            if self.result == "success" and self.exit_code not in _CLEAN:
                self.result = "exit-code" if self.exit_code > 0 else "signal"
            self._set(State.STOPPING)
            self.scope.kill_all()
        elif what == "empty":
            self._ended()

    def _ended(self) -> None:
        """No process is left."""
        if self._wanted:
            self.start()
        elif self.result == "success":
            self._over(State.INACTIVE)
        elif self._unwanted or self.exit_code == _CONFIGURATION:
            self._over(State.FAILED)
        else:
            self._set(State.PAUSING)

    def _over(self, state: State) -> None:
        self._set(state)
        self.store.clear()

    # What the service tells

    def _hear_messages(self) -> None:
        while (received := self._notify.receive()) is not None:
            message, fds = received
            # The end of the descriptor is what a barrier's sender waits for (sd_notify_barrier(3)).
            if message.pid != self.pid or message.fields.get("BARRIER") == "1":
                close_all(fds)
                continue
            self.messages.append(message)
            self._keep(message.fields, fds)
            self._obey(message.fields)

    def _keep(self, fields: Mapping[str, str], fds: list[int]) -> None:
        name = fields.get("FDNAME")
        if fields.get("FDSTOREREMOVE") == "1" and name is not None:
            self.store.remove(name)
        if fields.get("FDSTORE") == "1":
            self.store.add(name, fds, poll=fields.get("FDPOLL") != "0")
        else:
            close_all(fds)

    def _obey(self, fields: Mapping[str, str]) -> None:
        self.status_text = fields.get("STATUS", self.status_text)
        if fields.get("READY") == "1":
            self._ready()
        if fields.get("RELOADING") == "1" and self.state in UP:
            self._reloading(_number(fields.get("MONOTONIC_USEC", "")))
        if fields.get("STOPPING") == "1" and self.state in UP:
            self._set(State.STOPPING)
        if fields.get("WATCHDOG") == "1":
            self._feed_watchdog()
        elif fields.get("WATCHDOG") == "trigger":
            self._abort()
        if (extension := fields.get("EXTEND_TIMEOUT_USEC")) is not None and self._deadline_s is not None:
            self._deadline_s = max(self._deadline_s, time.monotonic() + _number(extension) / 1e6)

    def _ready(self) -> None:
        self._note("ready")
        if self.state is State.RELOADING and self._reload_asked_usec is None:
            self.reloads += 1
            self._set(State.RUNNING)
        elif self.state is State.STARTING:
            self._set(State.RUNNING)
            self._feed_watchdog()

    def _reloading(self, since_usec: int) -> None:
        # An older one is not what was asked for.
        if self._reload_asked_usec is not None and since_usec >= self._reload_asked_usec:
            self._reload_asked_usec = None
        self._set(State.RELOADING)

    def _feed_watchdog(self) -> None:
        if self.unit.watchdog_s is not None and self.state in UP:
            self._watchdog_deadline_s = time.monotonic() + self.unit.watchdog_s


def _number(text: str) -> int:
    """What is no number says nothing, as to systemd."""
    return int(text) if text.isascii() and text.isdecimal() else 0
