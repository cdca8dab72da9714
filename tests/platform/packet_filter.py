"""Runs a filter of system calls as the kernel would: the few instructions of its packet filter that ours use."""

from __future__ import annotations

import struct

_INSTRUCTION = struct.Struct("HBBI")
_DATA = struct.Struct("iIQ6Q")

KILL = 0x80000000
TRAP = 0x00030000
ALLOW = 0x7FFF0000
ERRNO = 0x00050000


def verdict(program: bytes, audit_arch: int, number: int, *arguments: int) -> int:
    """What the filter returns for a call; ValueError for a program that the kernel would not take."""
    code = [_INSTRUCTION.unpack_from(program, at) for at in range(0, len(program), _INSTRUCTION.size)]
    data = _DATA.pack(number, audit_arch, 0, *(argument % 2**64 for argument in (*arguments, *[0] * 6)[:6]))
    at = accumulator = 0
    while True:
        if at >= len(code):
            raise ValueError("the program runs past its end")
        operation, if_true, if_false, constant = code[at]
        at += 1
        match operation:
            case 0x20:  # ld [k]
                if constant % 4 or constant + 4 > _DATA.size:
                    raise ValueError("loads from outside of the data")
                (accumulator,) = struct.unpack_from("I", data, constant)
            case 0x54:  # and #k
                accumulator &= constant
            case 0x15:  # jeq #k
                at += if_true if accumulator == constant else if_false
            case 0x35:  # jge #k
                at += if_true if accumulator >= constant else if_false
            case 0x06:  # ret #k
                return int(constant)
            case _:
                raise ValueError(f"instruction {operation:#x} is not known")
