"""What is kept of workers that documents ended."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from ndfd.client import Client
from ndfd.client.private import PrivateDaemon
from ndfd.daemon.crash_reports import CRASHES_FILE, KEPT, CrashReports
from ndfd.errors import ConversionTimeout
from ndfd.model.conversion import ConvertOptions
from ndfd.model.crash import CrashCause
from tests import documents
from tests.server.crashes import crash


def conversions(reports: CrashReports) -> list[int]:
    return [report.conversion for report in reports.all()]


def test_the_next_daemon_reads_what_the_last_one_kept(tmp_path: Path) -> None:
    first = CrashReports(tmp_path)
    for number in range(3):
        first.keep(crash(conversion=number))
    again = CrashReports(tmp_path)
    again.keep(crash(conversion=3))
    assert conversions(CrashReports(tmp_path)) == [0, 1, 2, 3]


def test_only_the_last_are_kept_and_the_file_stays_small(tmp_path: Path) -> None:
    reports = CrashReports(tmp_path)
    for number in range(KEPT * 5):
        reports.keep(crash(conversion=number))
    assert conversions(reports) == list(range(KEPT * 4, KEPT * 5))
    assert conversions(CrashReports(tmp_path)) == conversions(reports)
    assert len((tmp_path / CRASHES_FILE).read_bytes().splitlines()) <= 2 * KEPT


def test_a_line_that_is_cut_off_costs_only_itself(tmp_path: Path) -> None:
    reports = CrashReports(tmp_path)
    reports.keep(crash(conversion=1))
    reports.keep(crash(conversion=2))
    with (tmp_path / CRASHES_FILE).open("ab") as file:
        file.write(b'{"at": 1.0, "cause"')
    after = CrashReports(tmp_path)
    assert conversions(after) == [1, 2]
    after.keep(crash(conversion=3))
    assert conversions(CrashReports(tmp_path)) == [1, 2, 3]


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    CrashReports(tmp_path).keep(crash())
    assert stat.S_IMODE((tmp_path / CRASHES_FILE).stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_costs_nothing_but_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / CRASHES_FILE).mkdir()
    reports = CrashReports(tmp_path)
    reports.keep(crash(conversion=5))
    assert conversions(reports) == [5]
    assert CRASHES_FILE in caplog.text


def test_a_document_that_is_not_done_at_its_deadline_is_reported_with_its_page() -> None:
    with PrivateDaemon() as daemon, Client.connect(daemon.socket) as client:
        folder = Path(daemon.socket).parent
        begun = time.time()
        with pytest.raises(ConversionTimeout):
            client.convert(documents.numbered_pages(20_000), ConvertOptions(deadline_s=0.7, name="secret name"))
        report, *others = client.crashes()
        assert report.cause is CrashCause.TIMEOUT
        # A long document is at several workers, and each is ended.
        assert {other.cause for other in others} <= {CrashCause.TIMEOUT}
        assert report.code == "conversion-timeout"
        assert begun - 1 < report.at < time.time() + 1
        assert report.size_bytes == len(documents.numbered_pages(20_000))
        assert b"secret name" not in (folder / CRASHES_FILE).read_bytes()
    assert not folder.exists()
