"""How much of a pool's time each user had, among those who want it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass


@dataclass(slots=True)
class _Account:
    #: Seconds of runs that have ended.
    ended_s: float = 0.0
    running: int = 0
    #: Sum of the moments at which those that go on began: with it the account is read without going through them.
    begun_sum: float = 0.0

    def used_s(self, now: float) -> float:
        return self.ended_s + self.running * now - self.begun_sum


class Usage:
    """Of one pool. What counts is the difference between those who want it at the same time.

    Whoever begins to want it starts where the one is that has had least: nobody is owed the time in which it asked for
    nothing, nor pays for the time in which nobody else did. Who has had more than that, and stops asking for a
    moment, has had it still. (So virtual runtimes are kept by schedulers of the kernel.)
    """

    def __init__(self) -> None:
        self._accounts: dict[int, _Account] = {}
        self._wanting: Set[int] = frozenset()

    def wanted_by(self, uids: Set[int], now: float) -> None:
        """These users have jobs that wait or run, and no others do."""
        if not uids:
            self._accounts.clear()
            self._wanting = frozenset()
            return
        staying = self._wanting & uids
        least_s = min((self.used_s(uid, now) for uid in staying), default=0.0)
        for uid in uids - self._wanting:
            account = self._accounts.setdefault(uid, _Account())
            account.ended_s += max(0.0, least_s - account.used_s(now))
        # Who is behind the others without wanting anything would start among them anyway.
        for uid in [uid for uid in self._accounts if uid not in uids and self.used_s(uid, now) <= least_s]:
            del self._accounts[uid]
        self._wanting = frozenset(uids)

    def begun(self, uid: int, now: float) -> None:
        """A run of this user has got its worker."""
        account = self._accounts.setdefault(uid, _Account())
        account.running += 1
        account.begun_sum += now

    def ended(self, uid: int, begun_at: float, now: float) -> None:
        """The run that had begun at that moment has given its worker back."""
        account = self._accounts.setdefault(uid, _Account(running=1, begun_sum=begun_at))
        account.running -= 1
        account.begun_sum -= begun_at
        account.ended_s += now - begun_at

    def used_s(self, uid: int, now: float) -> float:
        """Seconds of workers' time; only to be compared with that of others."""
        account = self._accounts.get(uid)
        return 0.0 if account is None else account.used_s(now)
