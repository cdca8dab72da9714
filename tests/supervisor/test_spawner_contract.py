"""What the pool relies on in a spawner: the fake and the real one keep the same promises."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable

import pytest

from ndfd import platform
from ndfd.errors import NdfdError
from ndfd.model.conversion import ConversionReport, ConvertOptions, PageReport
from ndfd.model.document import PageStatus
from ndfd.protocol.frames import Job, JobDone, JobPage
from ndfd.supervisor import Zygote
from ndfd.supervisor.spawner import Spawner, Worker
from ndfd.testing import FakeSpawner, FakeWorker
from tests.supervisor.ear import Ear
from tests.supervisor.fake_pool import run
from tests.supervisor.processes import open_descriptors, options

MakeSpawner = Callable[[], Spawner]


def behave(worker: FakeWorker, job: Job, document: bytes) -> None:
    """The fake's worker, as the double behind the real one."""
    word, _, argument = document.decode().partition(" ")
    match word:
        case "echo":
            worker.say(JobPage(job.id, PageReport(1, 1, PageStatus.OK)))
            with contextlib.closing(Descriptor(platform.sealed_memfd("result", argument.encode()))) as result:
                report = ConversionReport(1, 0, 0, "text/markdown; charset=utf-8", len(argument), 0.0, 0)
                worker.say(JobDone(job.id, report), result.fd)
        case "leave":
            worker.end(int(argument))
        case "garbage":
            worker.babble()


class Descriptor:
    """Closes a descriptor at the end of a block."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        os.close(self.fd)


@pytest.fixture(params=["fake", "real"])
def make_spawner(request: pytest.FixtureRequest) -> MakeSpawner:
    return (lambda: FakeSpawner(behave)) if request.param == "fake" else (lambda: Zygote(options()))


@contextlib.asynccontextmanager
async def worker_of(spawner: Spawner, number: int = 1) -> AsyncIterator[tuple[Worker, Ear]]:
    before = open_descriptors()
    engine = await spawner.start()
    assert engine.native == "python"
    ear = Ear()
    try:
        yield await spawner.spawn(number, ear), ear
    finally:
        await spawner.close()
        # The end of a worker may be heard of only after the zygote's.
        while not (ear.told and ear.told[-1][0] == "ended"):  # type: ignore[index]
            await asyncio.sleep(0)
        assert open_descriptors() == before


def give(worker: Worker, number: int, text: str) -> None:
    with contextlib.closing(Descriptor(platform.sealed_memfd("document", text.encode()))) as document:
        worker.send(Job(number, ConvertOptions(), 30.0), document.fd)


def test_a_job_is_answered_with_its_number_and_the_worker_takes_another(make_spawner: MakeSpawner) -> None:
    async def body() -> None:
        async with worker_of(make_spawner()) as (worker, ear):
            give(worker, 5, "echo one")
            assert await ear.hears(2) == [("JobPage", 5), ("JobDone", 5, b"one")]
            give(worker, 6, "echo two")
            assert (await ear.hears(4))[2:] == [("JobPage", 6), ("JobDone", 6, b"two")]

    run(body())


def test_the_end_is_told_once_and_last_with_the_exit_code(make_spawner: MakeSpawner) -> None:
    async def body() -> None:
        async with worker_of(make_spawner()) as (worker, ear):
            give(worker, 5, "leave 3")
            assert await ear.hears(1) == [("ended", 3)]
            await asyncio.sleep(0)
            assert len(ear.told) == 1

    run(body())


def test_a_killed_worker_says_nothing_but_its_end(make_spawner: MakeSpawner) -> None:
    async def body() -> None:
        async with worker_of(make_spawner()) as (worker, ear):
            give(worker, 5, "echo lost")
            worker.kill()
            assert await ear.hears(1) == [("ended", -9)]
            worker.kill()

    run(body())


def test_what_is_no_frame_is_told_as_a_breach(make_spawner: MakeSpawner) -> None:
    async def body() -> None:
        async with worker_of(make_spawner()) as (worker, ear):
            give(worker, 5, "garbage")
            assert await ear.hears(1) == ["violated"]

    run(body())


def test_a_worker_that_has_ended_takes_no_job_and_has_no_memory(make_spawner: MakeSpawner) -> None:
    async def body() -> None:
        async with worker_of(make_spawner()) as (worker, ear):
            assert worker.resident_bytes() > 0
            worker.kill()
            await ear.hears(1)
            assert worker.resident_bytes() == 0
            with pytest.raises(OSError):
                give(worker, 5, "echo nobody")

    run(body())


def test_closing_ends_every_worker_and_none_is_spawned_after_it(make_spawner: MakeSpawner) -> None:
    async def body() -> None:
        spawner = make_spawner()
        async with worker_of(spawner) as (_worker, ear):
            await spawner.close()
            assert (await ear.hears(1))[0][0] == "ended"  # type: ignore[index]
            with pytest.raises(NdfdError):
                await spawner.spawn(2, Ear())

    run(body())


def test_workers_are_separate_processes(make_spawner: MakeSpawner) -> None:
    async def body() -> None:
        spawner = make_spawner()
        async with worker_of(spawner) as (worker, ear):
            other_ear = Ear()
            other = await spawner.spawn(2, other_ear)
            assert other.pid != worker.pid
            other.kill()
            await other_ear.hears(1)
            give(worker, 5, "echo alive")
            assert ("JobDone", 5, b"alive") in await ear.hears(2)

    run(body())
