"""Filters of system calls: a list of rules becomes a program of the kernel's packet filter (seccomp(2), bpf(4)).

Our own and not libseccomp: its licence, LGPL, is none that ndfd ships, and of what it does only this page is needed.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence
from typing import NamedTuple

from ndfd.platform.linux_syscalls import Machine

# linux/seccomp.h
_SET_MODE_FILTER = 1
_FLAG_TSYNC = 1
_RET_KILL_PROCESS = 0x80000000
_RET_TRAP = 0x00030000
_RET_ERRNO = 0x00050000
_RET_ALLOW = 0x7FFF0000

# struct seccomp_data: nr, arch, instruction pointer, six arguments of 64 bits; offsets of what is loaded.
_NUMBER_AT = 0
_ARCH_AT = 4
_ARGUMENTS_AT = 16

# linux/bpf_common.h, linux/filter.h: load a word of the data, and with a constant, jump, return.
_LOAD = 0x20
_AND = 0x54
_JUMP_IF_EQUAL = 0x15
_JUMP_IF_NOT_BELOW = 0x35
_RETURN = 0x06

#: struct sock_filter: code, instructions to skip if true and if false, constant.
_INSTRUCTION = struct.Struct("HBBI")
#: BPF_MAXINSNS
_INSTRUCTIONS_MAX = 4096

_ALL_BITS = 0xFFFFFFFF

#: What a rule does in place of an error's number: the call is made.
ALLOW = 0


class Is(NamedTuple):
    """An argument, counted from 0, has this value in the bits of the mask.

    Only the lower half of an argument is looked at: what the rules compare are descriptors, commands and flags, of
    which the kernel knows no bit above it.
    """

    argument: int
    value: int
    mask: int = _ALL_BITS


class Below(NamedTuple):
    """An argument's lower half, as a number without sign, is below this."""

    argument: int
    limit: int


class Rule(NamedTuple):
    """What becomes of a call to which all conditions apply."""

    call: str
    conditions: tuple[Is | Below, ...] = ()
    #: `ALLOW`, or the number of the error it fails with.
    action: int = ALLOW


def program(rules: Sequence[Rule], machine: Machine) -> bytes:
    """The filter: the first rule that applies decides, and a call to which none applies ends the process by SIGSYS.

    SECCOMP_RET_TRAP, not …_KILL_PROCESS: the call is made as little, and a handler that ends the process may say which
    one it was (`ndfd.native.violations`). Without a handler, with the signal ignored or blocked, the kernel ends the
    process itself. Calls of another machine's table are not told apart. Rules for calls that the machine does not have
    are left out.
    """
    code = [
        # First of all: a number means nothing before it is known whose it is.
        _instruction(_LOAD, _ARCH_AT),
        _instruction(_JUMP_IF_EQUAL, machine.audit_arch, if_true=1),
        _instruction(_RETURN, _RET_KILL_PROCESS),
    ]
    if machine.foreign_from is not None:
        code += [
            _instruction(_LOAD, _NUMBER_AT),
            _instruction(_JUMP_IF_NOT_BELOW, machine.foreign_from, if_false=1),
            _instruction(_RETURN, _RET_KILL_PROCESS),
        ]
    for rule in rules:
        if (number := machine.numbers.get(rule.call)) is not None:
            code += _rule(rule, number)
    code.append(_instruction(_RETURN, _RET_TRAP))
    if len(code) > _INSTRUCTIONS_MAX:
        raise ValueError(f"a filter of {len(code)} instructions is too long")
    return b"".join(code)


def _rule(rule: Rule, number: int) -> list[bytes]:
    """A load, then a test that goes on or skips to the end of the rule, for the number and for each condition."""
    tests = [([_instruction(_LOAD, _NUMBER_AT)], _JUMP_IF_EQUAL, number, True)]
    for condition in rule.conditions:
        # Both machines are little-endian: the lower half comes first.
        load = [_instruction(_LOAD, _ARGUMENTS_AT + 8 * condition.argument)]
        if isinstance(condition, Below):
            tests.append((load, _JUMP_IF_NOT_BELOW, condition.limit, False))
        else:
            if condition.mask != _ALL_BITS:
                load.append(_instruction(_AND, condition.mask))
            tests.append((load, _JUMP_IF_EQUAL, condition.value, True))
    left = sum(len(load) + 1 for load, *_ in tests) + 1
    code: list[bytes] = []
    for load, jump, constant, goes_on_if_true in tests:
        left -= len(load) + 1
        skips = {"if_false" if goes_on_if_true else "if_true": left}
        code += [*load, _instruction(jump, constant, **skips)]
    result = _RET_ALLOW if rule.action == ALLOW else _RET_ERRNO | rule.action
    return [*code, _instruction(_RETURN, result)]


def _instruction(code: int, constant: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, if_true, if_false, constant)


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)


def install(code: bytes, machine: Machine) -> None:
    """Puts a filter in force for this process, all its threads and all its children, for good.

    OSError when the kernel has no filters, or when neither no_new_privs is set nor CAP_SYS_ADMIN is there.
    """
    filter_program = _Program(len(code) // _INSTRUCTION.size, code)
    arguments = (_SET_MODE_FILTER, _FLAG_TSYNC)
    result = _libc.syscall(
        ctypes.c_long(machine.numbers["seccomp"]), *map(ctypes.c_ulong, arguments), ctypes.byref(filter_program)
    )
    if result != 0:
        # A positive one is the number of a thread that cannot follow.
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number) if result < 0 else f'thread {result} cannot follow'}")
