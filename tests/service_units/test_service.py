"""The life of ndfd.service under a real systemd."""

from __future__ import annotations

import pytest

from tests.service_units.machine import EXAMPLES, MEMBER, ONE_WORKER, SOCKET, SOCKETS, STRANGER, UNIT, Machine

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

CONVERT = f"ndfd convert --format text {EXAMPLES}/report.pdf"


def test_systemd_finds_no_mistake_in_any_unit_and_little_exposure(machine: Machine) -> None:
    units = "ndfd.service ndfd.socket ndfd@a.service ndfd@a.socket ndfd-tune.service"
    assert machine.bed.sh(f"systemd-analyze verify --man=no {units}") == ""
    assert machine.bed.sh("XDG_RUNTIME_DIR=/run systemd-analyze verify --man=no --user ndfd.service ndfd.socket") == ""
    folder = "/usr/lib/systemd/system"
    for unit, most in (("ndfd.service", 3), ("ndfd@.service", 3), ("ndfd-tune.service", 15)):
        machine.bed.sh(f"systemd-analyze security --offline=true --threshold={most} --no-pager {folder}/{unit}")


def test_enabled_it_serves_those_of_its_group_and_says_how_it_stands(machine: Machine) -> None:
    machine.configure(ONE_WORKER)
    assert machine.systemctl("enable", "--now", UNIT)[0] == 0
    assert machine.systemctl("is-enabled", SOCKET)[0] == 0
    assert machine.as_user(MEMBER, CONVERT)[0] == 0
    machine.wait(f"systemctl show {UNIT} -p StatusText | grep -q '1 documents\\? done'")
    status, said = machine.systemctl("status", UNIT)
    assert status == 0
    assert "Active: active (running)" in said
    assert "Serving: 1 worker" in said
    refused, said = machine.as_user(STRANGER, CONVERT)
    assert refused != 0
    assert "this user may not use the daemon's socket" in said
    assert machine.get("/health", STRANGER)[0] != 0
    assert (
        machine.bed.sh(f"stat -c '%U %G %a' {SOCKETS}/ndfd.sock {SOCKETS}/http.sock") == "root ndfd 660\nroot ndfd 660"
    )


def test_enabled_alone_the_socket_starts_it_for_who_comes_over_http(machine: Machine) -> None:
    assert machine.systemctl("enable", "--now", SOCKET)[0] == 0
    assert machine.systemctl("is-active", UNIT) == (3, "inactive")
    assert machine.get("/health") == (0, '{"status":"ok"}')
    assert machine.systemctl("is-active", UNIT) == (0, "active")


def test_a_varlink_client_starts_it_too_and_a_document_of_his_is_read_that_the_daemon_may_not_open(
    machine: Machine,
) -> None:
    machine.start(SOCKET)
    assert machine.as_user(MEMBER, f"install -m 0600 {EXAMPLES}/report.pdf ~/mine.pdf")[0] == 0
    status, said = machine.as_user(MEMBER, "ndfd convert --format text ~/mine.pdf")
    assert status == 0, said
    assert len(said) > 1000


def test_it_comes_back_with_the_machine(machine: Machine) -> None:
    machine.systemctl("enable", UNIT)
    machine.start()
    code, said = machine.as_user(MEMBER, f"ndfd submit --json {EXAMPLES}/report.pdf")
    assert code == 0, said
    machine.bed.reboot()
    machine.wait(f"systemctl is-active --quiet {UNIT}")
    assert machine.status()["jobs"]["queued"] + machine.status()["jobs"]["succeeded"] == 1
    assert machine.as_user(MEMBER, CONVERT)[0] == 0


def test_reloaded_it_takes_a_good_configuration_and_keeps_on_with_the_old_beside_a_bad_one(machine: Machine) -> None:
    machine.configure(ONE_WORKER)
    machine.start()
    pid = machine.pid()
    machine.configure("[swarm]\nworkers = 2\n")
    assert machine.systemctl("reload", UNIT)[0] == 0
    machine.wait(f"systemctl show {UNIT} -p StatusText | grep -q '2 workers'")
    machine.configure("[swarm]\nwrokers = 3\n")
    machine.systemctl("reload", UNIT)
    assert "swarm.wrokers" in machine.journal()
    assert machine.systemctl("is-active", UNIT) == (0, "active")
    assert (machine.pid(), machine.status()["generation"]) == (pid, 2)
    assert machine.as_user(MEMBER, CONVERT)[0] == 0


def test_killed_it_comes_back_and_no_socket_was_gone(machine: Machine) -> None:
    machine.start()
    pid, inode = machine.pid(), machine.bed.sh(f"stat -c %i {SOCKETS}/http.sock")
    machine.bed.sh(f"kill -KILL {pid}")
    # It waits in the socket.
    assert machine.get("/health") == (0, '{"status":"ok"}')
    assert machine.wait_active(pid) != pid
    assert machine.bed.sh(f"stat -c %i {SOCKETS}/http.sock") == inode


def test_a_daemon_that_hangs_is_ended_by_the_watchdog_and_comes_back(machine: Machine) -> None:
    machine.drop_in("[Service]\nWatchdogSec=2s\nTimeoutAbortSec=2s\n")
    machine.start()
    pid = machine.pid()
    machine.bed.sh(f"kill -STOP {pid}")
    assert machine.wait_active(pid) != pid
    assert "Watchdog timeout (limit 2s)" in machine.journal()
    assert machine.as_user(MEMBER, CONVERT)[0] == 0
    # A sound one is let be, for more than two of its limits.
    sound = machine.pid()
    machine.bed.sh("sleep 5")
    assert machine.pid() == sound


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_stopped_while_50_conversions_run_it_lets_them_end(machine: Machine, verb: str) -> None:
    machine.configure("[swarm]\nworkers = 2\nmax_per_user = 200\n")
    machine.start()
    machine.write_slow_document()
    convert = "for each in $(seq 50); do ndfd convert --format text ~/slow.pdf >~/out.$each 2>~/err.$each & done; wait"
    machine.bed.sh(f"rm -f /home/{MEMBER}/out.* /home/{MEMBER}/err.*; chown {MEMBER} /home/{MEMBER}/slow.pdf")
    machine.bed.sh(
        f"systemd-run --quiet --unit=crowd --collect --setenv=NDFD_SOCKET={SOCKETS}/ndfd.sock "
        f"--uid={MEMBER} --setenv=HOME=/home/{MEMBER} sh -c '{convert.replace('$', '$$')}'"
    )
    machine.wait(f"systemctl show {UNIT} -p StatusText | grep -Eq '2 converting, [1-4][0-9] queued'")
    assert machine.systemctl(verb, UNIT)[0] == 0
    assert machine.shown("Result") == "success"
    # Those that waited at the socket, or that come again, are served by the next daemon.
    machine.start()
    machine.wait("! systemctl is-active --quiet crowd")
    said = machine.bed.sh(f"cd /home/{MEMBER}; wc -c out.* | grep -vc ' total'; cat err.*")
    # Who waits may lose patience with the machine; of one user no more than a few documents are read at a time from an
    # overlay, as this root is. What systemd kept for the next daemon it drops when there is none.
    plain = ("did not answer for 10 s", "try-again")
    if verb == "stop":
        plain += ("daemon-stopping", "daemon-unavailable")
    assert [line for line in said.splitlines()[1:] if not any(each in line for each in plain)] == []
    done = int(machine.bed.sh(f"cd /home/{MEMBER}; find . -name 'out.*' -size +0 | wc -l"))
    assert done >= 2


def test_two_instances_and_the_machines_daemon_know_nothing_of_each_other(machine: Machine) -> None:
    machine.configure(ONE_WORKER, "/etc/ndfd-a/config.toml")
    machine.configure(ONE_WORKER, "/etc/ndfd-b/config.toml")
    machine.start("ndfd@a.service")
    machine.start("ndfd@b.service")
    machine.start()
    pids = {machine.shown("MainPID", unit) for unit in (UNIT, "ndfd@a.service", "ndfd@b.service")}
    assert len(pids) == 3
    for name in ("a", "b"):
        assert machine.get("/health", folder=f"/run/ndfd-{name}") == (0, '{"status":"ok"}')
        pid = machine.shown("MainPID", f"ndfd@{name}.service")
        # Of the others it sees empty folders at most.
        states = machine.bed.sh(f"cd /proc/{pid}/root/var/lib && ls */jobs.db").split()
        assert states == [f"ndfd-{name}/jobs.db"]
        assert machine.bed.sh(f"cd /proc/{pid}/root/run && ls */ndfd.sock").split() == [f"ndfd-{name}/ndfd.sock"]
    assert machine.systemctl("stop", "ndfd@a.service")[0] == 0
    assert machine.get("/health", folder="/run/ndfd-b") == (0, '{"status":"ok"}')


def test_started_twice_it_is_one(machine: Machine) -> None:
    machine.start()
    pid = machine.pid()
    machine.start()
    assert (machine.pid(), machine.shown("NRestarts")) == (pid, "0")


def test_a_users_own_daemon_runs_under_his_manager(machine: Machine) -> None:
    machine.bed.sh(f"loginctl enable-linger {MEMBER}; systemctl start user@$(id -u {MEMBER})")
    bus = "export XDG_RUNTIME_DIR=/run/user/$(id -u)"
    status, said = machine.as_user(MEMBER, f"{bus}; systemctl --user start ndfd && systemctl --user status ndfd")
    assert status == 0, said
    assert "active (running)" in said
    status, said = machine.as_user(MEMBER, f"{bus}; unset NDFD_SOCKET; ndfd status --json; {CONVERT} | wc -c")
    assert status == 0, said
    assert f"/run/user/{machine.bed.sh(f'id -u {MEMBER}')}/ndfd/ndfd.sock" in said
    machine.as_user(MEMBER, f"{bus}; systemctl --user stop ndfd ndfd.socket")
