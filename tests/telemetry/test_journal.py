"""Records in systemd's journal, on a real datagram socket: their fields, their size, and a journal that is away."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from ndfd import platform
from ndfd.config.settings import LoggingSettings
from ndfd.errors import ConfigError
from ndfd.platform import Journal
from ndfd.platform.journal import Journal as NoJournal
from ndfd.telemetry.journal import message, priority
from ndfd.telemetry.logs import prepare_logs
from tests.telemetry.journal_double import JournalDouble

_log = logging.getLogger("ndfd.test")
_TO_JOURNAL = LoggingSettings(output="journal", level="debug")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "socket"


@pytest.fixture
def journald(place: Path) -> Iterator[JournalDouble]:
    with JournalDouble(place) as double:
        yield double


@pytest.fixture
def stderr() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def used(place: Path, stderr: io.StringIO) -> None:
    prepare_logs(_TO_JOURNAL, stderr, journal=Journal(place)).use()


def events(stderr: io.StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in stderr.getvalue().splitlines()]


@pytest.mark.usefixtures("used")
def test_a_record_has_its_fields_and_reads_well(journald: JournalDouble) -> None:
    _log.warning("a worker is %s", "replaced", extra={"worker": 3, "reason": "it has ended 500 conversions"})
    (entry,) = journald.entries()
    assert entry.pop("CODE_FILE")[0].endswith("test_journal.py")
    assert int(entry.pop("CODE_LINE")[0]) > 0
    assert entry == {
        "MESSAGE": ['a worker is replaced: worker=3 reason="it has ended 500 conversions"'],
        "PRIORITY": ["4"],
        "SYSLOG_IDENTIFIER": ["ndfd"],
        "LOGGER": ["ndfd.test"],
        "CODE_FUNC": ["test_a_record_has_its_fields_and_reads_well"],
        "NDFD_EVENT": ["a worker is replaced"],
        "NDFD_WORKER": ["3"],
        "NDFD_REASON": ["it has ended 500 conversions"],
    }


@pytest.mark.usefixtures("used")
def test_structlogs_records_are_as_others_and_name_where_they_were_logged(journald: JournalDouble) -> None:
    structlog.stdlib.get_logger("ndfd.dispatch").error("a run was given up", job="01J0", pool="bulk")
    (entry,) = journald.entries()
    assert entry["MESSAGE"] == ["a run was given up: job=01J0 pool=bulk"]
    assert (entry["NDFD_JOB"], entry["LOGGER"], entry["PRIORITY"]) == (["01J0"], ["ndfd.dispatch"], ["3"])
    assert entry["CODE_FUNC"] == ["test_structlogs_records_are_as_others_and_name_where_they_were_logged"]


@pytest.mark.parametrize(
    ("level", "number"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (25, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2)],
)
def test_levels_are_those_of_syslog(level: int, number: int) -> None:
    assert priority(level) == number


@pytest.mark.usefixtures("used")
def test_what_is_less_serious_than_the_level_is_not_sent(journald: JournalDouble, place: Path) -> None:
    prepare_logs(LoggingSettings(output="journal", level="error"), journal=Journal(place)).use()
    _log.warning("not sent")
    _log.error("sent")
    assert journald.messages() == ["sent"]


@pytest.mark.usefixtures("used")
def test_values_are_written_so_that_they_can_be_matched(journald: JournalDouble) -> None:
    said = {
        "sockets": ("/run/a.sock", "/run/b.sock"),
        "fast": True,
        "none": None,
        "share": 0.5,
        "Mixed-case.key é": 1,
        "parts": {"a": [1]},
        "path": Path("/var/lib"),
        "x" * 100: "long name",
    }
    _log.info("values", extra=said)
    (entry,) = journald.entries()
    ours = {name: value for name, value in entry.items() if name.startswith("NDFD_") and name != "NDFD_EVENT"}
    assert ours == {
        "NDFD_SOCKETS": ["/run/a.sock", "/run/b.sock"],
        "NDFD_FAST": ["true"],
        "NDFD_SHARE": ["0.5"],
        "NDFD_MIXED_CASE_KEY__": ["1"],
        "NDFD_PARTS": ['{"a": [1]}'],
        "NDFD_PATH": ["/var/lib"],
        "NDFD_" + "X" * 59: ["long name"],
    }
    assert entry["MESSAGE"][0].startswith("values: sockets=/run/a.sock,/run/b.sock fast=true share=0.5 ")


@pytest.mark.usefixtures("used")
def test_a_traceback_follows_the_message_and_is_a_field_of_its_own(journald: JournalDouble) -> None:
    try:
        {}["missing"]
    except KeyError:
        _log.exception("one failed", extra={"job": "01J0"})
        structlog.stdlib.get_logger("ndfd").exception("another failed")
    for entry, first in zip(journald.entries(), ("one failed: job=01J0", "another failed"), strict=True):
        line, _, rest = entry["MESSAGE"][0].partition("\n")
        assert line == first
        assert rest == entry["NDFD_EXCEPTION"][0]
        assert rest.startswith("Traceback")
        assert rest.endswith("KeyError: 'missing'")


@pytest.mark.usefixtures("used")
def test_what_a_record_quotes_begins_no_other_field_and_moves_no_cursor(journald: JournalDouble) -> None:
    _log.error("quoted", extra={"reason": "one\nPRIORITY=0\n\x1b[2J", "names": ["a\nMESSAGE=forged", "\udcff"]})
    (entry,) = journald.entries()
    assert entry["PRIORITY"] == ["3"]
    assert entry["MESSAGE"] == [
        'quoted: reason="one PRIORITY=0 \\\\x1b[2J" names="a MESSAGE=forged,\\\\udcff"',
    ]
    assert entry["NDFD_NAMES"] == ["a\nMESSAGE=forged", "\\udcff"]


def test_a_long_field_is_cut_in_the_message_only() -> None:
    text = message({"event": "long", "value": "x" * 5000, "other": 1})
    assert text.endswith("… other=1")
    assert len(text) < 300


@pytest.mark.usefixtures("used")
def test_an_entry_that_no_datagram_holds_comes_in_sealed_memory(journald: JournalDouble) -> None:
    value = "é" * 10_000_000
    _log.info("large", extra={"value": value})
    _log.info("small")
    large, small = journald.entries()
    assert large["NDFD_VALUE"] == [value]
    assert small["MESSAGE"] == ["small"]
    assert journald.in_memory == 1


def test_without_a_journal_records_go_to_stderr_and_come_back_to_it(place: Path, stderr: io.StringIO) -> None:
    double = JournalDouble(place)
    prepare_logs(_TO_JOURNAL, stderr, journal=Journal(place)).use()
    _log.info("one")
    _log.info("two")
    assert events(stderr) == ["the journal cannot be written: No such file or directory", "one", "two"]
    with double:
        _log.info("three")
        _log.info("four")
        assert double.messages() == [
            "three",
            "2 records before the last could not be written here: they went to stderr",
            "four",
        ]
    _log.info("five")
    # It restarts, and the socket is another one.
    with double:
        _log.info("six")
        assert double.messages()[0] == "six"
    assert events(stderr)[3:] == ["the journal cannot be written: No such file or directory", "five"]


@pytest.mark.usefixtures("used")
def test_a_journal_that_reads_nothing_holds_nobody_up(journald: JournalDouble, stderr: io.StringIO) -> None:
    sent = 0
    while not stderr.getvalue():
        _log.info(f"record {sent}")
        sent += 1
    first_missed = sent - 1
    _log.info("another")
    assert events(stderr) == [
        "the journal cannot be written: it has no room",
        f"record {first_missed}",
        "another",
    ]
    assert journald.messages() == [f"record {number}" for number in range(first_missed)]
    _log.info("room again")
    assert journald.messages() == [
        "room again",
        "2 records before the last could not be written here: they went to stderr",
    ]


def test_a_system_without_a_journal_refuses_the_setting() -> None:
    with pytest.raises(ConfigError, match=r"^\[logging\] output: this system has no journal$"):
        prepare_logs(_TO_JOURNAL, journal=NoJournal())


def test_the_log_moves_to_the_journal_and_away_without_a_descriptor_left(
    journald: JournalDouble, place: Path, stderr: io.StringIO, tmp_path: Path
) -> None:
    before = platform.process.open_descriptors()
    for output in (str(tmp_path / "log"), "journal", "stderr"):
        prepare_logs(LoggingSettings.model_validate({"output": output}), stderr, journal=Journal(place)).use()
        _log.info(output)
    discarded = prepare_logs(_TO_JOURNAL, stderr, journal=Journal(place))
    discarded.discard()
    assert journald.messages() == ["journal"]
    assert events(stderr) == ["stderr"]
    assert platform.process.open_descriptors() == before


class Captured:
    """A stderr that a service manager reads, and what its process is told of that."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._ours = ours
        self.stream: TextIO = os.fdopen(theirs.detach(), "w")
        status = os.fstat(self.stream.fileno())
        self.environment = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}

    def lines(self) -> list[str]:
        data = b""
        while True:
            try:
                data += self._ours.recv(1 << 20)
            except BlockingIOError:
                return data.decode().splitlines()

    def close(self) -> None:
        self.stream.close()
        self._ours.close()


@pytest.fixture
def captured() -> Iterator[Captured]:
    made = Captured()
    yield made
    made.close()


def test_where_stderr_is_the_journals_stream_records_go_there_with_their_fields(
    captured: Captured, journald: JournalDouble, place: Path
) -> None:
    logs = prepare_logs(LoggingSettings(), captured.stream, environment=captured.environment, journal=Journal(place))
    logs.use()
    _log.info("ready", extra={"pid": 4711})
    (entry,) = journald.entries()
    assert entry["NDFD_PID"] == ["4711"]
    assert captured.lines() == []


@pytest.mark.parametrize("variable", [None, "", "1:2", "nonsense", ":"])
def test_where_stderr_was_redirected_it_is_json_as_without_a_manager(
    captured: Captured, journald: JournalDouble, place: Path, variable: str | None
) -> None:
    environment = {} if variable is None else {"JOURNAL_STREAM": variable}
    prepare_logs(LoggingSettings(), captured.stream, environment=environment, journal=Journal(place)).use()
    _log.info("ready")
    (line,) = captured.lines()
    assert json.loads(line)["event"] == "ready"
    assert journald.entries() == []


@pytest.mark.parametrize(("form", "there"), [("auto", False), ("json", True), ("console", True)])
def test_lines_for_the_manager_begin_with_their_priority(
    captured: Captured, place: Path, form: str, there: bool
) -> None:
    double = JournalDouble(place)
    if there:
        double.open()
    settings = LoggingSettings.model_validate({"format": form})
    prepare_logs(settings, captured.stream, environment=captured.environment, journal=Journal(place)).use()
    _log.info("for information")
    try:
        {}["missing"]
    except KeyError:
        _log.exception("failed")
    lines = captured.lines()
    double.close()
    assert lines[0].startswith("<6>")
    assert all(line.startswith("<3>") for line in lines[1:])
    if form == "console":
        # A traceback has several, and the manager takes each for a record.
        assert lines[-1] == "<3>KeyError: 'missing'"
    else:
        assert [json.loads(line[3:])["event"] for line in lines] == ["for information", "failed"]


def test_a_manager_that_reads_nothing_holds_nobody_up(captured: Captured, place: Path) -> None:
    settings = LoggingSettings(format="json")
    prepare_logs(settings, captured.stream, environment=captured.environment, journal=Journal(place)).use()
    for number in range(5000):
        _log.info(f"record {number}")
    read = [json.loads(line[3:])["event"] for line in captured.lines()]
    assert read == [f"record {number}" for number in range(len(read))]
    assert 0 < len(read) < 5000
    _log.info("room again")
    assert [json.loads(line[3:])["event"] for line in captured.lines()] == [
        f"{5000 - len(read)} records before this one are lost: nobody read the standard error",
        "room again",
    ]
