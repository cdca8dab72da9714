"""How a zygote with forged workers (tests/worker/forged_zygote.py) is started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ndfd.supervisor import ZygoteOptions
from tests.supervisor.processes import MEMORY_BYTES

_ROOT = Path(__file__).resolve().parents[2]

COMMAND = (sys.executable, "-m", "tests.worker.forged_zygote")


def environment() -> dict[str, str]:
    """In which the tests and ndfd are found from any folder."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "src")])}


def forged() -> ZygoteOptions:
    """For `processes.running`."""
    return ZygoteOptions(MEMORY_BYTES, command=COMMAND, environment=environment())
