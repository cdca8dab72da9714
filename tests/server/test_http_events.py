"""What happens to a job as server-sent events."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
from typing import Any, NamedTuple

import pytest

from ndfd.errors import DamagedDocument, ShuttingDown
from tests.server.doors import Doors, UnixHttpConnection, connected, open_descriptors
from tests.server.test_varlink_jobs import submitted


class Event(NamedTuple):
    """One event, or a comment."""

    fields: dict[str, str]
    data: Any


class Events:
    """A client that reads events as they come, as the standard says."""

    def __init__(self, doors: Doors, job_id: str, **headers: str) -> None:
        self.web = UnixHttpConnection(doors.http_path)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self.web.request("GET", f"/v1/jobs/{job_id}/events", headers=sent)
        assert self.web.sock is not None
        self.sock: socket.socket = self.web.sock
        self.response = self.web.getresponse()

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self.web.close()

    def next(self) -> Event:
        """The next event; a comment has no fields."""
        fields = {}
        while line := self.response.readline().decode().rstrip("\n"):
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
        return Event(fields, json.loads(fields.pop("data")) if "data" in fields else None)

    def rest(self) -> bytes:
        """What comes until the end of the stream."""
        return self.response.read()


@pytest.fixture
def job_id(doors: Doors) -> str:
    return submitted(doors)


def test_each_change_and_page_is_an_event_until_the_job_has_ended(doors: Doors, job_id: str) -> None:
    with Events(doors, job_id) as events:
        assert events.response.status == 200
        assert events.response.headers["Content-Type"] == "text/event-stream"
        assert events.response.headers["Cache-Control"] == "no-store"
        assert events.response.headers["Ndfd-Generation"] == "1"
        first = events.next()
        assert first.fields == {"id": "1", "event": "job"}
        assert (first.data["id"], first.data["state"]) == (job_id, "queued")
        doors.run(doors.jobs.start(job_id))
        doors.run(doors.jobs.page(job_id, 2, 7))
        doors.run(doors.jobs.fail(job_id, DamagedDocument("it is\ntorn")))
        running, page, failed = (events.next() for _ in range(3))
        assert (running.fields["id"], running.data["state"]) == ("2", "running")
        assert (page.fields["id"], page.data["pages_done"], page.data["pages"]) == ("2", 2, 7)
        assert (failed.fields["id"], failed.data["fault"]["message"]) == ("3", "it is\ntorn")
        assert events.rest() == b""
    doors.run(doors.jobs.watched(0))


def test_the_connection_serves_on_after_the_last_event(doors: Doors, job_id: str) -> None:
    doors.run(doors.jobs.succeed(job_id))
    with Events(doors, job_id) as events:
        assert events.next().data["state"] == "succeeded"
        assert events.rest() == b""
        events.web.request("GET", "/health")
        assert events.web.getresponse().read() == b'{"status":"ok"}'


def test_what_was_seen_is_not_sent_again(doors: Doors, job_id: str) -> None:
    with Events(doors, job_id, Last_Event_ID="1") as events:
        doors.run(doors.jobs.watched(1))
        doors.run(doors.jobs.page(job_id, 1, 2))
        page = events.next()
        # A page makes no new version, and is news all the same.
        assert (page.fields["id"], page.data["pages_done"]) == ("1", 1)
        doors.run(doors.jobs.start(job_id))
        assert events.next().fields["id"] == "2"
    with Events(doors, job_id, Last_Event_ID="1") as events:
        assert events.next().fields["id"] == "2"
    with Events(doors, job_id, Last_Event_ID="17") as events:
        assert events.next().fields["id"] == "2"
    with Events(doors, job_id, Last_Event_ID="") as events:
        assert events.next().fields["id"] == "2"


def test_who_has_seen_the_end_need_not_connect_again(doors: Doors, job_id: str) -> None:
    doors.run(doors.jobs.succeed(job_id))
    with Events(doors, job_id) as events:
        last = events.next().fields["id"]
    with Events(doors, job_id, Last_Event_ID=last) as events:
        assert (events.response.status, events.rest()) == (204, b"")
    doors.run(doors.jobs.watched(0))


@pytest.mark.parametrize("seen", ["x", "-1", "1.0", "9" * 19, "١", "1 2"])
def test_what_is_no_version_is_refused(doors: Doors, job_id: str, seen: str) -> None:
    with Events(doors, job_id, Last_Event_ID=seen.encode().decode("latin-1")) as events:
        wrong = json.loads(events.rest())
        assert (events.response.status, wrong["code"]) == (400, "usage")
        assert "Last-Event-ID" in wrong["detail"]


def test_a_job_that_there_is_not_is_a_problem_before_the_first_event(doors: Doors) -> None:
    with Events(doors, "nobody") as events:
        assert (events.response.status, json.loads(events.rest())["code"]) == (404, "job-unknown")


def test_while_nothing_happens_comments_keep_the_connection_in_use(doors: Doors, job_id: str) -> None:
    door = dataclasses.replace(doors.serving.current.door, heartbeat_s=0.01)
    doors.serving.current = doors.generation(2, door=door)
    with Events(doors, job_id) as events:
        assert events.next().data["state"] == "queued"
        assert [events.next() for _ in range(3)] == [({}, None)] * 3
        doors.run(doors.jobs.start(job_id))
        while (event := events.next()) == ({}, None):
            pass
        assert event.data["state"] == "running"


def test_a_client_that_hangs_up_leaves_nothing(doors: Doors, job_id: str) -> None:
    doors.wait_idle()
    before = open_descriptors()
    for _ in range(3):
        with Events(doors, job_id) as events:
            events.next()
            assert doors.jobs.watches == 1
        # Nothing happens to the job: only the hang-up can end it.
        doors.run(doors.jobs.watched(0))
    doors.wait_idle()
    assert open_descriptors() == before


def test_a_client_that_does_not_read_is_cut_off_and_leaves_nothing(doors: Doors) -> None:
    job_id = submitted(doors, labels={f"l{number}": "x" * 255 for number in range(32)})
    doors.serving.current = doors.generation(2, door=dataclasses.replace(doors.serving.current.door, stall_s=0.05))
    with connected(doors.http_path) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\n\r\n".encode())
        doors.run(doors.jobs.watched(1))
        for number in range(400):
            doors.run(doors.jobs.page(job_id, number, 400))
        doors.run(doors.jobs.watched(0))
        doors.wait_idle()


def test_what_fails_amid_the_events_is_the_last_of_them(doors: Doors, job_id: str) -> None:
    with Events(doors, job_id) as events:
        events.next()
        doors.run(doors.jobs.stop_watches(ShuttingDown("the daemon stops")))
        problem = events.next()
        assert problem.fields == {"event": "problem"}
        assert (problem.data["code"], problem.data["status"]) == ("daemon-stopping", 503)
        assert events.rest() == b""


def test_a_door_that_stops_says_so_to_who_reads_and_waits_for_nobody_else(doors: Doors) -> None:
    job_id = submitted(doors, labels={f"l{number}": "x" * 255 for number in range(32)})
    with Events(doors, job_id) as events, connected(doors.http_path) as deaf:
        events.next()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\n\r\n".encode())
        doors.run(doors.jobs.watched(2))
        for number in range(100):
            doors.run(doors.jobs.page(job_id, number, 400))
            events.next()
        doors.run(doors.http.stop(0))
        assert events.next().data["code"] == "daemon-stopping"
    doors.run(doors.jobs.watched(0))


def test_head_tells_that_there_are_events_and_ends(doors: Doors, job_id: str) -> None:
    with contextlib.closing(UnixHttpConnection(doors.http_path)) as web:
        for _ in range(2):
            web.request("HEAD", f"/v1/jobs/{job_id}/events")
            response = web.getresponse()
            assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
            assert response.read() == b""
    doors.run(doors.jobs.watched(0))
