"""Durable jobs: SQLite for what is known of them, a spool of files for their documents and results."""

from ndfd.store.steps import Step
from ndfd.store.store import Store
from ndfd.store.values import Delivery, Ending, Keep, Leased, Load, NewJob, Ready, TakenFile, Totals

__all__ = [
    "Delivery",
    "Ending",
    "Keep",
    "Leased",
    "Load",
    "NewJob",
    "Ready",
    "Step",
    "Store",
    "TakenFile",
    "Totals",
]
