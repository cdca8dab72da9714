"""Every method of the Varlink door and every operation of the HTTP door, of one real daemon."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ndfd import __version__
from ndfd.client import Client
from ndfd.client.connection import Connection
from ndfd.errors import JobUnknown, NdfdError
from ndfd.model.conversion import ConvertOptions, OutputFormat, PageReport
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobOptions, JobQuery
from ndfd.protocol import varlink_interfaces
from ndfd.protocol.varlink import Call
from ndfd.server.http_openapi import openapi_document
from tests import documents
from tests.daemon.conftest import Running

METHODS = {
    f"{interface}.{method}"
    for interface in varlink_interfaces.INTERFACES
    for method in re.findall(r"^method (\w+)", varlink_interfaces.interface_description(interface), re.MULTILINE)
}
OPERATIONS = {(verb.upper(), path) for path, verbs in openapi_document("")["paths"].items() for verb in verbs}


def ended(client: Client, job: Job) -> Job:
    """The job once it has ended."""
    last = job

    def changed(now: Job) -> None:
        nonlocal last
        last = now

    client.watch((job.id,), changed)
    return last


def test_every_method_of_the_varlink_door(daemon: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: set[str] = set()
    call = Connection.call

    def recorded(self: Connection, asked: Call, *arguments: Any) -> Any:
        called.add(asked.method)
        return call(self, asked, *arguments)

    monkeypatch.setattr(Connection, "call", recorded)
    with daemon.client() as client:
        convert_in_every_way(client)
        keep_jobs(client, tmp_path)
        administer(client)
        description = varlink_interfaces.GetInterfaceDescription("io.ndfd.Jobs")
        told = client._ask(
            varlink_interfaces.GET_INTERFACE_DESCRIPTION,
            description,
            varlink_interfaces.InterfaceDescription,
            10,
        )
        assert told.description == varlink_interfaces.interface_description("io.ndfd.Jobs")
    assert called == METHODS


def convert_in_every_way(client: Client) -> None:
    pages: list[PageReport] = []
    for form in OutputFormat:
        with client.convert(documents.text_pages(["one"], ["two"]), ConvertOptions(form), pages.append) as conversion:
            assert "two" in conversion.text
            sandbox = conversion.report.sandbox
            assert sandbox is not None
            assert (sandbox.verified, sandbox.missing) == (True, ())
    assert [page.number for page in pages] == [1, 2] * len(OutputFormat)
    with pytest.raises(NdfdError, match="not a PDF"):
        client.convert(documents.plain_text())
    with pytest.raises(NdfdError) as late:
        client.convert(documents.endless(), ConvertOptions(deadline_s=0.3))
    assert late.value.code == "conversion-timeout"


def keep_jobs(client: Client, tmp_path: Path) -> None:
    options = JobOptions(ConvertOptions(OutputFormat.TEXT), key="one", labels={"kind": "letter"})
    job = client.submit(documents.text_pages(["a letter"]), options).job
    assert client.submit(documents.text_pages(["a letter"]), options).reused
    assert ended(client, job).state is JobState.SUCCEEDED
    with client.result(job.id) as result:
        assert result.text.strip() == "a letter"
    assert [found.id for found in client.jobs(JobQuery(labels={"kind": "letter"})).jobs] == [job.id]
    assert client.job_history(job.id)[-1].event == "succeeded"
    endless = client.submit(documents.endless(), options=JobOptions()).job
    assert client.cancel(endless.id).state in (JobState.CANCELLED, JobState.RUNNING)
    assert ended(client, endless).state is JobState.CANCELLED
    client.retry(endless.id)
    client.cancel(endless.id)
    assert ended(client, endless).state is JobState.CANCELLED
    with (tmp_path / "backup.tar").open("wb") as file:
        assert client.backup(file.fileno()).jobs == 2
    assert (tmp_path / "backup.tar").stat().st_size > 1000
    client.forget(job.id)
    with pytest.raises(JobUnknown):
        client.job(job.id)


def administer(client: Client) -> None:
    before = client.status()
    assert (before.version, before.pid > 1, len(before.workers)) == (__version__, True, 1)
    assert client.info().version == __version__
    assert client.hardware().features
    assert [report.code for report in client.crashes()] == ["conversion-timeout"]
    assert client.configuration().generation == before.generation
    assert client.reload(dry_run=True).generation == before.generation
    assert client.reload().generation == before.generation + 1
    assert client.renew() == 1
    client.convert(documents.numbered_pages(1)).close()
    (worker,) = client.status().workers
    assert worker.pid != before.workers[0].pid


class Http:
    """The HTTP door, and what of it was asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.asked: set[tuple[str, str]] = set()

    def __call__(self, verb: str, path: str, body: bytes | None = None, **values: str) -> tuple[int, bytes]:
        """Status and body of the answer; `values` stand for what is in braces, and the rest is the query."""
        self.asked.add((verb, path.partition("?")[0]))
        with self._connection() as connection:
            connection.request(verb, path.format(**values), body, {"Content-Type": "application/pdf"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    @contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection("ndfd", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(60)
        try:
            connection.sock.connect(str(self._path))
            yield connection
        finally:
            connection.close()


def test_every_operation_of_the_http_door(daemon: Running) -> None:
    get = Http(daemon.folder / "http.sock")
    for path, has in READS.items():
        status, body = get("GET", path)
        assert (status, has(body)) == (200, True), (path, body)
    status, body = get("POST", "/v1/convert?format=text", documents.text_pages(["over HTTP"]))
    assert (status, body.strip()) == (200, b"over HTTP")
    assert get("POST", "/v1/reload")[0] == 200
    assert get("POST", "/v1/renew")[0] == 200

    status, body = get("POST", "/v1/jobs?format=text", documents.text_pages(["a job"]))
    assert status == 201, body
    job = json.loads(body)["id"]
    status, body = get("GET", "/v1/jobs/{job_id}/events", job_id=job)
    assert (status, b"succeeded" in body) == (200, True)
    assert get("GET", "/v1/jobs/{job_id}/result", job_id=job) == (200, b"a job\n")
    assert json.loads(get("GET", "/v1/jobs/{job_id}", job_id=job)[1])["state"] == "succeeded"
    assert job.encode() in get("GET", "/v1/jobs")[1]
    # It has ended: there is nothing to cancel and nothing to try again.
    assert get("POST", "/v1/jobs/{job_id}/cancel", job_id=job)[0] == 409
    assert get("POST", "/v1/jobs/{job_id}/retry", job_id=job)[0] == 409
    assert get("DELETE", "/v1/jobs/{job_id}", job_id=job)[0] in (200, 204)
    assert get("GET", "/v1/jobs/{job_id}", job_id=job)[0] == 404
    assert get.asked == OPERATIONS


#: What is read, and what stands in it.
READS: dict[str, Callable[[bytes], bool]] = {
    "/": lambda body: b"ndfd" in body,
    "/health": lambda body: body == b'{"status":"ok"}',
    "/info": lambda body: json.loads(body)["version"] == __version__,
    "/metrics": lambda body: b"neuraldocflow_documents_processed_total" in body,
    "/openapi.json": lambda body: json.loads(body)["openapi"].startswith("3.1"),
    "/v1/status": lambda body: json.loads(body)["version"] == __version__,
    "/v1/crashes": lambda body: json.loads(body)["crashes"] == [],
    "/v1/configuration": lambda body: json.loads(body)["generation"] == 1,
}
