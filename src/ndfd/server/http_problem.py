"""Errors as HTTP answers: application/problem+json (RFC 9457) with the fields of the error tree."""

from __future__ import annotations

import http

import msgspec
from starlette.responses import Response

from ndfd.errors import NdfdError, NotAuthenticated

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem document. `type` is left out, which means about:blank: `code` says what it is."""

    #: The standard phrase of the status.
    title: str
    #: The HTTP status, once more.
    status: int
    #: What went wrong.
    detail: str
    #: The error's stable name, one of those that `ndfd errors` lists.
    code: str
    #: What to do about it.
    hint: str
    #: Whether the same request may succeed later.
    retryable: bool
    #: 1-based number of the page that it is about, where one is known.
    page: int | None = None
    #: One line for each cause, where there are several.
    details: tuple[str, ...] = ()


def problem_response(error: NdfdError, status: int | None = None, headers: dict[str, str] | None = None) -> Response:
    """The answer for an error, with its own status unless HTTP has a better one."""
    status = error.http_status if status is None else status
    problem = Problem(
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        code=error.code,
        hint=error.hint,
        retryable=error.retryable,
        page=error.page,
        details=error.details,
    )
    headers = dict(headers or {})
    if isinstance(error, NotAuthenticated):
        # RFC 9110 section 11.6.1 and RFC 6750 section 3. The rest of the request is not read.
        headers |= {"WWW-Authenticate": "Bearer", "Connection": "close"}
    if error.retryable and status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    return Response(msgspec.json.encode(problem), status, headers, MEDIA_TYPE)
