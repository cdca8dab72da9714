"""What the machine is made of: its processor, as far as this process may use it, and its accelerators."""

from __future__ import annotations

import enum

import msgspec


class CoreKind(enum.StrEnum):
    """What a core of a hybrid processor was made for."""

    PERFORMANCE = "performance"
    EFFICIENCY = "efficiency"


class Core(msgspec.Struct, frozen=True, omit_defaults=True):
    """A physical core."""

    #: Its logical CPUs that are online, by number; with SMT more than one.
    cpus: tuple[int, ...]
    #: Number of its socket.
    package: int
    #: Number of the NUMA node whose memory is nearest.
    node: int
    #: None where all cores are alike, or where the system does not tell them apart.
    kind: CoreKind | None = None
    #: The highest clock rate that it may have.
    max_mhz: int | None = None


class CacheKind(enum.StrEnum):
    """What a cache holds."""

    DATA = "data"
    INSTRUCTION = "instruction"
    UNIFIED = "unified"


class Cache(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cache of the processor."""

    #: 1 is the nearest to the core.
    level: int
    kind: CacheKind
    size_bytes: int
    #: The CPUs that share it.
    cpus: tuple[int, ...]
    line_bytes: int | None = None


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """A NUMA node."""

    id: int
    #: Those that are online; none on a node that is memory alone.
    cpus: tuple[int, ...]
    memory_bytes: int | None = None
    #: To each node in the order of their numbers, 10 being the distance to itself (ACPI SLIT); empty: not known.
    distances: tuple[int, ...] = ()


class Processor(msgspec.Struct, frozen=True, omit_defaults=True):
    """The processors of the machine, as far as the system tells of them."""

    #: "x86_64", "aarch64".
    architecture: str
    #: In the order of their lowest CPUs. One for each CPU where the topology is not known.
    cores: tuple[Core, ...]
    #: The CPUs that this process may run on: online, allowed by its affinity and its control group.
    usable: tuple[int, ...]
    #: As the maker calls it.
    name: str | None = None
    #: Instruction sets that every CPU has and the system lets programs use, "avx2", "sve".
    features: tuple[str, ...] = ()
    #: At least one where the CPUs are known.
    nodes: tuple[Node, ...] = ()
    #: From the nearest to the cores outwards.
    caches: tuple[Cache, ...] = ()
    #: CPUs' worth of time that the control group allows, rounded up; None: no quota.
    quota: int | None = None
    #: Those that the scheduler gives no work of its own accord (isolcpus).
    isolated: tuple[int, ...] = ()
    #: What the system does not tell: "topology", "caches", "nodes", "features".
    unknown: tuple[str, ...] = ()

    @property
    def cpus(self) -> tuple[int, ...]:
        """All that are online, in order."""
        return tuple(sorted(cpu for core in self.cores for cpu in core.cpus))

    @property
    def packages(self) -> int:
        """How many sockets are in use."""
        return len({core.package for core in self.cores})

    @property
    def hybrid(self) -> bool:
        """Whether there are cores of more than one kind."""
        return len({core.kind for core in self.cores}) > 1


class Backend(enum.StrEnum):
    """A way to an accelerator."""

    CUDA = "cuda"
    ROCM = "rocm"
    METAL = "metal"
    OPENCL = "opencl"


class BackendState(enum.StrEnum):
    """What came of asking the vendor's library."""

    #: It named at least one device.
    READY = "ready"
    #: It works, and there is no device.
    EMPTY = "empty"
    #: It is not installed.
    ABSENT = "absent"
    #: It is there and refused, lacks a function, or said what cannot be.
    FAILED = "failed"
    #: It did not answer in time.
    HUNG = "hung"
    #: It ended the process that asked.
    CRASHED = "crashed"


class Device(msgspec.Struct, frozen=True, omit_defaults=True):
    """An accelerator."""

    name: str
    #: Its own memory; what it may take of the machine's where they share.
    memory_bytes: int | None = None
    #: Version of its driver, where the backend's devices may have different ones.
    driver: str | None = None


class Accelerators(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one backend has to offer."""

    backend: Backend
    state: BackendState
    #: As it was found: the name that it was loaded by.
    library: str | None = None
    #: Version of the driver.
    driver: str | None = None
    devices: tuple[Device, ...] = ()
    #: Why it cannot be used, in words.
    problem: str | None = None


class Hardware(msgspec.Struct, frozen=True, omit_defaults=True):
    """The machine."""

    processor: Processor
    #: One for each backend that the system could have, found or not.
    accelerators: tuple[Accelerators, ...] = ()
