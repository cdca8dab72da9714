"""The methods of the socket API, behind both doors and knowing neither."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from ndfd.admission import Limits, Spec, Usage, admit, check_size
from ndfd.errors import ShuttingDown
from ndfd.model.configuration import Configuration, ReloadReport
from ndfd.model.conversion import Converted, ConvertOptions, OnPage
from ndfd.model.crash import Crashes, CrashReport
from ndfd.model.hardware import Hardware
from ndfd.model.info import Info
from ndfd.model.pools import DEFAULT_POOL
from ndfd.model.status import DaemonStatus, RenewReport, WorkerState
from ndfd.platform import Peer
from ndfd.server.access import ACCESS, Rule, administrators, check_access
from ndfd.server.intake import document_size
from ndfd.server.job_methods import JobMethods, Jobs
from ndfd.server.occupancy import Arriving, Occupancy
from ndfd.server.options import check_convert_options, with_deadline
from ndfd.server.stalling import Settling


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
        `ndfd.errors`. `options` name a deadline. Cancelling the call ends the work and leaves nothing open.
        """


class Pools(Protocol):
    """Whose workers can be asked for."""

    def held(self, name: str | None) -> AbstractContextManager[Conversions]:
        """The pool of this name, or the default one, which goes on for as long as it is held, whatever a reload does.

        `PoolUnknown` names those that there are.
        """

    async def renew(self, name: str | None) -> int:
        """Replaces every worker of this pool, or of all, by a fresh one; how many were. Fails as `held`."""


class Configurations(Protocol):
    """Who keeps the daemon's configuration."""

    async def reload(self, *, dry_run: bool) -> ReloadReport:
        """Reads the configuration anew and uses it, or with `dry_run` says what would change.

        `ConfigError` with a line for each mistake, and nothing changed, when it cannot be used.
        """

    def configuration(self) -> Configuration:
        """The one that holds."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """What the methods of every generation stand on."""

    status: Callable[[], DaemonStatus]
    configurations: Configurations
    #: What is kept of workers that documents ended.
    crashes: Callable[[], tuple[CrashReport, ...]]
    #: The machine, which may take seconds to be looked at.
    hardware: Callable[[], Awaitable[Hardware]]
    occupancy: Occupancy = field(default_factory=Occupancy)
    settling: Settling = field(default_factory=Settling)
    #: Documents of jobs that are on their way in.
    arriving: Arriving = field(default_factory=Arriving)
    #: None where none are kept.
    jobs: Jobs | None = None


class Methods:
    """What a caller can have done, in one generation of the configuration.

    Each method takes the kernel's word for who calls, and checks it first.
    """

    def __init__(
        self,
        generation: int,
        daemon: Daemon,
        pools: Pools,
        limits: Limits,
        *,
        admins: frozenset[int] = frozenset(),
        access: Mapping[str, Rule] = ACCESS,
    ) -> None:
        self.generation = generation
        self.limits = limits
        self._daemon = daemon
        self._pools = pools
        self._admins = admins
        self._access = access
        #: What can be done with durable jobs.
        self.jobs = JobMethods(
            daemon.jobs, daemon.occupancy, daemon.arriving, limits, self._check_pool, admins=admins, access=access
        )

    @contextlib.contextmanager
    def admitted(self, peer: Peer, size_bytes: int | None, pool: str | None = None) -> Iterator[Admission]:
        """Takes one conversion on for the length of the block, for this pool, or refuses it.

        `size_bytes` is None for a document that is still to come. It is received within the block: a document on its
        way takes memory, so it has its place among the conversions.
        """
        self._check_access("io.ndfd.Documents.Convert", peer)
        occupancy = self._daemon.occupancy
        if occupancy.closed:
            raise ShuttingDown("the daemon is stopping and takes no new documents")
        with self._pools.held(pool) as conversions:
            usage = Usage(conversions=occupancy.conversions, conversions_of_user=occupancy.of_user(peer.uid))
            admit(Spec(size_bytes), peer, usage, self.limits)
            with occupancy.one_more(peer.uid):
                yield Admission(conversions, peer, self.limits)

    def settled(self, peer: Peer, fd: int, stall_s: float) -> AbstractAsyncContextManager[int]:
        """The document behind a descriptor, or a copy of it where reading it may keep the daemon waiting."""
        return self._daemon.settling.settled(fd, peer.uid, self.limits.document_max_bytes, stall_s)

    def status(self, peer: Peer) -> DaemonStatus:
        """What the daemon says of itself."""
        self._check_access("io.ndfd.Service.GetStatus", peer)
        return self._daemon.status()

    def crashes(self, peer: Peer) -> Crashes:
        """The last conversions that ended their workers: the caller's own, for administrators all."""
        self._check_access("io.ndfd.Service.GetCrashes", peer)
        every = administrators(peer, self._admins)
        seen = tuple(crash for crash in self._daemon.crashes() if every or crash.uid == peer.uid)
        return Crashes(self.generation, seen)

    async def info(self, peer: Peer) -> Info:
        """The daemon's version, what it runs, where it runs, and what it can do."""
        self._check_access("io.ndfd.Service.GetHardware", peer)
        hardware, status = await self._daemon.hardware(), self._daemon.status()
        features = {
            "jobs": status.jobs is not None,
            "sandbox": status.sandbox is not None and not status.sandbox.missing,
            "fallback-fonts": status.engine is not None and bool(status.engine.fallback_fonts),
        }
        able = tuple(name for name, has in features.items() if has)
        return Info(self.generation, status.version, hardware, status.engine, able)

    def configuration(self, peer: Peer) -> Configuration:
        """Every value that holds, and where it comes from."""
        self._check_access("io.ndfd.Service.GetConfiguration", peer)
        return self._daemon.configurations.configuration()

    async def reload(self, peer: Peer, *, dry_run: bool) -> ReloadReport:
        """Uses the configuration as it is written now, or with `dry_run` says what would change."""
        self._check_access("io.ndfd.Service.Reload", peer)
        if self._daemon.occupancy.stopping:
            raise ShuttingDown("the daemon is stopping and reloads nothing")
        return await self._daemon.configurations.reload(dry_run=dry_run)

    async def renew(self, peer: Peer, pool: str | None) -> RenewReport:
        """Replaces every worker, or those of one pool, by a fresh one, one by one."""
        self._check_access("io.ndfd.Service.RenewWorkers", peer)
        return RenewReport(self.generation, await self._pools.renew(pool))

    def unhealthy(self) -> str | None:
        """Why a document handed in now, for no pool by name, would not be converted; None when it would.

        It would where a worker works, or where none is needed when there is nothing to do and none has failed to start;
        while the daemon stops, too, as long as the next one serves what this one does not.
        """
        if self._daemon.occupancy.closed:
            return "the daemon is stopping"
        status = self._daemon.status()
        working = {worker.pool for worker in status.workers if worker.state in (WorkerState.IDLE, WorkerState.BUSY)}
        default = next((pool for pool in status.pools if pool.name == DEFAULT_POOL), None)
        if default is None:
            return "the daemon is starting"
        if default.name in working or (default.workers_min == 0 and default.error is None):
            return None
        return default.error or "no worker is ready: the next one is starting"

    def _check_pool(self, name: str) -> None:
        with self._pools.held(name):
            pass

    def _check_access(self, method: str, peer: Peer) -> None:
        check_access(method, peer, self._admins, self._access)


class Admission:
    """One conversion that was taken on."""

    def __init__(self, conversions: Conversions, peer: Peer, limits: Limits) -> None:
        self._conversions = conversions
        self._peer = peer
        self._limits = limits

    async def convert(self, document_fd: int, options: ConvertOptions, on_page: OnPage | None = None) -> Converted:
        """Converts the document; the caller closes the result's descriptor, and its own `document_fd`."""
        check_convert_options(options)
        check_size(document_size(document_fd), self._limits)
        options = with_deadline(options, self._limits)
        return await self._conversions.convert(document_fd, options, uid=self._peer.uid, on_page=on_page)
