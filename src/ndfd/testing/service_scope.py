"""The processes of one service, its main one and whatever it leaves behind: what a control group is to systemd.

Run as a program, this file is the parent of the service's main process and, as a subreaper (prctl(2)), of every orphan
that is left by it. So it hears of the end of each, and knows when the last one is gone. It imports nothing of ndfd, and
is started once for all the lives of a service.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

#: The first of the descriptors that are passed (sd_listen_fds(3)).
_FIRST_PASSED = 3
#: In one message: less than SCM_MAX_FD of unix(7).
_TOGETHER_MAX = 250
_MESSAGE_MAX_BYTES = 4096
_PR_SET_CHILD_SUBREAPER = 36


class Scope:
    """The program, seen from the manager. What it has to say makes `fileno` readable."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-I", "-S", __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),))

    def fileno(self) -> int:
        """To wait on."""
        return self._channel.fileno()

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], output_fd: int, passed: Sequence[int]
    ) -> None:
        """Starts the main process; the passed descriptors are its 3, 4, … "started" or "failed" is said soon."""
        order_fd = os.memfd_create("order")
        try:
            os.write(order_fd, json.dumps({"command": list(command), "environment": dict(environment)}).encode())
            fds = [order_fd, output_fd, *passed]
            for begin in range(0, len(fds), _TOGETHER_MAX):
                socket.send_fds(self._channel, [b"take"], fds[begin : begin + _TOGETHER_MAX])
            self._channel.send(b"start")
        finally:
            os.close(order_fd)

    def signal_main(self, number: int) -> None:
        """Sends it to the main process, if that has not ended."""
        self._channel.send(f"main {number}".encode())

    def kill_all(self) -> None:
        """SIGKILL to every process of the service, until there is none; "empty" is said then."""
        self._channel.send(b"kill")

    def hear(self) -> Iterator[tuple[str, str]]:
        """What it has said since: ("started", PID), ("failed", why), ("ended", exit code), ("empty", "").

        The exit code is that of `os.waitstatus_to_exitcode`. "empty" follows "ended", when no process is left.
        """
        with contextlib.suppress(BlockingIOError):
            while message := self._channel.recv(_MESSAGE_MAX_BYTES, socket.MSG_DONTWAIT):
                verb, _, rest = message.decode().partition(" ")
                yield verb, rest

    def close(self) -> None:
        """Kills what is left, and waits for its end."""
        self._channel.close()
        self._process.wait()


class _Program:
    """Single-threaded, so that it may fork."""

    def __init__(self, channel: socket.socket) -> None:
        channel.set_inheritable(False)
        self._channel = channel
        self._main = 0
        #: Whether something of the service may be alive.
        self._occupied = False
        self._killing = False
        self._taken: list[int] = []

    def run(self) -> None:
        """Until the manager's end of the channel is closed."""
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # Ctrl-C in a terminal is the manager's to hear.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        waking, wake = socket.socketpair()
        waking.setblocking(False)
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        while True:
            ready, _, _ = select.select([self._channel, waking], [], [])
            if waking in ready:
                waking.recv(4096)
                self._reap()
            if self._channel in ready and not self._obey():
                break
        with contextlib.suppress(ChildProcessError):
            while True:
                _kill_descendants()
                os.waitpid(-1, 0)

    def _obey(self) -> bool:
        message, fds = _receive(self._channel)
        self._taken += fds
        if message == b"start":
            taken, self._taken = self._taken, []
            self._start(taken)
        elif message.startswith(b"main "):
            if self._main:
                os.kill(self._main, int(message[5:]))
        elif message == b"kill":
            self._killing = True
            _kill_descendants()
            self._reap()
        return message != b""

    def _start(self, fds: list[int]) -> None:
        order = json.loads(os.pread(fds[0], os.fstat(fds[0]).st_size, 0))
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            _become(order, fds, theirs)
        theirs.close()
        for fd in fds:
            os.close(fd)
        with ours:
            # Before it can tell the manager anything.
            self._say(f"started {pid}")
            ours.send(b"!")
            # Nothing is read when it is executed: its end is closed by that.
            why = ours.recv(1000).decode()
        if why:
            os.waitpid(pid, 0)
            self._say(f"failed {why}")
        else:
            self._main, self._occupied, self._killing = pid, True, False

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    if self._killing:
                        # Those whose parent has ended are found only now.
                        _kill_descendants()
                    return
                if pid == self._main:
                    self._main = 0
                    self._say(f"ended {os.waitstatus_to_exitcode(status)}")
        if self._occupied:
            self._occupied = False
            self._say("empty")

    def _say(self, what: str) -> None:
        # The manager is gone, and so is soon this process.
        with contextlib.suppress(BrokenPipeError):
            self._channel.send(what.encode())


def _become(order: dict[str, object], fds: list[int], channel: socket.socket) -> None:
    """The child: as a process is that systemd starts (systemd.exec(5)). Never returns."""
    try:
        channel.recv(1)
        command, environment = order["command"], order["environment"]
        assert isinstance(command, list)
        assert isinstance(environment, dict)
        os.setsid()
        passed = fds[2:]
        clear = _FIRST_PASSED + len(passed)
        output = fcntl.fcntl(fds[1], fcntl.F_DUPFD_CLOEXEC, clear)
        channel = socket.socket(fileno=_moved(channel.detach(), clear))
        passed = [_moved(fd, clear) for fd in passed]
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for number, fd in enumerate(passed, _FIRST_PASSED):
            os.dup2(fd, number)
        if passed:
            environment["LISTEN_PID"] = str(os.getpid())
        if "WATCHDOG_USEC" in environment:
            environment["WATCHDOG_PID"] = str(os.getpid())
        os.execvpe(command[0], command, environment)  # noqa: S606 - there is no shell in this
    except OSError as error:
        channel.send(f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(127)


def _moved(fd: int, least: int) -> int:
    """Away from the numbers that others get; nothing is left behind, for a table may have no room for both."""
    if fd >= least:
        return fd
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, least)
    os.close(fd)
    return moved


def _receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    fds = array.array("i")
    room = socket.CMSG_SPACE(_TOGETHER_MAX * fds.itemsize)
    message, ancillary, _, _ = channel.recvmsg(_MESSAGE_MAX_BYTES, room, socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data)
    return message, list(fds)


def _kill_descendants() -> None:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            # It ends in this moment.
            with contextlib.suppress(OSError):
                # The name, in parentheses, may hold anything: proc_pid_stat(5).
                parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    doomed = list(parents.get(os.getpid(), ()))
    for pid in doomed:
        doomed += parents.get(pid, ())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _Program(socket.socket(fileno=int(sys.argv[1]))).run()
