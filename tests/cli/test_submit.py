"""`ndfd submit` in front of real doors, whose jobs do as the documents' names say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd.cli import submissions
from ndfd.client import Client
from ndfd.errors import QuotaExceeded, ShuttingDown, Unavailable
from ndfd.model.jobs import JobOptions, Submission
from tests.cli.conftest import Ndfd
from tests.cli.restart import restart
from tests.server.doors import Doors

Start = Callable[..., "subprocess.Popen[bytes]"]


def write(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {path.name}")
    return paths


def names_of(doors: Doors, ids: list[str]) -> list[str | None]:
    with Client.connect(doors.varlink_path) as client:
        return [client.job(each).name for each in ids]


def refusal(retry_after_s: float) -> QuotaExceeded:
    error = QuotaExceeded("too many jobs wait")
    error.retry_after_s = retry_after_s
    return error


def test_the_ids_come_on_stdout_in_the_order_of_the_arguments(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    paths = write(tmp_path, *(f"{number}.pdf" for number in range(100)))
    ran = ndfd("submit", "-q", *paths)
    assert (ran.status, ran.stderr) == (0, "")
    assert names_of(at_work, ran.stdout.splitlines()) == [path.name for path in paths]


def test_a_summary_goes_to_stderr_where_there_are_several(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    assert ndfd("submit", *write(tmp_path, "a.pdf")).stderr == ""
    ran = ndfd("submit", *write(tmp_path, "a.pdf", "b.pdf", "refuse:document-empty"))
    assert ran.stderr.splitlines()[-1].startswith("ndfd: 2 of 3 documents submitted in ")
    assert ran.stderr.endswith("; 1 of them before; 1 refused\n")


def test_folders_are_searched(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    write(tmp_path / "in", "b.pdf", "sub/a.PDF", "notes.txt")
    ran = ndfd("submit", tmp_path / "in")
    assert names_of(at_work, ran.stdout.splitlines()) == ["b.pdf", "a.PDF"]


def test_all_that_is_asked_of_a_job_reaches_the_daemon(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    (path,) = write(tmp_path, "a.pdf")
    password = tmp_path / "password"
    password.write_text("secret\nnot this")
    asked = "-f html --priority -5 --deadline 2m --key k1 --label batch=7 --label a=b=c --pool bulk --password-file"
    assert ndfd("submit", *asked.split(), password, path).status == 0
    ((document, options, uid),) = at_work.jobs.seen
    convert = options.convert
    assert (document, uid) == (b"content of a.pdf", os.getuid())
    assert (convert.format.value, convert.name, convert.pool, convert.password) == ("html", "a.pdf", "bulk", "secret")
    assert (convert.deadline_s, options.priority, options.key) == (120.0, -5, "k1")
    assert options.labels == {"batch": "7", "a": "b=c"}


def test_one_json_object_for_each_document(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    good, bad = write(tmp_path, "a.pdf", "refuse:document-empty")
    ran = ndfd("submit", "--json", good, bad)
    first, second = map(json.loads, ran.stdout.splitlines())
    assert (first["file"], first["reused"], first["job"]["name"]) == (str(good), False, "a.pdf")
    assert (second["file"], second["error"]["code"]) == (str(bad), "document-empty")
    assert ran.status == 65


def test_a_document_that_was_submitted_before_is_said_so_and_is_the_same_job(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path
) -> None:
    (path,) = write(tmp_path, "hang")
    first = ndfd("submit", path)
    again = ndfd("submit", path)
    assert (again.status, again.stdout) == (0, first.stdout)
    assert again.stderr == f"ndfd: {path}: was submitted before: job {first.stdout.strip()}, running\n"
    assert ndfd("submit", "-q", path).stderr == ""


def test_of_many_that_were_submitted_before_most_are_only_counted(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    paths = write(tmp_path, *(f"{number}.pdf" for number in range(30)))
    ndfd("submit", *paths)
    ran = ndfd("submit", *paths)
    assert ran.stderr.count("was submitted before: job") == 5
    assert "; 30 of them before\n" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--key", "k", "a.pdf", "b.pdf"), "--key belongs to one document"),
        (("--key", "", "a.pdf"), "a key has from 1 to 255 characters"),
        (("-o", "out", "a.pdf"), "it goes with --wait"),
        (("--wait", "--json", "a.pdf"), "--json with --wait needs -o DIR"),
        (("--label", "x", "a.pdf"), "'x' is no label: write NAME=VALUE"),
        (("--label", "x=1", "--label", "x=2", "a.pdf"), "the label 'x' is given twice"),
        (("--priority", "11", "a.pdf"), "11 is not in the range"),
        (("--no-retry", "--retry-for", "1m", "a.pdf"), "contradict each other"),
        (("-", "-"), "stdin can be read once"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage_on_one_line(
    ndfd: Ndfd, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    ran = ndfd("submit", *arguments)
    assert (ran.status, ran.stdout) == (64, "")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_the_fault_of_the_command_line_is_said_once_not_for_each_document(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path
) -> None:
    paths = write(tmp_path, *(f"{number}.pdf" for number in range(10)))
    for arguments, status, said in (
        (("--pool", "fast"), 64, "there is no pool 'fast'"),
        (("--label", " =x"), 64, "is no name of a label"),
    ):
        ran = ndfd("submit", *arguments, *paths)
        assert (ran.status, ran.stdout) == (status, "")
        assert ran.stderr.count(said) == 1
    assert at_work.jobs.seen == []


def test_a_refused_document_is_one_line_and_the_rest_go_on(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    good, other = write(tmp_path, "a.pdf", "b.pdf")
    ran = ndfd("submit", good, tmp_path / "missing.pdf", other)
    assert ran.status == 66
    assert len(ran.stdout.splitlines()) == 2
    assert f"{tmp_path}/missing.pdf: No such file or directory (input-unreadable)" in ran.stderr


def test_without_a_daemon_it_says_so_and_starts_none(ndfd: Ndfd, tmp_path: Path) -> None:
    ran = ndfd("submit", "--socket", tmp_path / "no.sock", *write(tmp_path, "a.pdf"))
    assert ran.status == 69
    assert ran.stderr.count("\n") == 1


def test_more_documents_than_the_daemon_takes_at_a_time_are_all_submitted_in_the_end(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path
) -> None:
    at_work.jobs.places = 3
    paths = write(tmp_path, *(f"{number}/pages:20" for number in range(60)))
    for path in paths:
        path.write_text(str(path))
    ran = ndfd("submit", *paths)
    assert ran.status == 0
    assert len(set(ran.stdout.splitlines())) == 60
    assert ran.stderr.count("(quota-exceeded)") == 1
    assert "trying again for up to 10m" in ran.stderr


def test_without_retry_the_first_refusal_ends_it_and_what_was_taken_is_told(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path
) -> None:
    at_work.jobs.places = 3
    ran = ndfd("submit", "--no-retry", *write(tmp_path, *(f"wait:{number}" for number in range(60))))
    assert ran.status == 75
    assert len(ran.stdout.splitlines()) == 3
    remark, error = ran.stderr.splitlines()
    assert remark.startswith("ndfd: 3 of 60 documents are submitted; give them all again: ")
    assert "(quota-exceeded)" in error


def test_giving_up_takes_as_long_as_it_is_told(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    at_work.jobs.places = 0
    ran = ndfd("submit", "--retry-for", "200ms", *write(tmp_path, "a.pdf"))
    assert ran.status == 75
    assert "trying again for up to 200ms" in ran.stderr


def test_a_daemon_that_is_stopping_is_waited_for(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    at_work.jobs.refusals.append(ShuttingDown("the daemon is stopping"))
    ran = ndfd("submit", *write(tmp_path, "a.pdf"))
    assert ran.status == 0
    assert "(daemon-stopping)" in ran.stderr


def test_an_answer_that_is_lost_is_asked_for_again_and_gives_the_one_job(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = Client.submit
    lost: list[Submission] = []

    def losing(self: Client, document: Path, options: JobOptions) -> Submission:
        submission = submit(self, document, options)
        if not lost:
            lost.append(submission)
            restart(at_work)
            raise Unavailable("the daemon closed the connection")
        return submission

    monkeypatch.setattr(Client, "submit", losing)
    ran = ndfd("submit", *write(tmp_path, "a.pdf"))
    assert (ran.status, ran.stdout.split()) == (0, [lost[0].job.id])
    assert "was submitted before" not in ran.stderr


def test_what_was_acknowledged_is_told_when_the_daemon_stays_away(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = Client.submit

    def leaving(self: Client, document: Path, options: JobOptions) -> Submission:
        if options.convert.name == "0.pdf":
            # Its answer would come first; the others are there before the daemon goes.
            at_work.run(_until_seen(at_work, 3))
            at_work.run(at_work.varlink.stop(0))
            at_work.varlink_path.unlink(missing_ok=True)
            raise Unavailable("the daemon closed the connection")
        return submit(self, document, options)

    monkeypatch.setattr(Client, "submit", leaving)
    ran = ndfd("submit", "--retry-for", "100ms", *write(tmp_path, *(f"{number}.pdf" for number in range(4))))
    assert ran.status == 69
    assert sorted(ran.stdout.splitlines()) == sorted(at_work.jobs._jobs)
    assert "ndfd: 3 of 4 documents are submitted; " in ran.stderr


async def _until_seen(doors: Doors, jobs: int) -> None:
    import asyncio

    while len(doors.jobs._jobs) < jobs:
        await asyncio.sleep(0.001)
    # Their answers are on their way.
    await asyncio.sleep(0.1)


def test_stdin_is_submitted_and_can_be_sent_again(start: Start, at_work: Doors) -> None:
    at_work.jobs.refusals.append(refusal(0.01))
    process = start("submit", "-", stdin=subprocess.PIPE)
    out, err = process.communicate(b"%PDF through a pipe", timeout=60)
    assert process.returncode == 0, err
    ((document, options, _),) = at_work.jobs.seen
    assert (document, options.convert.name) == (b"%PDF through a pipe", "stdin")
    assert len(out.splitlines()) == 1


def test_ctrl_c_tells_what_is_submitted_and_how_to_go_on(start: Start, at_work: Doors, tmp_path: Path) -> None:
    at_work.jobs.places = 2
    process = start("submit", *write(tmp_path, *(f"wait:{number}" for number in range(5))))
    assert process.stderr is not None
    assert b"(quota-exceeded)" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(out.splitlines()) == 2
    assert b"ndfd: 2 of 5 documents are submitted; give them all again: " in err
    assert b"Traceback" not in err


def test_a_reader_that_goes_away_ends_it_quietly(start: Start, at_work: Doors, tmp_path: Path) -> None:
    at_work.jobs.places = 1
    process = start("submit", "-q", *write(tmp_path, *(f"{number}/pages:50" for number in range(40))))
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    lines = process.stderr.read().splitlines()
    assert process.wait(60) == 128 + signal.SIGPIPE
    assert [line for line in lines if b"(quota-exceeded)" not in line] == []


def test_connections_are_as_many_as_documents_at_most(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    batch = submissions.Batch
    monkeypatch.setattr(
        submissions, "Batch", lambda connect, threads, work: made.append(threads) or batch(connect, threads, work)
    )
    ndfd("submit", *write(tmp_path, "a.pdf", "b.pdf"))
    ndfd("submit", *write(tmp_path, *(f"{number}.pdf" for number in range(50))))
    assert made == [2, 32]
