"""A store in a folder of the test, and a stand-in for the pools that gives every job a result."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.dispatch.deliveries import WATCH_TARGET
from ndfd.dispatch.hooks import Hook, hooks_for
from ndfd.model.conversion import ConversionReport, OutputFormat
from ndfd.model.job_states import JobEvent, JobState
from ndfd.model.jobs import Job, JobFault, JobOptions, Submission
from ndfd.store import Ending, NewJob, Store, TakenFile


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test that is a coroutine runs in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


UID = 1000
ENGINE = "test 1"
_RUNS_AT_ONCE = 64


class Desk:
    """Takes jobs in as the daemon does, and ends them without a worker: the result is of the document's bytes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.hooks: Mapping[str, Hook] = {}
        #: By the document's bytes, how its job ends if not well.
        self.faults: dict[bytes, JobFault] = {}
        #: What every submission is refused with.
        self.refusal: Exception | None = None
        self.taken: list[TakenFile] = []
        self._work = asyncio.Event()
        store.on_change(lambda job: self._work.set())
        self._task: asyncio.Task[None] | None = None

    async def submit(
        self, fd: int, options: JobOptions, taken: TakenFile | None = None, only: tuple[str, ...] | None = None
    ) -> Submission:
        """As `ndfd.dispatch.folder_watch.Submit`."""
        if self.refusal is not None:
            raise self.refusal
        hooks = hooks_for(self.hooks, UID, options.labels, only)
        if taken is not None:
            hooks = (*hooks, f"{WATCH_TARGET}{taken.watch}")
        submission = await self.store.submit(NewJob(UID, options, ENGINE, hooks, taken), fd)
        if taken is not None:
            self.taken.append(taken)
        return submission

    async def submit_bytes(self, data: bytes, options: JobOptions | None = None) -> Job:
        """A job of a document that nobody watches."""
        fd = platform.sealed_memfd("document", data)
        try:
            return (await self.submit(fd, options or JobOptions())).job
        finally:
            os.close(fd)

    def work(self) -> None:
        """From now on jobs run."""
        self._task = asyncio.create_task(self._run())

    async def rest(self) -> None:
        """Jobs wait again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            self._work.clear()
            ready = await self.store.ready(self.store.now(), _RUNS_AT_ONCE)
            if not ready:
                await self._work.wait()
                continue
            leased = await self.store.lease([each.id for each in ready])
            await asyncio.gather(*(self._end(each.job, each.document_fd) for each in leased))

    async def _end(self, job: Job, document_fd: int) -> None:
        data = os.pread(document_fd, 1 << 20, 0)
        os.close(document_fd)
        if data in self.faults:
            await self.store.end(job, Ending(JobEvent.FAILED, self.faults[data]))
            return
        result = result_of(data)
        fd = platform.sealed_memfd("result", result)
        try:
            report = ConversionReport(1, 0, 0, OutputFormat.MARKDOWN.media_type, len(result), 0.0, 0)
            await self.store.succeed(job, fd, report)
        finally:
            os.close(fd)


def result_of(data: bytes) -> bytes:
    """What a document is converted to here."""
    return b"converted: " + data


async def until(true: Callable[[], object], what: str = "it") -> None:
    """Waits for something that has no event of its own; the test's time limit is the only bound."""
    while not true():
        await asyncio.sleep(0.01)


async def job_until(store: Store, job_id: str, true: Callable[[Job], object]) -> Job:
    """The job when this is true of it."""
    while not true(job := await store.get(job_id, None)):
        await asyncio.sleep(0.01)
    return job


def ended(job: Job) -> bool:
    """Whether all is said and done."""
    return job.state in JobState and job.state.is_final and job.deliveries_due == 0


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    """A store that is closed in the end."""
    store = Store.open(folder, keep_free_bytes=0)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Of the store."""
    return tmp_path / "state"


@pytest.fixture
def quiet_umask() -> Iterator[None]:
    """Files as a service makes them."""
    former = os.umask(0o022)
    yield
    os.umask(former)


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Makes this process an ordinary user's until the end of the test."""
    for each in (tmp_path, *tmp_path.parents):
        if each.stat().st_uid == os.geteuid() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o055)
    yield lambda: os.seteuid(65534)
    os.seteuid(0)
