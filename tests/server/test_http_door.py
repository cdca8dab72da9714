"""The HTTP door: what its routes answer."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ndfd.model.conversion import OutputFormat
from ndfd.model.status import PoolStatus, WorkerState, WorkerStatus
from tests.server.doors import LIMITS, Doors, UnixHttpConnection
from tests.server.varlink_peer import CONVERT, Peer


@pytest.fixture
def web(doors: Doors) -> Iterator[UnixHttpConnection]:
    """A connection to the HTTP door."""
    connection = UnixHttpConnection(doors.http_path)
    yield connection
    connection.close()


def ask(web: UnixHttpConnection, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
    web.request(
        method,
        path,
        body,
        {name.replace("_", "-"): value for name, value in headers.items()},
    )
    return web.getresponse()


def problem(response: http.client.HTTPResponse) -> dict[str, Any]:
    assert response.headers["Content-Type"] == "application/problem+json"
    body = json.loads(response.read())
    assert body["status"] == response.status
    assert isinstance(body, dict)
    return body


def test_a_document_is_converted(web: UnixHttpConnection, doors: Doors) -> None:
    response = ask(
        web,
        "POST",
        "/v1/convert?name=pages:4&deadline=2.5&pool=bulk",
        b"a document",
        Ndfd_Password="sésame".encode().decode("latin-1"),
    )
    assert response.status == 200
    assert response.read() == b"# markdown of 10 bytes: a document"
    assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
    pages = {name: response.headers[f"Ndfd-{name}"] for name in ("Pages", "Pages-Partial", "Pages-Failed")}
    assert pages == {"Pages": "4", "Pages-Partial": "1", "Pages-Failed": "0"}
    assert response.headers["Ndfd-Sandbox"] == "calls=22, landlock-abi=7, denied=2, missing=(mdwe), verified"
    assert response.headers["Date"]
    options, uid = doors.conversions.seen[0]
    assert (options.name, options.password, options.deadline_s, options.pool, uid) == (
        "pages:4",
        "sésame",
        2.5,
        "bulk",
        os.getuid(),
    )


def test_a_pool_that_there_is_not_is_refused_before_the_document_comes(web: UnixHttpConnection, doors: Doors) -> None:
    web.putrequest("POST", "/v1/convert?pool=fast")
    web.putheader("Content-Length", "10")
    web.endheaders()
    response = web.getresponse()
    problem = json.loads(response.read())
    assert (response.status, problem["code"]) == (404, "pool-unknown")
    assert "there is no pool 'fast'; there are default, bulk" in problem["detail"]
    assert doors.conversions.seen == []


@pytest.mark.parametrize("form", OutputFormat)
def test_both_doors_give_the_same_bytes(web: UnixHttpConnection, doors: Doors, form: OutputFormat) -> None:
    over_http = ask(web, "POST", f"/v1/convert?format={form}", b"same").read()
    with Peer(doors) as peer:
        data = base64.b64encode(b"same").decode()
        reply = peer.ask(
            CONVERT,
            {"document": {"data": data}, "format": form.value, "reply": "descriptor"},
        )
        over_varlink = os.pread(peer.descriptors[0], 1000, 0)
        inline = peer.ask(CONVERT, {"document": {"data": data}, "format": form.value})["parameters"]["content"]
    assert over_http == over_varlink == inline.encode()
    assert reply["parameters"]["report"]["media_type"] == form.media_type


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "markdown"),
        ("application/json", "json"),
        ("text/html, application/json;q=0.9", "html"),
        ("application/json;q=0.1, text/plain;q=0.5, image/png", "text"),
        ("application/*", "json"),
        ("text/markdown;q=0, text/*;q=0.1", "markdown"),
    ],
)
def test_the_accept_header_chooses_the_format(web: UnixHttpConnection, doors: Doors, accept: str, form: str) -> None:
    assert ask(web, "POST", "/v1/convert", b"x", Accept=accept).status == 200
    assert doors.conversions.seen[0][0].format == form


def test_the_query_has_the_last_word_on_the_format(web: UnixHttpConnection, doors: Doors) -> None:
    ask(web, "POST", "/v1/convert?format=json", b"x", Accept="text/html").read()
    assert doors.conversions.seen[0][0].format == "json"


@pytest.mark.parametrize(
    ("query", "headers", "said"),
    [
        ("format=docx", {}, "unknown format 'docx'"),
        ("colour=1", {}, "unknown parameter 'colour'"),
        ("deadline=soon", {}, "'soon' is no number"),
        ("deadline=-1", {}, "not a positive time"),
        ("deadline=nan", {}, "not a positive time"),
        ("name=a&name=b", {}, "given twice"),
        ("name=" + "x" * 2000, {}, "2000 characters"),
        ("password=x", {}, "password was given in the query"),
        ("", {"Accept": "image/png"}, "no rendering"),
        ("", {"Ndfd_Password": "\xff"}, "not UTF-8"),
        ("", {"Content_Type": "multipart/form-data; boundary=x"}, "multipart form"),
    ],
)
def test_a_request_that_makes_no_sense_is_told_what_is_wrong(
    web: UnixHttpConnection, query: str, headers: dict[str, str], said: str
) -> None:
    wrong = problem(ask(web, "POST", f"/v1/convert?{query}", b"x", **headers))
    assert (wrong["status"], wrong["code"], wrong["title"]) == (
        400,
        "usage",
        "Bad Request",
    )
    assert said in wrong["detail"]
    assert wrong["hint"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("document-damaged", 422),
        ("document-unsupported", 415),
        ("conversion-timeout", 504),
        ("worker-crashed", 500),
    ],
)
def test_an_error_is_a_problem_with_its_status_code_and_page(web: UnixHttpConnection, code: str, status: int) -> None:
    wrong = problem(ask(web, "POST", f"/v1/convert?name=fail:{code}", b"x"))
    assert (wrong["status"], wrong["code"], wrong["page"]) == (status, code, 3)
    assert wrong["retryable"] is (code == "worker-crashed")


def test_what_may_be_tried_again_says_when(web: UnixHttpConnection) -> None:
    response = ask(web, "POST", "/v1/convert?name=fail:try-again", b"x")
    assert (response.status, response.headers["Retry-After"]) == (503, "1")


def test_a_fault_in_the_daemon_is_a_problem_without_its_details(
    web: UnixHttpConnection,
) -> None:
    wrong = problem(ask(web, "POST", "/v1/convert?name=fault", b"x"))
    assert (wrong["status"], wrong["code"]) == (500, "internal")
    assert "nobody expects" not in wrong["detail"]


def test_what_is_not_there_is_a_problem_too(web: UnixHttpConnection) -> None:
    assert problem(ask(web, "GET", "/nothing"))["status"] == 404
    response = ask(web, "GET", "/v1/convert")
    assert response.headers["Allow"] == "POST"
    assert problem(response)["status"] == 405


def test_an_empty_body_is_an_empty_document(web: UnixHttpConnection) -> None:
    assert problem(ask(web, "POST", "/v1/convert", b""))["code"] == "document-empty"
    assert problem(ask(web, "POST", "/v1/convert", iter([])))["code"] == "document-empty"


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(
    web: UnixHttpConnection,
) -> None:
    web.putrequest("POST", "/v1/convert")
    web.putheader("Content-Length", str(LIMITS.document_max_bytes + 1))
    web.endheaders()
    assert problem(web.getresponse())["status"] == 413


def test_a_body_that_grows_too_large_is_refused_while_it_comes(doors: Doors) -> None:
    web = UnixHttpConnection(doors.http_path)
    piece = bytes(1 << 20)
    web.putrequest("POST", "/v1/convert")
    web.putheader("Transfer-Encoding", "chunked")
    web.endheaders()
    for _ in range(LIMITS.document_max_bytes // len(piece) + 1):
        web.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    # The body has not ended, and is answered.
    assert problem(web.getresponse())["code"] == "document-too-large"
    assert doors.conversions.seen == []
    web.close()


def test_a_large_document_and_a_large_result_pass_whole(
    web: UnixHttpConnection,
) -> None:
    body = bytes(LIMITS.document_max_bytes)
    assert f"of {len(body)} bytes".encode() in ask(web, "POST", "/v1/convert", body).read()
    assert len(ask(web, "POST", "/v1/convert?name=big:20000000", b"x").read()) == 20_000_000


def test_a_chunked_body_is_a_document(web: UnixHttpConnection) -> None:
    assert b"of 6 bytes: abcdef" in ask(web, "POST", "/v1/convert", iter([b"abc", b"def"])).read()


def test_health_follows_the_workers(web: UnixHttpConnection, doors: Doors) -> None:
    response = ask(web, "GET", "/health")
    assert (response.status, response.read()) == (200, b'{"status":"ok"}')
    doors.workers = (WorkerStatus(1, 4711, WorkerState.DYING, 3, 1.5, 0),)
    response = ask(web, "GET", "/health")
    assert (response.status, json.loads(response.read())) == (
        503,
        {"status": "unavailable", "reason": "no worker is ready: the next one is starting"},
    )


@pytest.mark.parametrize(
    ("pool", "status"),
    [
        (PoolStatus("default", "extractor", 0, 4, 0), 200),
        (PoolStatus("default", "extractor", 1, 4, 0), 503),
        (PoolStatus("default", "extractor", 0, 4, 0, error="the zygote ended"), 503),
        (PoolStatus("bulk", "extractor", 0, 4, 0), 503),
    ],
)
def test_without_workers_a_daemon_is_healthy_where_none_is_kept_and_none_has_failed(
    web: UnixHttpConnection, doors: Doors, pool: PoolStatus, status: int
) -> None:
    # Those of another pool do not serve who names none.
    doors.workers = (WorkerStatus(2, 4712, WorkerState.IDLE, 3, 1.5, 0, pool="bulk", role="extractor"),)
    doors.pools = (pool, pool)
    assert ask(web, "GET", "/health").status == status


def test_a_stopping_daemon_is_healthy_as_long_as_what_comes_is_served_by_it_or_the_next(
    web: UnixHttpConnection, doors: Doors
) -> None:
    doors.occupancy.stopping = True
    answer = ask(web, "GET", "/health")
    assert answer.status == 200
    answer.read()
    doors.occupancy.closed = True
    assert ask(web, "GET", "/health").status == 503


def test_the_status_metrics_and_index_are_told(web: UnixHttpConnection) -> None:
    assert json.loads(ask(web, "GET", "/v1/status").read())["workers"][0]["pid"] == 4711
    metrics = ask(web, "GET", "/metrics")
    assert (metrics.headers["Content-Type"], metrics.read()) == (
        "text/plain; version=0.0.4",
        b"ndfd_up 1\n",
    )
    links = json.loads(ask(web, "GET", "/").read())["links"]
    for name, path in links.items():
        response = ask(web, "GET", path)
        assert response.status == (405 if name in ("convert", "reload", "renew") else 200)
        response.read()


def test_curl_converts_a_file(doors: Doors, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl here")
    (tmp_path / "document").write_bytes(b"by curl" * 1_000_000)
    command = [
        curl,
        "-sS",
        "--unix-socket",
        doors.http_path,
        "--data-binary",
        f"@{tmp_path}/document",
    ]
    done = subprocess.run(
        [*command, "http://localhost/v1/convert?format=text"],
        capture_output=True,
        check=True,
    )
    assert done.stdout.startswith(b"# text of 7000000 bytes: by curl")
    (tmp_path / "document").write_bytes(bytes(LIMITS.document_max_bytes + 1))
    done = subprocess.run([*command, "http://localhost/v1/convert"], capture_output=True, check=True)
    assert json.loads(done.stdout)["code"] == "document-too-large"
