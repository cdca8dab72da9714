"""The pool of workers: who converts what, what becomes of a worker, and what a caller is told when one fails."""

from ndfd.supervisor.assignment import Reuse
from ndfd.supervisor.confinement import require
from ndfd.supervisor.conversion import Result
from ndfd.supervisor.head_start import HeadStart
from ndfd.supervisor.pool import Pool
from ndfd.supervisor.sharding import Sharding
from ndfd.supervisor.snapshot import Load, Snapshot
from ndfd.supervisor.staffing import PoolLimits
from ndfd.supervisor.zygote import Zygote, ZygoteOptions

__all__ = [
    "HeadStart",
    "Load",
    "Pool",
    "PoolLimits",
    "Result",
    "Reuse",
    "Sharding",
    "Snapshot",
    "Zygote",
    "ZygoteOptions",
    "require",
]
