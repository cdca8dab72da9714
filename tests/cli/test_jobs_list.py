"""`ndfd jobs list`."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable

import pytest
from rich.console import Console

from ndfd.cli.job_text import age, pages, remark, row
from ndfd.cli.jobs_table import print_jobs
from ndfd.client import Client
from ndfd.model.conversion import ConversionReport, ConvertOptions, OutputFormat
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobFault, JobOptions
from tests.cli.conftest import Ndfd
from tests.server.doors import Doors

Start = Callable[..., "subprocess.Popen[bytes]"]

NOW = 2000.0
QUEUED = Job("01kajz3m4vabcdefghjkmnpqrs", JobState.QUEUED, 1000, OutputFormat.MARKDOWN, 5, 1, NOW - 200, name="a.pdf")


def job(**changes: object) -> Job:
    return Job(**{**{field: getattr(QUEUED, field) for field in QUEUED.__struct_fields__}, **changes})


def submit(doors: Doors, *names: str, **labels: str) -> list[str]:
    with Client.connect(doors.varlink_path) as client:
        return [
            client.submit(
                f"bytes {number} of {name} {labels}".encode(), JobOptions(ConvertOptions(name=name), labels=labels)
            ).job.id
            for number, name in enumerate(names)
        ]


def settled(doors: Doors, *names: str, **labels: str) -> list[str]:
    """Submitted, and ended."""
    ids = submit(doors, *names, **labels)
    with Client.connect(doors.varlink_path) as client:
        client.watch(ids, lambda job: None)
    return ids


def test_a_line_for_each_newest_first_under_its_heading(ndfd: Ndfd, at_work: Doors) -> None:
    first, second = settled(at_work, "a.pdf", "fail:document-damaged")
    (third,) = submit(at_work, "wait")
    ran = ndfd("jobs", "list")
    assert (ran.status, ran.stderr) == (0, "")
    heading, *lines = ran.stdout.splitlines()
    assert heading.split() == ["id", "state", "age", "pages", "runs", "name"]
    assert [line.split()[:2] for line in lines] == [[third, "queued"], [second, "failed"], [first, "succeeded"]]
    assert lines[1].endswith("  fail:document-damaged  (document-damaged)")
    assert lines[2].endswith("  a.pdf  (1 page not whole)")


def test_states_and_labels_choose(ndfd: Ndfd, at_work: Doors) -> None:
    ended, failed = settled(at_work, "a.pdf", "fail:document-damaged", batch="7")
    (waiting,) = submit(at_work, "wait", batch="7", other="x")
    submit(at_work, "wait", batch="8")
    assert ndfd("jobs", "list", "-q", "--label", "batch=7").stdout.split() == [waiting, failed, ended]
    assert ndfd("jobs", "list", "-q", "--label", "batch=7", "--label", "other=x").stdout.split() == [waiting]
    chosen = ndfd("jobs", "list", "-q", "--label", "batch=7", "--state", "failed", "--state", "queued")
    assert chosen.stdout.split() == [waiting, failed]


def test_a_user_is_a_name_or_a_number(ndfd: Ndfd, at_work: Doors) -> None:
    for given, uid in (("1000", 1000), ("root", 0), ("network", -1), ("-1", -1)):
        assert ndfd("jobs", "list", "--user", given).status == 0
        assert at_work.jobs.queries[-1][0].uid == uid
    ran = ndfd("jobs", "list", "--user", "no such user")
    assert (ran.status, ran.stderr.count("\n")) == (64, 1)
    assert "there is no user 'no such user'" in ran.stderr


def test_without_jobs_it_says_so(ndfd: Ndfd, at_work: Doors) -> None:
    assert ndfd("jobs", "list").stdout == "there are no jobs\n"
    assert ndfd("jobs", "list", "--state", "failed").stdout == "no job is like that\n"
    assert ndfd("jobs", "list", "-q").stdout == ""
    assert json.loads(ndfd("jobs", "list", "--json").stdout) == []


def test_text_is_cut_and_says_so_and_what_programs_read_is_not(ndfd: Ndfd, at_work: Doors) -> None:
    ids = submit(at_work, *["wait"] * 120)[::-1]
    ran = ndfd("jobs", "list")
    assert [line.split()[0] for line in ran.stdout.splitlines()[1:]] == ids[:100]
    assert ran.stderr == "ndfd: these are the newest 100; see more with --all or --limit N\n"
    assert ndfd("jobs", "list", "--all").stdout.count("\n") == 121
    assert ndfd("jobs", "list", "-q").stdout.split() == ids
    assert [each["id"] for each in json.loads(ndfd("jobs", "list", "--json").stdout)] == ids
    assert ndfd("jobs", "list", "-q", "--limit", "7").stdout.split() == ids[:7]
    whole = ndfd("jobs", "list", "--limit", "120")
    assert (whole.stdout.count("\n"), whole.stderr) == (121, "")


def test_long_lists_are_asked_for_page_by_page_and_printed_as_they_come(
    ndfd: Ndfd, at_work: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ndfd.cli.jobs_list.LIST_MAX", 10)
    ids = submit(at_work, *["wait"] * 35)[::-1]
    asked = len(at_work.jobs.queries)
    assert [each["id"] for each in json.loads(ndfd("jobs", "list", "--json").stdout)] == ids
    assert [query.limit for query, _ in at_work.jobs.queries[asked:]] == [10] * 4
    text = ndfd("jobs", "list", "--limit", "25")
    assert [line.split()[0] for line in text.stdout.splitlines()[1:]] == ids[:25]
    assert [query.limit for query, _ in at_work.jobs.queries[-3:]] == [10, 10, 5]
    assert text.stderr.startswith("ndfd: these are the newest 25;")


@pytest.mark.parametrize("arguments", [("--json", "-q"), ("--all", "--limit", "3"), ("--state", "received"), ("x",)])
def test_what_does_not_go_together_is_wrong_usage(ndfd: Ndfd, arguments: tuple[str, ...]) -> None:
    ran = ndfd("jobs", "list", *arguments)
    assert (ran.status, ran.stderr.count("\n")) == (64, 1)


def test_names_and_faults_of_others_cannot_move_the_terminals_cursor() -> None:
    line = row(job(name="a\x1b[2J\nb", state=JobState.RUNNING), NOW)
    assert line.name == "a\\x1b[2J b"


def test_pages_are_those_that_are_done_or_all_of_the_result() -> None:
    report = ConversionReport(40, 0, 0, "text/plain", 5, 0.1, 4096)
    assert pages(job(state=JobState.RUNNING, pages_done=3, pages=40)) == "3/40"
    assert pages(job(state=JobState.SUCCEEDED, report=report)) == "40"
    assert pages(job()) == ""


def test_a_job_that_waits_for_its_next_run_says_when_and_why() -> None:
    fault = JobFault("worker-crashed", "it crashed", "", retryable=True)
    assert remark(job(not_before=NOW + 5, fault=fault), NOW) == "again in 5.0 s, worker-crashed"
    assert remark(job(state=JobState.FAILED, fault=fault), NOW) == "worker-crashed"


def test_a_clock_that_was_set_back_gives_no_negative_age() -> None:
    assert age(NOW + 60, NOW) == "0.0 s"


@pytest.mark.parametrize("width", [80, 200])
def test_on_a_terminal_each_job_is_one_line_that_fits(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    long = job(name="a name that is far too long for any terminal " * 10, state=JobState.QUARANTINED)
    print_jobs([long, job()], NOW, with_user=False, header=True, console=console)
    print_jobs([job(uid=1001)], NOW, with_user=True, header=False, console=console)
    assert isinstance(console.file, io.StringIO)
    heading, first, second, third = console.file.getvalue().splitlines()
    assert heading.split() == ["id", "state", "age", "pages", "runs", "name"]
    assert len(first.rstrip()) <= width
    assert first.startswith(f"{QUEUED.id} quarantined  3m20s")
    assert "…" in first
    assert second.rstrip().endswith("a.pdf")
    assert "1001" in third


def test_a_reader_that_goes_away_ends_it_quietly(start: Start, at_work: Doors) -> None:
    submit(at_work, *["wait"] * 3000)
    process = start("jobs", "list", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 141
