"""The daemon's program, all of it, but that it ends itself at a durable step: `… STEP:PASSES:MS[@MOUNTED] run …`.

With the folder of a mounted file system it cuts that one's power first.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import ndfd.daemon
from ndfd.cli import main
from tests.crash.points import Point, ending_at, frozen_power_off


def end_at(argument: str) -> None:
    """The daemon that this process runs ends there."""
    point, _, mounted = argument.partition("@")
    first = frozen_power_off(Path(mounted)) if mounted else lambda: None
    ndfd.daemon.run = functools.partial(ndfd.daemon.run, reached=ending_at(Point.parse(point), first))


if __name__ == "__main__":
    if sys.argv[1]:
        end_at(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
