"""A disk that is full or read-only: what was acknowledged is there and ends, and all goes on when there is space."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.errors import NdfdError, StorageFull, StoreError
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobQuery
from ndfd.store import Keep, Store
from tests.faults.disks import KINDS, Disk, mounted
from tests.store.work import document_of, finished, report, result_of, spooled, started, submitted, whole


# xfs is slow to be made.
@pytest.fixture(params=[pytest.param(kind, marks=pytest.mark.slow if kind == "xfs" else ()) for kind in KINDS])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    with mounted(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Disk]:
    with mounted("ext4", tmp_path) as made:
        yield made


#: Nothing is kept free: it is the disk itself that refuses.
UNGUARDED = -(1 << 40)
#: So long, in seconds, and a little longer, the file system's last word on its free space holds.
WORD_HOLDS_S = 0.3


def content(number: int, size: int = 100_000) -> bytes:
    return number.to_bytes(4, "big") * (size // 4)


async def until_full(store: Store, first: int = 0) -> dict[str, bytes]:
    """Submits documents, several at once, until one is refused; the ids of those that were acknowledged."""
    accepted: dict[str, bytes] = {}
    number = first
    while True:
        documents = [content(number + each) for each in range(4)]
        number += 4
        answers = await asyncio.gather(*(submitted(store, each) for each in documents), return_exceptions=True)
        for document, answer in zip(documents, answers, strict=True):
            if isinstance(answer, Job):
                accepted[answer.id] = document
        refusals = [answer for answer in answers if isinstance(answer, BaseException)]
        if refusals:
            assert {type(refusal) for refusal in refusals} == {StorageFull}, refusals
            assert all(refusal.retryable and refusal.hint for refusal in refusals)  # type: ignore[attr-defined]
            return accepted


async def all_end(store: Store, accepted: dict[str, bytes]) -> None:
    """Each acknowledged job is there once, has its document, and can be finished; nothing else is there."""
    listed: list[Job] = []
    cursor: str | None = None
    while True:
        page = await store.list(JobQuery(cursor=cursor, limit=1000), None)
        listed += page.jobs
        if (cursor := page.cursor) is None:
            break
    assert {job.id for job in listed} == set(accepted)
    for job in listed:
        if job.state is JobState.QUEUED:
            assert await document_of(store, job) == accepted[job.id]


def test_a_full_disk_refuses_new_work_keeps_the_old_and_takes_new_work_when_there_is_space(disk: Disk) -> None:
    async def scenario() -> None:
        async with started(disk.folder / "state", keep_free_bytes=UNGUARDED) as store:
            accepted = {(await submitted(store, content(n))).id: content(n) for n in range(100_000, 100_003)}
            first, second, _third = accepted
            (running,) = await store.lease([first])
            os.close(running.document_fd)
            disk.fill(leave=2_000_000)
            accepted |= await until_full(store)
            # Not a byte is left: each attempt is refused, by name, and the store lives on. What one that was refused
            # had written is given back a moment after it was told, so that the next may find some room.
            refusals = 0
            for number in range(200_000, 200_050):
                disk.fill()
                try:
                    accepted[(await submitted(store, content(number))).id] = content(number)
                except StorageFull:
                    refusals += 1
                if refusals == 3:
                    break
            assert refusals == 3
            disk.fill()
            result = os.memfd_create("result")
            os.write(result, b"r" * 500_000)
            with pytest.raises(StorageFull):
                await store.succeed(running.job, result, report(500_000))
            assert (await store.get(first, None)).state is JobState.RUNNING
            assert len((await store.list(JobQuery(limit=1000), None)).jobs) == len(accepted)
            disk.relieve()
            assert await store.succeed(running.job, result, report(500_000))
            os.close(result)
            late = await submitted(store, content(300_000))
            accepted[late.id] = content(300_000)
            await finished(store, await store.get(second, None), b"second")
            assert await result_of(store, await store.get(second, None)) == b"second"
            load = store.load(1000)
            assert load.jobs == len(accepted) - 2
            await all_end(store, accepted)
        async with started(disk.folder / "state") as store:
            assert store.recovered == len(accepted) - 2
            await all_end(store, accepted)
            # Nothing of what was refused takes space.
            assert len(spooled(disk.folder / "state")) == len(accepted) + 2

    asyncio.run(scenario())


def test_new_work_is_refused_before_it_can_take_what_accepted_work_needs(disk: Disk) -> None:
    # More than the log of the database takes before it is emptied.
    keep = 24_000_000

    async def scenario() -> None:
        async with started(disk.folder / "state", keep_free_bytes=keep) as store:
            job = await submitted(store, content(100_000))
            disk.fill(leave=keep + 1_000_000)
            await asyncio.sleep(WORD_HOLDS_S)
            accepted = await until_full(store)
            assert disk.free() > keep // 2
            # What was accepted goes on, results and all; and what is forgotten makes room.
            await finished(store, job, b"r" * 500_000)
            for other in accepted:
                await store.cancel(other, None)
                await store.forget(other, None)
            assert await store.expire(Keep(count=0)) == 1
            await asyncio.sleep(WORD_HOLDS_S)
            await submitted(store, content(100_001))

    asyncio.run(scenario())


def test_a_full_disk_at_the_start_is_a_clear_error_and_no_loss(ext4: Disk) -> None:
    async def scenario() -> None:
        folder = ext4.folder / "state"
        async with started(folder) as store:
            job = await submitted(store, content(1))
        ext4.fill()
        try:
            async with started(folder) as store:
                assert (await store.get(job.id, None)).state is JobState.QUEUED
        except StoreError as error:
            assert "full" in str(error)  # noqa: PT017
        ext4.relieve()
        async with started(folder) as store:
            assert await document_of(store, await store.get(job.id, None)) == content(1)

    asyncio.run(scenario())


def test_a_disk_that_turns_read_only_is_told_of_and_loses_nothing(ext4: Disk) -> None:
    async def scenario() -> None:
        folder = ext4.folder / "state"
        async with started(folder) as store:
            done = await finished(store, await submitted(store, content(1)), b"result")
            waits = await submitted(store, content(2))
            (running,) = await store.lease([(await submitted(store, content(3))).id])
            ext4.turn_read_only()
            with pytest.raises(OSError, match="Read-only") as refused:
                (ext4.folder / "probe").touch()
            assert refused.value.errno == errno.EROFS
            for number in range(3):
                with pytest.raises(StoreError) as caught:
                    await submitted(store, content(10 + number))
                assert str(folder) in str(caught.value)
            for change in (store.cancel(waits.id, None), store.forget(done.id, None), store.lease([waits.id])):
                with pytest.raises(NdfdError):
                    await change
            # What can be read is read.
            assert whole(running.document_fd) == content(3)
            assert await result_of(store, done) == b"result"
            assert (await store.get(waits.id, None)).state is JobState.QUEUED
        ext4.repair()
        async with started(folder) as store:
            assert store.recovered == 1
            assert await result_of(store, done) == b"result"
            assert await document_of(store, waits) == content(2)
            assert await document_of(store, running.job) == content(3)
            await submitted(store, content(4))

    asyncio.run(scenario())


def test_a_folder_on_a_read_only_disk_is_no_place_to_start(ext4: Disk) -> None:
    async def scenario() -> None:
        async with started(ext4.folder / "state") as store:
            await submitted(store, content(1))
        ext4.turn_read_only()
        with pytest.raises(StoreError, match="Read-only") as caught:
            async with started(ext4.folder / "state"):
                pass
        assert str(ext4.folder) in str(caught.value)

    asyncio.run(scenario())
