"""One tree of errors: each class has a stable code, an exit status, a retry rule and a hint that says what to do.

The code is what programs match on and what travels over the sockets; the message says what went wrong and where; the
hint says what to do about it. `ndfd errors` prints the tree, and a test holds codes unique.

Exit statuses are those of sysexits.h (FreeBSD sysexits(3)) where one fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

EX_USAGE = 64
EX_DATAERR = 65
EX_NOINPUT = 66
EX_UNAVAILABLE = 69
EX_SOFTWARE = 70
EX_OSERR = 71
EX_CANTCREAT = 73
EX_IOERR = 74
EX_TEMPFAIL = 75
EX_PROTOCOL = 76
EX_NOPERM = 77
EX_CONFIG = 78


class NdfdError(Exception):
    """The root: something in ndfd itself went wrong, in a way no narrower class names."""

    code: ClassVar[str] = "internal"
    exit_status: ClassVar[int] = EX_SOFTWARE
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    default_hint: ClassVar[str] = "this is a fault in ndfd: please report it with the daemon's log"

    def __init__(
        self, message: str, *, hint: str | None = None, page: int | None = None, details: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint
        #: 1-based number of the page the error is about, where one is known.
        self.page = page
        #: One line for each cause, where the message only counts them.
        self.details = details
        #: Of the daemon's configuration, where a daemon reported the error.
        self.generation: int | None = None
        #: Seconds after which trying again makes sense, where that is known.
        self.retry_after_s: float | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.page, self.details)

    def __str__(self) -> str:
        return self.message


def _rebuild(
    cls: type[NdfdError], message: str, hint: str, page: int | None, details: tuple[str, ...] = ()
) -> NdfdError:
    return cls(message, hint=hint, page=page, details=details)


class UsageError(NdfdError):
    """The command line or the request is not of the documented form."""

    code = "usage"
    exit_status = EX_USAGE
    http_status = 400
    default_hint = "see `ndfd COMMAND --help`"


def error_classes() -> Iterator[type[NdfdError]]:
    """Every class of the tree, parents before children, in the order of definition."""
    pending: list[type[NdfdError]] = [NdfdError]
    while pending:
        cls = pending.pop(0)
        yield cls
        pending[:0] = cls.__subclasses__()


def error_from_code(
    code: str, message: str, *, hint: str | None = None, page: int | None = None, details: tuple[str, ...] = ()
) -> NdfdError:
    """The error that a peer named by its code; an unknown code (a newer peer's) becomes the root class."""
    for cls in error_classes():
        if cls.code == code:
            return cls(message, hint=hint, page=page, details=details)
    return NdfdError(f"{code}: {message}", hint=hint, page=page, details=details)
