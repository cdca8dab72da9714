"""What the configuration says of durable jobs, as their parts take it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ndfd.admission import JobLimits
from ndfd.config.job_settings import StorageSettings
from ndfd.config.places import default_state_dir
from ndfd.config.settings import Settings
from ndfd.daemon.running_pool import PoolPlan
from ndfd.dispatch import Policy
from ndfd.dispatch.hooks import Hook
from ndfd.store import Keep


def state_dir(storage: StorageSettings) -> Path:
    """The folder of the store; `ConfigError` for a user without a home who named none."""
    return default_state_dir() if storage.state_dir == "auto" else storage.state_dir


def job_policy(settings: Settings, plans: Mapping[str, PoolPlan], hooks: Mapping[str, Hook]) -> Policy:
    """What holds for all jobs."""
    jobs, document = settings.jobs, settings.document
    return Policy(
        workers={name: plan.limits.workers_max for name, plan in plans.items()},
        admission=JobLimits(
            document_max_bytes=document.max_size,
            jobs_max=jobs.max_queued,
            bytes_max=jobs.max_size,
            jobs_per_user_max=jobs.max_queued_per_user,
            bytes_per_user_max=jobs.max_size_per_user,
        ),
        running_per_user_max=None if jobs.max_running_per_user == "unlimited" else jobs.max_running_per_user,
        max_attempts=jobs.max_attempts,
        retry_delay_s=jobs.retry_delay,
        default_deadline_s=document.default_deadline,
        max_deadline_s=document.max_deadline,
        keep=_keep(settings.storage),
        hooks=hooks,
    )


def _keep(storage: StorageSettings) -> Keep:
    return Keep(
        age_s=None if storage.keep_age == "unlimited" else storage.keep_age,
        count=None if storage.keep_count == "unlimited" else storage.keep_count,
        bytes=None if storage.keep_size == "unlimited" else storage.keep_size,
    )
