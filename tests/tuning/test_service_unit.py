"""ndfd-tune.service under a real systemd: what it sets is seen in the kernel, and is as it was when it is stopped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd_bed import BED, NO_BED, UNITS, SystemdBed, payload
from tests.tuning.alone import alone_on_this_machine

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

in_bed = [
    pytest.mark.skipif(not BED, reason=NO_BED),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may boot a systemd and set the kernel's values"),
]

UNIT = UNITS / "ndfd-tune.service"

_THP = "/sys/kernel/mm/transparent_hugepage/enabled"
_SWAPPINESS, _OVERCOMMIT = "/proc/sys/vm/swappiness", "/proc/sys/vm/overcommit_memory"
_HUGE_PAGES, _SOMAXCONN = "/proc/sys/vm/nr_hugepages", "/proc/sys/net/core/somaxconn"
_PATHS = (_THP, _SWAPPINESS, _OVERCOMMIT, _HUGE_PAGES, _SOMAXCONN)
_CONFIG = "/etc/ndfd/config.toml"
_ANOTHER = "/proc/sys/vm/panic_on_oom"
_TAKEN_OVER, _SAID = "/usr/lib/ndfd/taken_over.py", "/var/lib/ndfd-tune/said"
_DROP_IN = "/run/systemd/system/ndfd-tune.service.d/test.conf"

#: What the unit's process tries, and the names of the errors that it gets.
_ATTEMPTS = f"""
import ctypes, errno, json, os, socket

libc = ctypes.CDLL(None, use_errno=True)

def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")

attempts = {{
    "its own knob": lambda: open("{_SWAPPINESS}", "r+"),
    "another setting": lambda: open("{_ANOTHER}", "r+"),
    "who gets core dumps": lambda: open("/proc/sys/kernel/core_pattern", "r+"),
    "power": lambda: open("/sys/power/state", "w"),
    "its configuration": lambda: open("{_CONFIG}", "a"),
    "the daemon's folder": lambda: os.mkdir("/var/lib/ndfd"),
    "a socket": lambda: socket.socket(),
    "give a file away": lambda: os.chown("/var/lib/ndfd-tune", 1, 1),
    "another user": lambda: os.setuid(1),
    "a mount": lambda: call(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
    "a namespace": lambda: call(libc.unshare(0x10000000)),
}}
said = {{}}
for what, act in attempts.items():
    try:
        act()
        said[what] = "done"
    except OSError as error:
        said[what] = errno.errorcode[error.errno]
with open("{_SAID}", "w") as file:
    json.dump(said, file)
"""


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdBed]:
    tar = payload(tmp_path_factory.mktemp("bed") / "payload.tar", {f"/etc/systemd/system/{UNIT.name}": UNIT})
    # Kernel values are written: what the other backend has read-only.
    with alone_on_this_machine(), SystemdBed(BED, f"ndfd-tune-{os.getpid()}", tar, backend="v1") as bed:
        # There it is read-only, as in most containers; on a machine of its own it is not.
        assert bed.run("mount", "-o", "remount,rw", "/sys")[0] == 0
        yield bed


@pytest.fixture
def bed(booted: SystemdBed) -> Iterator[SystemdBed]:
    """Stopped and not tuned, before and after."""
    before = values(booted)
    yield booted
    booted.run("rm", "-f", _DROP_IN)
    booted.run("systemctl", "daemon-reload")
    booted.run("systemctl", "stop", "ndfd-tune")
    booted.run("systemctl", "reset-failed", "ndfd-tune")
    booted.run("ndfd", "tune", "revert", "--service")
    assert values(booted) == before


def values(bed: SystemdBed) -> dict[str, str]:
    return {path: bed.read(path) for path in _PATHS}


def configure(bed: SystemdBed, text: str) -> None:
    bed.write(_CONFIG, f"[tuning]\n{text}")


def systemctl(bed: SystemdBed, verb: str) -> int:
    return bed.run("systemctl", verb, "ndfd-tune")[0]


def shown(bed: SystemdBed, key: str) -> str:
    return bed.run("systemctl", "show", "ndfd-tune", "--value", "-p", key)[1]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_the_unit_is_exposed_to_little() -> None:
    # In tenths.
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(UNIT)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr


class TestInBed:
    """Each on the systemd of the bed."""

    pytestmark = in_bed

    def test_systemd_finds_no_mistake_in_it(self, bed: SystemdBed) -> None:
        status, said = bed.run("sh", "-c", "systemd-analyze verify ndfd-tune.service 2>&1")
        assert (status, said) == (0, "")

    def test_started_it_sets_what_the_configuration_wants_and_stopped_all_is_as_it_was(self, bed: SystemdBed) -> None:
        before = values(bed)
        wanted = "swappiness = 33\novercommit_memory = 1\nsomaxconn = 5000\nnr_hugepages = 7\n"
        configure(bed, f'{wanted}transparent_hugepages = "always"\n')
        assert systemctl(bed, "start") == 0
        assert systemctl(bed, "is-active") == 0
        assert values(bed) == {
            _THP: "[always] madvise never",
            _SWAPPINESS: "33",
            _OVERCOMMIT: "1",
            _HUGE_PAGES: "7",
            _SOMAXCONN: "5000",
        }
        # The kernel is one: the host sees it, too.
        assert Path(_SWAPPINESS).read_text() == "33\n"
        assert bed.run("ndfd", "tune", "verify", "--service")[0] == 0
        assert systemctl(bed, "stop") == 0
        assert values(bed) == before
        assert Path(_SWAPPINESS).read_text() == f"{before[_SWAPPINESS]}\n"

    def test_reloaded_it_follows_the_configuration_and_puts_back_what_is_no_longer_wanted(
        self, bed: SystemdBed
    ) -> None:
        before = values(bed)
        configure(bed, "swappiness = 33\nsomaxconn = 5000\n")
        assert systemctl(bed, "start") == 0
        configure(bed, "swappiness = 44\n")
        assert systemctl(bed, "reload") == 0
        assert values(bed) == {**before, _SWAPPINESS: "44"}
        assert systemctl(bed, "stop") == 0
        assert values(bed) == before

    def test_a_start_that_fails_leaves_nothing_changed(self, bed: SystemdBed) -> None:
        before = values(bed)
        # The kernel takes 200 at most, and the energy preference is one that no virtual machine has.
        configure(bed, 'swappiness = 33\ncpu_energy_preference = "power"\n')
        assert systemctl(bed, "start") != 0
        assert shown(bed, "ExecMainStatus") == "69"
        assert systemctl(bed, "is-failed") == 0
        assert values(bed) == before

    def test_what_somebody_else_has_set_since_is_left_to_him_and_told_of(self, bed: SystemdBed) -> None:
        before = values(bed)
        configure(bed, "swappiness = 33\nsomaxconn = 5000\n")
        assert systemctl(bed, "start") == 0
        bed.write(_SWAPPINESS, "55")
        systemctl(bed, "stop")
        assert values(bed) == {**before, _SWAPPINESS: "55"}
        assert systemctl(bed, "is-failed") == 0
        bed.run("journalctl", "--sync")
        assert "somebody else set it to 55" in bed.run("journalctl", "-b", "-u", "ndfd-tune", "--no-pager")[1]
        # For who comes after.
        bed.write(_SWAPPINESS, before[_SWAPPINESS])

    def test_whoever_took_it_over_could_set_nothing_else(self, bed: SystemdBed) -> None:
        before = bed.read(_ANOTHER)
        bed.write(_TAKEN_OVER, _ATTEMPTS)
        bed.write(_DROP_IN, f"[Service]\nExecStart=\nExecStart=/usr/bin/python3 {_TAKEN_OVER}\n")
        assert bed.run("systemctl", "daemon-reload")[0] == 0
        assert systemctl(bed, "start") == 0
        assert json.loads(bed.read(_SAID)) == {
            "its own knob": "done",
            "another setting": "EROFS",
            "who gets core dumps": "EROFS",
            "power": "EROFS",
            "its configuration": "EROFS",
            "the daemon's folder": "EROFS",
            "a socket": "EPERM",
            "give a file away": "EPERM",
            "another user": "EPERM",
            "a mount": "EPERM",
            "a namespace": "EPERM",
        }
        assert bed.read(_ANOTHER) == before
