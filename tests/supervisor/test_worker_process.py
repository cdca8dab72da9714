"""Frames, the end and the exit code of one process come from three sources, and are told as one story."""

from __future__ import annotations

import os
import select

import pytest

from ndfd import platform
from ndfd.model.conversion import PageReport
from ndfd.model.document import PageStatus
from ndfd.protocol import frames
from ndfd.supervisor import worker_process
from ndfd.supervisor.worker_process import WorkerProcess
from tests.supervisor.ear import Ear
from tests.supervisor.fake_pool import run

PAGES = 5


def ended_worker(ear: Ear) -> WorkerProcess:
    """A process that said five things and left with status 3, before anybody listened. It is this process's child."""
    ours, theirs = platform.channel_pair(frames.MAX_FRAME_BYTES, frames.MAX_DESCRIPTORS)
    pid = os.fork()
    if pid == 0:
        for number in range(1, PAGES + 1):
            theirs.send(frames.encode(frames.JobPage(number, PageReport(number, PAGES, PageStatus.OK))))
        os._exit(3)
    theirs.close()
    pidfd = platform.pidfd(pid)
    select.select([pidfd], [], [])
    return WorkerProcess(pid, ours, pidfd, platform.process_status(pid), ear, 0)


STORY = [("JobPage", number) for number in range(1, PAGES + 1)]


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the exit code."""
    monkeypatch.setattr(worker_process, "EXIT_CODE_WAIT_S", 0.0)


@pytest.fixture
def endless_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is waited for as long as it takes."""
    monkeypatch.setattr(worker_process, "EXIT_CODE_WAIT_S", 3600.0)


@pytest.mark.usefixtures("endless_patience")
def test_all_that_was_said_is_told_before_the_end() -> None:
    async def body() -> None:
        ear = Ear()
        process = ended_worker(ear)
        await ear.hears(PAGES)
        process.exited(3, 0)
        assert await ear.hears(PAGES + 1) == [*STORY, ("ended", 3)]
        os.waitpid(process.pid, 0)

    run(body())


@pytest.mark.usefixtures("endless_patience")
def test_an_exit_code_that_comes_before_the_end_is_kept_for_it() -> None:
    async def body() -> None:
        ear = Ear()
        process = ended_worker(ear)
        process.exited(3, 0)
        assert await ear.hears(PAGES + 1) == [*STORY, ("ended", 3)]
        os.waitpid(process.pid, 0)

    run(body())


@pytest.mark.usefixtures("endless_patience")
def test_without_a_zygote_nobody_is_waited_for_and_a_child_of_ours_is_reaped() -> None:
    async def body() -> None:
        ear = Ear()
        process = ended_worker(ear)
        process.zygote_gone()
        assert await ear.hears(PAGES + 1) == [*STORY, ("ended", 3)]
        with pytest.raises(ChildProcessError):
            os.waitpid(process.pid, 0)

    run(body())


@pytest.mark.usefixtures("endless_patience")
def test_a_zygote_that_ends_after_the_worker_ends_the_wait() -> None:
    async def body() -> None:
        ear = Ear()
        process = ended_worker(ear)
        await ear.hears(PAGES)
        process.zygote_gone()
        assert (await ear.hears(PAGES + 1))[-1] == ("ended", 3)

    run(body())


@pytest.mark.usefixtures("no_patience")
def test_an_exit_code_that_nobody_tells_is_not_waited_for_for_ever() -> None:
    async def body() -> None:
        ear = Ear()
        process = ended_worker(ear)
        os.waitpid(process.pid, 0)
        assert await ear.hears(PAGES + 1) == [*STORY, ("ended", None)]

    run(body())
