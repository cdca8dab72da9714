"""Durable jobs over HTTP."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from ndfd.errors import Busy, DamagedDocument, NdfdError, QuotaExceeded, StorageFull, StoreError
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.job_states import JobState
from ndfd.model.jobs import JobOptions, JobQuery
from ndfd.server.access import REMOTE
from ndfd.server.http_jobs import job_routes
from ndfd.server.http_openapi import openapi_document
from tests.server.conftest import plain_door
from tests.server.doors import LIMITS, Doors, UnixHttpConnection, connected, open_descriptors
from tests.server.test_network_door import TOKEN, listening
from tests.server.test_varlink_jobs import USER, submitted


@pytest.fixture
def web(doors: Doors) -> Iterator[UnixHttpConnection]:
    """A connection to the HTTP door."""
    with contextlib.closing(UnixHttpConnection(doors.http_path)) as connection:
        yield connection


def ask(web: HTTPConnection, method: str, path: str, body: Any = None, **headers: str) -> HTTPResponse:
    web.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    return web.getresponse()


def told(response: HTTPResponse, status: int = 200) -> Any:
    assert (response.status, response.headers["Content-Type"]) == (status, "application/json")
    return json.loads(response.read())


def problem(response: HTTPResponse) -> dict[str, Any]:
    assert response.headers["Content-Type"] == "application/problem+json"
    body = json.loads(response.read())
    assert body["status"] == response.status
    assert isinstance(body, dict)
    return body


def test_a_body_becomes_a_job_with_all_that_was_asked(web: UnixHttpConnection, doors: Doors) -> None:
    path = "/v1/jobs?format=html&name=n&deadline=1.5&pool=bulk&priority=-10&label=case=1=7&label=b="
    headers = {"Idempotency_Key": "sésame".encode().decode("latin-1"), "Ndfd_Password": "p"}
    response = ask(web, "POST", path, b"a document", **headers)
    job = told(response, 201)
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["key"], job["labels"]) == ("queued", "sésame", {"case": "1=7", "b": ""})
    convert = ConvertOptions(OutputFormat.HTML, "p", "n", 1.5, "bulk")
    assert doors.jobs.seen == [
        (b"a document", JobOptions(convert, -10, "sésame", {"case": "1=7", "b": ""}), os.getuid())
    ]
    again = ask(web, "POST", path, b"a document", **headers)
    assert again.headers["Location"] == response.headers["Location"]
    assert told(again, 200) == job
    assert told(ask(web, "GET", response.headers["Location"])) == job


def test_what_is_accepted_as_an_answer_does_not_choose_the_rendering(web: UnixHttpConnection, doors: Doors) -> None:
    assert told(ask(web, "POST", "/v1/jobs", b"x", Accept="application/json"), 201)["format"] == "markdown"


@pytest.mark.parametrize(
    ("sent", "key"),
    [('"a b"', "a b"), ("a b", "a b"), (r'"a\"b\\c"', r'a"b\c'), ('"', '"'), ('a"b', 'a"b'), (r'"a\b"', r'"a\b"')],
)
def test_a_key_comes_with_or_without_quotes(web: UnixHttpConnection, doors: Doors, sent: str, key: str) -> None:
    assert told(ask(web, "POST", "/v1/jobs", b"x", Idempotency_Key=sent), 201)["key"] == key


def test_a_chunked_body_is_a_document(web: UnixHttpConnection, doors: Doors) -> None:
    told(ask(web, "POST", "/v1/jobs", iter([b"abc", b"def"])), 201)
    assert doors.jobs.seen[0].document == b"abcdef"


@pytest.mark.parametrize(
    ("query", "headers", "said"),
    [
        ("format=docx", {}, "unknown format 'docx'"),
        ("colour=1", {}, "unknown parameter 'colour'"),
        ("state=failed", {}, "unknown parameter 'state'"),
        ("deadline=nan", {}, "not a positive time"),
        ("priority=high", {}, "priority='high' is no whole number"),
        ("priority=+5", {}, "is no whole number"),
        ("priority=" + "9" * 5000, {}, "is no whole number"),
        ("priority=11", {}, "priority 11 is out of range"),
        ("priority=1&priority=1", {}, "given twice"),
        ("name=a&name=b", {}, "given twice"),
        ("label=a", {}, "the label 'a' has no value"),
        ("label==b", {}, "'' is no name of a label"),
        ("label=a=b&label=a=c", {}, "the label 'a' was given twice"),
        ("label=a%00=b", {}, "is no name of a label"),
        ("label=a=%0a", {}, "cannot be printed"),
        ("&".join(f"label=l{n}=" for n in range(33)), {}, "33 labels"),
        ("password=x", {}, "password was given in the query"),
        ("key=x", {}, "unknown parameter 'key'"),
        ("", {"Idempotency_Key": "x" * 256}, "key has 256 characters"),
        ("", {"Idempotency_Key": ""}, "key has 0 characters"),
        ("", {"Idempotency_Key": '""'}, "key has 0 characters"),
        ("", {"Idempotency_Key": "\xff"}, "the header Idempotency-Key is not UTF-8"),
        ("", {"Content_Type": "multipart/form-data; boundary=x"}, "multipart form"),
    ],
)
def test_a_submission_that_makes_no_sense_is_told_what_is_wrong(
    web: UnixHttpConnection, doors: Doors, query: str, headers: dict[str, str], said: str
) -> None:
    wrong = problem(ask(web, "POST", f"/v1/jobs?{query}", b"x", **headers))
    assert (wrong["status"], wrong["code"]) == (400, "usage")
    assert said in wrong["detail"]
    assert wrong["hint"]
    assert doors.jobs.seen == []


@pytest.mark.parametrize(
    ("query", "size", "status"),
    [("pool=fast", 10, 404), ("priority=99", 10, 400), ("", 0, 422), ("", LIMITS.document_max_bytes + 1, 413)],
)
def test_what_cannot_be_taken_is_refused_before_the_document_comes(
    web: UnixHttpConnection, doors: Doors, query: str, size: int, status: int
) -> None:
    web.putrequest("POST", f"/v1/jobs?{query}")
    web.putheader("Content-Length", str(size))
    web.endheaders()
    assert problem(web.getresponse())["status"] == status
    assert doors.jobs.seen == []


def test_a_body_that_grows_too_large_is_refused_while_it_comes(doors: Doors) -> None:
    piece = bytes(1 << 20)
    with contextlib.closing(UnixHttpConnection(doors.http_path)) as web:
        web.putrequest("POST", "/v1/jobs")
        web.putheader("Transfer-Encoding", "chunked")
        web.endheaders()
        for _ in range(LIMITS.document_max_bytes // len(piece) + 1):
            web.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        assert problem(web.getresponse())["code"] == "document-too-large"
    assert doors.jobs.seen == []


def test_documents_on_their_way_take_no_more_memory_than_they_may(web: UnixHttpConnection, doors: Doors) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nContent-Length: {LIMITS.document_max_bytes}\r\n\r\n".encode()

    def one_more() -> bool:
        with contextlib.suppress(Busy), doors.daemon.arriving.one_more(os.getuid(), LIMITS.document_max_bytes) as count:
            count(1)
            return True
        return False

    assert one_more()
    with connected(doors.http_path) as sock:
        sock.sendall(head + b"begun")
        while one_more():
            doors.run(doors.jobs.watched(0))
        response = ask(web, "POST", "/v1/jobs", b"small")
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert problem(response)["code"] == "try-again"
    web.close()
    doors.wait_idle()
    assert told(ask(web, "POST", "/v1/jobs", b"small"), 201)
    assert one_more()


def test_a_client_that_leaves_amid_its_document_leaves_nothing(doors: Doors) -> None:
    doors.wait_idle()
    before = open_descriptors()
    with connected(doors.http_path) as sock:
        sock.sendall(b"POST /v1/jobs HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
    doors.wait_idle()
    assert open_descriptors() == before
    assert doors.jobs.seen == []


@pytest.mark.parametrize(
    ("refusal", "after_s", "status", "header"),
    [
        (QuotaExceeded("full"), 2.01, 429, "3"),
        (QuotaExceeded("full"), None, 429, "1"),
        (StorageFull("full"), 7.0, 507, "7"),
        (StorageFull("full"), None, 507, "60"),
        (StoreError("broken"), None, 503, "1"),
        (DamagedDocument("torn"), None, 422, None),
    ],
)
def test_a_refusal_says_when_to_try_again(
    web: UnixHttpConnection, doors: Doors, refusal: NdfdError, after_s: float | None, status: int, header: str | None
) -> None:
    refusal.retry_after_s = after_s
    doors.jobs.refusal = refusal
    response = ask(web, "POST", "/v1/jobs", b"x")
    assert (response.status, response.headers["Retry-After"]) == (status, header)
    assert problem(response)["code"] == refusal.code


def test_a_job_is_told_with_and_without_its_history(web: UnixHttpConnection, doors: Doors) -> None:
    job_id = submitted(doors, labels={"a": "b"})
    job = told(ask(web, "GET", f"/v1/jobs/{job_id}?history=false"))
    assert (job["id"], job["labels"]) == (job_id, {"a": "b"})
    with_history = told(ask(web, "GET", f"/v1/jobs/{job_id}?history=true"))
    assert with_history.pop("history")[0]["event"] == "accepted"
    assert with_history == job
    for query in ("history=yes", "historie=true"):
        assert problem(ask(web, "GET", f"/v1/jobs/{job_id}?{query}"))["status"] == 400


def test_jobs_are_listed_by_what_is_asked(web: UnixHttpConnection, doors: Doors) -> None:
    ids = [submitted(doors, b"%d" % number, labels={"n": str(number % 2)}) for number in range(5)]
    first = told(ask(web, "GET", "/v1/jobs?limit=3"))
    assert [job["id"] for job in first["jobs"]] == ids[:1:-1]
    rest = told(ask(web, "GET", f"/v1/jobs?cursor={first['cursor']}"))
    assert [job["id"] for job in rest["jobs"]] == ids[1::-1]
    assert "cursor" not in rest
    fitting = told(ask(web, "GET", "/v1/jobs?state=queued&state=failed&label=n=0&label=m=1&uid=5&limit=7"))
    assert fitting == {"jobs": []}
    asked = JobQuery((JobState.QUEUED, JobState.FAILED), {"n": "0", "m": "1"}, 5, None, 7)
    assert doors.jobs.queries[-1] == (asked, None)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit 0 is out of range"),
        ("limit=all", "limit='all' is no whole number"),
        ("limit=1&limit=2", "given twice"),
        ("state=lost", "unknown state 'lost'"),
        ("uid=-2", "user id -2"),
        ("cursor=%00", "the cursor"),
        ("label=a", "has no value"),
        ("format=json", "unknown parameter 'format'"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(web: UnixHttpConnection, doors: Doors, query: str, said: str) -> None:
    wrong = problem(ask(web, "GET", f"/v1/jobs?{query}"))
    assert (wrong["status"], wrong["code"]) == (400, "usage")
    assert said in wrong["detail"]
    assert doors.jobs.queries == []


def test_a_result_is_sent_with_what_its_report_says(web: UnixHttpConnection, doors: Doors) -> None:
    job_id = submitted(doors)
    early = problem(ask(web, "GET", f"/v1/jobs/{job_id}/result"))
    assert (early["status"], early["code"], early["retryable"]) == (409, "job-not-finished", True)
    doors.run(doors.jobs.succeed(job_id, b"x" * 3_000_000))
    web.close()
    doors.wait_idle()
    before = open_descriptors()
    for method, body in (("GET", b"x" * 3_000_000), ("HEAD", b"")):
        response = ask(web, method, f"/v1/jobs/{job_id}/result")
        assert (response.status, response.read()) == (200, body)
        assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
        assert response.headers["Content-Length"] == "3000000"
        assert [response.headers[f"Ndfd-{name}"] for name in ("Pages", "Pages-Partial", "Pages-Failed")] == list("310")
    web.close()
    doors.wait_idle()
    assert open_descriptors() == before


def test_a_result_that_there_is_not_is_the_error_that_says_why(web: UnixHttpConnection, doors: Doors) -> None:
    failed, cancelled = submitted(doors, b"1"), submitted(doors, b"2")
    doors.run(doors.jobs.fail(failed, DamagedDocument("it is torn", page=3)))
    doors.run(doors.jobs.cancel(cancelled, None))
    damaged = problem(ask(web, "GET", f"/v1/jobs/{failed}/result"))
    assert (damaged["status"], damaged["code"], damaged["page"]) == (422, "document-damaged", 3)
    assert problem(ask(web, "GET", f"/v1/jobs/{cancelled}/result"))["code"] == "job-cancelled"


def test_jobs_are_cancelled_and_run_anew(web: UnixHttpConnection, doors: Doors) -> None:
    job_id = submitted(doors)
    assert problem(ask(web, "POST", f"/v1/jobs/{job_id}/retry"))["code"] == "job-state"
    for _ in range(2):
        assert told(ask(web, "POST", f"/v1/jobs/{job_id}/cancel"))["state"] == "cancelled"
    assert told(ask(web, "POST", f"/v1/jobs/{job_id}/retry"))["state"] == "queued"


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_a_job_is_erased_in_whatever_state_it_is(web: UnixHttpConnection, doors: Doors, state: str) -> None:
    job_id = submitted(doors)
    if state == "running":
        doors.run(doors.jobs.start(job_id))
    if state == "succeeded":
        doors.run(doors.jobs.succeed(job_id))
    response = ask(web, "DELETE", f"/v1/jobs/{job_id}")
    assert (response.status, response.read()) == (204, b"")
    assert problem(ask(web, "GET", f"/v1/jobs/{job_id}"))["status"] == 404
    assert problem(ask(web, "DELETE", f"/v1/jobs/{job_id}"))["status"] == 404


OF_ONE_JOB = [
    ("GET", ""),
    ("GET", "?history=true"),
    ("DELETE", ""),
    ("GET", "/result"),
    ("GET", "/events"),
    ("POST", "/cancel"),
    ("POST", "/retry"),
]


@pytest.mark.parametrize(("method", "path"), OF_ONE_JOB)
def test_another_users_job_is_one_that_there_is_not(
    web: UnixHttpConnection, doors: Doors, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    monkeypatch.setattr("ndfd.platform.peer_identity", lambda connection: USER)
    queued, ended = submitted(doors, b"1", uid=4712), submitted(doors, b"2", uid=4712)
    doors.run(doors.jobs.succeed(ended))
    said = set()
    for job_id in (queued, ended, "job999999"):
        response = ask(web, method, f"/v1/jobs/{job_id}{path}")
        # The whole answer, but for the moment that it was made at.
        lines = [f"{name}: {value}" for name, value in response.headers.items() if name.lower() != "date"]
        said.add((response.status, *lines, response.read().replace(job_id.encode(), b"ID")))
    assert len(said) == 1
    assert said.pop()[0] == 404
    assert doors.run(doors.jobs.get(queued, None)).state is JobState.QUEUED


@pytest.mark.parametrize("job_id", ["%2e%2e", "a%20b", "%00", "x" * 65, "x" * 60_000, "%1b%5b2J", "%ff", "a%0a"])
def test_what_cannot_be_an_id_is_a_job_that_there_is_not(web: UnixHttpConnection, doors: Doors, job_id: str) -> None:
    for method, path in OF_ONE_JOB:
        wrong = problem(ask(web, method, f"/v1/jobs/{job_id}{path}"))
        assert (wrong["status"], wrong["code"]) == (404, "job-unknown")
        assert wrong["detail"].isprintable()
        assert len(wrong["detail"]) < 120


def test_a_method_that_a_path_has_not_is_answered_with_those_that_it_has(web: UnixHttpConnection) -> None:
    response = ask(web, "PUT", "/v1/jobs/x", b"")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "DELETE"}
    assert problem(response)["status"] == 405


def test_only_administrators_list_other_users_jobs(
    web: UnixHttpConnection, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ndfd.platform.peer_identity", lambda connection: USER)
    theirs, mine = submitted(doors, b"1", uid=4712), submitted(doors, b"1", uid=USER.uid)
    assert [job["id"] for job in told(ask(web, "GET", "/v1/jobs"))["jobs"]] == [mine]
    refused = problem(ask(web, "GET", "/v1/jobs?uid=4712"))
    assert (refused["status"], refused["code"]) == (403, "not-permitted")
    doors.serving.current = doors.generation(2, admins=frozenset({USER.uid}))
    assert [job["id"] for job in told(ask(web, "GET", "/v1/jobs"))["jobs"]] == [mine, theirs]
    assert told(ask(web, "GET", f"/v1/jobs/{theirs}"))["uid"] == 4712


def test_who_comes_over_the_network_has_the_jobs_that_came_over_the_network(doors: Doors) -> None:
    local = submitted(doors)
    doors.serving.current = doors.generation(1, token=TOKEN)
    with listening(doors) as port, contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=20)) as web:
        assert problem(ask(web, "POST", "/v1/jobs", b"a document"))["status"] == 401
        shown = {"Authorization": f"Bearer {TOKEN}"}
        job = told(ask(web, "POST", "/v1/jobs", b"a document", **shown), 201)
        assert job["uid"] == REMOTE.uid
        assert told(ask(web, "GET", "/v1/jobs", **shown))["jobs"] == [job]
        for method, path in OF_ONE_JOB:
            assert problem(ask(web, method, f"/v1/jobs/{local}{path}", **shown))["status"] == 404
        assert problem(ask(web, "GET", f"/v1/jobs?uid={os.getuid()}", **shown))["status"] == 403
        doors.run(doors.jobs.succeed(job["id"]))
        assert ask(web, "GET", f"/v1/jobs/{job['id']}/result", **shown).read() == b"# a result"
    assert [seen.uid for seen in doors.jobs.seen] == [os.getuid(), REMOTE.uid]
    assert doors.run(doors.jobs.get(local, None)).state is JobState.QUEUED


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("GET", ""), *((m, f"/x{p}") for m, p in OF_ONE_JOB)])
def test_a_daemon_without_jobs_says_so(web: UnixHttpConnection, doors: Doors, method: str, path: str) -> None:
    doors.daemon = dataclasses.replace(doors.daemon, jobs=None)
    doors.serving.current = doors.generation(2)
    wrong = problem(ask(web, method, f"/v1/jobs{path}", b"x" if method == "POST" else None))
    assert (wrong["status"], wrong["code"], wrong["detail"]) == (501, "not-supported", "this daemon keeps no jobs")


def test_a_stopping_daemon_takes_no_jobs_and_tells_of_those_that_there_are(
    web: UnixHttpConnection, doors: Doors
) -> None:
    job_id = submitted(doors)
    doors.occupancy.closed = True
    assert problem(ask(web, "POST", "/v1/jobs", b"x"))["code"] == "daemon-stopping"
    assert told(ask(web, "GET", f"/v1/jobs/{job_id}"))["id"] == job_id


@plain_door
def test_a_door_that_stops_amid_a_document_says_that_there_is_no_job(doors: Doors) -> None:
    with connected(doors.http_path) as sock:
        sock.sendall(b"POST /v1/jobs HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
        while not doors.http.state.tasks:
            doors.run(doors.jobs.watched(0))
        doors.run(doors.http.stop(0))
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(65536):
                answer += piece
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"before it could acknowledge the job" in answer
    assert doors.jobs.seen == []


def test_every_route_is_described_and_every_described_path_is_a_route() -> None:
    described = {
        (path, verb.upper())
        for path, verbs in openapi_document("1")["paths"].items()
        if path.startswith("/v1/jobs")
        for verb in verbs
    }
    routes = {(route.path, method) for route in job_routes() for method in (route.methods or ()) if method != "HEAD"}
    assert described == routes


def test_every_parameter_of_a_path_is_described() -> None:
    for path, verbs in openapi_document("1")["paths"].items():
        for operation in verbs.values():
            named = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))


def test_an_impatient_socket_is_not_waited_for(doors: Doors) -> None:
    job_id = submitted(doors)
    doors.run(doors.jobs.succeed(job_id, b"x" * 8_000_000))
    doors.serving.current = doors.generation(2, door=dataclasses.replace(doors.serving.current.door, stall_s=0.05))
    doors.wait_idle()
    before = open_descriptors()
    with connected(doors.http_path) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(f"GET /v1/jobs/{job_id}/result HTTP/1.1\r\n\r\n".encode())
        doors.wait_idle()
    assert open_descriptors() == before
