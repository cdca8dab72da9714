"""Power cuts: the state folder lies on a file system that loses what it has not written, again and again."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ndfd.store.steps import Step
from tests.crash.disk import LosableDisk
from tests.crash.store_lives import Found, Say, StoreLives

#: Lives on one disk: so that a store has a past, and the last ones do not take longer than the first.
_ON_ONE_DISK = 25
#: Told by whoever runs the jobs, and so as much a moment of the store's as the others.
STEPS: tuple[Step, ...] = tuple(Step)


def cut_store(kinds: Sequence[str], cuts: int, seed: int, say: Say) -> dict[str, Found]:
    """Cuts the power of processes that work with a store alone; the findings by file system."""
    found = {kind: Found() for kind in kinds}
    for index, kind in enumerate(kinds):
        left = cuts // len(kinds) + (index < cuts % len(kinds))
        for number in range(math.ceil(left / _ON_ONE_DISK)):
            lives = min(_ON_ONE_DISK, left - number * _ON_ONE_DISK)
            # So that each disk goes on with the steps where the last one stopped.
            done = found[kind].points.total() % len(STEPS)
            with LosableDisk(kind) as disk:
                found[kind].add(live_on(disk.path, disk, lives, f"{seed}/{kind}/{number}", done, say))
            say(f"{kind}: {found[kind].ends} power cuts, {len(found[kind].faults)} faults")
            if found[kind].faults:
                break
    return found


def kill_store(kills: int, seed: int, say: Say) -> Found:
    """Kills processes that work with a store alone."""
    found = Found()
    for number in range(math.ceil(kills / (2 * _ON_ONE_DISK))):
        lives = min(2 * _ON_ONE_DISK, kills - number * 2 * _ON_ONE_DISK)
        with tempfile.TemporaryDirectory(prefix="ndfd-crash-") as folder:
            done = found.points.total() % len(STEPS)
            found.add(live_on(Path(folder), None, lives, f"{seed}/{number}", done, say))
        if found.faults:
            break
    return found


def live_on(folder: Path, disk: LosableDisk | None, lives: int, seed: str, first: int, say: Say) -> Found:
    """Some lives on a store in a subfolder; the steps in turns, from the one at `first`."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    with tempfile.TemporaryDirectory(prefix="ndfd-ledger-") as kept:
        points = [*STEPS[first:], *STEPS[:first]]
        return StoreLives(state, disk, Path(kept) / "journal", seed, points).run(lives, say)
