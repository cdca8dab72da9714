"""`ndfd jobs watch`."""

from __future__ import annotations

import io
import json
import signal
import subprocess
from collections.abc import Callable

from rich.console import Console

from ndfd.cli.jobs_bar import JobsBar
from ndfd.client import Client
from ndfd.model.job_states import JobState
from ndfd.model.jobs import JobFault
from tests.cli.conftest import Ndfd
from tests.cli.restart import restart
from tests.cli.test_convert_for_real import Terminal
from tests.cli.test_jobs_list import job, settled, submit
from tests.server.doors import Doors

Start = Callable[..., "subprocess.Popen[bytes]"]


def test_elsewhere_than_on_a_terminal_each_change_is_a_line(start: Start, at_work: Doors) -> None:
    (job_id,) = submit(at_work, "wait")
    process = start("jobs", "watch", job_id)
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    at_work.run(at_work.jobs.start(job_id))
    at_work.run(at_work.jobs.page(job_id, 1, 3))
    at_work.run(at_work.jobs.succeed(job_id))
    rest, err = process.communicate(timeout=60)
    lines += rest.splitlines()
    assert (process.returncode, err) == (0, b"")
    assert [line.decode().split()[2:4] for line in lines] == [
        [job_id, "queued"],
        [job_id, "running"],
        [job_id, "succeeded"],
    ]
    assert lines[-1].endswith(b"  wait, 3 pages")


def test_as_json_each_change_is_an_object_pages_too(start: Start, at_work: Doors) -> None:
    (job_id,) = submit(at_work, "hang")
    process = start("jobs", "watch", "--json", job_id)
    assert process.stdout is not None
    process.stdout.readline()
    at_work.run(at_work.jobs.page(job_id, 1, 3))
    at_work.run(at_work.jobs.succeed(job_id))
    out, _ = process.communicate(timeout=60)
    views = [json.loads(line) for line in out.splitlines()]
    assert [(view["state"], view.get("pages_done")) for view in views] == [("running", 1), ("succeeded", None)]


def test_the_exit_status_tells_how_they_ended(ndfd: Ndfd, at_work: Doors) -> None:
    good, bad, worse = settled(at_work, "a.pdf", "fail:document-damaged", "fail:worker-crashed")
    (cancelled,) = submit(at_work, "wait")
    ndfd("jobs", "cancel", cancelled)
    for ids, status in (([good], 0), ([good, bad], 65), ([worse], 75), ([bad, worse], 65), ([cancelled], 65)):
        ran = ndfd("jobs", "watch", "-q", *ids)
        assert (ran.status, ran.stdout, ran.stderr) == (status, "", "")
    assert "(document-damaged); the file may be truncated" in ndfd("jobs", "watch", bad).stdout


def test_jobs_that_there_are_not_are_reported_and_the_others_watched(ndfd: Ndfd, at_work: Doors) -> None:
    (good,) = settled(at_work, "a.pdf")
    ran = ndfd("jobs", "watch", "job999999", good)
    assert ran.status == 66
    assert ran.stderr.startswith("ndfd: job999999: there is no job 'job999999' (job-unknown); ")
    assert good in ran.stdout


def test_one_that_is_forgotten_meanwhile_is_an_error(ndfd: Ndfd, at_work: Doors, monkeypatch: object) -> None:
    (good, gone) = settled(at_work, "a.pdf", "b.pdf")
    look = Client.job

    def forgetting(self: Client, job_id: str) -> object:
        known = look(self, job_id)
        if job_id == gone and at_work.jobs.watches == 0:
            self.forget(gone)
        return known

    monkeypatch.setattr(Client, "job", forgetting)  # type: ignore[attr-defined]
    ran = ndfd("jobs", "watch", good, gone)
    assert ran.status == 66
    assert f"ndfd: {gone}: there is no job" in ran.stderr


def test_a_restart_of_the_daemon_is_waited_for(start: Start, at_work: Doors) -> None:
    (job_id,) = submit(at_work, "hang")
    process = start("jobs", "watch", "-q", job_id)
    at_work.run(at_work.jobs.watched(1))
    restart(at_work)
    at_work.run(at_work.jobs.succeed(job_id))
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_an_interrupt_ends_the_watching_only(start: Start, at_work: Doors) -> None:
    (job_id,) = submit(at_work, "hang")
    process = start("jobs", "watch", job_id)
    at_work.run(at_work.jobs.watched(1))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith(b"ndfd: 1 job goes on\n")
    assert at_work.jobs._jobs[job_id].state is JobState.RUNNING


def test_on_a_terminal_a_bar_shows_pages_and_a_line_each_end(start: Start, at_work: Doors) -> None:
    first, second = submit(at_work, "hang", "wait")
    terminal = Terminal()
    process = start("jobs", "watch", first, second, stdout=terminal.other_end, stderr=terminal.other_end)
    terminal.wait_for("1 running")
    at_work.run(at_work.jobs.page(first, 7, 40))
    terminal.wait_for("7/40 pages")
    at_work.run(at_work.jobs.succeed(first))
    terminal.wait_for(f"{first}  succeeded")
    at_work.run(at_work.jobs.cancel(second, None))
    assert process.wait(60) == 65
    assert f"{second}  cancelled" in terminal.rest()


def test_no_more_bars_are_shown_than_fit_a_screen_and_all_are_counted() -> None:
    bar = JobsBar(30)
    bar._progress.live.console = bar._console = Console(file=io.StringIO(), width=100)
    jobs = [job(id=f"job{number:02}", state=JobState.RUNNING, pages=9, pages_done=1) for number in range(20)]
    for each in jobs:
        bar.changed(each)
    fault = JobFault("document-damaged", "[red]bad", "", retryable=False)
    bar.changed(job(id="job00", state=JobState.FAILED, version=2, fault=fault))
    (summary, *running) = [task for task in bar._progress.tasks if task.visible]
    assert len(running) == 7
    assert summary.fields["done"] == "1/30, 19 running, 1 failed"
    assert isinstance(bar._console.file, io.StringIO)
    assert "[red]bad (document-damaged)" in bar._console.file.getvalue()
