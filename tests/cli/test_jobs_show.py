"""`ndfd jobs show`."""

from __future__ import annotations

import io
import json

from rich.console import Console

from ndfd.cli.job_text import facts
from ndfd.cli.jobs_table import print_job
from ndfd.model.conversion import ConversionReport, PageReport
from ndfd.model.document import PageStatus
from ndfd.model.job_states import JobState
from ndfd.model.jobs import JobChange, JobFault
from tests.cli.conftest import Ndfd
from tests.cli.test_jobs_list import NOW, job, settled
from tests.server.doors import Doors


def test_state_document_fault_hint_and_history_are_shown(ndfd: Ndfd, at_work: Doors) -> None:
    (job_id,) = settled(at_work, "fail:document-damaged", batch="7")
    ran = ndfd("jobs", "show", job_id)
    assert (ran.status, ran.stderr) == (0, "")
    top, history = ran.stdout.split("\n\n")
    lines = top.splitlines()
    assert lines[0] == f"job         {job_id}"
    assert lines[1] == "state       failed"
    assert lines[2].startswith("document    fail:document-damaged, ")
    assert "labels      batch=7" in lines
    assert "error       it is document-damaged (document-damaged, page 3)" in lines
    assert "what to do  the file may be truncated: fetch or export it again" in lines
    assert [line.split()[2] for line in history.splitlines()] == ["accepted", "started", "failed"]


def test_as_json_it_is_the_job_with_its_history(ndfd: Ndfd, at_work: Doors) -> None:
    (job_id,) = settled(at_work, "a.pdf")
    answer = json.loads(ndfd("jobs", "show", "--json", job_id).stdout)
    assert (answer["id"], answer["state"], answer["report"]["pages"]) == (job_id, "succeeded", 3)
    assert [change["event"] for change in answer["history"]] == ["accepted", "started", "succeeded"]


def test_a_job_that_there_is_not_is_one_line_and_no_input(ndfd: Ndfd, at_work: Doors) -> None:
    for job_id in ("job999999", "no id at all", ""):
        ran = ndfd("jobs", "show", job_id)
        assert (ran.status, ran.stdout, ran.stderr.count("\n")) == (66, "", 1)
        assert "(job-unknown)" in ran.stderr


def test_everything_that_is_known_has_its_line() -> None:
    problems = tuple(PageReport(number, 100, PageStatus.PARTIAL, ("garbled text",)) for number in range(1, 31))
    told = list(
        facts(
            job(
                state=JobState.SUCCEEDED,
                started_at=NOW - 100,
                finished_at=NOW - 40,
                attempts=2,
                interruptions=1,
                priority=-3,
                pool="bulk",
                deadline_s=90.0,
                key="k",
                labels={"b": "2", "a": "1"},
                deliveries_due=1,
                deliveries_failed=2,
                report=ConversionReport(100, 30, 2, "text/markdown", 5, 0.25, 4096, problems),
            ),
            NOW,
        )
    )
    texts = dict(told)
    assert texts["runs"].startswith("2, 1 interrupted by the end of the daemon, the last one from ")
    assert texts["runs"].endswith(", 1m00s")
    assert texts["ended"].endswith(", 40.0 s ago")
    assert (texts["priority"], texts["pool"], texts["deadline"]) == ("-3", "bulk", "1m30s for each run")
    assert (texts["key"], texts["labels"], texts["user"]) == ("k", "a=1, b=2", "1000")
    assert texts["pages"] == "100, 30 partial, 2 failed"
    assert ("", "page 20 partial (garbled text)") in told
    assert ("", "page 21 partial (garbled text)") not in told
    assert ("", "12 more; see --json") in told
    assert texts["deliveries"] == "1 to be made, 2 given up"


def test_what_another_program_has_put_there_is_made_harmless() -> None:
    bad = "x\x1b]0;title\x07"
    fault = JobFault(bad, bad, bad, retryable=False)
    told = facts(job(state=JobState.FAILED, name=bad, pool=bad, key=bad, labels={bad: bad}, fault=fault), NOW)
    assert all(text.isprintable() for _, text in told)


def test_a_run_that_failed_before_the_next_one_is_the_last_error() -> None:
    fault = JobFault("worker-crashed", "it crashed", "try again", retryable=True)
    texts = dict(facts(job(fault=fault, not_before=NOW + 5, attempts=1, started_at=NOW - 9), NOW))
    assert texts["state"] == "queued, again in 5.0 s, worker-crashed"
    assert texts["last error"] == "it crashed (worker-crashed)"


def test_on_a_terminal_the_same_is_said() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    print_job(job(), (JobChange(NOW, "accepted", JobState.QUEUED, 0),), NOW, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "document" in text
    assert "a.pdf, 5 bytes, to markdown" in text
    assert "accepted     queued" in text
