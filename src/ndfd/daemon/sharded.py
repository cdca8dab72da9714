"""The pools with their long documents read by several workers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ndfd.daemon.swarm import Swarm
from ndfd.model.pools import DEFAULT_POOL
from ndfd.supervisor import Sharding


class ShardedPools:
    """Gives out the pools of a generation, as its plans say."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm

    @contextlib.contextmanager
    def held(self, name: str | None) -> Iterator[Sharding]:
        """As the swarm's own."""
        with self._swarm.held(name) as pool:
            plan = self._swarm.plans[name or DEFAULT_POOL]
            yield Sharding(pool, plan.limits.workers_max, plan.pages_max)

    async def renew(self, name: str | None) -> int:
        """As the swarm's own."""
        return await self._swarm.renew(name)
