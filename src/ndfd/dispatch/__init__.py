"""The loop of durable jobs: from the store by the scheduler to the pool, and what comes of it back to the store."""

from ndfd.dispatch.policy import Policy
from ndfd.dispatch.service import JobResult, JobService

__all__ = ["JobResult", "JobService", "Policy"]
