"""Reload and configuration over both doors: what is understood, and who may."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ndfd.errors import NotPermitted
from ndfd.platform import Peer as Caller
from ndfd.server.access import REMOTE, check_access
from tests.server.doors import Doors, UnixHttpConnection
from tests.server.varlink_peer import Peer

CONFIGURATION = "io.ndfd.Service.GetConfiguration"
RELOAD = "io.ndfd.Service.Reload"
RENEW = "io.ndfd.Service.RenewWorkers"

USER = Caller(uid=4711, gid=4711, pid=1)


@pytest.fixture
def web(doors: Doors) -> Iterator[UnixHttpConnection]:
    """A connection to the HTTP door."""
    connection = UnixHttpConnection(doors.http_path)
    yield connection
    connection.close()


def test_a_reload_can_be_planned_only(web: UnixHttpConnection, doors: Doors) -> None:
    for query, dry_run in (("?dry_run=true", True), ("?dry_run=false", False)):
        web.request("POST", f"/v1/reload{query}")
        assert web.getresponse().read()
        assert doors.configurations.reloads.pop() is dry_run
    with Peer(doors) as peer:
        for parameters, dry_run in (({"dry_run": True}, True), ({"dry_run": False}, False), ({}, False)):
            peer.ask(RELOAD, parameters)
            assert doors.configurations.reloads.pop() is dry_run


@pytest.mark.parametrize("query", ["dry_run=1", "dry_run", "dry_run=", "dryrun=true", "dry_run=true&force=true"])
def test_a_reload_that_is_not_understood_is_not_begun(web: UnixHttpConnection, doors: Doors, query: str) -> None:
    web.request("POST", f"/v1/reload?{query}")
    response = web.getresponse()
    assert (response.status, json.loads(response.read())["code"]) == (400, "usage")
    with Peer(doors) as peer:
        said = peer.ask(RELOAD, {"dry_run": "yes"})
        assert said["error"] == "org.varlink.service.InvalidParameter"
        assert peer.ask(RELOAD, {"force": True})["error"] == "org.varlink.service.InvalidParameter"
    assert doors.configurations.reloads == []


def test_metrics_that_are_switched_off_are_not_there_and_say_so(web: UnixHttpConnection, doors: Doors) -> None:
    doors.serving.current = doors.generation(2, metrics_enabled=False)
    web.request("GET", "/metrics")
    response = web.getresponse()
    problem = json.loads(response.read())
    assert response.status == 404
    assert "[metrics] enabled" in problem["hint"]


def test_who_is_no_administrator_neither_reloads_nor_reads_the_configuration(
    web: UnixHttpConnection, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ndfd.platform.peer_identity", lambda connection: USER)
    with Peer(doors) as peer:
        for method in (RELOAD, CONFIGURATION):
            assert peer.ask(method)["error"] == "org.varlink.service.PermissionDenied"
    for verb, path in (("POST", "/v1/reload"), ("GET", "/v1/configuration")):
        web.request(verb, path)
        response = web.getresponse()
        assert (response.status, json.loads(response.read())["code"]) == (403, "not-permitted")
    assert doors.configurations.reloads == []


def test_a_user_is_an_administrator_from_the_generation_on_that_names_it(
    web: UnixHttpConnection, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ndfd.platform.peer_identity", lambda connection: USER)
    for admins, status in ((frozenset({1, USER.uid}), 200), (frozenset({1}), 403)):
        doors.serving.current = doors.generation(2, admins=admins)
        web.request("POST", "/v1/reload")
        response = web.getresponse()
        response.read()
        assert response.status == status


def test_no_list_of_administrators_makes_one_of_a_caller_without_a_user() -> None:
    with pytest.raises(NotPermitted, match="who comes over the network may not call"):
        check_access(RELOAD, REMOTE, frozenset({REMOTE.uid}))


def test_workers_are_renewed_all_or_those_of_one_pool(web: UnixHttpConnection, doors: Doors) -> None:
    for query, renewed in (("", 3), ("?pool=bulk", 1)):
        web.request("POST", f"/v1/renew{query}")
        assert json.loads(web.getresponse().read()) == {"generation": 1, "renewed": renewed}
    with Peer(doors) as peer:
        assert peer.ask(RENEW, {})["parameters"] == {"generation": 1, "renewed": 3}
        assert peer.ask(RENEW, {"pool": "bulk"})["parameters"]["renewed"] == 1


def test_a_renewal_that_is_not_understood_is_not_begun(web: UnixHttpConnection, doors: Doors) -> None:
    for query, code in (("pools=bulk", "usage"), ("pool=none", "pool-unknown")):
        web.request("POST", f"/v1/renew?{query}")
        assert json.loads(web.getresponse().read())["code"] == code
    with Peer(doors) as peer:
        assert peer.ask(RENEW, {"pool": "none"})["parameters"]["code"] == "pool-unknown"
        assert peer.ask(RENEW, {"now": True})["error"] == "org.varlink.service.InvalidParameter"
