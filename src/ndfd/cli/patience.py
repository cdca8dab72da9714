"""What a command does about a daemon that takes nothing for now, or is not there for a while: it tries again, for a
time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from ndfd.cli.endings import one_line
from ndfd.client import Client
from ndfd.config.quantities import format_duration
from ndfd.errors import Busy, NdfdError, ShuttingDown, StoreError, Unavailable

T = TypeVar("T")

#: What nobody has accepted anything for so long, a person should look at.
RETRY_FOR_S = 600.0

#: What time may mend, where the error itself says that trying again makes sense.
_MENDED_BY_TIME = (Busy, ShuttingDown, StoreError, Unavailable)
#: Where the daemon does not say when to come again: at first, doubling up to the last.
_DELAY_S, _DELAY_MAX_S = 0.1, 5.0
#: However late it says: a place may be free sooner.
_WAIT_MAX_S = 30.0
#: Of those that wait, at each success.
_WAKES = 2
#: The same is not said more often.
_SAY_AGAIN_S = 60.0


def time_may_mend(error: NdfdError) -> bool:
    """Whether the same may go through later, with nothing changed: the daemon is busy, or on its way back."""
    return isinstance(error, _MENDED_BY_TIME) and error.retryable


class Patience:
    """Shared by all threads of a command: the time counts from the first refusal after the last success of any.

    Leaving its `with` block ends all waiting.
    """

    def __init__(self, limit_s: float, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`limit_s` 0 for none at all; `say` takes a line for the user."""
        self._limit_s = limit_s
        self._say = say
        self._clock = clock
        self._ended = False
        self._turn = threading.Condition()
        self._refused_since: float | None = None
        self._refusals = 0
        self._said: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """Wakes all that wait: each gives up."""
        with self._turn:
            self._ended = True
            self._turn.notify_all()

    def succeeded(self) -> None:
        """Something went through: the time begins anew, and it is worth a try for others that wait."""
        with self._turn:
            self._refused_since = None
            self._refusals = 0
            # Each wakes so many more, until they are refused: what is free is taken at once, however late the daemon
            # said, and where nothing is, not all of them ask in vain.
            self._turn.notify(_WAKES)

    def wait(self, error: NdfdError) -> None:
        """Returns when to try again; raises the error when time does not mend it, has not mended it, or is up."""
        with self._turn:
            now = self._clock()
            if self._ended or not time_may_mend(error) or (delay_s := self._delay_s(error, now)) is None:
                raise error
            tell = self._is_news(error, now)
        if tell:
            self._say(f"ndfd: {one_line(error)}; trying again for up to {format_duration(round(self._limit_s, 3))}")
        with self._turn:
            if not self._ended:
                self._turn.wait(delay_s)
            if self._ended:
                raise error

    def _delay_s(self, error: NdfdError, now: float) -> float | None:
        """Seconds to wait; None when no time is left."""
        if self._refused_since is None:
            self._refused_since = now
        left_s = self._refused_since + self._limit_s - now
        delay_s = error.retry_after_s
        if delay_s is None:
            delay_s = min(_DELAY_S * 2**self._refusals, _DELAY_MAX_S)
        self._refusals = min(self._refusals + 1, 16)
        # The last try comes when the time is up, not a whole delay sooner.
        return None if left_s <= 0 else max(min(delay_s, _WAIT_MAX_S, left_s), 0.01)

    def _is_news(self, error: NdfdError, now: float) -> bool:
        told = self._said.get(error.code)
        if told is not None and now - told < _SAY_AGAIN_S:
            return False
        self._said[error.code] = now
        return True


class PatientConnection:
    """A connection that is made anew when it breaks, for one thread at a time; any thread may close it."""

    def __init__(self, socket: Path, patience: Patience) -> None:
        self._socket = socket
        self._patience = patience
        self._client: Client | None = None
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed; one that broke is not."""
        return self._closed

    def close(self) -> None:
        """Ends the call in progress; no further one is made."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()

    def interrupt(self) -> None:
        """Ends the call in progress in `Unavailable`, for the one who waits for it to begin another."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def call(self, work: Callable[[Client], T]) -> T:
        """What `work` gives, tried again for as long as there is patience. It has to bear being done twice."""
        while True:
            try:
                result = work(self.client())
            except NdfdError as error:
                if self._closed:
                    raise
                self._patience.wait(error)
            else:
                self._patience.succeeded()
                return result

    def client(self) -> Client:
        """The connection as it is, or a new one; `Unavailable` when nobody answers."""
        client = self._client
        if client is None or client.closed:
            client = Client.connect(self._socket)
            with self._lock:
                self._client = client
                if self._closed:
                    client.close()
        return client
