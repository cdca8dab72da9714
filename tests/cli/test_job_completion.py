"""What the shell offers for jobs."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.cli.test_jobs_list import settled, submit
from tests.server.doors import Doors


def offered(socket: object, line: str) -> list[str]:
    words = line.split(" ")
    ran = subprocess.run(
        [sys.executable, "-c", "from ndfd.cli import main; main()"],
        env={
            **os.environ,
            "_NDFD_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "NDFD_SOCKET": str(socket),
        },
        capture_output=True,
        check=False,
    )
    assert ran.stderr == b""
    return [each.partition(",")[2] for each in ran.stdout.decode().split()]


def test_ids_of_jobs_for_which_there_is_something_to_do(at_work: Doors) -> None:
    ended, failed = settled(at_work, "a.pdf", "fail:document-damaged")
    (waiting,) = submit(at_work, "wait")
    place = at_work.varlink_path
    assert offered(place, "ndfd jobs show job") == [waiting, failed, ended]
    assert offered(place, "ndfd jobs cancel job") == [waiting]
    assert offered(place, "ndfd jobs watch j") == [waiting]
    assert offered(place, "ndfd jobs retry j") == [failed]
    assert offered(place, "ndfd jobs result j") == [ended]
    assert offered(place, f"ndfd jobs forget {ended} j") == [failed]
    assert offered(place, "ndfd jobs show x") == []


def test_labels_that_jobs_have(at_work: Doors) -> None:
    submit(at_work, "wait", batch="7")
    submit(at_work, "wait", batch="8", other="x")
    for command in ("submit", "jobs list", "jobs cancel"):
        assert offered(at_work.varlink_path, f"ndfd {command} --label ba") == ["batch=7", "batch=8"]


def test_without_a_daemon_there_is_nothing_and_no_error() -> None:
    assert offered("/nowhere", "ndfd jobs show j") == []
    assert offered("/nowhere", "ndfd submit --label j") == []
