"""Durable jobs of a real daemon: over its deaths, its stops and its reloads."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from ndfd.client import Client
from ndfd.client.private import PrivateDaemon
from ndfd.errors import ConfigError, NotSupported
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobOptions, JobQuery
from tests.daemon.configured import running
from tests.daemon.conftest import Running, Start
from tests.documents.sound import text_pages

ONE_WORKER = "[swarm]\nworkers = 1\n"
TEXT = JobOptions(ConvertOptions(OutputFormat.TEXT))


def documents(count: int) -> list[bytes]:
    """Different ones."""
    return [text_pages([f"number {each}"]) for each in range(count)]


def ended(client: Client, ids: tuple[str, ...]) -> dict[str, Job]:
    """The jobs once they have ended."""
    last: dict[str, Job] = {}
    client.watch(ids, lambda job: last.__setitem__(job.id, job))
    return last


def text_of(client: Client, job_id: str) -> str:
    with client.result(job_id) as result:
        return result.text.strip()


def ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline(), process.communicate()[1].decode()


def test_jobs_outlive_a_daemon_that_is_killed(daemon: Running, start: Start) -> None:
    with daemon.client() as client:
        ids = tuple(client.submit(each, TEXT).job.id for each in documents(20))
    daemon.process.kill()
    daemon.process.wait()
    ready(start())
    with daemon.client() as client:
        assert {job.state for job in ended(client, ids).values()} == {JobState.SUCCEEDED}
        assert [text_of(client, each) for each in ids] == [f"number {each}" for each in range(20)]
        # Once more, it is the same job, and nothing runs.
        assert [client.submit(each, TEXT).reused for each in documents(2)] == [True, True]
        for each in ids:
            events = [change.event for change in client.job_history(each)]
            assert events.count("succeeded") == 1
        status = client.status().jobs
        assert status is not None
        assert (status.succeeded, status.queued, status.running) == (20, 0, 0)


def test_a_daemon_that_is_told_to_stop_puts_back_what_it_has_not_done(daemon: Running, start: Start) -> None:
    with daemon.client() as client:
        ids = tuple(client.submit(each, TEXT).job.id for each in documents(30))
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(60) == 0
    ready(start())
    with daemon.client() as client:
        jobs = ended(client, ids)
        assert {job.state for job in jobs.values()} == {JobState.SUCCEEDED}
        # Nothing was cut off: what had no worker yet was put back.
        assert {job.interruptions for job in jobs.values()} == {0}


def test_a_second_daemon_on_the_same_state_says_who_has_it(daemon: Running, start: Start, tmp_path: Path) -> None:
    second = start(NDFD_NETWORK__SOCKET_DIR=str(tmp_path / "other"))
    _, said = second.communicate(timeout=60)
    assert second.returncode == 74
    assert str(daemon.process.pid) in said.decode()
    assert str(tmp_path / "state") in said.decode()
    assert "Traceback" not in said.decode()


def test_a_daemon_without_jobs_says_so(tmp_path: Path) -> None:
    with running(tmp_path, ONE_WORKER + "[jobs]\nenabled = false\n") as daemon, daemon.client() as client:
        with pytest.raises(NotSupported, match="keeps no jobs"):
            client.submit(documents(1)[0], TEXT)
        assert client.status().jobs is None
        assert not (tmp_path / "state").exists()


def test_a_private_daemon_keeps_none() -> None:
    with PrivateDaemon() as daemon, Client.connect(daemon.socket) as client, pytest.raises(NotSupported):
        client.submit(documents(1)[0], TEXT)


def test_a_reload_begins_to_watch_a_folder_and_to_deliver(tmp_path: Path) -> None:
    inbox, outbox = tmp_path / "inbox", tmp_path / "outbox"
    inbox.mkdir()
    outbox.mkdir()
    with running(tmp_path, ONE_WORKER) as daemon, daemon.client() as client:
        (inbox / "a.pdf").write_bytes(documents(1)[0])
        watch = f'[watch.inbox]\npath = "{inbox}"\nformat = "text"\nsettle = "100ms"\non_success = "delete"\n'
        daemon.write(f'{ONE_WORKER}{watch}[hooks.out]\nfolder = "{outbox}"\n')
        assert client.reload().generation == 2
        while not (jobs := client.jobs(JobQuery(labels={"watch": "inbox"})).jobs):
            pass
        while jobs[0].deliveries_due or not jobs[0].state.is_final:
            jobs = (client.job(jobs[0].id),)
        assert (outbox / "a.txt").read_text().strip() == "number 0"
        assert (inbox / "results" / "a.txt").read_text().strip() == "number 0"
        assert not (inbox / "a.pdf").exists()

        daemon.write(f'{ONE_WORKER}[watch.inbox]\npath = "{tmp_path / "nowhere"}"\n')
        with pytest.raises(ConfigError, match=r"config\.toml:4:8: watch\.inbox\.path: .*nowhere is not there"):
            client.reload()
        daemon.write(ONE_WORKER)
        client.reload()
        (inbox / "b.pdf").write_bytes(documents(2)[1])
        client.submit(documents(3)[2], TEXT)
        assert len(client.jobs(JobQuery(labels={"watch": "inbox"})).jobs) == 1
        assert (inbox / "b.pdf").exists()
