"""What is tried: each knob with two values, of which the first is what there would be without it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ndfd import platform

_VARIABLE = "GLIBC_TUNABLES"
_HUGE = "glibc.malloc.hugetlb=1"
_KEEP = platform.allocator_environment({}, huge_pages=False).get(_VARIABLE, "")
#: What workers get from the daemon: both of them.
AS_WORKERS = platform.allocator_environment({}, huge_pages=True).get(_VARIABLE, "")


@dataclass(frozen=True)
class Side:
    """How the same work is done."""

    #: What each worker sets for itself.
    knobs: tuple[tuple[str, str], ...] = ()
    #: Of the system, while this side works.
    system: tuple[tuple[str, str], ...] = ()
    #: GLIBC_TUNABLES of the zygote.
    tunables: str = AS_WORKERS
    #: How workers hold the document: "mapped", "madvise", "collapse", "hugetlb".
    buffer: str = "mapped"
    #: Whether each worker has a CPU of its own.
    own_cpu: bool = False
    #: Sides with another number have another zygote, even if it is like the first.
    zygote: int = 0


@dataclass(frozen=True)
class Trial:
    """One line of the table."""

    #: "swappiness 60 -> 10".
    name: str
    #: Names the knob to `--only`, and to the presets.
    knob: str
    off: Side = field(default_factory=Side)
    on: Side = field(default_factory=Side)
    #: What is on, as a preset writes it.
    value: str = ""
    #: What to know of the figure.
    note: str = ""

    @property
    def control(self) -> bool:
        """Whether what it shows is noise, as both sides do the same, or what differs has no part in a conversion."""
        return self.knob == CHECK or self.note == NOT_ON_THE_WAY

    @property
    def root(self) -> bool:
        """Whether only root can try it."""
        return bool(self.off.system or self.on.system)


#: The same on both sides: what they differ by is noise.
CHECK = "A/A"
NOT_ON_THE_WAY = "not on the way of a conversion"


def _own(name: str, value: str, *, off: str | None = None, note: str = "") -> Trial:
    before = Side() if off is None else Side(knobs=((name, off),))
    shown = f"{name} {value}" if off is None else f"{name} {off} -> {value}"
    return Trial(shown, name, before, Side(knobs=((name, value),)), value, note)


def _system(name: str, off: str, on: str, note: str = "", buffer: str = "mapped") -> Trial:
    without, having = (Side(system=((name, value),), buffer=buffer) for value in (off, on))
    return Trial(f"{name} {off} -> {on}", name, without, having, on, note)


#: In the order in which they are tried.
TRIALS: tuple[Trial, ...] = (
    Trial("A/A, one zygote", CHECK, note="the noise of the machine"),
    Trial("A/A, two zygotes", CHECK, on=Side(zygote=1), note="and of how a process came to lie in memory"),
    Trial("affinity worker", "affinity", on=Side(own_cpu=True), value="worker"),
    _own("scheduling", "batch"),
    _own("scheduling", "idle"),
    _own("nice", "-5"),
    _own("nice", "10"),
    _own("io_priority", "best-effort 0", note="documents are in the page cache"),
    _own("timer_slack", "1"),
    _own("timer_slack", "1000000"),
    _own("huge_pages", "disabled", note="PR_SET_THP_DISABLE, over glibc.malloc.hugetlb=1"),
    Trial("malloc keeps memory", "malloc_keep", Side(tunables=_HUGE), note="trim_threshold, mmap_threshold, top_pad"),
    Trial("malloc madvises huge pages", "malloc_hugetlb", Side(tunables=_KEEP), note="glibc.malloc.hugetlb=1"),
    Trial("malloc arena_max 1", "malloc_arenas", on=Side(tunables=f"{AS_WORKERS}:glibc.malloc.arena_max=1")),
    Trial("document MADV_HUGEPAGE", "document_buffer", on=Side(buffer="madvise"), note="a copy, instead of a mapping"),
    Trial("document MADV_COLLAPSE", "document_buffer", on=Side(buffer="collapse"), note="a copy, instead of a mapping"),
    _system("transparent_hugepages", "never", "madvise"),
    _system("transparent_hugepages", "madvise", "always"),
    _system("transparent_hugepage_defrag", "madvise", "defer"),
    _system("nr_hugepages", "0", "64", "the document in MAP_HUGETLB, else in MADV_HUGEPAGE", "hugetlb"),
    _system("overcommit_memory", "0", "1"),
    _system("swappiness", "60", "10"),
    _system("max_map_count", "65530", "1048576"),
    _system("zone_reclaim_mode", "1", "0"),
    _system("somaxconn", "128", "65535", NOT_ON_THE_WAY),
    _system("rmem_max", "212992", "16777216", NOT_ON_THE_WAY),
    _system("wmem_max", "212992", "16777216", NOT_ON_THE_WAY),
    _system("inotify_max_user_watches", "65536", "1048576", NOT_ON_THE_WAY),
    _system("cpu_energy_preference", "balance_performance", "performance"),
    _system("cpu_governor", "powersave", "performance"),
)

#: Why there is no trial of it.
NOT_TRIED = {
    "oom_score": "not for speed: who is ended first",
    "open_files": "not for speed: how many may be served at once",
    "memory_lock": "not for speed: the daemon answers while there is no memory",
    "autogroup": "as nice, between sessions",
    "memory_policy": "needs two memory nodes",
    "irq_affinity": "needs CPUs that workers are bound to, which is no gain by itself",
    "inotify_max_user_instances": NOT_ON_THE_WAY,
    "inotify_max_queued_events": NOT_ON_THE_WAY,
}
