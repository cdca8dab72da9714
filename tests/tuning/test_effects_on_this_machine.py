"""Each knob on this machine: set, seen in /proc by somebody else, felt by a program, and put back to what it was.

The knobs of the system by the commands of a user who is root; those of a process in a child, as its parent sees it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ndfd import platform
from ndfd.model.conversion import ConvertOptions
from ndfd.model.tuning import Outcome
from tests import documents
from tests.daemon.configured import running
from tests.daemon.conftest import environment
from tests.tuning.alone import alone_on_this_machine

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(sys.platform != "linux", reason="the knobs are Linux's"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the kernel's values are root's to write"),
]

_HUGE_BYTES = 2 * 1024**2
# include/uapi/asm-generic/mman-common.h, of which Python 3.11 has no name.
_MAP_HUGETLB = 0x40000
_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_VM = Path("/proc/sys/vm")
_THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_SYSTEM = (_THP, *(_VM / name for name in ("nr_hugepages", "overcommit_memory", "swappiness")))


class Tune:
    """`ndfd tune` with a configuration and a journal of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wanted = ""

    def want(self, text: str) -> None:
        """What [tuning] says."""
        self._wanted = text

    def __call__(self, action: str) -> dict[str, Any]:
        """By label, the knobs that are not left alone; fails with anything but the exit status 0."""
        journal = f'journal = "{self._folder / "journal"}"\n'
        file = self._folder / "config.toml"
        file.write_text(f'[tuning]\npreset = "off"\n{journal}{self._wanted}\n')
        file.chmod(0o600)
        command = [sys.executable, "-m", "ndfd", "tune", action, "--json", "--service", "--config-dir"]
        done = subprocess.run(
            [*command, str(self._folder)], env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return {each["knob"]: each for each in json.loads(done.stdout)["knobs"] if each["outcome"] != "skipped"}


@pytest.fixture
def tune(tmp_path: Path) -> Iterator[Tune]:
    """Of a machine that nobody else tunes, and that has in the end what it had."""
    with alone_on_this_machine():
        before = {path: path.read_text() for path in _SYSTEM}
        folder = tmp_path / "tune"
        folder.mkdir()
        tune = Tune(folder)
        yield tune
        tune("revert")
        assert {path: path.read_text() for path in _SYSTEM} == before


def goes_round(tune: Tune, knob: str, path: Path, value: str, felt: Callable[[], bool]) -> None:
    """From what is there to the value, with all that is said of it and what a program feels of it, and back."""
    before = path.read_text()
    assert not felt()
    tune.want(f"{knob} = {value}")
    plain = value.strip('"')
    (planned,) = tune("plan").values()
    assert (planned["outcome"], planned["wanted"], planned["writer"]) == (None, plain, "root")
    assert path.read_text() == before
    assert {name: each["outcome"] for name, each in tune("apply").items()} == {knob: "applied"}
    assert plain in path.read_text().split() or f"[{plain}]" in path.read_text()
    assert felt()
    assert {name: each["outcome"] for name, each in tune("verify").items()} == {knob: "same"}
    assert {name: each["outcome"] for name, each in tune("revert").items()} == {knob: "restored"}
    assert path.read_text() == before
    assert not felt()


def meminfo(field: str) -> int:
    """As it stands there: in kB, or a number of pages."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{field}:")))


def mapped(size: int, flags: int = 0) -> mmap.mmap | None:
    """Memory; None where the kernel has not so much of it."""
    try:
        return mmap.mmap(-1, size, flags=_PRIVATE | flags)
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        return None


def test_huge_pages_that_are_kept_can_be_mapped_by_name(tune: Tune) -> None:
    pool = int((_VM / "nr_hugepages").read_text())

    def felt() -> bool:
        free, reserved = meminfo("HugePages_Free"), meminfo("HugePages_Rsvd")
        memory = mapped(4 * _HUGE_BYTES, _MAP_HUGETLB)
        if memory is None:
            return False
        with memory:
            assert (meminfo("HugePages_Free"), meminfo("HugePages_Rsvd")) == (free, reserved + 4)
            memory[0] = memory[_HUGE_BYTES] = 1
            assert (meminfo("HugePages_Free"), meminfo("HugePages_Rsvd")) == (free - 2, reserved + 2)
        assert (meminfo("HugePages_Free"), meminfo("HugePages_Rsvd")) == (free, reserved)
        return True

    if meminfo("HugePages_Free"):
        pytest.skip("this machine keeps huge pages already")
    goes_round(tune, "nr_hugepages", _VM / "nr_hugepages", str(pool + 8), felt)
    assert meminfo("HugePages_Total") == pool


def test_memory_may_be_promised_that_is_not_there(tune: Tune) -> None:
    if (_VM / "overcommit_memory").read_text() != "0\n":
        pytest.skip("it is not within reason here (vm.overcommit_memory)")
    far_too_much = (psutil.virtual_memory().total + psutil.swap_memory().total) * 4

    def felt() -> bool:
        memory = mapped(far_too_much)
        if memory is not None:
            memory.close()
        return memory is not None

    goes_round(tune, "overcommit_memory", _VM / "overcommit_memory", "1", felt)


def test_swappiness_is_what_is_wanted(tune: Tune) -> None:
    value = "10" if (_VM / "swappiness").read_text() != "10\n" else "20"
    goes_round(tune, "swappiness", _VM / "swappiness", value, lambda: (_VM / "swappiness").read_text() == f"{value}\n")


def test_workers_get_huge_pages_where_the_kernel_leaves_that_to_programs(tune: Tune, tmp_path: Path) -> None:
    before = _THP.read_text()
    # Its record is of many megabytes: a heap that hardly grows may have no whole huge page in it.
    long = documents.numbered_pages(2000)

    def of_a_worker(key: str) -> int:
        """kB of its memory, after a long document."""
        with running(tmp_path, f"[swarm]\nworkers = 1\n{key}") as daemon, daemon.client() as client:
            client.convert(long, ConvertOptions()).close()
            (pid,) = (worker.pid for worker in client.status().workers)
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            return int(next(line.split()[1] for line in lines if line.startswith("AnonHugePages:")))

    tune.want('transparent_hugepages = "never"')
    tune("apply")
    assert of_a_worker("huge_pages = true\n") == 0
    tune.want('transparent_hugepages = "madvise"')
    tune("apply")
    assert "[madvise]" in _THP.read_text()
    assert of_a_worker("huge_pages = true\n") >= _HUGE_BYTES // 1024
    assert of_a_worker("") == 0
    assert of_a_worker("huge_pages = false\n") == 0
    tune("revert")
    assert _THP.read_text() == before


def test_memory_that_asks_for_huge_pages_gets_them(tune: Tune) -> None:
    def huge_kb(setting: str) -> int:
        answer = in_child(lambda: _touched(setting))
        assert isinstance(answer, int)
        return answer

    tune.want('transparent_hugepages = "madvise"')
    tune("apply")
    assert huge_kb("allowed") >= _HUGE_BYTES // 1024
    assert huge_kb("disabled") == 0


def _touched(setting: str) -> int:
    platform.process.apply("huge_pages", setting, "worker")
    with mmap.mmap(-1, 8 * _HUGE_BYTES, flags=_PRIVATE) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        for place in range(0, len(memory), mmap.PAGESIZE):
            memory[place] = 1
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("AnonHugePages:")))


def in_child(act: Callable[[], object]) -> object:
    """What it returns there."""
    ours, theirs = socket.socketpair()
    with contextlib.closing(ours), contextlib.closing(theirs):
        if (pid := os.fork()) == 0:
            try:
                theirs.send(json.dumps(act()).encode())
            finally:
                os._exit(0)
        theirs.close()
        answer = ours.recv(65536)
        os.waitpid(pid, 0)
    assert answer
    return json.loads(answer)


def _status(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{field}:"))


def _policy(pid: int) -> str:
    """The field of proc_pid_stat(5), for it is not the process's own word."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return {"0": "other", "3": "batch", "5": "idle"}[fields[38]]


def _io_priority(pid: int) -> str:
    kind, level = psutil.Process(pid).ionice()
    return {0: "none", 2: f"best-effort {level}", 3: "idle"}[int(kind)]


#: Knob, a value that it does not have, and how another process sees it.
_OF_PROCESS: tuple[tuple[str, str, Callable[[int], str]], ...] = (
    ("affinity", str(min(os.sched_getaffinity(0))), lambda pid: _status(pid, "Cpus_allowed_list")),
    ("scheduling", "batch", _policy),
    ("io_priority", "best-effort 7", _io_priority),
    ("oom_score", "321", lambda pid: Path(f"/proc/{pid}/oom_score_adj").read_text().strip()),
    ("open_files", "777", lambda pid: str(resource.prlimit(pid, resource.RLIMIT_NOFILE)[0])),
    ("timer_slack", "123456", lambda pid: Path(f"/proc/{pid}/timerslack_ns").read_text().strip()),
    ("huge_pages", "disabled", lambda pid: {"1": "allowed", "0": "disabled"}[_status(pid, "THP_enabled")]),
    ("memory_lock", "locked", lambda pid: "unlocked" if _status(pid, "VmLck") == "0 kB" else "locked"),
)


@pytest.mark.parametrize(("knob", "value", "seen"), [pytest.param(*each, id=each[0]) for each in _OF_PROCESS])
def test_a_process_sets_it_and_another_one_sees_it(knob: str, value: str, seen: Callable[[int], str]) -> None:
    before = platform.process.read(knob)
    assert before not in (None, value)
    ours, theirs = socket.socketpair()
    with contextlib.closing(ours), contextlib.closing(theirs):
        if (pid := os.fork()) == 0:
            # Or it would never see its end.
            ours.close()
            try:
                while wanted := theirs.recv(256).decode():
                    theirs.send(platform.process.apply(knob, wanted, "worker").outcome.encode())
            finally:
                os._exit(0)
        theirs.close()
        try:
            assert seen(pid) == before
            for wanted in (value, str(before)):
                ours.send(wanted.encode())
                assert ours.recv(256).decode() == Outcome.APPLIED
                assert seen(pid) == wanted
        finally:
            ours.close()
            os.waitpid(pid, 0)


def test_a_process_with_another_priority_keeps_it_for_what_it_starts() -> None:
    def nicer() -> tuple[int, int]:
        platform.add_nice(3)
        child = subprocess.run([sys.executable, "-c", "import os; print(os.nice(0))"], capture_output=True, check=True)
        return psutil.Process().nice(), int(child.stdout)

    before = os.nice(0)
    expected = min(19, before + 3)
    assert in_child(nicer) == [expected, expected]
    assert os.nice(0) == before
