"""The daemon's program, all of it, but that it takes a fraction of a second for too long, and that the thread which
writes to its store stands still as long as the file $STORE_HELD_BY is there."""

from __future__ import annotations

import functools
import os
import sys
import time
from pathlib import Path

import ndfd.daemon
from ndfd.cli import main
from ndfd.store import commits
from ndfd.supervisor import progress

progress.START_S = 0.3
commits.STUCK_S = 0.3


def stand_still(step: str) -> None:
    """In the thread that writes."""
    while Path(os.environ["STORE_HELD_BY"]).exists():
        time.sleep(0.01)


if __name__ == "__main__":
    ndfd.daemon.run = functools.partial(ndfd.daemon.run, reached=stand_still)
    sys.exit(main(sys.argv[1:]))
