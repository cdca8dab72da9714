"""The Windows service under a service control manager: that of Wine 10, on the bed that NDFD_WINE_BED names.

What Wine 10 lacks, and this leaves open:
- it keeps recovery actions and the preshutdown timeout and never acts upon them;
- it knows neither the recovery flag, nor the SID type, nor required privileges;
- it sent neither PRESHUTDOWN nor SHUTDOWN to a service in any way that was tried;
- it runs every service as its one user, whatever account is named, and asks nobody for rights;
- it does not notice that the process of a service has ended which was still starting;
- its event log keeps nothing, its icacls does nothing, its sc.exe takes delayed-auto for a start by hand.
Accounts, rights, recovery, the shutdown of the machine and the event viewer have thus not been seen.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.platform.wine_bed import WineBed

PROGRAM = os.environ.get("NDFD_WINE_BED", "")

pytestmark = [
    pytest.mark.system,
    # Wine takes 10 s to start, and a Python in it 2 s.
    pytest.mark.timeout(600),
    pytest.mark.skipif(not PROGRAM, reason="NDFD_WINE_BED names no bed with Wine: see tests/platform/wine_bed.py"),
]

STOPPED = {"state": "STOPPED", "accepted": 0, "win32_exit": 0, "specific_exit": 0, "checkpoint": 0, "wait_hint_ms": 0}


@dataclass(frozen=True)
class Seen:
    """What the scenarios saw, and the events that were written meanwhile."""

    scenarios: dict[str, dict[str, Any]]
    events: str

    def __getitem__(self, name: str) -> dict[str, Any]:
        """What one scenario saw."""
        it = self.scenarios[name]
        assert "error" not in it, it["error"]
        return it


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    bed = WineBed(PROGRAM)
    try:
        bed.run()
        scenarios = json.loads((bed.folder / "run/seen.json").read_text(encoding="utf-8"))
        yield Seen(scenarios, (bed.folder / "events").read_text(encoding="utf-8", errors="replace"))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"there is no msgspec for Windows: {error.stderr.decode()[-300:]}")
    finally:
        bed.clear()


def test_it_is_installed_as_defined(seen: Seen) -> None:
    it = seen["life"]
    assert it["absent"] is True
    assert it["installed"]["status"]["state"] == "STOPPED"
    assert it["installed"]["pid"] is None
    assert it["installed"]["command_line"] == it["command line"]
    assert it["installed"]["account"] == r"NT SERVICE\ndfd-life"
    assert it["installed"]["display_name"] == "ndfd-life on trial"
    assert it["installed"]["automatic"] is True
    # What Wine does not know: any other would be a mistake of ours.
    assert it["lacking"] == ["recovery flag", "SID type", "required privileges"]


def test_it_starts_with_checkpoints_and_runs_when_its_child_is_ready(seen: Seen) -> None:
    it = seen["life"]
    assert it["starting"] == {**STOPPED, "state": "START_PENDING", "checkpoint": 3, "wait_hint_ms": 20_000}
    # STOP, SHUTDOWN, PARAMCHANGE, PRESHUTDOWN.
    running = {**STOPPED, "state": "RUNNING", "accepted": 0x1 | 0x4 | 0x8 | 0x100}
    assert it["running"] == running
    assert it["interrogated"] == running


def test_the_arguments_reach_the_child_as_they_were_meant(seen: Seen) -> None:
    expected = ["two words", 'a "quote"', "back\\", "ends with a slash \\", "", "Größe"]
    assert seen["life"]["arguments"] == repr(expected)


def test_param_change_reloads_and_stop_drains_with_checkpoints(seen: Seen) -> None:
    it = seen["life"]
    assert it["heard"] == "reload\ndrain\n"
    assert it["draining"] == {**STOPPED, "state": "STOP_PENDING", "checkpoint": 3, "wait_hint_ms": 20_000}
    assert it["stopped"] == STOPPED


def test_what_the_child_writes_is_in_the_log_file(seen: Seen) -> None:
    log = seen["life"]["log"]
    assert "\nthe child begins: Größe 文書\n" in log
    assert " service host: The service ndfd-life has stopped (stop) with exit status 0.\n" in log


def test_it_is_gone_when_it_was_removed(seen: Seen) -> None:
    assert seen["life"]["gone"] is True


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("again", "the service ndfd-life cannot be installed: there is one of that name already"),
        ("stop at rest", "the service ndfd-life cannot be sent STOP: it does not run"),
        # Windows says 1061 here, that it takes no control now; Wine 1052.
        ("stop at start", "the service ndfd-life cannot be sent STOP: it takes no "),
        ("start again", "the service ndfd-life cannot be started: it runs already"),
        ("remove again", "the service ndfd-life cannot be removed: it is not installed"),
    ],
)
def test_a_refusal_says_why(seen: Seen, what: str, said: str) -> None:
    kind, text = seen["life"][what]
    assert kind == "ServiceError"
    assert text.startswith(said)


def test_a_child_that_dies_takes_the_service_down_as_one_that_ended_unexpectedly(seen: Seen) -> None:
    it = seen["dies"]
    # ERROR_PROCESS_ABORTED is the SCM's own word for a process that ended without reporting STOPPED: it recovers those.
    assert it["stopped"] == {**STOPPED, "win32_exit": 1067}
    assert it["pid"] is None
    assert "The service ndfd-dies ended unexpectedly, with exit status 3." in it["log"]
    assert it["log"].rstrip().endswith("it is all over")


def test_a_wrong_configuration_is_a_code_of_the_services_own_and_is_not_recovered(seen: Seen) -> None:
    it = seen["misconfigured"]
    assert it["stopped"] == {**STOPPED, "win32_exit": 1066, "specific_exit": 78}


def test_a_child_that_is_never_ready_is_ended_with_its_host(seen: Seen) -> None:
    it = seen["never_ready"]
    assert it["lived"] == [True, True]
    assert it["gone"] is True
    assert "The service ndfd-never-ready was not ready within 10 s and was ended." in it["log"]


def test_a_child_that_does_not_stop_is_asked_harder_and_then_ended(seen: Seen) -> None:
    it = seen["deaf"]
    assert it["heard"] == "drain\nthe end\n"
    assert it["stopped"] == {**STOPPED, "win32_exit": 1053}
    assert it["child gone"] is True


def test_child_and_grandchild_go_with_a_host_that_is_killed(seen: Seen) -> None:
    it = seen["host_killed"]
    assert it["lived"] == [True, True], it["log"]
    assert it["stopped"]["state"] == "STOPPED"
    assert it["family gone"] is True


def test_a_program_that_is_not_there_is_told_with_the_systems_code(seen: Seen) -> None:
    it = seen["no_program"]
    assert it["stopped"] == {**STOPPED, "win32_exit": 2}
    assert r"cannot start its program: C:\absent\ndfd.exe: [WinError 2]" in it["log"]


@pytest.mark.parametrize(
    "text",
    [
        'trace:eventlog:ReportEventW L"The service ndfd-life is running: {\\"sockets\\": [\\"a\\"]}',
        'trace:eventlog:ReportEventW L"The service ndfd-life reads its configuration again.',
        'trace:eventlog:ReportEventW L"The service ndfd-life has stopped (stop) with exit status 0.',
        'err:eventlog:ReportEventW L"The service ndfd-dies ended unexpectedly, with exit status 3.',
        'err:eventlog:ReportEventW L"it is all over',
        'err:eventlog:ReportEventW L"The service ndfd-misconfigured did not start, with exit status 78: 1 mistake;',
        'err:eventlog:ReportEventW L"The service ndfd-never-ready was not ready within 10 s and was ended.',
        'warn:eventlog:ReportEventW L"The service ndfd-deaf did not stop when it was asked to (stop) and was ended.',
    ],
)
def test_each_event_is_written_with_its_severity(seen: Seen, text: str) -> None:
    assert text in seen.events


def test_the_event_source_is_there_as_long_as_the_service(seen: Seen) -> None:
    assert seen["event_source"] == {"file": True, "expands": True, "types": 7, "removed": True}


def test_the_commands_install_what_the_calls_do(seen: Seen) -> None:
    it = seen["by_commands"]
    # Wine's sc.exe lacks three verbs, and takes delayed-auto for a start by hand.
    lacked = {"sc.exe failureflag", "sc.exe sidtype", "sc.exe privs"}
    assert {command for command, status in it["statuses"].items() if status != 0} == lacked
    assert it["gone"] is True
    assert {**it["by commands"], "automatic": True} == it["by calls"]


def test_structures_have_the_same_size_as_here(seen: Seen) -> None:
    import ctypes

    from ndfd.platform import windows_structures as win

    assert seen["sizes"] == {name: ctypes.sizeof(kind) for name, kind in vars(win).items() if isinstance(kind, type)}
