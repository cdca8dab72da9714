"""A rendered document as an HTTP answer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Receive, Scope, Send

from ndfd.model.conversion import ConversionReport
from ndfd.server.http_sandbox import SANDBOX_HEADER, sandbox_field

_CHUNK_BYTES = 256 * 1024


class MemfdResponse:
    """Sends a rendered document from its memfd, piece by piece, and closes it."""

    def __init__(self, fd: int, report: ConversionReport, stall_s: float) -> None:
        self._fd = fd
        self._stall_s = stall_s
        self._size_bytes = os.fstat(fd).st_size
        self._headers = [
            (b"content-type", report.media_type.encode("latin-1")),
            (b"content-length", str(self._size_bytes).encode()),
            (b"ndfd-pages", str(report.pages).encode()),
            (b"ndfd-pages-partial", str(report.pages_partial).encode()),
            (b"ndfd-pages-failed", str(report.pages_failed).encode()),
        ]
        if report.sandbox is not None:
            self._headers.append((SANDBOX_HEADER.lower().encode(), sandbox_field(report.sandbox).encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self._headers})
            await self._send_body(send)
        except TimeoutError:
            scope["state"]["abort"]()
        finally:
            os.close(self._fd)

    async def _send_body(self, send: Callable[[Any], Awaitable[None]]) -> None:
        position = 0
        while True:
            piece = os.pread(self._fd, _CHUNK_BYTES, position)
            position += len(piece)
            more = position < self._size_bytes
            async with asyncio.timeout(self._stall_s):
                await send({"type": "http.response.body", "body": piece, "more_body": more})
            if not more:
                return
