"""The keys of tuning: what of the system is made fit for conversions, and what is left as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from ndfd.config import kinds
from ndfd.config.group import Group
from ndfd.config.group import key as _key_of
from ndfd.model.configuration import Effect

#: The words that stand for no value of a knob.
OF_PRESET = "preset"
KEEP = "keep"
#: All CPUs but those that workers are bound to.
AWAY = "away"

_WORDS = (OF_PRESET, KEEP)
_INT_MAX = 2**31 - 1

_Word = Literal["preset", "keep"]
_Number = Annotated[int | _Word, kinds.Number(0, _INT_MAX, words=_WORDS)]


def key(default: Any, meaning: str) -> Any:
    """One that the daemon does not use."""
    return _key_of(default, meaning, Effect.TUNE)


class TuningSettings(Group):
    """Settings of the system, which ndfd tune apply writes as root, and ndfd tune revert puts back."""

    preset: Annotated[
        Literal["off", "safe", "throughput", "latency"], kinds.Choice(("off", "safe", "throughput", "latency"))
    ] = _key_of(
        "safe",
        'What is tuned where nothing else is said: "off" nothing, "safe" what is harmless and helps, "throughput" what '
        'gets more documents done, at the cost of power, "latency" what keeps single callers from waiting. It holds '
        "for what the daemon and its workers set for themselves, too. Of each key "
        'below, "preset" is what this says, and "keep" leaves it as it is.',
        Effect.NEW_WORKERS,
    )
    journal: Annotated[Path | Literal["auto"], kinds.FilePath(words=("auto",))] = key(
        "auto",
        "File that holds what was there before. Only root may write to it and its folder: what it says is written to "
        'the kernel. "auto": /var/lib/ndfd-tune/journal, beside the state folder, which is the daemon\'s and which a '
        "restore exchanges.",
    )
    transparent_hugepages: Annotated[
        Literal["preset", "keep", "never", "madvise", "always"],
        kinds.Choice((*_WORDS, "never", "madvise", "always")),
    ] = key(OF_PRESET, "Who gets huge pages without a pool of them (/sys/kernel/mm/transparent_hugepage/enabled).")
    transparent_hugepage_defrag: Annotated[
        Literal["preset", "keep", "never", "madvise", "defer", "defer+madvise", "always"],
        kinds.Choice((*_WORDS, "never", "madvise", "defer", "defer+madvise", "always")),
    ] = key(OF_PRESET, "Who waits until there is one (/sys/kernel/mm/transparent_hugepage/defrag).")
    nr_hugepages: _Number = key(
        OF_PRESET, "Huge pages that are kept for programs that ask for them by name (vm.nr_hugepages)."
    )
    overcommit_memory: Annotated[int | _Word, kinds.Number(0, 2, words=_WORDS)] = key(
        OF_PRESET,
        "Whether more memory may be promised than there is: 0 within reason, 1 always, 2 never (vm.overcommit_memory). "
        "With 2 the address space of the workers counts in full.",
    )
    swappiness: Annotated[int | _Word, kinds.Number(0, 200, words=_WORDS)] = key(
        OF_PRESET,
        "How soon memory of programs is swapped out to keep files in memory (vm.swappiness); above 100 since Linux 5.8.",
    )
    max_map_count: _Number = key(OF_PRESET, "Mappings that a process may have (vm.max_map_count).")
    zone_reclaim_mode: Annotated[int | _Word, kinds.Number(0, 7, words=_WORDS)] = key(
        OF_PRESET, "Whether memory near a CPU is freed before that of another node is used (vm.zone_reclaim_mode)."
    )
    rmem_max: Annotated[int | _Word, kinds.Size(2304, _INT_MAX, words=_WORDS)] = key(
        OF_PRESET, "Largest receive buffer that a socket may ask for (net.core.rmem_max)."
    )
    wmem_max: Annotated[int | _Word, kinds.Size(4608, _INT_MAX, words=_WORDS)] = key(
        OF_PRESET, "Largest send buffer that a socket may ask for (net.core.wmem_max)."
    )
    somaxconn: Annotated[int | _Word, kinds.Number(1, _INT_MAX, words=_WORDS)] = key(
        OF_PRESET, "Connections that may wait at a socket to be accepted (net.core.somaxconn)."
    )
    inotify_max_user_instances: _Number = key(
        OF_PRESET, "Watchers of files that each user may have (fs.inotify.max_user_instances)."
    )
    inotify_max_user_watches: _Number = key(
        OF_PRESET, "Files and folders that each user may watch (fs.inotify.max_user_watches)."
    )
    inotify_max_queued_events: _Number = key(
        OF_PRESET, "Events that may wait for a watcher (fs.inotify.max_queued_events)."
    )
    cpu_energy_preference: Annotated[
        Literal["preset", "keep", "default", "performance", "balance_performance", "balance_power", "power"],
        kinds.Choice((*_WORDS, "default", "performance", "balance_performance", "balance_power", "power")),
    ] = key(OF_PRESET, "What a CPU that sets its own speed goes for (cpufreq energy_performance_preference).")
    cpu_governor: Annotated[
        Literal["preset", "keep", "performance", "powersave", "schedutil", "ondemand", "conservative"],
        kinds.Choice((*_WORDS, "performance", "powersave", "schedutil", "ondemand", "conservative")),
    ] = key(OF_PRESET, "Who sets the speed of the CPUs (cpufreq scaling_governor).")
    irq_affinity: Annotated[frozenset[int] | Literal["preset", "keep", "away"], kinds.Cpus(words=(*_WORDS, AWAY))] = (
        key(
            OF_PRESET,
            'CPUs that interrupts go to (/proc/irq/N/smp_affinity_list). "away": all but those that workers are '
            "bound to ([swarm] cpus and those of the pools).",
        )
    )
