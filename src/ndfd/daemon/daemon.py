"""The daemon: builds its parts, starts them, reloads them, waits, and stops them in the reverse order."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path

from ndfd import __version__
from ndfd.config.context import Context
from ndfd.config.load import Loaded, load
from ndfd.config.places import HTTP_SOCKET, VARLINK_SOCKET, default_socket_dir
from ndfd.config.plan import planned, reloaded
from ndfd.daemon.crash_reports import CRASHES_FILE, CrashReports
from ndfd.daemon.durable_jobs import DurableJobs, open_store
from ndfd.daemon.file_watch import FileWatch
from ndfd.daemon.generations import Parts, Preparation
from ndfd.daemon.known_hardware import KnownHardware
from ndfd.daemon.launch import OnReady
from ndfd.daemon.measured import Counts, MeasuredPools
from ndfd.daemon.network_door import NetworkDoor
from ndfd.daemon.owner_pipe import OwnerPipe
from ndfd.daemon.process_tuning import OwnTuning
from ndfd.daemon.reload_requests import ReloadRequests
from ndfd.daemon.running_pool import RunningPool
from ndfd.daemon.runtime_dir import RuntimeDir
from ndfd.daemon.stopping import StopRequest, Urgency
from ndfd.errors import NdfdError
from ndfd.model.configuration import Change, Configuration, Effect, ReloadReport
from ndfd.model.crash import CrashReport
from ndfd.model.measures import ordered
from ndfd.model.pools import DEFAULT_POOL
from ndfd.model.status import DaemonStatus, EngineStatus
from ndfd.protocol.varlink_interfaces import INTERFACES, ServiceInfo
from ndfd.server.generation import Serving
from ndfd.server.http_app import make_app
from ndfd.server.http_door import HttpDoor
from ndfd.server.methods import Daemon as DaemonMethods
from ndfd.server.varlink_door import VarlinkDoor
from ndfd.store import Step, Store
from ndfd.supervisor import Zygote, ZygoteOptions, require
from ndfd.telemetry.logs import prepare_logs
from ndfd.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

#: Seconds that running conversions get after SIGTERM: less than the 90 after which systemd kills (TimeoutStopSec).
DRAIN_LIMIT_S = 30.0
#: Of the shell for a program that SIGINT ended.
_EX_INTERRUPTED = 130

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
    ) -> None:
        """`store` is where its jobs are kept; without one it keeps none."""
        self._begun = time.monotonic()
        self._context = context
        self._loaded = loaded
        self._runtime_dir = runtime_dir
        self._counts = Counts()
        self._metrics = Metrics(self.status)
        self._crashes = CrashReports(runtime_dir.path if store is None else store.folder)
        self._jobs = (
            None if store is None else DurableJobs(store, self._current_pools, self._engine_name, loaded.settings)
        )
        jobs = None if self._jobs is None else self._jobs.service
        self._methods = DaemonMethods(self.status, self, self._crashes.all, KnownHardware().get, jobs=jobs)
        self._serving = Serving()
        self._varlink = VarlinkDoor(self._serving, ServiceInfo("The ndfd project", "ndfd", __version__, "", INTERFACES))
        app = make_app(self._serving, self._metrics.render, __version__)
        self._http = HttpDoor(app, self._serving)
        self._preparation = Preparation(
            context, self._methods, self._serving, app, self._metrics, self._counts, self._crashed, make_zygote
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

    async def start(self) -> None:
        """Returns when a worker has converted the built-in document and the doors are open.

        The error says why that cannot be; nothing is left running then.
        """
        # First, so that what it is about to open fits, and its threads are as it is.
        self._own.use(self._loaded.settings)
        loop = asyncio.get_running_loop()
        threads = self._loaded.settings.runtime.thread_pool_size
        loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="ndfd"))
        try:
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

    async def stop(self, grace_s: float) -> None:
        """Takes nothing new, gives what runs `grace_s` seconds, then ends it; returns when every worker has ended."""
        self._methods.occupancy.closed = True
        # The files first: who finds no socket starts or waits for another daemon instead of being refused by this one.
        self._runtime_dir.remove_sockets()
        await self._watch.stop()
        # Reloads under way are undone; what former generations still have is ended below, with the rest.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        stops = [door.stop(grace_s) for door in self._network_doors]
        if self._jobs is not None:
            stops.append(self._jobs.stop_running(grace_s))
        await asyncio.gather(self._varlink.stop(grace_s), self._http.stop(grace_s), *stops)
        await asyncio.gather(*(pool.pool.stop() for pool in self._pools))
        if self._jobs is not None:
            await self._jobs.close()

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
            assert self._parts is not None
            former = self._parts
            try:
                loaded = await asyncio.to_thread(load, self._context)
                changes = planned(former.loaded, loaded)
                loaded = reloaded(former.loaded, loaded)
                if dry_run:
                    await self._preparation.judge(loaded)
                    # A new zygote would measure the same host.
                    for pool in former.swarm.pools.values():
                        if pool.sandbox is not None:
                            require(pool.sandbox, loaded.settings.sandbox.allow)
                    return ReloadReport(former.generation.number, loaded.hash, changes, loaded.warnings)
                parts = await self._preparation.prepare(loaded, former)
            except Exception as error:
                if not dry_run:
                    self._metrics.reloaded(successful=False)
                    details = error.details if isinstance(error, NdfdError) else ()
                    said = {"reasons": details or (str(error),), "generation": former.generation.number}
                    _log.error("the configuration is refused, the old one serves on", extra=said)
                raise
            await self._use(parts)
            self._metrics.reloaded(successful=True)
            _log_reload(parts, changes)
            return ReloadReport(parts.generation.number, loaded.hash, changes, loaded.warnings)

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
            await parts.network.start()
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
    _log_warnings(parts.loaded)


def _log_warnings(loaded: Loaded) -> None:
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


def serve(
    context: Context,
    loaded: Loaded,
    make_zygote: Callable[[ZygoteOptions], Zygote],
    on_ready: OnReady,
    owner_fd: int | None,
    *,
    private: bool,
    reached: Callable[[Step], None],
) -> int:
    """Serves until it is told to stop; as `ndfd.daemon.launch.run`, which has read the configuration."""
    prepare_logs(loaded.settings.logging).use()
    _log_warnings(loaded)
    folder = loaded.settings.network.socket_dir
    with RuntimeDir(default_socket_dir() if folder == "auto" else folder) as runtime_dir:
        store = open_store(loaded.settings, reached)
        try:
            asyncio.run(
                _serve(
                    lambda: Daemon(context, loaded, runtime_dir, make_zygote, store), runtime_dir, on_ready, owner_fd
                )
            )
        finally:
            if private:
                runtime_dir.remove(CRASHES_FILE)
    return 0


async def _serve(
    make_daemon: Callable[[], Daemon], runtime_dir: RuntimeDir, on_ready: OnReady, owner_fd: int | None
) -> None:
    def stop_here() -> None:
        runtime_dir.remove_sockets()
        # The zygote and its workers see their channels close and end.
        os._exit(_EX_INTERRUPTED)

    loop = asyncio.get_running_loop()
    stop = StopRequest(on_now=stop_here)
    stop.listen(loop)
    daemon = make_daemon()
    # From here on, or a SIGHUP during the start would end the process; it is served after the start.
    loop.add_signal_handler(signal.SIGHUP, daemon.ask_reload, "SIGHUP")
    if owner_fd is not None:
        OwnerPipe(owner_fd, stop, daemon.ask_reload).listen(loop)
    if not await _finished(daemon.start(), stop, Urgency.DRAIN):
        return
    _log.info("ready", extra={"sockets": daemon.sockets, "pid": os.getpid()})
    on_ready(daemon.sockets)
    await stop.wait(Urgency.DRAIN)
    if not await _finished(daemon.stop(DRAIN_LIMIT_S), stop, Urgency.FAST):
        await daemon.stop(0.0)


async def _finished(work: Coroutine[None, None, None], stop: StopRequest, urgency: Urgency) -> bool:
    """Whether the work came to its end before a stop of this urgency was asked for; it is cancelled otherwise."""
    task = asyncio.ensure_future(work)
    asked = asyncio.ensure_future(stop.wait(urgency))
    try:
        await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
            return True
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return False
    finally:
        asked.cancel()
