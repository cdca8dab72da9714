"""What `ndfd doctor` says of the processor and of accelerators. Nothing of ndfd needs an accelerator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from ndfd.model.checkup import Check, Verdict
from ndfd.model.hardware import Accelerators, Backend, BackendState, CacheKind, Device, Hardware, Processor

GROUP = "hardware"

#: The levels of the x86-64 psABI, each with what it adds to the one before.
_LEVELS = (
    ("x86-64", ("sse2",)),
    ("x86-64-v2", ("cx16", "sahf", "popcnt", "sse3", "ssse3", "sse4.1", "sse4.2")),
    ("x86-64-v3", ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")),
    ("x86-64-v4", ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")),
)
_BACKENDS = {
    Backend.CUDA: "CUDA",
    Backend.ROCM: "ROCm",
    Backend.METAL: "Metal",
    Backend.OPENCL: "OpenCL",
}
_KINDS = {CacheKind.DATA: "d", CacheKind.INSTRUCTION: "i", CacheKind.UNIFIED: ""}


def hardware(found: Hardware) -> Iterator[Check]:
    """A check for each thing that the machine has, or could have."""
    processor = found.processor
    yield Check(GROUP, "processor", Verdict.OK, f"{processor.name or 'not named'}, {processor.architecture}")
    yield Check(GROUP, "cores", Verdict.OK, _cores(processor))
    yield Check(GROUP, "instructions", Verdict.OK, _instructions(processor))
    yield Check(GROUP, "caches", Verdict.OK, _caches(processor))
    yield Check(GROUP, "memory nodes", Verdict.OK, _nodes(processor))
    for backend in found.accelerators:
        yield _backend(backend)


def _cores(processor: Processor) -> str:
    cpus, cores = len(processor.cpus), len(processor.cores)
    if "topology" in processor.unknown:
        text = f"{_count(cpus, 'CPU')}; how they make up cores is not told"
    else:
        kinds = Counter(core.kind.value for core in processor.cores if core.kind is not None)
        of_kinds = f" ({', '.join(f'{number} for {kind}' for kind, number in kinds.items())})" if kinds else ""
        text = f"{_count(cores, 'core')}{of_kinds} in {_count(processor.packages, 'socket')}"
        text += f", {_count(cpus, 'CPU')}" if cpus != cores else ""
    if len(processor.usable) < cpus:
        text += f"; usable {ranges(processor.usable)}"
    if processor.quota is not None:
        text += f"; time for {processor.quota}"
    if processor.isolated:
        text += f"; isolated {ranges(processor.isolated)}"
    return text


def _instructions(processor: Processor) -> str:
    if "features" in processor.unknown:
        return "not told"
    level, rest = "", processor.features
    for name, adds in _LEVELS if processor.architecture == "x86_64" else ():
        if not set(adds) <= set(rest):
            break
        level, rest = name, tuple(feature for feature in rest if feature not in adds)
    return ", ".join(filter(None, [level, *rest])) or "none beyond the architecture's own"


def _caches(processor: Processor) -> str:
    numbers = Counter(
        (cache.level, _KINDS[cache.kind], cache.size_bytes, len(cache.cpus)) for cache in processor.caches
    )
    parts = []
    for (level, kind, size_bytes, sharing), number in numbers.items():
        times = f" × {number}" if number > 1 else ""
        shared = f" for {sharing} CPUs" if sharing > 1 else ""
        parts.append(f"L{level}{kind} {_kibibytes(size_bytes)}{shared}{times}")
    return ", ".join(parts) or "not told"


def _nodes(processor: Processor) -> str:
    if len(processor.nodes) < 2:
        return "one: all memory is equally near"
    return "; ".join(
        f"{node.id}: {ranges(node.cpus) if node.cpus else 'no'} CPUs"
        + ("" if node.memory_bytes is None else f", {node.memory_bytes / 1e9:.1f} GB")
        for node in processor.nodes
    )


def _backend(found: Accelerators) -> Check:
    name = _BACKENDS[found.backend]
    driver = f"driver {found.driver}" if found.driver else ""
    match found.state:
        case BackendState.READY:
            text = "; ".join(filter(None, [*map(_device, found.devices), driver]))
        case BackendState.EMPTY:
            text = f"no device; {', '.join(filter(None, [f'{found.library} is installed', driver]))}"
        case BackendState.ABSENT:
            text = "none: its library is not installed, and nothing needs it"
        case _:
            where = f"{found.library}: " if found.library else ""
            advice = "mend its driver, or remove it; ndfd does without"
            return Check(GROUP, name, Verdict.WARNING, f"{where}{found.problem or found.state.value}", advice)
    return Check(GROUP, name, Verdict.OK, text)


def _device(device: Device) -> str:
    memory = "" if device.memory_bytes is None else f" with {device.memory_bytes / 1e9:.1f} GB"
    return f"{device.name}{memory}{f' (driver {device.driver})' if device.driver else ''}"


def ranges(cpus: Collection[int]) -> str:
    """As the kernel writes a list of CPUs: "0-3,8"."""
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        if parts and parts[-1][-1] == cpu - 1:
            parts[-1][1:] = [cpu]
        else:
            parts.append([cpu])
    return ",".join("-".join(map(str, part)) for part in parts)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _kibibytes(size_bytes: int) -> str:
    return f"{size_bytes >> 20} MiB" if size_bytes % (1 << 20) == 0 else f"{size_bytes / 1024:g} KiB"
