"""A service that does what it is told, for whatever manager runs it. `service.py SOCKET ORDER` is its user.

An order is a JSON array of a verb and its arguments, on one connection to the first listening socket; so is the answer.
It imports the standard library alone, because it also runs where ndfd is not installed.
"""

from __future__ import annotations

import array
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

_FIRST_PASSED = 3
_LIMIT_S = 20.0


def ask(path: str, *order: object) -> Any:
    """Has the service do something; what it answers. Waits in the backlog while there is no service."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_LIMIT_S)
        connection.connect(path)
        connection.sendall(json.dumps(order).encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return json.loads(answer.read())


def tell(text: str, *fds: int) -> None:
    """Tells the manager something."""
    path = os.environ["NOTIFY_SOCKET"]
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("\0" + path[1:] if path.startswith("@") else path)
        sender.sendmsg([text.encode()], rights)


class Service:
    """Its verbs are the methods without an underscore."""

    def __init__(self) -> None:
        names = os.environ["LISTEN_FDNAMES"].split(":")
        assert int(os.environ["LISTEN_FDS"]) == len(names)
        assert int(os.environ["LISTEN_PID"]) == os.getpid()
        self._passed = list(enumerate(names, _FIRST_PASSED))
        self._other_ends: dict[str, socket.socket] = {}
        self._watchdog_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 3e6 or None

    def _serve(self) -> None:
        signal.signal(signal.SIGHUP, self._reload)
        listener = socket.socket(fileno=_FIRST_PASSED)
        tell("READY=1\nSTATUS=ready")
        while True:
            ready, _, _ = select.select([listener], [], [], self._watchdog_s)
            tell("WATCHDOG=1")
            if ready:
                connection, _ = listener.accept()
                with connection, connection.makefile("rwb") as stream:
                    verb, *arguments = json.loads(stream.read())
                    stream.write(json.dumps(getattr(self, verb)(*arguments)).encode())

    def _reload(self, number: int, frame: object) -> None:
        tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}\nSTATUS=reloading")
        tell("READY=1\nSTATUS=reloaded")

    def report(self) -> dict[str, Any]:
        """What it was given."""
        told = {name: os.environ[name] for name in ("WATCHDOG_USEC", "WATCHDOG_PID", "FDSTORE") if name in os.environ}
        return {
            "pid": os.getpid(),
            "passed": [[name, _kind(fd)] for fd, name in self._passed],
            "inherited": [os.get_inheritable(fd) for fd, _ in self._passed],
            "others": sorted(set(_open_fds()) - {fd for fd, _ in self._passed} - {0, 1, 2}),
            "environment": told,
        }

    def keep_text(self, name: str | None, text: str, fields: str = "") -> None:
        """Stores a memfd that holds it."""
        fd = _text(text)
        tell(f"FDSTORE=1{'' if name is None else f'{chr(10)}FDNAME={name}'}{fields}", fd)
        os.close(fd)

    def keep_twice(self, name: str, text: str) -> None:
        """Stores one open file by two descriptors, and another one of the same file."""
        fd = _text(text)
        again = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
        for each in (fd, os.dup(fd), again):
            tell(f"FDSTORE=1\nFDNAME={name}", each)

    def keep_both_ends(self, one: str, other: str) -> None:
        """Stores the ends of a connection."""
        for name, end in zip((one, other), socket.socketpair(), strict=True):
            with end:
                tell(f"FDSTORE=1\nFDNAME={name}", end.fileno())

    def keep_one_end(self, name: str, fields: str = "") -> None:
        """Stores an end of a connection, and has the other one."""
        end, self._other_ends[name] = socket.socketpair()
        with end:
            tell(f"FDSTORE=1\nFDNAME={name}{fields}", end.fileno())

    def hang_up(self, name: str) -> None:
        """Closes the other end."""
        self._other_ends.pop(name).close()

    def say(self, name: str, text: str) -> None:
        """Writes to a connection that was passed."""
        os.write(self._fd(name), text.encode())

    def hear(self, name: str) -> str:
        """Reads from a connection that was passed."""
        return os.read(self._fd(name), 1000).decode()

    def drop(self, name: str) -> None:
        """Has it stored no longer."""
        tell(f"FDSTOREREMOVE=1\nFDNAME={name}")

    def barrier(self) -> bool:
        """Whether the manager has worked through everything."""
        waiting, passed = os.pipe()
        tell("BARRIER=1", passed)
        os.close(passed)
        poll = select.poll()
        poll.register(waiting, 0)
        return bool(poll.poll(_LIMIT_S * 500))

    def status(self, text: str) -> None:
        """Tells it."""
        tell(f"STATUS={text}")

    def status_of_child(self, text: str) -> None:
        """Another process tells it."""
        pid = os.fork()
        if pid == 0:
            tell(f"STATUS={text}")
            os._exit(0)
        os.waitpid(pid, 0)

    def leave_child(self) -> int:
        """A process of its own session that stays; its id."""
        pid = os.fork()
        if pid == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.closerange(_FIRST_PASSED, 1000)
            _stay()
        return pid

    def feed(self, times: int) -> None:
        """Lives on, and answers after so many times that the watchdog was fed."""
        for _ in range(times):
            time.sleep(self._watchdog_s or 0.0)
            tell("WATCHDOG=1")

    def starve(self) -> None:
        """From now on the watchdog gets nothing, and nobody an answer; it ends by nothing but SIGABRT and SIGKILL."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, lambda number, frame: _stay())
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    def exit(self, code: int) -> None:
        """It ends, in a moment."""
        signal.signal(signal.SIGALRM, lambda number, frame: os._exit(code))
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    def _fd(self, name: str) -> int:
        return next(fd for fd, other in self._passed if other == name)


def _stay() -> NoReturn:
    while True:
        signal.pause()


def _text(text: str) -> int:
    fd = os.memfd_create("text")
    os.write(fd, text.encode())
    return fd


def _kind(fd: int) -> str:
    try:
        with socket.socket(fileno=os.dup(fd)) as sock:
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return f"listens on {Path(sock.getsockname()).name}{'' if os.get_blocking(fd) else ', non-blocking'}"
            return "connection"
    except OSError:
        return os.pread(fd, 1000, 0).decode()


def _open_fds() -> list[int]:
    opened = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            # Not those that this process has opened itself, which are closed on exec.
            if os.get_inheritable(int(entry.name)):
                opened.append(int(entry.name))
        except OSError:
            continue
    return opened


if __name__ == "__main__":
    if len(sys.argv) == 1:
        Service()._serve()
    else:
        print(json.dumps(ask(sys.argv[1], *json.loads(sys.argv[2]))))
