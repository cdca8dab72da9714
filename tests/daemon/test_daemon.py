"""The daemon as a process: its start, its work, its ends."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import threading
from pathlib import Path

import pytest

from ndfd import __version__
from ndfd.client import Client
from ndfd.errors import NdfdError, ShuttingDown
from ndfd.model.conversion import ConvertOptions, PageReport
from ndfd.model.status import WorkerState
from tests import documents
from tests.daemon.conftest import Running, Start

THREE_PAGES = (["It begins here."], ["This is the second of three."], ["Nothing comes after."])


def ended(process_fd: int, seconds: float = 20) -> bool:
    """Whether the process behind a pidfd ends in time."""
    return bool(select.select([process_fd], [], [], seconds)[0])


def get(folder: Path, path: str) -> bytes:
    """The answer of the HTTP door, head and body."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(20)
        sock.connect(str(folder / "http.sock"))
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: ndfd\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    return answer


def test_it_says_once_where_it_is_when_it_is_ready(daemon: Running) -> None:
    process = daemon.process
    assert daemon.line == f"ndfd {__version__} is ready: {daemon.folder}/ndfd.sock {daemon.folder}/http.sock\n"
    process.terminate()
    out, err = process.communicate(timeout=20)
    assert out == b""
    assert [json.loads(line)["event"] for line in err.splitlines()] == [
        "workers are confined",
        "ready",
        "stopping",
    ]


def test_when_it_is_ready_a_worker_has_served_and_no_user_is_counted(daemon: Running) -> None:
    with daemon.client() as client:
        status = client.status()
    assert status.pid == daemon.pid
    assert [(worker.state, worker.served) for worker in status.workers] == [(WorkerState.IDLE, 1)]
    assert (status.succeeded, status.failed, status.pages) == (0, 0, 0)
    assert status.engine is not None
    assert status.engine.name.startswith("pdfium ")


def test_it_converts_and_counts(daemon: Running) -> None:
    with daemon.client() as client:
        with client.convert(documents.text_pages(*THREE_PAGES)) as conversion:
            assert "the second of three" in conversion.text
        with pytest.raises(NdfdError, match="not a PDF"):
            client.convert(documents.plain_text())
        status = client.status()
    assert (status.succeeded, status.failed, status.pages) == (1, 1, 3)
    metrics = get(daemon.folder, "/metrics").decode()
    assert 'neuraldocflow_documents_processed_total{format="markdown",outcome="succeeded"} 1.0' in metrics
    assert 'neuraldocflow_errors_total{code="document-unsupported"} 1.0' in metrics
    assert b'{"status":"ok"}' in get(daemon.folder, "/health")


def test_its_process_never_loads_the_document_engine(daemon: Running) -> None:
    with daemon.client() as client:
        client.convert(documents.numbered_pages(1)).close()
        (worker,) = client.status().workers
    assert "pdfium" not in Path(f"/proc/{daemon.pid}/maps").read_text()
    assert "ndfd.worker.zygote" in Path(f"/proc/{worker.pid}/cmdline").read_text()


def test_a_second_daemon_in_the_same_folder_is_refused(daemon: Running, start: Start) -> None:
    second = start()
    out, err = second.communicate(timeout=20)
    assert (second.returncode, out) == (69, b"")
    assert err.decode().startswith(
        f"ndfd: {daemon.folder}: another daemon (pid {daemon.process.pid}) runs there (socket-unusable); "
    )
    with daemon.client() as client:
        assert client.status().pid == daemon.process.pid


def test_one_that_was_killed_is_succeeded_by_the_next(daemon: Running, start: Start) -> None:
    daemon.process.kill()
    daemon.process.wait()
    next_one = start()
    assert next_one.stdout is not None
    assert "is ready" in next_one.stdout.readline().decode()
    with daemon.client() as client:
        assert client.status().pid == next_one.pid


@pytest.mark.parametrize(("number", "converted"), [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_sigterm_lets_a_conversion_end_and_sigint_does_not(
    daemon: Running, number: signal.Signals, converted: bool
) -> None:
    process = daemon.process
    # Page 2 takes half a second, or more than a day.
    document = documents.slow_second_page(40 if converted else 10_000_000)

    def on_page(page: PageReport) -> None:
        if page.number == 1:
            process.send_signal(number)

    with daemon.client() as client:
        if converted:
            with client.convert(document, on_page=on_page) as conversion:
                assert conversion.report.pages == 3
        else:
            with pytest.raises(ShuttingDown):
                client.convert(document, on_page=on_page)
    assert process.wait(20) == 0
    assert [path.name for path in daemon.folder.iterdir()] == ["ndfd.lock"]


def test_a_conversion_whose_worker_is_killed_is_done_by_another(daemon: Running) -> None:
    with daemon.client() as client, daemon.client() as other:
        killed = []

        def on_page(page: PageReport) -> None:
            if not killed:
                (worker,) = other.status().workers
                killed.append(worker.pid)
                os.kill(worker.pid, signal.SIGKILL)

        with client.convert(documents.slow_second_page(40), on_page=on_page) as conversion:
            assert conversion.report.pages == 3
        assert killed[0] not in {worker.pid for worker in client.status().workers}
        assert client.status().pid == daemon.pid


def test_a_conversion_ends_at_its_deadline_and_the_next_one_works(daemon: Running) -> None:
    with daemon.client() as client:
        with pytest.raises(NdfdError) as late:
            client.convert(documents.endless(), ConvertOptions(deadline_s=0.2))
        assert late.value.code == "conversion-timeout"
        client.convert(documents.numbered_pages(1)).close()


def test_no_worker_outlives_a_daemon_that_is_killed(daemon: Running) -> None:
    process = daemon.process
    begun = threading.Event()

    def convert() -> None:
        with daemon.client() as client, pytest.raises(NdfdError):
            client.convert(documents.slow_second_page(10_000_000), on_page=lambda page: begun.set())

    thread = threading.Thread(target=convert)
    thread.start()
    assert begun.wait(20)
    with daemon.client() as client:
        (worker,) = client.status().workers
    worker_fd = os.pidfd_open(worker.pid)
    try:
        process.kill()
        assert ended(worker_fd)
    finally:
        os.close(worker_fd)
        thread.join()


def test_a_wrong_setting_is_one_line_and_exit_status_78(start: Start) -> None:
    process = start(NDFD_SWARM__WORKERS="none")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (78, b"")
    assert err.decode().startswith("ndfd: NDFD_SWARM__WORKERS: swarm.workers: 'none' cannot be used: ")
    assert err.count(b"\n") == 1


def test_an_engine_that_is_missing_is_said_before_anything_listens(start: Start, tmp_path: Path) -> None:
    process = start(NDFD_NATIVE="fortran")
    out, err = process.communicate(timeout=20)
    assert (process.returncode != 0, out) == (True, b"")
    assert err.decode().splitlines()[-1].startswith("ndfd: ")
    assert not (tmp_path / "run" / "ndfd.sock").exists()


def test_the_sockets_have_the_mode_of_the_settings(start: Start, tmp_path: Path) -> None:
    process = start(NDFD_NETWORK__SOCKET_MODE="0600")
    assert process.stdout is not None
    process.stdout.readline()
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "run").glob("*.sock")} == {0o600}


def test_too_large_a_document_is_refused_by_the_setting(start: Start, tmp_path: Path) -> None:
    process = start(NDFD_DOCUMENT__MAX_SIZE="1kB")
    assert process.stdout is not None
    process.stdout.readline()
    with Client.connect(tmp_path / "run" / "ndfd.sock") as client, pytest.raises(NdfdError) as refused:
        client.convert(b"%PDF-" + b"x" * 1000)
    assert refused.value.code == "document-too-large"


def test_without_a_font_for_text_that_embeds_none_it_warns_and_with_one_it_does_not(
    start: Start, tmp_path: Path, daemon: Running
) -> None:
    with daemon.client() as client:
        status = client.status()
    assert status.engine is not None
    assert bool(status.engine.fallback_fonts) != any("Korean" in warning for warning in status.warnings)
    daemon.process.kill()
    daemon.process.wait()
    process = start(NDFD_DOCUMENT__FALLBACK_FONT_DIRS=str(tmp_path))
    assert process.stdout is not None
    process.stdout.readline()
    with daemon.client() as client:
        status = client.status()
    assert status.engine is not None
    assert status.engine.fallback_fonts == (str(tmp_path),)
    assert status.warnings == ()
