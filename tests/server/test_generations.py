"""A request is served by one generation of the configuration from its beginning to its end, and says which."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from ndfd.admission import Limits
from ndfd.client import Client
from ndfd.errors import ConfigError, NotPermitted
from ndfd.platform import Peer as LocalPeer
from ndfd.protocol.varlink_interfaces import (
    BACKUP,
    CANCEL_JOB,
    CONVERT,
    FORGET_JOB,
    GET_CONFIGURATION,
    GET_CRASHES,
    GET_HARDWARE,
    GET_JOB,
    GET_JOB_RESULT,
    GET_STATUS,
    LIST_JOBS,
    METHODS,
    RELOAD,
    RENEW_WORKERS,
    RETRY_JOB,
    SUBMIT,
    WATCH_JOBS,
)
from ndfd.server.access import ACCESS, REMOTE, administrators, any_caller, check_access
from ndfd.server.occupancy import Held
from tests.server.doors import Doors, UnixHttpConnection, connected
from tests.server.varlink_peer import Peer

SMALL = Limits(document_max_bytes=10, conversions_max=8, conversions_per_user_max=6)
DOCUMENT = {"document": {"data": "JVBERg=="}}

ASKED = {
    CONVERT: DOCUMENT,
    GET_STATUS: {},
    GET_CRASHES: {},
    GET_HARDWARE: {},
    GET_CONFIGURATION: {},
    RELOAD: {"dry_run": True},
    RENEW_WORKERS: {},
    SUBMIT: DOCUMENT,
    LIST_JOBS: {},
    WATCH_JOBS: {"ids": ["none"]},
    BACKUP: {"fd": 0},
    **{method: {"id": "none"} for method in (GET_JOB, GET_JOB_RESULT, CANCEL_JOB, RETRY_JOB, FORGET_JOB)},
}


@pytest.fixture
def web(doors: Doors) -> Iterator[UnixHttpConnection]:
    with contextlib.closing(UnixHttpConnection(doors.http_path)) as connection:
        yield connection


@pytest.mark.parametrize("method", [name for name in METHODS if name.startswith("io.ndfd.")])
def test_every_reply_names_the_generation(doors: Doors, method: str) -> None:
    with Peer(doors) as peer:
        assert peer.ask(method, ASKED[method])["parameters"]["generation"] == 1


@pytest.mark.parametrize("name", ["fail:worker-crashed", "fault"])
def test_every_failure_names_the_generation(doors: Doors, name: str) -> None:
    doors.serving.current = doors.generation(7)
    with Peer(doors) as peer:
        reply = peer.ask(CONVERT, {**DOCUMENT, "name": name})
    assert reply["error"] == "io.ndfd.Documents.Failed"
    assert reply["parameters"]["generation"] == 7


def test_what_is_no_call_is_answered_with_the_generation(doors: Doors) -> None:
    with Peer(doors) as peer:
        peer.send(b"garbage\0")
        assert peer.reply()["parameters"]["generation"] == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/health", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/v1/status", 200),
        ("GET", "/v1/configuration", 200),
        ("POST", "/v1/reload?dry_run=true", 200),
        ("POST", "/v1/convert", 200),
        ("POST", "/v1/jobs", 201),
        ("GET", "/v1/jobs", 200),
        ("DELETE", "/v1/jobs/none", 404),
        ("GET", "/v1/jobs/none/events", 404),
        ("POST", "/v1/jobs/none/result", 405),
        ("POST", "/v1/convert?name=fail:worker-crashed", 500),
        ("POST", "/v1/convert?name=fault", 500),
        ("POST", "/v1/convert?format=papyrus", 400),
        ("POST", "/v1/reload?dry_run=perhaps", 400),
        ("GET", "/nowhere", 404),
        ("GET", "/v1/convert", 405),
    ],
)
def test_every_http_answer_names_the_generation(
    doors: Doors, web: UnixHttpConnection, method: str, path: str, status: int
) -> None:
    doors.serving.current = doors.generation(3)
    web.request(method, path, body=b"%PDF" if method == "POST" else None)
    response = web.getresponse()
    response.read()
    assert (response.status, response.headers["Ndfd-Generation"]) == (status, "3")


def test_what_is_no_http_is_answered_with_the_generation(doors: Doors) -> None:
    with connected(doors.http_path) as sock:
        sock.sendall(b"garbage\r\n\r\n")
        assert b"ndfd-generation: 1\r\n" in sock.recv(4096).lower()


def test_a_body_that_was_begun_is_judged_by_the_generation_of_its_beginning(doors: Doors) -> None:
    with connected(doors.http_path) as sock:
        sock.sendall(b"POST /v1/convert HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + b"x" * 50)
        doors.run(_until(lambda: doors.occupancy.conversions == 1))
        doors.serving.current = doors.generation(2, SMALL)
        sock.sendall(b"x" * 50)
        answer = sock.recv(4096).lower()
    assert answer.startswith(b"http/1.1 200 ")
    assert b"ndfd-generation: 1\r\n" in answer


def test_a_conversion_that_runs_keeps_its_generation(doors: Doors) -> None:
    with Peer(doors) as peer, Peer(doors) as other:
        peer.send({"method": CONVERT, "parameters": {**DOCUMENT, "name": "hang"}})
        assert doors.conversions.started.wait(20)
        doors.serving.current = doors.generation(2, SMALL)
        assert other.ask(GET_STATUS, {})["parameters"]["generation"] == 2
        stopping = doors.begin(doors.varlink.stop(0.0))
        assert peer.reply()["parameters"]["generation"] == 1
        stopping.result(20)


def test_a_connection_that_stays_open_gets_the_new_generation_with_its_next_request(
    doors: Doors, web: UnixHttpConnection
) -> None:
    seen = []
    with Peer(doors) as peer:
        for number in (1, 2, 3):
            doors.serving.current = doors.generation(number)
            web.request("GET", "/health")
            response = web.getresponse()
            response.read()
            seen.append((response.headers["Ndfd-Generation"], peer.ask(GET_STATUS, {})["parameters"]["generation"]))
    assert seen == [("1", 1), ("2", 2), ("3", 3)]


def test_the_quotas_count_over_all_generations(doors: Doors) -> None:
    one = Limits(document_max_bytes=100, conversions_max=1, conversions_per_user_max=1)
    doors.serving.current = doors.generation(1, one)
    with Peer(doors) as peer, Peer(doors) as other:
        peer.send({"method": CONVERT, "parameters": {**DOCUMENT, "name": "hang"}})
        assert doors.conversions.started.wait(20)
        doors.serving.current = doors.generation(2, one)
        reply = other.ask(CONVERT, DOCUMENT)
        assert (reply["parameters"]["code"], reply["parameters"]["generation"]) == ("try-again", 2)


def test_the_deadline_is_the_generations_own(doors: Doors) -> None:
    limits = Limits(100, 8, 8, default_deadline_s=5.0, max_deadline_s=20.0)
    doors.serving.current = doors.generation(1, limits)
    with Peer(doors) as peer:
        for deadline_ms in (None, 7000, 90_000):
            asked: dict[str, Any] = {} if deadline_ms is None else {"deadline_ms": deadline_ms}
            peer.ask(CONVERT, {**DOCUMENT, **asked})
    assert [options.deadline_s for options, _ in doors.conversions.seen] == [5.0, 7.0, 20.0]


def test_what_a_request_needs_is_held_until_its_end(doors: Doors) -> None:
    held = Held()
    doors.serving.current = doors.generation(1, held=held)
    with Peer(doors) as peer:
        peer.send({"method": CONVERT, "parameters": {**DOCUMENT, "name": "hang"}})
        assert doors.conversions.started.wait(20)
        free = doors.begin(held.free())
        doors.serving.current = doors.generation(2)
        with Peer(doors) as other:
            other.ask(CONVERT, DOCUMENT)
        assert not free.done()
    free.result(20)


def test_a_refused_reload_names_every_mistake_on_both_doors(doors: Doors, web: UnixHttpConnection) -> None:
    doors.configurations.refusal = ConfigError("the configuration has 2 mistakes", details=("a:1:1: x", "a:2:1: y"))
    with Client.connect(doors.varlink_path) as client, pytest.raises(ConfigError) as refused:
        client.reload()
    assert refused.value.details == ("a:1:1: x", "a:2:1: y")
    assert refused.value.generation == 1
    web.request("POST", "/v1/reload")
    response = web.getresponse()
    assert response.status == 409
    assert json.loads(response.read())["details"] == ["a:1:1: x", "a:2:1: y"]


def test_a_reload_tells_the_generation_that_holds_after_it(doors: Doors, web: UnixHttpConnection) -> None:
    with Client.connect(doors.varlink_path) as client:
        assert client.reload().generation == 2
        assert client.reload(dry_run=True).generation == 1
        assert client.configuration().settings[0].key == "swarm.workers"
    web.request("POST", "/v1/reload")
    response = web.getresponse()
    assert (response.headers["Ndfd-Generation"], json.loads(response.read())["generation"]) == ("1", 2)
    assert doors.configurations.reloads == [False, True, False]


@pytest.mark.parametrize(
    ("peer", "admins", "allowed"),
    [
        (LocalPeer(0, 0, 1), frozenset(), True),
        (LocalPeer(os.geteuid(), 0, 1), frozenset(), True),
        (LocalPeer(4242, 0, 1), frozenset(), False),
        (LocalPeer(4242, 0, 1), frozenset({4242}), True),
        (REMOTE, frozenset(), False),
        (REMOTE, frozenset({4242}), False),
    ],
)
@pytest.mark.parametrize("method", [RELOAD, RENEW_WORKERS, GET_CONFIGURATION])
def test_only_administrators_see_and_change_the_configuration(
    method: str, peer: LocalPeer, admins: frozenset[int], allowed: bool
) -> None:
    if allowed:
        check_access(method, peer, admins)
    else:
        with pytest.raises(NotPermitted, match=f"may not call {method}"):
            check_access(method, peer, admins)


def test_every_method_of_ours_has_a_rule_and_no_rule_lets_strangers_in() -> None:
    assert set(ACCESS) == {name for name in METHODS if name.startswith("io.ndfd.")}
    stranger = LocalPeer(-7, -7, 0)
    assert not any_caller(stranger, frozenset())
    assert not administrators(stranger, frozenset())


def test_metrics_that_are_switched_off_are_not_there(doors: Doors, web: UnixHttpConnection) -> None:
    doors.serving.current = doors.generation(1, metrics_enabled=False)
    web.request("GET", "/metrics")
    response = web.getresponse()
    assert response.status == 404
    assert "switched off" in json.loads(response.read())["detail"]


async def _until(holds: Any) -> None:
    while not holds():
        await asyncio.sleep(0)
