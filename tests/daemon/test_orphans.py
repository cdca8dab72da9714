"""A daemon that is given the children of others reaps them, and leaves its own to whoever started them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.client import Client
from tests import documents
from tests.daemon.conftest import environment
from tests.daemon.test_signals import as_soon_as_it_hears, ready

#: Is a subreaper. Has a child of its own, whose exit status it asks for only when it is known to have ended, and then
#: an orphan, which ends when it is one.
_PROGRAM = """
import asyncio, ctypes, json, os, subprocess, sys
from ndfd import platform
from ndfd.daemon.orphans import Orphans
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
assert platform.process.adopts_orphans()

async def main():
    orphans = Orphans(grace_s=float(sys.argv[1]))
    orphans.listen(asyncio.get_running_loop())
    own = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    while own.pid not in orphans._ended:
        await asyncio.sleep(0)
    status = own.wait()
    reading, writing = os.pipe()
    script = f"sh -c 'read line; exit 5' <&{reading} >/dev/null & echo $!"
    shell = subprocess.run(["sh", "-c", script], pass_fds=[reading], stdout=subprocess.PIPE, check=True)
    orphan = int(shell.stdout)
    os.write(writing, b"\\n")
    while os.path.exists(f"/proc/{orphan}"):
        await asyncio.sleep(0)
    left = sorted(platform.process.ended_children())
    print(json.dumps({"own": status, "left": left, "known": len(orphans._ended)}))

asyncio.run(main())
"""


def test_an_orphan_is_reaped_and_the_status_of_an_own_child_is_not_lost() -> None:
    ran = subprocess.run([sys.executable, "-c", _PROGRAM, "1"], stdout=subprocess.PIPE, check=True, timeout=60)
    assert json.loads(ran.stdout) == {"own": 3, "left": [], "known": 0}


def test_who_is_given_no_orphans_knows_it() -> None:
    assert not platform.process.adopts_orphans()


def test_a_child_that_ended_is_seen_until_it_is_waited_for() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    pidfd = os.pidfd_open(child.pid)
    try:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
        assert platform.process.ended_children() == {child.pid}
    finally:
        os.close(pidfd)
        child.wait()
    assert platform.process.ended_children() == frozenset()


def _may_unshare() -> bool:
    unshare = shutil.which("unshare")
    nsenter = shutil.which("nsenter")
    if unshare is None or nsenter is None:
        return False
    tried = [unshare, "--pid", "--fork", "--mount-proc", "true"]
    return subprocess.run(tried, stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.fixture
def pid_one(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A daemon that is about to be PID 1 of a namespace, with one worker, and its number out here as `.pid`."""
    if not _may_unshare():
        pytest.skip("no namespace of processes can be made: it needs root, and unshare and nsenter of util-linux")
    settings = {
        "NDFD_NETWORK__SOCKET_DIR": str(tmp_path / "run"),
        "NDFD_STORAGE__STATE_DIR": str(tmp_path / "state"),
        "NDFD_SWARM__WORKERS": "1",
        "NDFD_LOGGING__OUTPUT": str(tmp_path / "log"),
        "NDFD_LOGGING__LEVEL": "debug",
    }
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-m", "ndfd", "run"]
    return subprocess.Popen(command, env=environment(**settings), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _inside(outer: int) -> int:
    """The number of PID 1, seen from here."""
    while True:
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        if children:
            return int(children[0])
        os.sched_yield()


class _Seen:
    """So that `as_soon_as_it_hears` can look at it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        return None


@pytest.mark.system
def test_as_pid_1_it_reaps_orphans_keeps_the_ends_of_its_own_and_hears_sigterm(
    pid_one: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    try:
        ready(pid_one)
        daemon = _inside(pid_one.pid)
        enter = ["nsenter", "--target", str(daemon), "--pid", "--mount"]
        subprocess.run([*enter, "sh", "-c", "(sh -c 'exit 5' &) ; (sh -c 'exit 6' &)"], check=True)
        zombie = re.compile(rb"\) Z " + str(daemon).encode() + rb" ")

        def zombies() -> list[str]:
            found = []
            for stat in Path("/proc").glob("[0-9]*/stat"):
                try:
                    if zombie.search(stat.read_bytes()):
                        found.append(stat.parent.name)
                except OSError:
                    continue
            return found

        log = tmp_path / "log"
        while log.read_text().count("an orphan was reaped") < 2:
            os.sched_yield()
        assert zombies() == []
        assert {json.loads(line).get("exit_code") for line in log.read_text().splitlines()} >= {5, 6}
        with Client.connect(tmp_path / "run" / "ndfd.sock") as client:
            client.convert(documents.numbered_pages(1)).close()
            # A worker's end is the zygote's to tell, the zygote's its supervisor's.
            (zygote,) = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
            os.kill(int(zygote), signal.SIGKILL)
            while "was killed by SIGKILL" not in log.read_text():
                os.sched_yield()
            client.convert(documents.numbered_pages(1)).close()
        os.kill(daemon, signal.SIGTERM)
        assert pid_one.wait(30) == 0
    finally:
        pid_one.kill()
        pid_one.communicate()


@pytest.mark.system
def test_as_pid_1_it_hears_sigterm_while_it_starts(pid_one: subprocess.Popen[bytes]) -> None:
    try:
        daemon = _inside(pid_one.pid)
        as_soon_as_it_hears(_Seen(daemon))  # type: ignore[arg-type]
        os.kill(daemon, signal.SIGTERM)
        assert pid_one.wait(30) == 0
    finally:
        pid_one.kill()
        pid_one.communicate()
