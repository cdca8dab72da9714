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


class PoolUnknown(UsageError):
    """No pool of workers has the name that was asked for."""

    code = "pool-unknown"
    http_status = 404
    default_hint = "name one of those that there are, or none for the default one; `ndfd status` lists them"


class DocumentError(NdfdError):
    """The document's own fault: trying again gives the same answer."""

    code = "document"
    exit_status = EX_DATAERR
    http_status = 422
    default_hint = "check the document with the program that made it"


class EmptyDocument(DocumentError):
    """The document has no bytes."""

    code = "document-empty"
    default_hint = "the file has 0 bytes: check the program that wrote it or the transfer that brought it"


class UnsupportedFormat(DocumentError):
    """The bytes are not of a format that ndfd reads."""

    code = "document-unsupported"
    http_status = 415
    default_hint = "ndfd reads PDF; convert the document to PDF first"


class DamagedDocument(DocumentError):
    """The bytes begin like a supported format, but the engine cannot open them: truncated or corrupt."""

    code = "document-damaged"
    default_hint = "the file may be truncated: fetch or export it again"


class PasswordRequired(DocumentError):
    """The document is encrypted and no password was given."""

    code = "document-password-required"
    default_hint = "give the password with --password-file FILE"


class PasswordWrong(DocumentError):
    """The document is encrypted and the password given does not open it."""

    code = "document-password-wrong"
    default_hint = "check the first line of the password file: it is used without its line ending"


class UnsupportedEncryption(DocumentError):
    """The document is encrypted with a scheme that the engine does not know."""

    code = "document-encryption-unsupported"
    default_hint = "save the document without encryption, or with the standard password security handler"


class NoPages(DocumentError):
    """The document opens and has no pages."""

    code = "document-no-pages"
    default_hint = "the document has 0 pages: export it again"


class DocumentTooLarge(DocumentError):
    """The document is larger than the daemon's configured limit."""

    code = "document-too-large"
    http_status = 413
    default_hint = "pass the document as a descriptor rather than inline, or raise [document] max_size"


class ConversionTimeout(DocumentError):
    """The conversion did not end before its deadline; its worker was killed."""

    code = "conversion-timeout"
    http_status = 504
    default_hint = "give more time with --deadline, or split the document"


class ConversionOutOfMemory(DocumentError):
    """The conversion hit its worker's memory limit."""

    code = "conversion-out-of-memory"
    default_hint = "raise [swarm] worker_memory, or split the document"


class ConversionCpuLimit(DocumentError):
    """The conversion used up the CPU time that one may take; its worker was ended."""

    code = "conversion-cpu-limit"
    http_status = 504
    default_hint = "raise [swarm] worker_cpu, or split the document"


class DocumentKillsWorkers(DocumentError):
    """The document ended its worker, and then a fresh one as well: it is not tried again."""

    code = "document-kills-workers"
    default_hint = "report the document; to read it nevertheless, open it in another program and print it to a new PDF"


class InputError(NdfdError):
    """An input named on the command line cannot be read."""

    code = "input-unreadable"
    exit_status = EX_NOINPUT
    http_status = 400
    default_hint = "check the path and its permissions"


class DocumentChanged(InputError):
    """The document was written to or shortened while it was converted: no result of it would be true."""

    code = "document-changed"
    http_status = 409
    retryable = True
    default_hint = "try again when the program that writes it is done, or hand over a copy"


class NoDocuments(InputError):
    """The files and directories named hold no document that ndfd reads."""

    code = "input-no-documents"
    default_hint = "name at least one .pdf file, or a directory that holds some"


class OutputError(NdfdError):
    """A result cannot be written where it was asked for."""

    code = "output-unwritable"
    exit_status = EX_CANTCREAT
    default_hint = "check the output directory, its permissions and the free space"


class WorkerError(NdfdError):
    """A worker process failed at its job; the daemon and every other job go on."""

    code = "worker-failed"
    exit_status = EX_TEMPFAIL
    http_status = 500
    retryable = True
    default_hint = "try again; if it happens each time with the same document, report the document"


class WorkerCrashed(WorkerError):
    """The worker died of a signal or exited while it converted the document."""

    code = "worker-crashed"


class SandboxViolation(WorkerError):
    """The worker attempted what its confinement denies, as code does that a document has taken over; it was ended."""

    code = "sandbox-violation"
    default_hint = "treat the document as hostile; if it is known to be sound, report it with the call that is named"


class WorkerProtocolError(WorkerError):
    """The worker sent what no sound worker sends; it was killed and its answer thrown away."""

    code = "worker-protocol"


class WorkerStartFailed(WorkerError):
    """No worker could be started."""

    code = "worker-start-failed"
    http_status = 503
    default_hint = "see the daemon's log for the reason: usually memory or the process limit"


class SwarmCircuitOpen(WorkerStartFailed):
    """Workers keep ending, or cannot be started, without a document being the cause: nothing waits for them."""

    code = "swarm-circuit-open"
    default_hint = "try again in a moment; if it lasts, see the daemon's log and `ndfd doctor` on its machine"


class Unavailable(NdfdError):
    """No daemon answers at the socket."""

    code = "daemon-unavailable"
    exit_status = EX_UNAVAILABLE
    http_status = 503
    retryable = True
    default_hint = "start one with `ndfd run`, or name its socket with --socket"


class Busy(NdfdError):
    """The daemon has as much queued as it is allowed; nothing of this request was kept."""

    code = "try-again"
    exit_status = EX_TEMPFAIL
    http_status = 503
    retryable = True
    default_hint = "try again in a moment"


class ShuttingDown(NdfdError):
    """The daemon is stopping and takes no new work."""

    code = "daemon-stopping"
    exit_status = EX_TEMPFAIL
    http_status = 503
    retryable = True
    default_hint = "try again when the daemon is back"


class NotPermitted(NdfdError):
    """The caller may not do this."""

    code = "not-permitted"
    exit_status = EX_NOPERM
    http_status = 403
    default_hint = "ask the administrator which users may call this method"


class NotAuthenticated(NdfdError):
    """The caller came over the network and did not show the daemon's token."""

    code = "not-authenticated"
    exit_status = EX_NOPERM
    http_status = 401
    default_hint = "send the header `Authorization: Bearer TOKEN` with the token of [security] token"


class ProtocolError(NdfdError):
    """A peer sent bytes that are not of the protocol."""

    code = "protocol"
    exit_status = EX_PROTOCOL
    http_status = 400
    default_hint = "check the client against the interface description"


class ConfigError(NdfdError):
    """The configuration cannot be used as it is."""

    code = "configuration"
    exit_status = EX_CONFIG
    # A conflict with the state of the resource: the files on the host are at fault, not the request.
    http_status = 409
    default_hint = "mend what the message names; `ndfd config check` names every mistake"


class NativeMissing(NdfdError):
    """A compiled module or the engine library that was asked for is not there."""

    code = "native-missing"
    exit_status = EX_UNAVAILABLE
    http_status = 503
    default_hint = "build the extensions with ./scripts/setup, or set NDFD_NATIVE=python to use the slow reference"


class NotSupported(NdfdError):
    """The operating system does not offer what was asked for."""

    code = "not-supported"
    exit_status = EX_UNAVAILABLE
    http_status = 501
    default_hint = "run the daemon on Linux, where all of ndfd works"


class SandboxIncomplete(NdfdError):
    """This host cannot confine workers as it must, and nobody allowed it to do without what is missing."""

    code = "sandbox-incomplete"
    exit_status = EX_UNAVAILABLE
    http_status = 503
    default_hint = "see `ndfd doctor`, which says what each missing measure needs"


class SocketError(NdfdError):
    """A socket of the daemon cannot be made where it was asked for."""

    code = "socket-unusable"
    exit_status = EX_UNAVAILABLE
    default_hint = "check that the directory exists, is writable and that no other daemon runs there"


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
