"""A job comes in: its document is there already, its rows follow, or it is known to be there from before."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from ndfd.errors import KeyReused, QuotaExceeded
from ndfd.model.job_states import JobEvent, JobState, next_state
from ndfd.model.jobs import PRIORITY_STEP_S, Job, Submission
from ndfd.store.ids import new_id
from ndfd.store.rows import JobRow, encoded, shown
from ndfd.store.steps import Step
from ndfd.store.transitions import record, refer, state_of, tell
from ndfd.store.values import NewJob
from ndfd.store.work import DOCUMENT_STEPS, Operation, Put, Work

#: Of one job: each is kept as long as the job, and counts against no other limit.
KEYS_MAX = 1000


class Submit(Operation[Submission]):
    """Takes a job in."""

    def __init__(self, new: NewJob, document_fd: int, secret: bytes) -> None:
        """`secret` keys the fingerprints."""
        self._new = new
        self._secret = secret
        self.put: Put = Put(document_fd, DOCUMENT_STEPS)

    def apply(self, work: Work) -> Submission:
        """`KeyReused` when the key stands for other work."""
        staged = self.put.staged
        assert staged is not None
        work.steps.append(Step.SUBMITTED)
        new = self._new
        fingerprint = fingerprint_of(new, staged.hash, self._secret)
        known = self._known(work, fingerprint)
        if known is not None:
            return self._reuse(work, known)
        state = next_state(JobState.RECEIVED, JobEvent.ACCEPTED)
        job, row = _inserted(work, new, state, fingerprint, staged.hash, staged.size)
        refer(work, staged.hash, staged.size)
        work.tally.count(state, new.uid, staged.size, 0)
        for name, value in new.options.labels.items():
            work.run("insert_label", row, name, value)
        if new.options.key is not None:
            work.run("insert_key", new.uid, new.options.key, row)
        for target in new.hooks:
            _hook(work, row, target, new)
        work.run("insert_history", row, 1, work.now, JobEvent.ACCEPTED, state, 0, None)
        self._take_file(work)
        work.changed.append(job)
        work.reached(Step.SUBMIT_WRITTEN)
        return Submission(job, reused=False)

    def _known(self, work: Work, fingerprint: bytes) -> JobRow | None:
        new = self._new
        if new.options.key is not None:
            known = work.job("job_of_key", new.uid, new.options.key)
            if known is not None and known.fingerprint != fingerprint:
                raise KeyReused(f"the key {new.options.key!r} belongs to job {known.id}, which is other work")
            if known is not None:
                return known
        return work.job("job_of_work", new.uid, fingerprint)

    def _reuse(self, work: Work, known: JobRow) -> Submission:
        new = self._new
        if new.options.key is not None and work.job("job_of_key", new.uid, new.options.key) is None:
            self._refuse_many_keys(work, known)
            work.run("insert_key", new.uid, new.options.key, known.number)
        if new.taken is not None:
            known = self._tell_of_file(work, known)
        self._take_file(work)
        work.reached(Step.SUBMIT_WRITTEN)
        return Submission(shown(known), reused=True)

    def _refuse_many_keys(self, work: Work, known: JobRow) -> None:
        count = work.one("keys_of_job", known.number)
        if count is not None and count[0] >= KEYS_MAX:
            raise QuotaExceeded(
                f"job {known.id} has {count[0]} keys already",
                hint="send the same work with the same key again, or forget the job first",
            )

    def _tell_of_file(self, work: Work, known: JobRow) -> JobRow:
        """A watched file has an answer of its own, also where its bytes were converted before."""
        new = self._new
        # A hook may be there already: the file was put away, and has come back as it was.
        for target in new.hooks:
            _hook(work, known.number, target, new)
        if not new.hooks or not state_of(known).is_final:
            return known
        for target in new.hooks:
            work.run("insert_delivery", new_id(work.now), known.number, target, *_source(new), work.now)
        work.run("count_deliveries", known.number)
        work.run("touch", known.number)
        after = work.job("job_by_number", known.number)
        assert after is not None
        record(work, after, "delivery_added", None)
        tell(work, after)
        return after

    def _take_file(self, work: Work) -> None:
        if self._new.taken is not None:
            work.run("take_file", *_source(self._new))


def fingerprint_of(new: NewJob, document: bytes, secret: bytes) -> bytes:
    """What makes two pieces of work the same. Keyed, for a password is in it."""
    convert = new.options.convert
    what = (convert.format, convert.password, convert.name, convert.pool, new.engine)
    return hashlib.blake2b(document + msgspec.json.encode(what), digest_size=32, key=secret).digest()


def _inserted(
    work: Work, new: NewJob, state: JobState, fingerprint: bytes, document: bytes, size: int
) -> tuple[Job, int]:
    options, convert = new.options, new.options.convert
    job = Job(
        id=new_id(work.now),
        state=state,
        uid=new.uid,
        format=convert.format,
        size_bytes=size,
        version=1,
        accepted_at=work.now,
        name=convert.name,
        priority=options.priority,
        pool=convert.pool,
        deadline_s=convert.deadline_s,
        key=options.key,
        labels=dict(options.labels),
    )
    values: tuple[Any, ...] = (
        job.id,
        job.uid,
        state,
        job.accepted_at,
        job.accepted_at - PRIORITY_STEP_S * job.priority,
        job.priority,
        job.format,
        job.pool,
        job.name,
        job.deadline_s,
        convert.password,
        job.key,
        fingerprint,
        encoded(job.labels or None),
        document,
        size,
    )
    cursor = work.insert("insert_job", *values)
    return job, cursor


def _hook(work: Work, number: int, target: str, new: NewJob) -> None:
    work.run("insert_hook", number, target, *_source(new))


def _source(new: NewJob) -> tuple[str, str, str]:
    taken = new.taken
    return ("", "", "") if taken is None else (taken.watch, taken.path, taken.mark)
