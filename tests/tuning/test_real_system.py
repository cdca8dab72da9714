"""The kernel of this machine, which gets back what it had whatever happens: root's to run, when asked for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ndfd.errors import NotPermitted
from ndfd.model.tuning import Outcome
from ndfd.platform import KernelFiles
from ndfd.tuning.catalogue import KNOBS
from ndfd.tuning.outcomes import exit_status
from ndfd.tuning.plan import verify
from ndfd.tuning.steps import Step
from tests.tuning.alone import alone_on_this_machine
from tests.tuning.scene import Scene, first_path, settings
from tests.tuning.test_crash_points import APPLYING, REVERTING

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="the kernel's values are root's to write"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
KNOBS_TRIED = (
    "overcommit_memory",
    "swappiness",
    "nr_hugepages",
    "transparent_hugepages",
    "transparent_hugepage_defrag",
)


@pytest.fixture
def machine() -> Iterator[KernelFiles]:
    """This one."""
    kernel = KernelFiles()
    paths = {name: first_path(kernel, name) for name in KNOBS_TRIED}
    with alone_on_this_machine():
        before = {name: KNOBS[name].read(kernel, path) for name, path in paths.items()}
        try:
            yield kernel
        finally:
            for name, path in paths.items():
                KNOBS[name].write(kernel, path, before[name])
            assert {name: KNOBS[name].read(kernel, path) for name, path in paths.items()} == before


@pytest.fixture
def scene(machine: KernelFiles, tmp_path: Path) -> Scene:
    """With a journal of its own."""
    return Scene(machine, tmp_path / "state" / "journal")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that every user may look into; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def other_value(kernel: KernelFiles, knob: str) -> object:
    """One that the machine does not have now, and that hurts nobody for a moment."""
    now = KNOBS[knob].read(kernel, first_path(kernel, knob))
    offered = {
        "overcommit_memory": ("0", "1"),
        "swappiness": ("60", "59"),
        "nr_hugepages": ("8", "4"),
        "transparent_hugepages": ("madvise", "always"),
        "transparent_hugepage_defrag": ("madvise", "defer+madvise"),
    }[knob]
    value = next(value for value in offered if value != now)
    return int(value) if value.isdecimal() else value


def all_other(kernel: KernelFiles) -> dict[str, object]:
    return {knob: other_value(kernel, knob) for knob in KNOBS_TRIED}


def texts(kernel: KernelFiles) -> dict[str, str]:
    return {knob: kernel.read(first_path(kernel, knob)) for knob in KNOBS_TRIED}


def test_applied_seen_verified_and_put_back(scene: Scene, machine: KernelFiles) -> None:
    before = texts(machine)
    wanted = settings(**all_other(machine))
    report = scene.apply(wanted, KNOBS_TRIED)
    assert {state.outcome for state in report.knobs} == {Outcome.APPLIED}
    assert all(before[knob] != text for knob, text in texts(machine).items())
    pages = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("HugePages_Total"))
    assert int(pages.split()[1]) == wanted.nr_hugepages
    assert verify(scene.plan(wanted, KNOBS_TRIED)).worst() is None
    assert {state.outcome for state in scene.revert().knobs} == {Outcome.RESTORED}
    assert texts(machine) == before


def test_the_commands_of_the_plan_do_the_same(scene: Scene, machine: KernelFiles) -> None:
    plan = scene.plan(settings(**all_other(machine)), KNOBS_TRIED)
    for state in plan.knobs:
        assert state.command is not None
        subprocess.run([shutil.which("sh") or "sh", "-c", state.command], check=True)
        assert KNOBS[state.knob].read(machine, state.path) == state.wanted


def killed_at(step: Step, journal: Path, act: Callable[[Scene], object], nth: int) -> bool:
    pid = os.fork()
    if pid == 0:
        left = nth

        def reached(at: Step) -> None:
            nonlocal left
            left -= at is step
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            act(Scene(KernelFiles(), journal, reached))
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("nth", range(1, len(KNOBS_TRIED) + 1))
@pytest.mark.parametrize("step", APPLYING)
def test_killed_while_it_applies(scene: Scene, machine: KernelFiles, step: Step, nth: int) -> None:
    before = texts(machine)
    wanted = settings(**all_other(machine))
    assert killed_at(step, scene.journal, lambda scene: scene.apply(wanted, KNOBS_TRIED), nth)
    foreign = [state for state in scene.revert().knobs if state.outcome not in (Outcome.RESTORED, Outcome.SAME)]
    # Also fails when somebody else tunes this machine at the same time.
    assert foreign == []
    assert texts(machine) == before
    assert scene.changes() == {}


@pytest.mark.parametrize("nth", range(1, len(KNOBS_TRIED) + 1))
@pytest.mark.parametrize("step", REVERTING)
def test_killed_while_it_reverts(scene: Scene, machine: KernelFiles, step: Step, nth: int) -> None:
    before = texts(machine)
    assert scene.apply(settings(**all_other(machine)), KNOBS_TRIED).worst() is None
    assert killed_at(step, scene.journal, lambda scene: scene.revert(), nth)
    foreign = [state for state in scene.revert().knobs if state.outcome not in (Outcome.RESTORED, Outcome.SAME)]
    # Also fails when somebody else tunes this machine at the same time.
    assert foreign == []
    assert texts(machine) == before
    assert scene.changes() == {}


def test_somebody_elses_value_is_left_alone(scene: Scene, machine: KernelFiles) -> None:
    scene.apply(settings(swappiness=other_value(machine, "swappiness")), ("swappiness",))
    machine.write(first_path(machine, "swappiness"), "33\n")
    (state,) = scene.revert().knobs
    assert state.outcome is Outcome.FOREIGN
    assert machine.read(state.path) == "33\n"


def test_a_value_that_the_kernel_refuses_has_failed(scene: Scene, machine: KernelFiles) -> None:
    # Beyond what any kernel takes; the configuration would not let it through.
    report = scene.apply(settings(swappiness=100_000), ("swappiness",))
    (state,) = report.knobs
    assert (state.outcome, state.reason) == (Outcome.FAILED, "Invalid argument")
    assert exit_status(report.worst()) == 71
    assert scene.changes() == {}


def in_a_child(act: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(act())
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_user_without_rights_is_denied_and_sees_all_the_same(
    scene: Scene, machine: KernelFiles, open_folder: Path
) -> None:
    before = texts(machine)
    wanted = settings(**all_other(machine))
    os.chown(open_folder, NOBODY, NOBODY)
    scene.journal = open_folder / "journal"

    def act() -> int:
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        report = scene.apply(wanted, KNOBS_TRIED)
        if {state.outcome for state in report.knobs} != {Outcome.DENIED}:
            return 1
        return exit_status(report.worst())

    assert in_a_child(act) == 77
    assert texts(machine) == before


def test_a_user_who_may_not_write_the_journal_is_told_to_be_root(
    scene: Scene, machine: KernelFiles, open_folder: Path
) -> None:
    scene.journal = open_folder / "journal"
    scene.apply(settings(swappiness=other_value(machine, "swappiness")), ("swappiness",))

    def act() -> int:
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        if len(scene.changes()) != 1:
            return 1
        try:
            scene.revert()
        except NotPermitted:
            return 77
        return 2

    assert in_a_child(act) == 77


READ_ONLY = """
mount --make-rprivate / && mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys || exit 40
exec "$@"
"""


def test_a_system_that_is_mounted_read_only_says_so(scene: Scene, machine: KernelFiles, tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("mounts are made with unshare, and there is none")
    before = texts(machine)
    program = (
        "import sys\nfrom pathlib import Path\nfrom ndfd.platform import KernelFiles\n"
        "from ndfd.model.tuning import Outcome\nfrom ndfd.tuning.outcomes import exit_status\n"
        "from tests.tuning.scene import Scene, settings\n"
        "report = Scene(KernelFiles(), Path(sys.argv[1])).apply(settings(swappiness=33), ('swappiness',))\n"
        "assert report.worst() is Outcome.READ_ONLY, report\n"
        "sys.exit(exit_status(report.worst()))\n"
    )
    command = [unshare, "-m", "sh", "-c", READ_ONLY, "sh", sys.executable, "-c", program, str(scene.journal)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode == 40:
        pytest.skip(f"no mounts can be made here: {done.stderr.strip()}")
    assert done.returncode == 73, done.stderr
    assert texts(machine) == before
