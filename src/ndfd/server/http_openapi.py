"""The OpenAPI 3.1 description of the HTTP door, made from the values it sends and from the tree of errors."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ndfd.errors import ConfigError, NotAuthenticated, NotPermitted, PoolUnknown, SandboxIncomplete, ShuttingDown
from ndfd.model.configuration import Configuration, ReloadReport
from ndfd.model.conversion import OutputFormat
from ndfd.model.crash import Crashes
from ndfd.model.document import Document
from ndfd.model.info import Info
from ndfd.model.jobs import Job, JobPage
from ndfd.model.status import DaemonStatus, RenewReport
from ndfd.server.http_openapi_jobs import JobWithHistory, job_paths
from ndfd.server.http_openapi_parts import (
    conversion_parameters,
    conversion_problems,
    count,
    document_body,
    get,
    json_content,
    problems,
    query,
    ref,
    rendered_document,
)
from ndfd.server.http_problem import MEDIA_TYPE as PROBLEM_MEDIA_TYPE
from ndfd.server.http_problem import Problem
from ndfd.server.http_request import GENERATION_HEADER


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answer of GET /health."""

    status: Literal["ok", "unavailable"]
    #: Why it is not ok.
    reason: str | None = None


class Links(msgspec.Struct, frozen=True):
    """Where things are."""

    convert: str = "/v1/convert"
    jobs: str = "/v1/jobs"
    status: str = "/v1/status"
    crashes: str = "/v1/crashes"
    configuration: str = "/v1/configuration"
    reload: str = "/v1/reload"
    renew: str = "/v1/renew"
    health: str = "/health"
    info: str = "/info"
    metrics: str = "/metrics"
    openapi: str = "/openapi.json"


class Index(msgspec.Struct, frozen=True):
    """Answer of GET /."""

    version: str
    name: str = "ndfd"
    links: Links = Links()


def openapi_document(version: str) -> dict[str, Any]:
    """The description as JSON-ready values."""
    _, schemas = msgspec.json.schema_components(
        [
            *(Document, DaemonStatus, Crashes, Configuration, ReloadReport, RenewReport, Info),
            *(Job, JobWithHistory, JobPage, Problem, Health, Index),
        ],
        ref_template="#/components/schemas/{name}",
    )
    paths = {
        "/v1/convert": {"post": _convert()},
        "/v1/status": {"get": get("getStatus", "The daemon, its workers and what they do", "DaemonStatus")},
        "/v1/crashes": {
            "get": get(
                "getCrashes",
                "The last conversions that ended their workers: the caller's own, for administrators all",
                "Crashes",
            )
        },
        "/v1/configuration": {
            "get": get(
                "getConfiguration",
                "Every value that holds and where it comes from; for administrators",
                "Configuration",
                NotPermitted,
                PoolUnknown,
            )
        },
        **job_paths(),
        "/v1/reload": {"post": _reload()},
        "/v1/renew": {"post": _renew()},
        "/health": {"get": _health()},
        "/info": {"get": get("getInfo", "Version, engine, machine and what the daemon can do", "Info")},
        "/metrics": {"get": _metrics()},
        "/openapi.json": {"get": _openapi()},
        "/": {"get": get("getIndex", "What there is", "Index")},
    }
    for operations in paths.values():
        for operation in operations.values():
            _say_what_is_in_every_answer(operation["responses"])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ndfd",
            "version": version,
            "summary": "Turns documents into checked, structured text",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The daemon's token; needed over the network, not asked for on the Unix socket",
                }
            },
        },
        "security": [{}, {"token": []}],
    }


def _say_what_is_in_every_answer(responses: dict[str, Any]) -> None:
    responses.update(problems(NotAuthenticated))
    for response in responses.values():
        generation = {GENERATION_HEADER: count("Which of the daemon's configurations served the request")}
        response["headers"] = generation | response.get("headers", {})


def _reload() -> dict[str, Any]:
    return {
        "operationId": "reload",
        "summary": "Uses the configuration as it is written now; for administrators",
        "description": f"The header {GENERATION_HEADER} names the configuration that served this request, the body's "
        "`generation` the one that holds after it.",
        "parameters": [query("dry_run", {"type": "boolean"}, "Only say what would change")],
        "responses": {
            "200": json_content("What changed", ref("ReloadReport")),
            **problems(ConfigError, NotPermitted, SandboxIncomplete, ShuttingDown),
        },
    }


def _renew() -> dict[str, Any]:
    return {
        "operationId": "renewWorkers",
        "summary": "Replaces every worker by a fresh one, one by one; for administrators",
        "parameters": [query("pool", {"type": "string"}, "Only the workers of this pool")],
        "responses": {
            "200": json_content("How many were replaced", ref("RenewReport")),
            **problems(NotPermitted, PoolUnknown, ShuttingDown),
        },
    }


def _convert() -> dict[str, Any]:
    return {
        "operationId": "convert",
        "summary": "Converts the document that is the request's body",
        "parameters": [
            query(
                "format",
                {"enum": list(OutputFormat)},
                "The rendering; else the Accept header decides, else markdown",
            ),
            *conversion_parameters("Seconds until the conversion is given up"),
        ],
        "requestBody": document_body(),
        "responses": {
            "200": rendered_document(),
            **conversion_problems(),
        },
    }


def _health() -> dict[str, Any]:
    return {
        "operationId": "getHealth",
        "summary": "Whether a document handed in now would be converted",
        "responses": {
            "200": json_content("It would", ref("Health")),
            "503": json_content("No worker works, or the daemon is stopping", ref("Health")),
        },
    }


def _metrics() -> dict[str, Any]:
    text = {
        "description": "Metrics in a Prometheus text format",
        "content": {"text/plain": {}},
    }
    return {
        "operationId": "getMetrics",
        "summary": "Metrics for Prometheus",
        "responses": {
            "200": text,
            "404": {
                "description": "Metrics are switched off: [metrics] enabled",
                "content": {PROBLEM_MEDIA_TYPE: {"schema": ref("Problem")}},
            },
        },
    }


def _openapi() -> dict[str, Any]:
    return {
        "operationId": "getOpenapi",
        "summary": "This description",
        "responses": {"200": json_content("OpenAPI 3.1", {"type": "object"})},
    }
