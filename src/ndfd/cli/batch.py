"""Many documents over all workers of a daemon: one thread and one connection for each, results in the order asked."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from ndfd.errors import Unavailable


class Closable(Protocol):
    """A connection, as far as a batch knows it."""

    @property
    def closed(self) -> bool:
        """Whether it can carry no further call."""
        ...

    def close(self) -> None:
        """Ends the call in progress; any thread may do so."""


Connected = TypeVar("Connected", bound=Closable)
Item = TypeVar("Item")
Result = TypeVar("Result")


class DaemonGone(Exception):
    """The daemon went away in the middle: what is left cannot be converted either."""

    def __init__(self, error: Unavailable) -> None:
        super().__init__(str(error))
        self.error = error


class Batch(Generic[Connected, Item, Result]):
    """Runs `work(client, item)` for many items at once. Leaving the block early ends what still runs."""

    def __init__(
        self, connect: Callable[[], Connected], threads: int, work: Callable[[Connected, Item], Result]
    ) -> None:
        """`connect` makes a thread's connection, and another when it is closed."""
        self._connect = connect
        self._work = work
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="ndfd-batch")
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._clients: set[Connected] = set()
        self._stopping = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._stopping = True
            clients = list(self._clients)
        # Wakes the threads that wait for the daemon, which cancels their conversions there.
        for client in clients:
            client.close()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def results(self, items: Iterable[Item], ahead: int) -> Iterator[Result]:
        """The results in the order of the items, with at most `ahead` items begun and not yet given.

        `DaemonGone` when no connection can be made any more; what `work` raises otherwise.
        """
        begun: deque[Future[Result]] = deque()
        waiting = iter(items)
        for item in waiting:
            begun.append(self._executor.submit(self._run, item))
            if len(begun) >= ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()

    def _run(self, item: Item) -> Result:
        return self._work(self._client(), item)

    def _client(self) -> Connected:
        """This thread's connection: a new one when the last broke."""
        client: Connected | None = getattr(self._mine, "client", None)
        if client is None or client.closed:
            try:
                client = self._connect()
            except Unavailable as error:
                raise DaemonGone(error) from error
            self._mine.client = client
            with self._lock:
                self._clients.add(client)
                if self._stopping:
                    client.close()
        return client
