"""The paths of durable jobs in the OpenAPI description, and the answer that only they have."""

from __future__ import annotations

from typing import Any

from ndfd.errors import (
    JobStateConflict,
    JobUnknown,
    NdfdError,
    NotPermitted,
    NotSupported,
    ShuttingDown,
    StoreDamaged,
    StoreError,
    UsageError,
)
from ndfd.model.conversion import OutputFormat
from ndfd.model.job_states import JobState
from ndfd.model.jobs import LIST_MAX, PRIORITY_MAX, PRIORITY_MIN, Job, JobChange
from ndfd.server.http_events import MEDIA_TYPE as EVENTS_MEDIA_TYPE
from ndfd.server.http_job_request import KEY_HEADER, LAST_EVENT_HEADER
from ndfd.server.http_openapi_parts import (
    conversion_parameters,
    document_body,
    header,
    json_content,
    problems,
    query,
    ref,
    rendered_document,
)

#: What every request about jobs may fail in.
_ANY: tuple[type[NdfdError], ...] = (NotPermitted, NotSupported, StoreDamaged, StoreError, UsageError)


class JobWithHistory(Job, frozen=True, omit_defaults=True, kw_only=True):
    """A job, and what happened to it."""

    #: Oldest first.
    history: tuple[JobChange, ...]


def job_paths() -> dict[str, dict[str, Any]]:
    """By path, what can be done."""
    job = "/v1/jobs/{job_id}"
    return {
        "/v1/jobs": {"get": _list(), "post": _submit()},
        job: {"get": _get(), "delete": _delete()},
        f"{job}/result": {"get": _result()},
        f"{job}/events": {"get": _events()},
        f"{job}/cancel": {
            "post": _change("cancelJob", "Ends a job that waits or runs; one that is cancelled stays so")
        },
        f"{job}/retry": {
            "post": _change("retryJob", "Has a job that failed, was quarantined or cancelled run anew"),
        },
    }


def _submit() -> dict[str, Any]:
    location = {"Location": {"description": "Path of the job", "schema": {"type": "string"}}}
    return {
        "operationId": "submitJob",
        "summary": "Takes the document that is the request's body on as a durable job",
        "description": "Answered when the document and the job are on the disk: from then on the job ends exactly "
        "once, whatever is killed or unplugged. The same document with the same options gives the job that there is.",
        "parameters": [
            query("format", {"enum": list(OutputFormat)}, "The rendering; else markdown"),
            *conversion_parameters("Seconds that each run may take"),
            query(
                "priority",
                {"type": "integer", "minimum": PRIORITY_MIN, "maximum": PRIORITY_MAX},
                "Each step counts as much as a minute of waiting",
            ),
            _labels("NAME=VALUE, the owner's own, to find jobs by; may be given several times"),
            header(
                KEY_HEADER,
                "Sending the same work with the same key again gives the same job; other work under it is refused. "
                "With or without quotes; UTF-8",
            ),
        ],
        "requestBody": document_body(),
        "responses": {
            "200": json_content("There was a job of this work", ref("Job")) | {"headers": location},
            "201": json_content("The job", ref("Job")) | {"headers": location},
            **problems(),
        },
    }


def _list() -> dict[str, Any]:
    return {
        "operationId": "listJobs",
        "summary": "Jobs that fit all that is given, newest first: the caller's own, for administrators everybody's",
        "parameters": [
            query("state", {"type": "array", "items": {"enum": list(JobState)}}, "May be given several times"),
            _labels("NAME=VALUE that the job has; may be given several times"),
            query("uid", {"type": "integer"}, "Of this user alone; for administrators"),
            query("cursor", {"type": "string"}, "What the last answer gave as `cursor`: those after it"),
            query("limit", {"type": "integer", "minimum": 1, "maximum": LIST_MAX}, "At most so many; else 100"),
        ],
        "responses": {"200": json_content("Some jobs", ref("JobPage")), **problems(*_ANY)},
    }


def _get() -> dict[str, Any]:
    return {
        "operationId": "getJob",
        "summary": "A job as it is now",
        "parameters": [_job_id(), query("history", {"type": "boolean"}, "With what happened to it")],
        "responses": {
            "200": json_content("The job", {"anyOf": [ref("Job"), ref("JobWithHistory")]}),
            **problems(JobUnknown, *_ANY),
        },
    }


def _delete() -> dict[str, Any]:
    return {
        "operationId": "deleteJob",
        "summary": "Erases a job, its document and its result; one that has not ended is cancelled first",
        "parameters": [_job_id()],
        "responses": {"204": _nothing("Nothing of it is left"), **problems(JobStateConflict, JobUnknown, *_ANY)},
    }


def _result() -> dict[str, Any]:
    return {
        "operationId": "getJobResult",
        "summary": "What a job that has succeeded gave; of one that ended otherwise, the error that it ended in",
        "parameters": [_job_id()],
        "responses": {"200": rendered_document(), **problems()},
    }


def _events() -> dict[str, Any]:
    return {
        "operationId": "watchJob",
        "summary": "The job as it is now, then again for each change and each page, until it has ended",
        "description": "Server-sent events: `event: job`, with the job's version as its `id` and the job as its data, "
        "or a last `event: problem` with the problem that ends the stream. Comments keep the connection in use.",
        "parameters": [
            _job_id(),
            header(LAST_EVENT_HEADER, "The `id` of the last event that was seen, which is not sent again"),
        ],
        "responses": {
            "200": {"description": "The events", "content": {EVENTS_MEDIA_TYPE: {"schema": {"type": "string"}}}},
            "204": _nothing("The job has ended, and its end was seen: there is nothing to connect for"),
            **problems(JobUnknown, ShuttingDown, *_ANY),
        },
    }


def _change(operation: str, summary: str) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": [_job_id()],
        "responses": {
            "200": json_content("The job as it is then", ref("Job")),
            **problems(JobStateConflict, JobUnknown, *_ANY),
        },
    }


def _job_id() -> dict[str, Any]:
    return {
        "name": "job_id",
        "in": "path",
        "required": True,
        "description": "The job's id, or its first characters, 6 at least, where they fit only one job",
        "schema": {"type": "string"},
    }


def _labels(description: str) -> dict[str, Any]:
    return query("label", {"type": "array", "items": {"type": "string"}}, description)


def _nothing(description: str) -> dict[str, Any]:
    return {"description": description, "content": {}}
