"""What tuning relies on in a kernel's files: the fake's and the real ones keep the same promises.

What is written to the real ones is what is there already, or what the kernel refuses.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest

from ndfd.platform import KernelFiles
from ndfd.testing import FakeKernel
from ndfd.tuning.catalogue import KNOBS
from ndfd.tuning.knobs import Choice, CpuList, Number
from ndfd.tuning.plan import boot_id

ROOT = "the real kernel's files are root's to write"


@pytest.fixture(params=["fake", "real"])
def any_kernel(request: pytest.FixtureRequest, tmp_path: Path) -> KernelFiles:
    """To look at."""
    return KernelFiles() if request.param == "real" else FakeKernel(tmp_path)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.system)])
def writable_kernel(request: pytest.FixtureRequest, tmp_path: Path) -> KernelFiles:
    """To write to."""
    if request.param == "real" and os.geteuid() != 0:
        pytest.skip(ROOT)
    return KernelFiles() if request.param == "real" else FakeKernel(tmp_path)


def values(kernel: KernelFiles, knob: str) -> dict[str, str]:
    """By path, those that this machine has; skips where it has none."""
    found = {}
    for path in KNOBS[knob].paths(kernel):
        try:
            found[path] = kernel.read(path)
        except FileNotFoundError:
            continue
    if not found:
        pytest.skip(f"this machine has no {knob}")
    return found


@pytest.mark.parametrize("knob", KNOBS)
def test_every_knob_reads_a_value_that_it_would_take(any_kernel: KernelFiles, knob: str) -> None:
    for path in values(any_kernel, knob):
        assert KNOBS[knob].owns(path)
        assert KNOBS[knob].takes(KNOBS[knob].read(any_kernel, path))


@pytest.mark.parametrize("knob", [name for name, knob in KNOBS.items() if isinstance(knob, Choice)])
def test_a_choice_shows_all_its_words_and_one_in_brackets(any_kernel: KernelFiles, knob: str) -> None:
    for text in values(any_kernel, knob).values():
        assert text.endswith("\n")
        assert text.count("[") == 1
        choice = KNOBS[knob]
        assert isinstance(choice, Choice)
        assert set(text.replace("[", "").replace("]", "").split()) == set(choice.words)


@pytest.mark.parametrize("knob", [name for name, knob in KNOBS.items() if not isinstance(knob, Choice)])
def test_any_other_shows_its_value_and_a_line_end(any_kernel: KernelFiles, knob: str) -> None:
    for path, text in values(any_kernel, knob).items():
        assert text == f"{KNOBS[knob].read(any_kernel, path)}\n"


def test_a_file_that_is_not_there_is_said_to_be_missing(any_kernel: KernelFiles) -> None:
    with pytest.raises(FileNotFoundError):
        any_kernel.read("/proc/sys/vm/no_such_value")
    with pytest.raises(FileNotFoundError):
        any_kernel.write("/proc/sys/vm/no_such_value", "1\n")
    assert any_kernel.names("/proc/no_such_folder") == ()


def test_the_start_of_the_machine_has_a_name(any_kernel: KernelFiles) -> None:
    assert len(boot_id(any_kernel)) == 36


def test_names_are_sorted(any_kernel: KernelFiles) -> None:
    names = any_kernel.names("/proc/sys/vm")
    assert "swappiness" in names
    assert list(names) == sorted(names)


@pytest.mark.parametrize("knob", KNOBS)
def test_what_is_there_can_be_written_and_stays(writable_kernel: KernelFiles, knob: str) -> None:
    for path, text in values(writable_kernel, knob).items():
        # Of some interrupts the kernel alone decides.
        with contextlib.suppress(*((PermissionError,) if isinstance(KNOBS[knob], CpuList) else ())):
            KNOBS[knob].write(writable_kernel, path, KNOBS[knob].read(writable_kernel, path))
        assert writable_kernel.read(path) == text


@pytest.mark.parametrize("knob", KNOBS)
@pytest.mark.parametrize("nonsense", ["nonsense\n", "-1\n", "99999999999999999999999\n"])
def test_nonsense_is_refused_and_changes_nothing(writable_kernel: KernelFiles, knob: str, nonsense: str) -> None:
    for path, text in values(writable_kernel, knob).items():
        with pytest.raises(OSError) as caught:
            writable_kernel.write(path, nonsense)
        refusals = {errno.EINVAL, errno.EIO, errno.EPERM, errno.EOVERFLOW, errno.ERANGE}
        assert caught.value.errno in (refusals if isinstance(KNOBS[knob], CpuList) else {errno.EINVAL})
        assert writable_kernel.read(path) == text


@pytest.mark.parametrize("knob", [name for name, knob in KNOBS.items() if isinstance(knob, Number)])
def test_a_number_may_have_white_space_around_it(writable_kernel: KernelFiles, knob: str) -> None:
    for path, text in values(writable_kernel, knob).items():
        writable_kernel.write(path, f" {text.strip()}\n")
        assert writable_kernel.read(path) == text


def test_a_read_only_file_refuses(writable_kernel: KernelFiles) -> None:
    with pytest.raises(PermissionError):
        writable_kernel.write("/proc/sys/kernel/random/boot_id", "x\n")


def test_a_tree_of_plain_files_is_read_and_written_as_well(tmp_path: Path) -> None:
    FakeKernel(tmp_path)
    plain = KernelFiles(tmp_path)
    plain.write("/proc/sys/vm/swappiness", "5\n")
    assert plain.read("/proc/sys/vm/swappiness") == "5\n"
    with pytest.raises(FileNotFoundError):
        plain.write("/proc/sys/vm/no_such_value", "1\n")
    # No link leads elsewhere.
    (tmp_path / "proc/sys/vm/linked").symlink_to("swappiness")
    with pytest.raises(OSError):
        plain.write("/proc/sys/vm/linked", "1\n")
    assert plain.read("/proc/sys/vm/swappiness") == "5\n"
