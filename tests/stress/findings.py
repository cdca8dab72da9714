"""What a run of `scripts/stress documents` found, and the judge of each ending."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ndfd.errors import DocumentError, WorkerCrashed, error_classes
from tests.stress.hostile_load import Ended

#: What good documents may take, as a multiple of what they take otherwise.
SLOWER_MAX = 1.5
#: Fewer good conversions say nothing of the slowest twentieth of them.
_ENOUGH = 200

_SIGNAL = re.compile(r"SIG[A-Z]{2,6}\b|signal \d+")


@dataclass
class Findings:
    """What a run found."""

    seed: int
    mutations: int = 0
    files: int = 0
    seconds: float = 0.0
    #: How often a conversion ended so: "ok", "partial" or an error's code.
    endings: Counter[str] = field(default_factory=Counter)
    #: Signal, deadline, or other cause for which a worker ended -> the culprits.
    culprits: dict[str, list[str]] = field(default_factory=dict)
    #: The slowest documents: seconds, label, how they ended.
    slowest: list[tuple[float, str, str]] = field(default_factory=list)
    #: Seconds that the longest conversion took beyond its deadline.
    overshoot_s: float = 0.0
    #: Good conversions, by kind of time.
    good: dict[str, int] = field(default_factory=dict)
    #: Of those, the 95th percentile of their durations, each as a multiple of that document's median when quiet.
    good_p95: dict[str, float] = field(default_factory=dict)
    rss_before_bytes: int = 0
    rss_after_bytes: int = 0
    rss_max_bytes: int = 0
    descriptors_before: int = 0
    descriptors_after: int = 0
    workers_replaced: int = 0
    #: Lines of the daemon's log that are no records: what workers print.
    stray_lines: Counter[str] = field(default_factory=Counter)
    #: Whatever must not be.
    faults: list[str] = field(default_factory=list)

    def ratio(self, against: str) -> float | None:
        """How much longer good documents take beside mutations than at another time; None when too few were."""
        if min(self.good.get("mutations", 0), self.good.get(against, 0)) < _ENOUGH:
            return None
        return self.good_p95["mutations"] / self.good_p95[against]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        ratios = {f"p95_against_{kind}": self.ratio(kind) for kind in ("quiet", "company")}
        # Not `asdict`: it makes a Counter anew out of pairs, and so counts the pairs.
        return vars(self) | ratios

    def slow(self) -> str:
        """What is too slow, beyond what company alone makes slow; "" when nothing is."""
        ratios = [ratio for ratio in map(self.ratio, ("quiet", "company")) if ratio is not None]
        if len(ratios) == 2 and min(ratios) > SLOWER_MAX:
            return f"good documents take {ratios[0]:.2f}x their quiet time and {ratios[1]:.2f}x that in sound company"
        return ""

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.mutations} mutations (seed {self.seed}) and {self.files} files in {self.seconds:.0f} s"
        yield from (f"{count:7d}  {status}" for status, count in self.endings.most_common())
        for cause, culprits in sorted(self.culprits.items()):
            yield f"{len(culprits):7d}  ended by {cause}: {'; '.join(culprits[:5])}{'; …' * (len(culprits) > 5)}"
        yield "slowest: " + "; ".join(f"{seconds:.1f} s {label} {status}" for seconds, label, status in self.slowest)
        yield f"the longest went {self.overshoot_s * 1e3:.0f} ms beyond its deadline"
        yield (
            f"supervisor: {self.rss_before_bytes / 1e6:.1f} MB before, {self.rss_after_bytes / 1e6:.1f} MB after, "
            f"{self.rss_max_bytes / 1e6:.1f} MB at most; {self.descriptors_before} and {self.descriptors_after} "
            f"descriptors; {self.workers_replaced} workers replaced"
        )
        for kind, count in self.good.items():
            yield f"good documents, {kind}: {count} conversions, p95 {self.good_p95[kind]:.2f}x the quiet median"
        for against in ("quiet", "company"):
            if (ratio := self.ratio(against)) is not None:
                yield f"p95 beside mutations is {ratio:.2f}x that of {against}"
        yield from (f"{count:7d}  times printed by workers: {line}" for line, count in self.stray_lines.most_common(5))
        yield f"{len(self.faults)} faults"
        yield from (f"  {fault}" for fault in self.faults[:40])


class Judge:
    """Holds each ending against what may be."""

    #: Of an error that names the document or what became of its worker; never the root, a fault that nobody foresaw.
    _NAMED = frozenset(each.code for each in error_classes() if issubclass(each, DocumentError | WorkerCrashed))
    #: After which a page was being worked on.
    _AT_A_PAGE = frozenset({"conversion-timeout", "conversion-out-of-memory", "document-kills-workers"})

    def __init__(self, findings: Findings, deadline_s: float) -> None:
        self._findings = findings
        self._deadline_s = deadline_s

    def take(self, ended: Ended) -> None:
        """One conversion."""
        found = self._findings
        found.endings[ended.status] += 1
        found.slowest = sorted([*found.slowest, (ended.seconds, ended.label, ended.status)], reverse=True)[:5]
        found.overshoot_s = max(found.overshoot_s, ended.seconds - self._deadline_s)
        if ended.fault:
            self._fault(ended, ended.fault)
        # Twice the deadline: a machine that is busy otherwise is late, too.
        if ended.seconds > 2 * self._deadline_s:
            self._fault(ended, f"it took {ended.seconds:.1f} s, its deadline was {self._deadline_s:g} s")
        if ended.status in ("ok", "partial"):
            return
        if ended.status not in self._NAMED or not ended.message:
            self._fault(ended, f"an error that names no cause: {ended.status}: {ended.message!r}")
        if ended.status in self._AT_A_PAGE and ended.pages_told and ended.page is None:
            self._fault(ended, f"{ended.pages_told} pages were told, and the error names none: {ended.message}")
        if ended.status in ("document-kills-workers", "worker-crashed"):
            self._crash(ended)
        elif ended.status in ("conversion-timeout", "conversion-out-of-memory"):
            self._findings.culprits.setdefault(ended.status, []).append(ended.label)

    def _crash(self, ended: Ended) -> None:
        causes = sorted(set(_SIGNAL.findall(ended.message))) or [ended.message[:200]]
        self._findings.culprits.setdefault(" and ".join(causes), []).append(ended.label)
        # A signal in the engine is a fault of the engine; these would be ours.
        for ours in ("broke the protocol", "exited with status", "SIGSYS", "SIGALRM"):
            if ours in ended.message:
                self._fault(ended, ended.message)

    def _fault(self, ended: Ended, what: str) -> None:
        self._findings.faults.append(f"{ended.label}: {what}")
