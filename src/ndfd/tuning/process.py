"""What the daemon and each worker shall have of the knobs that a process sets for itself: a decision about values.

Presets name only what is harmless and was measured to help, or what makes another key mean what it says; the rest is
for who asks for it by its key.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from ndfd.model.process_tuning import TuningState
from ndfd.model.topology import Cpu, ProcessLimits, Topology, format_cpus
from ndfd.model.tuning import Outcome, Preset
from ndfd.tuning import placement

#: Descriptors of the daemon: each connection and each conversion that waits holds one or two, and the usual limit of
#: 1024 is there for programs that call select(2).
OPEN_FILES = 65536
#: Added to the daemon's: a worker that holds next to nothing goes before a daemon that holds half of the machine.
WORKER_OOM_SCORE = 500
_OOM_SCORE_MAX = 1000

#: Priorities of fifo and rr, of 1 to 99. The daemon's is above its workers': it must be able to end them.
_WORKER_PRIORITY, _DAEMON_PRIORITY = 1, 2


class Affinity(enum.StrEnum):
    """How workers are bound to processors."""

    OFF = "off"
    #: The workers of a pool share as few nodes, and as fast cores, as do for all of them.
    POOL = "pool"
    #: Each worker has a processor of its own.
    WORKER = "worker"


class Scheduling(enum.StrEnum):
    """The policy of the kernel's scheduler for workers (sched(7))."""

    NORMAL = "normal"
    BATCH = "batch"
    IDLE = "idle"
    FIFO = "fifo"
    RR = "rr"

    @property
    def real_time(self) -> bool:
        """Whether nothing of the other policies runs while it does."""
        return self in (Scheduling.FIFO, Scheduling.RR)


@dataclass(frozen=True, slots=True)
class PoolWish:
    """What the configuration says of a pool."""

    #: Processors that its workers may run on; None for all that the daemon may.
    cpus: frozenset[int] | None
    #: Of them at most.
    workers: int
    #: Added to the daemon's nice value.
    nice: int = 0
    #: None: as the preset says.
    affinity: Affinity | None = None
    scheduling: Scheduling | None = None
    #: "best-effort 7", "idle"; None: it follows the nice value.
    io_priority: str | None = None
    #: Whether its workers shall have huge pages; None: as the kernel does it by itself.
    huge_pages: bool | None = None


@dataclass(frozen=True, slots=True)
class DaemonWish:
    """What the configuration says of the daemon's own process."""

    preset: Preset
    #: Nanoseconds, of the daemon and its workers; None: as the preset says.
    timer_slack_ns: int | None = None
    #: Whether its memory shall stay in memory.
    lock_memory: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where one worker runs."""

    cpu: int
    #: Whose memory it prefers; None where there is one node only.
    node: int | None = None


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """What a process sets for itself at its start."""

    #: By knob, in the order in which they are set.
    knobs: tuple[tuple[str, str], ...] = ()
    #: Why others are let be.
    skipped: tuple[TuningState, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolTuning:
    """What the zygote of a pool, and so each of its workers, sets for itself, and what each worker has of its own."""

    zygote: ProcessPlan = ProcessPlan()
    #: One for each worker, which has the first that the fewest others have; empty: none is bound.
    places: tuple[Place, ...] = ()


@dataclass(slots=True)
class _Draft:
    process: str
    pool: str | None
    knobs: list[tuple[str, str]]
    skipped: list[TuningState]

    def want(self, knob: str, value: str) -> None:
        self.knobs.append((knob, value))

    def skip(self, knob: str, reason: str) -> None:
        self.skipped.append(TuningState(knob, self.process, Outcome.SKIPPED, reason=reason, pool=self.pool))

    def plan(self) -> ProcessPlan:
        return ProcessPlan(tuple(self.knobs), tuple(self.skipped))


def of_daemon(wish: DaemonWish, limits: ProcessLimits, pools: Mapping[str, PoolWish]) -> ProcessPlan:
    """The daemon's own. With the preset "off" nothing but what a key of its own asks for."""
    draft = _Draft("daemon", None, [], [])
    off = wish.preset is Preset.OFF
    if off:
        draft.skip("open_files", _OFF)
    elif limits.open_files is None:
        draft.skip("open_files", "there is no limit")
    else:
        draft.want("open_files", str(raised_open_files(limits.open_files, limits.open_files_max)))
    # Measured under load where all get them: 14 MB of the daemon's 60 become huge pages, and it takes 60 as before.
    draft.skip("huge_pages", "they do the daemon no harm")
    if (slack := _timer_slack(wish)) is not None:
        draft.want("timer_slack", str(slack))
    else:
        draft.skip("timer_slack", _NO_GAIN)
    if wish.lock_memory:
        draft.want("memory_lock", "locked")
    else:
        draft.skip("memory_lock", "nobody asked for it: [tuning] lock_memory")
    real_time = next((pool.scheduling for pool in pools.values() if pool.scheduling in _REAL_TIME), None)
    if real_time is not None:
        # Not for what it starts, nor for its threads that wait for disks.
        draft.want("scheduling", f"{real_time.value} {_DAEMON_PRIORITY} reset-on-fork")
    return draft.plan()


def raised_open_files(soft: int, hard: int | None) -> int:
    """What the daemon's limit becomes: never less than it is, never more than it may be."""
    return max(soft, OPEN_FILES if hard is None else min(OPEN_FILES, hard))


def of_pools(
    wish: DaemonWish, limits: ProcessLimits, pools: Mapping[str, PoolWish], topology: Topology | None
) -> dict[str, PoolTuning]:
    """By name, the plans of the pools. `topology` may be None where `needs_topology` says so."""
    kinds = {name: _affinity(wish, pool) for name, pool in pools.items()}
    crowded = topology is not None and sum(pool.workers for pool in pools.values()) > len(topology.cpus)
    if crowded:
        # Whoever asks for it has it; a preset only where each has one of its own.
        kinds = {name: Affinity.OFF if pools[name].affinity is None else kind for name, kind in kinds.items()}
    demands = {
        name: placement.Demand(pool.cpus, pool.workers)
        for name, pool in pools.items()
        if kinds[name] is not Affinity.OFF
    }
    bound = {name: demand for name, demand in demands.items() if kinds[name] is Affinity.WORKER}
    each = {} if topology is None else placement.of_workers(topology, bound)
    plans = {}
    for name, pool in pools.items():
        draft = _Draft("zygote", name, [], [])
        places: tuple[Place, ...] = ()
        if topology is None or name not in demands:
            if pool.affinity is not None:
                draft.skip("affinity", "[swarm] affinity is off")
            else:
                draft.skip("affinity", "there are more workers than processors" if crowded else _NOT_ASKED)
        elif name in bound:
            several = len(topology.nodes) > 1
            places = tuple(Place(cpu.number, cpu.node if several else None) for cpu in each[name])
        else:
            _share(draft, topology, placement.of_pool(topology, demands[name]))
        _zygote(draft, wish, limits, pool)
        plans[name] = PoolTuning(draft.plan(), places)
    return plans


def needs_topology(wish: DaemonWish, pools: Mapping[str, PoolWish]) -> bool:
    """Whether any worker may be bound: only then the machine's processors have to be looked at."""
    return any(_affinity(wish, pool) is not Affinity.OFF for pool in pools.values())


_REAL_TIME = tuple(each for each in Scheduling if each.real_time)
_OFF = "the preset is off"
_NOT_ASKED = "the preset leaves it to the kernel"
_NO_GAIN = "no gain was measured, and nobody asked for it"


def _affinity(wish: DaemonWish, pool: PoolWish) -> Affinity:
    """Where others want the processors too, workers of one each are served sooner: the scheduler, left alone, puts two
    of them on one while they wake. More is not done by it, so it is in latency alone: a worker that is bound cannot get
    out of the way of another program that is."""
    if pool.affinity is not None:
        return pool.affinity
    return Affinity.WORKER if wish.preset is Preset.LATENCY else Affinity.OFF


def _share(draft: _Draft, topology: Topology, cpus: tuple[Cpu, ...]) -> None:
    if {cpu.number for cpu in cpus} == {cpu.number for cpu in topology.cpus}:
        draft.skip("affinity", "none is left out: the pool needs all, or all are of one kind and one node")
    else:
        draft.want("affinity", format_cpus(cpu.number for cpu in cpus))
    nodes = {cpu.node for cpu in cpus}
    if len(topology.nodes) < 2:
        draft.skip("memory_policy", "there is one memory node")
    elif len(nodes) == 1:
        draft.want("memory_policy", f"prefer {nodes.pop()}")
    else:
        draft.skip("memory_policy", "the pool's processors are of several nodes")


def _zygote(draft: _Draft, wish: DaemonWish, limits: ProcessLimits, pool: PoolWish) -> None:
    off = wish.preset is Preset.OFF
    if off:
        draft.skip("oom_score", _OFF)
    elif limits.oom_score is None:
        draft.skip("oom_score", "the kernel does not say what the daemon's is")
    else:
        draft.want("oom_score", str(min(_OOM_SCORE_MAX, limits.oom_score + WORKER_OOM_SCORE)))
    if pool.nice == 0:
        draft.skip("autogroup", "the priority is normal")
    elif off:
        draft.skip("autogroup", _OFF)
    elif not limits.autogroups:
        draft.skip("autogroup", "nice values hold between all processes here")
    else:
        draft.want("autogroup", str(pool.nice))
    if pool.scheduling is None:
        draft.skip("scheduling", _NO_GAIN)
    else:
        draft.want("scheduling", _policy(pool.scheduling))
    if pool.io_priority is None:
        draft.skip("io_priority", "it follows the nice value")
    else:
        draft.want("io_priority", pool.io_priority)
    if (slack := _timer_slack(wish)) is not None:
        draft.want("timer_slack", str(slack))
    if pool.huge_pages is False:
        draft.want("huge_pages", "disabled")
    elif pool.huge_pages is None:
        draft.skip("huge_pages", _NO_GAIN)
    else:
        draft.skip("huge_pages", f"the kernel gives them to {_given(limits.huge_pages)}")


def _policy(scheduling: Scheduling) -> str:
    if scheduling is Scheduling.NORMAL:
        return "other"
    return f"{scheduling.value} {_WORKER_PRIORITY}" if scheduling.real_time else scheduling.value


def _timer_slack(wish: DaemonWish) -> int | None:
    return wish.timer_slack_ns


def _given(mode: str | None) -> str:
    return {"always": "all", "madvise": "who asks for them"}.get(mode or "", "nobody")
