"""A small real service manager for one service: for tests, and for trying ndfd out where there is no systemd.

What it does, it does as systemd does it for this unit, and the same suite is run under both:

    Type=notify-reload, NotifyAccess=main, Restart=on-failure, RestartPreventExitStatus=78, KillMode=mixed,
    FileDescriptorStoreMax=, WatchdogSec=, and a socket unit that listens on Unix sockets in one folder

It has no limit of starts in a time, starts nothing on socket activation, and does not follow MAINPID=.
"""

from __future__ import annotations

import contextlib
import enum
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ndfd.testing.descriptor_store import DescriptorStore
from ndfd.testing.notify_socket import Message, NotifySocket, close_all
from ndfd.testing.service_scope import Scope

#: The sockets of ndfd.socket, which are told apart by these names of their files.
LISTENERS = ("ndfd.sock", "http.sock")
#: Its FileDescriptorName=, SocketMode= and Backlog=, which the kernel caps at net.core.somaxconn.
_LISTENER_NAME = "ndfd"
_LISTENER_MODE = 0o660
_BACKLOG = 4096

#: RestartPreventExitStatus=.
_CONFIGURATION = 78
#: "SuccessExitStatus=" of systemd.service(5): by these signals a process ends in order, too.
_CLEAN = frozenset({0, -signal.SIGHUP, -signal.SIGINT, -signal.SIGTERM, -signal.SIGPIPE})
#: TimeoutStartSec= and TimeoutStopSec= unless told otherwise: systemd's.
_LIMIT_S = 90.0
#: RestartSec= unless told otherwise: systemd's.
_RESTART_DELAY_S = 0.1


class ServiceFailed(Exception):
    """The service did not do what was asked of it; says what, and the end of its log."""


class State(enum.StrEnum):
    """systemd's ActiveState, and the pause before a restart."""

    INACTIVE = "inactive"
    STARTING = "activating"
    RUNNING = "active"
    RELOADING = "reloading"
    STOPPING = "deactivating"
    PAUSING = "auto-restart"
    FAILED = "failed"


_UP = (State.RUNNING, State.RELOADING)
_OVER = (State.INACTIVE, State.FAILED)


class Manager:
    """Listens, and has the service running, for the length of a block; everything of it is gone after that.

    Works in a thread of its own; any thread may call. What takes time has a limit and raises `ServiceFailed` after it.
    """

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        store_max: int = 8192,
        watchdog_s: float | None = None,
        start_limit_s: float = _LIMIT_S,
        stop_limit_s: float = _LIMIT_S,
        restart_delay_s: float = _RESTART_DELAY_S,
    ) -> None:
        """`folder` is there, and is this service's alone: its sockets, `notify` and `log` are made in it.

        `start_limit_s` is for each start and reload, `stop_limit_s` for each stop, also for that by SIGABRT when the
        watchdog was silent; the service may ask for more (EXTEND_TIMEOUT_USEC).
        """
        self.folder = folder
        #: What the service, and each before it, said on its standard output and standard error.
        self.log = folder / "log"
        #: Of the next start on.
        self.command = tuple(command)
        self.environment = dict(environment)
        self._watchdog_s = watchdog_s
        self._limits_s = {
            State.STARTING: start_limit_s,
            State.RELOADING: start_limit_s,
            State.STOPPING: stop_limit_s,
            State.PAUSING: restart_delay_s,
        }
        self._store_max = store_max

        self._changed = threading.Condition()
        self._state = State.INACTIVE
        #: Of the main process; 0 when there is none.
        self._pid = 0
        #: How the service ended last, as systemd's Result.
        self._result = "success"
        self._exit_code: int | None = None
        self._status_text = ""
        self._restarts = 0
        self._failed_starts = 0
        self._messages: list[Message] = []
        self._history: list[tuple[float, str]] = []
        #: What was asked for: that it is started when it has ended, or that it is not.
        self._wanted = self._unwanted = False
        #: When the state has lasted too long, and when the watchdog has been silent for too long.
        self._deadline_s: float | None = None
        self._watchdog_deadline_s: float | None = None
        #: When a reload was asked for that the service has not told of yet, by the clock of MONOTONIC_USEC.
        self._reload_asked_usec: int | None = None
        self._reloads = 0
        self._closing = False

    # For the one who tests

    def __enter__(self) -> Self:
        """Returns when the sockets listen and the service is being started."""
        self._epoll = select.epoll()
        self._store = DescriptorStore(self._epoll, self._store_max)
        self._listeners = [_listen(self.folder / name) for name in LISTENERS]
        self._notify = NotifySocket(self.folder / "notify")
        self._scope = Scope()
        self._wake_fd = os.eventfd(0)
        for source in (self._notify, self._scope, self._wake_fd):
            self._epoll.register(source, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="service manager")
        self._thread.start()
        with self._acting():
            self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What cannot be stopped is killed below.
        with contextlib.suppress(ServiceFailed):
            self.stop()
        with self._acting():
            self._closing = True
        self._thread.join()
        self._scope.close()
        self._store.clear()
        self._notify.close()
        self._epoll.close()
        os.close(self._wake_fd)
        for listener in self._listeners:
            Path(listener.getsockname()).unlink(missing_ok=True)
            listener.close()

    @property
    def state(self) -> State:
        """Now."""
        return self._state

    @property
    def result(self) -> str:
        """Of the last end: success, exit-code, signal, watchdog, timeout; resources: nothing could be started."""
        return self._result

    @property
    def exit_code(self) -> int | None:
        """Of the last main process that ended, as `os.waitstatus_to_exitcode`."""
        return self._exit_code

    @property
    def pid(self) -> int:
        """Of the main process; 0 when there is none."""
        return self._pid

    @property
    def status_text(self) -> str:
        """STATUS= of the service."""
        return self._status_text

    @property
    def restarts(self) -> int:
        """How often it was started again because it had failed."""
        return self._restarts

    @property
    def messages(self) -> tuple[Message, ...]:
        """All that the main processes told, in order; barriers are none."""
        with self._changed:
            return tuple(self._messages)

    @property
    def history(self) -> tuple[tuple[float, str], ...]:
        """When (`time.monotonic`) it came into which state, and a main process was started, was ready or ended."""
        with self._changed:
            return tuple(self._history)

    @property
    def store(self) -> tuple[str, ...]:
        """The names of what is kept, in the order in which the next process gets it."""
        with self._changed:
            return tuple(name for _, name in self._store.passed())

    def start(self) -> None:
        """Starts it, if it does not run, and waits until it is ready."""
        with self._acting():
            if self._state in (*_OVER, State.PAUSING):
                self._start()
        self.wait_ready()

    def stop(self) -> None:
        """Ends it (SIGTERM, after the limit SIGKILL), and drops what is kept for it."""
        with self._acting():
            self._stop(start_again=False)
        self._wait(lambda: self._state in _OVER, "did not stop")

    def restart(self) -> None:
        """Ends it and starts it again at once, with what is kept for it; returns when it is ready."""
        with self._acting():
            before = self._pid
            self._stop(start_again=True)
        self._wait(lambda: self._pid != before or self._state in _OVER, "did not stop")
        self.wait_ready()

    def reload(self) -> None:
        """SIGHUP; returns when it has told that it reloads, and that it is ready again."""
        with self._acting():
            self._expect(State.RUNNING)
            done = self._reloads
            self._reload_asked_usec = time.monotonic_ns() // 1000
            self._set(State.RELOADING)
            self._scope.signal_main(signal.SIGHUP)
        self._wait(lambda: self._state is not State.RELOADING, "did not reload")
        if self._reloads == done:
            raise self._failure("did not reload")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends this to the main process, which ends of it; returns when it has.

        What it leaves behind is killed as well. After a pause the service is started again, if it did not end in order.
        """
        with self._acting():
            killed = self._pid
            if not killed:
                raise self._failure("does not run")
            self._scope.signal_main(number)
        self._wait(lambda: self._pid != killed, "did not end")

    def signal(self, number: int) -> None:
        """Sends this to the main process."""
        with self._acting():
            self._scope.signal_main(number)

    def wait_ready(self, limit_s: float | None = None) -> None:
        """Until it is ready, also after a pause; `ServiceFailed` when it ends before, or has ended for good."""
        failed = self._failed_starts

        def decided() -> bool:
            return self._state in (State.RUNNING, *_OVER) or self._failed_starts > failed

        self._wait(decided, "was not ready", limit_s)
        if self._state is not State.RUNNING:
            raise self._failure("has ended")

    def wait_for(self, condition: Callable[[Self], bool], limit_s: float | None = None) -> None:
        """Until the condition holds; it is asked after everything that happens."""
        self._wait(lambda: condition(self), "did not come to that", limit_s)

    # What the caller's threads share with that of the manager

    @contextlib.contextmanager
    def _acting(self) -> Iterator[None]:
        with self._changed:
            yield
            self._changed.notify_all()
        os.eventfd_write(self._wake_fd, 1)

    def _wait(self, condition: Callable[[], bool], otherwise: str, limit_s: float | None = None) -> None:
        # What lasts too long is ended by the limits of the states: this one is for what those do not end.
        limit_s = 2 * sum(self._limits_s.values()) if limit_s is None else limit_s
        with self._changed:
            if not self._changed.wait_for(condition, limit_s):
                raise self._failure(f"{otherwise} within {limit_s:g} s")

    def _failure(self, what: str) -> ServiceFailed:
        said = self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
        return ServiceFailed(f"the service {what}: {self._state}, {self._result}, exit code {self._exit_code}\n{said}")

    def _expect(self, state: State) -> None:
        if self._state is not state:
            raise self._failure(f"is not {state}")

    # The thread. From here on everything is done with the lock held.

    def _run(self) -> None:
        while True:
            with self._changed:
                timeout_s = self._until_next()
            ready = self._epoll.poll(timeout_s)
            with self._changed:
                if self._closing:
                    return
                # Before anything is added, which could get the number of one that is dropped.
                for fd, _ in ready:
                    if fd in self._store:
                        self._store.drop(fd)
                for fd, _ in ready:
                    self._dispatch(fd)
                self._expire()
                self._changed.notify_all()

    def _dispatch(self, fd: int) -> None:
        if fd == self._wake_fd:
            os.eventfd_read(self._wake_fd)
            return
        # Whoever tells something, its start was said before.
        for what, rest in self._scope.hear():
            if what == "ended":
                # What it told before counts.
                self._hear()
            self._scope_said(what, rest)
        self._hear()

    def _until_next(self) -> float | None:
        deadlines = [each for each in (self._deadline_s, self._watchdog_deadline_s) if each is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _expire(self) -> None:
        now_s = time.monotonic()
        if self._watchdog_deadline_s is not None and now_s >= self._watchdog_deadline_s:
            self._abort()
        if self._deadline_s is not None and now_s >= self._deadline_s:
            self._lasted_too_long()

    def _set(self, state: State) -> None:
        self._state = state
        self._note(state)
        limit_s = self._limits_s.get(state)
        self._deadline_s = None if limit_s is None else time.monotonic() + limit_s
        if state not in _UP:
            self._watchdog_deadline_s = None

    def _note(self, what: str) -> None:
        self._history.append((time.monotonic(), str(what)))

    # From state to state

    def _start(self) -> None:
        self._wanted = self._unwanted = False
        self._status_text = ""
        self._result = "success"
        kept = self._store.passed()
        passed = [listener.fileno() for listener in self._listeners] + [fd for fd, _ in kept]
        names = [_LISTENER_NAME] * len(self._listeners) + [name for _, name in kept]
        told = {"LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": ":".join(names)}
        told["NOTIFY_SOCKET"] = str(self._notify.path)
        if self._watchdog_s is not None:
            told["WATCHDOG_USEC"] = str(round(self._watchdog_s * 1e6))
        if self._store_max:
            told["FDSTORE"] = str(self._store_max)
        self._set(State.STARTING)
        with self.log.open("ab") as log:
            self._scope.start(self.command, self.environment | told, log.fileno(), passed)

    def _stop(self, *, start_again: bool) -> None:
        if self._state in (*_OVER, State.PAUSING):
            if start_again:
                self._start()
            else:
                self._over(State.INACTIVE)
            return
        self._wanted, self._unwanted = start_again, not start_again
        if self._state is not State.STOPPING:
            self._set(State.STOPPING)
            self._scope.signal_main(signal.SIGTERM)

    def _abort(self) -> None:
        """systemd's WatchdogSignal=."""
        self._result = "watchdog"
        self._set(State.STOPPING)
        self._scope.signal_main(signal.SIGABRT)

    def _lasted_too_long(self) -> None:
        if self._state is State.PAUSING:
            self._restarts += 1
            self._start()
        elif self._state is State.RELOADING:
            # It serves on.
            self._reload_asked_usec = None
            self._set(State.RUNNING)
        elif self._state is State.STARTING:
            self._result = "timeout"
            self._set(State.STOPPING)
            self._scope.signal_main(signal.SIGTERM)
        else:
            if self._result == "success":
                self._result = "timeout"
            self._set(State.STOPPING)
            self._scope.kill_all()

    def _scope_said(self, what: str, rest: str) -> None:
        self._note(f"{what} {rest}".strip())
        if what == "started":
            self._pid = int(rest)
            if self._state is State.STOPPING:
                # It was asked to end before there was anything to end.
                self._scope.signal_main(signal.SIGTERM)
        elif what == "failed":
            self._pid, self._result = 0, "resources"
            self._failed_starts += 1
            self._ended()
        elif what == "ended":
            self._failed_starts += self._state is State.STARTING
            self._pid, self._exit_code = 0, int(rest)
            if self._result == "success" and self._exit_code not in _CLEAN:
                self._result = "exit-code" if self._exit_code > 0 else "signal"
            self._set(State.STOPPING)
            self._scope.kill_all()
        elif what == "empty":
            self._ended()

    def _ended(self) -> None:
        """No process is left."""
        if self._wanted:
            self._start()
        elif self._result == "success":
            self._over(State.INACTIVE)
        elif self._unwanted or self._exit_code == _CONFIGURATION:
            self._over(State.FAILED)
        else:
            self._set(State.PAUSING)

    def _over(self, state: State) -> None:
        self._set(state)
        self._store.clear()

    # What the service tells

    def _hear(self) -> None:
        while (received := self._notify.receive()) is not None:
            message, fds = received
            # The end of the descriptor is what a barrier's sender waits for (sd_notify_barrier(3)).
            if message.pid != self._pid or message.fields.get("BARRIER") == "1":
                close_all(fds)
                continue
            self._messages.append(message)
            self._keep(message.fields, fds)
            self._obey(message.fields)

    def _keep(self, fields: Mapping[str, str], fds: list[int]) -> None:
        name = fields.get("FDNAME")
        if fields.get("FDSTOREREMOVE") == "1" and name is not None:
            self._store.remove(name)
        if fields.get("FDSTORE") == "1":
            self._store.add(name, fds, poll=fields.get("FDPOLL") != "0")
        else:
            close_all(fds)

    def _obey(self, fields: Mapping[str, str]) -> None:
        self._status_text = fields.get("STATUS", self._status_text)
        if fields.get("READY") == "1":
            self._ready()
        if fields.get("RELOADING") == "1" and self._state in _UP:
            self._reloading(_number(fields.get("MONOTONIC_USEC", "")))
        if fields.get("STOPPING") == "1" and self._state in _UP:
            self._set(State.STOPPING)
        if fields.get("WATCHDOG") == "1":
            self._feed_watchdog()
        elif fields.get("WATCHDOG") == "trigger":
            self._abort()
        if (extension := fields.get("EXTEND_TIMEOUT_USEC")) is not None and self._deadline_s is not None:
            self._deadline_s = max(self._deadline_s, time.monotonic() + _number(extension) / 1e6)

    def _ready(self) -> None:
        self._note("ready")
        if self._state is State.RELOADING and self._reload_asked_usec is None:
            self._reloads += 1
            self._set(State.RUNNING)
        elif self._state is State.STARTING:
            self._set(State.RUNNING)
            self._feed_watchdog()

    def _reloading(self, since_usec: int) -> None:
        # An older one is not what was asked for.
        if self._reload_asked_usec is not None and since_usec >= self._reload_asked_usec:
            self._reload_asked_usec = None
        self._set(State.RELOADING)

    def _feed_watchdog(self) -> None:
        if self._watchdog_s is not None and self._state in _UP:
            self._watchdog_deadline_s = time.monotonic() + self._watchdog_s


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(_LISTENER_MODE)
    listener.listen(_BACKLOG)
    return listener


def _number(text: str) -> int:
    """What is no number says nothing, as to systemd."""
    return int(text) if text.isascii() and text.isdecimal() else 0
