"""Durable jobs over the Varlink door."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ndfd import platform
from ndfd.errors import DamagedDocument, QuotaExceeded, ShuttingDown, StorageFull
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job, JobOptions, JobQuery
from ndfd.platform import Peer as Caller
from ndfd.server.access import ACCESS
from tests.server.doors import Doors, open_descriptors
from tests.server.varlink_peer import GET_STATUS, Peer, document

SUBMIT, GET, LIST, WATCH, RESULT, CANCEL, RETRY, FORGET, BACKUP = (
    f"io.ndfd.Jobs.{name}"
    for name in ("Submit", "Get", "List", "Watch", "Result", "Cancel", "Retry", "Forget", "Backup")
)
#: No administrator, unlike whoever runs the tests, and somebody else.
USER = Caller(uid=4711, gid=4711, pid=1)


def inline(content: bytes = b"a document") -> dict[str, Any]:
    return {"document": {"data": base64.b64encode(content).decode()}}


def submitted(doors: Doors, content: bytes = b"a document", uid: int | None = None, **options: Any) -> str:
    """Id of a job that was submitted behind the doors."""
    fd = document(content)
    asked = JobOptions(**options)
    submission = doors.run(doors.jobs.submit(fd, asked, uid=os.getuid() if uid is None else uid))
    os.close(fd)
    return str(submission.job.id)


def test_a_document_becomes_a_job_with_all_that_was_asked(doors: Doors) -> None:
    asked = {
        **inline(),
        "format": "html",
        "name": "n",
        "password": "p",
        "deadline_ms": 1500,
        "pool": "bulk",
        "priority": -10,
        "key": "a key, ünprintable not",
        "labels": {"case": "17", "a.b/c-d_E": ""},
    }
    with Peer(doors) as peer:
        reply = peer.ask(SUBMIT, asked)["parameters"]
    job = reply["job"]
    assert (reply["generation"], reply["reused"]) == (1, False)
    assert (job["state"], job["version"], job["size_bytes"], job["uid"]) == ("queued", 1, 10, os.getuid())
    assert (job["format"], job["name"], job["pool"], job["deadline_s"]) == ("html", "n", "bulk", 1.5)
    assert (job["priority"], job["key"], job["labels"]) == (-10, asked["key"], asked["labels"])
    assert "password" not in json.dumps(reply)
    convert = ConvertOptions(OutputFormat.HTML, "p", "n", 1.5, "bulk")
    options = JobOptions(convert, -10, "a key, ünprintable not", {"case": "17", "a.b/c-d_E": ""})
    assert doors.jobs.seen == [(b"a document", options, os.getuid())]


def test_what_is_not_asked_is_left_to_the_default(doors: Doors) -> None:
    fd = document(b"0123456789")
    os.lseek(fd, 8, os.SEEK_SET)
    with Peer(doors) as peer:
        job = peer.ask(SUBMIT, {"document": {"fd": 0}}, fd)["parameters"]["job"]
        # The deadline as well: that of the run is then the configuration's, as it is when it runs.
        assert not {"priority", "key", "labels", "name", "pool", "deadline_s"} & set(job)
    os.close(fd)
    assert doors.jobs.seen == [(b"0123456789", JobOptions(), os.getuid())]


def test_the_same_work_is_the_same_job(doors: Doors) -> None:
    with Peer(doors) as peer:
        first, second = (peer.ask(SUBMIT, {**inline(), "key": "k"})["parameters"] for _ in range(2))
        assert (first["reused"], second["reused"]) == (False, True)
        assert first["job"] == second["job"]
        other = peer.ask(SUBMIT, {**inline(b"another"), "key": "k"})
    assert (other["error"], other["parameters"]["code"]) == ("io.ndfd.Jobs.Failed", "job-key-reused")


def test_100_pipelined_submissions_are_answered_in_their_order(doors: Doors) -> None:
    files = [document(b"%d." % number) for number in range(100)]
    with Peer(doors) as peer:
        for number, fd in enumerate(files):
            peer.send({"method": SUBMIT, "parameters": {"document": {"fd": 0}, "name": f"{number}"}}, fd)
        names = [peer.reply()["parameters"]["job"]["name"] for _ in files]
    assert names == [f"{number}" for number in range(100)]
    assert [seen.document for seen in doors.jobs.seen] == [b"%d." % number for number in range(100)]
    for fd in files:
        os.close(fd)


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ({"priority": 11}, "usage", "the priority 11 is out of range"),
        ({"priority": -(10**400)}, "usage", "is out of range"),
        ({"key": ""}, "usage", "the idempotency key has 0 characters"),
        ({"key": "x" * 256}, "usage", "the idempotency key has 256 characters"),
        ({"key": "a\nb"}, "usage", "cannot be printed"),
        ({"labels": {"": "x"}}, "usage", "'' is no name of a label"),
        ({"labels": {"-a": "x"}}, "usage", "'-a' is no name of a label"),
        ({"labels": {"a b": "x"}}, "usage", "'a b' is no name of a label"),
        ({"labels": {"\x1b[2J": "x"}}, "usage", r"x1b[2J"),
        ({"labels": {"a\n": "x"}}, "usage", "is no name of a label"),
        ({"labels": {"é": "x"}}, "usage", "is no name of a label"),
        ({"labels": {"x" * 64: "x"}}, "usage", "is no name of a label"),
        ({"labels": {"a": "x" * 256}}, "usage", "the value of the label 'a' has 256 characters"),
        ({"labels": {"a": "x\ny"}}, "usage", "cannot be printed"),
        ({"labels": {f"l{n}": "" for n in range(33)}}, "usage", "there are 33 labels; at most 32"),
        ({"name": "x" * 1025}, "usage", "the name has 1025 characters"),
        ({"password": "x" * 1025}, "usage", "the password has more than 1024"),
        ({"pool": "fast"}, "pool-unknown", "there is no pool 'fast'; there are default, bulk"),
        ({"document": {"data": ""}}, "document-empty", "0 bytes"),
        ({"document": {"fd": 3}}, "protocol", "`fd` names descriptor 3"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_what_is_wrong_with_it(
    doors: Doors, asked: dict[str, Any], code: str, said: str
) -> None:
    with Peer(doors) as peer:
        failed = peer.ask(SUBMIT, {**inline(), **asked})["parameters"]
    assert failed["code"] == code
    assert said in failed["message"]
    assert failed["hint"]
    assert doors.jobs.seen == []


@pytest.mark.parametrize(
    ("method", "asked", "parameter"),
    [
        (SUBMIT, {}, "document"),
        (SUBMIT, {"document": {}}, "document"),
        (SUBMIT, {**inline(), "priority": "high"}, "priority"),
        (SUBMIT, {**inline(), "labels": ["a"]}, "labels"),
        (SUBMIT, {**inline(), "labels": {"a": 1}}, "labels"),
        (SUBMIT, {**inline(), "deadline_ms": 0}, "deadline_ms"),
        (SUBMIT, {**inline(), "deadline_ms": 10**400}, "deadline_ms"),
        (SUBMIT, {**inline(), "uid": 0}, "uid"),
        (GET, {}, "id"),
        (GET, {"id": 17}, "id"),
        (GET, {"id": "x", "history": "yes"}, "history"),
        (LIST, {"states": ["lost"]}, "states"),
        (LIST, {"limit": 1.5}, "limit"),
        (LIST, {"order": "oldest"}, "order"),
        (WATCH, {"ids": "x"}, "ids"),
        (RESULT, {"id": "x", "reply": "pipe"}, "reply"),
        (CANCEL, {"id": None}, "id"),
        (BACKUP, {}, "fd"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(
    doors: Doors, method: str, asked: dict[str, Any], parameter: str
) -> None:
    with Peer(doors) as peer:
        reply = peer.ask(method, asked)
        assert reply["error"] == "org.varlink.service.InvalidParameter"
        assert reply["parameters"] == {"parameter": parameter}
        assert "version" in peer.ask(GET_STATUS)["parameters"]


@pytest.mark.parametrize(("refusal", "retry_after_ms"), [(QuotaExceeded("full"), None), (StorageFull("full"), 2501)])
def test_a_refusal_says_when_to_try_again(doors: Doors, refusal: QuotaExceeded, retry_after_ms: int | None) -> None:
    refusal.retry_after_s = None if retry_after_ms is None else 2.5001
    doors.jobs.refusal = refusal
    with Peer(doors) as peer:
        failed = peer.ask(SUBMIT, inline())["parameters"]
    assert (failed["code"], failed["retryable"], failed.get("retry_after_ms")) == (refusal.code, True, retry_after_ms)


def test_a_fault_in_the_store_is_told_without_its_details(doors: Doors) -> None:
    doors.jobs.refusal = RuntimeError("nobody expects this")
    with Peer(doors) as peer:
        failed = peer.ask(SUBMIT, inline())["parameters"]
        assert failed["code"] == "internal"
        assert "nobody expects" not in failed["message"]
        assert "version" in peer.ask(GET_STATUS)["parameters"]


def test_a_job_is_shown_with_and_without_its_history(doors: Doors) -> None:
    job_id = submitted(doors, labels={"a": "b"})
    doors.run(doors.jobs.start(job_id))
    with Peer(doors) as peer:
        plain = peer.ask(GET, {"id": job_id})["parameters"]
        assert (plain["generation"], plain["job"]["id"], plain["job"]["state"]) == (1, job_id, "running")
        assert "history" not in plain
        told = peer.ask(GET, {"id": job_id, "history": True})["parameters"]
    assert told["job"] == plain["job"]
    assert [(change["event"], change["state"]) for change in told["history"]] == [
        ("accepted", "queued"),
        ("started", "running"),
    ]


def test_jobs_are_listed_by_what_is_asked(doors: Doors) -> None:
    ids = [submitted(doors, b"%d" % number, labels={"n": str(number % 2)}) for number in range(5)]
    doors.run(doors.jobs.start(ids[0]))
    with Peer(doors) as peer:
        first = peer.ask(LIST, {"limit": 3})["parameters"]
        assert [job["id"] for job in first["jobs"]] == ids[:1:-1]
        rest = peer.ask(LIST, {"limit": 3, "cursor": first["cursor"]})["parameters"]
        assert [job["id"] for job in rest["jobs"]] == ids[1::-1]
        assert "cursor" not in rest
        fitting = peer.ask(LIST, {"states": ["running", "failed"], "labels": {"n": "0"}})["parameters"]
        assert [job["id"] for job in fitting["jobs"]] == ids[:1]
    asked = JobQuery((JobState.RUNNING, JobState.FAILED), {"n": "0"})
    assert doors.jobs.queries[-1] == (asked, None)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"limit": 0}, "limit 0 is out of range"),
        ({"limit": 1001}, "limit 1001 is out of range"),
        ({"uid": -2}, "user id -2"),
        ({"uid": 2**32}, "user id 4294967296"),
        ({"cursor": "x" * 65}, "the cursor"),
        ({"cursor": ""}, "the cursor"),
        ({"cursor": "'; drop"}, "the cursor"),
        ({"labels": {"a b": "x"}}, "'a b' is no name of a label"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(doors: Doors, asked: dict[str, Any], said: str) -> None:
    with Peer(doors) as peer:
        failed = peer.ask(LIST, asked)["parameters"]
    assert failed["code"] == "usage"
    assert said in failed["message"]
    assert doors.jobs.queries == []


def test_a_watch_tells_each_change_and_page_and_ends_with_the_jobs(doors: Doors) -> None:
    one, two = submitted(doors, b"1"), submitted(doors, b"2")
    with Peer(doors) as peer:
        peer.send({"method": WATCH, "parameters": {"ids": [one, two, one]}, "more": True})
        told = [peer.reply() for _ in range(2)]
        assert [(reply["continues"], reply["parameters"]["job"]["id"]) for reply in told] == [(True, one), (True, two)]
        doors.run(doors.jobs.start(one))
        doors.run(doors.jobs.page(one, 2, 7))
        doors.run(doors.jobs.succeed(one))
        doors.run(doors.jobs.fail(two, DamagedDocument("it is torn", page=3)))
        told = [peer.reply() for _ in range(5)]
        jobs = [reply["parameters"]["job"] for reply in told]
        assert [(job["id"], job["state"]) for job in jobs] == [
            (one, "running"),
            (one, "running"),
            (one, "succeeded"),
            (two, "running"),
            (two, "failed"),
        ]
        assert (jobs[1]["pages_done"], jobs[1]["pages"]) == (2, 7)
        assert jobs[2]["report"]["pages"] == 3
        fault = {"code": "document-damaged", "message": "it is torn", "retryable": False, "page": 3}
        assert {**fault, "hint": DamagedDocument.default_hint} == jobs[4]["fault"]
        assert peer.reply() == {"parameters": {"generation": 1}}
        assert "version" in peer.ask(GET_STATUS)["parameters"]
    doors.run(doors.jobs.watched(0))


def test_a_watch_of_a_job_that_has_ended_ends(doors: Doors) -> None:
    job_id = submitted(doors)
    doors.run(doors.jobs.succeed(job_id))
    with Peer(doors) as peer:
        assert peer.ask(WATCH, {"ids": [job_id]}, more=True)["parameters"]["job"]["state"] == "succeeded"
        assert peer.reply() == {"parameters": {"generation": 1}}


def test_without_more_a_watch_tells_of_one_job_as_it_is(doors: Doors) -> None:
    job_id = submitted(doors)
    with Peer(doors) as peer:
        reply = peer.ask(WATCH, {"ids": [job_id]})
        assert reply["parameters"]["job"]["state"] == "queued"
        assert "continues" not in reply
        assert peer.ask(WATCH, {"ids": [job_id, "other0"]})["error"] == "org.varlink.service.ExpectedMore"
    doors.run(doors.jobs.watched(0))


def test_a_watch_of_what_there_is_not_fails_at_once(doors: Doors) -> None:
    job_id = submitted(doors)
    with Peer(doors) as peer:
        assert peer.ask(WATCH, {"ids": [job_id, "nobody"]}, more=True)["parameters"]["code"] == "job-unknown"
        assert peer.ask(WATCH, {"ids": []}, more=True)["parameters"]["code"] == "usage"
        failed = peer.ask(WATCH, {"ids": ["x"] * 10_001}, more=True)["parameters"]
        assert "10001 jobs are named; from 1 to 10000" in failed["message"]
    doors.run(doors.jobs.watched(0))


def test_a_watch_that_is_left_has_ended_though_somebody_still_holds_it(doors: Doors) -> None:
    job_id = submitted(doors)

    async def left() -> AsyncIterator[Job]:
        caller = Caller(uid=os.getuid(), gid=0, pid=1)
        async with doors.serving.current.methods.jobs.watched(caller, (job_id,)) as changes:
            assert (await anext(changes)).id == job_id
            assert doors.jobs.watches == 1
        assert doors.jobs.watches == 0
        return changes

    doors.run(left())


def test_a_watch_fails_with_what_ends_it(doors: Doors) -> None:
    job_id = submitted(doors)
    with Peer(doors) as peer:
        assert "job" in peer.ask(WATCH, {"ids": [job_id]}, more=True)["parameters"]
        doors.run(doors.jobs.stop_watches(ShuttingDown("the daemon stops")))
        assert peer.reply()["parameters"]["code"] == "daemon-stopping"
        assert "version" in peer.ask(GET_STATUS)["parameters"]


def test_a_watcher_that_hangs_up_leaves_nothing(doors: Doors) -> None:
    job_id = submitted(doors)
    doors.wait_idle()
    before = open_descriptors()
    for _ in range(3):
        with Peer(doors) as peer:
            peer.ask(WATCH, {"ids": [job_id]}, more=True)
            assert doors.jobs.watches == 1
        # Nothing happens to the job: only the hang-up can end it.
        doors.run(doors.jobs.watched(0))
    doors.wait_idle()
    assert open_descriptors() == before


def test_a_watcher_that_does_not_read_is_cut_off_and_leaves_nothing(doors: Doors) -> None:
    job_id = submitted(doors, labels={f"l{number}": "x" * 255 for number in range(32)})
    doors.serving.current = doors.generation(2, door=dataclasses.replace(doors.serving.current.door, stall_s=0.05))
    with Peer(doors) as peer:
        peer.ask(WATCH, {"ids": [job_id]}, more=True)
        for number in range(200):
            doors.run(doors.jobs.page(job_id, number, 200))
        doors.run(doors.jobs.watched(0))
        doors.wait_idle()


def test_a_stopping_door_ends_a_watch_and_says_so(doors: Doors) -> None:
    job_id = submitted(doors)
    with Peer(doors) as peer:
        peer.ask(WATCH, {"ids": [job_id]}, more=True)
        doors.run(doors.varlink.stop(0))
        assert peer.reply()["parameters"]["code"] == "daemon-stopping"
        assert peer.is_closed()
    doors.run(doors.jobs.watched(0))


def test_a_result_comes_inline_or_as_a_sealed_descriptor(doors: Doors) -> None:
    job_id = submitted(doors)
    doors.run(doors.jobs.succeed(job_id, "# Ünser Ergebnis".encode()))
    with Peer(doors) as peer:
        reply = peer.ask(RESULT, {"id": job_id})["parameters"]
        assert (reply["content"], reply["job"]["report"]["pages"]) == ("# Ünser Ergebnis", 3)
        assert "fd" not in reply
        reply = peer.ask(RESULT, {"id": job_id, "reply": "descriptor"})["parameters"]
        (fd,) = peer.descriptors
        assert (reply["fd"], os.pread(fd, 100, 0).decode()) == (0, "# Ünser Ergebnis")
        assert "content" not in reply
        assert platform.is_sealed(fd)


def test_a_result_that_does_not_fit_or_is_no_text_is_refused_and_leaves_nothing(doors: Doors) -> None:
    large, binary = submitted(doors, b"1"), submitted(doors, b"2")
    doors.run(doors.jobs.succeed(large, b"x" * (25 * 1024 * 1024)))
    doors.run(doors.jobs.succeed(binary, b"\xff"))
    doors.wait_idle()
    before = open_descriptors()
    with Peer(doors) as peer:
        assert "descriptor" in peer.ask(RESULT, {"id": large})["parameters"]["hint"]
        assert peer.ask(RESULT, {"id": binary})["parameters"]["code"] == "worker-protocol"
        assert peer.ask(RESULT, {"id": large, "reply": "descriptor"})["parameters"]["job"]["state"] == "succeeded"
    doors.wait_idle()
    assert open_descriptors() == before


def test_a_result_that_is_not_there_is_the_error_that_says_why(doors: Doors) -> None:
    waiting, failed, cancelled = (submitted(doors, b"%d" % number) for number in range(3))
    doors.run(doors.jobs.fail(failed, DamagedDocument("it is torn", page=3)))
    doors.run(doors.jobs.cancel(cancelled, None))
    with Peer(doors) as peer:
        not_finished = peer.ask(RESULT, {"id": waiting})["parameters"]
        assert (not_finished["code"], not_finished["retryable"]) == ("job-not-finished", True)
        damaged = peer.ask(RESULT, {"id": failed})["parameters"]
        assert (damaged["code"], damaged["message"], damaged["page"]) == ("document-damaged", "it is torn", 3)
        assert peer.ask(RESULT, {"id": cancelled})["parameters"]["code"] == "job-cancelled"


def test_jobs_are_cancelled_run_anew_and_forgotten(doors: Doors) -> None:
    job_id = submitted(doors)
    with Peer(doors) as peer:
        assert peer.ask(FORGET, {"id": job_id})["parameters"]["code"] == "job-state"
        assert peer.ask(RETRY, {"id": job_id})["parameters"]["code"] == "job-state"
        cancelled = peer.ask(CANCEL, {"id": job_id})["parameters"]
        assert (cancelled["generation"], cancelled["job"]["state"]) == (1, "cancelled")
        assert peer.ask(CANCEL, {"id": job_id})["parameters"] == cancelled
        assert peer.ask(RETRY, {"id": job_id})["parameters"]["job"]["state"] == "queued"
        doors.run(doors.jobs.succeed(job_id))
        assert peer.ask(CANCEL, {"id": job_id})["parameters"]["code"] == "job-state"
        assert peer.ask(FORGET, {"id": job_id})["parameters"] == {"generation": 1}
        assert peer.ask(GET, {"id": job_id})["parameters"]["code"] == "job-unknown"


OF_ONE_JOB = (
    (GET, {}),
    (GET, {"history": True}),
    (WATCH, {}),
    (RESULT, {}),
    (RESULT, {"reply": "descriptor"}),
    (CANCEL, {}),
    (RETRY, {}),
    (FORGET, {}),
)


@pytest.mark.parametrize(("method", "asked"), OF_ONE_JOB)
@pytest.mark.parametrize("more", [False, True])
def test_another_users_job_is_one_that_there_is_not(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, method: str, asked: dict[str, Any], more: bool
) -> None:
    monkeypatch.setattr("ndfd.platform.peer_identity", lambda connection: USER)
    queued, ended = submitted(doors, b"1", uid=4712), submitted(doors, b"2", uid=4712)
    doors.run(doors.jobs.succeed(ended))
    said = set()
    with Peer(doors) as peer:
        for job_id in (queued, ended, "job999999"):
            names = {"ids": [job_id]} if method == WATCH else {"id": job_id}
            peer.send({"method": method, "parameters": {**names, **asked}, "more": more})
            said.add(peer.raw_reply().replace(job_id.encode(), b"ID"))
        assert peer.descriptors == []
    assert len(said) == 1
    assert json.loads(said.pop())["parameters"]["code"] == "job-unknown"
    assert doors.run(doors.jobs.get(queued, None)).state is JobState.QUEUED


def test_a_user_sees_and_changes_its_own_jobs(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndfd.platform.peer_identity", lambda connection: USER)
    submitted(doors, b"1", uid=4712)
    with Peer(doors) as peer:
        mine = peer.ask(SUBMIT, inline(b"1"))["parameters"]
        assert (mine["reused"], mine["job"]["uid"]) == (False, USER.uid)
        for asked in ({}, {"uid": USER.uid}):
            assert peer.ask(LIST, asked)["parameters"]["jobs"] == [mine["job"]]
        for uid in (4712, 0, -1):
            assert peer.ask(LIST, {"uid": uid})["error"] == "org.varlink.service.PermissionDenied"
        assert peer.ask(CANCEL, {"id": mine["job"]["id"]})["parameters"]["job"]["state"] == "cancelled"
    assert [viewer_uid for _, viewer_uid in doors.jobs.queries] == [USER.uid] * 2


def test_administrators_reach_everybodys_jobs(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndfd.platform.peer_identity", lambda connection: USER)
    doors.serving.current = doors.generation(2, admins=frozenset({USER.uid}))
    theirs, remote = submitted(doors, b"1", uid=4712), submitted(doors, b"2", uid=-1)
    with Peer(doors) as peer:
        assert [job["id"] for job in peer.ask(LIST)["parameters"]["jobs"]] == [remote, theirs]
        assert [job["id"] for job in peer.ask(LIST, {"uid": -1})["parameters"]["jobs"]] == [remote]
        assert peer.ask(GET, {"id": theirs})["parameters"]["job"]["uid"] == 4712
        assert peer.ask(CANCEL, {"id": theirs})["parameters"]["job"]["state"] == "cancelled"


@pytest.mark.parametrize(
    "job_id", ["", "x" * 65, "x" * 1_000_000, "../../etc", "a b", "\x1b[2J", "' or 1=1", "ü", "a\0"]
)
def test_what_cannot_be_an_id_is_a_job_that_there_is_not(doors: Doors, job_id: str) -> None:
    with Peer(doors) as peer:
        for method, asked in ((GET, {"id": job_id}), (WATCH, {"ids": [job_id]}), (FORGET, {"id": job_id})):
            failed = peer.ask(method, asked)["parameters"]
            assert failed["code"] == "job-unknown"
            assert len(failed["message"]) < 120
            assert failed["message"].isprintable()


def test_a_backup_is_written_to_a_descriptor_for_administrators(
    doors: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(doors)
    path = tmp_path / "backup"
    with path.open("wb") as file, Peer(doors) as peer:
        reply = peer.ask(BACKUP, {"fd": 0}, file.fileno())["parameters"]
        assert reply["report"] == {
            "jobs": 1,
            "documents": 1,
            "results": 0,
            "size_bytes": 8,
            "made_at": 1000.0,
            "version": "0.1.0",
        }
        assert path.read_bytes() == b"a backup"
        monkeypatch.setattr("ndfd.platform.peer_identity", lambda connection: USER)
        with Peer(doors) as user:
            assert user.ask(BACKUP, {"fd": 0}, file.fileno())["error"] == "org.varlink.service.PermissionDenied"
    assert path.read_bytes() == b"a backup"


def test_a_backup_needs_a_regular_file_or_a_pipe_that_is_open_for_writing(doors: Doors, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    reading, writing = os.pipe()
    unusable = {
        "is not open for writing": os.open(tmp_path / "file", os.O_RDONLY),
        "is a directory, neither a regular file nor a pipe": os.open(tmp_path, os.O_RDONLY),
        "is a character device, neither": os.open("/dev/null", os.O_WRONLY),
    }
    with Peer(doors) as peer:
        for what, fd in {**unusable, "not open for writing": reading}.items():
            failed = peer.ask(BACKUP, {"fd": 0}, fd)["parameters"]
            assert (failed["code"], "regular file or a pipe" in failed["hint"]) == ("usage", True)
            assert what in failed["message"]
        for index in (0, 1, -1):
            assert peer.ask(BACKUP, {"fd": index})["parameters"]["code"] == "protocol"
        assert "report" in peer.ask(BACKUP, {"fd": 0}, writing)["parameters"]
    assert os.read(reading, 100) == b"a backup"
    for fd in (*unusable.values(), reading, writing):
        os.close(fd)


@pytest.mark.parametrize("method", [name for name in ACCESS if name.startswith("io.ndfd.Jobs.")])
def test_a_daemon_without_jobs_says_so(doors: Doors, method: str) -> None:
    doors.daemon = dataclasses.replace(doors.daemon, jobs=None)
    doors.serving.current = doors.generation(2)
    asked = {SUBMIT: inline(), LIST: {}, WATCH: {"ids": ["x"]}, BACKUP: {"fd": 0}}.get(method, {"id": "x"})
    fd = document()
    with Peer(doors) as peer:
        failed = peer.ask(method, asked, fd)["parameters"]
    os.close(fd)
    assert (failed["code"], failed["message"]) == ("not-supported", "this daemon keeps no jobs")
    assert "[jobs] enabled" in failed["hint"]


def test_a_stopping_daemon_takes_no_jobs_and_tells_of_those_that_there_are(doors: Doors) -> None:
    job_id = submitted(doors)
    doors.run(doors.jobs.succeed(job_id))
    doors.occupancy.closed = True
    with Peer(doors) as peer:
        failed = peer.ask(SUBMIT, inline())["parameters"]
        assert (failed["code"], failed["retryable"]) == ("daemon-stopping", True)
        assert peer.ask(GET, {"id": job_id})["parameters"]["job"]["id"] == job_id
        assert len(peer.ask(LIST)["parameters"]["jobs"]) == 1
        assert peer.ask(WATCH, {"ids": [job_id]})["parameters"]["job"]["state"] == "succeeded"
        assert "content" in peer.ask(RESULT, {"id": job_id})["parameters"]


def test_a_submission_goes_on_when_its_caller_hangs_up(doors: Doors) -> None:
    async def accepted() -> None:
        while not doors.jobs.seen:
            await asyncio.sleep(0)

    with Peer(doors) as peer:
        peer.send({"method": SUBMIT, "parameters": inline()})
    doors.run(accepted())
    doors.wait_idle()
    assert len(doors.run(doors.jobs.list(JobQuery(), None)).jobs) == 1
