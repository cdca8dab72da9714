"""The HTTP routes of durable jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ndfd.errors import ShuttingDown
from ndfd.platform import Peer
from ndfd.server.http_events import JobEvents
from ndfd.server.http_exchange import generation_of, json_response, receive_document
from ndfd.server.http_job_request import job_options, job_query, last_seen_version, with_history
from ndfd.server.http_memfd import MemfdResponse
from ndfd.server.http_openapi_jobs import JobWithHistory
from ndfd.server.http_request import check_body_type, declared_size
from ndfd.server.http_routes import route
from ndfd.server.job_methods import JobMethods


def job_routes() -> Sequence[Route]:
    """The routes, one for each path: so that a method that it has not is answered with those that it has."""
    job = "/v1/jobs/{job_id}"
    return (
        route("/v1/jobs", GET=_list, POST=_submit),
        route(job, GET=_get, DELETE=_delete),
        route(f"{job}/result", GET=_result),
        route(f"{job}/events", GET=_events),
        route(f"{job}/cancel", POST=_cancel),
        route(f"{job}/retry", POST=_retry),
    )


async def _submit(request: Request) -> Response:
    generation, peer = generation_of(request), _peer(request)
    jobs = generation.methods.jobs
    options = job_options(request.query_params.multi_items(), request.headers)
    check_body_type(request.headers.get("content-type"))
    size_bytes = declared_size(request.headers.get("content-length"))
    try:
        with jobs.intake(peer, options, size_bytes) as intake:
            await receive_document(request, intake, generation.door.stall_s)
            submission = await jobs.submit(peer, intake.fd, options)
    except ClientDisconnect:
        # Goes nowhere: the connection is closed.
        return Response(status_code=499)
    except asyncio.CancelledError:
        # Only the door's stop cancels a request.
        raise ShuttingDown(
            "the daemon stopped before it could acknowledge the job",
            hint="send it again when the daemon is back: should it be there, that gives the same job",
        ) from None
    job = submission.job
    return json_response(job, 200 if submission.reused else 201, {"Location": f"/v1/jobs/{job.id}"})


async def _list(request: Request) -> Response:
    query = job_query(request.query_params.multi_items())
    return json_response(await _jobs(request).list(_peer(request), query))


async def _get(request: Request) -> Response:
    history = with_history(request.query_params.multi_items())
    jobs, peer = _jobs(request), _peer(request)
    job = await jobs.get(peer, _id(request))
    if not history:
        return json_response(job)
    fields = {name: getattr(job, name) for name in job.__struct_fields__}
    return json_response(JobWithHistory(**fields, history=await jobs.history(peer, job.id)))


async def _delete(request: Request) -> Response:
    await _jobs(request).delete(_peer(request), _id(request))
    return Response(status_code=204)


async def _result(request: Request) -> MemfdResponse:
    finished = await _jobs(request).result(_peer(request), _id(request))
    report = finished.job.report
    assert report is not None
    return MemfdResponse(finished.fd, report, generation_of(request).door.stall_s)


async def _events(request: Request) -> JobEvents:
    seen_version = last_seen_version(request.headers)
    watched = _jobs(request).watched(_peer(request), (_id(request),))
    return JobEvents(watched, seen_version, generation_of(request).door)


async def _cancel(request: Request) -> Response:
    return json_response(await _jobs(request).cancel(_peer(request), _id(request)))


async def _retry(request: Request) -> Response:
    return json_response(await _jobs(request).retry(_peer(request), _id(request)))


def _jobs(request: Request) -> JobMethods:
    return generation_of(request).methods.jobs


def _peer(request: Request) -> Peer:
    peer: Peer = request.state.peer
    return peer


def _id(request: Request) -> str:
    job_id: str = request.path_params["job_id"]
    return job_id
