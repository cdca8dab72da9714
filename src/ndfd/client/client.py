"""The blocking client."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from ndfd.client.connection import Connection, close_all
from ndfd.client.conversion import Conversion
from ndfd.client.documents import Document, document_descriptor, document_name
from ndfd.client.replies import closing_left, decoded, take_descriptor
from ndfd.errors import ProtocolError
from ndfd.model.configuration import Configuration, ReloadReport
from ndfd.model.conversion import ConvertOptions, PageReport
from ndfd.model.crash import Crashes, CrashReport
from ndfd.model.info import Info
from ndfd.model.jobs import BackupReport, Job, JobChange, JobOptions, JobPage, JobQuery, Submission
from ndfd.model.status import DaemonStatus, RenewReport
from ndfd.protocol import varlink_interfaces
from ndfd.protocol.varlink import Call, Reply, encode_parameters
from ndfd.protocol.varlink_interfaces import (
    Convert,
    ConvertReply,
    ReplyKind,
    ServiceInfo,
    Source,
)

T = TypeVar("T")

#: A daemon that works answers within milliseconds; one that is being started answers when it is ready.
ANSWER_TIMEOUT_S = 10.0
#: Looking at the machine may wait for a vendor's library that does not answer.
HARDWARE_TIMEOUT_S = 30.0
#: A reload may start new workers first.
RELOAD_TIMEOUT_S = 120.0
#: What is asked of a job may wait for the disk, which writes the documents that came before.
STORE_TIMEOUT_S = 60.0


class Client:
    """A connection to a daemon, for one thread at a time: give each thread its own.

    The one exception is `close`, which any thread may call: it cancels the call in progress, here (which ends in
    `Unavailable`) and in the daemon. After an error of the transport the client is closed; after an error that the
    daemon reported it can be used further.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def connect(cls, path: Path, timeout_s: float | None = ANSWER_TIMEOUT_S) -> Self:
        """Connects to the Varlink socket at `path`.

        `Unavailable` names the socket when nobody answers there, `NotPermitted` when this user may not try.
        """
        return cls(Connection(path, timeout_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, by this program or by a failure of the transport."""
        return self._connection.closed

    def close(self) -> None:
        """Closes the connection; what it waited for is cancelled."""
        self._connection.close()

    def status(self, timeout_s: float | None = ANSWER_TIMEOUT_S) -> DaemonStatus:
        """What the daemon says of itself."""
        return self._ask(
            varlink_interfaces.GET_STATUS,
            varlink_interfaces.GetStatus(),
            DaemonStatus,
            timeout_s,
        )

    def crashes(self, timeout_s: float | None = ANSWER_TIMEOUT_S) -> tuple[CrashReport, ...]:
        """The last conversions that ended their workers, newest last: the caller's own, for administrators all."""
        return self._ask(varlink_interfaces.GET_CRASHES, varlink_interfaces.GetCrashes(), Crashes, timeout_s).crashes

    def hardware(self, timeout_s: float | None = HARDWARE_TIMEOUT_S) -> Info:
        """The machine as the daemon sees it, with the daemon's version, engine and what it can do."""
        return self._ask(varlink_interfaces.GET_HARDWARE, varlink_interfaces.GetHardware(), Info, timeout_s)

    def configuration(self, timeout_s: float | None = ANSWER_TIMEOUT_S) -> Configuration:
        """Every value of the configuration that the daemon runs, and where it comes from; for administrators."""
        return self._ask(
            varlink_interfaces.GET_CONFIGURATION, varlink_interfaces.GetConfiguration(), Configuration, timeout_s
        )

    def reload(self, *, dry_run: bool = False, timeout_s: float | None = RELOAD_TIMEOUT_S) -> ReloadReport:
        """Has the daemon use the configuration as it is written now, or with `dry_run` say what would change.

        `ConfigError`, with a line for each mistake, when it cannot be used: the old one serves on. For administrators.
        """
        return self._ask(varlink_interfaces.RELOAD, varlink_interfaces.Reload(dry_run), ReloadReport, timeout_s)

    def renew(self, pool: str | None = None, timeout_s: float | None = None) -> int:
        """Has every worker, or those of one pool, replaced by a fresh one; how many were. For administrators.

        Without a limit of its own, since it waits for the conversions that run.
        """
        asked = varlink_interfaces.RenewWorkers(pool)
        return self._ask(varlink_interfaces.RENEW_WORKERS, asked, RenewReport, timeout_s).renewed

    def info(self, timeout_s: float | None = ANSWER_TIMEOUT_S) -> ServiceInfo:
        """Product, version and interfaces of what answers at the socket."""
        return self._ask(
            varlink_interfaces.GET_INFO,
            varlink_interfaces.GetInfo(),
            ServiceInfo,
            timeout_s,
        )

    def convert(
        self,
        document: Document,
        options: ConvertOptions | None = None,
        on_page: Callable[[PageReport], None] | None = None,
        timeout_s: float | None = None,
    ) -> Conversion:
        """Converts one document; raises what the daemon says as the error that it is (`ndfd.errors`).

        The daemon gets a descriptor, so it reads a file that its own user could not open. `on_page` is called in this
        thread as pages are finished, those of a long document not quite in order. `timeout_s` is the longest silence of
        the daemon, None for no limit of the client's own: the daemon ends each conversion at its deadline.
        """
        options = options or ConvertOptions()
        parameters = Convert(
            document=Source(fd=0),
            format=options.format,
            name=options.name or document_name(document),
            password=options.password,
            deadline_ms=_milliseconds(options.deadline_s),
            reply=ReplyKind.DESCRIPTOR,
            pool=options.pool,
        )
        call = Call(
            varlink_interfaces.CONVERT,
            encode_parameters(parameters),
            more=on_page is not None,
        )
        with (
            document_descriptor(document) as fd,
            contextlib.closing(self._connection.call(call, (fd,), timeout_s)) as replies,
        ):
            for reply, descriptors in replies:
                result = self._take(reply, descriptors, on_page)
                if result is not None:
                    return result
        raise ProtocolError("the daemon's last reply holds no result")

    def submit(
        self, document: Document, options: JobOptions | None = None, timeout_s: float | None = None
    ) -> Submission:
        """Hands one document over as a job; at the return, document and job are on the daemon's disk.

        The same work, or the same `key` with the same work, gives the job that there is. `QuotaExceeded` and
        `StorageFull` say when to try again (`retry_after_s`); `KeyReused` when the key belongs to other work.
        """
        options = options or JobOptions()
        convert = options.convert
        parameters = varlink_interfaces.Submit(
            document=Source(fd=0),
            format=convert.format,
            name=convert.name or document_name(document),
            password=convert.password,
            deadline_ms=_milliseconds(convert.deadline_s),
            pool=convert.pool,
            priority=options.priority or None,
            key=options.key,
            labels=dict(options.labels) or None,
        )
        with document_descriptor(document) as fd:
            reply = self._ask(varlink_interfaces.SUBMIT, parameters, varlink_interfaces.SubmitReply, timeout_s, (fd,))
        return Submission(reply.job, reply.reused)

    def job(self, job_id: str, timeout_s: float | None = STORE_TIMEOUT_S) -> Job:
        """One job. `JobUnknown` when there is none of this id, or it is another user's."""
        asked = varlink_interfaces.GetJob(job_id)
        return self._ask(varlink_interfaces.GET_JOB, asked, varlink_interfaces.GetJobReply, timeout_s).job

    def job_history(self, job_id: str, timeout_s: float | None = STORE_TIMEOUT_S) -> tuple[JobChange, ...]:
        """What has happened to a job, oldest first."""
        asked = varlink_interfaces.GetJob(job_id, history=True)
        reply = self._ask(varlink_interfaces.GET_JOB, asked, varlink_interfaces.GetJobReply, timeout_s)
        return reply.history or ()

    def jobs(self, query: JobQuery | None = None, timeout_s: float | None = STORE_TIMEOUT_S) -> JobPage:
        """Jobs that fit the query, newest first: the caller's own, for administrators everybody's."""
        query = query or JobQuery()
        asked = varlink_interfaces.ListJobs(
            states=query.states or None,
            labels=dict(query.labels) or None,
            uid=query.uid,
            cursor=query.cursor,
            limit=query.limit,
        )
        reply = self._ask(varlink_interfaces.LIST_JOBS, asked, varlink_interfaces.ListJobsReply, timeout_s)
        return JobPage(reply.jobs, reply.cursor)

    def watch(self, job_ids: Sequence[str], on_change: Callable[[Job], None], timeout_s: float | None = None) -> None:
        """Returns when all these jobs have ended.

        `on_change` is called in this thread with each of them as it is now, and then for each change and each page.
        `timeout_s` is the longest silence of the daemon, None for no limit: a job may wait as long as it must.
        """
        call = Call(
            varlink_interfaces.WATCH_JOBS,
            encode_parameters(varlink_interfaces.WatchJobs(tuple(job_ids))),
            more=True,
        )
        with contextlib.closing(self._connection.call(call, (), timeout_s)) as replies:
            for reply, descriptors in replies:
                close_all(descriptors)
                if (job := self._decode(reply, varlink_interfaces.WatchJobsReply).job) is not None:
                    on_change(job)

    def result(self, job_id: str, timeout_s: float | None = None) -> Conversion:
        """What a job that has succeeded gave.

        `JobNotFinished` when it has not ended, else the error that it ended in, `JobCancelled` among them.
        """
        asked = varlink_interfaces.GetJobResult(job_id, ReplyKind.DESCRIPTOR)
        call = Call(varlink_interfaces.GET_JOB_RESULT, encode_parameters(asked))
        ((reply, descriptors),) = self._connection.call(call, (), timeout_s)
        with closing_left(descriptors) as left:
            answer = self._decode(reply, varlink_interfaces.JobResultReply)
            if answer.job.report is None:
                raise ProtocolError("the daemon's reply holds no report")
            return Conversion(answer.job.report, take_descriptor(left, answer.fd), answer.generation)

    def cancel(self, job_id: str, timeout_s: float | None = STORE_TIMEOUT_S) -> Job:
        """Ends a job that waits or runs; `JobStateConflict` when it has ended otherwise."""
        return self._change(varlink_interfaces.CANCEL_JOB, job_id, timeout_s)

    def retry(self, job_id: str, timeout_s: float | None = STORE_TIMEOUT_S) -> Job:
        """Has a job that failed, was quarantined or cancelled run anew; `JobStateConflict` for any other."""
        return self._change(varlink_interfaces.RETRY_JOB, job_id, timeout_s)

    def forget(self, job_id: str, timeout_s: float | None = STORE_TIMEOUT_S) -> None:
        """Erases a job that has ended, with its document and its result; `JobStateConflict` before its end."""
        asked = varlink_interfaces.OneJob(job_id)
        self._ask(varlink_interfaces.FORGET_JOB, asked, varlink_interfaces.ForgetJobReply, timeout_s)

    def backup(self, fd: int, timeout_s: float | None = None) -> BackupReport:
        """Has all jobs, documents and results written to a file or a pipe open for writing; for administrators."""
        asked = varlink_interfaces.Backup(0)
        return self._ask(varlink_interfaces.BACKUP, asked, varlink_interfaces.BackupReply, timeout_s, (fd,)).report

    def _take(
        self,
        reply: Reply,
        descriptors: tuple[int, ...],
        on_page: Callable[[PageReport], None] | None,
    ) -> Conversion | None:
        with closing_left(descriptors) as left:
            answer = self._decode(reply, ConvertReply)
            if answer.report is not None:
                return Conversion(answer.report, take_descriptor(left, answer.fd), answer.generation)
            if answer.page is not None and on_page is not None:
                on_page(answer.page)
            return None

    def _change(self, method: str, job_id: str, timeout_s: float | None) -> Job:
        asked = varlink_interfaces.OneJob(job_id)
        return self._ask(method, asked, varlink_interfaces.JobReply, timeout_s).job

    def _ask(
        self,
        method: str,
        parameters: msgspec.Struct,
        into: type[T],
        timeout_s: float | None,
        descriptors: tuple[int, ...] = (),
    ) -> T:
        call = Call(method, encode_parameters(parameters))
        answers = list(self._connection.call(call, descriptors, timeout_s))
        for _, received in answers:
            close_all(received)
        return self._decode(answers[-1][0], into)

    def _decode(self, reply: Reply, into: type[T]) -> T:
        return decoded(reply, into, self._connection.path)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1000))
