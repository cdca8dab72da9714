"""The daemon's log in the journal of a real systemd, as journalctl gives it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.systemd_bed import BED, NO_BED, PYTHON, SystemdBed, payload

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not BED, reason=NO_BED),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may boot a systemd"),
]

_UNIT = "ndfd-journal.service"
_CONFIG = "/etc/ndfd/config.toml"
_UNIT_TEXT = """[Service]
ExecStart=/usr/bin/ndfd run --service --set swarm.workers=1
StateDirectory=ndfd
Environment=NDFD_LOGGING__FORMAT={form}
"""
#: Five megabytes, which no datagram holds.
_LARGE = """
from ndfd.platform import Journal
from ndfd.telemetry.journal import encoded
fields = [("MESSAGE", "large"), ("NDFD_TEST", "large"), ("NDFD_VALUE", "x\\n" * 2_500_000)]
Journal().send(encoded(fields), wait=True)
"""


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdBed]:
    tar = payload(tmp_path_factory.mktemp("bed") / "payload.tar", {})
    with SystemdBed(BED, f"ndfd-journal-{os.getpid()}", tar, backend="v1") as bed:
        if bed.run("/usr/bin/ndfd", "run", "--help")[0] != 0:
            pytest.skip("the Python of the bed is not the one that this ndfd was built for")
        yield bed


@pytest.fixture(params=["auto", "json"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bed(booted: SystemdBed, form: str) -> Iterator[SystemdBed]:
    """With the service running, and its log in this form."""
    booted.write(f"/etc/systemd/system/{_UNIT}", _UNIT_TEXT.format(form=form))
    booted.write(_CONFIG, "")
    booted.run("systemctl", "daemon-reload")
    assert booted.run("systemctl", "start", _UNIT)[0] == 0
    yield booted
    booted.run("systemctl", "stop", _UNIT)


def entries(bed: SystemdBed, *match: str) -> list[dict[str, Any]]:
    """Those of the service's current run that match, once there are some."""
    _, invocation = bed.run("systemctl", "show", "--property=InvocationID", "--value", _UNIT)
    return journal(bed, f"_SYSTEMD_INVOCATION_ID={invocation}", *match)


def journal(bed: SystemdBed, *match: str) -> list[dict[str, Any]]:
    """Those that match, once there are some."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        # Without --all, what is longer than 4 kB is left out.
        _, text = bed.run("journalctl", "--no-pager", "--all", "-o", "json", *match)
        if text:
            return [json.loads(line) for line in text.splitlines()]
    _, log = bed.run("journalctl", "--no-pager", "-u", _UNIT)
    raise AssertionError(f"the journal has none with {match}:\n{log}")


@pytest.mark.parametrize("form", ["auto"])
def test_journalctl_gives_the_fields_of_each_record(bed: SystemdBed) -> None:
    (ready,) = entries(bed, "NDFD_EVENT=ready")
    assert ready["_TRANSPORT"] == "journal"
    assert (ready["PRIORITY"], ready["SYSLOG_IDENTIFIER"], ready["CODE_FUNC"]) == ("6", "ndfd", "_serve")
    assert ready["NDFD_SOCKETS"] == ["/run/ndfd/ndfd.sock", "/run/ndfd/http.sock"]
    assert ready["MESSAGE"] == f"ready: sockets=/run/ndfd/ndfd.sock,/run/ndfd/http.sock pid={ready['_PID']}"
    _, line = bed.run("journalctl", "--no-pager", "-o", "cat", "-u", _UNIT, "NDFD_EVENT=ready")
    assert line.splitlines()[-1] == ready["MESSAGE"]


@pytest.mark.parametrize("form", ["auto"])
def test_a_state_is_there_with_its_stacks(bed: SystemdBed) -> None:
    entries(bed, "NDFD_EVENT=ready")
    # To every process of the service, as it is by default.
    assert bed.run("systemctl", "kill", "--signal=USR1", _UNIT)[0] == 0
    (main,) = entries(bed, "NDFD_THREAD_NAME=MainThread")
    assert "in BaseEventLoop._run_once\n" in main["NDFD_STACK"]
    assert main["MESSAGE"].partition("\n")[2] == main["NDFD_STACK"]
    (worker,) = entries(bed, "NDFD_EVENT=state of a worker")
    assert worker["NDFD_STATE"] == "idle"


@pytest.mark.parametrize("form", ["auto"])
def test_records_come_after_the_journal_was_restarted(bed: SystemdBed) -> None:
    entries(bed, "NDFD_EVENT=ready")
    assert bed.run("systemctl", "restart", "systemd-journald.service")[0] == 0
    bed.write(_CONFIG, "[nonsense]\n")
    bed.run("systemctl", "kill", "--signal=HUP", "--kill-whom=main", _UNIT)
    (refused,) = entries(bed, "NDFD_EVENT=the configuration is refused, the old one serves on")
    assert refused["PRIORITY"] == "3"


@pytest.mark.parametrize("form", ["json"])
def test_lines_for_the_manager_have_their_levels(bed: SystemdBed) -> None:
    entries(bed, "PRIORITY=6")
    while not any("ready" in entry["MESSAGE"] for entry in entries(bed, "_TRANSPORT=stdout")):
        pass
    bed.write(_CONFIG, "[nonsense]\n")
    bed.run("systemctl", "kill", "--signal=HUP", "--kill-whom=main", _UNIT)
    (refused,) = entries(bed, "PRIORITY=3")
    assert refused["_TRANSPORT"] == "stdout"
    assert json.loads(refused["MESSAGE"])["event"] == "the configuration is refused, the old one serves on"


def test_an_entry_in_sealed_memory_is_taken(booted: SystemdBed) -> None:
    assert booted.run(PYTHON, "-I", "-c", _LARGE)[0] == 0
    (entry,) = journal(booted, "NDFD_TEST=large")
    assert entry["NDFD_VALUE"] == "x\n" * 2_500_000
