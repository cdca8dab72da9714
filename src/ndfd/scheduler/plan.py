"""Which of the jobs that may run begin now."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Candidate(NamedTuple):
    """A job that may run."""

    id: str
    uid: int
    #: As `order.rank` gives it.
    rank: float
    #: The pool that it needs.
    pool: str


class Share(NamedTuple):
    """What a user has of a pool."""

    #: Its jobs that were begun and have not ended.
    running: int = 0
    #: Time of the pool's workers that it had, as `usage` counts it.
    used_s: float = 0.0


_NOTHING = Share()


def plan(
    ready: Iterable[Candidate],
    shares: Mapping[tuple[str, int], Share],
    slots: Mapping[str, int],
    per_user_max: int | None = None,
) -> list[str]:
    """The jobs to begin, in this order.

    A free place of a pool goes to the user who has the fewest running in it, and of those to the one who has had least
    of its workers' time: so users who always have work get the same, however long their jobs are, and what one
    does not want is shared by the others. Of a user's jobs the one of the lowest rank is first.

    `slots` are the free places of each pool: one that is not named has none, and a full one holds up nobody who
    needs another. `shares` are by pool and user. No user has more than `per_user_max` running in all pools together.
    """
    left = {pool: free for pool, free in slots.items() if free > 0}
    lines: defaultdict[tuple[str, int], list[Candidate]] = defaultdict(list)
    for candidate in ready:
        if candidate.pool in left:
            lines[candidate.pool, candidate.uid].append(candidate)
    running_of_user: Counter[int] = Counter()
    for (_, uid), share in shares.items():
        running_of_user[uid] += share.running
    turns = []
    for key, line in lines.items():
        # The last is the first, for it is the cheapest to take away.
        line.sort(key=lambda candidate: (candidate.rank, candidate.id), reverse=True)
        turns.append((*shares.get(key, _NOTHING), line[-1].rank, key))
    heapq.heapify(turns)
    begun = []
    while turns and left:
        running, used_s, _, key = heapq.heappop(turns)
        pool, uid = key
        if pool not in left or (per_user_max is not None and running_of_user[uid] >= per_user_max):
            continue
        line = lines[key]
        begun.append(line.pop().id)
        running_of_user[uid] += 1
        left[pool] -= 1
        if not left[pool]:
            del left[pool]
        if line:
            heapq.heappush(turns, (running + 1, used_s, line[-1].rank, key))
    return begun
