"""`ndfd submit --wait`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd.client import Client, Conversion
from ndfd.errors import JobNotFinished
from ndfd.model.job_states import JobState
from ndfd.model.jobs import JobOptions, Submission
from tests.cli.conftest import Ndfd
from tests.cli.restart import restart
from tests.cli.test_submit import write
from tests.server.doors import Doors

Start = Callable[..., "subprocess.Popen[bytes]"]


def test_the_result_of_one_goes_to_stdout_and_its_job_to_stderr(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    (path,) = write(tmp_path, "a.pdf")
    ran = ndfd("submit", "--wait", path)
    assert (ran.status, ran.stdout) == (0, "# markdown of 16 bytes: content of a.pdf")
    assert f"ndfd: {path}: is job {next(iter(at_work.jobs._jobs))}\n" in ran.stderr
    assert ndfd("submit", "--wait", "-q", path).stderr == ""


def test_several_results_come_in_the_order_of_the_arguments_each_after_its_name(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path
) -> None:
    paths = write(tmp_path, "pages:40", "a.pdf", "fail:document-damaged", "b.pdf")
    ran = ndfd("submit", "--wait", *paths)
    assert ran.status == 65
    named = [line for line in ran.stdout.splitlines() if line.startswith("<!--")]
    assert named == [f"<!-- file: {path} -->" for path in paths if "fail" not in path.name]
    assert f"{paths[2]}: it is document-damaged (document-damaged)" in ran.stderr
    assert "ndfd: 3 of 4 documents, 9 pages in " in ran.stderr


def test_an_output_folder_gets_each_result_and_stdout_the_ids(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    write(tmp_path / "in", "b.pdf", "sub/deep/a.PDF")
    ran = ndfd("submit", "--wait", "-q", "-o", tmp_path / "out", tmp_path / "in")
    assert (ran.status, ran.stderr) == (0, "")
    assert sorted(ran.stdout.splitlines()) == sorted(at_work.jobs._jobs)
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"b.md", "sub/deep/a.md"}
    assert (tmp_path / "out/b.md").read_text() == "# markdown of 16 bytes: content of b.pdf"


def test_a_result_does_not_wait_for_that_of_an_earlier_document(start: Start, at_work: Doors, tmp_path: Path) -> None:
    hanging, quick = write(tmp_path, "hang", "quick.pdf")
    process = start("submit", "--wait", "--json", "-o", tmp_path / "out", hanging, quick)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["file"] == str(quick)
    assert (tmp_path / "out/quick.md").exists()
    with Client.connect(at_work.varlink_path) as client:
        client.cancel(next(job.id for job in client.jobs().jobs if job.state is JobState.RUNNING))
    out, err = process.communicate(timeout=60)
    answer = json.loads(out)
    assert (answer["file"], answer["job"]["state"], answer["error"]["code"]) == (
        str(hanging),
        "cancelled",
        "job-cancelled",
    )
    assert process.returncode == 65, err


def test_two_documents_that_are_one_job_get_a_result_each(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    paths = write(tmp_path, "x/a.pdf", "y/a.pdf", "x/b.pdf")
    ran = ndfd("submit", "--wait", "-o", tmp_path / "out", *paths)
    assert ran.status == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.md", "a.pdf.md", "b.md"}
    assert len(at_work.jobs._jobs) == 2


def test_json_beside_an_output_folder_tells_document_job_and_result(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    good, bad = write(tmp_path, "pages:2", "fail:worker-crashed")
    ran = ndfd("submit", "--wait", "--json", "-q", "-o", tmp_path / "out", good, bad)
    answers = {each["file"]: each for each in map(json.loads, ran.stdout.splitlines())}
    assert answers[str(good)]["output"] == str(tmp_path / "out" / "pages:2.md")
    assert answers[str(good)]["job"]["state"] == "succeeded"
    assert (answers[str(bad)]["job"]["state"], answers[str(bad)]["error"]["code"]) == ("failed", "worker-crashed")
    assert ran.status == 75


def test_more_documents_than_the_daemon_takes_at_a_time_get_their_results_meanwhile(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path
) -> None:
    at_work.jobs.places = 3
    paths = write(tmp_path, *(f"{number}/pages:9" for number in range(40)))
    for path in paths:
        path.write_text(str(path))
    ran = ndfd("submit", "--wait", "-o", tmp_path / "out", *paths)
    assert ran.status == 0
    assert len(list((tmp_path / "out").rglob("*.md"))) == 40
    assert "ndfd: 40 of 40 documents, " in ran.stderr


def test_a_restart_of_the_daemon_is_waited_for(start: Start, at_work: Doors, tmp_path: Path) -> None:
    process = start("submit", "--wait", *write(tmp_path, "hang"))
    at_work.run(at_work.jobs.watched(1))
    restart(at_work)
    (job_id,) = at_work.jobs._jobs
    at_work.run(at_work.jobs.succeed(job_id, b"# after the restart"))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"# after the restart")
    assert b"trying again" in err or err.count(b"\n") <= 2


def test_a_result_that_is_found_lost_is_waited_for_again(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = Client.result
    lost: list[str] = []

    def losing(self: Client, job_id: str) -> Conversion:
        if not lost:
            lost.append(job_id)
            raise JobNotFinished("its result is made anew")
        return result(self, job_id)

    monkeypatch.setattr(Client, "result", losing)
    ran = ndfd("submit", "--wait", *write(tmp_path, "a.pdf"))
    assert (ran.status, ran.stdout) == (0, "# markdown of 16 bytes: content of a.pdf")
    assert len(lost) == 1


def test_a_job_that_is_forgotten_meanwhile_is_an_error_of_its_document(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = Client.submit

    def forgetting(self: Client, document: Path, options: JobOptions) -> Submission:
        submission = submit(self, document, options)
        if options.convert.name == "a.pdf":
            self.watch([submission.job.id], lambda job: None)
            self.forget(submission.job.id)
        return submission

    monkeypatch.setattr(Client, "submit", forgetting)
    gone, there = write(tmp_path, "a.pdf", "b.pdf")
    ran = ndfd("submit", "--wait", "-o", tmp_path / "out", gone, there)
    assert ran.status == 66
    assert f"ndfd: {gone}: there is no job" in ran.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.md"]


def test_an_output_folder_that_is_a_file_is_said_before_anything_is_submitted(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path
) -> None:
    (path,) = write(tmp_path, "a.pdf")
    ran = ndfd("submit", "--wait", "-o", path / "below", path)
    assert ran.status == 73
    assert at_work.jobs.seen == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_the_jobs_to_go_on_and_says_how_to_watch_and_cancel_them(
    start: Start, at_work: Doors, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    process = start("submit", "--wait", "-o", tmp_path / "out", *write(tmp_path, "hang"))
    at_work.run(at_work.jobs.watched(1))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    (job_id,) = at_work.jobs._jobs
    assert (process.returncode, out.decode()) == (status, f"{job_id}\n")
    assert f"ndfd: 1 job goes on: wait with `ndfd jobs watch {job_id}`, or cancel it" in err.decode()
    assert b"Traceback" not in err
    assert at_work.jobs._jobs[job_id].state is JobState.RUNNING


def test_interrupted_json_tells_the_jobs_that_go_on(start: Start, at_work: Doors, tmp_path: Path) -> None:
    done, *hanging = write(tmp_path, "a.pdf", "1/hang", "2/hang", "3/hang", "4/hang")
    for path in hanging:
        path.write_text(str(path))
    process = start("submit", "--wait", "--json", "-o", tmp_path / "out", done, *hanging)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["file"] == str(done)
    at_work.run(at_work.jobs.watched(1))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    left = {each["file"]: each["job"]["id"] for each in map(json.loads, out.splitlines())}
    assert set(left) == {str(path) for path in hanging}
    assert b"ndfd: 4 jobs go on: see them with `ndfd jobs list`" in err
