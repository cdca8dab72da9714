"""The client's methods for durable jobs, over the real door."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from ndfd.client import Client
from ndfd.errors import (
    DamagedDocument,
    JobCancelled,
    JobNotFinished,
    JobStateConflict,
    JobUnknown,
    KeyReused,
    NotPermitted,
    QuotaExceeded,
    ShuttingDown,
    Unavailable,
    UsageError,
)
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobOptions, JobQuery
from tests.server.doors import Doors, open_descriptors
from tests.server.test_varlink_jobs import USER


def test_a_file_becomes_a_job_under_its_name(client: Client, doors: Doors, tmp_path: Path) -> None:
    path = tmp_path / "a document.pdf"
    path.write_bytes(b"from a file")
    submission = client.submit(path)
    assert not submission.reused
    assert (submission.job.state, submission.job.name) == (JobState.QUEUED, "a document.pdf")
    ((document, options, uid),) = doors.jobs.seen
    assert (document, uid) == (b"from a file", os.getuid())
    assert options == JobOptions(ConvertOptions(name="a document.pdf"))


def test_all_that_is_asked_arrives(client: Client, doors: Doors) -> None:
    convert = ConvertOptions(OutputFormat.JSON, password="p", name="n", deadline_s=0.25, pool="bulk")
    options = JobOptions(convert, priority=-3, key="k", labels={"a": "b"})
    submission = client.submit(b"bytes", options)
    assert doors.jobs.seen[0].options == options
    assert submission.job == doors.run(doors.jobs.get(submission.job.id, None))
    assert client.submit(b"bytes", options).reused
    with pytest.raises(KeyReused):
        client.submit(b"others", options)


def test_a_refusal_says_when_to_try_again(client: Client, doors: Doors) -> None:
    doors.jobs.refusal = QuotaExceeded("full")
    with pytest.raises(QuotaExceeded) as unknown:
        client.submit(b"x")
    assert unknown.value.retry_after_s is None
    doors.jobs.refusal.retry_after_s = 2.5
    with pytest.raises(QuotaExceeded) as refused:
        client.submit(b"x")
    assert (refused.value.retry_after_s, refused.value.generation) == (2.5, 1)


def test_what_makes_no_sense_is_refused(client: Client, doors: Doors) -> None:
    with pytest.raises(UsageError, match="the priority 11"):
        client.submit(b"x", JobOptions(priority=11))
    with pytest.raises(UsageError, match="the limit 0"):
        client.jobs(JobQuery(limit=0))
    with pytest.raises(UsageError, match="0 jobs are named"):
        client.watch((), pytest.fail)


def test_jobs_are_shown_and_listed(client: Client, doors: Doors) -> None:
    jobs = [client.submit(b"%d" % number, JobOptions(labels={"n": str(number % 2)})).job for number in range(5)]
    assert client.job(jobs[1].id) == jobs[1]
    assert [change.event for change in client.job_history(jobs[1].id)] == ["accepted"]
    assert client.jobs().jobs == tuple(reversed(jobs))
    page = client.jobs(JobQuery(limit=2, labels={"n": "0"}, states=(JobState.QUEUED,)))
    assert page.jobs == (jobs[4], jobs[2])
    rest = client.jobs(JobQuery(limit=2, labels={"n": "0"}, states=(JobState.QUEUED,), cursor=page.cursor))
    assert (rest.jobs, rest.cursor) == ((jobs[0],), None)
    assert client.jobs(JobQuery(uid=4242)).jobs == ()
    with pytest.raises(JobUnknown):
        client.job("none")


def test_a_watch_tells_each_change_and_returns_when_all_have_ended(client: Client, doors: Doors) -> None:
    one, two = (client.submit(content).job.id for content in (b"1", b"2"))
    seen: list[tuple[str, JobState, int | None]] = []

    def on_change(job: Job) -> None:
        seen.append((job.id, job.state, job.pages_done))
        if len(seen) == 2:
            doors.begin(doors.jobs.start(one))
            doors.begin(doors.jobs.page(one, 1, 3))
            doors.begin(doors.jobs.succeed(one))
            doors.begin(doors.jobs.fail(two, DamagedDocument("torn")))

    client.watch((one, two), on_change)
    assert [told for told in seen if told[0] == one] == [
        (one, JobState.QUEUED, None),
        (one, JobState.RUNNING, None),
        (one, JobState.RUNNING, 1),
        (one, JobState.SUCCEEDED, None),
    ]
    assert seen[-1] == (two, JobState.FAILED, None)
    assert client.status().version


def test_a_watch_ends_in_what_ends_it(client: Client, doors: Doors) -> None:
    job_id = client.submit(b"1").job.id

    def stop(job: Job) -> None:
        doors.begin(doors.jobs.stop_watches(ShuttingDown("the daemon stops")))

    with pytest.raises(ShuttingDown):
        client.watch((job_id,), stop)
    with pytest.raises(JobUnknown):
        client.watch((job_id, "none"), lambda job: None)
    assert client.status().version


def test_a_watch_can_be_left_by_its_callback_and_by_a_close_from_another_thread(doors: Doors) -> None:
    def refuse(job: Job) -> None:
        raise KeyboardInterrupt

    with Client.connect(doors.varlink_path) as client:
        job_id = client.submit(b"1").job.id
        with pytest.raises(KeyboardInterrupt):
            client.watch((job_id,), refuse)
    doors.run(doors.jobs.watched(0))
    with Client.connect(doors.varlink_path) as client, pytest.raises(Unavailable):
        client.watch((job_id,), lambda job: threading.Thread(target=client.close).start())
    doors.run(doors.jobs.watched(0))


def test_a_result_is_what_the_job_gave(client: Client, doors: Doors) -> None:
    job_id = client.submit(b"1", JobOptions(ConvertOptions(OutputFormat.TEXT))).job.id
    with pytest.raises(JobNotFinished):
        client.result(job_id)
    doors.run(doors.jobs.succeed(job_id, b"ein Ergebnis" * 1_000_000))
    with client.result(job_id) as conversion:
        assert len(conversion.text) == 12_000_000
        assert (conversion.report.pages, conversion.report.media_type) == (3, OutputFormat.TEXT.media_type)
        assert conversion.generation == 1


def test_a_result_that_there_is_not_is_the_error_that_the_job_ended_in(client: Client, doors: Doors) -> None:
    failed, cancelled = (client.submit(content).job.id for content in (b"1", b"2"))
    doors.run(doors.jobs.fail(failed, DamagedDocument("it is torn", page=3)))
    with pytest.raises(DamagedDocument, match="it is torn") as damaged:
        client.result(failed)
    assert damaged.value.page == 3
    client.cancel(cancelled)
    with pytest.raises(JobCancelled):
        client.result(cancelled)


def test_jobs_are_cancelled_run_anew_and_forgotten(client: Client, doors: Doors) -> None:
    job_id = client.submit(b"1").job.id
    with pytest.raises(JobStateConflict):
        client.forget(job_id)
    assert client.cancel(job_id).state is JobState.CANCELLED
    assert client.cancel(job_id).state is JobState.CANCELLED
    assert client.retry(job_id).state is JobState.QUEUED
    with pytest.raises(JobStateConflict):
        client.retry(job_id)
    doors.run(doors.jobs.succeed(job_id))
    client.forget(job_id)
    with pytest.raises(JobUnknown):
        client.forget(job_id)


def test_a_backup_is_written_to_a_descriptor(
    client: Client, doors: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "backup").open("wb") as file:
        assert client.backup(file.fileno()).size_bytes == 8
        monkeypatch.setattr("ndfd.platform.peer_identity", lambda connection: USER)
        with Client.connect(doors.varlink_path) as user, pytest.raises(NotPermitted):
            user.backup(file.fileno())
    assert (tmp_path / "backup").read_bytes() == b"a backup"


def test_no_outcome_leaves_a_descriptor_behind(doors: Doors) -> None:
    doors.wait_idle()
    before = open_descriptors()
    with Client.connect(doors.varlink_path) as client:
        for number in range(3):
            job_id = client.submit(b"%d" % number).job.id
            with pytest.raises(JobNotFinished):
                client.result(job_id)
            doors.run(doors.jobs.succeed(job_id))
            client.result(job_id).close()
    doors.wait_idle()
    assert open_descriptors() == before
