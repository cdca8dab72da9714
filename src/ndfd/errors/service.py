"""What goes wrong around a document: files, workers, the daemon, its host, its callers."""

from __future__ import annotations

from ndfd.errors.base import (
    EX_CANTCREAT,
    EX_CONFIG,
    EX_IOERR,
    EX_NOINPUT,
    EX_NOPERM,
    EX_OSERR,
    EX_PROTOCOL,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    NdfdError,
    UsageError,
)


class PoolUnknown(UsageError):
    """No pool of workers has the name that was asked for."""

    code = "pool-unknown"
    http_status = 404
    default_hint = "name one of those that there are, or none for the default one; `ndfd status` lists them"


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


class TuningError(NdfdError):
    """The journal of tuned values cannot be read or written; without it nothing of the system is changed."""

    code = "tuning-journal"
    exit_status = EX_IOERR
    default_hint = "check the file, its folder and the free space, or name another with [tuning] journal"


class ServiceError(NdfdError):
    """The system's service manager refused, or a command on the way to it failed."""

    code = "service-manager"
    exit_status = EX_OSERR
    default_hint = "see `ndfd service status`, and what the command said"


class ServiceFailed(ServiceError):
    """The service does not run: its process ended, or did not become ready."""

    code = "service-failed"
    exit_status = EX_UNAVAILABLE
    default_hint = "see `ndfd service logs`, mend what it names, then `ndfd service start`"


class ServiceFileChanged(ServiceError):
    """A file of the service is not as ndfd wrote it, or is somebody else's: it was left alone."""

    code = "service-file-changed"
    exit_status = EX_CANTCREAT
    default_hint = "put your changes into a drop-in (`systemctl edit ndfd`), or replace the file with --force"
