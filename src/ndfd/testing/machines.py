"""Machines as folders: what the proc and sys of each would hold, as far as ndfd reads it, below any root.

What stands in the files was taken from machines of the kind, or made from the kernel's description of the file. A part
that reads /proc and /sys below a root reads a real machine and these alike.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

_X86_V3 = (
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss ht syscall "
    "nx rdtscp lm constant_tsc pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 x2apic movbe popcnt aes xsave avx f16c "
    "rdrand lahf_lm abm fsgsbase bmi1 avx2 smep bmi2 erms sha_ni gfni vaes vpclmulqdq avx_vnni"
)
_X86_V4 = (
    "fpu sse sse2 ht syscall nx lm pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 movbe popcnt aes xsave avx f16c lahf_lm "
    "abm bmi1 avx2 bmi2 avx512f avx512dq avx512ifma avx512cd avx512bw avx512vl avx512vbmi avx512_vbmi2 avx512_vnni "
    "avx512_bitalg avx512_vpopcntdq avx512_bf16 avx512_fp16 amx_bf16 amx_tile amx_int8 sha_ni"
)
_ARM = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp sve"
#: The same as bits.
_ARM_HWCAP = 0x51_9FFF
#: sve2, i8mm, bf16.
_ARM_HWCAP2 = 1 << 1 | 1 << 13 | 1 << 14


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Writes files by their paths below `root`, with their folders; a text ends in a newline, as the kernel's do."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())
    return root


def hybrid_laptop(root: Path) -> Path:
    """2 performance cores with SMT and 4 efficiency cores that share an L2, in one socket, without NUMA."""
    files = _common(range(8), "0-7", _X86_V3, "13th Gen Intel(R) Core(TM) i5-1334U")
    files["sys/devices/cpu_core/cpus"], files["sys/devices/cpu_atom/cpus"] = "0-3", "4-7"
    for cpu in range(8):
        fast = cpu < 4
        core = f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}" if fast else str(cpu)
        files |= _cpu(cpu, core, package=0, khz=4_600_000 if fast else 3_400_000)
        files |= _cache(cpu, 0, 1, "Data", "48K" if fast else "32K", core)
        files |= _cache(cpu, 1, 1, "Instruction", "32K" if fast else "64K", core)
        files |= _cache(cpu, 2, 2, "Unified", "1280K" if fast else "2048K", core if fast else "4-7")
        files |= _cache(cpu, 3, 3, "Unified", "12288K", "0-7")
    return write(root, files)


def numa_server(root: Path) -> Path:
    """2 sockets of 4 cores with SMT, siblings numbered last, each socket a node; a third node is memory alone.

    CPU 15 is offline, 6 and 14 are isolated.
    """
    cpus = range(15)
    files = _common(cpus, "0-14", _X86_V4, "Intel(R) Xeon(R) Gold 6554S")
    files["sys/devices/system/cpu/isolated"] = "6,14"
    socket = {0: "0-3,8-11", 1: "4-7,12-15"}
    for cpu in range(16):
        first, package = cpu % 8, cpu % 8 // 4
        siblings = f"{first},{first + 8}"
        if cpu == 15:
            # Of a CPU that is offline the kernel keeps the folder, without topology and caches.
            files["sys/devices/system/cpu/cpu15/online"] = "0"
            continue
        # 7's sibling is offline, and the kernel leaves it out.
        siblings = "7" if first == 7 else siblings
        files |= _cpu(cpu, siblings, package=package, khz=4_000_000)
        files |= _cache(cpu, 0, 1, "Data", "48K", siblings) | _cache(cpu, 1, 1, "Instruction", "32K", siblings)
        files |= _cache(cpu, 2, 2, "Unified", "2048K", siblings)
        files |= _cache(cpu, 3, 3, "Unified", "184320K", socket[package].replace("12-15", "12-14"))
    files["sys/devices/system/node/online"] = "0-2"
    for node, (members, distances) in enumerate(
        (("0-3,8-11", "10 21 14"), ("4-7,12-14", "21 10 24"), ("", "14 24 10"))
    ):
        files[f"sys/devices/system/node/node{node}/cpulist"] = members
        files[f"sys/devices/system/node/node{node}/distance"] = distances
        files[f"sys/devices/system/node/node{node}/meminfo"] = (
            f"Node {node} MemTotal:       131072000 kB\nNode {node} MemFree:        65536000 kB"
        )
    return write(root, files)


def arm_server(root: Path) -> Path:
    """4 cores with SVE2, told by the kernel at the start of the process."""
    files = _common(range(4), "0-3", None, None)
    files["proc/cpuinfo"] = "\n\n".join(
        f"processor\t: {cpu}\nBogoMIPS\t: 2100.00\nFeatures\t: {_ARM}\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
        "CPU variant\t: 0x0\nCPU part\t: 0xd4f\nCPU revision\t: 0"
        for cpu in range(4)
    )
    entries = ((33, 0x7FFF_0000), (16, _ARM_HWCAP), (6, 4096), (26, _ARM_HWCAP2), (0, 0))
    files["proc/self/auxv"] = b"".join(struct.pack("@LL", *entry) for entry in entries)
    for cpu in range(4):
        files |= _cpu(cpu, str(cpu), package=0, khz=3_400_000)
        files[f"sys/devices/system/cpu/cpu{cpu}/cpu_capacity"] = "1024"
        files |= _cache(cpu, 0, 1, "Data", "64K", str(cpu)) | _cache(cpu, 1, 1, "Instruction", "64K", str(cpu))
        files |= _cache(cpu, 2, 2, "Unified", "1024K", str(cpu))
    files["sys/devices/system/node/online"] = "0"
    files["sys/devices/system/node/node0/cpulist"] = "0-3"
    files["sys/devices/system/node/node0/distance"] = "10"
    files["sys/devices/system/node/node0/meminfo"] = "Node 0 MemTotal:       65536000 kB"
    return write(root, files)


def phone_board(root: Path) -> Path:
    """ARM with cores of three capacities, and no caches or nodes in sysfs."""
    files = _common(range(8), "0-7", None, None)
    files["proc/cpuinfo"] = "\n\n".join(
        f"processor\t: {cpu}\nFeatures\t: fp asimd aes\nCPU implementer\t: 0x41\nCPU part\t: 0xd05" for cpu in range(8)
    )
    files["proc/device-tree/model"] = b"Fair Board 5\0"
    for cpu in range(8):
        files |= _cpu(cpu, str(cpu), package=0, khz=None)
        files[f"sys/devices/system/cpu/cpu{cpu}/cpu_capacity"] = "325" if cpu < 4 else "870" if cpu < 7 else "1024"
    return write(root, files)


def container(root: Path) -> Path:
    """On the server: a cpuset of 5 CPUs, and a quota of two and a half CPUs' worth of time."""
    numa_server(root)
    return write(
        root,
        {
            "proc/self/status": "Name:\tpython3\nCpus_allowed:\t0c0e\nCpus_allowed_list:\t1-3,10-11",
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/cgroup.controllers": "cpuset cpu memory",
            "sys/fs/cgroup/cpu.max": "250000 100000",
        },
    )


def bare(root: Path) -> Path:
    """Neither proc nor sys is mounted."""
    root.mkdir(parents=True, exist_ok=True)
    return root


def broken(root: Path, shift: int = 0) -> Path:
    """Every file is there, and none of them holds what it should; `shift` says which nonsense each holds instead."""
    container(root)
    for number, path in enumerate(sorted(path for path in root.rglob("*") if path.is_file())):
        wrong = (b"", b"-1\n", b"\xff\xfe\x00", b"3-1,x\n", b"0-99999999999\n", b"processor\n", b"9" * 5000)
        path.write_bytes(wrong[(number + shift) % len(wrong)])
    return root


#: All of them by name.
MACHINES: Mapping[str, Callable[[Path], Path]] = {
    made.__name__: made for made in (hybrid_laptop, numa_server, arm_server, phone_board, container, bare, broken)
}


def _common(cpus: Iterable[int], listed: str, flags: str | None, name: str | None) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {
        "sys/devices/system/cpu/online": listed,
        "sys/devices/system/cpu/isolated": "",
        "proc/self/status": f"Name:\tpython3\nCpus_allowed_list:\t{listed}",
    }
    if flags is not None:
        files["proc/cpuinfo"] = "\n\n".join(
            f"processor\t: {cpu}\nvendor_id\t: GenuineIntel\nmodel name\t: {name}\nflags\t\t: {flags}" for cpu in cpus
        )
    return files


def _cpu(cpu: int, siblings: str, *, package: int, khz: int | None) -> dict[str, str | bytes]:
    folder = f"sys/devices/system/cpu/cpu{cpu}"
    files: dict[str, str | bytes] = {
        f"{folder}/topology/core_cpus_list": siblings,
        f"{folder}/topology/physical_package_id": str(package),
    }
    if khz is not None:
        files[f"{folder}/cpufreq/cpuinfo_max_freq"] = str(khz)
    return files


def _cache(cpu: int, index: int, level: int, kind: str, size: str, shared: str) -> dict[str, str | bytes]:
    folder = f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
    return {
        f"{folder}/level": str(level),
        f"{folder}/type": kind,
        f"{folder}/size": size,
        f"{folder}/shared_cpu_list": shared,
        f"{folder}/coherency_line_size": "64",
    }
