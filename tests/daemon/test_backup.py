"""A backup of a daemon at work, put back, and a daemon that goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from ndfd.client import Client
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobOptions, JobQuery
from tests.daemon.conftest import Running, Start, environment

DOCUMENT = Path(__file__).resolve().parents[2] / "examples" / "handbook.pdf"


def ndfd(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "ndfd", *arguments], env=environment(), check=False, capture_output=True, timeout=60
    )


def ended(client: Client, job: Job) -> Job:
    client.watch((job.id,), lambda _job: None)
    return client.job(job.id)


def text_of(client: Client, job: Job) -> bytes:
    with client.result(job.id) as result:
        return bytes(result.content)


def test_jobs_outlive_the_loss_of_the_whole_folder(daemon: Running, start: Start, tmp_path: Path) -> None:
    socket = daemon.folder / "ndfd.sock"
    with daemon.client() as client:
        job = client.submit(DOCUMENT, JobOptions(labels={"kind": "handbook"})).job
        assert ended(client, job).state is JobState.SUCCEEDED
        text = text_of(client, job)
        made = ndfd("backup", "--socket", socket, tmp_path / "b.tar")
        assert made.returncode == 0, made.stderr
        assert b"1 job (1 document, 1 result" in made.stdout
        # Through a pipe it is one as well.
        with (tmp_path / "piped.tar").open("wb") as file:
            command = [sys.executable, "-m", "ndfd", "backup", "--socket", str(socket), "-"]
            with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as piped:
                assert piped.stdout is not None
                file.write(piped.stdout.read())
        assert piped.returncode == 0
        assert ndfd("restore", "--verify-only", tmp_path / "piped.tar").returncode == 0
        client.forget(job.id)
    running = ndfd("restore", "--replace", tmp_path / "b.tar", "--state-dir", tmp_path / "state")
    assert running.returncode != 0
    assert f"(pid {daemon.process.pid})".encode() in running.stderr
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(timeout=60) == 0
    restored = ndfd("restore", "--replace", tmp_path / "b.tar", "--state-dir", tmp_path / "state")
    assert restored.returncode == 0, restored.stderr
    process = start()
    assert process.stdout is not None
    assert process.stdout.readline()
    with Client.connect(socket) as client:
        (found,) = client.jobs(JobQuery(labels={"kind": "handbook"})).jobs
        assert (found.id, found.uid, found.state) == (job.id, os.geteuid(), JobState.SUCCEEDED)
        assert text_of(client, found) == text
