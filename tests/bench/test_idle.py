"""What an idle process costs is what the kernel counted of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.bench.idle import Reading, family, over, readings

#: Says that it is there, and is woken by each line until its input ends.
_WAITS = "import sys; print(flush=True); [print(flush=True) for line in sys.stdin]"
_PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_WAITS!r}])"


@pytest.fixture
def waiting() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a child that waits for lines."""
    process = subprocess.Popen([sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.communicate()


def test_each_process_is_read_with_its_part(waiting: subprocess.Popen[bytes]) -> None:
    assert list(family(waiting.pid).values()) == ["daemon", "zygote"]
    for reading in readings(waiting.pid).values():
        assert 0 < reading.uss_bytes <= reading.pss_bytes <= reading.rss_bytes
        assert reading.threads == 1
        assert reading.cpu_ns > 0


def test_a_wait_that_ends_is_a_wakeup(waiting: subprocess.Popen[bytes]) -> None:
    assert waiting.stdin is not None
    assert waiting.stdout is not None
    _, child = family(waiting.pid)

    def wakeups() -> int:
        # It waits again once it has answered, or is about to.
        return readings(waiting.pid)[child].wakeups

    before = wakeups()
    for _ in range(20):
        waiting.stdin.write(b"\n")
        waiting.stdin.flush()
        waiting.stdout.readline()
        os.sched_yield()
    assert 10 <= wakeups() - before <= 60


def test_what_was_counted_is_for_a_minute() -> None:
    before = Reading("daemon", 30, 20, 40, 6, wakeups=100, cpu_ns=5_000_000)
    after = Reading("daemon", 31, 21, 41, 7, wakeups=103, cpu_ns=6_000_000)
    cost = over(before, after, seconds=30)
    assert (cost.wakeups_per_minute, cost.cpu_ms_per_minute) == (6, 2)
    assert (cost.pss_bytes, cost.uss_bytes, cost.rss_bytes, cost.threads) == (31, 21, 41, 7)
