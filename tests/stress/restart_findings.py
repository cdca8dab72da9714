"""What the clients of a restart test have noticed, by what was done to the daemon meanwhile."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.stress.restart_load import Exchange, overlapping

#: Requests of these may be cut: `--large` counts them apart.
CUTTABLE = "large"
BETWEEN = "between"


@dataclass(frozen=True)
class Happening:
    """Something that was done to the daemon: from the moment in which it was told, until it was ready again."""

    kind: str
    begun_s: float
    ended_s: float


@dataclass
class Jobs:
    """What became of the works that were acknowledged."""

    acknowledged: int = 0
    #: Works without their job, or whose job has not the right result.
    lost: list[str] = field(default_factory=list)
    #: Works that became two jobs, or whose job has succeeded twice.
    twice: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stall:
    """How long answers took that were waited for during the happenings of one kind; milliseconds."""

    count: int
    ready_worst_ms: float
    ready_median_ms: float
    requests: int
    p99_ms: float
    worst_ms: float


class Findings:
    """Made at the end of a run."""

    def __init__(
        self,
        exchanges: Sequence[Exchange],
        happenings: Sequence[Happening],
        jobs: Jobs,
        idle_broken: Sequence[str],
        seconds: float,
    ) -> None:
        self._happenings = happenings
        self._all = sorted((each for each in exchanges if each.kind != CUTTABLE), key=lambda each: each.begun_s)
        self._large = [each for each in exchanges if each.kind == CUTTABLE]
        self.jobs = jobs
        self.idle_broken = len(idle_broken)
        self.requests = len(self._all)
        self.rate = self.requests / seconds
        #: (kind of fault, kind of request, what was done meanwhile) -> how often.
        self.faults = Counter[tuple[str, str, str]]()
        #: One example of each.
        self.examples: dict[tuple[str, str, str], str] = {}
        for each in self._all:
            if each.fault is not None:
                which = (each.fault[0], each.kind, self._meanwhile(each))
                self.faults[which] += 1
                self.examples.setdefault(which, each.fault[1])
        self.stalls = {kind: self._stall(kind) for kind in dict.fromkeys(each.kind for each in happenings)}

    @property
    def refused(self) -> int:
        """Connections that were not to be had."""
        return sum(count for (fault, _, _), count in self.faults.items() if fault == "refused")

    @property
    def failed(self) -> int:
        """Requests without an answer: the connection broke, or nothing came."""
        return sum(count for (fault, _, _), count in self.faults.items() if fault in ("broken", "silent"))

    @property
    def wrong(self) -> int:
        """Answers that are not the right one."""
        return sum(count for (fault, _, _), count in self.faults.items() if fault == "wrong")

    @property
    def large(self) -> tuple[int, int]:
        """Large requests, and how many of them were cut."""
        return len(self._large), sum(each.fault is not None for each in self._large)

    @property
    def good(self) -> bool:
        """Whether everything is 0 that must be."""
        return not (self.faults or self.idle_broken or self.jobs.lost or self.jobs.twice)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        large, cut = self.large
        return {
            "requests": self.requests,
            "rate": round(self.rate, 1),
            "refused": self.refused,
            "idle_broken": self.idle_broken,
            "failed": self.failed,
            "wrong": self.wrong,
            "faults": [
                {"fault": fault, "request": request, "during": during, "count": count, "example": self.examples[which]}
                for which, count in self.faults.most_common()
                for fault, request, during in (which,)
            ],
            "jobs": {
                "acknowledged": self.jobs.acknowledged,
                "lost": len(self.jobs.lost),
                "twice": len(self.jobs.twice),
                "examples": (self.jobs.lost + self.jobs.twice)[:10],
            },
            "stalls": {
                kind: {name: getattr(stall, name) for name in Stall.__dataclass_fields__}
                for kind, stall in self.stalls.items()
            },
            "large": {"requests": large, "cut": cut},
            "good": self.good,
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.requests} requests, {self.rate:.0f}/s"
        yield f"{'':12}{'count':>6}{'ready after, ms':>22}{'requests':>10}{'p99, ms':>9}{'worst stall, ms':>17}"
        for kind, stall in self.stalls.items():
            ready = f"{stall.ready_median_ms:.0f}, worst {stall.ready_worst_ms:.0f}"
            yield f"{kind:12}{stall.count:6}{ready:>22}{stall.requests:10}{stall.p99_ms:9.0f}{stall.worst_ms:17.0f}"
        yield f"refused connections    {self.refused}"
        yield f"broken idle connections {self.idle_broken}"
        yield f"failed requests        {self.failed}"
        yield f"wrong answers          {self.wrong}"
        yield f"lost jobs              {len(self.jobs.lost)} of {self.jobs.acknowledged}"
        yield f"jobs done twice        {len(self.jobs.twice)}"
        if self._large:
            yield "large requests         {}, of which {} were cut".format(*self.large)
        for which, count in self.faults.most_common():
            fault, request, during = which
            yield f"  {count} x {fault}, {request}, {during}: {self.examples[which]}"
        yield from (f"  {what}" for what in (self.jobs.lost + self.jobs.twice)[:10])

    def _meanwhile(self, exchange: Exchange) -> str:
        for each in self._happenings:
            if exchange.begun_s <= each.ended_s and exchange.ended_s >= each.begun_s:
                return each.kind
        return BETWEEN

    def _stall(self, kind: str) -> Stall:
        happenings = [each for each in self._happenings if each.kind == kind]
        met = {id(each): each for one in happenings for each in overlapping(self._all, one.begun_s, one.ended_s)}
        took_ms = sorted((each.ended_s - each.begun_s) * 1e3 for each in met.values()) or [0.0]
        ready_ms = [(each.ended_s - each.begun_s) * 1e3 for each in happenings]
        return Stall(
            count=len(happenings),
            ready_worst_ms=round(max(ready_ms), 1),
            ready_median_ms=round(statistics.median(ready_ms), 1),
            requests=len(met),
            p99_ms=round(took_ms[min(len(took_ms) - 1, int(len(took_ms) * 0.99))], 1),
            worst_ms=round(took_ms[-1], 1),
        )
