"""The pools of one generation by name; a pool may have served the generation before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from ndfd.daemon.running_pool import PoolPlan, RunningPool
from ndfd.model.crash import CrashReport
from ndfd.model.pools import DEFAULT_POOL, pool_unknown
from ndfd.model.process_tuning import TuningState
from ndfd.model.status import PoolStatus
from ndfd.supervisor import Pool, Snapshot, Zygote, ZygoteOptions


class Swarm:
    """Declared pools, each with the running one that serves it."""

    def __init__(
        self,
        plans: Mapping[str, PoolPlan],
        former: Swarm | None,
        numbers: Iterator[int],
        on_crash: Callable[[CrashReport], None],
        make_zygote: Callable[[ZygoteOptions], Zygote] = Zygote,
    ) -> None:
        """Of `former` those go on whose workers would be made the same way; `start` starts the others.

        `numbers` are those that workers get; `on_crash` is told of each that a document ended.
        """
        self.plans = plans
        self.pools: dict[str, RunningPool] = {}
        #: Those that `start` has to start.
        self.new: list[RunningPool] = []
        for name, plan in plans.items():
            pool = None if former is None else former.pools.get(name)
            if pool is None or not pool.serves(plan):
                pool = RunningPool(name, plan, numbers, on_crash, make_zygote)
                self.new.append(pool)
            self.pools[name] = pool

    async def start(self) -> None:
        """Returns when a worker of each new pool has converted the built-in document.

        `WorkerStartFailed`, which names the pool, and nothing of the new ones left, when one does not.
        """
        starts = [asyncio.create_task(pool.start(), name=f"start pool {pool.name}") for pool in self.new]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await self.discard()
            raise

    async def discard(self) -> None:
        """Ends the new pools, which nobody has used yet."""
        await asyncio.gather(*(pool.pool.stop() for pool in self.new))

    def use(self) -> None:
        """The limits hold from now on, for those too that served the generation before."""
        for name, plan in self.plans.items():
            self.pools[name].pool.reconfigure(plan.limits)

    def without(self, other: Swarm) -> Iterable[RunningPool]:
        """The pools that the other one does not have."""
        kept = set(other.pools.values())
        return [pool for pool in self.pools.values() if pool not in kept]

    @contextlib.contextmanager
    def held(self, name: str | None) -> Iterator[Pool]:
        """The pool of this name, or the default one, for the length of the block; `PoolUnknown` names the others."""
        name = DEFAULT_POOL if name is None else name
        pool = self.pools.get(name)
        if pool is None:
            raise pool_unknown(name, self.pools)
        with pool.held:
            yield pool.pool

    async def renew(self, name: str | None) -> int:
        """Replaces every worker of the pool of this name, or of all; how many were."""
        with contextlib.ExitStack() as stack:
            pools = [stack.enter_context(self.held(each)) for each in (self.pools if name is None else (name,))]
            return sum(await asyncio.gather(*(pool.renew() for pool in pools)))

    def tuning(self) -> Iterator[TuningState]:
        """What came of the knobs that workers have from their zygotes, pool by pool."""
        return (state for pool in self.pools.values() for state in pool.tuning)

    def status(self, snapshots: Mapping[RunningPool, Snapshot]) -> tuple[PoolStatus, ...]:
        """Of each pool, the default one first."""
        return tuple(
            PoolStatus(
                name=name,
                role=plan.role.value,
                workers_min=plan.limits.workers_min,
                workers_max=plan.limits.workers_max,
                queued=snapshots[self.pools[name]].queued,
                error="; ".join(snapshots[self.pools[name]].warnings) or None,
            )
            for name, plan in self.plans.items()
        )
