"""Routes, and which requests may be served a second time: one table. A route that is not in it cannot be made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

Handler = Callable[[Request], Awaitable[Response | ASGIApp]]

#: Whether the next daemon may serve the request again, when this one ended before it had answered. A submission gives
#: the same job for the same work, or for the same key.
REPEATABLE: Mapping[str, bool] = {
    "GET /": True,
    "POST /v1/convert": True,
    "GET /v1/status": True,
    "GET /v1/crashes": True,
    "GET /v1/configuration": True,
    "POST /v1/reload": False,
    "POST /v1/renew": False,
    "GET /v1/jobs": True,
    "POST /v1/jobs": True,
    "GET /v1/jobs/{job_id}": True,
    "DELETE /v1/jobs/{job_id}": False,
    "GET /v1/jobs/{job_id}/result": True,
    "GET /v1/jobs/{job_id}/events": True,
    "POST /v1/jobs/{job_id}/cancel": False,
    "POST /v1/jobs/{job_id}/retry": False,
    "GET /health": True,
    "GET /info": True,
    "GET /metrics": True,
    "GET /openapi.json": True,
}


def route(path: str, **handlers: Handler) -> Route:
    """The route of a path, with a handler for each of its methods; whoever asks for another is told these."""
    repeatable = {method: REPEATABLE[f"{method} {path}"] for method in handlers}

    async def endpoint(request: Request) -> Response | ASGIApp:
        method = "GET" if request.method == "HEAD" else request.method
        if not repeatable[method]:
            request.state.touch()
        return await handlers[method](request)

    return Route(path, endpoint, methods=list(handlers))
