"""The methods of the socket API, behind both doors and knowing neither."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from ndfd.admission import Limits, Spec, Usage, admit, check_size
from ndfd.errors import ShuttingDown, UsageError
from ndfd.model.conversion import ConversionReport, ConvertOptions, PageReport
from ndfd.model.status import DaemonStatus, WorkerState
from ndfd.platform import Peer
from ndfd.server.access import ACCESS, Rule, check_access
from ndfd.server.intake import document_size

OnPage = Callable[[PageReport], None]

#: Name and password travel to the worker in one frame of at most 64 KiB (`ndfd.protocol.frames`).
NAME_MAX_CHARACTERS = 1024
PASSWORD_MAX_CHARACTERS = 1024


class Converted(Protocol):
    """A finished conversion."""

    @property
    def report(self) -> ConversionReport:
        """What it was like."""

    @property
    def fd(self) -> int:
        """The rendered result: a memfd sealed against every change. Whoever gets it closes it."""


class Conversions(Protocol):
    """Who converts: the supervisor's pool."""

    async def convert(
        self,
        document_fd: int,
        options: ConvertOptions,
        *,
        uid: int,
        on_page: OnPage | None,
    ) -> Converted:
        """Converts the document behind `document_fd`, which stays the caller's and is not needed after the return.

        Calls `on_page` for each finished page, from the event loop, never after the return. Fails with the errors of
        `ndfd.errors`. Cancelling the call ends the work and leaves nothing open.
        """


class Methods:
    """What a caller can have done. Each method takes the kernel's word for who calls, and checks it first."""

    def __init__(
        self,
        conversions: Conversions,
        status: Callable[[], DaemonStatus],
        limits: Limits,
        access: Mapping[str, Rule] = ACCESS,
    ) -> None:
        self.limits = limits
        self._conversions = conversions
        self._status = status
        self._access = access
        self._stopping = False
        self._running: Counter[int] = Counter()

    @property
    def running(self) -> int:
        """Conversions taken on and not ended."""
        return self._running.total()

    def stop_taking(self) -> None:
        """From now on every new conversion is refused with `ShuttingDown`; those taken on go on."""
        self._stopping = True

    @contextlib.contextmanager
    def admitted(self, peer: Peer, size_bytes: int | None) -> Iterator[Admission]:
        """Takes one conversion on for the length of the block, or refuses it.

        `size_bytes` is None for a document that is still to come. It is received within the block: a document on its
        way takes memory, so it has its place among the conversions.
        """
        check_access("io.ndfd.Documents.Convert", peer, self._access)
        if self._stopping:
            raise ShuttingDown("the daemon is stopping and takes no new documents")
        usage = Usage(conversions=self.running, conversions_of_user=self._running[peer.uid])
        admit(Spec(size_bytes), peer, usage, self.limits)
        self._running[peer.uid] += 1
        try:
            yield Admission(self._conversions, peer, self.limits)
        finally:
            self._running[peer.uid] -= 1
            # Keeps the table as small as the number of users at work.
            self._running += Counter()

    def status(self, peer: Peer) -> DaemonStatus:
        """What the daemon says of itself."""
        check_access("io.ndfd.Service.GetStatus", peer, self._access)
        return self._status()

    def healthy(self) -> bool:
        """Whether a document handed in now would be converted: a worker works, and the daemon is not stopping."""
        working = (WorkerState.IDLE, WorkerState.BUSY)
        return not self._stopping and any(worker.state in working for worker in self._status().workers)


class Admission:
    """One conversion that was taken on."""

    def __init__(self, conversions: Conversions, peer: Peer, limits: Limits) -> None:
        self._conversions = conversions
        self._peer = peer
        self._limits = limits

    async def convert(self, document_fd: int, options: ConvertOptions, on_page: OnPage | None = None) -> Converted:
        """Converts the document; the caller closes the result's descriptor, and its own `document_fd`."""
        _check_options(options)
        check_size(document_size(document_fd), self._limits)
        return await self._conversions.convert(document_fd, options, uid=self._peer.uid, on_page=on_page)


def _check_options(options: ConvertOptions) -> None:
    if options.name is not None and len(options.name) > NAME_MAX_CHARACTERS:
        raise UsageError(f"the name has {len(options.name)} characters; at most {NAME_MAX_CHARACTERS} are taken")
    if options.password is not None and len(options.password) > PASSWORD_MAX_CHARACTERS:
        raise UsageError(f"the password has more than {PASSWORD_MAX_CHARACTERS} characters")
    deadline_s = options.deadline_s
    if deadline_s is not None and not (deadline_s > 0 and math.isfinite(deadline_s)):
        raise UsageError(f"the deadline of {deadline_s} s is not a positive time")
