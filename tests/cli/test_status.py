"""`ndfd status`."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from ndfd.cli.status import duration, head, memory, work
from ndfd.cli.status_table import print_status
from ndfd.model.process_tuning import TuningState
from ndfd.model.status import DaemonStatus, EngineStatus, JobsStatus, PoolStatus, WorkerState, WorkerStatus
from ndfd.model.tuning import Outcome
from tests.cli.conftest import Ndfd
from tests.server.doors import Doors

BUSY = WorkerStatus(2, 4712, WorkerState.BUSY, 9, 100.0, 123_000_000, "[big].pdf", 7, 40, 3.25, "bulk", "extractor")
POOLS = (PoolStatus("default", "extractor", 2, 2, 0), PoolStatus("bulk", "extractor", 0, 4, 3))


def status(**changes: object) -> DaemonStatus:
    fields = {
        "version": "1.2.3",
        "pid": 4700,
        "uptime_s": 3700.0,
        "sockets": ("/run/ndfd/ndfd.sock",),
        "engine": EngineStatus("pdfium 1", "c"),
        "workers": (BUSY,),
        "queued": 3,
        "succeeded": 5,
        "failed": 1,
        "pages": 60,
        "generation": 3,
        "config_hash": "0123456789abcdef",
        "pools": POOLS,
    }
    return DaemonStatus(**{**fields, **changes})  # type: ignore[arg-type]


def test_in_a_pipe_each_fact_is_a_plain_line(ndfd_at: Ndfd, doors: Doors) -> None:
    ran = ndfd_at("status")
    assert (ran.status, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("daemon          ndfd 0.1.0, pid ")
    assert f"socket          {doors.varlink_path}" in lines
    assert "engine          pdfium 1, kernels in c" in lines
    assert "fallback fonts  /usr/share/fonts" in lines
    assert any(re.fullmatch(r"configuration   generation \d+, hash [0-9a-f]{0,12}", line) for line in lines)
    assert "conversions     5 succeeded, 1 failed, 60 pages, 0 waiting" in lines
    assert "pool default    extractor, workers 1 of 1, 0 waiting" in lines
    assert "pool bulk       extractor, workers 0 of 0 to 4, 2 waiting" in lines
    assert "worker 1        pid 4711, default extractor, idle, 3 served, 1 MB, up 1.5 s" in lines
    assert "warning         no fonts" in lines
    assert (
        "confined        seccomp (22 calls), Landlock 7, no new rights, no capabilities; 2 of 2 attempts stopped; "
        "missing: mdwe" in lines
    )


def test_for_programs_it_is_the_daemons_own_answer(ndfd_at: Ndfd) -> None:
    answer = json.loads(ndfd_at("status", "--json").stdout)
    assert answer["version"] == "0.1.0"
    assert answer["workers"][0]["pid"] == 4711
    assert (answer["workers"][0]["pool"], answer["workers"][0]["role"]) == ("default", "extractor")
    assert [pool["name"] for pool in answer["pools"]] == ["default", "bulk"]


def test_on_a_terminal_it_is_a_table_that_takes_names_as_they_are() -> None:
    console = Console(file=io.StringIO(), width=160, force_terminal=True, color_system=None)
    print_status(status(warnings=("[no] fonts",)), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "generation 3, hash 0123456789ab\n" in text.replace(" \n", "\n").replace("  ", "")
    assert "[big].pdf, page 7 of 40, 3.2 s" in text
    assert "extractor, workers 1 of 0 to 4, 3 waiting" in text
    assert [line.split()[:4] for line in text.splitlines() if "4712" in line] == [["2", "bulk", "extractor", "4712"]]
    assert "warning: [no] fonts" in text


def test_without_a_daemon_it_says_where_none_answers(ndfd: Ndfd) -> None:
    ran = ndfd("status")
    assert ran.status == 69
    (line,) = ran.stderr.splitlines()
    assert "no daemon answers at /run/ndfd/ndfd.sock (daemon-unavailable)" in line


def test_the_socket_that_the_option_names_is_asked(ndfd: Ndfd, doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDFD_SOCKET", "/nowhere.sock")
    assert ndfd("status", "--socket", doors.varlink_path).status == 0


def test_the_folder_that_the_daemon_was_given_is_found_by_the_client(
    ndfd: Ndfd, doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NDFD_NETWORK__SOCKET_DIR", str(Path(doors.varlink_path).parent))
    assert ndfd("status").status == 0


def test_what_a_worker_does_is_said_as_far_as_it_is_known() -> None:
    assert work(BUSY) == "[big].pdf, page 7 of 40, 3.2 s"
    assert work(WorkerStatus(1, 1, WorkerState.BUSY, 0, 1.0, 1, None, None, None, 0.5)) == "a document, 0.5 s"
    assert work(WorkerStatus(1, 1, WorkerState.IDLE, 0, 1.0, 1)) == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (190, "3m10s"), (7500, "2h05m"), (442_900, "5d03h")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_memory_is_in_decimal_megabytes() -> None:
    assert memory(123_400_000) == "123 MB"


def test_jobs_and_their_store_are_told_where_the_daemon_keeps_any() -> None:
    told = JobsStatus(
        "/var/lib/ndfd", 7, 2, 40, 1, 0, 3, 12_000_000, 5_000_000_000, 2, oldest_queued_s=75.0, deliveries_failed=1
    )
    facts = dict(head(status(jobs=told)))
    assert facts["jobs"] == (
        "7 queued (the first for 1m15s), 2 running, 40 succeeded, 1 failed, 3 cancelled; 1 deliveries given up"
    )
    assert facts["store"] == "/var/lib/ndfd: 12 MB kept, 5000 MB free; 2 jobs resumed at the start"
    assert not {"jobs", "store"} & dict(head(status())).keys()


def test_what_is_not_tuned_as_it_should_be_is_told_with_its_reason_and_the_rest_is_counted() -> None:
    own = (
        TuningState("open_files", "daemon", Outcome.APPLIED, "65536"),
        TuningState("huge_pages", "daemon", Outcome.SKIPPED, reason="the kernel gives them to who asks for them"),
        TuningState("memory_lock", "daemon", Outcome.DENIED, "unlocked", "locked", "it needs CAP_IPC_LOCK"),
        TuningState("oom_score", "zygote", Outcome.APPLIED, "500", pool="default"),
    )
    refused = TuningState("affinity", "worker", Outcome.FAILED, "0-1", "9", "Invalid argument", "bulk")
    workers = [msgspec.structs.replace(BUSY, id=number, tuning=(refused,)) for number in (1, 2)]
    facts = dict(head(status(tuning=own, workers=tuple(workers))))
    assert facts["tuning"] == (
        "2 applied, 1 skipped, 1 denied, 2 failed; memory_lock of daemon denied (it needs CAP_IPC_LOCK); "
        "affinity of pool bulk failed (Invalid argument)"
    )
    assert "tuning" not in dict(head(status()))
