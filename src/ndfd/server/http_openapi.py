"""The OpenAPI 3.1 description of the HTTP door, made from the values it sends and from the tree of errors."""

from __future__ import annotations

import http
from typing import Any, Literal

import msgspec

from ndfd.errors import (
    ConfigError,
    NdfdError,
    NotAuthenticated,
    NotPermitted,
    SandboxIncomplete,
    ShuttingDown,
    error_classes,
)
from ndfd.model.configuration import Configuration, ReloadReport
from ndfd.model.conversion import OutputFormat
from ndfd.model.crash import Crashes
from ndfd.model.document import Document
from ndfd.model.status import DaemonStatus
from ndfd.server.http_problem import MEDIA_TYPE as PROBLEM_MEDIA_TYPE
from ndfd.server.http_problem import Problem
from ndfd.server.http_request import GENERATION_HEADER, PASSWORD_HEADER
from ndfd.server.http_sandbox import SANDBOX_HEADER


class Health(msgspec.Struct, frozen=True):
    """Answer of GET /health."""

    status: Literal["ok", "unavailable"]


class Links(msgspec.Struct, frozen=True):
    """Where things are."""

    convert: str = "/v1/convert"
    status: str = "/v1/status"
    crashes: str = "/v1/crashes"
    configuration: str = "/v1/configuration"
    reload: str = "/v1/reload"
    health: str = "/health"
    metrics: str = "/metrics"
    openapi: str = "/openapi.json"


class Index(msgspec.Struct, frozen=True):
    """Answer of GET /."""

    version: str
    name: str = "ndfd"
    links: Links = Links()


#: Errors of the command line and of the daemon's own start never come as an answer.
_NEVER_ANSWERED = frozenset({"input-unreadable", "input-no-documents", "output-unwritable", "configuration"})


def openapi_document(version: str) -> dict[str, Any]:
    """The description as JSON-ready values."""
    _, schemas = msgspec.json.schema_components(
        [Document, DaemonStatus, Crashes, Configuration, ReloadReport, Problem, Health, Index],
        ref_template="#/components/schemas/{name}",
    )
    paths = {
        "/v1/convert": {"post": _convert()},
        "/v1/status": {"get": _get("getStatus", "The daemon, its workers and what they do", "DaemonStatus")},
        "/v1/crashes": {
            "get": _get(
                "getCrashes",
                "The last conversions that ended their workers: the caller's own, for administrators all",
                "Crashes",
            )
        },
        "/v1/configuration": {
            "get": _get(
                "getConfiguration",
                "Every value that holds and where it comes from; for administrators",
                "Configuration",
                NotPermitted,
            )
        },
        "/v1/reload": {"post": _reload()},
        "/health": {"get": _health()},
        "/metrics": {"get": _metrics()},
        "/openapi.json": {"get": _openapi()},
        "/": {"get": _get("getIndex", "What there is", "Index")},
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
    responses.update(_problems(NotAuthenticated))
    for response in responses.values():
        generation = {GENERATION_HEADER: _count("Which of the daemon's configurations served the request")}
        response["headers"] = generation | response.get("headers", {})


def _reload() -> dict[str, Any]:
    return {
        "operationId": "reload",
        "summary": "Uses the configuration as it is written now; for administrators",
        "description": f"The header {GENERATION_HEADER} names the configuration that served this request, the body's "
        "`generation` the one that holds after it.",
        "parameters": [_query("dry_run", {"type": "boolean"}, "Only say what would change")],
        "responses": {
            "200": _json("What changed", _ref("ReloadReport")),
            **_problems(ConfigError, NotPermitted, SandboxIncomplete, ShuttingDown),
        },
    }


def _convert() -> dict[str, Any]:
    return {
        "operationId": "convert",
        "summary": "Converts the document that is the request's body",
        "parameters": [
            _query(
                "format",
                {"enum": list(OutputFormat)},
                "The rendering; else the Accept header decides, else markdown",
            ),
            _query(
                "name",
                {"type": "string"},
                "The document's name as its owner knows it, for messages only",
            ),
            _query(
                "deadline",
                {"type": "number", "exclusiveMinimum": 0},
                "Seconds until the conversion is given up",
            ),
            _query("pool", {"type": "string"}, "The pool of workers that shall do it; else the default one"),
            {
                "name": PASSWORD_HEADER,
                "in": "header",
                "required": False,
                "description": "Opens an encrypted document; UTF-8",
                "schema": {"type": "string"},
            },
        ],
        "requestBody": {
            "required": True,
            "description": "The document itself, whatever Content-Type is said, but no form",
            "content": {"application/octet-stream": {}, "application/pdf": {}},
        },
        "responses": {
            "200": {
                "description": "The rendered document",
                "headers": {
                    "Ndfd-Pages": _count("Pages of the document"),
                    "Ndfd-Pages-Partial": _count("Those of which something is missing"),
                    "Ndfd-Pages-Failed": _count("Those of which everything is missing"),
                    SANDBOX_HEADER: {
                        "description": "What confined the worker, by the daemon's own word: a Structured Field "
                        "(RFC 9651), as in `calls=31, landlock-abi=7, denied=13, missing=(), verified`",
                        "schema": {"type": "string"},
                    },
                },
                "content": {form.media_type: {"schema": _rendering(form)} for form in OutputFormat},
            },
            **_problems(),
        },
    }


def _rendering(form: OutputFormat) -> dict[str, Any]:
    return _ref("Document") if form is OutputFormat.JSON else {"type": "string"}


def _problems(*only: type[NdfdError]) -> dict[str, Any]:
    """The error tree by HTTP status, or these errors of it."""
    by_status: dict[int, list[type[NdfdError]]] = {}
    for cls in only or error_classes():
        if only or cls.code not in _NEVER_ANSWERED:
            by_status.setdefault(cls.http_status, []).append(cls)
    return {
        str(status): {
            "description": f"{http.HTTPStatus(status).phrase}: " + "; ".join(map(_one_error, classes)),
            "content": {PROBLEM_MEDIA_TYPE: {"schema": _ref("Problem")}},
        }
        for status, classes in sorted(by_status.items())
    }


def _one_error(cls: type[NdfdError]) -> str:
    summary = (cls.__doc__ or "").partition("\n")[0].rstrip(".")
    return f"`{cls.code}` ({summary})"


def _get(operation: str, summary: str, schema: str, *errors: type[NdfdError]) -> dict[str, Any]:
    problems = _problems(*errors) if errors else {}
    return {
        "operationId": operation,
        "summary": summary,
        "responses": {"200": _json(summary, _ref(schema)), **problems},
    }


def _health() -> dict[str, Any]:
    return {
        "operationId": "getHealth",
        "summary": "Whether a document handed in now would be converted",
        "responses": {
            "200": _json("It would", _ref("Health")),
            "503": _json("No worker works, or the daemon is stopping", _ref("Health")),
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
                "content": {PROBLEM_MEDIA_TYPE: {"schema": _ref("Problem")}},
            },
        },
    }


def _openapi() -> dict[str, Any]:
    return {
        "operationId": "getOpenapi",
        "summary": "This description",
        "responses": {"200": _json("OpenAPI 3.1", {"type": "object"})},
    }


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


def _count(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "integer", "minimum": 0}}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
