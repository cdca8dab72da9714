"""`ndfd jobs result`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Ndfd
from tests.cli.test_jobs_list import settled, submit
from tests.server.doors import Doors


def test_it_goes_to_stdout_and_nothing_else_does(ndfd: Ndfd, at_work: Doors) -> None:
    (job_id,) = settled(at_work, "a.pdf")
    for arguments in ((job_id,), ("-o", "-", job_id)):
        ran = ndfd("jobs", "result", *arguments)
        assert (ran.status, ran.stderr) == (0, "")
        assert ran.stdout.startswith("# markdown of ")


def test_a_file_gets_it_whole_in_the_place_of_what_was_there(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    (job_id,) = settled(at_work, "a.pdf")
    file = tmp_path / "out.md"
    file.write_text("old and long " * 100)
    inode = file.stat().st_ino
    ran = ndfd("jobs", "result", "-o", file, job_id)
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
    assert file.read_text().startswith("# markdown of ")
    # A new file that took the name: who had the old one open reads on in it.
    assert file.stat().st_ino != inode
    assert not list(tmp_path.glob(".ndfd-*"))


def test_several_go_into_a_folder_under_the_documents_names(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    ids = settled(at_work, "a.pdf", "A.pdf", "../../etc/b.pdf", "..", "a.pdf")
    ran = ndfd("jobs", "result", "-o", tmp_path / "new" / "out", *ids)
    assert (ran.status, ran.stderr) == (0, "")
    found = {path.name for path in (tmp_path / "new" / "out").iterdir()}
    assert found == {"a.md", "A.pdf.md", "b.md", f"{ids[3]}.md", "a.pdf-2.md"}


def test_one_goes_into_a_folder_that_there_is_or_that_is_written_as_one(
    ndfd: Ndfd, at_work: Doors, tmp_path: Path
) -> None:
    (job_id,) = settled(at_work, "a.pdf")
    assert ndfd("jobs", "result", "-o", tmp_path, job_id).status == 0
    assert ndfd("jobs", "result", "-o", f"{tmp_path}/new/", job_id).status == 0
    assert (tmp_path / "a.md").read_text() == (tmp_path / "new/a.md").read_text()


def test_what_cannot_be_fetched_is_one_line_and_the_rest_go_on(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    good, bad = settled(at_work, "a.pdf", "fail:document-damaged")
    (waiting,) = submit(at_work, "wait")
    ran = ndfd("jobs", "result", "-o", tmp_path / "out", bad, "job999999", waiting, good)
    assert ran.status == 65
    first, second, third = ran.stderr.splitlines()
    assert first.startswith(f"ndfd: {bad}: it is document-damaged (document-damaged)")
    assert second.startswith("ndfd: job999999: there is no job 'job999999' (job-unknown)")
    assert third.startswith(f"ndfd: {waiting}: the job {waiting} is queued (job-not-finished); wait for it with ")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.md"]


@pytest.mark.parametrize(
    ("name", "status"), [("fail:document-damaged", 65), ("fail:worker-crashed", 75), ("wait", 75), ("hang", 75)]
)
def test_the_status_says_why_there_is_none(ndfd: Ndfd, at_work: Doors, tmp_path: Path, name: str, status: int) -> None:
    (job_id,) = (settled if name.startswith("fail") else submit)(at_work, name)
    ran = ndfd("jobs", "result", "-o", tmp_path / "out.md", job_id)
    assert (ran.status, ran.stdout, ran.stderr.count("\n")) == (status, "", 1)
    assert not (tmp_path / "out.md").exists()


def test_several_on_stdout_are_wrong_usage(ndfd: Ndfd, at_work: Doors) -> None:
    assert ndfd("jobs", "result", *settled(at_work, "a.pdf", "b.pdf")).status == 64


def test_a_place_that_cannot_be_written_is_said_so(ndfd: Ndfd, at_work: Doors, tmp_path: Path) -> None:
    (job_id,) = settled(at_work, "a.pdf")
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "below", tmp_path / "missing" / "out.md"):
        ran = ndfd("jobs", "result", "-o", place, job_id)
        assert (ran.status, ran.stderr.count("\n")) == (73, 1)
        assert str(place) in ran.stderr
