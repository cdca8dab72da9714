"""On a host that lacks something the daemon refuses to start, by name; where that is allowed, every result says so."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ndfd import platform
from ndfd.client import Client, Conversion
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.measures import MEASURES
from ndfd.model.status import DaemonStatus
from tests import documents
from tests.daemon.conftest import environment
from tests.degraded.host import NOBODY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines its workers yet")

#: Seconds for a command that takes two.
_LIMIT_S = 60.0

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Scene:
    """A host, and what its workers must be found to lack."""

    lacks: str
    missing: tuple[str, ...] = ()
    #: What a confined process could do there when it tried, at least.
    passed: frozenset[str] = frozenset()
    needs_root: bool = False
    #: The kernel's word on a worker cannot be had.
    unseen: bool = False

    @property
    def user(self) -> int:
        """Who runs the daemon."""
        return NOBODY if "nobody" in self.lacks else os.geteuid()


SMOKE = (
    Scene("landlock", ("landlock",)),
    Scene("seccomp", ("seccomp",), frozenset({"socket", "fork", "ptrace", "io-uring"})),
)

SCENES = (
    Scene("landlock-switched-off", ("landlock",)),
    # The kernel's side says yes to everything and does nothing.
    Scene("landlock-forged", ("landlock",)),
    Scene("seccomp-refused", ("seccomp",), frozenset({"socket"})),
    Scene("seccomp-forged", ("seccomp",), frozenset({"socket"})),
    Scene("mdwe", ("mdwe",)),
    Scene("mdwe-forged", ("mdwe",)),
    Scene("dumpable", ("dumpable",)),
    Scene("rlimits", ("rlimits",)),
    Scene("landlock,seccomp,mdwe", ("mdwe", "landlock", "seccomp"), frozenset({"open", "execute", "signal"})),
    # All of it, the questions whether it is so included.
    Scene("prctl", ("no_new_privs", "dumpable", "mdwe", "landlock", "seccomp"), frozenset({"open"}), needs_root=True),
    Scene("capget", ("capabilities",)),
    Scene("adjtimex"),
    Scene("user-namespaces"),
    Scene("container"),
    Scene("old-container", ("landlock",)),
)

#: Without no_new_privs only root may set a filter; with it, and without capabilities, nobody may.
ROOT_SCENES = (
    Scene("no_new_privs", ("no_new_privs", "landlock", "seccomp"), frozenset({"open", "socket"}), needs_root=True),
    Scene("capset", ("capabilities",), needs_root=True),
    Scene("capset-forged", ("capabilities",), needs_root=True),
    Scene("no-proc", ("proc",), needs_root=True, unseen=True),
    Scene("foreign-proc", ("proc",), needs_root=True, unseen=True),
    Scene("proc-hides,nobody", needs_root=True),
    Scene("proc-read-only", needs_root=True),
    Scene("memfd-never-executable", needs_root=True),
    Scene("nobody", needs_root=True),
    # Who has no capabilities need not be able to drop them.
    Scene("nobody,capset", needs_root=True),
    Scene("nobody,container", needs_root=True),
)

ALL = [
    *(pytest.param(scene, id=scene.lacks) for scene in SMOKE),
    *(pytest.param(scene, id=scene.lacks, marks=pytest.mark.slow) for scene in SCENES),
    *(pytest.param(scene, id=scene.lacks, marks=pytest.mark.system) for scene in ROOT_SCENES),
]


@pytest.fixture(autouse=True)
def only_that_is_lacking() -> None:
    """A host that lacks more would tell of more."""
    sandbox = platform.measure_confinement(platform.WorkerLimits(500_000_000))
    if sandbox.missing:
        pytest.skip(f"this host lacks {', '.join(sandbox.missing)} already")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for every user: those of pytest are closed to others anew whenever another run of it begins."""
    with tempfile.TemporaryDirectory(prefix="ndfd-degraded-") as folder:
        # With the sticky bit: a state folder may lie in no folder where others could put another in its place.
        Path(folder).chmod(0o1777)
        yield Path(folder)


def ndfd(scene: Scene, place: Path, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
    """A command line on that host."""
    if scene.needs_root and os.geteuid() != 0:
        pytest.skip("needs root")
    own = {
        "NDFD_NETWORK__SOCKET_DIR": str(place / "run"),
        "NDFD_STORAGE__STATE_DIR": str(place / "state"),
        "NDFD_SWARM__WORKERS": "1",
        "NDFD_CONFIG_DIR": str(place),
        "XDG_CONFIG_HOME": str(place),
        # The doors let in their own user and group; the test may be another.
        "NDFD_NETWORK__SOCKET_MODE": "0666",
        "PYTHONPATH": str(_ROOT),
    }
    command = [sys.executable, "-m", "tests.degraded.host", scene.lacks, "--", sys.executable, "-m", "ndfd", *arguments]
    return subprocess.Popen(
        command,
        env=environment(**own, **variables),
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ran(scene: Scene, place: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Its exit status and what it said."""
    process = ndfd(scene, place, *arguments, **variables)
    try:
        out, err = process.communicate(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        # A daemon that should not have started.
        process.kill()
        out, err = process.communicate()
    return process.returncode, out.decode(), err.decode()


@contextlib.contextmanager
def daemon(scene: Scene, place: Path, *allow: str) -> Iterator[Client]:
    """A daemon on that host that may lack these."""
    process = ndfd(scene, place, "run", NDFD_SANDBOX__ALLOW=",".join(allow))
    assert process.stdout is not None
    try:
        assert process.stdout.readline(), process.communicate()[1].decode()
        with Client.connect(place / "run" / "ndfd.sock") as client:
            yield client
    finally:
        process.kill()
        process.communicate()


def converted(client: Client, output: OutputFormat) -> Conversion:
    return client.convert(documents.text_pages(["On a poor host."]), ConvertOptions(format=output))


@pytest.mark.parametrize("scene", [each for each in ALL if each.values[0].missing])  # type: ignore[union-attr]
def test_a_host_that_cannot_confine_is_refused_by_name(scene: Scene, place: Path) -> None:
    status, out, err = ran(scene, place, "run")
    assert (status, out) == (69, "")
    (line,) = err.splitlines()
    literal = ", ".join(f'"{name}"' for name in scene.missing)
    assert line == (
        f"ndfd: this host cannot confine workers (missing: {', '.join(scene.missing)}) (sandbox-incomplete); see "
        f"`ndfd doctor`; to do without: [sandbox] allow = [{literal}], or NDFD_SANDBOX__ALLOW={','.join(scene.missing)}"
    )


@pytest.mark.parametrize("scene", ALL)
def test_what_is_missing_and_allowed_stands_on_every_result(scene: Scene, place: Path) -> None:
    with daemon(scene, place, *scene.missing) as client:
        status: DaemonStatus = client.status()
        assert status.sandbox is not None
        assert status.sandbox.missing == scene.missing
        assert scene.passed <= {each.partition(":")[0] for each in status.sandbox.passed}
        assert bool(status.sandbox.calls) is ("seccomp" not in scene.missing)
        assert (status.sandbox.seccomp is None) is scene.unseen
        said = [each for each in status.warnings if each.startswith("workers are confined without")]
        assert [", ".join(scene.missing) in each for each in said] == [True] * bool(scene.missing)
        with converted(client, OutputFormat.JSON) as conversion:
            report, record = conversion.report, json.loads(conversion.text)
        assert report.sandbox is not None
        assert report.sandbox.missing == scene.missing
        assert report.sandbox.verified is not scene.unseen
        assert tuple(record["provenance"]["sandbox"].get("missing", ())) == scene.missing
        assert record["pages"][0]["blocks"][0]["text"] == "On a poor host."


@pytest.mark.parametrize("scene", [each for each in ALL if len(each.values[0].missing) > 1])  # type: ignore[union-attr]
def test_to_allow_a_part_of_what_is_missing_is_not_enough(scene: Scene, place: Path) -> None:
    first, *others = scene.missing
    status, _, err = ran(scene, place, "run", NDFD_SANDBOX__ALLOW=first)
    assert status == 69
    assert f"(missing: {', '.join(others)})" in err
    # What is to be copied holds what was allowed before.
    assert f"NDFD_SANDBOX__ALLOW={','.join(scene.missing)}" in err


@pytest.mark.parametrize("scene", ALL)
def test_the_doctor_finds_it_and_knows_what_is_allowed(scene: Scene, place: Path) -> None:
    status, out, err = ran(scene, place, "doctor", "--json", NDFD_SWARM__WORKER_MEMORY="1GB")
    assert "Traceback" not in err
    assert out, err
    found = {each["name"]: each for each in json.loads(out)["checks"] if each["group"] == "confinement"}
    assert {name for name in found if found[name]["verdict"] == "failure"} == {
        *scene.missing,
        *(["in all"] if scene.missing else []),
    }
    assert status == (69 if scene.missing else 0), [
        each for each in json.loads(out)["checks"] if each["verdict"] == "failure"
    ]
    assert all(found[name]["advice"] for name in scene.missing)
    # What was not asked is not said to be missing, and what was not checked not to be in force.
    assert ("cannot be checked" in found["proc"]["text"]) is scene.unseen
    assert ("could not be asked" in found["seccomp"]["text"]) is scene.unseen
    if not scene.missing:
        return
    status, out, err = ran(scene, place, "doctor", "--json", NDFD_SANDBOX__ALLOW=",".join(scene.missing))
    assert out, err
    verdicts = {each["name"]: each["verdict"] for each in json.loads(out)["checks"]}
    assert status == 0, out
    assert {verdicts[name] for name in scene.missing} == {"warning"}


@pytest.mark.parametrize(
    ("lacks", "call"), [("pidfd", "pidfd_open"), ("pidfd-signal", "pidfd_send_signal"), ("memfd", "memfd_create")]
)
@pytest.mark.slow
def test_a_host_that_lacks_what_workers_are_run_by_is_told_which_call(lacks: str, call: str, place: Path) -> None:
    status, out, err = ran(Scene(lacks), place, "run")
    assert (status, out) == (75, "")
    assert f"{call}: " in err
    assert "Traceback" not in err
    status, out, err = ran(Scene(lacks), place, "doctor", "--json")
    assert status == 69
    assert "Traceback" not in err
    (failure,) = (each for each in json.loads(out)["checks"] if each["verdict"] == "failure")
    assert failure["name"] == "trial"
    assert f"{call}: " in failure["text"]


def test_a_reload_that_no_longer_allows_what_is_missing_is_refused(place: Path) -> None:
    scene = SMOKE[0]
    file = place / "config.toml"
    file.write_text('[sandbox]\nallow = ["landlock"]\n')
    process = ndfd(scene, place, "run")
    assert process.stdout is not None
    try:
        assert process.stdout.readline(), process.communicate()[1].decode()
        for other in ("", '[sandbox]\nallow = ["mdwe"]\n'):
            file.write_text(other)
            for dry in ([], ["--dry-run"]):
                status, _, err = ran(scene, place, "reload", *dry)
                assert status == 69
                assert "(sandbox-incomplete)" in err
                assert "generation 1 serves on" in err
        with Client.connect(place / "run" / "ndfd.sock") as client, converted(client, OutputFormat.TEXT) as conversion:
            assert conversion.report.sandbox is not None
            assert conversion.report.sandbox.missing == ("landlock",)
    finally:
        process.kill()
        process.communicate()


def test_the_scenes_take_every_measure_away() -> None:
    taken = {name for each in ALL for name in each.values[0].missing}  # type: ignore[union-attr]
    # An older Landlock cannot be made of a newer one: tests/platform asks it for less.
    assert taken == set(MEASURES) - {"landlock-tcp", "landlock-scopes"}
