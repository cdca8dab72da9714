"""`ndfd crashes`."""

from __future__ import annotations

import json
import os

import pytest

from ndfd.model.crash import CrashCause, Stage
from ndfd.platform import Peer
from tests.cli.conftest import Ndfd
from tests.server.crashes import crash
from tests.server.doors import Doors


def test_without_any_it_says_so(ndfd_at: Ndfd) -> None:
    ran = ndfd_at("crashes")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "no document has ended its worker\n", "")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "killed by SIGSEGV on page 2 of 9"),
        ({"signal": None, "exit_status": 3}, "exited with status 3 on page 2 of 9"),
        ({"signal": None}, "ended, and nobody saw how on page 2 of 9"),
        ({"cause": CrashCause.SANDBOX_VIOLATION, "call": "socket"}, "attempted socket on page 2 of 9"),
        ({"cause": CrashCause.SANDBOX_VIOLATION}, "attempted a system call of another table on page 2 of 9"),
        (
            {"cause": CrashCause.TIMEOUT, "stage": Stage.OPENING, "page": None, "pages": None},
            "not done at its deadline while the document was opened",
        ),
        ({"cause": CrashCause.MEMORY, "stage": Stage.FINISHING}, "used up its memory after the last of 9 pages"),
        ({"cause": CrashCause.CPU}, "used up its CPU time on page 2 of 9"),
        ({"cause": CrashCause.PROTOCOL}, "broke the protocol on page 2 of 9"),
    ],
)
def test_each_cause_is_said_in_words(ndfd_at: Ndfd, doors: Doors, changes: dict[str, object], said: str) -> None:
    doors.crashes.append(crash(**changes))
    first, *_ = ndfd_at("crashes").stdout.splitlines()
    assert first.endswith(f"  {said}")


def test_who_what_and_where_is_said(ndfd_at: Ndfd, doors: Doors) -> None:
    doors.crashes += [crash(), crash(attempt=2, code="document-kills-workers")]
    one, other = ndfd_at("crashes").stdout.split("\n\n")
    assert one.splitlines()[1:] == [
        "    conversion 12 of user 1000; 4567 bytes to markdown; worker-crashed",
        "    worker 3, pid 4711, 8 served before, at most 250 MB; pdfium 1",
    ]
    assert "user 1000, the second attempt; 4567" in other


def test_as_json_it_is_an_array(ndfd_at: Ndfd, doors: Doors) -> None:
    doors.crashes.append(crash())
    (report,) = json.loads(ndfd_at("crashes", "--json").stdout)
    assert (report["cause"], report["signal"], report["page"], report["uid"]) == ("crash", "SIGSEGV", 2, 1000)


def test_who_is_no_administrator_sees_what_their_own_documents_did(doors: Doors) -> None:
    doors.crashes += [crash(uid=1000, conversion=1), crash(uid=1001, conversion=2)]
    methods = doors.serving.current.methods

    def seen(uid: int) -> list[int]:
        return [report.conversion for report in methods.crashes(Peer(uid=uid, gid=0, pid=1)).crashes]

    assert (seen(1000), seen(1001), seen(1002)) == ([1], [2], [])
    assert seen(os.geteuid()) == seen(0) == [1, 2]
