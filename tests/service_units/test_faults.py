"""What an operator reads when something is wrong, and that nothing turns in circles meanwhile."""

from __future__ import annotations

import pytest

from tests.service_units.machine import EXAMPLES, MEMBER, ONE_WORKER, SOCKET, SOCKETS, STATE, UNIT, Machine

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def failed(machine: Machine, unit: str = UNIT) -> tuple[str, str]:
    """The exit status of the start that failed, and how often it was tried again."""
    status, said = machine.systemctl("start", unit)
    assert status != 0, said
    machine.wait(f"systemctl is-failed --quiet {unit}")
    return machine.shown("ExecMainStatus", unit), machine.shown("NRestarts", unit)


def test_masked(machine: Machine) -> None:
    machine.systemctl("mask", "--runtime", UNIT)
    assert machine.systemctl("start", UNIT) == (1, "Failed to start ndfd.service: Unit ndfd.service is masked.")
    machine.systemctl("unmask", "--runtime", UNIT)


def test_a_wrong_configuration_is_named_and_not_tried_again(machine: Machine) -> None:
    machine.configure("[swarm]\nwrokers = 3\n")
    assert failed(machine) == ("78", "0")
    assert "/etc/ndfd/config.toml:2:1: swarm.wrokers" in machine.journal()
    assert "swarm.workers" in machine.journal()
    # Mended, it starts.
    machine.configure("[swarm]\nworkers = 1\n")
    machine.start()


def test_who_comes_to_the_sockets_does_not_have_it_tried_again_and_again(machine: Machine) -> None:
    machine.configure("[swarm]\nwrokers = 3\n")
    machine.start(SOCKET)
    status, said = machine.as_user(MEMBER, f"ndfd convert {EXAMPLES}/report.pdf")
    assert (status, "did not answer" in said) == (69, False), said
    machine.wait(f"systemctl is-failed --quiet {UNIT}")
    machine.bed.sh("sleep 2")
    assert machine.journal().count("swarm.wrokers") == 1
    assert machine.systemctl("is-active", SOCKET) == (0, "active")


def test_a_start_that_fails_says_why_in_the_status(machine: Machine) -> None:
    machine.drop_in("[Service]\nEnvironment=NDFD_NATIVE=fortran\n")
    assert failed(machine)[1] == "0"
    status, said = machine.systemctl("status", UNIT)
    assert status == 3
    assert "fortran" in said
    assert "failed" in said


def test_a_command_that_is_not_there(machine: Machine) -> None:
    machine.drop_in("[Service]\nExecStart=\nExecStart=/usr/bin/no-such-ndfd run --service\nRestart=no\n")
    assert failed(machine) == ("203", "0")
    assert "/usr/bin/no-such-ndfd" in machine.journal()


def test_a_missing_state_folder_is_made_and_one_of_another_user_is_given_to_the_daemon(machine: Machine) -> None:
    machine.start()
    assert machine.bed.sh(f"stat -c '%U %G %a' {STATE}") == "ndfd ndfd 700"
    machine.systemctl("stop", UNIT)
    machine.bed.sh(f"chown -R root:root {STATE}")
    machine.start()
    assert machine.bed.sh(f"stat -c '%U %a' {STATE} {STATE}/jobs.db") == "ndfd 700\nndfd 600"


def test_a_file_of_another_user_in_the_state_folder_is_named(machine: Machine) -> None:
    machine.start()
    machine.systemctl("stop", UNIT)
    machine.bed.sh(f"chown root:root {STATE}/jobs.db")
    machine.drop_in("[Service]\nRestart=no\n")
    assert failed(machine) == ("74", "0")
    assert f"{STATE}" in machine.journal()
    assert "Traceback" not in machine.journal()


def test_a_state_folder_that_is_none(machine: Machine) -> None:
    machine.bed.sh(f"touch {STATE}")
    machine.drop_in("[Service]\nRestart=no\n")
    assert failed(machine) == ("238", "0")
    assert "Failed to set up special execution directory in /var/lib" in machine.journal()
    assert machine.bed.sh(f"stat -c %F {STATE}") == "regular empty file"


def test_the_root_folder_missing(machine: Machine) -> None:
    machine.bed.sh("rm -rf /run/ndfd-root")
    status, said = machine.systemctl("start", UNIT)
    assert (status, "Assertion failed on job for ndfd.service" in said) == (1, True)
    assert "AssertPathIsDirectory=/run/ndfd-root was not met" in machine.systemctl("status", UNIT)[1]
    machine.bed.sh("systemd-tmpfiles --create ndfd.conf")
    machine.start()


@pytest.mark.parametrize("name", ["ndfd.sock", "http.sock"])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_lies_at_a_sockets_path_and_is_no_socket_is_left_alone(machine: Machine, name: str, kind: str) -> None:
    path = f"{SOCKETS}/{name}"
    machine.bed.sh(f"echo precious >{path}" if kind == "file" else f"ln -s /nowhere {path}")
    status, said = machine.systemctl("start", UNIT)
    assert status != 0
    assert "dependency" in said
    assert f"{path} is in the way and is no socket; it is left alone. Move it elsewhere" in machine.journal(SOCKET)
    assert machine.bed.sh(f"cat {path} || readlink {path}").splitlines()[-1] in ("precious", "/nowhere")
    machine.bed.sh(f"rm {path}")
    machine.start()
    assert machine.get("/health") == (0, '{"status":"ok"}')


def test_a_program_that_serves_at_a_sockets_path_is_left_alone(machine: Machine) -> None:
    path = f"{SOCKETS}/http.sock"
    machine.bed.sh(f"systemd-run --quiet --unit=other --collect socat UNIX-LISTEN:{path},fork SYSTEM:'echo other'")
    machine.wait(f"[ -S {path} ]")
    assert machine.systemctl("start", UNIT)[0] != 0
    assert f"Another program serves at {path}; it is left alone. Stop it" in machine.journal(SOCKET)
    assert machine.bed.sh(f"socat - UNIX-CONNECT:{path} </dev/null") == "other"
    machine.systemctl("stop", "other")
    # The socket that it leaves behind belongs to nobody.
    machine.start()
    assert machine.get("/health") == (0, '{"status":"ok"}')


def test_a_daemon_that_somebody_runs_by_hand_in_its_place_is_named(machine: Machine) -> None:
    machine.bed.sh(
        "systemd-run --quiet --unit=by-hand --collect --uid=ndfd --setenv=NDFD_NETWORK__SOCKET_DIR=/run/ndfd "
        "--setenv=NDFD_STORAGE__STATE_DIR=/tmp/state ndfd run --service"
    )
    machine.wait(f"[ -S {SOCKETS}/http.sock ]")
    assert machine.systemctl("start", UNIT)[0] != 0
    assert f"Another program serves at {SOCKETS}/ndfd.sock" in machine.journal(SOCKET)
    machine.systemctl("stop", "by-hand")
    machine.start()


def test_a_second_daemon_in_its_place_is_refused(machine: Machine) -> None:
    machine.configure(ONE_WORKER)
    machine.start()
    pid = machine.pid()
    command = "runuser -u ndfd -- env NDFD_NETWORK__SOCKET_DIR=/run/ndfd NDFD_STORAGE__STATE_DIR=/tmp/s ndfd run"
    status, said = machine.bed.run("sh", "-c", f"exec 2>&1; {command}")
    assert (status, f"/run/ndfd: another daemon (pid {pid}) runs there" in said) == (69, True), said
    assert machine.get("/health") == (0, '{"status":"ok"}')


def test_a_document_that_needs_too_much_memory_costs_a_worker_and_not_the_daemon(machine: Machine) -> None:
    machine.start()
    pid = machine.pid()
    before = [worker["pid"] for worker in machine.status()["workers"]]
    machine.bed.sh(f"kill -KILL {before[0]}")
    machine.wait(f"! kill -0 {before[0]}")
    assert machine.as_user(MEMBER, f"ndfd convert {EXAMPLES}/report.pdf | wc -c")[0] == 0
    assert (machine.pid(), machine.shown("NRestarts")) == (pid, "0")
