"""The daemon: builds its parts, starts them, reloads them, waits, and stops them in the reverse order."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path

from ndfd import __version__
from ndfd.config.context import Context
from ndfd.config.load import Loaded, load
from ndfd.config.places import HTTP_SOCKET, VARLINK_SOCKET
from ndfd.config.plan import planned, reloaded
from ndfd.daemon.crash_reports import CrashReports
from ndfd.daemon.durable_jobs import DurableJobs
from ndfd.daemon.file_watch import FileWatch
from ndfd.daemon.generations import Parts, Preparation
from ndfd.daemon.handed_over import HandedOver
from ndfd.daemon.kept_listener import KeptListener
from ndfd.daemon.known_hardware import KnownHardware
from ndfd.daemon.manager_reports import Figures, ManagerReports
from ndfd.daemon.measured import Counts, MeasuredPools
from ndfd.daemon.network_door import NetworkDoor
from ndfd.daemon.process_tuning import OwnTuning
from ndfd.daemon.reload_requests import ReloadRequests
from ndfd.daemon.running_pool import RunningPool
from ndfd.daemon.runtime_dir import RuntimeDir
from ndfd.daemon.state_dump import DaemonState
from ndfd.errors import NdfdError
from ndfd.model.configuration import Change, Configuration, Effect, ReloadReport
from ndfd.model.crash import CrashReport
from ndfd.model.measures import ordered
from ndfd.model.pools import DEFAULT_POOL
from ndfd.model.status import DaemonStatus, EngineStatus
from ndfd.platform import ServiceManager
from ndfd.protocol.varlink_interfaces import INTERFACES, ServiceInfo
from ndfd.server.generation import Serving
from ndfd.server.http_app import make_app
from ndfd.server.http_door import HttpDoor
from ndfd.server.keeping import Keeper
from ndfd.server.methods import Daemon as DaemonMethods
from ndfd.server.varlink_door import VarlinkDoor
from ndfd.store import Store
from ndfd.supervisor import Zygote, ZygoteOptions, require
from ndfd.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

_NO_FONTS = (
    "no font for Chinese, Japanese or Korean is installed: text in such a font that is not embedded is lost. "
    "Install one (Debian: fonts-noto-cjk), or name its folder: [document] fallback_font_dirs"
)


class Daemon:
    """All parts of one daemon, and their order. Made within the event loop that it runs in."""

    def __init__(
        self,
        context: Context,
        loaded: Loaded,
        runtime_dir: RuntimeDir,
        make_zygote: Callable[[ZygoteOptions], Zygote] = Zygote,
        store: Store | None = None,
        reports: ManagerReports | None = None,
        handed: HandedOver | None = None,
    ) -> None:
        """`store` is where its jobs are kept; without one it keeps none. `reports` go to its manager, if it has one,
        which has `handed` it what a former daemon left."""
        self._reports = reports = reports or ManagerReports(ServiceManager())
        handed = handed or HandedOver()
        self._begun = time.monotonic()
        self._context = context
        self._loaded = loaded
        self._runtime_dir = runtime_dir
        self._counts = Counts(reports.changed)
        self._metrics = Metrics(self.status)
        self._crashes = CrashReports(runtime_dir.path if store is None else store.folder)
        self._jobs = (
            None if store is None else DurableJobs(store, self._current_pools, self._engine_name, loaded.settings)
        )
        jobs = None if self._jobs is None else self._jobs.service
        self._methods = DaemonMethods(self.status, self, self._crashes.all, KnownHardware().get, jobs=jobs)
        self._serving = Serving()
        manager, later = reports.manager, asyncio.get_running_loop().call_later
        store_kept = manager.store if manager.keeps_descriptors() else None
        self._keeper = Keeper(store_kept, handed.connections, later, manager.keeps_max, manager.has_room)
        info = ServiceInfo("The ndfd project", "ndfd", __version__, "", INTERFACES)
        self._varlink = VarlinkDoor(self._serving, info, keeper=self._keeper)
        app = make_app(self._serving, self._metrics.render, __version__)
        self._http = HttpDoor(app, self._serving, keeper=self._keeper)
        self._kept_listener = KeptListener(reports.manager, handed.network)
        self._preparation = Preparation(
            context,
            self._methods,
            self._serving,
            app,
            self._metrics,
            self._counts,
            self._crashed,
            make_zygote,
            self._kept_listener,
        )
        #: Of the generation that serves; None before the start.
        self._parts: Parts | None = None
        #: Those that have not ended: of the generation that serves, and of former ones whose requests go on.
        self._pools: list[RunningPool] = []
        self._network_doors: list[NetworkDoor] = []
        self._reloading = asyncio.Lock()
        self._requests = ReloadRequests(self._reload_for)
        self._watch = FileWatch(lambda: self.ask_reload("a file changed"))
        self._tasks: set[asyncio.Task[None]] = set()
        self._own = OwnTuning()

    @property
    def sockets(self) -> tuple[str, ...]:
        """Where the doors are reached."""
        return tuple(str(self._runtime_dir.path / name) for name in (VARLINK_SOCKET, HTTP_SOCKET))

    def status(self) -> DaemonStatus:
        """What the daemon says of itself."""
        by_pool = {pool: pool.snapshot() for pool in self._pools}
        snapshots = list(by_pool.values())
        engine = snapshots[-1].engine if snapshots else None
        parts = self._parts
        warnings = dict.fromkeys(warning for snapshot in snapshots for warning in snapshot.warnings)
        return DaemonStatus(
            version=__version__,
            pid=os.getpid(),
            uptime_s=time.monotonic() - self._begun,
            sockets=self.sockets,
            engine=engine,
            workers=tuple(worker for snapshot in snapshots for worker in snapshot.workers),
            queued=sum(snapshot.queued for snapshot in snapshots),
            succeeded=self._counts.succeeded,
            failed=self._counts.failed,
            pages=self._counts.pages,
            generation=0 if parts is None else parts.generation.number,
            config_hash=self._loaded.hash,
            warnings=(*warnings, *_sandbox_warning(self._pools), *_font_warning(engine), *self._loaded.warnings),
            pools=() if parts is None else parts.swarm.status(by_pool),
            sandbox=None if parts is None else parts.swarm.pools[DEFAULT_POOL].sandbox,
            jobs=None if self._jobs is None or parts is None else self._jobs.status(),
            tuning=(*self._own.states, *(() if parts is None else parts.swarm.tuning())),
        )

    def state(self) -> DaemonState:
        """What there is to say to somebody who finds that it hangs."""
        connections = {
            "varlink": self._varlink.connections,
            "http": self._http.connections,
            "network": sum(door.connections for door in self._network_doors),
        }
        return DaemonState(self.status(), connections, () if self._jobs is None else self._jobs.service.running())

    async def start(self) -> None:
        """Returns when a worker has converted the built-in document and the doors are open.

        The error says why that cannot be; nothing is left running then.
        """
        # First, so that what it is about to open fits, and its threads are as it is.
        self._own.use(self._loaded.settings)
        loop = asyncio.get_running_loop()
        threads = self._loaded.settings.runtime.thread_pool_size
        loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="ndfd"))
        self._reports.open(self._figures, self._stuck)
        try:
            with self._reports.starting_workers():
                parts = await self._preparation.prepare(self._loaded, None)
            await self._use(parts)
            if self._jobs is not None:
                await self._jobs.start(parts.jobs)
            mode = self._loaded.settings.network.socket_mode
            self._varlink.start(self._runtime_dir.listen(VARLINK_SOCKET, mode))
            await self._http.start(self._runtime_dir.listen(HTTP_SOCKET, mode))
        except BaseException:
            await self.stop(0.0)
            raise
        self._spawn(self._requests.serve())
        self._reports.ready()

    async def stop(self, grace_s: float) -> None:
        """Takes nothing new, gives what runs `grace_s` seconds, then ends it; returns when every worker has ended."""
        self._reports.stopping(grace_s)
        # The files first: who finds no socket starts or waits for another daemon instead of being refused by this one.
        self._runtime_dir.remove_sockets()
        self._varlink.pause()
        self._http.pause()
        self._methods.occupancy.stopping = True
        # What has come before is refused only where it could not be served again by the next daemon.
        self._methods.occupancy.closed = not self._keeper.keeps
        await self._watch.stop()
        # Reloads under way are undone; what former generations still have is ended below, with the rest.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        stops = [door.stop(grace_s) for door in self._network_doors]
        if self._jobs is not None:
            stops.append(self._jobs.stop_running(grace_s))
        await asyncio.gather(self._varlink.stop(grace_s), self._http.stop(grace_s), *stops)
        self._methods.occupancy.closed = True
        await asyncio.gather(*(pool.pool.stop() for pool in self._pools))
        if self._jobs is not None:
            await self._jobs.close()
        self._reports.close()

    @property
    def drain_s(self) -> float:
        """Seconds that what runs gets when it stops in order."""
        return self._loaded.settings.runtime.drain_timeout

    def _figures(self) -> Figures:
        loads = [pool.load() for pool in self._pools]
        return Figures(
            workers=sum(load.workers for load in loads),
            converting=sum(load.converting for load in loads),
            queued=sum(load.queued for load in loads),
            succeeded=self._counts.succeeded,
            failed=self._counts.failed,
            jobs=0 if self._jobs is None else self._jobs.live(),
            warnings=tuple(load.trouble for load in loads if load.trouble is not None),
        )

    def _stuck(self) -> str | None:
        parts = (*(pool.stuck for pool in self._pools), *(() if self._jobs is None else (self._jobs.stuck,)))
        return next((reason for stuck in parts if (reason := stuck()) is not None), None)

    def _current_pools(self) -> MeasuredPools:
        assert self._parts is not None
        return self._parts.pools

    def _engine_name(self) -> str:
        """What makes results: with another one, the same document may give another record."""
        assert self._parts is not None
        engine = self._parts.engine
        return f"{__version__} {engine.name} {engine.native}"

    def _crashed(self, report: CrashReport) -> None:
        self._metrics.crashed(report)
        self._crashes.keep(report)

    # The configuration

    def ask_reload(self, reason: str) -> None:
        """Has the configuration reloaded soon; what comes of it is logged."""
        self._requests.ask(reason)

    def configuration(self) -> Configuration:
        """The one that holds."""
        assert self._parts is not None
        return self._parts.told()

    async def reload(self, *, dry_run: bool) -> ReloadReport:
        """Uses the configuration as it is written now, or with `dry_run` says what would change.

        The error says why it cannot be used; everything is then as it was.
        """
        async with self._reloading:
            if dry_run:
                return await self._rehearse()
            with self._reports.reloading():
                return await self._reload()

    async def _rehearse(self) -> ReloadReport:
        former, loaded, changes = await self._read_anew()
        await self._preparation.judge(loaded)
        # A new zygote would measure the same host.
        for pool in former.swarm.pools.values():
            if pool.sandbox is not None:
                require(pool.sandbox, loaded.settings.sandbox.allow)
        return ReloadReport(former.generation.number, loaded.hash, changes, loaded.warnings)

    async def _reload(self) -> ReloadReport:
        try:
            former, loaded, changes = await self._read_anew()
            parts = await self._preparation.prepare(loaded, former)
        except Exception as error:
            self._metrics.reloaded(successful=False)
            details = error.details if isinstance(error, NdfdError) else ()
            said = {"reasons": details or (str(error),), "generation": self._serving.current.number}
            _log.error("the configuration is refused, the old one serves on", extra=said)
            raise
        await self._use(parts)
        self._metrics.reloaded(successful=True)
        _log_reload(parts, changes)
        return ReloadReport(parts.generation.number, loaded.hash, changes, loaded.warnings)

    async def _read_anew(self) -> tuple[Parts, Loaded, tuple[Change, ...]]:
        """What serves, what the configuration says now, and what of it is other."""
        assert self._parts is not None
        former = self._parts
        loaded = await asyncio.to_thread(load, self._context)
        return former, reloaded(former.loaded, loaded), planned(former.loaded, loaded)

    async def _reload_for(self, reason: str) -> None:
        _log.info("a reload is asked for", extra={"reason": reason})
        await self.reload(dry_run=False)

    async def _use(self, parts: Parts) -> None:
        """The one step: up to its first `await` nothing else happens in this process."""
        former, self._parts = self._parts, parts
        self._loaded = parts.loaded
        self._serving.current = parts.generation
        parts.logs.use()
        settings = parts.loaded.settings
        asyncio.get_running_loop().set_debug(settings.development.debug_mode)
        if former is not None:
            self._own.use(settings)
        parts.swarm.use()
        if self._jobs is not None and former is not None:
            self._jobs.use(parts.jobs)
        # What runs on former parts is of the former generation, and ends by that one's deadlines.
        grace_s = 0.0 if former is None else former.loaded.settings.document.max_deadline
        self._pools += parts.swarm.new
        for pool in () if former is None else former.swarm.without(parts.swarm):
            self._spawn(self._retire(pool, grace_s))
        self._runtime_dir.set_socket_mode(settings.network.socket_mode)
        self._watch.follow(*self._watched(parts))
        if parts.network is not None and (former is None or parts.network is not former.network):
            self._network_doors.append(parts.network)
            self._kept_listener.keep(parts.network.listener)
            await parts.network.start()
        if parts.network is None:
            self._kept_listener.keep(None)
        if former is not None and former.network is not None and former.network is not parts.network:
            # Before the reload is answered: whoever has the answer finds no door at the former address.
            former.network.accept_no_more()
            self._spawn(self._close(former.network, grace_s))
        if self._jobs is not None and former is not None:
            await self._jobs.watch(parts.jobs)

    def _watched(self, parts: Parts) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        if not parts.loaded.settings.development.hot_reload:
            return (), ()
        return self._context.watched(), parts.files()

    async def _retire(self, pool: RunningPool, grace_s: float) -> None:
        await pool.retire(grace_s)
        self._pools.remove(pool)

    async def _close(self, door: NetworkDoor, grace_s: float) -> None:
        await door.stop(grace_s)
        self._network_doors.remove(door)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _log_reload(parts: Parts, changes: tuple[Change, ...]) -> None:
    restart = [change.key for change in changes if change.effect is Effect.RESTART]
    said = {"generation": parts.generation.number, "changed": [change.key for change in changes]}
    _log.info("the configuration was reloaded", extra=said)
    if restart:
        _log.warning("what needs a restart is as it was", extra={"keys": restart})
    log_warnings(parts.loaded)


def log_warnings(loaded: Loaded) -> None:
    """What of the configuration holds, and should be written otherwise."""
    for warning in loaded.warnings:
        _log.warning("the configuration should be mended: %s", warning)


def _sandbox_warning(pools: Iterable[RunningPool]) -> tuple[str, ...]:
    missing = [name for pool in pools if pool.sandbox is not None for name in pool.sandbox.missing]
    if not missing:
        return ()
    lacking = ", ".join(ordered(missing))
    return (f"workers are confined without {lacking}, as [sandbox] allow permits: see `ndfd doctor --running`",)


def _font_warning(engine: EngineStatus | None) -> tuple[str, ...]:
    if engine is None or engine.fallback_fonts:
        return ()
    return (_NO_FONTS,)
