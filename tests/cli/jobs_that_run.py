"""Jobs in memory that run by themselves, and do as the document's name says."""

from __future__ import annotations

import asyncio
import os

from ndfd.errors import NdfdError, QuotaExceeded, error_from_code
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobOptions, Submission
from tests.server.jobs_in_memory import JobsInMemory


class JobsThatRun(JobsInMemory):
    """`pages:N` has N pages; `hang` runs until it is cancelled; `wait` stays in the queue; `fail:CODE` fails with that
    error; `refuse:CODE` is not taken."""

    def __init__(self) -> None:
        super().__init__()
        #: Errors of the next submissions, one each.
        self.refusals: list[NdfdError] = []
        #: Jobs that may be live at a time.
        self.places: int | None = None
        self._counting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, document_fd: int, options: JobOptions, *, uid: int) -> Submission:
        what, _, argument = (options.convert.name or "").partition(":")
        if what == "refuse":
            raise error_from_code(argument, f"it is {argument}")
        if self.refusals:
            raise self.refusals.pop(0)
        document = os.pread(document_fd, os.fstat(document_fd).st_size, 0)
        # What is counted here is kept there before the next one is counted.
        async with self._counting:
            live = sum(not job.state.is_final for job in self._jobs.values())
            if self.places is not None and live >= self.places:
                error = QuotaExceeded(f"{live} jobs wait or run")
                error.retry_after_s = 0.02
                raise error
            submission = await super().submit(document_fd, options, uid=uid)
        if not submission.reused:
            task = asyncio.get_running_loop().create_task(self._run(submission.job, document))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return submission

    async def _run(self, job: Job, document: bytes) -> None:
        what, _, argument = (job.name or "").partition(":")
        if what == "wait":
            return
        await asyncio.sleep(0)
        if what == "fail":
            await self.fail(job.id, error_from_code(argument, f"it is {argument}", page=3))
            return
        await self.start(job.id)
        if what == "hang":
            return
        for page in range(1, (int(argument) if what == "pages" else 0) + 1):
            await self.page(job.id, page, int(argument))
            await asyncio.sleep(0)
        if self._jobs[job.id].state is JobState.RUNNING:
            await self.succeed(job.id, f"# {job.format} of {len(document)} bytes: ".encode() + document[:64])
