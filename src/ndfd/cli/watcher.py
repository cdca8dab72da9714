"""Waits for jobs: any number of them, over one connection that is made anew when it breaks."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from ndfd.cli.patience import Patience, PatientConnection
from ndfd.client import Client
from ndfd.errors import JobUnknown, Unavailable
from ndfd.model.jobs import Job

#: Jobs of one call: those that were handed over first, which are the first to run.
_WATCHED_MAX = 1000
#: When fewer of them are left and there are others, a new call is begun for all.
_WATCHED_MIN = 500
#: It is begun so long after the last one ended, so that jobs that come one by one do not make a call each.
_CALL_PAUSE_S = 0.25


class Gone(NamedTuple):
    """A job that was waited for and is no longer there: it was forgotten."""

    id: str
    error: JobUnknown


class _Again(Exception):
    """The call in progress has too few jobs left: another shall have more."""


class Watcher:
    """Learns of all that happens to the jobs it is given, in a thread of its own, for the length of a `with` block.

    `on_change` is called in that thread, with the newest view of a job only. The end of each job is there to be taken
    with `next_final`, in the order in which they ended.
    """

    def __init__(self, socket: Path, patience: Patience, on_change: Callable[[Job], None]) -> None:
        self._patience = patience
        self._connection = PatientConnection(socket, patience)
        self._on_change = on_change
        self._thread = threading.Thread(target=self._run, name="ndfd-watch")
        self._finals: queue.SimpleQueue[Job | Gone | Exception] = queue.SimpleQueue()
        self._wake = threading.Condition()
        self._closing = threading.Event()
        #: Not over as far as is known, with the version and the pages that were seen last.
        self._waiting: dict[str, tuple[int, int]] = {}
        #: Of these the jobs of the call in progress.
        self._watched: frozenset[str] = frozenset()
        self._watched_left = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        with self._wake:
            self._wake.notify()
        self._connection.close()
        self._thread.join()

    def add(self, job_ids: Iterable[str]) -> None:
        """Jobs to wait for as well; those that it waits for already are the same."""
        with self._wake:
            new = {each: (-1, -1) for each in job_ids if each not in self._waiting}
            self._waiting.update(new)
            self._wake.notify()
            if new and self._watched and self._watched_left < _WATCHED_MIN:
                self._connection.interrupt()

    def next_final(self) -> Job | Gone:
        """Waits for the next job that is over.

        `Unavailable` when the daemon was away for too long, and what `on_change` raises: after these comes nothing.
        """
        return _ended(self._finals.get())

    def finals_so_far(self) -> Iterator[Job | Gone]:
        """Those that are over by now, as `next_final` gives them."""
        while True:
            try:
                ended = self._finals.get_nowait()
            except queue.Empty:
                return
            yield _ended(ended)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                with self._wake:
                    while not self._waiting and not self._closing.is_set():
                        self._wake.wait()
                if not self._closing.is_set():
                    self._watch()
                    self._closing.wait(_CALL_PAUSE_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread that waits has to hear of it
            if not self._closing.is_set():
                self._finals.put(error)

    def _watch(self) -> None:
        try:
            self._connection.call(self._call)
        except _Again:
            self._connection.interrupt()
        except JobUnknown:
            self._connection.call(self._look_at_each)

    def _call(self, client: Client) -> None:
        watched = self._first_waiting()
        with self._wake:
            self._watched = frozenset(watched)
            self._watched_left = len(watched)
        try:
            client.watch(watched, self._changed)
        except Unavailable as error:
            # With others to watch now, it may have been `add` that closed it; if not, the next call fails as well.
            if self._first_waiting() != watched:
                raise _Again from error
            raise
        finally:
            with self._wake:
                self._watched = frozenset()

    def _first_waiting(self) -> tuple[str, ...]:
        with self._wake:
            return tuple(itertools.islice(self._waiting, _WATCHED_MAX))

    def _look_at_each(self, client: Client) -> None:
        """Finds those that were forgotten: the call that names one fails as a whole."""
        for job_id in self._first_waiting():
            try:
                self._changed(client.job(job_id))
            except JobUnknown as error:
                with self._wake:
                    self._waiting.pop(job_id, None)
                self._finals.put(Gone(job_id, error))

    def _changed(self, job: Job) -> None:
        self._patience.succeeded()
        view = (job.version, job.pages_done or 0)
        with self._wake:
            known = self._waiting.get(job.id)
            if known is None or view <= known:
                return
            self._waiting[job.id] = view
            if job.state.is_final:
                del self._waiting[job.id]
                self._watched_left -= job.id in self._watched
            too_few = bool(self._watched) and self._watched_left < min(_WATCHED_MIN, len(self._waiting))
        self._on_change(job)
        if job.state.is_final:
            self._finals.put(job)
            if too_few:
                raise _Again


def _ended(ended: Job | Gone | Exception) -> Job | Gone:
    if isinstance(ended, Exception):
        raise ended
    return ended
