"""Waiting for jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ndfd.cli import watcher as module
from ndfd.cli.patience import Patience
from ndfd.cli.watcher import Gone, Watcher
from ndfd.client import Client
from ndfd.errors import NdfdError
from ndfd.model.conversion import ConvertOptions
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobOptions
from tests.cli.restart import restart
from tests.server.doors import Doors


class Seen:
    """Changes as they were told."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.running = threading.Event()

    def __call__(self, job: Job) -> None:
        self.jobs.append(job)
        if job.state is JobState.RUNNING:
            self.running.set()


@contextmanager
def watching(doors: Doors, seen: Seen) -> Iterator[Watcher]:
    with Patience(60, lambda line: None) as patience, Watcher(doors.varlink_path, patience, seen) as watcher:
        yield watcher


def submit(doors: Doors, *names: str) -> list[str]:
    with Client.connect(doors.varlink_path) as client:
        return [
            client.submit(f"bytes {number} of {name}".encode(), JobOptions(ConvertOptions(name=name))).job.id
            for number, name in enumerate(names)
        ]


def test_each_change_is_told_once_and_each_end_can_be_taken(at_work: Doors) -> None:
    seen = Seen()
    ids = submit(at_work, "pages:3", "fail:document-damaged")
    with watching(at_work, seen) as watcher:
        watcher.add(ids)
        ended = {job.id: job for job in (watcher.next_final(), watcher.next_final()) if isinstance(job, Job)}
    assert [ended[each].state for each in ids] == [JobState.SUCCEEDED, JobState.FAILED]
    views = [(job.id, job.version, job.pages_done) for job in seen.jobs]
    assert len(views) == len(set(views))


def test_more_jobs_than_one_call_takes_are_waited_for(at_work: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WATCHED_MAX", 4)
    monkeypatch.setattr(module, "_WATCHED_MIN", 2)
    ids = submit(at_work, "hang", *["a.pdf"] * 20)
    with watching(at_work, Seen()) as watcher:
        watcher.add(ids)
        ended = {watcher.next_final().id for _ in ids[1:]}
        assert ended == set(ids[1:])
        assert list(watcher.finals_so_far()) == []


def test_jobs_that_come_later_do_not_wait_for_one_that_goes_on(at_work: Doors) -> None:
    seen = Seen()
    (hanging,) = submit(at_work, "hang")
    with watching(at_work, seen) as watcher:
        watcher.add([hanging])
        assert seen.running.wait(20)
        (later,) = submit(at_work, "a.pdf")
        watcher.add([later])
        assert watcher.next_final().id == later


def test_a_restart_of_the_daemon_is_waited_for(at_work: Doors) -> None:
    seen = Seen()
    (hanging,) = submit(at_work, "hang")
    with watching(at_work, seen) as watcher:
        watcher.add([hanging])
        assert seen.running.wait(20)
        restart(at_work)
        at_work.run(at_work.jobs.watched(1))
        at_work.run(at_work.jobs.succeed(hanging))
        ended = watcher.next_final()
    assert isinstance(ended, Job)
    assert ended.state is JobState.SUCCEEDED
    # What was told before the restart is not told again.
    assert [job.version for job in seen.jobs] == sorted({job.version for job in seen.jobs})


def test_a_job_that_was_forgotten_does_not_keep_the_others_from_their_end(at_work: Doors) -> None:
    ids = submit(at_work, "a.pdf", "fail:document-damaged", "b.pdf")
    with Client.connect(at_work.varlink_path) as client:
        client.watch(ids, lambda job: None)
        client.forget(ids[1])
    with watching(at_work, Seen()) as watcher:
        watcher.add(ids)
        ended = {each.id: each for each in (watcher.next_final() for _ in ids)}
    assert set(ended) == set(ids)
    gone = ended[ids[1]]
    assert isinstance(gone, Gone)
    assert gone.error.code == "job-unknown"


def test_what_the_one_who_is_told_raises_reaches_the_one_who_waits(at_work: Doors) -> None:
    def broken(job: Job) -> None:
        raise BrokenPipeError

    ids = submit(at_work, "a.pdf")
    with Patience(60, lambda line: None) as patience, Watcher(at_work.varlink_path, patience, broken) as watcher:
        watcher.add(ids)
        with pytest.raises(BrokenPipeError):
            watcher.next_final()


def test_a_daemon_that_stays_away_is_an_error_in_the_end(at_work: Doors) -> None:
    seen = Seen()
    (hanging,) = submit(at_work, "hang")
    with Patience(0.2, lambda line: None) as patience, Watcher(at_work.varlink_path, patience, seen) as watcher:
        watcher.add([hanging])
        assert seen.running.wait(20)
        at_work.run(at_work.varlink.stop(0))
        at_work.varlink_path.unlink(missing_ok=True)
        with pytest.raises(NdfdError) as raised:
            watcher.next_final()
    assert raised.value.code == "daemon-unavailable"
