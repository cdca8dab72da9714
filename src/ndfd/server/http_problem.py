"""Errors as HTTP answers: application/problem+json (RFC 9457) with the fields of the error tree."""

from __future__ import annotations

import http
import math

import msgspec
from starlette.responses import Response

from ndfd.errors import NdfdError, NotAuthenticated

MEDIA_TYPE = "application/problem+json"

#: Where nobody knows when trying again makes sense. A full disk takes longer than a full queue.
_RETRY_AFTER_S: dict[int, float] = {
    http.HTTPStatus.TOO_MANY_REQUESTS: 1.0,
    http.HTTPStatus.SERVICE_UNAVAILABLE: 1.0,
    http.HTTPStatus.INSUFFICIENT_STORAGE: 60.0,
}


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

    @classmethod
    def of(cls, error: NdfdError, status: int | None = None) -> Problem:
        """The error as it travels, with its own status unless HTTP has a better one."""
        status = error.http_status if status is None else status
        return cls(
            title=http.HTTPStatus(status).phrase,
            status=status,
            detail=error.message,
            code=error.code,
            hint=error.hint,
            retryable=error.retryable,
            page=error.page,
            details=error.details,
        )


def problem_response(error: NdfdError, status: int | None = None, headers: dict[str, str] | None = None) -> Response:
    """The answer for an error, with its own status unless HTTP has a better one."""
    problem = Problem.of(error, status)
    headers = dict(headers or {})
    if isinstance(error, NotAuthenticated):
        # RFC 9110 section 11.6.1 and RFC 6750 section 3. The rest of the request is not read.
        headers |= {"WWW-Authenticate": "Bearer", "Connection": "close"}
    if (retry_after_s := _retry_after_s(error, problem.status)) is not None:
        # RFC 9110 section 10.2.3: whole seconds.
        headers["Retry-After"] = str(math.ceil(retry_after_s))
    return Response(msgspec.json.encode(problem), problem.status, headers, MEDIA_TYPE)


def _retry_after_s(error: NdfdError, status: int) -> float | None:
    return error.retry_after_s if error.retry_after_s is not None or not error.retryable else _RETRY_AFTER_S.get(status)
