"""Windows: the processor by GetLogicalProcessorInformationEx and IsProcessorFeaturePresent.

Not run on this platform: written from the documentation of sysinfoapi.h, processthreadsapi.h and winnt.h, and nothing
here has been executed on it.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ndfd.model.hardware import Backend, Cache, CacheKind, Core, CoreKind, Node, Processor
from ndfd.platform.base_hardware import MachineParts, architecture, unknown_processor

# LOGICAL_PROCESSOR_RELATIONSHIP
_CORE, _NODE, _CACHE, _PACKAGE, _ALL = 0, 1, 2, 3, 0xFFFF
#: GROUP_AFFINITY: mask, number of the group, 6 reserved bytes.
_GROUP_AFFINITY = struct.Struct("<QH6x")
#: CPUs in a group at most; a CPU's number is here its group's times 64 and its place in the group.
_GROUP_CPUS = 64
_KINDS = {0: CacheKind.UNIFIED, 1: CacheKind.INSTRUCTION, 2: CacheKind.DATA}

#: PF_… of IsProcessorFeaturePresent. It has no word for FMA, BMI or the parts of AVX-512.
_X86 = {
    10: "sse2",
    13: "sse3",
    14: "cx16",
    36: "ssse3",
    37: "sse4.1",
    38: "sse4.2",
    39: "avx",
    40: "avx2",
    41: "avx512f",
}
_ARM = {19: "neon", 30: "aes", 31: "crc32", 34: "lse", 43: "dotprod", 46: "sve", 47: "sve2"}


class WindowsParts(MachineParts):
    """The answers of Windows."""

    libraries: Mapping[Backend, tuple[str, ...]] = {
        Backend.CUDA: ("nvml.dll",),
        Backend.ROCM: ("amdhip64_7.dll", "amdhip64_6.dll", "amdhip64.dll"),
        Backend.OPENCL: ("OpenCL.dll",),
    }

    def processor(self, root: Path = Path("/")) -> Processor:
        """Usable are the CPUs of this process's affinity in its own group, as GetProcessAffinityMask gives them."""
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
        records = _records(kernel32)
        relations = [_relation(kind, data) for kind, data in records if kind in (_CORE, _NODE, _PACKAGE)]
        cores = [each for each in relations if each.kind == _CORE]
        if not cores:
            return super().processor(root)
        packages = [each.cpus for each in relations if each.kind == _PACKAGE]
        nodes = tuple(Node(each.number, each.cpus) for each in relations if each.kind == _NODE)
        cpus = tuple(sorted(cpu for core in cores for cpu in core.cpus))
        classes = {core.number for core in cores}
        caches = tuple(_caches(records))
        present = _X86 if architecture() == "x86_64" else _ARM
        return Processor(
            architecture=architecture(),
            cores=tuple(
                Core(
                    core.cpus,
                    package=next((at for at, members in enumerate(packages) if core.cpus[0] in members), 0),
                    node=next((node.id for node in nodes if core.cpus[0] in node.cpus), 0),
                    kind=_kind(core.number, classes),
                )
                for core in cores
            ),
            usable=_usable(kernel32) or cpus,
            features=tuple(name for number, name in present.items() if kernel32.IsProcessorFeaturePresent(number)),
            nodes=nodes or unknown_processor(cpus).nodes,
            caches=tuple(sorted(caches, key=lambda cache: (cache.level, cache.kind, cache.cpus))),
            unknown=() if caches else ("caches",),
        )


class _Relation(NamedTuple):
    kind: int
    #: Of a core its efficiency class, of a node its own number.
    number: int
    cpus: tuple[int, ...]


def _kind(efficiency_class: int, classes: set[int]) -> CoreKind | None:
    """ "A core with a higher value for the efficiency class has intrinsically greater performance"."""
    if len(classes) < 2:
        return None
    return CoreKind.EFFICIENCY if efficiency_class == min(classes) else CoreKind.PERFORMANCE


def _records(kernel32: Any) -> list[tuple[int, bytes]]:
    """Relationship and data of each SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX."""
    size = ctypes.c_uint32(0)
    kernel32.GetLogicalProcessorInformationEx(_ALL, None, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    if not kernel32.GetLogicalProcessorInformationEx(_ALL, buffer, ctypes.byref(size)):
        return []
    return list(_split(buffer.raw[: size.value]))


def _split(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if size < 8:
            return
        yield kind, data[at + 8 : at + size]
        at += size


def _relation(kind: int, data: bytes) -> _Relation:
    """PROCESSOR_RELATIONSHIP: flags, class, 20 reserved, count; NUMA_NODE_RELATIONSHIP: number, 18 reserved, count."""
    number = struct.unpack_from("<I", data)[0] if kind == _NODE else data[1]
    count = struct.unpack_from("<H", data, 22)[0]
    # Before Windows 10 20H2 a node's count is reserved: 0, with one mask.
    return _Relation(kind, number, _cpus(data, 24, max(1, count)))


def _caches(records: list[tuple[int, bytes]]) -> Iterator[Cache]:
    """CACHE_RELATIONSHIP: level, associativity, line size, size, type, 18 reserved, count, masks."""
    for kind, data in records:
        if kind != _CACHE:
            continue
        level, _ways, line_bytes, size_bytes, cache_kind = struct.unpack_from("<BBHII", data)
        count = struct.unpack_from("<H", data, 30)[0]
        if cache_kind in _KINDS:
            yield Cache(level, _KINDS[cache_kind], size_bytes, _cpus(data, 32, max(1, count)), line_bytes)


def _cpus(data: bytes, offset: int, count: int) -> tuple[int, ...]:
    found = []
    for at in range(count):
        mask, group = _GROUP_AFFINITY.unpack_from(data, offset + at * _GROUP_AFFINITY.size)
        found += [group * _GROUP_CPUS + bit for bit in range(_GROUP_CPUS) if mask >> bit & 1]
    return tuple(sorted(found))


def _usable(kernel32: Any) -> tuple[int, ...]:
    kernel32.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel32.GetCurrentProcess())
    mine, machine = ctypes.c_size_t(0), ctypes.c_size_t(0)
    if not kernel32.GetProcessAffinityMask(process, ctypes.byref(mine), ctypes.byref(machine)):
        return ()
    return tuple(bit for bit in range(_GROUP_CPUS) if mine.value >> bit & 1)
