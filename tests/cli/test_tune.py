"""`ndfd tune`, on a fake system."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from ndfd.testing import FakeKernel
from ndfd.tuning.catalogue import KNOBS
from tests.cli.conftest import Ndfd

SWAPPINESS = "/proc/sys/vm/swappiness"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """The system that the commands see."""
    root = tmp_path / "root"
    root.mkdir()
    kernel = FakeKernel(root)
    monkeypatch.setattr("ndfd.cli.tune_options.kernel_of_this_machine", lambda: kernel)
    monkeypatch.setattr("ndfd.cli.tune_revert.kernel_of_this_machine", lambda: kernel)
    return kernel


@pytest.fixture
def config(etc: Path, tmp_path: Path) -> Path:
    """That wants two things."""
    path = etc / "config.toml"
    path.write_text(
        f'[tuning]\npreset = "off"\njournal = "{tmp_path}/state/journal"\n'
        'swappiness = 10\ncpu_governor = "performance"\n'
    )
    return path


def test_plan_shows_each_knob_and_how_to_write_it(ndfd: Ndfd, kernel: FakeKernel, config: Path) -> None:
    ran = ndfd("tune", "plan")
    assert ran.status == 0
    for name in KNOBS:
        assert name in ran.stdout
    lines = ran.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("swappiness"))
    assert "60 -> 10  ([tuning] swappiness; root has to write it)" in lines[at]
    assert lines[at + 1] == f"    echo 10 > {kernel.root}{SWAPPINESS}"
    assert sum(line.startswith("    echo performance > ") for line in lines) == 4
    assert ran.stderr.startswith("ndfd: 5 write, ")
    assert kernel.written == []


def test_apply_verify_status_revert(ndfd: Ndfd, kernel: FakeKernel, config: Path) -> None:
    before = kernel.snapshot()
    drifted = ndfd("tune", "verify")
    assert drifted.status == 75
    assert "expected 10, actual 60; it is not applied" in drifted.stdout
    assert "-> `ndfd tune apply` writes it again" in drifted.stdout
    applied = ndfd("tune", "apply")
    assert (applied.status, applied.stderr.startswith("ndfd: 5 applied, ")) == (0, True)
    assert kernel.read(SWAPPINESS) == "10\n"
    assert ndfd("tune", "verify").status == 0
    assert "10, was 60 before it was tuned" in ndfd("tune", "status", "--only", "swappiness").stdout
    reverted = ndfd("tune", "revert")
    assert (reverted.status, reverted.stderr) == (0, "ndfd: 5 restored\n")
    assert kernel.snapshot() == before
    assert ndfd("tune", "revert").stderr == "ndfd: nothing is tuned\n"


def test_json_has_all_there_is_to_know(ndfd: Ndfd, kernel: FakeKernel, config: Path, tmp_path: Path) -> None:
    kernel.refuse_write(SWAPPINESS, errno.EROFS)
    ran = ndfd("tune", "apply", "--json", "--only", "swappiness")
    assert (ran.status, ran.stderr) == (73, "")
    answer = json.loads(ran.stdout)
    (state,) = answer.pop("knobs")
    assert answer == {
        "action": "apply",
        "preset": "off",
        "journal": f"{tmp_path}/state/journal",
        "outcome": "read_only",
    }
    assert state == {
        "knob": "swappiness",
        "path": SWAPPINESS,
        "outcome": "read_only",
        "current": "60",
        "wanted": "10",
        "original": None,
        "place": "",
        "source": "[tuning] swappiness",
        "writer": "root",
        "command": f"echo 10 > {kernel.root}{SWAPPINESS}",
        "reason": "Read-only file system",
        "hint": state["hint"],
        "fine": False,
    }
    assert state["hint"]


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.EPERM, 77),
        (errno.EACCES, 77),
        (errno.EROFS, 73),
        (errno.ENOENT, 69),
        (errno.EINVAL, 71),
        (errno.EIO, 71),
    ],
)
def test_each_refusal_has_its_exit_status_and_a_hint(
    ndfd: Ndfd, kernel: FakeKernel, config: Path, number: int, status: int
) -> None:
    kernel.refuse_write(SWAPPINESS, number)
    ran = ndfd("tune", "apply")
    assert ran.status == status
    assert "    -> " in ran.stdout
    assert ran.stderr.startswith("ndfd: 4 applied, ")


def test_a_foreign_value_is_told_until_it_is_forgotten(ndfd: Ndfd, kernel: FakeKernel, config: Path) -> None:
    ndfd("tune", "apply")
    kernel.set(SWAPPINESS, "33\n")
    for command in ("plan", "verify", "apply", "revert"):
        ran = ndfd("tune", command)
        assert ran.status == 65
        assert "somebody else set it to 33 since it was tuned" in ran.stdout
    assert ndfd("tune", "revert", "--forget").status == 0
    assert kernel.read(SWAPPINESS) == "33\n"


def test_values_of_a_knob_that_are_alike_are_one_line(ndfd: Ndfd, kernel: FakeKernel, config: Path) -> None:
    ran = ndfd("tune", "status")
    assert "irq_affinity[9…25]" in ran.stdout
    kernel.set("/proc/irq/24/smp_affinity_list", "1\n")
    lines = [line.split()[0] for line in ndfd("tune", "status").stdout.splitlines() if line.startswith("irq")]
    assert lines == ["irq_affinity[9]", "irq_affinity[24]", "irq_affinity[25]"]


def test_interrupts_keep_away_from_the_cpus_of_every_pool(ndfd: Ndfd, kernel: FakeKernel, config: Path) -> None:
    config.write_text('[tuning]\nirq_affinity = "away"\n[swarm]\ncpus = "2"\n[swarm.pools.bulk]\ncpus = "3"\n')
    ran = ndfd("tune", "plan", "--only", "irq_affinity")
    assert ran.stdout.count("0-3 -> 0-1") == 3


def test_an_unknown_knob_is_refused_with_what_was_meant(ndfd: Ndfd, kernel: FakeKernel, config: Path) -> None:
    for command in ("status", "plan", "apply", "verify", "revert"):
        ran = ndfd("tune", command, "--only", "swapiness")
        assert ran.status == 64
        assert ran.stderr == "ndfd: there is no knob 'swapiness' (usage); did you mean swappiness?\n"


def test_mistakes_elsewhere_keep_nobody_from_putting_things_back(ndfd: Ndfd, kernel: FakeKernel, config: Path) -> None:
    before = kernel.snapshot()
    ndfd("tune", "apply")
    config.write_text(config.read_text() + "[swarm]\nworkers = -3\n")
    assert ndfd("tune", "apply").status == 78
    ran = ndfd("tune", "revert")
    assert ran.status == 0
    assert "warning: " in ran.stderr
    assert kernel.snapshot() == before


def test_a_damaged_journal_is_one_line_and_changes_nothing(
    ndfd: Ndfd, kernel: FakeKernel, config: Path, tmp_path: Path
) -> None:
    ndfd("tune", "apply")
    journal = tmp_path / "state" / "journal"
    journal.write_text("nonsense\n" + journal.read_text())
    for command in ("status", "plan", "apply", "verify", "revert"):
        ran = ndfd("tune", command)
        assert ran.status == 74
        assert ran.stderr.startswith(f"ndfd: {journal}:1 is no line of a journal")
        assert ran.stderr.count("\n") == 1


def test_the_journal_has_a_usual_place_of_its_own(ndfd: Ndfd, kernel: FakeKernel, etc: Path) -> None:
    answer = json.loads(ndfd("tune", "status", "--json").stdout)
    assert answer["journal"] == "/var/lib/ndfd-tune/journal"
    assert answer["preset"] == "safe"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('preset = "fast"', "none of off, safe, throughput, latency"),
        ("swappiness = 300", "above the maximum, 200"),
        ('swappiness = "most"', 'write "preset" or "keep" or a whole number from 0 to 200'),
        ('cpu_governor = "turbo"', "none of preset, keep, performance"),
        ('irq_affinity = "x"', "not a list of CPUs"),
        ("swapiness = 1", "swappiness"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(
    ndfd: Ndfd, kernel: FakeKernel, etc: Path, line: str, said: str
) -> None:
    (etc / "config.toml").write_text(f"[tuning]\n{line}\n")
    ran = ndfd("tune", "plan")
    assert ran.status == 78
    assert said in ran.stderr
    assert kernel.written == []
