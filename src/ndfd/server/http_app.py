"""The HTTP application: routes in front of the methods. It knows neither sockets nor the HTTP server under it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ndfd.errors import NdfdError, NotAuthenticated, ShuttingDown, UsageError
from ndfd.model.conversion import Converted, ConvertOptions
from ndfd.platform import Peer
from ndfd.server.access import REMOTE
from ndfd.server.generation import Serving
from ndfd.server.http_exchange import disconnected, generation_of, json_response, receive_document
from ndfd.server.http_jobs import job_routes
from ndfd.server.http_memfd import MemfdResponse
from ndfd.server.http_openapi import Health, Index, openapi_document
from ndfd.server.http_problem import problem_response
from ndfd.server.http_request import (
    GENERATION_HEADER,
    bearer_token,
    check_body_type,
    convert_options,
    declared_size,
    reload_dry_run,
    renew_pool,
)
from ndfd.server.http_routes import route
from ndfd.server.intake import Intake
from ndfd.server.methods import Admission
from ndfd.server.pending import PendingConversion

#: Gives the Content-Type and the text of the metrics.
Metrics = Callable[[], tuple[str, bytes]]


def make_app(serving: Serving, metrics: Metrics, version: str) -> ASGIApp:
    """The application.

    Whatever runs it puts into `scope["state"]` the `peer` (ndfd.platform.Peer, the kernel's word, or `access.REMOTE`),
    `abort`, which drops the connection at once, and `touch`, which is called before a request that is not repeatable
    is served.
    """
    routes = _Routes(metrics, version)
    app = Starlette(
        routes=[
            route("/", GET=routes.index),
            route("/v1/convert", POST=routes.convert),
            route("/v1/status", GET=routes.status),
            route("/v1/crashes", GET=routes.crashes),
            route("/v1/configuration", GET=routes.configuration),
            route("/v1/reload", POST=routes.reload),
            route("/v1/renew", POST=routes.renew),
            *job_routes(),
            route("/health", GET=routes.health),
            route("/info", GET=routes.info),
            route("/metrics", GET=routes.metrics),
            route("/openapi.json", GET=routes.openapi),
        ],
        exception_handlers={
            NdfdError: _on_error,
            HTTPException: _on_http_exception,
            Exception: _on_fault,
        },
    )
    return _Entrance(app, serving)


class _Entrance:
    """Gives each request the generation that holds at its beginning, and says in the answer which one it was.

    Whoever comes over the network shows the token here, before anything else of the request is looked at.
    """

    def __init__(self, app: ASGIApp, serving: Serving) -> None:
        self._app = app
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        generation = self._serving.current
        scope["state"]["generation"] = generation
        number = (GENERATION_HEADER.lower().encode(), str(generation.number).encode())

        async def send_numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], number]}
            await send(message)

        if scope["state"]["peer"] == REMOTE and not generation.lets_in(bearer_token(Headers(scope=scope))):
            refused = NotAuthenticated("who comes over the network must show the daemon's token")
            await problem_response(refused)(scope, receive, send_numbered)
            return
        await self._app(scope, receive, send_numbered)


class _Routes:
    def __init__(self, metrics: Metrics, version: str) -> None:
        self._metrics = metrics
        self._index = msgspec.json.encode(Index(version=version))
        self._version = version

    async def index(self, request: Request) -> Response:
        return Response(self._index, media_type="application/json")

    async def openapi(self, request: Request) -> Response:
        return Response(self._description, media_type="application/json")

    @functools.cached_property
    def _description(self) -> bytes:
        """Made when it is first asked for: 30 ms, which nobody need wait for at the start."""
        return msgspec.json.encode(openapi_document(self._version))

    async def status(self, request: Request) -> Response:
        status = generation_of(request).methods.status(request.state.peer)
        return json_response(status)

    async def crashes(self, request: Request) -> Response:
        crashes = generation_of(request).methods.crashes(request.state.peer)
        return json_response(crashes)

    async def configuration(self, request: Request) -> Response:
        configuration = generation_of(request).methods.configuration(request.state.peer)
        return json_response(configuration)

    async def reload(self, request: Request) -> Response:
        dry_run = reload_dry_run(request.query_params.multi_items())
        report = await generation_of(request).methods.reload(request.state.peer, dry_run=dry_run)
        return json_response(report)

    async def renew(self, request: Request) -> Response:
        pool = renew_pool(request.query_params.multi_items())
        report = await generation_of(request).methods.renew(request.state.peer, pool)
        return json_response(report)

    async def health(self, request: Request) -> Response:
        reason = generation_of(request).methods.unhealthy()
        return json_response(Health("ok") if reason is None else Health("unavailable", reason), 503 if reason else 200)

    async def info(self, request: Request) -> Response:
        info = await generation_of(request).methods.info(request.state.peer)
        return json_response(info)

    async def metrics(self, request: Request) -> Response:
        if not generation_of(request).metrics_enabled:
            off = UsageError("metrics are switched off", hint="have them switched on: [metrics] enabled")
            return problem_response(off, 404)
        content_type, body = self._metrics()
        # Not media_type: Starlette would add a charset to what is already a whole Content-Type.
        return Response(body, headers={"Content-Type": content_type})

    async def convert(self, request: Request) -> Response | MemfdResponse:
        peer: Peer = request.state.peer
        generation = generation_of(request)
        options = convert_options(request.query_params.multi_items(), request.headers)
        check_body_type(request.headers.get("content-type"))
        size_bytes = declared_size(request.headers.get("content-length"))
        try:
            with (
                generation.methods.admitted(peer, size_bytes, options.pool) as admission,
                Intake(generation.methods.limits.document_max_bytes) as intake,
            ):
                await receive_document(request, intake, generation.door.stall_s)
                result = await _convert_while_connected(request, admission, intake.fd, options)
        except ClientDisconnect:
            # Goes nowhere: the connection is closed.
            return Response(status_code=499)
        except asyncio.CancelledError:
            # Only the door's stop cancels a request.
            raise ShuttingDown("the daemon stopped before the conversion ended") from None
        return MemfdResponse(result.fd, result.report, generation.door.stall_s)


async def _convert_while_connected(
    request: Request, admission: Admission, document_fd: int, options: ConvertOptions
) -> Converted:
    """`ClientDisconnect` when the client goes; the conversion is then cancelled."""
    gone = asyncio.ensure_future(disconnected(request.receive))
    try:
        async with PendingConversion(admission.convert(document_fd, options)) as pending:
            await asyncio.wait((pending.task, gone), return_when=asyncio.FIRST_COMPLETED)
            if not pending.task.done():
                raise ClientDisconnect
            return pending.take()
    finally:
        gone.cancel()


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, NdfdError)
    return problem_response(error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    ours = UsageError(
        f"{request.method} {request.url.path}: {error.detail}",
        hint="see / for what there is",
    )
    return problem_response(ours, error.status_code, dict(error.headers or {}))


async def _on_fault(request: Request, error: Exception) -> Response:
    # Starlette raises the fault again behind this answer, and the server logs it.
    return problem_response(NdfdError(f"{request.method} {request.url.path} failed inside the daemon"))
