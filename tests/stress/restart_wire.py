"""One connection of a client that never tries anything twice: what it notices, a user would."""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

_READ_BYTES = 64 * 1024
#: An answer that takes longer does not come.
ANSWER_LIMIT_S = 60.0


class Fault(Exception):
    """What a user must not notice. The kinds are counted apart."""

    kind = "broken"


class Refused(Fault):
    """There is no connection to be had."""

    kind = "refused"


class Broken(Fault):
    """It ended before the answer was whole, or with nobody having asked."""


class Silent(Fault):
    """No answer came."""

    kind = "silent"


class WrongAnswer(Fault):
    """Another answer than the right one, an error among them."""

    kind = "wrong"


class Wire:
    """Connected, for one exchange at a time. `Fault` ends it."""

    def __init__(self, path: Path) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._rest = b""
        try:
            # A Unix socket connects at once, or its backlog is full (connect(2)).
            self._sock.connect(os.fspath(path))
        except OSError as error:
            self._sock.close()
            raise Refused(f"{path.name}: {error.strerror}") from None

    def close(self) -> None:
        """Hangs up."""
        self._sock.close()

    def is_whole(self) -> bool:
        """Whether nobody has closed or written anything, between two exchanges."""
        with contextlib.suppress(BlockingIOError):
            try:
                self._sock.recv(1, socket.MSG_PEEK)
            except ConnectionError:
                return False
            return False
        return not self._rest

    async def http(self, method: str, target: str, body: bytes = b"", *, headers: str = "") -> tuple[int, bytes]:
        """Status and body of the answer."""
        head = f"{method} {target} HTTP/1.1\r\nHost: ndfd\r\n{headers}"
        if method == "POST":
            head += f"Content-Length: {len(body)}\r\n"
        async with _limited():
            await self._send(f"{head}\r\n".encode() + body)
            answer = await self._receive_until(b"\r\n\r\n")
            status = int(answer.split(b" ", 2)[1])
            return status, await self._receive_body(answer)

    async def http_slowly(self, target: str, body: bytes, pieces: int) -> tuple[int, bytes]:
        """As a POST, in so many pieces, 10 ms apart."""
        head = f"POST {target} HTTP/1.1\r\nHost: ndfd\r\nContent-Length: {len(body)}\r\n\r\n"
        async with _limited():
            await self._send(head.encode())
            step = -(-len(body) // pieces)
            for begin in range(0, len(body), step):
                await self._send(body[begin : begin + step])
                await asyncio.sleep(0.01)
            answer = await self._receive_until(b"\r\n\r\n")
            return int(answer.split(b" ", 2)[1]), await self._receive_body(answer)

    async def varlink(self, method: str, parameters: dict[str, Any], document: bytes | None = None) -> dict[str, Any]:
        """What is replied; a document is passed along in a memfd. `WrongAnswer` for an error."""
        message = json.dumps({"method": method, "parameters": parameters}).encode() + b"\0"
        async with _limited():
            if document is None:
                await self._send(message)
            else:
                self._send_with(message, document)
            reply = json.loads((await self._receive_until(b"\0"))[:-1])
        if "error" in reply:
            raise WrongAnswer(f"{method}: {reply}")
        parameters = reply["parameters"]
        assert isinstance(parameters, dict)
        return parameters

    async def _send(self, data: bytes) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self._sock, data)
        except OSError as error:
            raise Broken(f"sending: {error.strerror}") from None

    def _send_with(self, message: bytes, document: bytes) -> None:
        fd = os.memfd_create("document")
        try:
            os.write(fd, document)
            # So little always has room: nothing else is on its way.
            self._sock.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        except OSError as error:
            raise Broken(f"sending: {error.strerror}") from None
        finally:
            os.close(fd)

    async def _receive_until(self, end: bytes) -> bytes:
        while end not in self._rest:
            self._rest += await self._receive()
        found, _, self._rest = self._rest.partition(end)
        return found + end

    async def _receive_body(self, head: bytes) -> bytes:
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if line)
        size = int(fields.get(b"content-length", b"0"))
        while len(self._rest) < size:
            self._rest += await self._receive()
        body, self._rest = self._rest[:size], self._rest[size:]
        return body

    async def _receive(self) -> bytes:
        try:
            data = await asyncio.get_running_loop().sock_recv(self._sock, _READ_BYTES)
        except OSError as error:
            raise Broken(f"waiting for the answer: {error.strerror}") from None
        if not data:
            raise Broken(f"closed {'in the middle of' if self._rest else 'instead of'} the answer")
        return data


@contextlib.asynccontextmanager
async def _limited() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(ANSWER_LIMIT_S):
            yield
    except TimeoutError:
        raise Silent(f"no answer within {ANSWER_LIMIT_S:g} s") from None
