"""The instruction sets of the processor, as Linux tells them: only those that it lets programs use.

By one name on every system, those of GCC's -m options and of the ARM Architecture Reference Manual in small letters.
"""

from __future__ import annotations

import struct
from pathlib import Path

#: By the flags of /proc/cpuinfo (arch/x86/include/asm/cpufeatures.h). The kernel takes those from the list that need
#: registers which it does not save, so what is there can be used.
_X86 = {
    "sse2": "sse2",
    "pni": "sse3",
    "ssse3": "ssse3",
    "sse4_1": "sse4.1",
    "sse4_2": "sse4.2",
    "popcnt": "popcnt",
    "cx16": "cx16",
    "lahf_lm": "sahf",
    "movbe": "movbe",
    "abm": "lzcnt",
    "bmi1": "bmi",
    "bmi2": "bmi2",
    "f16c": "f16c",
    "fma": "fma",
    "avx": "avx",
    "avx2": "avx2",
    "avx_vnni": "avxvnni",
    "avx512f": "avx512f",
    "avx512cd": "avx512cd",
    "avx512bw": "avx512bw",
    "avx512dq": "avx512dq",
    "avx512vl": "avx512vl",
    "avx512ifma": "avx512ifma",
    "avx512vbmi": "avx512vbmi",
    "avx512_vbmi2": "avx512vbmi2",
    "avx512_vnni": "avx512vnni",
    "avx512_bitalg": "avx512bitalg",
    "avx512_vpopcntdq": "avx512vpopcntdq",
    "avx512_bf16": "avx512bf16",
    "avx512_fp16": "avx512fp16",
    "avx512_vp2intersect": "avx512vp2intersect",
    "amx_tile": "amx-tile",
    "amx_int8": "amx-int8",
    "amx_bf16": "amx-bf16",
    "aes": "aes",
    "vaes": "vaes",
    "pclmulqdq": "pclmul",
    "vpclmulqdq": "vpclmulqdq",
    "gfni": "gfni",
    "sha_ni": "sha",
}

#: By their bits in AT_HWCAP and AT_HWCAP2 (arch/arm64/include/uapi/asm/hwcap.h), and by the kernel's word for each in
#: /proc/cpuinfo.
_ARM_HWCAP = {
    0: ("fp", "fp"),
    1: ("asimd", "neon"),
    3: ("aes", "aes"),
    4: ("pmull", "pmull"),
    5: ("sha1", "sha1"),
    6: ("sha2", "sha2"),
    7: ("crc32", "crc32"),
    8: ("atomics", "lse"),
    9: ("fphp", "fp16"),
    10: ("asimdhp", "neon-fp16"),
    12: ("asimdrdm", "rdm"),
    15: ("lrcpc", "rcpc"),
    17: ("sha3", "sha3"),
    20: ("asimddp", "dotprod"),
    21: ("sha512", "sha512"),
    22: ("sve", "sve"),
    23: ("asimdfhm", "fp16fml"),
}
_ARM_HWCAP2 = {
    1: ("sve2", "sve2"),
    2: ("sveaes", "sve2-aes"),
    4: ("svebitperm", "sve2-bitperm"),
    9: ("svei8mm", "sve-i8mm"),
    12: ("svebf16", "sve-bf16"),
    13: ("i8mm", "i8mm"),
    14: ("bf16", "bf16"),
    23: ("sme", "sme"),
    37: ("sme2", "sme2"),
}

#: getauxval(3), of linux/auxvec.h.
_AT_NULL, _AT_HWCAP, _AT_HWCAP2 = 0, 16, 26
_ENTRY = struct.Struct("@LL")


def features(architecture: str, root: Path, cpus: list[dict[str, str]]) -> tuple[str, ...] | None:
    """Those that every CPU has, in this module's order; None where nothing is told. `cpus` are those of `cpuinfo`."""
    match architecture:
        case "x86_64":
            return _listed(_X86, "flags", cpus)
        case "aarch64":
            return _by_hwcap(root) or _listed(dict((*_ARM_HWCAP.values(), *_ARM_HWCAP2.values())), "Features", cpus)
        case _:
            return None


def _listed(names: dict[str, str], field: str, cpus: list[dict[str, str]]) -> tuple[str, ...] | None:
    told = [set(cpu[field].split()) for cpu in cpus if field in cpu]
    if not told:
        return None
    common = set.intersection(*told)
    return tuple(name for word, name in names.items() if word in common)


def _by_hwcap(root: Path) -> tuple[str, ...] | None:
    """What the kernel told this process when it began, which it keeps in /proc/self/auxv (proc_pid_auxv(5))."""
    try:
        data = (root / "proc/self/auxv").read_bytes()
    except OSError:
        return None
    values = {}
    for kind, value in _ENTRY.iter_unpack(data[: len(data) // _ENTRY.size * _ENTRY.size]):
        if kind == _AT_NULL:
            break
        values[kind] = value
    found = [
        name
        for entry, bits in ((_AT_HWCAP, _ARM_HWCAP), (_AT_HWCAP2, _ARM_HWCAP2))
        for bit, (_, name) in bits.items()
        if values.get(entry, 0) >> bit & 1
    ]
    return tuple(found) or None
