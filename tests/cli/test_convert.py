"""`ndfd convert` in front of real doors with scripted conversions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd.cli.pools import workers_of
from tests.cli.conftest import Ndfd
from tests.server.doors import Doors

Start = Callable[..., "subprocess.Popen[bytes]"]


def write(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {path.name}")
    return paths


def test_one_document_goes_to_stdout_and_nothing_else_does(ndfd_at: Ndfd, tmp_path: Path) -> None:
    (path,) = write(tmp_path, "a.pdf")
    ran = ndfd_at("convert", "-q", path)
    assert (ran.status, ran.stdout, ran.stderr) == (0, "# markdown of 16 bytes: content of a.pdf", "")


def test_the_format_is_passed_on(ndfd_at: Ndfd, tmp_path: Path) -> None:
    (path,) = write(tmp_path, "a.pdf")
    assert ndfd_at("convert", "-f", "text", path).stdout.startswith("# text of 16 bytes")


def test_password_deadline_and_name_are_passed_on(ndfd_at: Ndfd, doors: Doors, tmp_path: Path) -> None:
    (path,) = write(tmp_path, "a.pdf")
    password = tmp_path / "password"
    password.write_bytes("öffne dich \r\nnot this line".encode())
    assert ndfd_at("convert", "--password-file", password, "--deadline", "1m30s", path).status == 0
    ((options, uid),) = doors.conversions.seen
    assert options.password == "öffne dich "
    assert options.deadline_s == 90.0
    assert options.name == "a.pdf"
    assert uid == os.getuid()


def test_the_pool_is_passed_on_and_gets_as_many_documents_at_once_as_it_may_have_workers(
    ndfd_at: Ndfd, doors: Doors, tmp_path: Path
) -> None:
    paths = write(tmp_path, "a.pdf", "b.pdf")
    assert ndfd_at("convert", "--pool", "bulk", *paths).status == 0
    assert [options.pool for options, _ in doors.conversions.seen] == ["bulk", "bulk"]
    assert [workers_of(doors.varlink_path, name) for name in (None, "default", "bulk")] == [1, 1, 4]


@pytest.mark.parametrize("more", [(), ("--jobs", "2")])
def test_a_pool_that_there_is_not_is_said_once(
    ndfd_at: Ndfd, doors: Doors, tmp_path: Path, more: tuple[str, ...]
) -> None:
    ran = ndfd_at("convert", "--pool", "fast", *more, *write(tmp_path, "a.pdf", "b.pdf"))
    assert (ran.status, ran.stdout) == (64, "")
    assert ran.stderr.count("there is no pool 'fast'; there are default, bulk") == 1
    assert doors.conversions.seen == []


def test_the_shell_completes_the_pools_of_the_daemon(doors: Doors) -> None:
    asked = {"_NDFD_COMPLETE": "bash_complete", "COMP_WORDS": "ndfd convert --pool b", "COMP_CWORD": "3"}
    for socket, offered in ((str(doors.varlink_path), ["plain,bulk"]), ("/nowhere", [])):
        ran = subprocess.run(
            [sys.executable, "-c", "from ndfd.cli import main; main()"],
            env={**os.environ, **asked, "NDFD_SOCKET": socket},
            capture_output=True,
            check=False,
        )
        assert ran.stdout.decode().split() == offered


def test_several_documents_come_in_the_order_of_the_arguments_each_after_its_name(
    ndfd_at: Ndfd, tmp_path: Path
) -> None:
    paths = write(tmp_path, "c.pdf", "a.pdf", "b.pdf")
    ran = ndfd_at("convert", "--jobs", "3", *paths)
    assert ran.status == 0
    lines = ran.stdout.splitlines()
    assert lines[::2] == [f"<!-- file: {path} -->" for path in paths]
    assert lines[1::2] == [f"# markdown of 16 bytes: content of {path.name}" for path in paths]


def test_several_texts_are_told_apart_as_head_does_it(ndfd_at: Ndfd, tmp_path: Path) -> None:
    paths = write(tmp_path, "a.pdf", "b.pdf")
    assert f"==> {paths[1]} <==\n" in ndfd_at("convert", "-f", "text", *paths).stdout


def test_a_summary_on_stderr_counts_documents_pages_and_failures(ndfd_at: Ndfd, tmp_path: Path) -> None:
    paths = write(tmp_path, "pages:3", "pages:4", "fail:document-damaged")
    ran = ndfd_at("convert", *paths)
    assert "ndfd: 2 of 3 documents, 7 pages in " in ran.stderr
    assert ran.stderr.endswith("; 2 partial; 1 failed\n")


def test_a_failed_document_is_one_line_and_the_rest_go_on(ndfd_at: Ndfd, tmp_path: Path) -> None:
    bad, good = write(tmp_path, "fail:document-damaged", "good.pdf")
    ran = ndfd_at("convert", "-q", bad, good)
    assert ran.status == 65
    assert "good.pdf" in ran.stdout
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"ndfd: {bad}: it is document-damaged (document-damaged); ")


def test_the_failure_of_the_only_document_gives_its_own_status(ndfd_at: Ndfd, tmp_path: Path) -> None:
    (bad,) = write(tmp_path, "fail:worker-crashed")
    assert ndfd_at("convert", bad).status == 75


def test_failures_of_different_kinds_give_the_status_of_bad_data(ndfd_at: Ndfd, tmp_path: Path) -> None:
    (bad,) = write(tmp_path, "fail:worker-crashed")
    assert ndfd_at("convert", bad, tmp_path / "missing.pdf").status == 65


def test_a_page_that_is_not_whole_is_warned_of(ndfd_at: Ndfd, tmp_path: Path) -> None:
    (path,) = write(tmp_path, "a.pdf")
    assert f"ndfd: {path}: partial: " in ndfd_at("convert", path).stderr


def test_a_missing_file_alone_is_one_line_and_no_input(ndfd_at: Ndfd, tmp_path: Path) -> None:
    ran = ndfd_at("convert", tmp_path / "missing.pdf")
    assert ran.status == 66
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"ndfd: {tmp_path}/missing.pdf: No such file or directory (input-unreadable); ")


def test_a_folder_without_documents_is_no_input(ndfd_at: Ndfd, tmp_path: Path) -> None:
    write(tmp_path / "folder", "readme.txt")
    ran = ndfd_at("convert", tmp_path / "folder")
    assert ran.status == 66
    assert "(input-no-documents)" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_an_output_folder_gets_one_file_for_each_document_in_its_sub_folder(ndfd_at: Ndfd, tmp_path: Path) -> None:
    write(tmp_path / "in", "b.pdf", "sub/deep/a.PDF", "notes.txt")
    ran = ndfd_at("convert", "-o", tmp_path / "out", tmp_path / "in")
    assert (ran.status, ran.stdout) == (0, "")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"b.md", "sub/deep/a.md"}
    assert (tmp_path / "out/b.md").read_text() == "# markdown of 16 bytes: content of b.pdf"


def test_a_failed_document_leaves_the_file_of_an_earlier_run_and_no_other(ndfd_at: Ndfd, tmp_path: Path) -> None:
    (bad,) = write(tmp_path, "fail:document-damaged")
    (old,) = write(tmp_path / "out", "fail:document-damaged.md")
    ndfd_at("convert", "-o", tmp_path / "out", bad)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [old.name]
    assert old.read_text() == f"content of {old.name}"


def test_an_output_folder_that_is_a_file_is_said_so(ndfd_at: Ndfd, tmp_path: Path) -> None:
    (path,) = write(tmp_path, "a.pdf")
    ran = ndfd_at("convert", "-o", path / "below", path)
    assert ran.status == 73
    assert "(output-unwritable)" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_report_for_programs_goes_to_stdout_beside_an_output_folder(ndfd_at: Ndfd, tmp_path: Path) -> None:
    good, bad = write(tmp_path, "pages:2", "fail:document-damaged")
    ran = ndfd_at("convert", "-q", "--json", "-o", tmp_path / "out", good, bad)
    first, second = (json.loads(line) for line in ran.stdout.splitlines())
    assert first["file"] == str(good)
    assert first["output"] == str(tmp_path / "out" / "pages:2.md")
    assert first["report"]["pages"] == 2
    assert second["error"]["code"] == "document-damaged"
    assert second["error"]["page"] == 3


def test_a_report_without_an_output_folder_is_wrong_usage(ndfd_at: Ndfd, tmp_path: Path) -> None:
    (path,) = write(tmp_path, "a.pdf")
    assert ndfd_at("convert", "--json", path).status == 64


@pytest.mark.parametrize(
    "arguments",
    [
        ("convert",),
        ("convert", "--deadline", "soon", "a.pdf"),
        ("convert", "-f", "docx", "a.pdf"),
        ("convert", "--nope"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help(ndfd: Ndfd, arguments: tuple[str, ...]) -> None:
    ran = ndfd(*arguments)
    assert ran.status == 64
    (line,) = ran.stderr.splitlines()
    assert line.endswith("(usage); see `ndfd convert --help`")


def test_stdin_twice_is_wrong_usage(ndfd_at: Ndfd) -> None:
    assert ndfd_at("convert", "-", "-").status == 64


def test_an_unreadable_password_file_is_no_input(ndfd_at: Ndfd, tmp_path: Path) -> None:
    (path,) = write(tmp_path, "a.pdf")
    ran = ndfd_at("convert", "--password-file", tmp_path / "missing", path)
    assert ran.status == 66
    assert f"{tmp_path}/missing" in ran.stderr


def test_a_daemon_that_was_named_and_does_not_answer_is_not_replaced_by_a_private_one(
    ndfd: Ndfd, tmp_path: Path
) -> None:
    (path,) = write(tmp_path, "a.pdf")
    ran = ndfd("convert", "--socket", tmp_path / "no.sock", path)
    assert ran.status == 69
    assert "(daemon-unavailable)" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_stdin_is_converted_from_a_pipe(start: Start, doors: Doors) -> None:
    process = start("convert", "--socket", doors.varlink_path, "-", stdin=subprocess.PIPE)
    out, _ = process.communicate(b"%PDF through a pipe")
    assert (process.returncode, out) == (0, b"# markdown of 19 bytes: %PDF through a pipe")


def test_a_reader_that_goes_away_ends_the_command_quietly(start: Start, doors: Doors, tmp_path: Path) -> None:
    paths = write(tmp_path, *(f"{n}/big:1000000" for n in range(3)))
    process = start("convert", "--socket", doors.varlink_path, *paths)
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait() == 128 + signal.SIGPIPE


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_cancels_in_the_daemon_and_leaves_no_unfinished_file(
    start: Start, doors: Doors, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    (path,) = write(tmp_path, "hang")
    process = start("convert", "--socket", doors.varlink_path, "-o", tmp_path / "out", path)
    assert doors.conversions.started.wait(20)
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == status
    assert out == b""
    assert b"Traceback" not in err
    # click ends the line of the terminal's ^C first.
    assert err.strip() in (b"ndfd: interrupted", b"")
    assert doors.conversions.cancelled.wait(20)
    assert list((tmp_path / "out").iterdir()) == []


def test_file_names_that_are_not_utf8_are_converted_all_the_same(ndfd_at: Ndfd, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.pdf"))
    path.write_text("x")
    ran = ndfd_at("convert", "-o", tmp_path / "out", path)
    assert ran.status == 0
    assert [os.fsencode(each.name) for each in (tmp_path / "out").iterdir()] == [b"caf\xe9.md"]


def test_a_fault_is_one_line_and_its_traceback_is_shown_on_request(
    ndfd_at: Ndfd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write(tmp_path, "a.pdf")
    monkeypatch.setattr("ndfd.cli.convert.find_inputs", lambda files: 1 / 0)
    ran = ndfd_at("convert", path)
    assert ran.status == 70
    assert ran.stderr.startswith("ndfd: ZeroDivisionError: division by zero (internal); ")
    assert ran.stderr.count("\n") == 1
    assert "Traceback" in ndfd_at("--debug", "convert", path).stderr
