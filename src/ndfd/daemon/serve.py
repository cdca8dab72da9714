"""One life of a daemon: the log, the folder, the store, the event loop, the signals, the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Iterable

from ndfd.config.context import Context
from ndfd.config.load import Loaded
from ndfd.daemon.crash_reports import CRASHES_FILE
from ndfd.daemon.daemon import Daemon, log_warnings
from ndfd.daemon.durable_jobs import open_store
from ndfd.daemon.handed_over import HandedOver
from ndfd.daemon.launch import OnReady
from ndfd.daemon.manager_reports import ManagerReports
from ndfd.daemon.orphans import Orphans
from ndfd.daemon.owner_pipe import OwnerPipe
from ndfd.daemon.runtime_dir import RuntimeDir
from ndfd.daemon.state_dump import StateDump
from ndfd.daemon.stopping import StopRequest, Urgency
from ndfd.platform import PassedDescriptor
from ndfd.store import Step
from ndfd.supervisor import Zygote, ZygoteOptions
from ndfd.telemetry.logs import prepare_logs, reopen_logs

_log = logging.getLogger(__name__)

#: Of the shell for a program that SIGINT ended.
_EX_INTERRUPTED = 130


def serve(
    context: Context,
    loaded: Loaded,
    make_zygote: Callable[[ZygoteOptions], Zygote],
    on_ready: OnReady,
    owner_fd: int | None,
    passed: Iterable[PassedDescriptor],
    reports: ManagerReports,
    *,
    private: bool,
    reached: Callable[[Step], None],
) -> None:
    """Serves until it is told to stop; as `ndfd.daemon.launch.run`, which has read the configuration."""
    prepare_logs(loaded.settings.logging, environment=context.environment).use()
    log_warnings(loaded)
    for warning in reports.manager.warnings:
        _log.warning("%s", warning)
    handed = HandedOver.of(passed)
    if not reports.manager.keeps_descriptors():
        handed.drop_connections()
    with RuntimeDir(handed.folder_for(loaded.settings.network), handed.doors) as runtime_dir:
        store = open_store(loaded.settings, reached, reports.starting)
        try:
            asyncio.run(
                _serve(
                    lambda: Daemon(context, loaded, runtime_dir, make_zygote, store, reports, handed),
                    runtime_dir,
                    on_ready,
                    owner_fd,
                )
            )
        finally:
            if private:
                runtime_dir.remove(CRASHES_FILE)


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
    loop.add_signal_handler(signal.SIGUSR2, reopen_logs)
    StateDump(loop, daemon.state).listen(signal.SIGUSR1)
    Orphans().listen(loop)
    if not await _finished(daemon.start(), stop, Urgency.DRAIN):
        return
    _log.info("ready", extra={"sockets": daemon.sockets, "pid": os.getpid()})
    on_ready(daemon.sockets)
    await stop.wait(Urgency.DRAIN)
    if not await _finished(daemon.stop(daemon.drain_s), stop, Urgency.FAST):
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
