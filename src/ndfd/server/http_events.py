"""What happens to a job as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import msgspec
from starlette.types import Receive, Scope, Send

from ndfd.errors import NdfdError, ShuttingDown
from ndfd.model.jobs import Job
from ndfd.server.generation import DoorLimits
from ndfd.server.http_exchange import disconnected
from ndfd.server.http_problem import Problem

MEDIA_TYPE = "text/event-stream"

_HEADERS = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-store")]
#: A comment: it tells both ends, and what is between them, that the connection is in use.
_HEARTBEAT = b":\n\n"


class JobEvents:
    """Sends each change of one job until the job has ended, the client has gone, or the door stops.

    What fails before the first event is a problem with its own status, and an event afterwards. A client that has seen
    the end of the job gets 204, upon which browsers do not connect again.
    """

    def __init__(
        self,
        watched: AbstractAsyncContextManager[AsyncIterator[Job]],
        seen_version: int | None,
        door: DoorLimits,
    ) -> None:
        self._watched = watched
        self._seen_version = seen_version
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._watched as changes:
            now = await anext(changes, None)
            seen = now is None or now.version == self._seen_version
            if now is None or (seen and now.state.is_final):
                await send({"type": "http.response.start", "status": 204, "headers": []})
                await send({"type": "http.response.body"})
                return
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            try:
                if not seen:
                    await self._send(send, _event(now))
                if scope["method"] != "HEAD":
                    await self._follow(changes, receive, send)
                await self._send(send, b"", more=False)
            except TimeoutError:
                scope["state"]["abort"]()

    async def _follow(self, changes: AsyncIterator[Job], receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(disconnected(receive))
        upcoming = asyncio.ensure_future(_next(changes))
        try:
            while True:
                await asyncio.wait(
                    (gone, upcoming), timeout=self._door.heartbeat_s, return_when=asyncio.FIRST_COMPLETED
                )
                if gone.done():
                    return
                if not upcoming.done():
                    await self._send(send, _HEARTBEAT)
                    continue
                if (job := upcoming.result()) is None:
                    return
                await self._send(send, _event(job))
                upcoming = asyncio.ensure_future(_next(changes))
        except NdfdError as error:
            await self._send(send, _problem(error))
        except asyncio.CancelledError:
            # Only the door's stop cancels a request. It waits for this one: a client that does not read has no say.
            async with asyncio.timeout(0):
                await send(_body(_problem(ShuttingDown("the daemon stopped before the job ended"))))
        finally:
            gone.cancel()
            upcoming.cancel()
            # A generator can be closed when nobody waits in it any more.
            await asyncio.gather(gone, upcoming, return_exceptions=True)

    async def _send(self, send: Send, piece: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(self._door.stall_s):
            await send(_body(piece, more=more))


async def _next(changes: AsyncIterator[Job]) -> Job | None:
    return await anext(changes, None)


def _body(piece: bytes, *, more: bool = True) -> dict[str, object]:
    return {"type": "http.response.body", "body": piece, "more_body": more}


def _event(job: Job) -> bytes:
    return b"id: %d\nevent: job\ndata: %b\n\n" % (job.version, msgspec.json.encode(job))


def _problem(error: NdfdError) -> bytes:
    return b"event: problem\ndata: %b\n\n" % msgspec.json.encode(Problem.of(error))
