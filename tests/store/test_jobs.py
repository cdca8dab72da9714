"""Jobs on their way through the store, and what their owners may do with them."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from ndfd.errors import JobCancelled, JobNotFinished, JobStateConflict, JobUnknown, KeyReused, WorkerCrashed
from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import Job, JobFault, JobPage, JobQuery
from ndfd.platform import is_sealed
from ndfd.store import Ending, Keep, reading
from tests.store.opened import ALICE, BOB, REPORT, files, lease, memory, opened, result, run, submit, succeed

RETRYABLE = JobFault.of(WorkerCrashed("it crashed"))
PERMANENT = JobFault("document-damaged", "cut off", "fetch it again", retryable=False, page=3)


def test_a_job_runs_once_and_gives_what_its_run_gave(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store, b"some bytes", name="a.pdf", password="secret")).job
            assert (job.state, job.uid, job.size_bytes, job.version) == (JobState.QUEUED, ALICE, 10, 1)
            (leased,) = await store.lease([job.id])
            assert not await store.end(job, Ending(JobEvent.FAILED, PERMANENT))
            assert os.pread(leased.document_fd, 100, 0) == b"some bytes"
            os.close(leased.document_fd)
            assert (leased.convert.password, leased.convert.name) == ("secret", "a.pdf")
            assert await store.lease([job.id]) == ()
            with memory(b"text") as fd:
                assert await store.succeed(leased.job, fd, REPORT)
                assert not await store.succeed(leased.job, fd, REPORT)
            assert await result(store, job) == b"text"
            now = await store.get(job.id, ALICE)
            assert (now.state, now.report, now.attempts) == (JobState.SUCCEEDED, REPORT, 1)
            history = await store.history(job.id, ALICE)
            assert [change.event for change in history] == ["accepted", "started", "succeeded"]
            assert [change.state for change in history] == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]

    run(body())


def test_a_result_is_sealed_memory_and_no_file_of_the_spool(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
            await succeed(store, job)
            _job, fd = await store.result(job.id, ALICE)
            assert is_sealed(fd)
            os.close(fd)

    run(body())


def test_the_same_work_is_done_once_and_other_work_is_other_work(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            first = await submit(store)
            again = await submit(store)
            assert (first.reused, again.reused, again.job.id) == (False, True, first.job.id)
            others = [
                await submit(store, b"other"),
                await submit(store, engine="2"),
                await submit(store, format="json"),
                await submit(store, name="n"),
                await submit(store, password="p"),
                await submit(store, pool="p"),
                await submit(store, uid=BOB),
            ]
            assert not any(other.reused for other in others)
            await succeed(store, first.job)
            finished = await submit(store)
            assert (finished.reused, finished.job.state) == (True, JobState.SUCCEEDED)
            assert len(files(store)) == 3  # Two documents and a result, each once.

    run(body())


def test_a_key_stands_for_its_work_and_for_nothing_else(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            first = await submit(store, key="k")
            assert (await submit(store, key="k")).job.id == first.job.id
            with pytest.raises(KeyReused, match="'k'"):
                await submit(store, b"other", key="k")
            assert len(files(store)) == 1
            assert not (await submit(store, b"other", uid=BOB, key="k")).reused
            # A second key for the same work is that job's as well.
            assert (await submit(store, key="l")).job.id == first.job.id
            with pytest.raises(KeyReused):
                await submit(store, b"other", key="l")
            await store.cancel(first.job.id, ALICE)
            assert (await submit(store, key="k")).job.state is JobState.CANCELLED

    run(body())


def test_one_key_that_was_used_fails_alone_among_those_that_come_together(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            await submit(store, b"first", key="k")
            calls = [submit(store, b"%d" % n, key="k" if n == 5 else None) for n in range(40)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert [n for n, answer in enumerate(answers) if isinstance(answer, BaseException)] == [5]
            assert isinstance(answers[5], KeyReused)
            assert store.load(ALICE).jobs == 40

    run(body())


def test_work_that_may_end_otherwise_is_run_again_when_it_is_sent_again(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            for fault, reused in ((RETRYABLE, False), (PERMANENT, True)):
                job = (await submit(store, fault.code.encode())).job
                (leased,) = await lease(store, job.id)
                assert await store.end(leased.job, Ending(JobEvent.FAILED, fault))
                assert (await submit(store, fault.code.encode())).reused is reused
            cancelled = (await submit(store, b"cancelled")).job
            await store.cancel(cancelled.id, ALICE)
            assert not (await submit(store, b"cancelled")).reused
            # It may run again beside the new one.
            assert (await store.retry(cancelled.id, ALICE)).state is JobState.QUEUED

    run(body())


def test_a_postponed_run_waits_and_one_that_never_ran_does_not_count(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
            (leased,) = await lease(store, job.id)
            due = store.now() + 1000
            assert await store.end(leased.job, Ending(JobEvent.POSTPONED, RETRYABLE, due))
            assert await store.ready(store.now(), 5) == ()
            assert await store.next_due() == due
            assert await store.lease([job.id]) == ()
            assert [ready.id for ready in await store.ready(due, 5)] == [job.id]
            other = (await submit(store, b"other")).job
            (leased,) = await lease(store, other.id)
            assert await store.end(leased.job, Ending(JobEvent.POSTPONED, counts=False))
            assert (await store.get(other.id, ALICE)).attempts == 0
            assert not await store.end(leased.job, Ending(JobEvent.FAILED, RETRYABLE))

    run(body())


def test_an_old_run_ends_no_later_one_though_it_was_the_same_attempt(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
            (cancelled,) = await lease(store, job.id)
            await store.cancel(job.id, ALICE)
            await store.retry(job.id, ALICE)
            (postponed,) = await lease(store, job.id)
            await store.end(postponed.job, Ending(JobEvent.POSTPONED, counts=False))
            (leased,) = await lease(store, job.id)
            assert {run.job.attempts for run in (cancelled, postponed, leased)} == {1}
            for old in (cancelled.job, postponed.job):
                assert not await store.end(old, Ending(JobEvent.FAILED, PERMANENT))
                with memory(b"of a run that is over") as fd:
                    assert not await store.succeed(old, fd, REPORT)
            with memory(b"of the run") as fd:
                assert await store.succeed(leased.job, fd, REPORT)
            assert await result(store, job) == b"of the run"
            assert len(files(store)) == 2

    run(body())


def test_a_list_that_takes_long_holds_up_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    def page(*_: object) -> JobPage:
        assert goes_on.wait(60)
        return JobPage(())

    monkeypatch.setattr(reading, "page", page)

    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
            listing = asyncio.create_task(store.list(JobQuery(), None))
            await asyncio.sleep(0)
            assert [ready.id for ready in await store.ready(store.now(), 5)] == [job.id]
            goes_on.set()
            await listing

    run(body())


def test_of_each_user_the_first_by_rank_are_ready(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            jobs = [
                (await submit(store, b"%d" % n, uid=ALICE if n % 3 else BOB, priority=n % 2)).job for n in range(12)
            ]
            ready = await store.ready(store.now(), 3)
            for uid in (ALICE, BOB):
                mine = sorted((job for job in jobs if job.uid == uid), key=lambda job: (-job.priority, job.accepted_at))
                assert [found.id for found in ready if found.uid == uid] == [job.id for job in mine[:3]]
            assert [found.rank for found in ready] == sorted(found.rank for found in ready)

    run(body())


def test_cancelling_twice_is_cancelling_once_and_ends_the_run(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
            (leased,) = await lease(store, job.id)
            cancelled = await store.cancel(job.id, ALICE)
            assert cancelled.state is JobState.CANCELLED
            assert await store.cancel(job.id, ALICE) == cancelled
            with memory(b"late") as fd:
                assert not await store.succeed(leased.job, fd, REPORT)
            assert len(files(store)) == 1
            with pytest.raises(JobCancelled):
                await store.result(job.id, ALICE)

    run(body())


def test_what_a_state_does_not_allow_is_refused(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
            with pytest.raises(JobNotFinished):
                await store.result(job.id, ALICE)
            with pytest.raises(JobStateConflict):
                await store.retry(job.id, ALICE)
            with pytest.raises(JobStateConflict, match="only a finished one"):
                await store.forget(job.id, ALICE)
            await succeed(store, job)
            for refused in (store.cancel, store.retry):
                with pytest.raises(JobStateConflict):
                    await refused(job.id, ALICE)

    run(body())


def test_a_failed_job_says_why_and_runs_again_when_its_owner_wants_it(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
            (leased,) = await lease(store, job.id)
            await store.end(leased.job, Ending(JobEvent.QUARANTINED, PERMANENT))
            with pytest.raises(type(PERMANENT.error()), match="cut off"):
                await store.result(job.id, ALICE)
            again = await store.retry(job.id, ALICE)
            assert (again.state, again.attempts, again.fault) == (JobState.QUEUED, 0, PERMANENT)
            assert await succeed(store, job)
            assert (await store.get(job.id, ALICE)).fault is None

    run(body())


def test_a_finished_jobs_password_is_on_the_disk_no_more(tmp_path: Path) -> None:
    secret = "correct horse battery staple"

    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store, password=secret)).job
            (leased,) = await lease(store, job.id)
            await store.end(leased.job, Ending(JobEvent.FAILED, RETRYABLE))
            with pytest.raises(JobStateConflict, match="password was erased"):
                await store.retry(job.id, ALICE)
            # The log is emptied when nothing else waits: as good as at once, without a promise when.
            while held():
                await store.drop_taken("none", [])

    def held() -> list[Path]:
        return [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]

    run(body())
    assert held() == []


def test_another_users_job_is_as_one_that_is_not_there(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
            for asked in (store.get, store.history, store.result, store.cancel, store.retry, store.forget):
                said = []
                for job_id, viewer in ((job.id, BOB), ("0" * 26, BOB)):
                    with pytest.raises(JobUnknown) as caught:
                        await asked(job_id, viewer)
                    said.append((caught.value.message.replace(job_id, ""), caught.value.hint))
                assert said[0] == said[1]
            assert (await store.list(JobQuery(), BOB)).jobs == ()
            assert [found.id for found in (await store.list(JobQuery(), None)).jobs] == [job.id]

    run(body())


def test_a_job_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
            assert (await store.get(job.id[:6], ALICE)).id == job.id
            with pytest.raises(JobUnknown):
                await store.get(job.id[:5], ALICE)
            with pytest.raises(JobUnknown):
                await store.get(job.id[:6], BOB)
            await submit(store, b"other")
            with pytest.raises(JobUnknown, match="several"):
                await store.get(job.id[:6], ALICE)

    run(body())


def test_lists_are_newest_first_in_pages_and_by_what_is_asked(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            jobs = [(await submit(store, b"%d" % n, labels={"odd": str(n % 2), "n": str(n)})).job for n in range(10)]
            await store.cancel(jobs[3].id, None)
            found: list[Job] = []
            cursor = None
            while True:
                page = await store.list(JobQuery(limit=3, cursor=cursor), ALICE)
                found += page.jobs
                cursor = page.cursor
                if cursor is None:
                    break
            assert sorted(job.id for job in found) == [job.id for job in found][::-1]
            assert {job.id for job in found} == {job.id for job in jobs}
            odd = await store.list(JobQuery(labels={"odd": "1"}), ALICE)
            assert {job.labels["n"] for job in odd.jobs} == {"1", "3", "5", "7", "9"}
            both = await store.list(JobQuery(labels={"odd": "1"}, states=(JobState.CANCELLED,)), ALICE)
            assert [job.id for job in both.jobs] == [jobs[3].id]
            assert (await store.list(JobQuery(uid=BOB), None)).jobs == ()

    run(body())


def test_forgetting_leaves_nothing_but_what_others_need(tmp_path: Path) -> None:
    async def body() -> None:
        gone = []
        async with opened(tmp_path) as store:
            store.on_forgotten(gone.append)
            mine = (await submit(store, labels={"a": "b"}, key="k", hooks=("h",))).job
            other = (await submit(store, uid=BOB)).job
            for job in (mine, other):
                await succeed(store, job)
            await store.forget(mine.id, ALICE)
            assert len(files(store)) == 2
            assert await result(store, other) == b"result"
            await store.forget(other.id, BOB)
            assert files(store) == []
            assert gone == [mine.id, other.id]
            totals = store.totals()
            assert (totals.bytes, totals.bytes_finished, sum(totals.jobs.values())) == (0, 0, 0)
            connection = store.reader()
            tables = ("jobs", "blobs", "history", "labels", "keys", "hooks", "deliveries")
            assert [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables] == [0] * 7
            connection.close()
            assert not (await submit(store, b"other", key="k")).reused

    run(body())


def test_files_stay_while_a_backup_reads_them(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            job = (await submit(store)).job
            await store.cancel(job.id, None)
            with store.pinned():
                await store.forget(job.id, None)
                assert len(files(store)) == 1
            await submit(store, b"next")
            assert len(files(store)) == 1

    run(body())


def test_finished_jobs_beyond_a_bound_are_forgotten_oldest_first(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            jobs = [(await submit(store, b"document %d" % n)).job for n in range(6)]
            for job in jobs[:5]:
                await succeed(store, job)
            assert await store.expire(Keep(age_s=1000, count=5, bytes=10_000)) == 0
            assert await store.expire(Keep(count=3)) == 2
            left = {job.id for job in (await store.list(JobQuery(), None)).jobs}
            assert left == {job.id for job in jobs[2:]}
            assert await store.expire(Keep(bytes=2 * (len(b"document 0") + len(b"result")))) == 1
            assert await store.expire(Keep(age_s=0)) == 2
            assert [job.id for job in (await store.list(JobQuery(), None)).jobs] == [jobs[5].id]

    run(body())


def test_listeners_hear_of_every_change_with_the_job_as_it_is(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            heard: list[Job] = []
            store.on_change(heard.append)
            job = (await submit(store)).job
            await succeed(store, job)
            assert [(job.state.value, job.version) for job in heard] == [
                ("queued", 1),
                ("running", 2),
                ("succeeded", 3),
            ]
            assert heard[-1] == await store.get(job.id, None)

    run(body())


def test_a_large_document_comes_in_whole(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path) as store:
            data = os.urandom(3_000_001)
            job = (await submit(store, data)).job
            (leased,) = await store.lease([job.id])
            assert os.pread(leased.document_fd, len(data) + 1, 0) == data
            os.close(leased.document_fd)
            assert await succeed_leased(store, leased.job, data[::-1])
            assert len(await result(store, job)) == 1 << 20

    async def succeed_leased(store, job: Job, data: bytes) -> bool:  # type: ignore[no-untyped-def]
        with memory(data) as fd:
            return bool(await store.succeed(job, fd, REPORT))

    run(body())
