"""The log in a real file: who may read it, its rotation, the change to another one, and a disk that is full."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from ndfd.config.settings import LoggingSettings
from ndfd.errors import ConfigError
from ndfd.telemetry.logs import prepare_logs, reopen_logs

_log = logging.getLogger("ndfd.test")


def to(path: Path, **others: object) -> LoggingSettings:
    return LoggingSettings.model_validate({"output": str(path), **others})


def events(*paths: Path) -> list[str]:
    return [json.loads(line)["event"] for path in paths for line in path.read_text().splitlines()]


def rotated(path: Path) -> list[Path]:
    """The renamed files, oldest first, and the one that is written."""
    numbers = sorted((int(each.suffix[1:]) for each in path.parent.glob(f"{path.name}.*")), reverse=True)
    return [*(path.with_name(f"{path.name}.{number}") for number in numbers), path]


def test_a_file_gets_one_line_of_json_for_each_record(tmp_path: Path) -> None:
    prepare_logs(to(tmp_path / "log")).use()
    _log.info("Wörter")
    structlog.stdlib.get_logger("ndfd").info("ready")
    assert events(tmp_path / "log") == ["Wörter", "ready"]


def test_a_file_for_people_has_no_colours(tmp_path: Path) -> None:
    prepare_logs(to(tmp_path / "log", format="console")).use()
    _log.warning("careful")
    assert "careful" in (tmp_path / "log").read_text()
    assert "\x1b[" not in (tmp_path / "log").read_text()


def test_text_that_is_no_unicode_is_written_escaped(tmp_path: Path) -> None:
    prepare_logs(to(tmp_path / "log")).use()
    _log.info("a name of bytes: \udcff")
    assert json.loads((tmp_path / "log").read_text())["event"] == "a name of bytes: \\udcff"


def test_a_file_that_is_there_is_appended_to(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"event": "before"}\n')
    prepare_logs(to(tmp_path / "log")).use()
    _log.info("after")
    assert events(tmp_path / "log") == ["before", "after"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_new_file_is_for_the_user_and_the_group_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        prepare_logs(to(tmp_path / "log", rotate_size=1000)).use()
        for _ in range(20):
            _log.info("x" * 100)
    finally:
        os.umask(before)
    assert {each.stat().st_mode & 0o777 for each in rotated(tmp_path / "log")} == {0o640}


def test_a_file_is_renamed_at_its_size_and_the_oldest_is_removed(tmp_path: Path) -> None:
    prepare_logs(to(tmp_path / "log", rotate_size=2000, rotate_keep=2)).use()
    for number in range(100):
        _log.info(f"record {number}")
    files = rotated(tmp_path / "log")
    assert [each.name for each in files] == ["log.2", "log.1", "log"]
    assert all(each.stat().st_size < 2000 for each in files)
    kept = events(*files)
    assert kept == [f"record {number}" for number in range(100 - len(kept), 100)]


def test_a_file_that_is_never_rotated_only_grows(tmp_path: Path) -> None:
    prepare_logs(to(tmp_path / "log", rotate_size="never")).use()
    for _ in range(100):
        _log.info("x" * 1000)
    assert rotated(tmp_path / "log") == [tmp_path / "log"]


def make_folder(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_folder, "Is a directory"),
        (make_fifo, "it is no file|No such device or address"),
        (make_below_a_file, "Not a directory"),
        (lambda path: path.parent.rmdir(), "No such file or directory"),
    ],
    ids=["folder", "fifo", "below-a-file", "no-folder"],
)
def test_what_cannot_be_opened_is_named_and_the_log_stays(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    prepare_logs(to(tmp_path / "log")).use()
    path = tmp_path / "folder" / "new"
    path.parent.mkdir()
    make(path)
    with pytest.raises(ConfigError, match=rf"^\[logging\] output: {path} cannot be opened: ({reason})$"):
        prepare_logs(to(path))
    _log.info("still here")
    assert events(tmp_path / "log") == ["still here"]


def test_a_file_that_could_not_be_rotated_is_refused_before_it_is_full() -> None:
    program = """
import os, sys
from ndfd.config.settings import LoggingSettings
from ndfd.errors import ConfigError
from ndfd.telemetry.logs import prepare_logs
output = sys.argv[1]
if os.geteuid() == 0:
    os.chown(output, 65534, 65534)
    os.setuid(65534)
prepare_logs(LoggingSettings(output=output, rotate_size="never")).discard()
try:
    prepare_logs(LoggingSettings(output=output))
except ConfigError as error:
    print(error)
"""
    # Not below tmp_path, into which no other user gets.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        path.touch()
        Path(folder).chmod(0o555)
        ran = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
        Path(folder).chmod(0o755)
    assert ran.stdout == f"[logging] output: {path} cannot be rotated: its folder is not writable\n"


def test_what_is_prepared_and_discarded_changes_nothing(tmp_path: Path) -> None:
    prepare_logs(to(tmp_path / "log")).use()
    before = open_descriptors()
    prepared = prepare_logs(to(tmp_path / "other", level="error"))
    _log.info("between")
    prepared.discard()
    _log.info("after")
    assert events(tmp_path / "log") == ["between", "after"]
    assert (tmp_path / "other").read_text() == ""
    assert open_descriptors() == before


def test_discarding_what_is_in_use_closes_nothing(tmp_path: Path) -> None:
    prepared = prepare_logs(to(tmp_path / "log"))
    prepared.use()
    descriptors = open_descriptors()
    prepared.discard()
    assert open_descriptors() == descriptors
    _log.info("still here")
    assert events(tmp_path / "log") == ["still here"]


def test_the_log_moves_to_another_file_and_back_to_stderr(tmp_path: Path) -> None:
    stderr = io.StringIO()
    before = open_descriptors()
    for settings in (to(tmp_path / "a"), to(tmp_path / "b", level="warning"), LoggingSettings()):
        prepare_logs(settings, stderr).use()
        _log.info("info")
        _log.warning("warning")
    assert events(tmp_path / "a") == ["info", "warning"]
    assert events(tmp_path / "b") == ["warning"]
    assert [json.loads(line)["event"] for line in stderr.getvalue().splitlines()] == ["info", "warning"]
    assert open_descriptors() == before


def test_a_file_that_is_rotated_between_two_configurations_is_rotated_once(tmp_path: Path) -> None:
    prepare_logs(to(tmp_path / "log", rotate_size=2000)).use()
    _log.info("x" * 1500)
    prepared = prepare_logs(to(tmp_path / "log", rotate_size=3000))
    _log.info("y" * 1500)
    prepared.use()
    _log.info("z" * 1000)
    first, second = rotated(tmp_path / "log")
    assert [event[0] for event in events(first)] == ["x"]
    assert [event[0] for event in events(second)] == ["y", "z"]


def test_a_file_that_somebody_moved_away_is_begun_anew_by_a_reload(tmp_path: Path) -> None:
    prepare_logs(to(tmp_path / "log")).use()
    _log.info("one")
    (tmp_path / "log").rename(tmp_path / "moved")
    _log.info("two")
    prepare_logs(to(tmp_path / "log")).use()
    _log.info("three")
    assert events(tmp_path / "moved") == ["one", "two"]
    assert events(tmp_path / "log") == ["three"]


def test_no_record_is_lost_or_doubled_while_threads_log_and_the_output_changes(tmp_path: Path) -> None:
    outputs = [to(tmp_path / name, rotate_size=size, rotate_keep=1000) for name in "ab" for size in (5000, 9000)]
    prepare_logs(outputs[0]).use()

    def talk(thread: int) -> None:
        for number in range(250):
            _log.info(f"{thread}:{number}")

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    swaps = 0
    while any(thread.is_alive() for thread in threads) or swaps < len(outputs):
        swaps += 1
        # Each file twice, then the other one.
        prepare_logs(outputs[swaps % len(outputs)]).use()
    for thread in threads:
        thread.join()
    written = events(*rotated(tmp_path / "a"), *rotated(tmp_path / "b"))
    assert sorted(written) == sorted(f"{thread}:{number}" for thread in range(4) for number in range(250))


def test_what_a_full_disk_refuses_goes_to_stderr_with_one_reason_and_comes_back_to_the_file(tmp_path: Path) -> None:
    # The limit of a file's size stands for the disk's.
    program = """
import logging, os, resource, sys
from ndfd.config.settings import LoggingSettings
from ndfd.telemetry.logs import prepare_logs
log = logging.getLogger("ndfd")
output = sys.argv[1]
prepare_logs(LoggingSettings(output=output)).use()
descriptors = os.listdir("/proc/self/fd")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for number in range(50):
    log.info("record %d", number)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.info("room again")
log.info("last")
assert os.listdir("/proc/self/fd") == descriptors
"""
    path = tmp_path / "log"
    ran = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    on_stderr = [json.loads(line)["event"] for line in ran.stderr.splitlines()]
    assert on_stderr[0] == f"the log {path} cannot be written: File too large"
    missed = on_stderr[1:]
    assert missed == [f"record {number}" for number in range(50 - len(missed), 50)]
    *before, torn, room, notice, last = path.read_text().splitlines()
    assert [json.loads(line)["event"] for line in before] == [f"record {number}" for number in range(50 - len(missed))]
    assert not torn.endswith("}")
    assert [json.loads(line)["event"] for line in (room, notice, last)] == [
        "room again",
        f"{len(missed)} records before the last could not be written here: they went to stderr",
        "last",
    ]


def test_a_stderr_that_takes_nothing_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    prepare_logs(LoggingSettings(), Full()).use()
    _log.error("lost")
    assert capsys.readouterr().err == ""


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_file_that_was_moved_away_is_begun_anew_when_it_is_reopened(tmp_path: Path) -> None:
    before = open_descriptors()
    prepare_logs(to(tmp_path / "log", rotate_size="never")).use()
    _log.info("one")
    (tmp_path / "log").rename(tmp_path / "log.1")
    _log.info("two")
    reopen_logs()
    _log.info("three")
    assert events(tmp_path / "log.1") == ["one", "two"]
    assert events(tmp_path / "log") == ["the log file was reopened", "three"]
    assert open_descriptors() == before + 1


def test_no_record_is_lost_or_doubled_while_threads_log_and_files_are_moved_and_reopened(tmp_path: Path) -> None:
    path = tmp_path / "log"
    prepare_logs(to(path, rotate_size="never")).use()

    def talk(thread: int) -> None:
        for number in range(500):
            _log.warning(f"{thread}:{number}")

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    moved: list[Path] = []
    while any(thread.is_alive() for thread in threads) or len(moved) < 3:
        moved.append(path.rename(tmp_path / f"moved.{len(moved)}"))
        reopen_logs()
    for thread in threads:
        thread.join()
    written = [event for event in events(*moved, path) if event != "the log file was reopened"]
    assert sorted(written) == sorted(f"{thread}:{number}" for thread in range(4) for number in range(500))


def test_a_file_that_cannot_be_reopened_stays_the_one_that_is_open(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    prepare_logs(to(folder / "log")).use()
    folder.rename(tmp_path / "moved")
    _log.info("one")
    reopen_logs()
    _log.info("two")
    written = (tmp_path / "moved" / "log").read_text().splitlines()
    assert [json.loads(line)["event"] for line in written] == [
        "one",
        "the log file cannot be reopened: the log goes on in the one that is open",
        "two",
    ]
    assert json.loads(written[1])["reason"] == "No such file or directory"


def test_without_a_file_there_is_nothing_to_reopen() -> None:
    stderr = io.StringIO()
    prepare_logs(LoggingSettings(), stderr).use()
    reopen_logs()
    assert json.loads(stderr.getvalue())["event"] == "there is no log file to reopen"
