"""ndfd-tune.service under a real systemd: what it sets is seen in the kernel, and is as it was when it is stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tuning.systemd_bed import UNIT, SystemdBed, payload

_BED = os.environ.get("NDFD_SYSTEMD_BED", "")

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

in_bed = [
    pytest.mark.skipif(
        not _BED, reason="NDFD_SYSTEMD_BED names no program that boots a systemd (tests/tuning/systemd_bed.py)"
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may boot a systemd and set the kernel's values"),
]

_THP = "/sys/kernel/mm/transparent_hugepage/enabled"
_SWAPPINESS, _OVERCOMMIT = "/proc/sys/vm/swappiness", "/proc/sys/vm/overcommit_memory"
_HUGE_PAGES, _SOMAXCONN = "/proc/sys/vm/nr_hugepages", "/proc/sys/net/core/somaxconn"
_PATHS = (_THP, _SWAPPINESS, _OVERCOMMIT, _HUGE_PAGES, _SOMAXCONN)
_CONFIG = "/etc/ndfd/config.toml"
_DROP_IN = "/run/systemd/system/ndfd-tune.service.d/test.conf"


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdBed]:
    tar = payload(tmp_path_factory.mktemp("bed") / "payload.tar")
    with SystemdBed(_BED, f"ndfd-tune-{os.getpid()}", tar) as bed:
        if bed.run("/usr/bin/ndfd", "tune", "--help")[0] != 0:
            pytest.skip("the Python of the bed is not the one that this ndfd was built for")
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
        configure(
            bed,
            'swappiness = 33\novercommit_memory = 1\nsomaxconn = 5000\nnr_hugepages = 7\ntransparent_hugepages = "always"\n',
        )
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
        assert "somebody else set it to 55" in bed.run("journalctl", "-b", "-u", "ndfd-tune", "--no-pager")[1]
        # For who comes after.
        bed.write(_SWAPPINESS, before[_SWAPPINESS])

    @pytest.mark.parametrize(
        ("act", "error"),
        [
            pytest.param("open('/proc/sys/vm/panic_on_oom', 'r+')", "Read-only file system", id="another-setting"),
            pytest.param("open('/proc/sysrq-trigger', 'w')", "Read-only file system", id="sysrq"),
            pytest.param("open('/sys/power/state', 'w')", "Read-only file system", id="power"),
            pytest.param("open('/etc/ndfd/config.toml', 'a')", "Read-only file system", id="its-configuration"),
            pytest.param("__import__('socket').socket()", "Address family not supported", id="a-socket"),
            pytest.param("__import__('os').chown('/var/lib/ndfd-tune', 1, 1)", "not permitted", id="give-files-away"),
            pytest.param("__import__('os').unshare(0)", "", id="a-namespace"),
        ],
    )
    def test_whoever_took_it_over_could_set_nothing_else(self, bed: SystemdBed, act: str, error: str) -> None:
        if "unshare" in act:
            act, error = "__import__('ctypes').CDLL(None).unshare(0x10000000) and 1/0", "division by zero"
        before = bed.read("/proc/sys/vm/panic_on_oom")
        bed.write(_DROP_IN, f'[Service]\nExecStart=\nExecStart=/usr/bin/python3 -c "{act}"\n')
        assert bed.run("systemctl", "daemon-reload")[0] == 0
        assert systemctl(bed, "start") != 0
        said = bed.run("journalctl", "-u", "ndfd-tune", "--no-pager", "-n", "20")[1]
        assert error in said
        assert bed.read("/proc/sys/vm/panic_on_oom") == before
