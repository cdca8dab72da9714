"""What each knob shall be: what the operator says, else the preset."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ndfd.config.quantities import format_cpus, parse_cpus
from ndfd.config.tuning_settings import AWAY, KEEP, OF_PRESET, TuningSettings
from ndfd.model.tuning import Preset, Wish
from ndfd.platform import KernelFiles
from ndfd.tuning.catalogue import KNOBS

_ONLINE = "/sys/devices/system/cpu/online"

#: By knob: the value, and whether more of it is as good.
_Values = Mapping[str, tuple[str, bool]]

#: Nothing: of what hurts nobody, nothing was seen to help. Huge pages for who asks for them (transparent_hugepages
#: "madvise" for "never") took 0.99 of the CPU time (95 %: 0.97-1.03) over documents of all lengths, and 0.97 of it
#: (0.95-1.01) for one of 143 pages.
_SAFE: _Values = {}

#: All CPUs at their full speed as long as there is work. Not measured: virtual machines leave that to their host.
_FULL_SPEED: _Values = {
    "cpu_energy_preference": ("performance", False),
    "cpu_governor": ("performance", False),
}

PRESETS: Mapping[Preset, _Values] = MappingProxyType(
    {
        Preset.OFF: {},
        Preset.SAFE: _SAFE,
        # Measured (`scripts/bench tuning`) and left out, as no gain was seen, in CPU time with it by CPU time without:
        # swappiness 10 for 60: 0.98 (95 %: 0.97-1.11), on a machine without swap; zone_reclaim_mode 0 for 1: 0.99
        # (0.98-1.01), on one memory node; overcommit_memory 1: 1.02 (0.96-1.08); max_map_count: 1.01 (0.96-1.05);
        # documents in huge pages that are kept: 0.98 (0.97-1.00), where the same work beside itself gave 0.98.
        Preset.THROUGHPUT: {**_SAFE, **_FULL_SPEED},
        Preset.LATENCY: {
            **_SAFE,
            **_FULL_SPEED,
            # What ndfd's workers ask for with madvise is given to them; nobody else gets huge pages that did not ask.
            "transparent_hugepages": ("madvise", True),
            # No caller waits while the kernel makes a huge page for a program that did not ask for one.
            "transparent_hugepage_defrag": ("madvise", False),
            # What was swapped out keeps its next caller waiting, and what is near is used sooner than what is far.
            "swappiness": ("1", False),
            "zone_reclaim_mode": ("0", False),
            "irq_affinity": (AWAY, True),
        },
    }
)


def wishes(settings: TuningSettings, pinned: frozenset[int], kernel: KernelFiles) -> Mapping[str, Wish]:
    """By the name of the knob. `pinned` are the CPUs that workers are bound to, where they are bound."""
    return {name: _resolved(_wish(settings, name), pinned, kernel) for name in KNOBS}


def _wish(settings: TuningSettings, name: str) -> Wish:
    given = getattr(settings, name)
    if given == KEEP:
        return Wish(None, f"[tuning] {name}", reason="it is left as it is ([tuning])")
    if given != OF_PRESET:
        text = format_cpus(given) if isinstance(given, frozenset) else str(given)
        return Wish(text, f"[tuning] {name}", at_least=given == AWAY, explicit=True)
    preset = Preset(settings.preset)
    if (found := PRESETS[preset].get(name)) is None:
        return Wish(None, f"preset {preset}", reason=f"the preset {preset} leaves it as it is")
    return Wish(found[0], f"preset {preset}", at_least=found[1])


def _resolved(wish: Wish, pinned: frozenset[int], kernel: KernelFiles) -> Wish:
    """With the CPUs that interrupts shall go to."""
    if wish.value != AWAY:
        return wish
    if not pinned:
        return Wish(None, wish.source, reason="no worker is bound to certain CPUs ([swarm] cpus)")
    try:
        rest = parse_cpus(kernel.read(_ONLINE).strip()) - pinned
    except (OSError, ValueError):
        return Wish(None, wish.source, reason="the system does not say which CPUs it has")
    if not rest:
        return Wish(None, wish.source, reason="workers are bound to all CPUs: none is left for interrupts")
    return Wish(format_cpus(rest), wish.source, at_least=True, explicit=wish.explicit)
