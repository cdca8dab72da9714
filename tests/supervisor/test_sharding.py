"""Long documents over several workers, without processes and without waiting."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from ndfd import platform
from ndfd.errors import Busy, ConversionTimeout, DamagedDocument, DocumentChanged, DocumentKillsWorkers, ShuttingDown
from ndfd.model.conversion import ConversionReport, ConvertOptions, OnPage, PageReport
from ndfd.model.document import PageStatus
from ndfd.model.sections import PART_MEDIA_TYPE, sections
from ndfd.protocol.frames import Compose, JobDone, JobPage, JobTooLong, Part, Whole
from ndfd.supervisor import Result, Sharding
from ndfd.testing import FakeWorker
from tests.supervisor.fake_pool import Scene, done, failed, page, run, scene, settle
from tests.supervisor.processes import open_descriptors

#: Four sections.
PAGES = 800


class Long:
    """A pool with sharding, and what its workers do in it."""

    def __init__(self, it: Scene, workers: int) -> None:
        self.it = it
        self.sharding = Sharding(it.pool, workers, 200, it.clock)

    async def ask(
        self, *, uid: int = 7, deadline_s: float = 60.0, on_page: OnPage | None = None
    ) -> asyncio.Task[Result]:
        options = ConvertOptions(deadline_s=deadline_s)
        call = asyncio.create_task(self.sharding.convert(self.it.document_fd, options, uid=uid, on_page=on_page))
        self.it.calls.append(call)
        await settle()
        return call

    async def ask_long(self, **more: object) -> asyncio.Task[Result]:
        """A caller asks, and the first worker finds the document too long."""
        call = await self.ask(**more)  # type: ignore[arg-type]
        (worker,) = (each for each in self.busy(Whole) if each.jobs[-1].work == Whole(pages_max=200))
        too_long(worker)
        await settle()
        return call

    def busy(self, work: type) -> list[FakeWorker]:
        """The workers that are at such work, in the order of their parts."""
        busy = {status.id for status in self.it.pool.snapshot().workers if status.busy_s is not None}
        found = [w for w in self.it.spawner.alive if w.number in busy and isinstance(w.jobs[-1].work, work)]
        return sorted(found, key=lambda w: getattr(w.jobs[-1].work, "first", 0))

    async def read_all(self) -> None:
        """Every part is read as it comes."""
        while parts := self.busy(Part):
            read(parts[0])
            await settle()


@contextlib.asynccontextmanager
async def long(workers: int = 2) -> AsyncIterator[Long]:
    """Nothing is left open by what a test does."""
    async with scene(workers) as it:
        before = open_descriptors()
        yield Long(it, workers)
        for call in it.calls:
            call.cancel()
        for result in await asyncio.gather(*it.calls, return_exceptions=True):
            if isinstance(result, Result):
                os.close(result.fd)
        it.calls.clear()
        await settle()
        assert open_descriptors() == before


def too_long(worker: FakeWorker, pages: int = PAGES) -> None:
    worker.say(JobTooLong(worker.jobs[-1].id, pages))


def work(worker: FakeWorker) -> Part:
    asked = worker.jobs[-1].work
    assert isinstance(asked, Part)
    return asked


def read(worker: FakeWorker) -> None:
    """The worker reads its part, which holds the number of its first page."""
    part = work(worker)
    for number in range(part.first, part.last + 1):
        page(worker, number, part.pages)
    finish(worker, str(part.first).encode(), part.last - part.first + 1)


def finish(worker: FakeWorker, content: bytes, pages: int) -> None:
    fd = platform.sealed_memfd("part", content)
    worker.say(JobDone(worker.jobs[-1].id, ConversionReport(pages, 0, 0, PART_MEDIA_TYPE, len(content), 2.0, 5000)), fd)
    os.close(fd)


def test_a_short_document_is_converted_as_it_is_without_sharding() -> None:
    async def body() -> None:
        async with long() as it:
            call = await it.ask()
            (worker,) = it.busy(Whole)
            assert worker.jobs[-1].work == Whole(pages_max=200)
            done(worker, b"short", pages=3)
            result = await call
            assert os.pread(result.fd, 100, 0) == b"short"

    run(body())


@pytest.mark.parametrize(("workers", "pages_max"), [(2, None), (1, 200)])
def test_where_there_is_no_sharding_a_document_may_be_as_long_as_it_is(workers: int, pages_max: int | None) -> None:
    async def body() -> None:
        async with long(workers) as it:
            it.sharding = Sharding(it.it.pool, workers, pages_max, it.it.clock)
            await it.ask()
            assert it.busy(Whole)[0].jobs[-1].work == Whole()

    run(body())


def test_a_long_document_is_read_by_all_workers_and_composed_of_the_parts_in_order() -> None:
    async def body() -> None:
        async with long() as it:
            seen: list[PageReport] = []
            call = await it.ask_long(on_page=seen.append)
            assert [work(worker) for worker in it.busy(Part)] == [Part(1, 200, PAGES), Part(201, 400, PAGES)]
            # The second is done first, and its worker goes on with the third.
            read(it.busy(Part)[1])
            await settle()
            assert [work(worker).first for worker in it.busy(Part)] == [1, 401]
            await it.read_all()
            (worker,) = it.busy(Compose)
            assert worker.jobs[-1].work == Compose(4, PAGES)
            assert worker.parts[-1] == [b"1", b"201", b"401", b"601"]
            done(worker, b"whole", pages=PAGES)
            result = await call
            assert os.pread(result.fd, 100, 0) == b"whole"
            assert sorted(each.number for each in seen) == list(range(1, PAGES + 1))
            assert (result.report.pages, result.report.cpu_s) == (PAGES, 4 * 2.0 + 0.1)
            assert result.report.rss_max_bytes == 5000
            assert it.it.pool.snapshot().queued == 0

    run(body())


def test_each_part_is_of_the_same_user_and_has_what_is_left_of_the_time() -> None:
    async def body() -> None:
        async with long() as it:
            call = await it.ask(deadline_s=60.0, uid=12)
            it.it.clock.advance(20)
            too_long(it.busy(Whole)[0])
            await settle()
            assert [worker.jobs[-1].deadline_s for worker in it.busy(Part)] == [40.0, 40.0]
            assert not call.done()

    run(body())


def test_other_conversions_come_before_parts_in_the_background_however_late_they_ask() -> None:
    async def body() -> None:
        async with long() as it:
            await it.it.ask()
            (busy,) = it.busy(Whole)
            await it.ask_long()
            # The first part is read, the second one waits, and somebody asks behind it.
            await it.it.ask(name="late")
            assert [work(each).first for each in it.busy(Part)] == [1]
            done(busy)
            await settle()
            assert [each.jobs[-1].options.name for each in it.busy(Whole)] == ["late"]
            done(it.busy(Whole)[0])
            await settle()
            assert [work(each).first for each in it.busy(Part)] == [1, 201]

    run(body())


def test_one_part_always_gets_on_however_many_others_come() -> None:
    async def body() -> None:
        async with long() as it:
            await it.ask_long()
            others = [await it.it.ask(uid=7) for _ in range(4)]
            read(it.busy(Part)[0])
            await settle()
            read(it.busy(Part)[0])
            await settle()
            # Both workers went to others. The third part, now the first that is not read, is behind the two that came
            # before it asked, and before those that come now.
            late = await it.it.ask(uid=7)
            served = []
            while not it.busy(Part):
                served.append(it.busy(Whole)[0])
                done(served[-1])
                await settle()
            assert [work(each).first for each in it.busy(Part)] == [401]
            assert not late.done()
            assert len(served) <= len(others) + 1

    run(body())


def test_no_more_parts_are_asked_for_at_once_than_there_are_workers() -> None:
    async def body() -> None:
        async with long(3) as it:
            busy = [await it.it.ask(uid=7) for _ in range(2)]
            await it.ask_long()
            assert len(it.busy(Part)) == 1
            assert it.it.pool.snapshot().queued == 2
            assert not any(call.done() for call in busy)

    run(body())


def test_a_part_whose_worker_dies_is_read_by_a_fresh_one_and_its_pages_are_told_once() -> None:
    async def body() -> None:
        async with long() as it:
            seen: list[int] = []
            call = await it.ask_long(on_page=lambda report: seen.append(report.number))
            first, second = it.busy(Part)
            for number in (201, 202):
                page(second, number, PAGES)
            second.end(-11)
            await settle()
            fresh = it.busy(Part)[1]
            assert (fresh is not second, work(fresh).first) == (True, 201)
            await it.read_all()
            done(it.busy(Compose)[0], b"whole", pages=PAGES)
            await call
            assert sorted(seen) == list(range(1, PAGES + 1))
            assert not first.killed

    run(body())


def test_a_part_that_kills_two_workers_ends_the_conversion_and_names_the_page_of_the_document() -> None:
    async def body() -> None:
        async with long() as it:
            call = await it.ask_long()
            other = it.busy(Part)[0]
            for _ in range(2):
                (worker,) = (each for each in it.busy(Part) if work(each).first == 201)
                for number in (201, 202):
                    page(worker, number, PAGES)
                worker.end(-11)
                await settle()
            with pytest.raises(DocumentKillsWorkers, match="on page 203 of 800") as caught:
                await call
            assert caught.value.page == 203
            assert other.killed
            assert it.it.pool.snapshot().queued == 0

    run(body())


def test_what_a_worker_says_of_its_part_ends_the_conversion() -> None:
    async def body() -> None:
        async with long() as it:
            call = await it.ask_long()
            failed(it.busy(Part)[1], "document-damaged")
            with pytest.raises(DamagedDocument):
                await call
            await settle()
            assert it.busy(Part) == []

    run(body())


def test_a_composition_whose_worker_dies_is_made_by_a_fresh_one_of_the_same_parts() -> None:
    async def body() -> None:
        async with long() as it:
            call = await it.ask_long()
            await it.read_all()
            (worker,) = it.busy(Compose)
            worker.end(-9)
            await settle()
            (fresh,) = it.busy(Compose)
            assert fresh.parts[-1] == [b"1", b"201", b"401", b"601"]
            fresh.end(-9)
            await settle()
            with pytest.raises(DocumentKillsWorkers, match="after the last of 800 pages"):
                await call

    run(body())


def test_at_the_deadline_all_parts_end_and_the_error_speaks_of_the_whole_conversion() -> None:
    async def body() -> None:
        async with long() as it:
            call = await it.ask(deadline_s=60.0)
            it.it.clock.advance(20)
            too_long(it.busy(Whole)[0])
            await settle()
            page(it.busy(Part)[0], 1, PAGES)
            workers = it.busy(Part)
            it.it.clock.advance(39)
            await settle()
            assert not call.done()
            it.it.clock.advance(1)
            with pytest.raises(ConversionTimeout, match="not done after 60 s: 1 of 800 pages were read"):
                await call
            assert all(worker.killed for worker in workers)

    run(body())


def test_a_document_that_no_worker_was_free_for_is_told_so_even_with_sharding() -> None:
    async def body() -> None:
        async with long() as it:
            for _ in range(2):
                await it.it.ask(uid=7, deadline_s=100.0)
            call = await it.ask(deadline_s=10.0)
            it.it.clock.advance(10)
            with pytest.raises(Busy, match="within 10 s"):
                await call

    run(body())


@pytest.mark.parametrize("work_at_hand", [Whole, Part, Compose])
def test_cancelling_ends_whatever_is_done_for_it_and_leaves_nothing_open(work_at_hand: type) -> None:
    async def body() -> None:
        async with long() as it:
            before = open_descriptors()
            if work_at_hand is Whole:
                call = await it.ask()
            else:
                call = await it.ask_long()
                read(it.busy(Part)[0])
                await settle()
            if work_at_hand is Compose:
                await it.read_all()
            workers = it.busy(work_at_hand)
            assert workers
            call.cancel()
            await asyncio.wait([call])
            await settle()
            assert all(worker.killed for worker in workers)
            assert it.it.pool.snapshot().queued == 0
            assert open_descriptors() == before

    run(body())


def test_cancelling_in_the_moment_in_which_a_part_is_read_leaves_nothing_open() -> None:
    async def body() -> None:
        async with long() as it:
            call = await it.ask_long()
            before = open_descriptors()
            read(it.busy(Part)[0])
            call.cancel()
            await asyncio.wait([call])
            await settle()
            assert open_descriptors() == before

    run(body())


@pytest.mark.parametrize("when", [Whole, Part, Compose])
def test_a_document_that_is_written_to_at_any_time_is_named_as_changed(when: type) -> None:
    async def body() -> None:
        async with long() as it:
            with tempfile.TemporaryFile() as file:
                file.write(b"%PDF")
                file.flush()
                it.it.document_fd, former = file.fileno(), it.it.document_fd
                call = await it.ask()

                def written() -> None:
                    os.utime(file.fileno(), ns=(0, 1))

                if when is Whole:
                    written()
                too_long(it.busy(Whole)[0])
                await settle()
                if when is Part:
                    read(it.busy(Part)[0])
                    await settle()
                    # After the first part was read, and while the third is asked for.
                    written()
                if when is Compose:
                    await it.read_all()
                    written()
                    done(it.busy(Compose)[0], b"whole", pages=PAGES)
                else:
                    read(it.busy(Part)[0])
                with pytest.raises(DocumentChanged, match="it was written to"):
                    await call
                it.it.document_fd = former

    run(body())


def test_a_fault_of_the_callers_own_ends_the_conversion_and_comes_back_to_it() -> None:
    async def body() -> None:
        async with long() as it:

            def stumble(_report: PageReport) -> None:
                raise ZeroDivisionError

            call = await it.ask_long(on_page=stumble)
            page(it.busy(Part)[1], 201, PAGES)
            with pytest.raises(ZeroDivisionError):
                await call
            assert it.busy(Part) == []

    run(body())


def test_a_pool_that_stops_says_so_to_a_long_document() -> None:
    async def body() -> None:
        async with long() as it:
            call = await it.ask_long()
            await it.it.pool.stop()
            with pytest.raises(ShuttingDown):
                await call

    run(body())


# What a worker that has seen the document may say and not be believed


def page_before_its_part(worker: FakeWorker) -> None:
    page(worker, 200, PAGES)


def page_behind_its_part(worker: FakeWorker) -> None:
    for number in range(201, 402):
        page(worker, number, PAGES)


def page_of_another_document(worker: FakeWorker) -> None:
    page(worker, 201, PAGES + 1)


def done_without_its_pages(worker: FakeWorker) -> None:
    page(worker, 201, PAGES)
    finish(worker, b"201", 200)


def done_with_other_pages(worker: FakeWorker) -> None:
    for number in range(201, 401):
        page(worker, number, PAGES)
    finish(worker, b"201", 2**31)


def part_of_no_bytes(worker: FakeWorker) -> None:
    for number in range(201, 401):
        page(worker, number, PAGES)
    finish(worker, b"", 200)


def too_long_again(worker: FakeWorker) -> None:
    too_long(worker)


def unsealed(worker: FakeWorker) -> None:
    for number in range(201, 401):
        page(worker, number, PAGES)
    fd = platform.memfd("part")
    os.write(fd, b"part")
    worker.say(JobDone(worker.jobs[-1].id, ConversionReport(200, 0, 0, PART_MEDIA_TYPE, 4, 2.0, 5000)), fd)
    os.close(fd)


@pytest.mark.parametrize(
    "act",
    [
        page_before_its_part,
        page_behind_its_part,
        page_of_another_document,
        done_without_its_pages,
        done_with_other_pages,
        part_of_no_bytes,
        too_long_again,
        unsealed,
    ],
)
def test_a_worker_that_tells_wrong_things_of_its_part_is_killed(act: Callable[[FakeWorker], None]) -> None:
    async def body() -> None:
        async with long() as it:
            call = await it.ask_long()
            for _ in range(2):
                (worker,) = (each for each in it.busy(Part) if work(each).first == 201)
                act(worker)
                await settle()
                assert worker.killed
            with pytest.raises(DocumentKillsWorkers, match="broke the protocol"):
                await call

    run(body())


def not_long(worker: FakeWorker) -> None:
    too_long(worker, 200)


def long_after_a_page(worker: FakeWorker) -> None:
    page(worker, 1, 3)
    too_long(worker)


def long_with_descriptor(worker: FakeWorker) -> None:
    worker.say(JobTooLong(worker.jobs[-1].id, PAGES), 0)


@pytest.mark.parametrize("act", [not_long, long_after_a_page, long_with_descriptor])
def test_a_worker_that_calls_a_document_too_long_wrongly_is_killed(act: Callable[[FakeWorker], None]) -> None:
    async def body() -> None:
        async with long() as it:
            call = await it.ask()
            (worker,) = it.busy(Whole)
            act(worker)
            await settle()
            assert worker.killed
            assert not call.done()

    run(body())


def test_a_worker_that_is_asked_for_the_whole_may_not_call_it_too_long() -> None:
    async def body() -> None:
        async with long() as it:
            await it.it.ask()
            (worker,) = it.busy(Whole)
            too_long(worker)
            await settle()
            assert worker.killed

    run(body())


def test_a_worker_that_composes_tells_of_no_page_and_of_no_other_number_of_pages() -> None:
    async def body() -> None:
        async with long() as it:
            call = await it.ask_long()
            await it.read_all()
            (worker,) = it.busy(Compose)
            worker.say(JobPage(worker.jobs[-1].id, PageReport(PAGES + 1, PAGES, PageStatus.OK)))
            await settle()
            assert worker.killed
            (worker,) = it.busy(Compose)
            done(worker, b"whole", pages=PAGES - 1)
            with pytest.raises(DocumentKillsWorkers, match="it reports 799 pages of 800"):
                await call

    run(body())


def test_a_document_that_claims_all_pages_there_can_be_costs_no_more_parts_than_any() -> None:
    async def body() -> None:
        async with long() as it:
            await it.ask()
            too_long(it.busy(Whole)[0], 0xFFFFF)
            await settle()
            assert len(it.busy(Part)) == 2
            assert work(it.busy(Part)[0]) == Part(*sections(0xFFFFF)[0], 0xFFFFF)
            with pytest.raises(msgspec.ValidationError):
                msgspec.msgpack.decode(msgspec.msgpack.encode(JobTooLong(1, 2**31)), type=JobTooLong)

    run(body())
