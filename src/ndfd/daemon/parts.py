"""The parts' own settings, made from the groups of the configuration. What fits this machine is judged here."""

from __future__ import annotations

from collections.abc import Mapping

from ndfd import platform
from ndfd.admission import Limits
from ndfd.config.context import Context
from ndfd.config.group import fallbacks
from ndfd.config.kinds import Share
from ndfd.config.places import home_dir
from ndfd.config.pool_settings import PoolSettings
from ndfd.config.quantities import format_cpus, format_size
from ndfd.config.settings import (
    NetworkSettings,
    RuntimeSettings,
    SecuritySettings,
    Settings,
    SwarmSettings,
)
from ndfd.daemon.allotment import Demand, allot
from ndfd.daemon.process_tuning import own_knobs, tuning_of_pools
from ndfd.daemon.running_pool import PoolPlan
from ndfd.errors import ConfigError
from ndfd.model.pools import DEFAULT_POOL
from ndfd.server.generation import DoorLimits
from ndfd.supervisor import PoolLimits, Reuse, ZygoteOptions
from ndfd.tuning.process import PoolTuning


def pool_plans(context: Context, settings: Settings) -> dict[str, PoolPlan]:
    """By name, what there is to know of each pool; `ConfigError` for what this machine does not have.

    Blocks: it looks for fonts in the system's folders.
    """
    workers, shard_pages = worker_counts(settings.runtime, settings.swarm), settings.swarm.shard_pages
    tuned = tuning_of_pools(settings, workers)
    plans = {}
    for name, pool in settings.swarm.every_pool().items():
        limits = PoolLimits(
            workers_min=workers[name] if pool.min == "all" else pool.min,
            workers_max=workers[name],
            jobs_per_worker=settings.swarm.jobs_per_worker,
            idle_timeout_s=pool.idle_timeout,
            reuse=Reuse(settings.sandbox.reuse),
            cpu_s=None if settings.swarm.worker_cpu == "unlimited" else settings.swarm.worker_cpu,
        )
        options = zygote_options(context, settings, name, pool, tuned[name])
        pages_max = None if shard_pages == "off" else shard_pages
        plans[name] = PoolPlan(pool.role, options, limits, pages_max, tuned[name].zygote.skipped)
    return plans


def worker_counts(runtime: RuntimeSettings, swarm: SwarmSettings) -> dict[str, int]:
    """By pool, the worker processes at most; `ConfigError` when they may together take too little memory for that.

    "auto" is one for each CPU they may use, quotas of the daemon's control group included, or as many as fit.
    """
    demands = {name: _demand(pool) for name, pool in swarm.every_pool().items()}
    memory = runtime.max_memory
    if isinstance(memory, Share):
        memory = memory.of(platform.usable_memory())
    counts = allot(demands, None if memory == "unlimited" else memory)
    if counts is None:
        assert memory != "unlimited"
        raise _too_little(memory, demands)
    return counts


def _demand(pool: PoolSettings) -> Demand:
    if pool.max != "auto":
        return Demand(pool.max, pool.max, pool.memory)
    cpus = platform.usable_cpus() if pool.cpus == "all" else min(platform.usable_cpus(), len(pool.cpus))
    least = 1 if pool.min == "all" else max(1, pool.min)
    return Demand(least, max(least, cpus), pool.memory)


def _too_little(memory_bytes: int, demands: Mapping[str, Demand]) -> ConfigError:
    asked = " and ".join(
        f"{demand.least} workers of {format_size(demand.memory_bytes)} ({_key(name, 'memory')})"
        for name, demand in demands.items()
    )
    keys = (f"{_key(name, 'max')} or {_key(name, 'memory')}" for name in demands)
    return ConfigError(
        f"runtime.max_memory: {asked} do not fit into {format_size(memory_bytes)}",
        hint=f"raise it, or lower {', '.join(keys)}",
    )


def _key(pool: str, name: str) -> str:
    """The path of a pool's key, wherever the pool is described."""
    if pool != DEFAULT_POOL:
        return f"swarm.pools.{pool}.{name}"
    return fallbacks(PoolSettings)[name]


def zygote_options(
    context: Context, settings: Settings, name: str, pool: PoolSettings, tuned: PoolTuning
) -> ZygoteOptions:
    """How workers are made; `ConfigError` names CPUs that there are not. Without folders, the system's are searched."""
    if pool.cpus != "all" and (missing := pool.cpus - platform.allowed_cpus()):
        raise ConfigError(
            f"{_key(name, 'cpus')}: the daemon may not use CPU {format_cpus(missing)}",
            hint=f"it may use {format_cpus(platform.allowed_cpus())}",
        )
    return ZygoteOptions(
        memory_bytes=pool.memory,
        font_dirs=settings.document.fallback_font_dirs or platform.fallback_font_dirs(home_dir()),
        allow=settings.sandbox.allow,
        environment=platform.allocator_environment(
            context.child_environment(), huge_pages=settings.swarm.huge_pages is True
        ),
        cpus=None if pool.cpus == "all" else pool.cpus,
        nice=pool.priority.nice,
        tuning=tuned.zygote.knobs,
        places=tuple(map(own_knobs, tuned.places)),
    )


def admission_limits(settings: Settings) -> Limits:
    """Whom the doors let in. One user never gets all places, or the others could not even be told to wait."""
    swarm, document = settings.swarm, settings.document
    return Limits(
        document_max_bytes=document.max_size,
        conversions_max=sum(worker_counts(settings.runtime, swarm).values()) + swarm.max_queue,
        conversions_per_user_max=swarm.max_per_user,
        default_deadline_s=document.default_deadline,
        max_deadline_s=document.max_deadline,
    )


def door_limits(network: NetworkSettings) -> DoorLimits:
    """What the doors allow their callers."""
    return DoorLimits(network.max_connections, network.max_connections_per_user, network.stall_timeout)


def admin_uids(security: SecuritySettings) -> frozenset[int]:
    """The users who may administer the daemon; `ConfigError` for a name that this machine does not know."""
    uids = set()
    for name in security.admins:
        try:
            uids.add(platform.user_id(name) if isinstance(name, str) else name)
        except KeyError:
            raise ConfigError(
                f"security.admins: there is no user {name!r} on this machine", hint="check the name with `id NAME`"
            ) from None
    return frozenset(uids)
