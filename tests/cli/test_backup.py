"""`ndfd backup` and `ndfd restore`: files that are whole or not there, and what the user is told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from ndfd.cli import main
from ndfd.cli.partial_file import partial_file
from ndfd.client import Client
from ndfd.errors import EX_CANTCREAT, EX_DATAERR, EX_IOERR, EX_NOINPUT, EX_USAGE, BackupError, NdfdError, OutputError
from ndfd.model.jobs import BackupReport
from tests.cli.conftest import Ndfd
from tests.store.work import finished, spooled, started, submitted


class StoreBehind:
    """A client of a daemon with a real store, opened for each call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before: Callable[[], None] = lambda: None
        self.refusal: NdfdError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def close(self) -> None:
        """As a client's."""

    def backup(self, fd: int) -> BackupReport:
        """As a client's."""
        self.before()
        if self.refusal is not None:
            os.write(fd, b"half of it")
            raise self.refusal

        async def made() -> BackupReport:
            async with started(self.folder) as store:
                return await store.backup(fd)

        return asyncio.run(made())


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoreBehind:
    async def fill() -> None:
        async with started(tmp_path / "state") as store:
            await finished(store, await submitted(store, b"document"), b"result")
            await submitted(store, b"waits")

    asyncio.run(fill())
    behind = StoreBehind(tmp_path / "state")
    monkeypatch.setattr(Client, "connect", lambda path, timeout_s=None: behind)
    monkeypatch.setenv("NDFD_SOCKET", str(tmp_path / "ndfd.sock"))
    return behind


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_is_made_checked_and_put_back(daemon: StoreBehind, out: Path, ndfd: Ndfd) -> None:
    ran = ndfd("backup", out / "b.tar")
    assert ran.status == 0
    assert ran.stderr == ""
    assert ran.stdout.startswith(f"{out}/b.tar: 2 jobs (2 documents, 1 result, ")
    assert (out / "b.tar").stat().st_mode & 0o777 == 0o600
    assert names(out) == ["b.tar"]
    ran = ndfd("restore", "--verify-only", out / "b.tar")
    assert (ran.status, ran.stderr) == (0, "")
    assert "is whole" in ran.stdout
    ran = ndfd("restore", out / "b.tar", "--state-dir", out / "new")
    assert (ran.status, ran.stderr) == (0, "")
    assert f"is now {out}/new" in ran.stdout
    assert {path.read_bytes() for path in spooled(out / "new")} == {b"document", b"result", b"waits"}


def test_json_says_the_same(daemon: StoreBehind, out: Path, ndfd: Ndfd) -> None:
    ran = ndfd("backup", "--json", out / "b.tar")
    answer = json.loads(ran.stdout)
    assert (ran.status, answer["file"], answer["report"]["jobs"]) == (0, str(out / "b.tar"), 2)
    ran = ndfd("restore", "--json", out / "b.tar", "--state-dir", out / "new")
    assert json.loads(ran.stdout) == {
        "file": str(out / "b.tar"),
        "state_dir": str(out / "new"),
        "former": None,
        "report": answer["report"],
    }


def test_nothing_that_is_there_is_replaced_unasked(daemon: StoreBehind, out: Path, ndfd: Ndfd) -> None:
    (out / "b.tar").write_text("precious")
    ran = ndfd("backup", out / "b.tar")
    assert ran.status == EX_CANTCREAT
    assert "is there already (output-unwritable); name another" in ran.stderr
    assert (out / "b.tar").read_text() == "precious"
    # Also not when it comes while the backup is made.
    daemon.before = lambda: (out / "c.tar").write_text("precious") and None
    assert ndfd("backup", out / "c.tar").status == EX_CANTCREAT
    assert (out / "c.tar").read_text() == "precious"
    assert ndfd("backup", "--force", out / "b.tar").status == 0
    assert ndfd("restore", "--verify-only", out / "b.tar").status == 0
    assert names(out) == ["b.tar", "c.tar"]
    # A state folder neither.
    ran = ndfd("restore", out / "b.tar", "--state-dir", daemon.folder)
    assert ran.status == EX_IOERR
    assert "not empty" in ran.stderr
    ran = ndfd("restore", "--replace", out / "b.tar", "--state-dir", daemon.folder)
    assert ran.status == 0
    assert "kept as" in ran.stdout


def test_nothing_is_left_of_one_that_fails(daemon: StoreBehind, out: Path, ndfd: Ndfd) -> None:
    daemon.refusal = BackupError("the backup cannot be written: No space left on device")
    ran = ndfd("backup", out / "b.tar")
    assert ran.status == EX_DATAERR
    assert "No space left" in ran.stderr
    assert names(out) == []
    # One that the daemon thinks is good, and that is not what the disk has.
    daemon.refusal = None
    backup = daemon.backup

    def spoilt(fd: int) -> BackupReport:
        report = backup(fd)
        os.pwrite(fd, b"\0", os.fstat(fd).st_size - 2000)
        return report

    daemon.backup = spoilt  # type: ignore[method-assign]
    assert ndfd("backup", out / "b.tar").status == EX_DATAERR
    assert names(out) == []


def test_one_without_what_the_disk_has_spoilt_is_kept_and_said_to_be(
    daemon: StoreBehind, out: Path, ndfd: Ndfd
) -> None:
    spooled(daemon.folder)[0].unlink()
    ran = ndfd("backup", out / "b.tar")
    assert ran.status == EX_IOERR
    assert "1 file of the daemon's spool" in ran.stderr
    ran = ndfd("restore", out / "b.tar", "--state-dir", out / "new")
    assert ran.status == 0
    assert "1 files were damaged" in ran.stdout


def test_stdout_takes_one_unless_it_is_a_terminal(daemon: StoreBehind, out: Path, ndfd: Ndfd) -> None:
    with (out / "b.tar").open("wb") as file:
        stdout = sys.stdout.fileno()
        before = os.dup(stdout)
        os.dup2(file.fileno(), stdout)
        try:
            status = main(["backup", "-"])
        finally:
            os.dup2(before, stdout)
            os.close(before)
    assert status == 0
    assert ndfd("restore", "--verify-only", out / "b.tar").status == 0
    assert ndfd("backup", "-", "--json").status == EX_USAGE


def test_what_is_no_backup_is_said_to_be_none(out: Path, ndfd: Ndfd) -> None:
    (out / "x").write_text("text")
    for arguments in (("--verify-only",), ("--state-dir", out / "state")):
        ran = ndfd("restore", out / "x", *arguments)
        assert (ran.status, ran.stderr) == (
            EX_DATAERR,
            f"ndfd: {out}/x is no backup of ndfd (backup); name a file that `ndfd backup` made\n",
        )
    assert ndfd("restore", out / "none", "--state-dir", out / "state").status == EX_NOINPUT
    assert names(out) == ["x"]


def test_the_usual_folder_is_the_daemons(
    daemon: StoreBehind, out: Path, ndfd: Ndfd, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ndfd("backup", out / "b.tar").status == 0
    monkeypatch.setenv("XDG_STATE_HOME", str(out))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert ndfd("restore", out / "b.tar").status == 0
    assert names(out) == ["b.tar", "ndfd"]


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_somebody_else_put_in_its_place_is_let_be(tmp_path: Path, kind: str) -> None:
    partial = tmp_path / "b.partial"
    if kind == "link":
        partial.symlink_to("/etc/passwd")
    elif kind == "folder":
        partial.mkdir()
    else:
        os.mkfifo(partial)
    with pytest.raises(OutputError, match=r"b\.partial"), partial_file(tmp_path / "b", force=True):
        pass
    assert partial.lstat()


def test_what_a_killed_command_left_is_taken_over_and_what_another_writes_is_not(tmp_path: Path) -> None:
    (tmp_path / "b.partial").write_text("half")
    with partial_file(tmp_path / "b", force=False) as (fd, path):
        assert path.stat().st_size == 0
        with pytest.raises(OutputError, match="being written just now"), partial_file(tmp_path / "b", force=False):
            pass
        os.write(fd, b"whole")
    assert ((tmp_path / "b").read_text(), (tmp_path / "b.partial").exists()) == ("whole", False)


def test_an_interruption_leaves_nothing_and_is_no_traceback(daemon: StoreBehind, out: Path, ndfd: Ndfd) -> None:
    assert ndfd("backup", out / "b.tar").status == 0
    reading, writing = os.pipe()
    # Never whole: the command waits for the rest.
    os.write(writing, (out / "b.tar").read_bytes()[:40_000])
    command = [sys.executable, "-m", "ndfd", "restore", f"/proc/self/fd/{reading}", "--state-dir", str(out / "new")]
    process = subprocess.Popen(command, pass_fds=[reading], stderr=subprocess.PIPE, text=True)
    os.close(reading)
    until = time.monotonic() + 30
    while not any(name.startswith(".new.restore") and (out / name / "jobs.db").exists() for name in names(out)):
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _out, errors = process.communicate(timeout=30)
    os.close(writing)
    assert (process.returncode, errors.strip()) == (130, "ndfd: interrupted")
    assert names(out) == ["b.tar"]
