"""The whole store against a model of it: whatever is asked of it in whatever order, however often it is opened anew."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from ndfd.errors import JobStateConflict, KeyReused
from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import Job, JobFault, JobQuery, Submission
from ndfd.store import Ending, Keep, Store, under_way
from ndfd.store.recovery import INTERRUPTIONS_MAX, tally
from tests.store.opened import ALICE, BOB, REPORT, files, memory, new_job

RETRYABLE = JobFault("worker-crashed", "it crashed", "try again", retryable=True)
PERMANENT = JobFault("document-damaged", "cut off", "fetch it again", retryable=False)
LIVE = {JobState.QUEUED, JobState.RUNNING}


@dataclass
class Expected:
    """A job as the model has it."""

    uid: int
    data: bytes
    state: JobState = JobState.QUEUED
    answers: bool = True
    attempts: int = 0
    interruptions: int = 0
    #: Whether a worker has had its document in this run.
    had_worker: bool = False
    result: bytes | None = None
    keys: set[str] = field(default_factory=set)


class StoreMachine(RuleBasedStateMachine):
    """Each rule does the same to the store and to the model."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ndfd-store-"))
        self.runner = asyncio.Runner()
        self.expected: dict[str, Expected] = {}
        #: Of each job, as each of its runs was leased.
        self.leases: defaultdict[str, list[Job]] = defaultdict(list)
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.folder, keep_free_bytes=0)
        self.runner.run(self.store.start())

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    async def submitted(self, uid: int, data: bytes, key: str | None) -> Submission:
        with memory(data) as fd:
            return await self.store.submit(new_job(uid, key=key), fd)

    @rule(
        target=jobs,
        uid=strategies.sampled_from([ALICE, BOB]),
        data=strategies.sampled_from([b"a", b"b", b"c", b"result"]),
        key=strategies.sampled_from([None, None, "k", "l"]),
    )
    def submit(self, uid: int, data: bytes, key: str | None) -> str:
        of_key = [i for i, job in self.expected.items() if job.uid == uid and key in job.keys]
        of_work = [i for i, job in self.expected.items() if (job.uid, job.data) == (uid, data) and job.answers]
        try:
            submission = self.runner.run(self.submitted(uid, data, key))
        except KeyReused:
            assert of_key
            assert self.expected[of_key[0]].data != data
            return of_key[0]
        known = of_key or of_work
        assert submission.reused == bool(known)
        if known:
            assert submission.job.id == known[0]
            assert self.expected[known[0]].data == data
        else:
            self.expected[submission.job.id] = Expected(uid, data)
        if key is not None:
            self.expected[submission.job.id].keys.add(key)
        return submission.job.id

    @rule(job=jobs)
    def lease(self, job: str) -> None:
        leased = self.runner.run(self.store.lease([job]))
        for one in leased:
            assert os.pread(one.document_fd, 100, 0) == self.expected[job].data
            os.close(one.document_fd)
        it = self.expected.get(job)
        assert bool(leased) == (it is not None and it.state is JobState.QUEUED)
        if it is not None and leased:
            it.state = JobState.RUNNING
            it.attempts += 1
            it.had_worker = False
            assert leased[0].job.attempts == it.attempts
            self.leases[job].append(leased[0].job)

    @rule(job=jobs, done=strategies.booleans())
    def work(self, job: str, done: bool) -> None:
        it = self.expected.get(job)
        if it is None or it.state is not JobState.RUNNING:
            return
        leased = self.leases[job][-1]
        (self.store.under_way.remove if done else self.store.under_way.add)(leased)
        it.had_worker = not done

    @rule(job=jobs, data=strategies.sampled_from([b"result", b"a"]), which=strategies.integers(0, 3))
    def succeed(self, job: str, data: bytes, which: int) -> None:
        """Of any run that the job ever had, the last one first."""
        if which >= len(self.leases[job]):
            return
        it = self.expected.get(job)
        leased = self.leases[job][-1 - which]

        async def ended() -> bool:
            with memory(data) as fd:
                return await self.store.succeed(leased, fd, REPORT)

        fits = it is not None and it.state is JobState.RUNNING and which == 0
        assert self.runner.run(ended()) == fits
        if it is not None and fits:
            it.state, it.result = JobState.SUCCEEDED, data

    @rule(
        job=jobs,
        event=strategies.sampled_from([JobEvent.FAILED, JobEvent.QUARANTINED, JobEvent.POSTPONED]),
        fault=strategies.sampled_from([RETRYABLE, PERMANENT]),
        counts=strategies.booleans(),
        which=strategies.integers(0, 3),
    )
    def end(self, job: str, event: JobEvent, fault: JobFault, counts: bool, which: int) -> None:
        if which >= len(self.leases[job]):
            return
        it = self.expected.get(job)
        leased = self.leases[job][-1 - which]
        fits = it is not None and it.state is JobState.RUNNING and which == 0
        assert self.runner.run(self.store.end(leased, Ending(event, fault, None, counts))) == fits
        if it is None or not fits:
            return
        it.attempts -= not counts
        if event is JobEvent.POSTPONED:
            it.state = JobState.QUEUED
            it.answers = not self._others_answer(job, it)
        else:
            it.state = JobState(event.value)
            it.answers = it.answers and not fault.retryable

    def _others_answer(self, job: str, it: Expected) -> bool:
        return any(
            other.answers and (other.uid, other.data) == (it.uid, it.data)
            for job_id, other in self.expected.items()
            if job_id != job
        )

    @rule(job=jobs)
    def cancel(self, job: str) -> None:
        it = self.expected.get(job)
        if it is None:
            return
        try:
            self.runner.run(self.store.cancel(job, it.uid))
        except JobStateConflict:
            assert it.state not in LIVE | {JobState.CANCELLED}
            return
        assert it.state in LIVE | {JobState.CANCELLED}
        it.state, it.answers = JobState.CANCELLED, False

    @rule(job=jobs)
    def retry(self, job: str) -> None:
        it = self.expected.get(job)
        if it is None:
            return
        can = it.state in {JobState.FAILED, JobState.QUARANTINED, JobState.CANCELLED}
        try:
            self.runner.run(self.store.retry(job, None))
        except JobStateConflict:
            assert not can
            return
        assert can
        it.state, it.attempts, it.interruptions = JobState.QUEUED, 0, 0
        it.answers = not self._others_answer(job, it)

    @rule(job=consumes(jobs))
    def forget(self, job: str) -> None:
        it = self.expected.get(job)
        if it is None:
            return
        try:
            self.runner.run(self.store.forget(job, None))
        except JobStateConflict:
            assert it.state in LIVE
            return
        assert it.state not in LIVE
        del self.expected[job]

    @rule(count=strategies.integers(0, 3))
    def expire(self, count: int) -> None:
        finished = [job_id for job_id, job in self.expected.items() if job.state not in LIVE]
        expired = self.runner.run(self.store.expire(Keep(count=count)))
        assert expired == max(0, len(finished) - count)
        left = {job.id for job in self.runner.run(self.store.list(JobQuery(limit=1000), None)).jobs}
        for job_id in finished:
            if job_id not in left:
                del self.expected[job_id]

    @rule(kill=strategies.booleans())
    def open_anew(self, kill: bool) -> None:
        record = self.folder / under_way.FILE
        left = record.read_bytes()
        self.runner.run(self.store.close())
        if kill:
            record.write_bytes(left)
        self.open()
        for job_id, job in self.expected.items():
            if job.state is not JobState.RUNNING:
                continue
            if kill and job.had_worker:
                job.interruptions += 1
            else:
                job.attempts -= 1
            if job.interruptions < INTERRUPTIONS_MAX:
                job.state = JobState.QUEUED
                job.answers = not self._others_answer(job_id, job)
            else:
                job.state = JobState.QUARANTINED

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        page = self.runner.run(self.store.list(JobQuery(limit=1000), None))
        assert {job.id: (job.state, job.uid, job.attempts, job.interruptions) for job in page.jobs} == {
            job_id: (job.state, job.uid, job.attempts, job.interruptions) for job_id, job in self.expected.items()
        }

    @invariant()
    def counts_are_what_the_database_says(self) -> None:
        connection = self.store.reader()
        counted = tally(connection)
        refs = dict(connection.execute("SELECT hash, refs FROM blobs").fetchall())
        named = Counter(
            row[0]
            for row in connection.execute(
                "SELECT document FROM jobs UNION ALL SELECT result FROM jobs WHERE result IS NOT NULL"
            )
        )
        connection.close()
        assert self.store._commits.tally == counted
        assert refs == named
        assert {path.parent.name + path.name for path in files(self.store)} == {digest.hex() for digest in refs}
        for uid in (ALICE, BOB):
            mine = [job for job in self.expected.values() if job.uid == uid and job.state in LIVE]
            load = self.store.load(uid)
            assert (load.jobs_of_user, load.bytes_of_user) == (len(mine), sum(len(job.data) for job in mine))

    @invariant()
    def results_are_what_was_given(self) -> None:
        for job_id, job in self.expected.items():
            if job.state is JobState.SUCCEEDED:
                _job, fd = self.runner.run(self.store.result(job_id, job.uid))
                assert os.pread(fd, 100, 0) == job.result
                os.close(fd)


# As many as some seconds allow; raise them for a wider search.
StoreMachine.TestCase.settings = settings(
    max_examples=10, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestStoreAgainstModel = StoreMachine.TestCase
