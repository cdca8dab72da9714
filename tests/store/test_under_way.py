"""The record of what has a worker: what is in it when the daemon is killed, and what the next life makes of it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ndfd.model.conversion import OutputFormat
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job
from ndfd.platform import storage
from ndfd.store.leases import Run
from ndfd.store.under_way import FILE, UnderWay, left
from tests.store.opened import killed, lease, opened, run, submit


def leased(number: int, version: int = 2) -> Job:
    return Job(f"{number:026}", JobState.RUNNING, 1000, OutputFormat.MARKDOWN, 1, version, 0.0)


_ADD_AND_DIE = """
import os, signal, sys
from pathlib import Path
from ndfd.store.under_way import UnderWay
from tests.store.test_under_way import leased

under_way = UnderWay(Path(sys.argv[1]))
for number in range(600):
    under_way.add(leased(number))
for number in range(0, 600, 2):
    under_way.remove(leased(number))
under_way.add(leased(7000))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_exactly_what_had_a_worker_however_much_that_is(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _ADD_AND_DIE, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    found = left(tmp_path)
    assert found.complete
    assert found.runs == {Run.of(leased(number)) for number in [*range(1, 600, 2), 7000]}


def test_only_the_run_that_had_the_worker_is_suspected_and_not_a_later_one_of_its_job(tmp_path: Path) -> None:
    under_way = UnderWay(tmp_path)
    under_way.add(leased(1, version=2))
    found = left(tmp_path)
    assert found.may_have_ended_it(Run.of(leased(1, version=2)))
    assert not found.may_have_ended_it(Run.of(leased(1, version=4)))
    under_way.close()


def test_once_the_daemon_is_asked_to_stop_nothing_is_suspected_of_its_end(tmp_path: Path) -> None:
    under_way = UnderWay(tmp_path)
    under_way.add(leased(1))
    under_way.stop()
    under_way.add(leased(2))
    assert left(tmp_path) == (frozenset(), True)
    under_way.close()


def test_a_new_life_begins_with_an_empty_record(tmp_path: Path) -> None:
    under_way = UnderWay(tmp_path)
    for number in range(600):
        under_way.add(leased(number))
    UnderWay(tmp_path).close()
    assert left(tmp_path) == (frozenset(), True)
    under_way.close()


@pytest.mark.parametrize("cause", ["the machine was started anew", "there was no record"])
def test_where_nobody_knows_what_had_a_worker_all_that_was_leased_is_suspected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    async def body() -> None:
        async with killed(tmp_path) as store:
            job = (await submit(store)).job
            await lease(store, job.id)
        if cause == "there was no record":
            (tmp_path / FILE).unlink()
        else:
            monkeypatch.setattr(storage, "boot_id", lambda: "another")
        async with opened(tmp_path) as store:
            now = await store.get(job.id, None)
            assert (now.state, now.attempts, now.interruptions) == (JobState.QUEUED, 1, 1)

    run(body())


@pytest.mark.skipif(sys.platform != "linux", reason="no other system says it yet")
def test_the_start_of_the_machine_has_a_name() -> None:
    assert len(storage.boot_id()) == 36
    assert storage.boot_id() == storage.boot_id()


def test_records_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    under_way = UnderWay(tmp_path)
    under_way.add(leased(1))
    under_way._file.seek(0, os.SEEK_END)
    under_way._file.write(b"one\ntwo words\n\xff\xfe 3\n1 2 3\n4 " + b"9" * 5000 + b"\n5 -5\n6 7")
    assert left(tmp_path).runs == {Run.of(leased(1)), Run("6", 7)}
    under_way._records.clear()
    under_way.close()


def test_a_run_goes_on_that_cannot_be_recorded_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    under_way = UnderWay(tmp_path)
    refusing = os.open(tmp_path / FILE, os.O_RDONLY)
    os.dup2(refusing, under_way._file.fileno())
    os.close(refusing)
    with caplog.at_level(logging.ERROR):
        under_way.add(leased(1))
        under_way.add(leased(2))
        under_way.remove(leased(1))
    assert len(caplog.records) == 1
    assert "what runs is not recorded" in caplog.text
    under_way.close()
