"""macOS: the processor by sysctl(3), on Intel and on Apple silicon.

Not run on this platform: written from sysctl(3), <sys/sysctl.h> and Apple's "Determining instruction set
characteristics", and nothing here has been executed on it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path

from ndfd.model.hardware import Backend, Cache, CacheKind, Core, CoreKind, Node, Processor
from ndfd.platform.base_hardware import MachineParts, architecture, unknown_processor

#: Names of Intel's features in machdep.cpu.features and machdep.cpu.leaf7_features.
_X86 = {
    "SSE2": "sse2",
    "SSE3": "sse3",
    "SSSE3": "ssse3",
    "SSE4.1": "sse4.1",
    "SSE4.2": "sse4.2",
    "POPCNT": "popcnt",
    "BMI1": "bmi",
    "BMI2": "bmi2",
    "FMA": "fma",
    "AVX1.0": "avx",
    "AVX2": "avx2",
    "AVX512F": "avx512f",
    "AVX512CD": "avx512cd",
    "AVX512BW": "avx512bw",
    "AVX512DQ": "avx512dq",
    "AVX512VL": "avx512vl",
    "AES": "aes",
    "PCLMULQDQ": "pclmul",
}
#: Of hw.optional.arm.NAME, 1 where it is there.
_ARM = {
    "AdvSIMD": "neon",
    "FEAT_AES": "aes",
    "FEAT_PMULL": "pmull",
    "FEAT_SHA1": "sha1",
    "FEAT_SHA256": "sha2",
    "FEAT_CRC32": "crc32",
    "FEAT_LSE": "lse",
    "FEAT_FP16": "fp16",
    "FEAT_RDM": "rdm",
    "FEAT_LRCPC": "rcpc",
    "FEAT_SHA3": "sha3",
    "FEAT_DotProd": "dotprod",
    "FEAT_SHA512": "sha512",
    "FEAT_FHM": "fp16fml",
    "FEAT_I8MM": "i8mm",
    "FEAT_BF16": "bf16",
    "FEAT_SME": "sme",
    "FEAT_SME2": "sme2",
}
_CACHES = (
    (1, CacheKind.DATA, "l1dcachesize", None),
    (1, CacheKind.INSTRUCTION, "l1icachesize", None),
    (2, CacheKind.UNIFIED, "l2cachesize", "cpusperl2"),
    (3, CacheKind.UNIFIED, "l3cachesize", "cpusperl3"),
)


class DarwinParts(MachineParts):
    """The answers of macOS."""

    libraries: Mapping[Backend, tuple[str, ...]] = {
        Backend.METAL: ("/System/Library/Frameworks/Metal.framework/Metal",),
        Backend.OPENCL: ("/System/Library/Frameworks/OpenCL.framework/OpenCL",),
    }

    def processor(self, root: Path = Path("/")) -> Processor:
        """All CPUs are usable: there is no affinity that a process could have."""
        libc = ctypes.CDLL(None)
        cpus = tuple(range(_number(libc, "hw.logicalcpu") or 1))
        if len(cpus) == 1 and _number(libc, "hw.physicalcpu") is None:
            return unknown_processor(cpus)
        levels = _levels(libc, cpus)
        line_bytes = _number(libc, "hw.cachelinesize")
        found_caches = tuple(cache for level in levels for cache in _caches(libc, *level, line_bytes))
        features = _features(libc)
        lacks = {"caches": not found_caches, "features": not features}
        return Processor(
            architecture=architecture(),
            cores=tuple(core for prefix, members in levels for core in _cores(libc, prefix, members)),
            usable=cpus,
            name=_text(libc, "machdep.cpu.brand_string"),
            features=features,
            # Memory is one on every Mac.
            nodes=(Node(0, cpus, _number(libc, "hw.memsize")),),
            caches=tuple(sorted(found_caches, key=lambda cache: (cache.level, cache.kind, cache.cpus))),
            unknown=tuple(what for what, lacking in lacks.items() if lacking),
        )


def _levels(libc: ctypes.CDLL, cpus: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    """Where to ask for each kind of core, and its CPUs.

    On Apple silicon hw.perflevel0 is the fastest kind. How the kernel numbers CPUs is not promised; it counts those of
    the slower kinds first, and no more than the number of each is relied on.
    """
    count = _number(libc, "hw.nperflevels") or 0
    if count < 2:
        return [("hw", cpus)]
    levels, first = [], 0
    for level in reversed(range(count)):
        members = _number(libc, f"hw.perflevel{level}.logicalcpu") or 0
        levels.append((f"hw.perflevel{level}", cpus[first : first + members]))
        first += members
    return levels


def _cores(libc: ctypes.CDLL, prefix: str, cpus: tuple[int, ...]) -> tuple[Core, ...]:
    physical = _number(libc, f"{prefix}.physicalcpu") or len(cpus)
    threads = max(1, len(cpus) // physical) if physical else 1
    kind = None
    if prefix != "hw":
        kind = CoreKind.PERFORMANCE if prefix == "hw.perflevel0" else CoreKind.EFFICIENCY
    hz = _number(libc, "hw.cpufrequency_max")
    mhz = None if hz is None else hz // 1_000_000
    return tuple(Core(cpus[at : at + threads], 0, 0, kind, mhz) for at in range(0, len(cpus), threads))


def _caches(libc: ctypes.CDLL, prefix: str, cpus: tuple[int, ...], line_bytes: int | None) -> list[Cache]:
    physical = _number(libc, f"{prefix}.physicalcpu") or len(cpus)
    threads = max(1, len(cpus) // physical) if physical else 1
    found = []
    for level, kind, size_name, sharing_name in _CACHES:
        size_bytes = _number(libc, f"{prefix}.{size_name}")
        if not size_bytes:
            continue
        sharing = threads if sharing_name is None else _number(libc, f"{prefix}.{sharing_name}") or len(cpus)
        found += [
            Cache(level, kind, size_bytes, cpus[at : at + sharing], line_bytes) for at in range(0, len(cpus), sharing)
        ]
    return found


def _features(libc: ctypes.CDLL) -> tuple[str, ...]:
    if architecture() == "aarch64":
        return tuple(name for word, name in _ARM.items() if _number(libc, f"hw.optional.arm.{word}") == 1)
    told = f"{_text(libc, 'machdep.cpu.features') or ''} {_text(libc, 'machdep.cpu.leaf7_features') or ''}".split()
    return tuple(name for word, name in _X86.items() if word in told)


def _bytes(libc: ctypes.CDLL, name: str) -> bytes | None:
    size = ctypes.c_size_t(0)
    if libc.sysctlbyname(name.encode(), None, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return None
    data = ctypes.create_string_buffer(size.value)
    if libc.sysctlbyname(name.encode(), data, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return None
    return data.raw[: size.value]


def _number(libc: ctypes.CDLL, name: str) -> int | None:
    """An integer of 4 or of 8 bytes."""
    data = _bytes(libc, name)
    return int.from_bytes(data, "little", signed=True) if data is not None and len(data) in (4, 8) else None


def _text(libc: ctypes.CDLL, name: str) -> str | None:
    data = _bytes(libc, name)
    return data.rstrip(b"\0").decode("utf-8", "replace") or None if data is not None else None
