"""Durable jobs: the loop from the store through the pools and back, deliveries of their ends, and watch folders."""

from ndfd.dispatch.policy import Policy
from ndfd.dispatch.service import JobResult, JobService

__all__ = ["JobResult", "JobService", "Policy"]
