"""What pools of workers there can be: their names, their roles and their priorities."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

from ndfd.errors import PoolUnknown

#: The pool that is there always; [swarm]'s own keys describe it.
DEFAULT_POOL = "default"

#: A pool's name goes into keys, variables and labels of metrics as it is.
POOL_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)


class Role(enum.StrEnum):
    """What the workers of a pool do; each of these is built into this version."""

    #: Documents to structured text.
    EXTRACTOR = "extractor"


#: Roles of NeuralDocFlow that this version lacks, so that who asks for one is told just that.
ROLES_TO_COME: tuple[str, ...] = ("ocr", "tables", "formulas", "embedder")


class Priority(enum.StrEnum):
    """How workers stand against each other, and against all else on the machine, when CPUs are short."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def nice(self) -> int:
        """What is added to the daemon's own nice value (nice(2)); each step changes the share of a CPU by a quarter."""
        return _NICE[self]


_NICE = {Priority.LOW: 10, Priority.NORMAL: 0, Priority.HIGH: -5}


def pool_unknown(name: str, there_are: Iterable[str]) -> PoolUnknown:
    """The error for a name that none of the pools has."""
    return PoolUnknown(f"there is no pool {name[:64]!r}; there are {', '.join(there_are)}")
