"""The parts' own settings, made from the groups of the configuration. What fits this machine is judged here."""

from __future__ import annotations

from ndfd import platform
from ndfd.admission import Limits
from ndfd.config.context import Context
from ndfd.config.kinds import Share
from ndfd.config.places import home_dir
from ndfd.config.quantities import format_cpus, format_size
from ndfd.config.settings import (
    DocumentSettings,
    NetworkSettings,
    RuntimeSettings,
    SecuritySettings,
    Settings,
    SwarmSettings,
)
from ndfd.errors import ConfigError
from ndfd.server.generation import DoorLimits
from ndfd.supervisor import PoolLimits, ZygoteOptions


def worker_count(runtime: RuntimeSettings, swarm: SwarmSettings) -> int:
    """The worker processes; `ConfigError` when the memory that they may take together is too small for them.

    "auto" is one for each CPU they may use, quotas of the daemon's control group included, or as many as fit.
    """
    cpus = platform.usable_cpus() if swarm.cpus == "all" else min(platform.usable_cpus(), len(swarm.cpus))
    wanted = cpus if swarm.workers == "auto" else swarm.workers
    if runtime.max_memory == "unlimited":
        return wanted
    memory = runtime.max_memory
    if isinstance(memory, Share):
        memory = memory.of(platform.usable_memory())
    fit = memory // swarm.worker_memory
    least = 1 if swarm.workers == "auto" else wanted
    if fit < least:
        raise ConfigError(
            f"runtime.max_memory: {least} workers of {format_size(swarm.worker_memory)} (swarm.worker_memory) do not "
            f"fit into {format_size(memory)}",
            hint="raise it, or lower swarm.workers or swarm.worker_memory",
        )
    return min(wanted, fit)


def pool_limits(settings: Settings) -> PoolLimits:
    """What the pool takes on."""
    workers = worker_count(settings.runtime, settings.swarm)
    return PoolLimits(workers_min=workers, workers_max=workers, jobs_per_worker=settings.swarm.jobs_per_worker)


def zygote_options(context: Context, swarm: SwarmSettings, document: DocumentSettings) -> ZygoteOptions:
    """How workers are made; `ConfigError` names CPUs that there are not. Without folders, the system's are searched."""
    if swarm.cpus != "all" and (missing := swarm.cpus - platform.allowed_cpus()):
        raise ConfigError(
            f"swarm.cpus: the daemon may not use CPU {format_cpus(missing)}",
            hint=f"it may use {format_cpus(platform.allowed_cpus())}",
        )
    return ZygoteOptions(
        memory_bytes=swarm.worker_memory,
        font_dirs=document.fallback_font_dirs or platform.fallback_font_dirs(home_dir()),
        environment=context.child_environment(),
        cpus=None if swarm.cpus == "all" else swarm.cpus,
    )


def admission_limits(settings: Settings) -> Limits:
    """Whom the doors let in. One user never gets all places, or the others could not even be told to wait."""
    swarm, document = settings.swarm, settings.document
    return Limits(
        document_max_bytes=document.max_size,
        conversions_max=worker_count(settings.runtime, swarm) + swarm.max_queue,
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
