"""A long document through a daemon, read by several workers and by one."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ndfd.client import Client
from ndfd.model.conversion import ConversionReport, ConvertOptions, OutputFormat, PageReport
from tests import documents
from tests.daemon.configured import running
from tests.document.test_parts import book

PAGES = 450


def settings(shard_pages: str) -> str:
    return f"[swarm]\nworkers = 2\nshard_pages = {shard_pages}\n"


def conversions(client: Client, data: bytes) -> list[tuple[bytes, ConversionReport]]:
    """In every format, with every page told once."""
    made = []
    for output_format in OutputFormat:
        seen: list[PageReport] = []
        options = ConvertOptions(output_format, name="book.pdf", deadline_s=120.0)
        with client.convert(data, options, on_page=seen.append) as conversion:
            report = msgspec.structs.replace(conversion.report, cpu_s=0.0, rss_max_bytes=0)
            made.append((bytes(conversion.content), report))
        assert sorted(page.number for page in seen) == list(range(1, PAGES + 1))
        assert {page.total for page in seen} == {PAGES}
    return made


def test_bad_pages_of_every_part_are_told(tmp_path: Path) -> None:
    data = documents.phantom_pages(PAGES)
    with running(tmp_path, settings("200")) as daemon, daemon.client() as client:
        sharded = conversions(client, data)
        assert {report.pages_failed for _, report in sharded} == {PAGES - 1}
        daemon.write(settings('"off"'))
        client.reload()
        assert conversions(client, data) == sharded


def test_sharding_changes_nothing_but_the_number_of_workers(tmp_path: Path) -> None:
    data = book(PAGES)
    with running(tmp_path, settings("200")) as daemon, daemon.client() as client:
        sharded = conversions(client, data)
        # A worker takes on each of the conversions; beside that are three parts and a composition of each.
        assert sum(worker.served for worker in client.status().workers) == 1 + 4 * (1 + 3 + 1)
        assert client.status().succeeded == 4
        daemon.write(settings('"off"'))
        client.reload()
        before = sum(worker.served for worker in client.status().workers)
        assert conversions(client, data) == sharded
        assert sum(worker.served for worker in client.status().workers) == before + 4
        assert (client.status().succeeded, client.status().failed, client.status().pages) == (8, 0, 8 * PAGES)
