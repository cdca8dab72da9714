"""Many programs that submit documents to a daemon, in one thread: they share the CPUs with what is measured.

Each has a connection, a call that was made once, and a memory file of its own; before each submission it writes another
number into the file's last line, so that every document is new to the daemon.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

_NUMBER_BYTES = 12


def document(pdf: bytes, size_bytes: int) -> bytes:
    """The PDF, as long as that with a comment behind its end; the last bytes of it are for a number."""
    tail = b"\n%% %0*d" % (_NUMBER_BYTES, 0)
    return pdf + b"\n%" + b" " * max(0, size_bytes - len(pdf) - 2 - len(tail)) + tail


class Sent(NamedTuple):
    """What some submissions took."""

    wall_s: float
    #: Of each, from the call to its answer, in the order of the answers.
    acknowledged_s: list[float]

    @property
    def per_s(self) -> float:
        """Acknowledgements per second."""
        return len(self.acknowledged_s) / self.wall_s


class _Submitter:
    def __init__(self, path: Path, content: bytes, call: bytes) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.sock.connect(str(path))
        self._fd = os.memfd_create("document", os.MFD_CLOEXEC)
        os.write(self._fd, content)
        self._number_at = len(content) - _NUMBER_BYTES
        self._call = [call]
        self._rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self._fd]))]
        self.sent_at = 0.0
        self._heard = b""

    def submit(self, number: int) -> None:
        """Hands in the document with this number."""
        os.pwrite(self._fd, b"%0*d" % (_NUMBER_BYTES, number), self._number_at)
        self.sent_at = time.perf_counter()
        self.sock.sendmsg(self._call, self._rights)

    def answer(self) -> bytes | None:
        """The whole answer, or None when there is more to come; SystemExit for one that is an error."""
        data = self.sock.recv(65536)
        self._heard += data
        if data and not self._heard.endswith(b"\0"):
            return None
        heard, self._heard = self._heard[:-1], b""
        if not heard or b'"error"' in heard:
            raise SystemExit(f"scripts/bench: a submission failed: {heard.decode() or 'the daemon is gone'}")
        return heard

    def close(self) -> None:
        self.sock.close()
        os.close(self._fd)


class Submitters:
    """So many programs with one document, for the length of a block."""

    def __init__(self, path: Path, clients: int, content: bytes, first: int = 0, name: str = "bench") -> None:
        """`first` is the number of the first document; numbers must not come twice in one daemon's life."""
        self._path = path
        self.clients = clients
        self._content = content
        self.number = first
        parameters = {"document": {"fd": 0}, "format": "text", "name": name}
        self._call = json.dumps({"method": "io.ndfd.Jobs.Submit", "parameters": parameters}).encode() + b"\0"
        self._stack = contextlib.ExitStack()
        self._by_fd: dict[int, _Submitter] = {}
        self._poll = select.epoll()

    def __enter__(self) -> Self:
        for _ in range(self.clients):
            each = _Submitter(self._path, self._content, self._call)
            self._stack.callback(each.close)
            self._by_fd[each.sock.fileno()] = each
            self._poll.register(each.sock.fileno(), select.EPOLLIN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._poll.close()
        self._stack.close()

    def submit(self, count: int) -> Sent:
        """So many in all; every program hands in its next one as soon as it has heard of its last one."""
        took: list[float] = []
        left = count
        begun = time.perf_counter()
        for each in list(self._by_fd.values())[:count]:
            left -= 1
            self._next(each)
        while len(took) < count:
            for each in self._ready():
                if each.answer() is None:
                    continue
                took.append(time.perf_counter() - each.sent_at)
                if left:
                    left -= 1
                    self._next(each)
        return Sent(time.perf_counter() - begun, took)

    def submit_one(self) -> str:
        """One, by the first of them; the id of its job."""
        each = next(iter(self._by_fd.values()))
        self._next(each)
        while (heard := each.answer()) is None:
            pass
        job_id: str = json.loads(heard)["parameters"]["job"]["id"]
        return job_id

    def _next(self, each: _Submitter) -> None:
        self.number += 1
        each.submit(self.number)

    def _ready(self) -> Iterator[_Submitter]:
        return (self._by_fd[fd] for fd, _ in self._poll.poll(60))


def percentiles_ms(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile, readings that really occurred."""
    ordered = sorted(seconds)
    return 1000 * ordered[len(ordered) // 2], 1000 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
