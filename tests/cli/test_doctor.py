"""`ndfd doctor`: what is found is judged as it should be, told in a way that helps, and ends in the right status."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ndfd import platform
from ndfd.cli import doctor_findings
from ndfd.cli.doctor import summary
from ndfd.cli.doctor_confinement import confinement
from ndfd.cli.doctor_folders import socket_folder, state_folder
from ndfd.cli.doctor_host import as_its_daemon_has_it, host
from ndfd.config.job_settings import StorageSettings
from ndfd.config.settings import NetworkSettings, SwarmSettings
from ndfd.config.tuning_settings import TuningSettings
from ndfd.errors import SandboxIncomplete, WorkerStartFailed
from ndfd.model.checkup import Check, Verdict, worst
from ndfd.model.host import Host
from ndfd.model.measures import MEASURES
from ndfd.model.sandbox import Sandbox
from ndfd.supervisor import require
from tests.cli.conftest import Ndfd

WHOLE = Sandbox(
    no_new_privs=True,
    dumpable=False,
    seccomp=2,
    seccomp_filters=1,
    calls=22,
    landlock_abi=7,
    mdwe=True,
    rlimits={"address_space_bytes": 4_000_000_000, "processes": 0},
    denied=("open: EACCES", "socket: killed", "fork: killed", "connect-by-landlock: EACCES"),
)
HOST = Host("Linux 6.12 on x86_64", 4, 8_000_000_000, 4096, 4096, 1000, 20, True, True)
NOW = 1_800_000_000.0


def of(checks: Iterator[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def lacking(*missing: str, **fields: object) -> Sandbox:
    return msgspec.structs.replace(WHOLE, missing=missing, **fields)


def of_host(**fields: object) -> dict[str, Check]:
    found = msgspec.structs.replace(HOST, **fields)
    return of(host(found, 2, SwarmSettings(), NetworkSettings(), NOW))


def test_whole_confinement_is_well_measure_by_measure_with_what_was_tried() -> None:
    found = of(confinement(WHOLE, ()))
    assert list(found) == [*MEASURES, "namespaces"]
    assert {check.verdict for check in found.values()} == {Verdict.OK}
    assert (
        found["seccomp"].text == "22 system calls can be made; tried and stopped: fork, socket (killed), open (EACCES)"
    )
    assert found["landlock-tcp"].text == "no TCP; tried and stopped: connect (EACCES)"
    assert found["rlimits"].text == "4GB of address space, 0 new processes, no core file"


def test_what_is_missing_fails_unless_it_is_allowed_and_says_what_it_takes() -> None:
    found = of(confinement(lacking("mdwe", "landlock"), {"mdwe"}))
    assert found["mdwe"].verdict is Verdict.WARNING
    assert "[sandbox] allow permits" in found["mdwe"].text
    assert found["landlock"].verdict is Verdict.FAILURE
    assert "Linux 5.13" in found["landlock"].advice
    # Its parts would say the same again.
    assert "landlock-tcp" not in found
    assert '[sandbox] allow = ["mdwe", "landlock"]' in found["in all"].advice


@pytest.mark.parametrize("allow", [(), ("landlock",), ("seccomp", "mdwe")])
def test_the_doctor_and_the_daemon_are_of_one_mind(allow: tuple[str, ...]) -> None:
    for missing in (("landlock",), ("landlock-tcp", "landlock-scopes"), ("mdwe", "seccomp"), ()):
        refused = False
        try:
            require(lacking(*missing), allow)
        except SandboxIncomplete:
            refused = True
        assert (worst(confinement(lacking(*missing), allow)) is Verdict.FAILURE) is refused


def test_not_in_force_is_told_from_what_cannot_be_checked() -> None:
    unseen = of(confinement(lacking("proc", seccomp=None), ()))
    assert unseen["seccomp"].verdict is Verdict.OK
    assert "the kernel could not be asked" in unseen["seccomp"].text
    assert unseen["proc"].text.startswith("cannot be checked")
    without = of(confinement(lacking("seccomp", seccomp=2, passed=("ptrace", "connect: ECONNREFUSED")), ()))
    assert without["seccomp"].text.startswith("not in force; a filter around the daemon is")
    assert "tried and NOT stopped: ptrace" in without["seccomp"].text
    kept = of(confinement(lacking("capabilities", capabilities=0x1F), ()))
    assert "mask 1f" in kept["capabilities"].text


def test_what_needs_no_new_privs_first_says_so() -> None:
    found = of(confinement(lacking("no_new_privs", "landlock", "seccomp"), ()))
    assert found["landlock"].advice == found["seccomp"].advice == "it takes no_new_privs first"


def test_a_host_with_enough_of_everything_is_well() -> None:
    found = of_host()
    assert {check.verdict for check in found.values()} == {Verdict.OK}
    assert found["kernel"].text == "Linux 6.12 on x86_64"


@pytest.mark.parametrize(
    ("fields", "name", "verdict"),
    [
        ({"descriptors": 1024}, "descriptors", Verdict.WARNING),
        ({"descriptors": 64}, "descriptors", Verdict.FAILURE),
        ({"processes": 40, "processes_used": None}, "processes", Verdict.OK),
        ({"processes": 40, "processes_used": 30}, "processes", Verdict.WARNING),
        ({"memory_bytes": 2_000_000_000}, "memory", Verdict.WARNING),
        ({"user_namespaces": False}, "user namespaces", Verdict.OK),
        # A container cannot tell, and most that can be told are right enough.
        ({"clock_synchronized": False}, "clock", Verdict.OK),
        ({"clock_synchronized": None}, "clock", Verdict.OK),
    ],
)
def test_what_a_host_lacks_is_judged_by_what_it_costs(fields: dict[str, object], name: str, verdict: Verdict) -> None:
    found = of_host(**fields)
    assert found[name].verdict is verdict
    assert bool(found[name].advice) is (verdict is not Verdict.OK)


@pytest.mark.parametrize(
    ("preset", "limits", "has"),
    [("safe", (1024, 524288), 65536), ("safe", (1024, 4096), 4096), ("off", (1024, 524288), 1024)],
)
def test_descriptors_are_judged_as_the_daemon_will_have_them(preset: str, limits: tuple[int, int], has: int) -> None:
    found = msgspec.structs.replace(HOST, descriptors=limits[0], descriptors_max=limits[1])
    assert as_its_daemon_has_it(found, TuningSettings.model_validate({"preset": preset})).descriptors == has


def test_a_clock_that_was_never_set_is_warned_of() -> None:
    found = of(host(HOST, 2, SwarmSettings(), NetworkSettings(), 86_400.0))
    assert found["clock"].verdict is Verdict.WARNING


def test_what_is_not_known_of_a_host_is_not_judged() -> None:
    found = of_host(descriptors=None, processes=None, user_namespaces=None)
    assert {"descriptors", "processes", "user namespaces"}.isdisjoint(found)


def test_the_socket_folder_must_be_one_in_which_sockets_can_be_made(tmp_path: Path) -> None:
    assert socket_folder(tmp_path).verdict is Verdict.OK
    there_not = socket_folder(tmp_path / "a" / "b")
    assert (there_not.verdict, there_not.text) == (Verdict.OK, f"{tmp_path}/a/b, which the daemon makes")
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").touch()
    assert "is no folder" in socket_folder(tmp_path / "file" / "run").text
    assert "too long" in socket_folder(tmp_path / ("x" * 100)).text
    assert {socket_folder(tmp_path / each).verdict for each in ("file/run", "x" * 100)} == {Verdict.FAILURE}


def test_the_state_folder_must_be_on_a_disk_with_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = state_folder(tmp_path / "state", StorageSettings(keep_free=0))
    assert (check.verdict, check.text.split(",")[0]) == (Verdict.OK, f"{tmp_path}/state")
    full = state_folder(tmp_path, StorageSettings(keep_free=2**53 - 1))
    assert full.verdict is Verdict.FAILURE
    assert "are free" in full.text
    (tmp_path / "file").touch()
    assert "is no folder" in state_folder(tmp_path / "file", StorageSettings()).text
    for kind, verdict in (("tmpfs", Verdict.WARNING), ("nfs4", Verdict.FAILURE), (None, Verdict.OK)):
        monkeypatch.setattr(platform, "file_system", lambda _, kind=kind: kind)
        assert state_folder(tmp_path, StorageSettings(keep_free=0)).verdict is verdict


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_type_of_a_file_system_is_that_of_the_nearest_mount() -> None:
    assert platform.file_system(Path("/proc/self")) == "proc"
    assert platform.file_system(Path("/")) not in (None, "proc")


def test_the_verdict_on_all_is_the_worst_and_the_summary_counts() -> None:
    checks = [
        Check("a", "b", verdict, "c") for verdict in (Verdict.OK, Verdict.WARNING, Verdict.FAILURE, Verdict.FAILURE)
    ]
    assert worst([]) is Verdict.OK
    assert worst(checks[:2]) is Verdict.WARNING
    assert worst(checks) is Verdict.FAILURE
    assert summary(checks) == "ndfd: 1 ok, 1 warning, 2 failures"
    assert summary(checks[:1]) == "ndfd: 1 ok"


def test_this_host_is_asked_for_real() -> None:
    found = platform.host()
    assert found.cpus >= 1
    assert found.memory_bytes > 100_000_000
    assert found.system.startswith(f"{platform.host().system.split()[0]} ")


@pytest.fixture
def no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """No daemon is started: `tests/degraded` does that."""

    class Refused:
        def __init__(self, *arguments: object) -> None:
            raise WorkerStartFailed("there is no memory", hint="buy some")

    monkeypatch.setattr(doctor_findings, "PrivateDaemon", Refused)


@pytest.mark.usefixtures("no_trial")
def test_without_a_daemon_that_starts_the_rest_is_looked_at_and_it_fails(ndfd: Ndfd) -> None:
    ran = ndfd("doctor")
    assert ran.status == 69
    assert "  failure  trial             no daemon can be started here: there is no memory" in ran.stdout
    assert "                             -> buy some" in ran.stdout
    assert "\nhost\n" in ran.stdout
    assert "failure" in ran.stderr


@pytest.mark.usefixtures("no_trial")
def test_every_mistake_and_warning_of_the_configuration_is_found(ndfd: Ndfd, etc: Path) -> None:
    (etc / "config.toml").write_text('[swarm]\nworkers = "many"\nworkres = 1\n')
    checks = json.loads(ndfd("doctor", "--json").stdout)["checks"]
    mistakes = [each["text"] for each in checks if each["name"] == "mistake"]
    assert len(mistakes) == 2
    assert f"{etc}/config.toml:2:11" in mistakes[0]
    (etc / "config.toml").write_text('[sandbox]\nreuse = "any"\n[security]\nadmins = ["no-such-user-here"]\n')
    (etc / "config.toml").chmod(0o666)
    checks = json.loads(ndfd("doctor", "--json").stdout)["checks"]
    found = {each["name"]: each for each in checks if each["group"] == "configuration"}
    assert "can be changed by every user" in found["warning"]["text"]
    assert found["reuse"]["verdict"] == "warning"
    assert "no-such-user-here" in found["this machine"]["text"]


def test_a_socket_to_ask_goes_with_running_and_files_do_not(ndfd: Ndfd) -> None:
    assert ndfd("doctor", "--socket", "/nowhere").status == 64
    assert ndfd("doctor", "--running", "--set", "swarm.workers=1").status == 64
    ran = ndfd("doctor", "--running", "--socket", "/nowhere")
    assert ran.status == 69
    assert "no daemon answers" in ran.stderr


def test_the_running_daemon_is_asked(ndfd_at: Ndfd) -> None:
    ran = ndfd_at("doctor", "--running")
    assert ran.status == 0
    assert "seccomp           22 system calls can be made" in ran.stdout
    assert "mdwe              not in force; [sandbox] allow permits that" in ran.stdout
    assert ran.stderr.startswith("ndfd: ")
