"""The parameters and replies of ndfd's Varlink methods, and the table of the methods.

The same things are said in the interface descriptions (`*.varlink`) beside this file, which the daemon hands out; a
test holds the two equal. A field with a default may be left out on the wire, and is nullable (`?`) in the description.
"""

from __future__ import annotations

import enum
import math
from importlib import resources
from typing import Annotated, NamedTuple

import msgspec

from ndfd.errors import NdfdError, error_from_code
from ndfd.model.configuration import Configuration, ReloadReport
from ndfd.model.conversion import ConversionReport, OutputFormat, PageReport
from ndfd.model.crash import Crashes
from ndfd.model.info import Info
from ndfd.model.job_states import JobState
from ndfd.model.jobs import BackupReport, Job, JobChange
from ndfd.model.status import DaemonStatus, RenewReport

#: JSON's integers have no end, and those past a float's range could not be made seconds.
Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class ReplyKind(enum.StrEnum):
    """How the rendered document comes back."""

    INLINE = "inline"
    DESCRIPTOR = "descriptor"


class Source(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The document to convert: exactly one of the two."""

    #: The bytes themselves; base64 on the wire.
    data: bytes | None = None
    #: Index of a descriptor that came with the message.
    fd: int | None = None

    def __repr__(self) -> str:
        size = None if self.data is None else len(self.data)
        return f"Source(data of {size} bytes, fd={self.fd!r})"


class Convert(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Documents.Convert."""

    document: Source
    format: OutputFormat | None = None
    name: str | None = None
    password: str | None = None
    #: Milliseconds until the conversion is given up.
    deadline_ms: Milliseconds | None = None
    reply: ReplyKind | None = None
    #: Name of the pool whose workers shall do it.
    pool: str | None = None

    def __repr__(self) -> str:
        asked = f"format={self.format!r}, name={self.name!r}, reply={self.reply!r}, pool={self.pool!r}"
        return f"Convert({self.document!r}, {asked})"


class ConvertReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reply of io.ndfd.Documents.Convert: with `page` while it runs, then `report` with one of the other two."""

    #: Of the configuration that serves the call; the same in all its replies.
    generation: int
    page: PageReport | None = None
    content: str | None = None
    #: Index of the descriptor that goes with the message.
    fd: int | None = None
    report: ConversionReport | None = None


class GetStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Service.GetStatus."""


class GetCrashes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Service.GetCrashes."""


class GetHardware(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Service.GetHardware."""


class GetConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Service.GetConfiguration."""


class Reload(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Service.Reload."""

    #: Only say what would change.
    dry_run: bool | None = None


class RenewWorkers(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Service.RenewWorkers."""

    #: Only those of this pool.
    pool: str | None = None


class Submit(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Jobs.Submit."""

    document: Source
    format: OutputFormat | None = None
    name: str | None = None
    password: str | None = None
    #: Milliseconds that each run may take.
    deadline_ms: Milliseconds | None = None
    pool: str | None = None
    priority: int | None = None
    #: Sending the same work with the same key again gives the same job.
    key: str | None = None
    labels: dict[str, str] | None = None

    def __repr__(self) -> str:
        asked = f"format={self.format!r}, name={self.name!r}, pool={self.pool!r}, priority={self.priority!r}"
        return f"Submit({self.document!r}, {asked}, key={self.key!r}, labels={self.labels!r})"


class SubmitReply(msgspec.Struct, frozen=True):
    """Reply of io.ndfd.Jobs.Submit."""

    generation: int
    job: Job
    #: It was there before.
    reused: bool


class GetJob(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Jobs.Get."""

    id: str
    history: bool | None = None


class GetJobReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """Reply of io.ndfd.Jobs.Get."""

    generation: int
    job: Job
    #: Oldest first; where it was asked for.
    history: tuple[JobChange, ...] | None = None


class ListJobs(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Jobs.List."""

    states: tuple[JobState, ...] | None = None
    labels: dict[str, str] | None = None
    uid: int | None = None
    cursor: str | None = None
    limit: int | None = None


class ListJobsReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """Reply of io.ndfd.Jobs.List."""

    generation: int
    #: Newest first.
    jobs: tuple[Job, ...]
    #: For the next ones; none when these are the last.
    cursor: str | None = None


class WatchJobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Jobs.Watch."""

    ids: tuple[str, ...]


class WatchJobsReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reply of io.ndfd.Jobs.Watch; the last one to a call with `more` is without a job."""

    generation: int
    job: Job | None = None


class GetJobResult(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Jobs.Result."""

    id: str
    reply: ReplyKind | None = None


class JobResultReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """Reply of io.ndfd.Jobs.Result: one of the last two."""

    generation: int
    job: Job
    content: str | None = None
    #: Index of the descriptor that goes with the message.
    fd: int | None = None


class OneJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Jobs.Cancel, Retry and Forget."""

    id: str


class JobReply(msgspec.Struct, frozen=True):
    """Reply of io.ndfd.Jobs.Cancel and Retry."""

    generation: int
    job: Job


class ForgetJobReply(msgspec.Struct, frozen=True):
    """Reply of io.ndfd.Jobs.Forget."""

    generation: int


class Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of io.ndfd.Jobs.Backup."""

    #: Index of a descriptor that came with the message.
    fd: int


class BackupReply(msgspec.Struct, frozen=True):
    """Reply of io.ndfd.Jobs.Backup."""

    generation: int
    report: BackupReport


class GetInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of org.varlink.service.GetInfo."""


class ServiceInfo(msgspec.Struct, frozen=True):
    """Reply of org.varlink.service.GetInfo."""

    vendor: str
    product: str
    version: str
    url: str
    interfaces: tuple[str, ...]


class GetInterfaceDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of org.varlink.service.GetInterfaceDescription."""

    interface: str


class InterfaceDescription(msgspec.Struct, frozen=True):
    """Reply of org.varlink.service.GetInterfaceDescription."""

    description: str


class Failed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Parameters of the error `Failed` that each io.ndfd interface has: an error of the tree of `ndfd.errors`."""

    code: str
    message: str
    hint: str
    retryable: bool
    page: int | None = None
    #: One line for each cause, where there are several.
    details: tuple[str, ...] = ()
    #: Of the configuration that served the call.
    generation: int | None = None
    #: Milliseconds after which trying again makes sense, where that is known.
    retry_after_ms: int | None = None

    @classmethod
    def of(cls, error: NdfdError, generation: int | None = None) -> Failed:
        """The error as it travels."""
        retry_after_ms = None if error.retry_after_s is None else math.ceil(error.retry_after_s * 1000)
        return cls(
            error.code,
            error.message,
            error.hint,
            error.retryable,
            error.page,
            error.details,
            generation,
            retry_after_ms,
        )

    def error(self) -> NdfdError:
        """The error that it was."""
        error = error_from_code(self.code, self.message, hint=self.hint, page=self.page, details=self.details)
        error.generation = self.generation
        error.retry_after_s = None if self.retry_after_ms is None else self.retry_after_ms / 1000
        return error


class MethodTypes(NamedTuple):
    """What a method takes and gives."""

    parameters: type[msgspec.Struct]
    reply: type[msgspec.Struct]


CONVERT = "io.ndfd.Documents.Convert"
GET_STATUS = "io.ndfd.Service.GetStatus"
GET_CRASHES = "io.ndfd.Service.GetCrashes"
GET_HARDWARE = "io.ndfd.Service.GetHardware"
GET_CONFIGURATION = "io.ndfd.Service.GetConfiguration"
RELOAD = "io.ndfd.Service.Reload"
RENEW_WORKERS = "io.ndfd.Service.RenewWorkers"
SUBMIT = "io.ndfd.Jobs.Submit"
GET_JOB = "io.ndfd.Jobs.Get"
LIST_JOBS = "io.ndfd.Jobs.List"
WATCH_JOBS = "io.ndfd.Jobs.Watch"
GET_JOB_RESULT = "io.ndfd.Jobs.Result"
CANCEL_JOB = "io.ndfd.Jobs.Cancel"
RETRY_JOB = "io.ndfd.Jobs.Retry"
FORGET_JOB = "io.ndfd.Jobs.Forget"
BACKUP = "io.ndfd.Jobs.Backup"
GET_INFO = "org.varlink.service.GetInfo"
GET_INTERFACE_DESCRIPTION = "org.varlink.service.GetInterfaceDescription"

METHODS = {
    CONVERT: MethodTypes(Convert, ConvertReply),
    GET_STATUS: MethodTypes(GetStatus, DaemonStatus),
    GET_CRASHES: MethodTypes(GetCrashes, Crashes),
    GET_HARDWARE: MethodTypes(GetHardware, Info),
    GET_CONFIGURATION: MethodTypes(GetConfiguration, Configuration),
    RELOAD: MethodTypes(Reload, ReloadReport),
    RENEW_WORKERS: MethodTypes(RenewWorkers, RenewReport),
    SUBMIT: MethodTypes(Submit, SubmitReply),
    GET_JOB: MethodTypes(GetJob, GetJobReply),
    LIST_JOBS: MethodTypes(ListJobs, ListJobsReply),
    WATCH_JOBS: MethodTypes(WatchJobs, WatchJobsReply),
    GET_JOB_RESULT: MethodTypes(GetJobResult, JobResultReply),
    CANCEL_JOB: MethodTypes(OneJob, JobReply),
    RETRY_JOB: MethodTypes(OneJob, JobReply),
    FORGET_JOB: MethodTypes(OneJob, ForgetJobReply),
    BACKUP: MethodTypes(Backup, BackupReply),
    GET_INFO: MethodTypes(GetInfo, ServiceInfo),
    GET_INTERFACE_DESCRIPTION: MethodTypes(GetInterfaceDescription, InterfaceDescription),
}

INTERFACES = ("io.ndfd.Documents", "io.ndfd.Jobs", "io.ndfd.Service", "org.varlink.service")


def interface_description(interface: str) -> str:
    """The text of one of `INTERFACES`; KeyError for any other."""
    if interface not in INTERFACES:
        raise KeyError(interface)
    return resources.files(__package__).joinpath(f"{interface}.varlink").read_text("utf-8")


def failed_name(method: str) -> str:
    """The full name of the error `Failed` for a method: that of its own interface, else io.ndfd.Service."""
    interface = method.rpartition(".")[0]
    return (
        f"{interface}.Failed"
        if interface.startswith("io.ndfd.") and interface in INTERFACES
        else "io.ndfd.Service.Failed"
    )
