"""Generations: each configuration prepared whole before it is used, and then used in one step."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp

from ndfd.config.context import Context
from ndfd.config.load import Loaded
from ndfd.daemon.durable_jobs import JobParts
from ndfd.daemon.kept_listener import KeptListener
from ndfd.daemon.measured import Counts, MeasuredPools
from ndfd.daemon.network_door import NetworkDoor, prepare_network_door
from ndfd.daemon.parts import admin_uids, admission_limits, door_limits, pool_plans
from ndfd.daemon.running_pool import PoolPlan
from ndfd.daemon.sharded import ShardedPools
from ndfd.daemon.swarm import Swarm
from ndfd.errors import ShuttingDown
from ndfd.model.configuration import Configuration
from ndfd.model.crash import CrashReport
from ndfd.model.pools import DEFAULT_POOL
from ndfd.model.status import EngineStatus
from ndfd.server.generation import Generation, Serving
from ndfd.server.methods import Daemon as DaemonMethods
from ndfd.server.methods import Methods
from ndfd.server.network import tls_context
from ndfd.supervisor import Zygote, ZygoteOptions
from ndfd.telemetry.logs import PreparedLogs, prepare_logs
from ndfd.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Parts:
    """What one generation runs on; pools and a network door may have served the one before."""

    loaded: Loaded
    generation: Generation
    swarm: Swarm
    #: Those of the swarm, as whoever converts has them.
    pools: MeasuredPools
    #: What it says of jobs, where any are kept.
    jobs: JobParts
    network: NetworkDoor | None
    logs: PreparedLogs
    engine: EngineStatus
    #: Seconds since 1970.
    loaded_at: float = field(default_factory=time.time)

    def told(self) -> Configuration:
        """As the API tells it."""
        return Configuration(
            generation=self.generation.number,
            hash=self.loaded.hash,
            loaded_at=self.loaded_at,
            settings=tuple(self.loaded.resolved.values()),
            files=self.loaded.files,
            warnings=self.loaded.warnings,
        )

    def files(self) -> tuple[Path, ...]:
        """The files beside those of the configuration that it was made from."""
        settings = self.loaded.settings
        secrets = [setting.origin.secret_file for setting in self.loaded.resolved.values()]
        tls = (settings.network.tls_certificate, settings.network.tls_key)
        return (*(Path(path) for path in secrets if path is not None), *(path for path in tls if path is not None))


class Preparation:
    """Makes the parts of the next generation beside those of the one that serves."""

    def __init__(
        self,
        context: Context,
        daemon: DaemonMethods,
        serving: Serving,
        app: ASGIApp,
        metrics: Metrics,
        counts: Counts,
        on_crash: Callable[[CrashReport], None],
        make_zygote: Callable[[ZygoteOptions], Zygote],
        kept_listener: KeptListener,
    ) -> None:
        self._context = context
        self._daemon = daemon
        self._serving = serving
        self._app = app
        self._metrics = metrics
        self._counts = counts
        self._on_crash = on_crash
        self._make_zygote = make_zygote
        self._kept_listener = kept_listener
        self._worker_numbers = itertools.count(1)

    async def judge(self, loaded: Loaded) -> tuple[dict[str, PoolPlan], frozenset[int], JobParts]:
        """What workers there will be, who administers, and what holds for jobs; opens and starts nothing.

        `ConfigError` for what does not fit this machine.
        """
        settings = loaded.settings
        if settings.network.tls_certificate is not None and settings.network.tls_key is not None:
            tls_context(settings.network.tls_certificate, settings.network.tls_key)
        # Blocks: it looks for fonts in the system's folders, and for users in its databases.
        plans = await asyncio.to_thread(pool_plans, self._context, settings)
        admins = await asyncio.to_thread(admin_uids, settings.security)
        jobs = await asyncio.to_thread(JobParts.of, loaded, plans)
        return plans, admins, jobs

    async def prepare(self, loaded: Loaded, former: Parts | None) -> Parts:
        """Everything opened, started and tried, and nothing of it in use.

        The error says why that cannot be; nothing is left open or running then.
        """
        settings = loaded.settings
        plans, admins, jobs = await self.judge(loaded)
        async with contextlib.AsyncExitStack() as undo:
            network = prepare_network_door(
                settings.network,
                self._app,
                self._serving,
                None if former is None else former.network,
                self._kept_listener.take_up,
            )
            if network is not None and (former is None or network is not former.network):
                undo.callback(network.discard)
            logs = prepare_logs(settings.logging)
            undo.callback(logs.discard)
            swarm = Swarm(
                plans, None if former is None else former.swarm, self._worker_numbers, self._on_crash, self._make_zygote
            )
            await swarm.start()
            undo.push_async_callback(swarm.discard)
            if self._daemon.occupancy.stopping:
                raise ShuttingDown("the daemon is stopping and takes no new configuration")
            # From here to its use nothing waits, so nothing can come in between.
            undo.pop_all()
        pools = MeasuredPools(ShardedPools(swarm), self._metrics, self._counts)
        methods = Methods(
            1 if former is None else former.generation.number + 1,
            self._daemon,
            pools,
            admission_limits(settings),
            admins=admins,
        )
        token = settings.security.token
        generation = Generation(
            methods,
            door_limits(settings.network),
            None if token is None else token.get_secret_value(),
            settings.metrics.enabled,
        )
        return Parts(loaded, generation, swarm, pools, jobs, network, logs, swarm.pools[DEFAULT_POOL].engine)
