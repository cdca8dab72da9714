"""Pieces of which the OpenAPI description is made."""

from __future__ import annotations

import http
from collections.abc import Iterator
from typing import Any

from ndfd.errors import JobError, NdfdError, QuotaExceeded, StorageFull, StoreError, error_classes
from ndfd.model.conversion import OutputFormat
from ndfd.server.http_problem import MEDIA_TYPE as PROBLEM_MEDIA_TYPE
from ndfd.server.http_request import PASSWORD_HEADER
from ndfd.server.http_sandbox import SANDBOX_HEADER

#: Errors of the command line, of the daemon's own start and of what only the Varlink door has never come as an answer.
_NEVER_ANSWERED = frozenset({"input-unreadable", "input-no-documents", "output-unwritable", "configuration", "backup"})


def conversion_parameters(deadline: str) -> list[dict[str, Any]]:
    """What can be asked of a conversion, but for its format; `deadline` says what the one of that name is."""
    return [
        query("name", {"type": "string"}, "The document's name as its owner knows it, for messages only"),
        query("deadline", {"type": "number", "exclusiveMinimum": 0}, deadline),
        query("pool", {"type": "string"}, "The pool of workers that shall do it; else the default one"),
        header(PASSWORD_HEADER, "Opens an encrypted document; UTF-8"),
    ]


def document_body() -> dict[str, Any]:
    """A request's body that is a document."""
    return {
        "required": True,
        "description": "The document itself, whatever Content-Type is said, but no form",
        "content": {"application/octet-stream": {}, "application/pdf": {}},
    }


def rendered_document() -> dict[str, Any]:
    """The answer that is a rendered document."""
    return {
        "description": "The rendered document",
        "headers": {
            "Ndfd-Pages": count("Pages of the document"),
            "Ndfd-Pages-Partial": count("Those of which something is missing"),
            "Ndfd-Pages-Failed": count("Those of which everything is missing"),
            SANDBOX_HEADER: {
                "description": "What confined the worker, by the daemon's own word: a Structured Field "
                "(RFC 9651), as in `calls=31, landlock-abi=7, denied=13, missing=(), verified`",
                "schema": {"type": "string"},
            },
        },
        "content": {form.media_type: {"schema": _rendering(form)} for form in OutputFormat},
    }


def _rendering(form: OutputFormat) -> dict[str, Any]:
    return ref("Document") if form is OutputFormat.JSON else {"type": "string"}


def problems(*only: type[NdfdError]) -> dict[str, Any]:
    """The error tree by HTTP status, or these errors of it."""
    by_status: dict[int, list[type[NdfdError]]] = {}
    for cls in only or _answered():
        by_status.setdefault(cls.http_status, []).append(cls)
    return {
        str(status): {
            "description": f"{http.HTTPStatus(status).phrase}: " + "; ".join(map(_one_error, classes)),
            "headers": {"Retry-After": count("Seconds after which trying again makes sense")}
            if any(cls.retryable for cls in classes)
            else {},
            "content": {PROBLEM_MEDIA_TYPE: {"schema": ref("Problem")}},
        }
        for status, classes in sorted(by_status.items())
    }


def conversion_problems() -> dict[str, Any]:
    """The errors that one conversion can end in."""
    of_jobs = (JobError, QuotaExceeded, StorageFull, StoreError)
    return problems(*(cls for cls in _answered() if not issubclass(cls, of_jobs)))


def _answered() -> Iterator[type[NdfdError]]:
    return (cls for cls in error_classes() if cls.code not in _NEVER_ANSWERED)


def _one_error(cls: type[NdfdError]) -> str:
    summary = (cls.__doc__ or "").partition("\n")[0].rstrip(".")
    return f"`{cls.code}` ({summary})"


def get(operation: str, summary: str, schema: str, *errors: type[NdfdError]) -> dict[str, Any]:
    """A request without parameters that is answered by a value of the model."""
    return {
        "operationId": operation,
        "summary": summary,
        "responses": {"200": json_content(summary, ref(schema)), **(problems(*errors) if errors else {})},
    }


def query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """A parameter of the query, which may be left out."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


def count(description: str) -> dict[str, Any]:
    """A number of things, as a header."""
    return {"description": description, "schema": {"type": "integer", "minimum": 0}}


def json_content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """An answer in JSON."""
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
    }


def ref(name: str) -> dict[str, str]:
    """One of the schemas of the model."""
    return {"$ref": f"#/components/schemas/{name}"}


def header(name: str, description: str) -> dict[str, Any]:
    """A header of the request, which may be left out."""
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
    }
