"""Users of a daemon: processes of their own uids that hand in works, change their minds, and read what became of them.

They outlive every daemon: what was not answered because it died is asked again, most of it. What they know stands in a
journal for each.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from ndfd.client import Client
from ndfd.errors import (
    Busy,
    JobError,
    KeyReused,
    NdfdError,
    NotPermitted,
    ShuttingDown,
    SocketError,
    StoreError,
    Unavailable,
)
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.job_states import FINAL, JobState
from ndfd.model.jobs import LIST_MAX, Job, JobOptions, JobQuery
from tests.crash.judge import WORK_LABEL, work_of
from tests.crash.ledger import Fate, Journal, Ledger, Work
from tests.crash.works import RealWorks

_LIVE = (JobState.QUEUED, JobState.RUNNING)
_UNSETTLED = (*_LIVE, JobState.FAILED, JobState.QUARANTINED)
_ENDED_BADLY = (JobState.FAILED, JobState.QUARANTINED, JobState.CANCELLED)
#: Of one user, before he waits for some to end.
_LIVE_MAX = 40
_THREADS = 3
#: An answer that takes longer than this does not come.
_ANSWER_S = 60.0
#: The errors of a connection, not of the daemon: what was asked may have been done.
GONE = (Unavailable, SocketError, NotPermitted)
#: As well what a daemon says whose disk has lost its power, for the moment that it is left.
WITHOUT_POWER = (*GONE, StoreError)


@dataclass(frozen=True)
class Plan:
    """What one user does."""

    uid: int
    #: Of so many users, so that no two give a work the same number.
    index: int
    users: int
    socket: Path
    journal: Path
    seed: str
    #: Seconds between two things that one thread does, on average.
    pace_s: float
    #: Errors that say nothing of what was asked.
    gone: tuple[type[NdfdError], ...] = GONE


class UserProcess:
    """A user in a process of his own, for the length of a block."""

    def __init__(self, plan: Plan, works: RealWorks) -> None:
        self._plan = plan
        self._works = works
        self._pid = -1
        self._orders = self._answers = -1

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._pid

    def __enter__(self) -> Self:
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._orders)
            os.close(self._answers)
            _be_user(self._plan, self._works, orders, answers)
        os.close(orders)
        os.close(answers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # He sees the pipe end, and goes.
        os.close(self._orders)
        os.close(self._answers)
        os.waitpid(self._pid, 0)

    def settle(self) -> None:
        """He hands nothing in any more, and has run again what ended only because of kills; does not wait."""
        os.write(self._orders, b"s")

    def wait_settled(self, limit_s: float) -> bool:
        """Whether all his jobs have ended as they must within this time."""
        ready, _, _ = select.select([self._answers], [], [], limit_s)
        return bool(ready) and os.read(self._answers, 1) == b"s"


def _be_user(plan: Plan, works: RealWorks, orders: int, answers: int) -> None:
    """The child; never returns."""
    status = 1
    try:
        journal = Journal(plan.journal, Ledger())
        try:
            if os.geteuid() == 0 and plan.uid != 0:
                os.setgroups([])
                os.setresgid(plan.uid, plan.uid, plan.uid)
                os.setresuid(plan.uid, plan.uid, plan.uid)
            User(plan, works, journal).live(orders, answers)
            status = 0
        except BaseException:  # noqa: BLE001 - it is told, whatever it is
            journal.write("fault", traceback.format_exc())
    finally:
        os._exit(status)


class User:
    """What the threads of one user share: the ledger, and which of the works one of them is at."""

    def __init__(self, plan: Plan, works: RealWorks, journal: Journal) -> None:
        self._plan = plan
        self._works = works
        self._journal = journal
        self._ledger = journal.ledger
        self._lock = threading.Lock()
        self._held = Counter[int]()
        self._unanswered: list[Work] = []
        self._over = threading.Event()

    def live(self, orders: int, answers: int) -> None:
        """Until it is told to settle, and then until the pipe's end."""
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(_THREADS)]
        for thread in threads:
            thread.start()
        told = os.read(orders, 1)
        self._over.set()
        for thread in threads:
            thread.join()
        if told and self._settle(orders):
            os.write(answers, b"s")
            os.read(orders, 1)

    def _work(self, number: int) -> None:
        try:
            self._thread(Random(f"{self._plan.seed}/{number}"))
        except BaseException:  # noqa: BLE001 - it is told, whatever it is
            self._write("fault", traceback.format_exc())

    def _thread(self, random: Random) -> None:
        verbs: tuple[tuple[Callable[[Client, Random], None], int], ...] = (
            (self._submit, 50),
            (self._cancel, 10),
            (self._retry, 10),
            (self._forget, 10),
            (self._read, 15),
            (self._reuse_key, 5),
        )
        doings, weights = zip(*verbs, strict=True)
        with _Connection(self._plan, self._over) as connection:
            while not self._over.is_set():
                (do,) = random.choices(doings, weights)
                with connection.using() as client:
                    if client is not None:
                        do(client, random)
                self._over.wait(self._plan.pace_s * 2 * random.random())

    def _submit(self, client: Client, random: Random) -> None:
        if len(client.jobs(JobQuery(states=_LIVE, limit=_LIVE_MAX)).jobs) == _LIVE_MAX:
            return
        with self._chosen_work(random) as work:
            if work is not None:
                self._hand_in(client, work)

    def _hand_in(self, client: Client, work: Work) -> None:
        self._write("ask", "submit", work.number)
        try:
            submission = client.submit(self._works.content(work), _options(work), timeout_s=_ANSWER_S)
        except (Busy, ShuttingDown):
            return
        except self._plan.gone:
            # Most clients ask again, and some never do.
            if work.number % 4:
                with self._lock:
                    self._unanswered.append(work)
            raise
        except JobError as error:
            self._write("fault", f"work {work.number} was refused: {error.code}: {error}")
            return
        self._write("ack", "submit", work.number, submission.job.id)

    @contextlib.contextmanager
    def _chosen_work(self, random: Random) -> Iterator[Work | None]:
        """A new one, or one again: whose answer was lost, or whose job is sure to be there as it was."""
        with self._lock:
            work = self._some_work(random)
            if work is not None:
                self._held[work.number] += 1
        try:
            yield work
        finally:
            if work is not None:
                with self._lock:
                    self._held[work.number] -= 1

    def _some_work(self, random: Random) -> Work | None:
        works, index, users = self._ledger.works, self._plan.index, self._plan.users
        if self._unanswered:
            return self._unanswered.pop()
        if random.random() < 0.25 and works:
            work = works[random.randrange(len(works)) * users + index]
            job_id = self._ledger.job_of.get(work.number)
            if job_id is not None and not self._held[work.number] and self._ledger.jobs[job_id].fates == {Fate.ENDED}:
                return work
            return work if job_id is None and self._held[work.number] else None
        number = len(works) * users + index
        return self._journal.add(
            Work(
                number,
                self._plan.uid,
                f"key-{number}" if random.random() < 0.5 else None,
                random.randrange(self._works.count),
                random.random() < 0.7,
                random.choice(self._works.formats),
                random.choice((0, 0, 5, -5)),
            )
        )

    def _reuse_key(self, client: Client, random: Random) -> None:
        """Another document under a key that a job has is refused."""
        with self._one_of(client, random, None) as job:
            if job is None or job.key is None or self._ledger.jobs[job.id].fates != {Fate.ENDED}:
                return
            work = self._ledger.works[work_of(job)]
            with contextlib.suppress(KeyReused, Busy, ShuttingDown):
                other = client.submit(self._works.content(work) + b"%% another", _options(work), timeout_s=_ANSWER_S)
                self._write("fault", f"another document under the key of job {job.id} became job {other.job.id}")

    def _cancel(self, client: Client, random: Random) -> None:
        self._change(client, random, "cancel", client.cancel, _LIVE)

    def _retry(self, client: Client, random: Random) -> None:
        self._change(client, random, "retry", client.retry, _ENDED_BADLY)

    def _forget(self, client: Client, random: Random) -> None:
        self._change(client, random, "forget", client.forget, tuple(FINAL))

    def _change(
        self,
        client: Client,
        random: Random,
        verb: str,
        change: Callable[[str], object],
        states: tuple[JobState, ...],
    ) -> None:
        with self._one_of(client, random, states) as job:
            if job is not None:
                self._ask(verb, change, job)

    def _ask(self, verb: str, change: Callable[[str], object], job: Job) -> None:
        work = work_of(job)
        self._write("ask", verb, work, job.id)
        try:
            change(job.id)
        except JobError as error:
            self._write("refused", verb, work, job.id, error.code)
        except (Busy, ShuttingDown):
            return
        else:
            self._write("ack", verb, work, job.id)

    def _read(self, client: Client, random: Random) -> None:
        """Looks at one that has ended."""
        with self._one_of(client, random, tuple(FINAL)) as job:
            if job is None:
                return
            with contextlib.suppress(JobError):
                job, result = client.job(job.id), None
                if job.state is JobState.SUCCEEDED:
                    with client.result(job.id, timeout_s=_ANSWER_S) as conversion:
                        result = hashlib.sha256(conversion.content).hexdigest()
                if job.state in FINAL:
                    self._write("seen", job.id, job.state, job.version, job.attempts, job.finished_at, result)

    @contextlib.contextmanager
    def _one_of(self, client: Client, random: Random, states: tuple[JobState, ...] | None) -> Iterator[Job | None]:
        """Some job of his in one of these states that he knows of and no other thread is at."""
        # Not always of the newest: what is old is forgotten and retried, too.
        page = client.jobs(JobQuery(states=states or (), limit=100))
        job = random.choice(page.jobs) if page.jobs else None
        with self._lock:
            if job is not None and (job.id not in self._ledger.jobs or self._held[work_of(job)]):
                job = None
            if job is not None:
                self._held[work_of(job)] += 1
        try:
            yield job
        finally:
            if job is not None:
                with self._lock:
                    self._held[work_of(job)] -= 1

    def _settle(self, orders: int) -> bool:
        """Until everything has ended as it must, or the pipe's end: then False."""
        with self._lock:
            again = [each for each in self._unanswered if each.number not in self._ledger.job_of]
        with _Connection(self._plan, threading.Event()) as connection:
            while not select.select([orders], [], [], 0.05)[0]:
                with connection.using() as client:
                    if client is None:
                        continue
                    while again:
                        self._hand_in(client, again[-1])
                        again.pop()
                    if self._settled(client):
                        return True
        return False

    def _settled(self, client: Client) -> bool:
        settled, cursor = True, None
        while True:
            page = client.jobs(JobQuery(states=_UNSETTLED, cursor=cursor, limit=LIST_MAX))
            for job in page.jobs:
                if job.state in _LIVE:
                    settled = False
                elif self._ended_wrongly(job):
                    settled = False
                    self._ask("retry", client.retry, job)
            cursor = page.cursor
            if cursor is None:
                return settled

    def _ended_wrongly(self, job: Job) -> bool:
        """Its worker was killed once too often. One that its owner does not know of is nobody's to retry."""
        told = None if job.fault is None else job.fault.code
        return job.id in self._ledger.jobs and told != self._works.end(self._ledger.works[work_of(job)]).told

    def _write(self, *entry: object) -> None:
        with self._lock:
            self._journal.write(*entry)


class _Connection:
    """A connection that is made anew when the daemon at its other end has died."""

    def __init__(self, plan: Plan, over: threading.Event) -> None:
        self._socket = plan.socket
        self._gone = plan.gone
        self._over = over
        self._client: Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.close()

    @contextlib.contextmanager
    def using(self) -> Iterator[Client | None]:
        """A client, or None when nobody answers. What fails with the connection has failed, and is not raised."""
        if self._client is None or self._client.closed:
            try:
                self._client = Client.connect(self._socket, _ANSWER_S)
            except NdfdError:
                self._client = None
                self._over.wait(0.005)
        try:
            yield self._client
        except self._gone:
            assert self._client is not None
            self._client.close()


def _options(work: Work) -> JobOptions:
    return JobOptions(
        ConvertOptions(OutputFormat(work.format), name=work.name),
        priority=work.priority,
        key=work.key,
        labels={WORK_LABEL: str(work.number)},
    )
