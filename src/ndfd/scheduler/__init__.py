"""Decides which jobs run next: pure functions and values; time comes in as an argument."""

from ndfd.scheduler.order import PRIORITY_STEP_S, rank
from ndfd.scheduler.plan import Candidate, Share, plan
from ndfd.scheduler.usage import Usage

__all__ = ["PRIORITY_STEP_S", "Candidate", "Share", "Usage", "plan", "rank"]
