"""The parts' own settings, made from the groups of the configuration."""

from __future__ import annotations

from ndfd import platform
from ndfd.admission import Limits
from ndfd.config.places import home_dir
from ndfd.config.settings import DocumentSettings, SwarmSettings
from ndfd.supervisor import PoolLimits, ZygoteOptions


def worker_count(swarm: SwarmSettings) -> int:
    """The worker processes; "auto" is one for each CPU this process may use, quotas of its control group included."""
    return platform.usable_cpus() if swarm.workers == "auto" else swarm.workers


def pool_limits(swarm: SwarmSettings, document: DocumentSettings) -> PoolLimits:
    """What the pool takes on."""
    return PoolLimits(
        workers=worker_count(swarm),
        max_queue=swarm.max_queue,
        default_deadline_s=document.default_deadline,
        max_deadline_s=document.max_deadline,
        jobs_per_worker=swarm.jobs_per_worker,
    )


def zygote_options(swarm: SwarmSettings, document: DocumentSettings) -> ZygoteOptions:
    """How workers are made. Without folders in the settings, the system's are searched."""
    return ZygoteOptions(
        memory_bytes=swarm.worker_memory,
        font_dirs=document.fallback_font_dirs or platform.fallback_font_dirs(home_dir()),
    )


def admission_limits(swarm: SwarmSettings, document: DocumentSettings) -> Limits:
    """Whom the doors let in. One user never gets all places, or the others could not even be told to wait."""
    places = worker_count(swarm) + swarm.max_queue
    return Limits(
        document_max_bytes=document.max_size,
        conversions_max=places,
        conversions_per_user_max=swarm.max_per_user,
    )
