"""The whole daemon, with both its doors, over workers in an attacker's hands."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ndfd.errors import DocumentKillsWorkers, NdfdError
from ndfd.model.conversion import ConvertOptions, PageReport
from tests.daemon.configured import Configured, running
from tests.supervisor.forged import environment as python_path
from tests.supervisor.test_hostile_worker import ESCAPES, FORGED_REPORTS, NO_FRAMES

CONFIG = """
[swarm]
workers = 3
worker_memory = "1GB"
[logging]
format = "json"
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configured]:
    root = tmp_path_factory.mktemp("forged")
    variables = {"PYTHONPATH": python_path()["PYTHONPATH"]}
    with running(root, CONFIG, program="tests.daemon.forged_daemon", **variables) as it:
        yield it
        assert it.process.poll() is None


def post(daemon: Configured, document: str, path: str = "/v1/convert") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the HTTP door's answer."""
    connection = http.client.HTTPConnection("ndfd")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(str(daemon.sockets / "http.sock"))
    connection.request("POST", path, body=document.encode())
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, body


def serves(daemon: Configured) -> None:
    """Through both doors, and by the same process."""
    with daemon.client() as client:
        assert client.status().pid == daemon.process.pid
        with client.convert(b"echo next") as conversion:
            assert conversion.text == "next"
    assert post(daemon, "echo next")[2] == b"next"


@pytest.mark.parametrize("name", FORGED_REPORTS)
def test_a_forged_report_reaches_neither_door(daemon: Configured, name: str) -> None:
    document = f"forge {json.dumps(FORGED_REPORTS[name])}"
    status, headers, body = post(daemon, document)
    assert (status, headers["content-type"]) == (422, "application/problem+json"), body
    assert json.loads(body)["code"] == "document-kills-workers"
    assert "set-cookie" not in headers
    assert b"made in time" not in body
    with daemon.client() as client, pytest.raises(DocumentKillsWorkers):
        client.convert(document.encode())
    serves(daemon)


@pytest.mark.parametrize("act", ["raw", "raw-and-leave"])
def test_no_bytes_of_a_worker_cost_the_daemon_a_worker_for_good(daemon: Configured, act: str) -> None:
    for name, data in NO_FRAMES.items():
        with daemon.client() as client, pytest.raises(NdfdError) as caught:
            client.convert(f"{act} {data.hex()}".encode())
        assert caught.value.code == "document-kills-workers", name
    serves(daemon)
    with daemon.client() as client:
        assert len(client.status().workers) == 3


def test_words_of_a_worker_are_harmless_in_the_log_at_the_doors_and_on_a_terminal(
    daemon: Configured, tmp_path: Path
) -> None:
    said = {"code": "document-damaged", "message": ESCAPES, "hint": ESCAPES}
    document = tmp_path / "said.pdf"
    document.write_text(f"fail-with {json.dumps(said)}")
    problem = json.loads(post(daemon, document.read_text())[2])
    assert problem["detail"].isprintable()
    assert problem["hint"].isprintable()
    for text in (document.read_text(), f"raw {NO_FRAMES['an unknown type'].hex()}", f"print-once {ESCAPES}\n"):
        document.write_text(text)
        ended = subprocess.run(
            [sys.executable, "-m", "ndfd", "convert", "--socket", daemon.sockets / "ndfd.sock", document],
            env=python_path(),
            capture_output=True,
            check=False,
        )
        assert all(line.isprintable() for line in (ended.stdout + ended.stderr).decode().splitlines())
    serves(daemon)
    printed = [event for event in daemon.events() if event["event"] == "a worker printed"]
    assert any("forged: line" in event["line"] for event in printed)
    assert all(line.isprintable() for line in daemon.log.read_text().splitlines())
    # Each line is a record of the daemon's own.
    assert all("timestamp" in event and "level" in event for event in daemon.events())


def test_pages_without_end_for_a_caller_that_does_not_read_cost_the_daemon_little(daemon: Configured) -> None:
    process = psutil.Process(daemon.process.pid)
    serves(daemon)
    before = process.memory_info().rss
    begun, over = threading.Event(), threading.Event()

    def reads_nothing(page: PageReport) -> None:
        begun.set()
        over.wait(60)

    asking_client = daemon.client()

    def ask() -> None:
        with pytest.raises(NdfdError):
            asking_client.convert(b"flood 30", ConvertOptions(deadline_s=60.0), on_page=reads_nothing)

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(60)
    with daemon.client() as client:
        while not any(worker.page is not None and worker.page >= 2000 for worker in client.status().workers):
            assert asking.is_alive()
    grown = process.memory_info().rss - before
    asking_client.close()
    over.set()
    asking.join()
    print(f"{grown / 1e6:.1f} MB more while 2,000 pages waited")
    # As the worker sent them, with 60 kB each, they would be 120 MB.
    assert grown < 40_000_000
    serves(daemon)


def test_what_workers_print_without_end_is_cut(daemon: Configured) -> None:
    before = daemon.log.stat().st_size
    with daemon.client() as client, pytest.raises(NdfdError):
        client.convert(b"print-without-end", ConvertOptions(deadline_s=1.0))
    serves(daemon)
    assert daemon.log.stat().st_size - before < 1_000_000


def test_nothing_is_left_of_all_this(daemon: Configured) -> None:
    serves(daemon)
    process = psutil.Process(daemon.process.pid)
    descriptors = process.num_fds()
    for document in ("raw c1", "result-is-its-channel", 'forge {"pages": -1}', "raw-with-descriptors 253 c1"):
        for _ in range(5):
            with daemon.client() as client, pytest.raises(NdfdError):
                client.convert(document.encode())
    serves(daemon)
    with daemon.client() as client:
        while [worker.state for worker in client.status().workers] != ["idle"] * 3:
            os.sched_yield()
    # The connection of this moment may not be closed there yet.
    assert process.num_fds() <= descriptors + 1
    assert len(process.children(recursive=True)) == 4
