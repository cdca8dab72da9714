"""A small real service manager for one service: for tests, and for trying ndfd out where there is no systemd.

What it does, it does as systemd does it for this unit, and the same suite is run under both:

    Type=notify-reload, NotifyAccess=main, Restart=on-failure, RestartPreventExitStatus=78, KillMode=mixed,
    FileDescriptorStoreMax=, WatchdogSec=, and a socket unit that listens on Unix sockets in one folder

It has no limit of starts in a time, starts nothing on socket activation, and does not follow MAINPID=.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ndfd.testing.descriptor_store import DescriptorStore
from ndfd.testing.managed_service import OVER, ManagedService, State, Unit
from ndfd.testing.notify_socket import Message, NotifySocket
from ndfd.testing.service_scope import Scope

__all__ = ["LISTENERS", "Manager", "Message", "ServiceFailed", "State", "Unit"]

#: The sockets of ndfd.socket, which are told apart by these names of their files.
LISTENERS = ("ndfd.sock", "http.sock")
#: Its SocketMode= and Backlog=, which the kernel caps at net.core.somaxconn.
_LISTENER_MODE = 0o660
_BACKLOG = 4096

#: TimeoutStartSec= and TimeoutStopSec= unless told otherwise: systemd's.
_LIMIT_S = 90.0
#: RestartSec= unless told otherwise: systemd's.
_RESTART_DELAY_S = 0.1


class ServiceFailed(Exception):
    """The service did not do what was asked of it; says what, and the end of its log."""


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
        store_max: int = 2048,
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
        #: How it is run.
        self.unit = Unit(
            command=tuple(command),
            environment=dict(environment),
            log=self.log,
            limits_s={
                State.STARTING: start_limit_s,
                State.RELOADING: start_limit_s,
                State.STOPPING: stop_limit_s,
                State.PAUSING: restart_delay_s,
            },
            watchdog_s=watchdog_s,
            store_max=store_max,
        )
        self._changed = threading.Condition()
        self._closing = False

    # For the one who tests

    def __enter__(self) -> Self:
        """Returns when the sockets listen and the service is being started."""
        self._epoll = select.epoll()
        self._store = DescriptorStore(self._epoll, self.unit.store_max)
        self._listeners = [_listen(self.folder / name) for name in LISTENERS]
        self._notify = NotifySocket(self.folder / "notify")
        self._scope = Scope()
        self._service = ManagedService(self.unit, self._scope, self._notify, self._store, self._listeners)
        self._wake_fd = os.eventfd(0)
        for source in (self._notify, self._scope, self._wake_fd):
            self._epoll.register(source, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="service manager")
        self._thread.start()
        with self._acting():
            self._service.start()
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
        return self._service.state

    @property
    def result(self) -> str:
        """Of the last end: success, exit-code, signal, watchdog, timeout; resources: nothing could be started."""
        return self._service.result

    @property
    def exit_code(self) -> int | None:
        """Of the last main process that ended, as `os.waitstatus_to_exitcode`."""
        return self._service.exit_code

    @property
    def pid(self) -> int:
        """Of the main process; 0 when there is none."""
        return self._service.pid

    @property
    def status_text(self) -> str:
        """STATUS= of the service."""
        return self._service.status_text

    @property
    def restarts(self) -> int:
        """How often it was started again because it had failed."""
        return self._service.restarts

    @property
    def messages(self) -> tuple[Message, ...]:
        """All that the main processes told, in order; barriers are none."""
        with self._changed:
            return tuple(self._service.messages)

    @property
    def history(self) -> tuple[tuple[float, str], ...]:
        """When (`time.monotonic`) it came into which state, and a main process was started, was ready or ended."""
        with self._changed:
            return tuple(self._service.history)

    @property
    def store(self) -> tuple[str, ...]:
        """The names of what is kept, in the order in which the next process gets it."""
        with self._changed:
            return tuple(name for _, name in self._store.passed())

    def start(self) -> None:
        """Starts it, if it does not run, and waits until it is ready."""
        with self._acting():
            if self._service.state in (*OVER, State.PAUSING):
                self._service.start()
        self.wait_ready()

    def stop(self) -> None:
        """Ends it (SIGTERM, after the limit SIGKILL), and drops what is kept for it."""
        with self._acting():
            self._service.stop(start_again=False)
        self._wait(lambda: self._service.state in OVER, "did not stop")

    def restart(self) -> None:
        """Ends it and starts it again at once, with what is kept for it; returns when it is ready."""
        with self._acting():
            before = self._service.pid
            self._service.stop(start_again=True)
        self._wait(lambda: self._service.pid != before or self._service.state in OVER, "did not stop")
        self.wait_ready()

    def reload(self) -> None:
        """SIGHUP; returns when it has told that it reloads, and that it is ready again."""
        with self._acting():
            self._expect(State.RUNNING)
            done = self._service.reloads
            self._service.reload()
        self._wait(lambda: self._service.state is not State.RELOADING, "did not reload")
        if self._service.reloads == done:
            raise self._failure("did not reload")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends this to the main process, which ends of it; returns when it has.

        What it leaves behind is killed as well. After a pause the service is started again, if it did not end in order.
        """
        with self._acting():
            killed = self._service.pid
            if not killed:
                raise self._failure("does not run")
            self._scope.signal_main(number)
        self._wait(lambda: self._service.pid != killed, "did not end")

    def signal(self, number: int) -> None:
        """Sends this to the main process."""
        with self._acting():
            self._scope.signal_main(number)

    def wait_ready(self, limit_s: float | None = None) -> None:
        """Until it is ready, also after a pause; `ServiceFailed` when it ends before, or has ended for good."""
        failed = self._service.failed_starts

        def decided() -> bool:
            return self._service.state in (State.RUNNING, *OVER) or self._service.failed_starts > failed

        self._wait(decided, "was not ready", limit_s)
        if self._service.state is not State.RUNNING:
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
        limit_s = 2 * sum(self.unit.limits_s.values()) if limit_s is None else limit_s
        with self._changed:
            if not self._changed.wait_for(condition, limit_s):
                raise self._failure(f"{otherwise} within {limit_s:g} s")

    def _failure(self, what: str) -> ServiceFailed:
        said = self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
        state = f"{self.state}, {self.result}, exit code {self.exit_code}"
        return ServiceFailed(f"the service {what}: {state}\n{said}")

    def _expect(self, state: State) -> None:
        if self._service.state is not state:
            raise self._failure(f"is not {state}")

    # The thread. From here on everything is done with the lock held.

    def _run(self) -> None:
        while True:
            with self._changed:
                timeout_s = self._service.until_next()
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
                self._service.expire()
                self._changed.notify_all()

    def _dispatch(self, fd: int) -> None:
        if fd == self._wake_fd:
            os.eventfd_read(self._wake_fd)
        else:
            self._service.hear()


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(_LISTENER_MODE)
    listener.listen(_BACKLOG)
    return listener
