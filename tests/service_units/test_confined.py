"""What the daemon can do within its unit, and what nobody who took it over could do."""

from __future__ import annotations

import json

import pytest

from tests.service_units.machine import EXAMPLES, MEMBER, ONE_WORKER, STATE, UNIT, Machine
from tests.systemd_bed import PYTHON, UNITS

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

_TAKEN_OVER, _SAID = "/usr/share/ndfd/taken_over.py", f"{STATE}/said"

#: What the unit's process tries, and the names of the errors that it gets.
_ATTEMPTS = f"""
import ctypes, errno, json, os, signal, socket

libc = ctypes.CDLL(None, use_errno=True)

def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")

attempts = {{
    "its own state": lambda: open("{STATE}/mine", "w"),
    "a log file": lambda: open("/var/log/ndfd/mine", "w"),
    "its configuration": lambda: open("/etc/ndfd/config.toml", "a"),
    "the secrets of root": lambda: open("/etc/shadow"),
    "users' homes": lambda: os.listdir("/home/{MEMBER}"),
    "root's home": lambda: os.listdir("/root"),
    "another service's state": lambda: os.listdir("/var/lib/systemd"),
    "the journal's files": lambda: os.listdir("/var/log/journal"),
    "temporary files": lambda: open("/tmp/of-others"),
    "the bus": lambda: socket.socket(socket.AF_UNIX).connect("/run/dbus/system_bus_socket"),
    "its program": lambda: open("/usr/bin/ndfd", "a"),
    "a program of its own that has its rights": lambda: os.chmod("{STATE}/mine", 0o4755),
    "the network": lambda: socket.socket(socket.AF_INET),
    "the kernel by netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "the kernel's settings": lambda: open("/proc/sys/vm/swappiness", "r+"),
    "who gets core dumps": lambda: open("/proc/sys/kernel/core_pattern", "r+"),
    "the kernel's log": lambda: open("/dev/kmsg"),
    "a disk": lambda: open("/dev/loop0"),
    "control groups": lambda: open("/sys/fs/cgroup/unified/cgroup.procs", "w"),
    "process 1": lambda: os.kill(1, 0),
    "seeing process 1": lambda: os.stat("/proc/1"),
    "another user": lambda: os.setuid(1),
    "giving a file away": lambda: os.chown("{STATE}/mine", 1, 1),
    "a mount": lambda: call(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
    "a namespace": lambda: call(libc.unshare(0x10000000)),
    "another root": lambda: os.chroot("/tmp"),
    "real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "a priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
    "the clock": lambda: __import__("time").clock_settime(0, 0),
    "tracing": lambda: call(libc.ptrace(16, 1, None, None)),
    "new code": lambda: __import__("mmap").mmap(-1, 4096, prot=7),
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


def example(name: str) -> str:
    """A drop-in that is shipped as an example."""
    return (UNITS / "examples" / name).read_text()


def test_whoever_took_it_over_could_do_little(machine: Machine) -> None:
    machine.configure(ONE_WORKER)
    machine.bed.write("/tmp/of-others", "secret")
    machine.bed.write(_TAKEN_OVER, _ATTEMPTS)
    machine.drop_in(f"[Service]\nType=oneshot\nRestart=no\nExecStart=\nExecStart={PYTHON} {_TAKEN_OVER}\n")
    status, said = machine.systemctl("start", UNIT)
    assert status == 0, machine.journal()
    outcomes = json.loads(machine.bed.read(_SAID))
    # By a filter of system calls; where systemd and the kernel know it, by PR_SET_MDWE.
    assert outcomes.pop("new code") in ("EPERM", "EACCES")
    assert outcomes == {
        "its own state": "done",
        "a log file": "done",
        "its configuration": "EACCES",
        "the secrets of root": "EACCES",
        "users' homes": "ENOENT",
        "root's home": "EACCES",
        "another service's state": "ENOENT",
        "the journal's files": "ENOENT",
        "temporary files": "ENOENT",
        "the bus": "ENOENT",
        "its program": "EACCES",
        "a program of its own that has its rights": "EPERM",
        "the network": "EAFNOSUPPORT",
        "the kernel by netlink": "EAFNOSUPPORT",
        "packets": "EAFNOSUPPORT",
        "the kernel's settings": "EACCES",
        "who gets core dumps": "EACCES",
        "the kernel's log": "ENOENT",
        "a disk": "ENOENT",
        "control groups": "EROFS",
        "process 1": "EPERM",
        "seeing process 1": "ENOENT",
        "another user": "EPERM",
        "giving a file away": "EPERM",
        "a mount": "EPERM",
        "a namespace": "EPERM",
        "another root": "EPERM",
        "real time": "EPERM",
        "a priority": "EPERM",
        "the clock": "EPERM",
        "tracing": "EPERM",
    }, said


def test_its_workers_lack_no_measure_of_confinement(machine: Machine) -> None:
    machine.start()
    status = machine.status()
    assert status["sandbox"].get("missing", []) == []
    assert status["sandbox"]["landlock_abi"] > 0
    code, said = machine.as_user(MEMBER, "ndfd doctor --running")
    assert code == 0, said
    assert "failure" not in said


def test_knobs_that_the_unit_denies_are_told_and_the_drop_in_grants_them(machine: Machine) -> None:
    machine.configure(
        '[swarm]\nworkers = 1\ncpus = "0"\npriority = "low"\nscheduling = "batch"\nio_priority = "idle"\n'
    )
    machine.start()

    def outcomes() -> dict[str, str]:
        status = machine.status()
        states = [*status["tuning"], *(state for worker in status["workers"] for state in worker.get("tuning", ()))]
        return {state["knob"]: state["outcome"] for state in states}

    knobs = ("cpus", "nice", "scheduling", "io_priority")
    denied = outcomes()
    assert {knob: denied[knob] for knob in knobs} == dict.fromkeys(knobs, "denied")
    assert denied["oom_score"] == "applied"
    assert machine.as_user(MEMBER, f"ndfd convert {EXAMPLES}/report.pdf | wc -c")[0] == 0
    machine.drop_in(example("priorities.conf"))
    assert machine.systemctl("restart", UNIT)[0] == 0
    granted = outcomes()
    assert {knob: granted[knob] for knob in knobs} == dict.fromkeys(knobs, "applied")


def test_a_watched_folder_that_a_drop_in_opens_is_worked_on(machine: Machine) -> None:
    machine.bed.sh("install -d -o ndfd -g ndfd /srv/inbox")
    watch = '[watch.inbox]\npath = "/srv/inbox"\nformat = "text"\nsettle = "100ms"\n'
    machine.configure(f"{ONE_WORKER}{watch}")
    assert machine.systemctl("start", UNIT)[0] != 0
    assert "/srv/inbox is not there" in machine.journal()
    machine.drop_in(example("folders.conf"))
    machine.start()
    machine.bed.sh(f"install -m 0644 {EXAMPLES}/report.pdf /srv/inbox/report.pdf")
    machine.wait("[ -s /srv/inbox/results/report.txt ]")


def test_its_log_may_be_a_file(machine: Machine) -> None:
    machine.configure(f'{ONE_WORKER}[logging]\noutput = "/var/log/ndfd/ndfd.log"\n')
    machine.start()
    assert '"ready"' in machine.bed.read("/var/log/ndfd/ndfd.log")
    assert machine.bed.sh("stat -c '%U %a' /var/log/ndfd") == "ndfd 750"


def test_a_backup_goes_wherever_its_caller_may_write(machine: Machine) -> None:
    machine.start()
    assert machine.as_user(MEMBER, f"ndfd submit --wait {EXAMPLES}/report.pdf >/dev/null")[0] == 0
    backup = f"{machine.bed.sh('echo ~root').strip()}/backup.tar"
    said = machine.bed.sh(f"NDFD_SOCKET=/run/ndfd/ndfd.sock ndfd backup {backup}")
    assert "1 job" in said
    assert machine.bed.run("ndfd", "restore", "--verify-only", backup)[0] == 0


def test_with_the_networks_drop_in_it_is_reached_with_a_token_that_its_user_may_not_read(machine: Machine) -> None:
    machine.configure(f'{ONE_WORKER}[network]\nbind_address = "127.0.0.1:8300"\n')
    machine.bed.write("/etc/ndfd/token", "sixteen-characters-at-least")
    machine.bed.sh("chmod 600 /etc/ndfd/token")
    drop_in = example("network.conf").replace("#LoadCredential", "LoadCredential").replace("#IPAddress", "IPAddress")
    machine.drop_in(drop_in)
    machine.start()
    asked = (
        "import http.client; c = http.client.HTTPConnection('127.0.0.1', 8300, timeout=30); "
        "c.request('GET', '/health', headers={'Authorization': 'Bearer sixteen-characters-at-least'}); "
        "print(c.getresponse().status)"
    )
    assert machine.bed.sh(f'{PYTHON} -c "{asked}"') == "200"
    # Without the drop-in there is no network to listen in.
    machine.drop_in("")
    assert machine.systemctl("restart", UNIT)[0] != 0 or machine.shown("PrivateNetwork") == "yes"
    refused, _ = machine.bed.run("sh", "-c", f'{PYTHON} -c "{asked}"')
    assert refused != 0


def test_the_bounds_of_the_unit_hold(machine: Machine) -> None:
    machine.start()
    limits = machine.bed.read(f"/proc/{machine.pid()}/limits")
    # As much of LimitNOFILE= as the machine lets its services have.
    at_most = int(machine.bed.read("/proc/1/limits").split("Max open files")[1].split()[1])
    opened = int(limits.split("Max open files")[1].split()[0])
    assert opened >= min(65536, at_most)
    assert limits.split("Max core file size")[1].split()[:2] == ["0", "0"]
    assert machine.shown("TasksMax") == "2048"
    state = machine.bed.read(f"/proc/{machine.pid()}/status")
    assert {line for line in state.splitlines() if line.startswith(("NoNewPrivs", "CapEff", "CapBnd"))} == {
        "NoNewPrivs:\t1",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
    }
