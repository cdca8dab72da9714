"""The calls of io.ndfd.Jobs turned into calls of the methods, and what comes of them into replies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from ndfd.model.jobs import Job, JobOptions, JobQuery
from ndfd.platform import Peer
from ndfd.protocol import varlink, varlink_interfaces
from ndfd.protocol.varlink import CallRefusedError, decode_parameters
from ndfd.protocol.varlink_interfaces import (
    Backup,
    BackupReply,
    ForgetJobReply,
    GetJob,
    GetJobReply,
    GetJobResult,
    JobReply,
    JobResultReply,
    ListJobs,
    ListJobsReply,
    OneJob,
    ReplyKind,
    Submit,
    SubmitReply,
    WatchJobs,
    WatchJobsReply,
)
from ndfd.server.hangup import cancelled_on_hangup
from ndfd.server.job_methods import JobMethods
from ndfd.server.stream import closing_all
from ndfd.server.varlink_exchange import Exchange, convert_options, document_descriptor, send_result


def job_handlers() -> Mapping[str, Callable[[Exchange], Awaitable[None]]]:
    """By the full name of the method, what answers it."""
    return {
        varlink_interfaces.SUBMIT: _submit,
        varlink_interfaces.GET_JOB: _get,
        varlink_interfaces.LIST_JOBS: _list,
        varlink_interfaces.WATCH_JOBS: _watch,
        varlink_interfaces.GET_JOB_RESULT: _result,
        varlink_interfaces.CANCEL_JOB: _cancel,
        varlink_interfaces.RETRY_JOB: _retry,
        varlink_interfaces.FORGET_JOB: _forget,
        varlink_interfaces.BACKUP: _backup,
    }


async def _submit(exchange: Exchange) -> None:
    # Not given up when the caller hangs up: whether its job is there is then for the store to say, and asking the
    # kernel about it would be a third of what the door spends on a submission.
    asked = decode_parameters(exchange.take_parameters(), Submit)
    async with document_descriptor(exchange, asked.document) as document_fd:
        options = JobOptions(convert_options(asked), asked.priority or 0, asked.key, asked.labels or {})
        submission = await exchange.methods.jobs.submit(exchange.peer, document_fd, options)
    reply = SubmitReply(exchange.generation, submission.job, submission.reused)
    await exchange.send(exchange.answer.finish(reply))


async def _get(exchange: Exchange) -> None:
    asked = decode_parameters(exchange.take_parameters(), GetJob)
    jobs = exchange.methods.jobs
    job = await jobs.get(exchange.peer, asked.id)
    history = await jobs.history(exchange.peer, job.id) if asked.history else None
    await exchange.send(exchange.answer.finish(GetJobReply(exchange.generation, job, history)))


async def _list(exchange: Exchange) -> None:
    asked = decode_parameters(exchange.take_parameters(), ListJobs)
    query = JobQuery(states=asked.states or (), labels=asked.labels or {}, uid=asked.uid, cursor=asked.cursor)
    if asked.limit is not None:
        query = msgspec.structs.replace(query, limit=asked.limit)
    page = await exchange.methods.jobs.list(exchange.peer, query)
    await exchange.send(exchange.answer.finish(ListJobsReply(exchange.generation, page.jobs, page.cursor)))


async def _watch(exchange: Exchange) -> None:
    asked = decode_parameters(exchange.take_parameters(), WatchJobs)
    answer, generation = exchange.answer, exchange.generation
    if not answer.may_continue and len(asked.ids) > 1:
        raise CallRefusedError(varlink.expected_more())
    async with (
        cancelled_on_hangup(exchange.stream.sock),
        exchange.methods.jobs.watched(exchange.peer, asked.ids) as changes,
    ):
        async for job in changes:
            if not answer.may_continue:
                await exchange.send(answer.finish(WatchJobsReply(generation, job)))
                return
            await exchange.send(answer.proceed(WatchJobsReply(generation, job)))
    await exchange.send(answer.finish(WatchJobsReply(generation)))


async def _result(exchange: Exchange) -> None:
    asked = decode_parameters(exchange.take_parameters(), GetJobResult)
    finished = await exchange.methods.jobs.result(exchange.peer, asked.id)

    def reply(content: str | None, fd: int | None) -> JobResultReply:
        return JobResultReply(exchange.generation, finished.job, content, fd)

    with closing_all((finished.fd,)):
        await send_result(exchange, finished.fd, asked.reply or ReplyKind.INLINE, reply)


async def _cancel(exchange: Exchange) -> None:
    await _change(exchange, JobMethods.cancel)


async def _retry(exchange: Exchange) -> None:
    await _change(exchange, JobMethods.retry)


async def _change(exchange: Exchange, change: Callable[[JobMethods, Peer, str], Awaitable[Job]]) -> None:
    asked = decode_parameters(exchange.take_parameters(), OneJob)
    job = await change(exchange.methods.jobs, exchange.peer, asked.id)
    await exchange.send(exchange.answer.finish(JobReply(exchange.generation, job)))


async def _forget(exchange: Exchange) -> None:
    asked = decode_parameters(exchange.take_parameters(), OneJob)
    await exchange.methods.jobs.forget(exchange.peer, asked.id)
    await exchange.send(exchange.answer.finish(ForgetJobReply(exchange.generation)))


async def _backup(exchange: Exchange) -> None:
    asked = decode_parameters(exchange.take_parameters(), Backup)
    fd = exchange.received(asked.fd)
    async with cancelled_on_hangup(exchange.stream.sock):
        report = await exchange.methods.jobs.backup(exchange.peer, fd)
    await exchange.send(exchange.answer.finish(BackupReply(exchange.generation, report)))
