"""An engine's process answers for each document, and survives those that it does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests import documents
from tests.bench.engines import engine
from tests.bench.runner import EngineProcess, EngineStartError


@pytest.fixture
def process() -> EngineProcess:
    return EngineProcess(engine("pypdfium2"), Path(sys.executable), min(os.sched_getaffinity(0)))


def test_a_reading_has_time_pages_and_characters(tmp_path: Path, process: EngineProcess) -> None:
    (tmp_path / "good.pdf").write_bytes(documents.numbered_pages(3))
    with process:
        answer = process.read(tmp_path / "good.pdf", limit_s=30)
    assert answer["pages"] == 3
    assert answer["characters"] > 60
    assert 0 < answer["cpu_s"] < 5


def test_a_document_that_cannot_be_read_is_an_error_and_the_next_one_is_read(
    tmp_path: Path, process: EngineProcess
) -> None:
    (tmp_path / "bad.pdf").write_bytes(documents.not_a_pdf())
    (tmp_path / "good.pdf").write_bytes(documents.numbered_pages(1))
    with process:
        assert "Failed to load document" in process.read(tmp_path / "bad.pdf", limit_s=30)["error"]
        assert process.read(tmp_path / "good.pdf", limit_s=30)["pages"] == 1


def test_a_document_over_the_limit_is_given_up_and_the_next_one_is_read(tmp_path: Path, process: EngineProcess) -> None:
    (tmp_path / "endless.pdf").write_bytes(documents.endless())
    (tmp_path / "good.pdf").write_bytes(documents.numbered_pages(1))
    with process:
        assert process.read(tmp_path / "endless.pdf", limit_s=0.2) == {"limited": 0.2}
        assert process.read(tmp_path / "good.pdf", limit_s=30)["pages"] == 1


def test_an_engine_that_is_not_installed_says_so() -> None:
    absent = EngineProcess(engine("pymupdf"), Path(sys.executable), min(os.sched_getaffinity(0)))
    with pytest.raises(EngineStartError, match=r"pymupdf: .*No module named"), absent:
        pass
