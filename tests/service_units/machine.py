"""A machine with ndfd installed: its systemd, its users, its journal."""

from __future__ import annotations

import json
from typing import Any

from tests.documents import slow_second_page
from tests.service_units.rendered import installed
from tests.systemd_bed import PYTHON, SystemdBed

UNIT, SOCKET = "ndfd.service", "ndfd.socket"
CONFIG = "/etc/ndfd/config.toml"
SOCKETS, STATE = "/run/ndfd", "/var/lib/ndfd"
EXAMPLES = "/usr/share/ndfd/examples"
GET = "/usr/share/ndfd/get.py"
#: A member of the group ndfd, and a user who is not.
MEMBER, STRANGER = "alice", "bob"
ONE_WORKER = "[swarm]\nworkers = 1\n"

_DROP_IN = "/run/systemd/system/{}.d/test.conf"
_WAIT_S = 60


#: curl, which not every root has: curl --fail --unix-socket SOCKET http://ndfdPATH
_GET = """
import http.client, socket, sys
connection = http.client.HTTPConnection("ndfd", timeout=60)
connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
connection.sock.connect(sys.argv[1])
connection.request("GET", sys.argv[2])
answer = connection.getresponse()
print(answer.read().decode())
sys.exit(answer.status >= 400)
"""


class Machine:
    """What an operator does, and what users do."""

    def __init__(self, bed: SystemdBed) -> None:
        self.bed = bed
        self.version = int(bed.sh("systemctl --version").split()[1])

    def install(self) -> None:
        """Users, folders and units, as a package does."""
        for path, text in installed(self.version).items():
            self.bed.write(path, text)
        self.bed.write(GET, _GET)
        self.bed.sh("systemd-sysusers && systemd-tmpfiles --create ndfd.conf && systemctl daemon-reload")
        self.bed.sh(f"useradd --create-home --groups ndfd {MEMBER} && useradd --create-home {STRANGER}")

    def reset(self) -> None:
        """Everything off, and as it was when it was installed."""
        self.bed.sh(
            "systemctl unmask --quiet ndfd.service ndfd.socket; systemctl disable --quiet ndfd.service ndfd.socket\n"
            "systemctl stop 'ndfd@*' ndfd.socket ndfd.service\n"
            "rm -rf /run/systemd/system/ndfd*.d /etc/ndfd/* /var/lib/ndfd* /var/log/ndfd* /run/ndfd /srv/*\n"
            "systemctl daemon-reload; systemd-tmpfiles --create ndfd.conf; systemctl reset-failed || true\n"
            "journalctl --quiet --rotate; journalctl --quiet --vacuum-time=1s >/dev/null"
        )

    def configure(self, text: str, path: str = CONFIG) -> None:
        """Writes the machine's file."""
        self.bed.write(path, text)

    def drop_in(self, text: str, unit: str = UNIT) -> None:
        """Changes a unit as `systemctl edit` does."""
        self.bed.write(_DROP_IN.format(unit), text)
        self.bed.sh("systemctl daemon-reload")

    def systemctl(self, *arguments: str) -> tuple[int, str]:
        """Exit status, and all that it says."""
        return self.bed.run("sh", "-c", 'exec 2>&1; exec systemctl "$@"', "sh", *arguments)

    def start(self, unit: str = UNIT) -> None:
        """Returns when it is ready."""
        status, said = self.systemctl("start", unit)
        assert status == 0, f"{said}\n{self.journal(unit)}"

    def shown(self, key: str, unit: str = UNIT) -> str:
        """A property of a unit."""
        return self.systemctl("show", unit, "--value", "-p", key)[1]

    def pid(self) -> int:
        """Of the daemon."""
        return int(self.shown("MainPID"))

    def journal(self, unit: str = UNIT) -> str:
        """What the unit and systemd have said of it."""
        return self.bed.sh(f"journalctl --sync; journalctl --quiet --no-pager --output=cat --unit={unit}")

    def entries(self, unit: str = UNIT) -> list[dict[str, Any]]:
        """The same with all fields."""
        said = self.bed.sh(f"journalctl --sync; journalctl --quiet --no-pager --output=json --unit={unit}")
        return [json.loads(line) for line in said.splitlines()]

    def wait(self, condition: str) -> None:
        """Returns when a command of the shell succeeds."""
        status, _ = self.bed.run("timeout", str(_WAIT_S), "sh", "-c", f"until {condition}; do sleep 0.1; done")
        assert status == 0, f"{condition}: never came\n{self.journal()}\n{self.systemctl('status', UNIT)[1]}"

    def wait_active(self, since_pid: int) -> int:
        """The daemon that has come after this one, once it is ready."""
        self.wait(
            f'systemctl is-active --quiet {UNIT} && [ "$(systemctl show {UNIT} --value -p MainPID)" != {since_pid} ]'
        )
        return self.pid()

    def as_user(self, user: str, command: str) -> tuple[int, str]:
        """Exit status and output of a script of the shell that a user runs, who finds the machine's daemon."""
        script = f"exec 2>&1; export NDFD_SOCKET={SOCKETS}/ndfd.sock; {command}"
        return self.bed.run("runuser", "--login", user, "--command", script)

    def get(self, path: str, user: str = MEMBER, folder: str = SOCKETS) -> tuple[int, str]:
        """What a user's program gets from the HTTP door: its exit status, not 0 without a success, and the answer."""
        return self.as_user(user, f"{PYTHON} {GET} {folder}/http.sock {path}")

    def write_slow_document(self) -> None:
        """slow.pdf in the member's home, whose conversion takes more than a second."""
        self.bed.write_bytes(f"/home/{MEMBER}/slow.pdf", slow_second_page(120))

    def status(self) -> dict[str, Any]:
        """Of the machine's daemon."""
        code, said = self.as_user(MEMBER, "ndfd status --json")
        assert code == 0, said
        told: dict[str, Any] = json.loads(said)
        return told
