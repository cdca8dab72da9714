"""Durable jobs of a real daemon that its manager restarts: what is done within the drain, and what runs again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ndfd.client import Client
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobOptions
from ndfd.testing.service_manager import Manager
from tests.daemon.configured import write
from tests.daemon.conftest import environment
from tests.documents.hostile import slow_second_page
from tests.documents.sound import text_pages

TEXT = JobOptions(ConvertOptions(OutputFormat.TEXT, deadline_s=120.0))
MAX_ATTEMPTS = 1


@contextmanager
def managed(root: Path, drain_timeout: str) -> Iterator[Manager]:
    """A daemon with one worker that is ready, until the end of the block."""
    text = (
        f'[swarm]\nworkers = 1\n[jobs]\nmax_attempts = {MAX_ATTEMPTS}\n[runtime]\ndrain_timeout = "{drain_timeout}"\n'
    )
    write(root / "etc" / "config.toml", text)
    sockets = root / "run"
    sockets.mkdir()
    command = [sys.executable, "-m", "ndfd", "run", "--service", "--config-dir", str(root / "etc")]
    variables = environment(NDFD_NETWORK__SOCKET_DIR=str(sockets), NDFD_STORAGE__STATE_DIR=str(root / "state"))
    with Manager(sockets, command, variables) as manager:
        manager.wait_ready()
        yield manager


def client(manager: Manager) -> Client:
    return Client.connect(manager.folder / "ndfd.sock")


class _Seen(Exception):
    """What was waited for has come."""


def until_at_work(manager: Manager, job_id: str) -> None:
    """Returns when a worker has finished a page of the job."""

    def look(job: Job) -> None:
        assert not job.state.is_final, job
        if job.pages_done:
            raise _Seen

    with client(manager) as watching:
        try:
            watching.watch((job_id,), look)
        except _Seen:
            return
    raise AssertionError("it ended")


def ended(client: Client, *ids: str) -> list[Job]:
    last: dict[str, Job] = {}
    client.watch(ids, lambda job: last.__setitem__(job.id, job))
    return [last[each] for each in ids]


def test_a_job_that_is_done_within_the_drain_has_run_once(tmp_path: Path) -> None:
    with managed(tmp_path, "60s") as manager:
        with client(manager) as it:
            job_id = it.submit(slow_second_page(20), TEXT).job.id
        until_at_work(manager, job_id)
        manager.restart()
        with client(manager) as it:
            job = it.job(job_id)
            assert (job.state, job.attempts, job.interruptions) == (JobState.SUCCEEDED, 1, 0)
            assert [change.event for change in it.job_history(job_id)] == ["accepted", "started", "succeeded"]


def test_a_job_that_takes_longer_than_every_drain_is_put_back_each_time_and_not_failed(tmp_path: Path) -> None:
    restarts = MAX_ATTEMPTS + 1
    with managed(tmp_path, "0s") as manager:
        with client(manager) as it:
            long = it.submit(slow_second_page(60), TEXT).job.id
            behind = it.submit(text_pages(["behind it"]), TEXT).job.id
        for _ in range(restarts):
            until_at_work(manager, long)
            manager.restart()
            assert manager.exit_code == 0
        until_at_work(manager, long)
        with client(manager) as it:
            # Not what waited, and not what a worker had.
            assert [(it.job(each).attempts, it.job(each).interruptions) for each in (long, behind)] == [(1, 0)] * 2
            history = it.job_history(long)
            assert [change.event for change in history] == ["accepted", *["started", "postponed"] * restarts, "started"]
            assert {change.attempt for change in history[1::2]} == {1}
            assert {change.code for change in history} == {None}
            status = it.status().jobs
            assert status is not None
            assert status.recovered == 0
            jobs = ended(it, long, behind)
            assert [(job.state, job.attempts, job.interruptions) for job in jobs] == [(JobState.SUCCEEDED, 1, 0)] * 2


def test_of_a_daemon_that_is_killed_only_what_a_worker_had_is_suspected(tmp_path: Path) -> None:
    with managed(tmp_path, "0s") as manager:
        with client(manager) as it:
            suspect = it.submit(slow_second_page(100_000), TEXT).job.id
            others = [it.submit(text_pages([f"number {each}"]), TEXT).job.id for each in range(3)]
        for _ in range(MAX_ATTEMPTS + 1):
            until_at_work(manager, suspect)
            manager.kill()
            manager.wait_ready()
        with client(manager) as it:
            status = it.status().jobs
            assert status is not None
            # One was leased ahead.
            assert status.recovered == 2
            job = it.job(suspect)
            assert (job.state.is_final, job.interruptions) == (False, MAX_ATTEMPTS + 1)
            it.cancel(suspect)
            jobs = ended(it, *others)
            assert [(job.state, job.attempts, job.interruptions) for job in jobs] == [(JobState.SUCCEEDED, 1, 0)] * 3
