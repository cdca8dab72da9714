"""The daemon: builds its parts, starts them, waits, and stops them in the reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Coroutine

from ndfd import __version__, platform
from ndfd.config.places import HTTP_SOCKET, VARLINK_SOCKET, default_socket_dir
from ndfd.config.settings import Settings
from ndfd.daemon.measured import MeasuredConversions
from ndfd.daemon.parts import admission_limits, pool_limits, zygote_options
from ndfd.daemon.probe import probe_document
from ndfd.daemon.runtime_dir import RuntimeDir
from ndfd.daemon.stopping import StopRequest, Urgency
from ndfd.errors import NdfdError, WorkerStartFailed
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.status import DaemonStatus, EngineStatus
from ndfd.protocol.varlink_interfaces import INTERFACES, ServiceInfo
from ndfd.server.http_app import make_app
from ndfd.server.http_door import HttpDoor
from ndfd.server.methods import Methods
from ndfd.server.varlink_door import VarlinkDoor, VarlinkDoorLimits
from ndfd.supervisor import Pool, Zygote
from ndfd.telemetry.logs import set_up_logs
from ndfd.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

#: Seconds that running conversions get after SIGTERM: less than the 90 after which systemd kills (TimeoutStopSec).
DRAIN_LIMIT_S = 30.0
#: Seconds for the built-in document: milliseconds of work, on a machine that may be busy.
PROBE_LIMIT_S = 30.0
#: Of the shell for a program that SIGINT ended.
_EX_INTERRUPTED = 130

_NO_FONTS = (
    "no font for Chinese, Japanese or Korean is installed: text in such a font that is not embedded is lost. "
    "Install one (Debian: fonts-noto-cjk), or name its folder: NDFD_DOCUMENT__FALLBACK_FONT_DIRS"
)

#: Told the paths of the sockets, the Varlink one first, when the daemon is ready.
OnReady = Callable[[tuple[str, ...]], None]


class Daemon:
    """All parts of one daemon, and their order. Made within the event loop that it runs in."""

    def __init__(self, settings: Settings, runtime_dir: RuntimeDir) -> None:
        self._begun = time.monotonic()
        self._runtime_dir = runtime_dir
        self._socket_mode = settings.network.socket_mode
        self._pool = Pool(
            Zygote(zygote_options(settings.swarm, settings.document)), pool_limits(settings.swarm, settings.document)
        )
        metrics = Metrics(self.status)
        limits = admission_limits(settings.swarm, settings.document)
        self._conversions = MeasuredConversions(self._pool, metrics)
        self._methods = Methods(self._conversions, self.status, limits)
        door_limits = VarlinkDoorLimits()
        service = ServiceInfo("The ndfd project", "ndfd", __version__, "", INTERFACES)
        self._varlink = VarlinkDoor(self._methods, service, door_limits)
        self._http = HttpDoor(make_app(self._methods, metrics.render, __version__, door_limits.stall_s))

    @property
    def sockets(self) -> tuple[str, ...]:
        """Where the doors are reached."""
        return tuple(str(self._runtime_dir.path / name) for name in (VARLINK_SOCKET, HTTP_SOCKET))

    def status(self) -> DaemonStatus:
        """What the daemon says of itself."""
        pool = self._pool.snapshot()
        return DaemonStatus(
            version=__version__,
            pid=os.getpid(),
            uptime_s=time.monotonic() - self._begun,
            sockets=self.sockets,
            engine=pool.engine,
            workers=pool.workers,
            queued=pool.queued,
            succeeded=self._conversions.succeeded,
            failed=self._conversions.failed,
            pages=self._conversions.pages,
            warnings=(*pool.warnings, *_font_warning(pool.engine)),
        )

    async def start(self) -> None:
        """Returns when a worker has converted the built-in document and both doors are open.

        `WorkerStartFailed` or `SocketError` when that cannot be; nothing is left running then.
        """
        try:
            await self._pool.start()
            await self._probe()
            self._varlink.start(self._runtime_dir.listen(VARLINK_SOCKET, self._socket_mode))
            await self._http.start(self._runtime_dir.listen(HTTP_SOCKET, self._socket_mode))
        except BaseException:
            await self.stop(0.0)
            raise

    async def stop(self, grace_s: float) -> None:
        """Takes nothing new, gives what runs `grace_s` seconds, then ends it; returns when every worker has ended."""
        self._methods.stop_taking()
        # The files first: who finds no socket starts or waits for another daemon instead of being refused by this one.
        self._runtime_dir.remove_sockets()
        await asyncio.gather(self._varlink.stop(grace_s), self._http.stop(grace_s))
        await self._pool.stop()

    async def _probe(self) -> None:
        fd = platform.sealed_memfd("ndfd-probe", probe_document())
        options = ConvertOptions(OutputFormat.TEXT, name="the built-in document", deadline_s=PROBE_LIMIT_S)
        try:
            result = await self._pool.convert(fd, options, uid=os.geteuid())
            os.close(result.fd)
        except NdfdError as error:
            raise WorkerStartFailed(f"no worker converts the built-in document: {error}") from error
        finally:
            os.close(fd)


def _font_warning(engine: EngineStatus | None) -> tuple[str, ...]:
    if engine is None or engine.fallback_fonts:
        return ()
    return (_NO_FONTS,)


def run(settings: Settings, on_ready: OnReady, *, owner_fd: int | None = None, private: bool = False) -> int:
    """Runs a daemon until it is told to stop; the exit status.

    `owner_fd` is a pipe whose end stops the daemon. A private daemon removes its socket folder, which is nobody else's.
    Raises the error that kept the daemon from starting.
    """
    set_up_logs(settings.logging)
    with RuntimeDir(settings.network.socket_dir or default_socket_dir()) as runtime_dir:
        try:
            asyncio.run(_serve(settings, runtime_dir, on_ready, owner_fd))
        finally:
            if private:
                runtime_dir.remove()
    return 0


async def _serve(settings: Settings, runtime_dir: RuntimeDir, on_ready: OnReady, owner_fd: int | None) -> None:
    def stop_here() -> None:
        runtime_dir.remove_sockets()
        # The zygote and its workers see their channels close and end.
        os._exit(_EX_INTERRUPTED)

    stop = StopRequest(on_now=stop_here)
    stop.listen(asyncio.get_running_loop(), owner_fd)
    daemon = Daemon(settings, runtime_dir)
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
