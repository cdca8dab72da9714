"""Conversions with their counts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.daemon.measured import Counts, MeasuredConversions
from ndfd.errors import WorkerCrashed
from ndfd.model.conversion import ConvertOptions
from ndfd.model.status import DaemonStatus
from ndfd.telemetry.metrics import Metrics
from tests.server.doors import ScriptedConversions


def metrics() -> Metrics:
    return Metrics(lambda: DaemonStatus("1", 1, 1.0, (), None, (), 0, 0, 0, 0, 1, ""))


def convert(conversions: MeasuredConversions, name: str, document: int) -> None:
    os.close(asyncio.run(conversions.convert(document, ConvertOptions(name=name), uid=0, on_page=None)).fd)


@pytest.fixture
def document(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "document"
    path.write_bytes(b"x")
    with path.open("rb") as file:
        yield file.fileno()


def test_results_and_their_pages_are_counted(document: int) -> None:
    counted = metrics()
    counts = Counts()
    convert(MeasuredConversions(ScriptedConversions(), counted, counts), "pages:3", document)
    convert(MeasuredConversions(ScriptedConversions(), counted, counts), "pages:4", document)
    assert (counts.succeeded, counts.failed, counts.pages) == (2, 0, 7)
    assert b'documents_processed_total{format="markdown",outcome="partial"} 2.0' in counted.render()[1]


@pytest.mark.parametrize(("name", "code"), [("fail:worker-crashed", "worker-crashed"), ("fault", "internal")])
def test_a_failure_passes_through_and_is_counted_by_its_code(document: int, name: str, code: str) -> None:
    counted = metrics()
    counts = Counts()
    conversions = MeasuredConversions(ScriptedConversions(), counted, counts)
    with pytest.raises((WorkerCrashed, RuntimeError)):
        convert(conversions, name, document)
    assert counts.failed == 1
    assert f'neuraldocflow_errors_total{{code="{code}"}} 1.0'.encode() in counted.render()[1]


def test_what_its_caller_cancels_is_not_counted(document: int) -> None:
    counts = Counts()
    conversions = MeasuredConversions(ScriptedConversions(), metrics(), counts)

    async def scenario() -> None:
        task = asyncio.ensure_future(conversions.convert(document, ConvertOptions(name="hang"), uid=0, on_page=None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert (counts.succeeded, counts.failed) == (0, 0)
