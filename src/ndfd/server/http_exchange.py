"""One HTTP request: its generation, its body, whether its client is still there, and values as its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from ndfd.errors import UsageError
from ndfd.server.generation import Generation
from ndfd.server.intake import Intake


def generation_of(request: Request) -> Generation:
    """The one that the request got at its beginning."""
    generation: Generation = request.state.generation
    return generation


async def receive_document(request: Request, intake: Intake, stall_s: float) -> None:
    """Takes the body in; `UsageError` when nothing more of it comes, `ClientDisconnect` when the client has gone."""
    pieces = request.stream()
    while True:
        try:
            async with asyncio.timeout(stall_s):
                piece = await anext(pieces, None)
        except TimeoutError:
            raise UsageError(f"the document stopped coming for {stall_s:g} s", hint="send the whole document") from None
        if piece is None:
            return
        intake.write(piece)


async def disconnected(receive: Receive) -> None:
    """Returns when the client has gone, or has its whole answer. For a request whose body was received."""
    while (await receive())["type"] != "http.disconnect":
        pass


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value of the model as it travels."""
    return Response(msgspec.json.encode(value), status, headers, "application/json")
