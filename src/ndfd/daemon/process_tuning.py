"""What the configuration says of the knobs of processes: used by the daemon for itself, and told to its zygotes."""

from __future__ import annotations

from collections.abc import Mapping

from ndfd import platform
from ndfd.config.settings import Settings
from ndfd.daemon.running_pool import log_tuning
from ndfd.model.process_tuning import TuningState
from ndfd.model.tuning import Outcome, Preset
from ndfd.tuning import process
from ndfd.tuning.process import Affinity, DaemonWish, Place, PoolTuning, PoolWish, Scheduling

#: Levels of the class that every process has, from 0, the first, to 7 (ioprio_set(2)).
_IO_PRIORITIES = {"high": "best-effort 0", "normal": "best-effort 4", "low": "best-effort 7", "idle": "idle"}


def tuning_of_pools(settings: Settings, workers: Mapping[str, int]) -> dict[str, PoolTuning]:
    """By pool. Reads a little of /proc and /sys."""
    wish, wishes = _wish(settings), _pool_wishes(settings, workers)
    topology = platform.process.topology() if process.needs_topology(wish, wishes) else None
    return process.of_pools(wish, platform.process.limits(), wishes, topology)


def own_knobs(place: Place) -> tuple[tuple[str, str], ...]:
    """What a worker sets for itself to be there."""
    node = () if place.node is None else (("memory_policy", f"prefer {place.node}"),)
    return (("affinity", str(place.cpu)), *node)


class OwnTuning:
    """The knobs of the daemon's own process. Belongs to the thread of the event loop."""

    def __init__(self) -> None:
        #: What came of them.
        self.states: tuple[TuningState, ...] = ()
        #: What they were before they were first set.
        self._before: dict[str, str] = {}

    def use(self, settings: Settings) -> None:
        """Sets those of this configuration, and sets those back that only a former one had."""
        wishes = _pool_wishes(settings, dict.fromkeys(settings.swarm.every_pool(), 1))
        plan = process.of_daemon(_wish(settings), platform.process.limits(), wishes)
        wanted = dict(plan.knobs)
        states = []
        for knob in [knob for knob in self._before if knob not in wanted]:
            restored = platform.process.apply(knob, self._before.pop(knob), "daemon")
            if restored.outcome not in (Outcome.SAME, Outcome.APPLIED):
                states.append(restored)
        for knob, value in plan.knobs:
            before = platform.process.read(knob)
            state = platform.process.apply(knob, value, "daemon")
            if state.outcome is Outcome.APPLIED and before is not None:
                self._before.setdefault(knob, before)
            states.append(state)
        log_tuning(states)
        self.states = (*states, *plan.skipped)


def _wish(settings: Settings) -> DaemonWish:
    slack = settings.runtime.timer_slack_ns
    return DaemonWish(
        preset=Preset(settings.tuning.preset),
        timer_slack_ns=None if slack == "auto" else slack,
        lock_memory=settings.runtime.lock_memory,
    )


def _pool_wishes(settings: Settings, workers: Mapping[str, int]) -> dict[str, PoolWish]:
    return {
        name: PoolWish(
            cpus=None if pool.cpus == "all" else pool.cpus,
            workers=workers[name],
            nice=pool.priority.nice,
            affinity=None if pool.affinity == "auto" else Affinity(pool.affinity),
            scheduling=None if pool.scheduling == "auto" else Scheduling(pool.scheduling),
            io_priority=_IO_PRIORITIES.get(pool.io_priority),
            huge_pages=None if settings.swarm.huge_pages == "auto" else settings.swarm.huge_pages,
        )
        for name, pool in settings.swarm.every_pool().items()
    }
