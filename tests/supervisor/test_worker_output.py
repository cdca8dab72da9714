"""What workers print becomes records: one for each line, harmless, and not without end."""

from __future__ import annotations

import asyncio
import os

import pytest
from structlog.testing import capture_logs

from ndfd.supervisor import worker_output
from ndfd.supervisor.worker_output import WorkerOutput
from tests.supervisor.fake_pool import run
from tests.supervisor.processes import open_descriptors


def printed(*pieces: bytes) -> list[dict[str, object]]:
    """The records of what was printed in these pieces."""

    async def body() -> None:
        before = open_descriptors()
        output = WorkerOutput()
        for piece in pieces:
            os.write(output.fd, piece)
            # The reader's turn.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        output.close()
        output.close()
        assert open_descriptors() == before

    with capture_logs() as records:
        run(body())
    return [dict(record) for record in records]


def test_each_line_is_a_record_however_it_came() -> None:
    records = printed(b"Traceback (most", b" recent call last):\n  File\n\nthe e", b"nd")
    assert [record["line"] for record in records] == ["Traceback (most recent call last):", "  File", "the end"]
    assert {record["event"] for record in records} == {"a worker printed"}


def test_a_line_is_cut_and_harmless() -> None:
    (first, second) = printed(b"\x1b[2J\xff\r\n", b"x" * 10_000 + b"\n")
    assert first["line"] == "\\x1b[2J\ufffd "
    assert len(str(second["line"])) == worker_output.LINE_MAX_CHARACTERS


def test_what_is_beyond_the_allowance_of_a_span_is_counted() -> None:
    records = printed(*[b"line\n" * 100] * 5)
    assert sum(record["event"] == "a worker printed" for record in records) == worker_output.LINES_MAX
    assert records[-1]["lines_left_out"] == 500 - worker_output.LINES_MAX


def test_a_new_span_has_a_new_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_output, "SPAN_S", 0.0)
    records = printed(*[b"line\n" * 100] * 5)
    assert [record["event"] for record in records] == ["a worker printed"] * 500
