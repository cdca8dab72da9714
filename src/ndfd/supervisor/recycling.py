"""Why a worker that has answered is replaced: a decision about values."""

from __future__ import annotations

from ndfd.errors import ConversionOutOfMemory
from ndfd.protocol.frames import FromWorker, JobFailed
from ndfd.supervisor.pooled_worker import PooledWorker
from ndfd.supervisor.staffing import PoolLimits


def worn_out(worker: PooledWorker, answer: FromWorker, limits: PoolLimits) -> str | None:
    """The reason; None for one that may take the next conversion."""
    assert worker.process is not None
    if isinstance(answer, JobFailed) and answer.code == ConversionOutOfMemory.code:
        return "it ran out of memory"
    if worker.served >= limits.jobs_per_worker:
        return f"it has ended {worker.served} conversions"
    rss_bytes = worker.process.resident_bytes()
    return f"it holds {rss_bytes} bytes" if rss_bytes > limits.rss_max_bytes else None
