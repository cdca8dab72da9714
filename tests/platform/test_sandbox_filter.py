"""The filter of system calls says what its rules say, on each machine."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os

import pytest

from ndfd.platform.linux_rules import USABLE_FDS, worker_rules
from ndfd.platform.linux_seccomp import Below, Is, Rule, program
from ndfd.platform.linux_syscalls import AARCH64, X86_64, Machine
from tests.platform.packet_filter import ALLOW, ERRNO, KILL, TRAP, verdict

MACHINES = pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=["x86_64", "aarch64"])
_PID = 4711
_READ, _WRITE, _EXEC = mmap.PROT_READ, mmap.PROT_WRITE, mmap.PROT_EXEC
_PRIVATE, _SHARED, _ANONYMOUS = mmap.MAP_PRIVATE, mmap.MAP_SHARED, mmap.MAP_ANONYMOUS
_EMPTY_PATH = 0x1000


def judged(rules: tuple[Rule, ...], machine: Machine, call: str, *arguments: int) -> int:
    return verdict(program(rules, machine), machine.audit_arch, machine.numbers[call], *arguments)


@MACHINES
def test_a_call_without_a_rule_ends_the_process(machine: Machine) -> None:
    assert judged((Rule("brk"),), machine, "brk") == ALLOW
    assert judged((Rule("brk"),), machine, "execve") == TRAP
    assert judged((), machine, "brk") == TRAP


@MACHINES
def test_a_call_from_another_machines_table_ends_the_process(machine: Machine) -> None:
    code = program((Rule("brk"),), machine)
    i386 = 0x40000003
    assert verdict(code, i386, machine.numbers["brk"]) == KILL


def test_a_call_from_the_x32_table_ends_the_process() -> None:
    code = program((Rule("brk"),), X86_64)
    assert verdict(code, X86_64.audit_arch, 0x40000000 + X86_64.numbers["brk"]) == KILL
    assert verdict(code, X86_64.audit_arch, -1) == KILL


@MACHINES
def test_the_first_rule_whose_conditions_all_apply_decides(machine: Machine) -> None:
    rules = (
        Rule("fcntl", (Below(0, 3), Is(1, 7))),
        Rule("fcntl", (Is(1, 0x10, mask=0xF0),), errno.EPERM),
        Rule("fcntl", (Is(1, 7),), errno.EBADF),
    )
    assert judged(rules, machine, "fcntl", 2, 7) == ALLOW
    assert judged(rules, machine, "fcntl", 3, 7) == ERRNO | errno.EBADF
    assert judged(rules, machine, "fcntl", -1, 7) == ERRNO | errno.EBADF
    assert judged(rules, machine, "fcntl", 2, 0x1F) == ERRNO | errno.EPERM
    assert judged(rules, machine, "fcntl", 2, 0x2F) == TRAP


def test_a_rule_for_a_call_that_a_machine_does_not_have_is_left_out() -> None:
    assert program((Rule("alarm"),), AARCH64) == program((), AARCH64)


def test_what_only_the_upper_half_of_an_argument_says_is_not_looked_at() -> None:
    assert judged((Rule("close", (Is(0, 3),)),), X86_64, "close", 0xFFFFFFFF_00000003) == ALLOW


def test_a_filter_that_the_kernel_would_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        program((Rule("brk"),) * 2000, X86_64)


#: Call, arguments, what becomes of it in a worker.
WORKER = [
    ("mmap", (0, 4096, _READ | _WRITE, _PRIVATE | _ANONYMOUS, -1, 0), ALLOW),
    ("mmap", (0, 4096, 0, _PRIVATE | _ANONYMOUS | 0x4000, -1, 0), ALLOW),
    ("mmap", (0, 4096, _READ | _EXEC, _PRIVATE | _ANONYMOUS, -1, 0), TRAP),
    ("mmap", (0, 4096, _READ | _WRITE | _EXEC, _PRIVATE | _ANONYMOUS, -1, 0), TRAP),
    ("mmap", (0, 4096, _READ, _SHARED, 4, 0), ALLOW),
    ("mmap", (0, 4096, _READ, _SHARED, USABLE_FDS, 0), TRAP),
    ("mmap", (0, 4096, _READ | _WRITE, _SHARED, 4, 0), TRAP),
    ("mmap", (0, 4096, _READ | _EXEC, _PRIVATE, 4, 0), TRAP),
    ("madvise", (0, 4096, 14), ALLOW),
    ("madvise", (0, 4096, 4), ERRNO | errno.EINVAL),
    ("mremap", (0, 1, 2, 1), ALLOW),
    ("mremap", (0, 1, 2, 3), TRAP),
    ("mprotect", (0, 4096, _READ | _WRITE), ERRNO | errno.ENOMEM),
    ("mprotect", (0, 4096, _READ | _EXEC), TRAP),
    ("write", (2, 0, 1), ALLOW),
    ("write", (USABLE_FDS, 0, 1), TRAP),
    ("sendmsg", (3, 0, 0), ALLOW),
    ("sendmsg", (4, 0, 0), TRAP),
    ("recvmsg", (3, 0, 0), ALLOW),
    ("recvmsg", (0, 0, 0), TRAP),
    ("fcntl", (4, fcntl.F_ADD_SEALS, 15), ALLOW),
    ("fcntl", (4, fcntl.F_DUPFD_CLOEXEC, 0), ALLOW),
    ("fcntl", (4, fcntl.F_SETFL, os.O_NONBLOCK), TRAP),
    ("fcntl", (4, fcntl.F_SETOWN, 1), TRAP),
    ("memfd_create", (0, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), ALLOW),
    ("memfd_create", (0, 0), TRAP),
    ("newfstatat", (4, 0, 0, _EMPTY_PATH), ALLOW),
    ("newfstatat", (-100, 0, 0, 0), ERRNO | errno.EACCES),
    ("newfstatat", (-100, 0, 0, _EMPTY_PATH), ERRNO | errno.EACCES),
    ("openat", (-100, 0, os.O_RDONLY), ERRNO | errno.EACCES),
    ("ioctl", (1, 0x5401), ERRNO | errno.ENOTTY),
    ("ioctl", (1, 0x5412), TRAP),
    ("tgkill", (_PID, _PID, 6), ALLOW),
    ("tgkill", (_PID + 1, _PID + 1, 6), TRAP),
    ("futex", (0, 0x81), ALLOW),
    ("futex", (0, 0x80), TRAP),
    ("futex", (0, 0x8C), TRAP),
    ("prctl", (4, 1), TRAP),
    ("socket", (1, 1, 0), TRAP),
    ("execve", (), TRAP),
    ("ptrace", (), TRAP),
    ("io_uring_setup", (), TRAP),
    ("seccomp", (), TRAP),
]


@MACHINES
@pytest.mark.parametrize(("call", "arguments", "expected"), WORKER)
def test_a_workers_filter_decides_by_the_arguments(
    machine: Machine, call: str, arguments: tuple[int, ...], expected: int
) -> None:
    assert judged(worker_rules(_PID), machine, call, *arguments) == expected


@MACHINES
def test_every_rule_of_a_worker_names_a_call_that_is_known(machine: Machine) -> None:
    known = X86_64.numbers.keys() | AARCH64.numbers.keys()
    assert {rule.call for rule in worker_rules(_PID)} <= known
    allowed = {rule.call for rule in worker_rules(_PID) if rule.action == 0}
    assert len(allowed & machine.numbers.keys()) <= 30
