"""`ndfd convert` with a private daemon, real workers and real documents."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import documents

Start = Callable[..., "subprocess.Popen[bytes]"]

LONG = 120


@pytest.fixture(autouse=True)
def private_daemons_are_small_and_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("NDFD_SWARM__WORKERS", "2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "in"
    (place / "sub").mkdir(parents=True)
    (place / "one.pdf").write_bytes(documents.text_pages(["The first document."], ["Its second page."]))
    (place / "sub" / "two.pdf").write_bytes(documents.text_pages(["The second document."]))
    return place


def test_without_a_daemon_a_private_one_is_started_and_said_so(start: Start, folder: Path, tmp_path: Path) -> None:
    process = start("convert", folder / "one.pdf")
    out, err = process.communicate(timeout=LONG)
    assert process.returncode == 0
    assert out.decode().splitlines() == ["The first document.", "", "Its second page."]
    (line,) = err.decode().splitlines()
    assert "no daemon answers" in line
    assert line.endswith("; starting a private one")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_json_of_several_documents_is_one_document_on_each_line(start: Start, folder: Path) -> None:
    out, _ = start("convert", "-q", "--private", "-f", "json", folder).communicate(timeout=LONG)
    names = [json.loads(line)["source"]["name"] for line in out.splitlines()]
    assert names == ["one.pdf", "two.pdf"]


def test_bad_documents_among_good_ones_are_one_line_each(start: Start, folder: Path, tmp_path: Path) -> None:
    bad = {
        "empty.pdf": (documents.empty(), "document-empty"),
        "locked.pdf": (documents.encrypted_aes256(), "document-password-required"),
        "no-pages.pdf": (documents.no_pages(), "document-no-pages"),
        "text.pdf": (documents.plain_text(), "document-unsupported"),
        "cut.pdf": (documents.header_only(), "document-damaged"),
    }
    for name, (data, _) in bad.items():
        (folder / name).write_bytes(data)
    process = start("convert", "--private", "-o", tmp_path / "out", folder)
    out, err = process.communicate(timeout=LONG)
    assert (process.returncode, out) == (65, b"")
    lines = err.decode().splitlines()
    for name, (_, code) in bad.items():
        (line,) = (line for line in lines if f"/{name}: " in line)
        assert f"({code}); " in line
    assert lines[-1].startswith("ndfd: 2 of 7 documents, 3 pages in ")
    assert {path.name for path in (tmp_path / "out").rglob("*.md")} == {"one.md", "two.md"}


def test_a_page_that_cannot_be_loaded_is_named_beside_the_result(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(documents.broken_page())
    process = start("convert", "--private", tmp_path / "a.pdf")
    _, err = process.communicate(timeout=LONG)
    assert process.returncode == 0
    assert re.search(rb"a\.pdf: partial: page \d+ failed \(", err)


def test_a_pipe_goes_in_and_a_pipe_comes_out(start: Start) -> None:
    process = start("convert", "-q", "--private", "-", stdin=subprocess.PIPE)
    out, err = process.communicate(documents.text_pages(["Through a pipe."]), timeout=LONG)
    assert (process.returncode, out.strip(), err) == (0, b"Through a pipe.", b"")


def test_a_wrong_setting_of_the_private_daemon_is_its_own_error(
    start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NDFD_SWARM__WORKERS", "0")
    process = start("convert", "--private", folder)
    _, err = process.communicate(timeout=LONG)
    assert process.returncode == 78
    assert b"NDFD_SWARM__WORKERS: swarm.workers: 0 is below the minimum" in err
    assert err.count(b"\n") == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_the_private_daemon_and_leaves_no_file(
    start: Start, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    (tmp_path / "slow.pdf").write_bytes(documents.slow_second_page(10_000_000))
    out, terminal = tmp_path / "out", Terminal()
    process = start("convert", "--private", "-o", out, tmp_path / "slow.pdf", stderr=terminal.other_end)
    # The bar counts a page: the conversion is under way.
    terminal.wait_for("1 pages")
    process.send_signal(number)
    assert process.wait(LONG) == status
    assert list(out.iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert "Traceback" not in terminal.rest()


def test_on_a_terminal_a_bar_tells_of_documents_pages_and_failures(start: Start, folder: Path, tmp_path: Path) -> None:
    (folder / "text.pdf").write_bytes(documents.plain_text())
    terminal = Terminal()
    process = start("convert", "--private", "-o", tmp_path / "out", folder, stderr=terminal.other_end)
    assert process.wait(LONG) == 65
    text = terminal.rest()
    assert re.search(r"documents.*3/3.*3 pages, \d+ pages/s, 1 failed", text)
    assert "(document-unsupported); " in text
    assert text.rstrip().endswith("1 failed")


class Terminal:
    """A pseudo-terminal, and what was written to it."""

    def __init__(self) -> None:
        self._fd, self.other_end = pty.openpty()
        self._text = ""

    def wait_for(self, words: str) -> None:
        """Returns when the words have been written."""
        while words not in self._text:
            assert select.select([self._fd], [], [], LONG)[0], f"never wrote {words!r}, but: {self._text}"
            self._text += os.read(self._fd, 65536).decode("utf-8", "replace")

    def rest(self) -> str:
        """All that was written, when the program has ended."""
        os.close(self.other_end)
        try:
            while data := os.read(self._fd, 65536):
                self._text += data.decode("utf-8", "replace")
        except OSError:
            pass  # EIO: the other end is closed.
        os.close(self._fd)
        return self._text
