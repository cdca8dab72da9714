"""`ndfd service` under a real systemd: what an operator types, and what is there then."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd_bed import BED, NO_BED, ROOT, SystemdBed, payload

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not BED, reason=NO_BED),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may boot a systemd"),
]

_CONFIG = "/etc/ndfd/config.toml"
#: Each file and folder of the root, with whose it is; not those of what runs, nor what systemd writes by itself.
_TREE = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /var/log/journal \
    -o -path /run/log -o -path /run/systemd -o -path /var/lib/systemd -o -path /var/tmp -o -path /run/user \
    -o -path '*/__pycache__' \) -prune -o -printf '%y %m %u %p\n' | sort; find /run/ndfd* 2>/dev/null || true
"""


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdBed]:
    files: dict[str, Path | str] = {"/usr/lib/ndfd/share/ndfd/packaging": ROOT / "packaging"}
    tar = payload(tmp_path_factory.mktemp("bed") / "payload.tar", files)
    with SystemdBed(BED, f"ndfd-service-{os.getpid()}", tar, backend="v1") as bed:
        yield bed


@pytest.fixture
def bed(booted: SystemdBed) -> Iterator[SystemdBed]:
    """Without a service, before and after."""
    yield booted
    booted.run("ndfd", "service", "uninstall", "--purge", "--yes", "--force")
    booted.run("rm", "-rf", "/etc/ndfd", "/etc/systemd/system/ndfd.service.d")
    booted.run("systemctl", "daemon-reload")


def ndfd(bed: SystemdBed, *arguments: str, status: int = 0) -> str:
    """Standard output and error of `ndfd service …`."""
    ended, said = bed.run("sh", "-c", 'exec 2>&1; exec ndfd service "$@"', "sh", *arguments)
    assert ended == status, said
    return said


def of_status(bed: SystemdBed, *arguments: str, status: int = 0) -> dict[str, object]:
    found: dict[str, object] = json.loads(ndfd(bed, "status", "--json", *arguments, status=status))
    return found


def test_installed_it_serves_and_each_verb_does_what_it_says(bed: SystemdBed) -> None:
    planned = ndfd(bed, "install", "--dry-run").splitlines()
    said = ndfd(bed, "install").splitlines()
    assert said[: len(planned)] == planned
    status = of_status(bed)
    assert (status["running"], status["enabled"], status["state"]) == (True, "enabled", "active (running)")
    assert status["sockets"] == ["/run/ndfd/ndfd.sock", "/run/ndfd/http.sock"]
    assert {file["standing"] for file in status["files"]} == {"current"}  # type: ignore[attr-defined]
    assert "Serving" in str(status["said"])
    assert bed.run("ndfd", "status", "--socket", "/run/ndfd/ndfd.sock")[0] == 0
    again = ndfd(bed, "install").splitlines()
    assert "same    ndfd.socket, ndfd.service: active" in again
    assert not [line for line in again if line.startswith(("write", "run"))]
    ndfd(bed, "reload")
    assert of_status(bed)["pid"] == status["pid"]
    ndfd(bed, "restart")
    assert of_status(bed)["pid"] != status["pid"]
    assert "ready" in ndfd(bed, "logs", "-n", "50")
    ndfd(bed, "stop")
    assert of_status(bed, status=69)["running"] is False
    assert "inactive (dead)" in ndfd(bed, "status", status=69)
    ndfd(bed, "start")
    assert of_status(bed)["running"] is True


def test_systemd_has_nothing_to_say_against_the_installed_units(bed: SystemdBed) -> None:
    ndfd(bed, "install")
    verify = "exec 2>&1; systemd-analyze verify /etc/systemd/system/ndfd.service /etc/systemd/system/ndfd.socket"
    assert bed.run("sh", "-c", verify) == (0, "")


def test_a_daemon_that_was_killed_is_seen_to_have_been_started_again(bed: SystemdBed) -> None:
    ndfd(bed, "install")
    before = of_status(bed)
    assert before["restarts"] == 0
    assert bed.run("systemctl", "kill", "--signal=KILL", "ndfd.service")[0] == 0
    bed.sh('until [ "$(systemctl show --value -p NRestarts ndfd)" = 1 ]; do sleep 0.05; done')
    bed.sh("until systemctl is-active --quiet ndfd; do sleep 0.05; done")
    after = of_status(bed)
    assert (after["restarts"], after["running"]) == (1, True)
    assert after["pid"] != before["pid"]
    assert "started again once by systemd" in ndfd(bed, "status")


def test_a_wrong_configuration_is_explained_and_no_loop(bed: SystemdBed) -> None:
    ndfd(bed, "install")
    bed.write(_CONFIG, "[swarm]\nworkers = -3\n")
    refused = ndfd(bed, "reload", status=78)
    assert "workers: -3 is below the minimum" in refused
    assert "the old configuration serves on" in refused
    assert of_status(bed)["running"] is True
    said = ndfd(bed, "restart", status=78)
    assert "ndfd.service does not run: exit status 78: wrong configuration (configuration)" in said
    assert "ndfd config check --service" in said
    assert f"{_CONFIG}:2:11" in said
    status = of_status(bed, status=69)
    assert (status["state"], status["restarts"]) == ("failed (failed)", 0)
    assert str(status["why"]).startswith("exit status 78: wrong configuration")
    bed.write(_CONFIG, "[swarm]\nworkers = 1\n")
    ndfd(bed, "start")


def test_an_install_whose_daemon_does_not_start_leaves_nothing_but_state(bed: SystemdBed) -> None:
    bed.write(_CONFIG, "[swarm]\nworkers = -3\n")
    bed.sh("mkdir -p /etc/ndfd/conf.d")
    before = bed.sh(_TREE).splitlines()
    said = ndfd(bed, "install", status=78)
    assert "undo    remove /etc/systemd/system/ndfd.service" in said
    assert of_status(bed, status=69)["state"] == "not installed"
    after = set(bed.sh(_TREE).splitlines()) ^ set(before)
    assert {line.split()[-1] for line in after} - _EVER <= {"/var/lib/ndfd", "/var/log/ndfd"}


def test_uninstalled_nothing_is_left_but_state_and_configuration(bed: SystemdBed) -> None:
    bed.write(_CONFIG, "")
    before = bed.sh(_TREE).splitlines()
    ndfd(bed, "install")
    assert "kept: /var/lib/ndfd" in ndfd(bed, "uninstall")
    left = {line.split()[-1] for line in set(bed.sh(_TREE).splitlines()) ^ set(before)} - _EVER
    assert {path for path in left if not path.startswith(("/var/lib/ndfd", "/var/log/ndfd", "/etc/ndfd"))} == set()
    assert bed.run("systemctl", "list-unit-files", "--no-legend", "ndfd*")[1] == ""
    assert ndfd(bed, "uninstall").startswith("nothing is installed")
    ndfd(bed, "install")
    ndfd(bed, "uninstall", "--purge", "--yes")
    assert bed.run("sh", "-c", "ls -d /var/lib/ndfd /etc/ndfd /var/log/ndfd 2>/dev/null; id ndfd 2>/dev/null")[1] == ""


#: Lists of users and the folders of sysusers.d, which the first install changes or makes for good.
_EVER = {
    *("/etc", "/etc/passwd", "/etc/passwd-", "/etc/shadow", "/etc/shadow-", "/etc/group", "/etc/group-"),
    *("/etc/gshadow", "/etc/gshadow-", "/etc/.pwd.lock", "/etc/sysusers.d", "/etc/tmpfiles.d"),
}


def test_a_unit_of_the_operators_and_a_mask_are_respected(bed: SystemdBed) -> None:
    ndfd(bed, "install")
    bed.sh("echo Nice=5 >> /etc/systemd/system/ndfd.service")
    assert "was changed since ndfd wrote it" in ndfd(bed, "install", status=73)
    status = of_status(bed)
    assert any("daemon-reload" in warning for warning in status["warnings"])  # type: ignore[attr-defined]
    bed.write("/etc/systemd/system/ndfd.service.d/mine.conf", "[Service]\nNice=3\n")
    ndfd(bed, "install", "--force")
    assert of_status(bed)["drop_ins"] == ["/etc/systemd/system/ndfd.service.d/mine.conf"]
    assert bed.run("systemctl", "show", "--value", "-p", "Nice", "ndfd")[1] == "3"
    ndfd(bed, "uninstall")
    bed.sh("systemctl mask --quiet ndfd.service")
    try:
        assert "ndfd.service is masked" in ndfd(bed, "install", status=73)
    finally:
        bed.sh("systemctl unmask --quiet ndfd.service")


def test_instances_run_beside_each_other(bed: SystemdBed) -> None:
    ndfd(bed, "install")
    ndfd(bed, "install", "--instance", "fast")
    assert of_status(bed, "--instance", "fast")["sockets"] == ["/run/ndfd-fast/ndfd.sock", "/run/ndfd-fast/http.sock"]
    assert of_status(bed)["running"] is True
    ndfd(bed, "uninstall", "--instance", "fast", "--purge", "--yes")
    assert of_status(bed, "--instance", "fast", status=69)["running"] is False
    assert of_status(bed)["running"] is True
    assert bed.run("sh", "-c", "ls -d /var/lib/ndfd-fast /etc/ndfd-fast /run/ndfd-fast 2>/dev/null")[1] == ""


def test_with_tuning_the_system_is_as_it_was_when_it_is_uninstalled(bed: SystemdBed) -> None:
    # No knob: the kernel is the host's.
    bed.write(_CONFIG, '[tuning]\npreset = "off"\n')
    ndfd(bed, "install", "--with-tuning")
    assert bed.run("systemctl", "is-enabled", "ndfd-tune.service")[1] == "enabled"
    said = ndfd(bed, "uninstall")
    assert "run     /usr/bin/ndfd tune revert --service" in said
    assert bed.run("systemctl", "cat", "ndfd-tune.service")[0] != 0


def test_a_virtual_environment_in_a_home_is_refused_and_one_elsewhere_serves(bed: SystemdBed) -> None:
    home = bed.sh("echo ~root").strip()
    for folder in (f"{home}/venv/bin", "/srv/ndfd/bin"):
        bed.sh('mkdir -p "$1" && cp /usr/bin/ndfd "$1"', folder)
    refused = ndfd(bed, "install", "--command", f"{home}/venv/bin/ndfd", status=69)
    assert f"the service could not see {home}/venv/bin/ndfd: its unit has ProtectHome=yes" in refused
    ndfd(bed, "install", "--command", "/srv/ndfd/bin/ndfd")
    assert bed.run("systemctl", "show", "--value", "-p", "ExecStart", "ndfd")[1].startswith("{ path=/srv/ndfd/bin/ndfd")


def test_a_user_has_a_service_of_his_own(bed: SystemdBed) -> None:
    bed.sh("id me >/dev/null 2>&1 || useradd --create-home me")
    as_me = ("runuser", "-u", "me", "--", "env", "-u", "XDG_RUNTIME_DIR", "HOME=/home/me", "ndfd", "service")
    status, said = bed.run("sh", "-c", 'exec 2>&1; cd /; exec "$@"', "sh", *as_me, "install", "--user")
    assert status == 69
    assert "this user has no service manager that runs" in said
    bed.sh("loginctl enable-linger me && until [ -S /run/user/$(id -u me)/systemd/private ]; do sleep 0.05; done")
    status, said = bed.run("sh", "-c", 'exec 2>&1; cd /; exec "$@"', "sh", *as_me, "install", "--user")
    assert status == 0, said
    assert "ndfd.service   active (running)" in said
    status, said = bed.run(
        "sh", "-c", 'exec 2>&1; cd /; exec "$@"', "sh", *as_me, "uninstall", "--user", "--purge", "--yes"
    )
    assert status == 0, said
    assert bed.sh("find /home/me -name '*ndfd*'") == ""
