"""Knobs that the daemon and its workers set for themselves, seen from outside: in /proc, and by the calls of others."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ndfd import platform
from ndfd.client import Client
from ndfd.daemon.running_pool import log_tuning
from ndfd.model.conversion import ConvertOptions
from ndfd.model.process_tuning import TuningState
from ndfd.model.status import DaemonStatus
from ndfd.model.tuning import Outcome
from ndfd.platform import linux_syscalls
from tests import documents
from tests.daemon.configured import running

WORKER = '[swarm]\nworkers = 2\nworker_memory = "1GB"\n'
CPUS = sorted(os.sched_getaffinity(0))
two_cpus = pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs")


def status_of(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{field}:"))


def allowed(pid: int) -> str:
    return status_of(pid, "Cpus_allowed_list")


def oom_score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def io_priority(pid: int) -> tuple[int, int]:
    """Class and level."""
    machine = linux_syscalls.this_machine()
    assert machine is not None
    number = int(ctypes.CDLL(None).syscall(machine.numbers["ioprio_get"], 1, pid))
    return number >> 13, number & 7


def autogroup(pid: int) -> int:
    return int(Path(f"/proc/{pid}/autogroup").read_text().split()[-1])


def open_files(pid: int) -> int:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]


def told(states: tuple[TuningState, ...], knob: str, pool: str | None = None) -> tuple[str, str | None]:
    """Outcome and value of the state of this knob."""
    (state,) = [state for state in states if (state.knob, state.pool) == (knob, pool)]
    return state.outcome.value, state.value


def pids(status: DaemonStatus, pool: str = "default") -> list[int]:
    return [worker.pid for worker in status.workers if worker.pool == pool and worker.state == "idle"]


def converts(client: Client, pool: str | None = None) -> None:
    client.convert(documents.numbered_pages(1), ConvertOptions(pool=pool)).close()


def settled(client: Client, holds: Callable[[DaemonStatus], bool]) -> DaemonStatus:
    while not holds(status := client.status()):
        os.sched_yield()
    return status


def test_by_default_the_daemon_can_open_many_files_and_its_workers_go_first_when_memory_is_short(
    tmp_path: Path,
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    with running(tmp_path, WORKER) as daemon, daemon.client() as client:
        status = client.status()
        assert open_files(status.pid) == max(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        assert told(status.tuning, "open_files")[0] in ("applied", "same")
        own = oom_score(status.pid)
        assert own == oom_score(os.getpid())
        assert len(pids(status)) == 2
        for pid in pids(status):
            assert oom_score(pid) == min(1000, own + 500)
            assert allowed(pid) == allowed(os.getpid())
            assert os.sched_getscheduler(pid) == os.sched_getscheduler(0)
            # What a worker has is as before: its confinement does not know of tuning.
            assert open_files(pid) <= 4096
        assert told(status.tuning, "oom_score", "default") == ("applied", str(min(1000, own + 500)))
        assert not any(worker.tuning for worker in status.workers)
        converts(client)


def test_with_the_preset_off_nothing_is_set_and_that_is_said(tmp_path: Path) -> None:
    with running(tmp_path, WORKER + '[tuning]\npreset = "off"\n') as daemon, daemon.client() as client:
        status = client.status()
        assert {state.outcome.value for state in status.tuning} == {"skipped"}
        assert {"the preset is off"} < {state.reason for state in status.tuning}
        assert open_files(status.pid) == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert {oom_score(pid) for pid in pids(status)} == {oom_score(os.getpid())}


@two_cpus
def test_each_worker_has_a_cpu_of_its_own_and_its_successor_takes_that_over(tmp_path: Path) -> None:
    text = WORKER + 'affinity = "worker"\njobs_per_worker = 1\n'
    with running(tmp_path, text) as daemon, daemon.client() as client:
        both = {str(CPUS[0]), str(CPUS[1])}

        def one_each(status: DaemonStatus) -> bool:
            return len(pids(status)) == 2

        before = settled(client, one_each)
        assert {allowed(pid) for pid in pids(before)} == both
        for worker in before.workers:
            assert told(worker.tuning, "affinity", "default") == ("applied", allowed(worker.pid))
        # The daemon, which forks them, and serves others, is bound to none.
        assert allowed(before.pid) == allowed(os.getpid())
        for _ in range(3):
            converts(client)
            after = settled(client, one_each)
            assert {allowed(pid) for pid in pids(after)} == both
        assert set(pids(after)) != set(pids(before))
        metrics = daemon.get("/metrics")[1]
        assert 'ndfd_process_tuning{knob="affinity",outcome="applied",pool="default",process="worker"} 2.0' in metrics


def test_each_pool_is_scheduled_as_its_own_keys_say(tmp_path: Path) -> None:
    text = WORKER + 'scheduling = "batch"\nio_priority = "low"\n'
    bulk = '[swarm.pools.bulk]\nmax = 1\nscheduling = "idle"\nio_priority = "idle"\npriority = "low"\n'
    with running(tmp_path, text + bulk) as daemon, daemon.client() as client:
        status = client.status()
        for pid in pids(status):
            assert os.sched_getscheduler(pid) == os.SCHED_BATCH
            assert io_priority(pid) == (2, 7)
        (low,) = pids(status, "bulk")
        assert os.sched_getscheduler(low) == os.SCHED_IDLE
        assert io_priority(low)[0] == 3
        assert told(status.tuning, "scheduling", "bulk") == ("applied", "idle")
        assert told(status.tuning, "io_priority", "default") == ("applied", "best-effort 7")
        # Of the daemon itself nothing of it is wanted.
        assert os.sched_getscheduler(status.pid) == os.sched_getscheduler(0)
        converts(client)
        converts(client, "bulk")


@pytest.mark.skipif(
    not Path("/proc/sys/kernel/sched_autogroup_enabled").exists()
    or Path("/proc/sys/kernel/sched_autogroup_enabled").read_text().strip() != "1",
    reason="needs autogroups (sched(7))",
)
def test_the_priority_of_a_pool_holds_against_other_sessions_too(tmp_path: Path) -> None:
    text = WORKER + '[swarm.pools.bulk]\nmax = 1\npriority = "low"\n'
    with running(tmp_path, text) as daemon, daemon.client() as client:
        status = client.status()
        (low,) = pids(status, "bulk")
        assert autogroup(low) == 10
        assert {autogroup(pid) for pid in pids(status)} == {0}
        assert told(status.tuning, "autogroup", "bulk") == ("applied", "10")
        assert told(status.tuning, "nice", "bulk") == ("applied", str(psutil.Process(low).nice()))


def test_a_reload_sets_what_is_new_and_sets_back_what_is_gone(tmp_path: Path) -> None:
    with running(tmp_path, WORKER) as daemon, daemon.client() as client:
        pid = client.status().pid
        assert (status_of(pid, "VmLck"), slack(pid)) == ("0 kB", slack(os.getpid()))
        first = open_files(pid)
        daemon.write(WORKER + "[runtime]\nlock_memory = true\ntimer_slack_ns = 1234\n")
        client.reload()
        status = client.status()
        assert told(status.tuning, "timer_slack") == ("applied", "1234")
        assert slack(pid) == 1234
        # Its workers are new, and have it from their zygote.
        assert told(status.tuning, "timer_slack", "default")[1] == "1234"
        outcome, _ = told(status.tuning, "memory_lock")
        assert (outcome == "applied") == (status_of(pid, "VmLck") != "0 kB")
        assert outcome in ("applied", "denied", "failed")
        converts(client)
        daemon.write(WORKER + '[tuning]\npreset = "off"\n')
        client.reload()
        assert (status_of(pid, "VmLck"), slack(pid)) == ("0 kB", slack(os.getpid()))
        assert open_files(pid) == resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= first
        daemon.write(WORKER)
        client.reload()
        assert open_files(pid) == first


def slack(pid: int) -> int:
    """Of the first thread; needs to be its user's with CAP_SYS_NICE, as whoever runs the tests as root is."""
    try:
        return int(Path(f"/proc/{pid}/timerslack_ns").read_text())
    except PermissionError:
        pytest.skip("only root reads the timer slack of another process")


def test_real_time_workers_are_below_their_daemon_and_a_refusal_stops_nobody(tmp_path: Path) -> None:
    with running(tmp_path, WORKER + 'scheduling = "rr"\n') as daemon, daemon.client() as client:
        status = client.status()
        outcome, value = told(status.tuning, "scheduling", "default")
        if outcome == "applied":
            assert value == "rr 1"
            for pid in pids(status):
                assert (os.sched_getscheduler(pid), os.sched_getparam(pid).sched_priority) == (os.SCHED_RR, 1)
            assert os.sched_getscheduler(status.pid) == os.SCHED_RR | os.SCHED_RESET_ON_FORK
            assert os.sched_getparam(status.pid).sched_priority == 2
        else:
            assert outcome == "denied"
        converts(client)


def mode_of_huge_pages() -> str | None:
    return platform.process.limits().huge_pages


def asks_for_huge_pages(pid: int) -> bool:
    """Whether the heap of a process is marked so (madvise(2), proc_pid_smaps(5): hg)."""
    try:
        lines = Path(f"/proc/{pid}/smaps").read_text().splitlines()
    except PermissionError:
        pytest.skip("only root sees the memory of a confined process")
    heap = lines.index(next(line for line in lines if line.endswith("[heap]")))
    flags = next(line for line in lines[heap:] if line.startswith("VmFlags:"))
    return "hg" in flags.split()


@pytest.mark.skipif(mode_of_huge_pages() != "madvise", reason="needs transparent_hugepage/enabled to be madvise")
def test_workers_ask_for_huge_pages_if_told_to_and_with_the_key_off_may_not_even_have_them(tmp_path: Path) -> None:
    off = "[swarm.pools.small]\nmax = 1\n"
    with running(tmp_path, WORKER + off) as daemon, daemon.client() as client:
        status = client.status()
        assert {status_of(pid, "THP_enabled") for pid in pids(status)} == {"1"}
        assert not any(asks_for_huge_pages(pid) for pid in pids(status))
        assert told(status.tuning, "huge_pages", "small")[0] == "skipped"
        daemon.write(WORKER + "huge_pages = true\n" + off)
        client.reload()
        status = settled(client, lambda status: len(pids(status)) == 2)
        assert all(asks_for_huge_pages(pid) for pid in pids(status))
        daemon.write(WORKER + "huge_pages = false\n" + off)
        client.reload()
        status = settled(client, lambda status: len(pids(status)) == 2)
        assert {status_of(pid, "THP_enabled") for pid in pids(status)} == {"0"}
        assert not any(asks_for_huge_pages(pid) for pid in pids(status))
        assert status_of(status.pid, "THP_enabled") == "1"
        assert told(status.tuning, "huge_pages", "small") == ("applied", "disabled")
        converts(client)


def test_what_is_denied_is_told_in_the_log_and_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    denied = TuningState("nice", "zygote", Outcome.DENIED, "0", "-5", "Operation not permitted", "bulk")
    log_tuning([denied, TuningState("affinity", "worker", Outcome.APPLIED, "0")])
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert (record.__dict__["knob"], record.__dict__["tuned"]) == ("nice", "zygote")
