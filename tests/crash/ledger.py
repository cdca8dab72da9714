"""What a client knows of its jobs: what it asked for, what it was answered, and so what may be true of each now.

The client writes each entry into its journal with one write(2), what it asks before it asks and what it was answered
after it heard it: whoever reads the journal of a client that was killed knows what that one knew.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ndfd.model.job_states import JobState


class Fate(enum.StrEnum):
    """What may be true of an acknowledged job when nothing runs any more."""

    #: It ended as its document does.
    ENDED = "ended"
    CANCELLED = "cancelled"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True)
class Work:
    """Something that a client wants done once: at most one job is ever made of it."""

    number: int
    uid: int
    key: str | None
    #: Which of the documents, and whether its bytes are this work's own: else other works have the same ones.
    document: int
    own_bytes: bool
    format: str = "markdown"
    priority: int = 0

    @property
    def name(self) -> str:
        """Of the document; part of what makes two submissions the same work."""
        return f"work-{self.number}"


@dataclass(frozen=True)
class Seen:
    """A job as an answer showed it, once it was final."""

    state: str
    version: int
    attempts: int
    finished_at: float | None
    #: SHA-256 of its result, where the answer had one.
    result: str | None = None


@dataclass
class Known:
    """What its client knows of one job."""

    work: int
    fates: set[Fate] = field(default_factory=lambda: {Fate.ENDED})
    cancels_asked: int = 0
    retries_asked: int = 0
    retries_done: int = 0
    seen: Seen | None = None


class Ledger:
    """All that the clients know."""

    def __init__(self) -> None:
        self.works: dict[int, Work] = {}
        #: By work, how often it was handed in, and the job it became.
        self.asked: dict[int, int] = {}
        self.job_of: dict[int, str] = {}
        self.jobs: dict[str, Known] = {}
        self.acknowledged = 0
        self.faults: list[str] = []

    def apply(self, entry: list[Any]) -> None:
        """Takes up one entry of a journal."""
        kind, *rest = entry
        if kind == "work":
            work = Work(**rest[0])
            self.works[work.number] = work
            self.asked[work.number] = 0
        elif kind == "ask":
            self._ask(*rest)
        elif kind == "ack":
            self._acknowledge(*rest)
        elif kind == "refused":
            self._refuse(*rest)
        elif kind == "seen":
            self._see(rest[0], Seen(*rest[1:]))
        elif kind == "fault":
            self.faults.append(rest[0])

    def apply_lines(self, lines: bytes) -> None:
        """Takes up a piece of a journal."""
        for line in lines.splitlines():
            self.apply(json.loads(line))

    def apply_asked(self, lines: bytes) -> list[list[Any]]:
        """Takes up what a piece of a journal says was asked for, and gives back the rest."""
        entries = [json.loads(line) for line in lines.splitlines()]
        for entry in entries:
            if entry[0] in ("work", "ask"):
                self.apply(entry)
        return [entry for entry in entries if entry[0] not in ("work", "ask")]

    def apply_without_power(self, lines: bytes, before: bytes = b"") -> None:
        """Takes up a piece of a journal that was written when nothing could be kept any more.

        What was asked `before`, in the same life, may still be answered: the disk may have had it by then.
        """
        open_before = Counter[tuple[str, int]]()
        for kind, *rest in map(json.loads, before.splitlines()):
            if kind in ("ask", "ack", "refused"):
                open_before[rest[0], rest[1]] += 1 if kind == "ask" else -1
        asked = {(each[1], each[2]) for each in map(json.loads, lines.splitlines()) if each[0] == "ask"}
        for entry in self.apply_asked(lines):
            if entry[0] not in ("ack", "refused"):
                continue
            what = (entry[1], entry[2])
            if open_before[what] > 0:
                open_before[what] -= 1
            elif entry[0] == "ack" and what in asked:
                self.faults.append(f"acknowledged without power: {entry[1:]}")

    def _ask(self, verb: str, work: int, job_id: str | None = None) -> None:
        if job_id is None:
            self.asked[work] += 1
            return
        known = self.jobs[job_id]
        if verb == "cancel":
            known.cancels_asked += 1
            known.fates.add(Fate.CANCELLED)
        elif verb == "retry":
            known.retries_asked += 1
            known.seen = None
            known.fates.add(Fate.ENDED)
        else:
            known.fates.add(Fate.FORGOTTEN)

    def _acknowledge(self, verb: str, work: int, job_id: str) -> None:
        if verb == "submit":
            self.acknowledged += 1
            if (former := self.job_of.setdefault(work, job_id)) != job_id:
                self.faults.append(f"work {work} is job {former}, and was answered with {job_id} when handed in again")
            self.jobs.setdefault(job_id, Known(work))
            if self.jobs[job_id].work != work:
                self.faults.append(f"job {job_id} was given for work {self.jobs[job_id].work} and for work {work}")
            return
        known = self.jobs[job_id]
        if verb == "cancel":
            known.fates = {Fate.CANCELLED}
        elif verb == "retry":
            known.retries_done += 1
            known.fates = {Fate.ENDED}
        else:
            known.fates = {Fate.FORGOTTEN}

    def _refuse(self, verb: str, work: int, job_id: str, code: str) -> None:
        """An answer that says what the job is, and so what has become of what was asked before without an answer."""
        known = self.jobs[job_id]
        if code == "job-unknown":
            if Fate.FORGOTTEN not in known.fates:
                self.faults.append(f"job {job_id} of work {work} was acknowledged, and is unknown to {verb}")
            known.fates = {Fate.FORGOTTEN}
        elif verb == "cancel" and code == "job-state":
            known.fates -= {Fate.CANCELLED}
        elif code != "job-state":
            self.faults.append(f"{verb} of job {job_id}: {code}")

    def _see(self, job_id: str, seen: Seen) -> None:
        known = self.jobs[job_id]
        if known.seen is not None and not same_end(known.seen, seen):
            self.faults.append(f"job {job_id} had ended as {known.seen}, and is now {seen}")
        if seen.state == JobState.SUCCEEDED and seen.result is None and known.seen is not None:
            return
        known.seen = seen


def same_end(one: Seen, other: Seen) -> bool:
    """Whether both are views of the same end."""
    return (
        (one.state, one.attempts, one.finished_at) == (other.state, other.attempts, other.finished_at)
        and one.version <= other.version
        and (one.result is None or other.result is None or one.result == other.result)
    )


class Journal:
    """Writes entries to the end of a file, each at once, and takes them up in a ledger of its own."""

    def __init__(self, path: Path, ledger: Ledger) -> None:
        self.ledger = ledger
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, *entry: Any) -> None:
        """One entry."""
        os.write(self._fd, json.dumps(entry).encode() + b"\n")
        self.ledger.apply(list(entry))

    def add(self, work: Work) -> Work:
        """A work that is new."""
        self.write("work", dataclasses.asdict(work))
        return work


def read_journal(paths: Iterable[Path]) -> Ledger:
    """What the journals of several clients say together; their works have different numbers."""
    ledger = Ledger()
    for path in paths:
        ledger.apply_lines(path.read_bytes())
    return ledger
