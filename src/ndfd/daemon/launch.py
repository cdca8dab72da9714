"""How a daemon comes up: the configuration first, then the zygote, then the rest of the code.

Loading the document stack takes the zygote as long as importing the doors takes the daemon: they do it side by side.
"""

from __future__ import annotations

import contextlib
import faulthandler
import sys
from collections.abc import Callable
from pathlib import Path

from ndfd import platform
from ndfd.config.context import Context, disown_manager
from ndfd.config.load import Loaded, load
from ndfd.daemon.manager_reports import ManagerReports
from ndfd.daemon.parts import pool_plans
from ndfd.daemon.waiting_peers import WaitingPeers
from ndfd.errors import NdfdError
from ndfd.model.pools import DEFAULT_POOL
from ndfd.supervisor import HeadStart, Zygote, ZygoteOptions

#: Told the paths of the sockets, the Varlink one first, when the daemon is ready.
OnReady = Callable[[tuple[str, ...]], None]


def run(
    context: Context,
    on_ready: OnReady,
    *,
    owner_fd: int | None = None,
    private_dir: Path | None = None,
    reached: Callable[[str], None] = lambda step: None,
) -> int:
    """Runs a daemon until it is told to stop; the exit status.

    `owner_fd` is a pipe by which its owner speaks to it, and whose end stops it (`owner_pipe`). A private daemon lies
    in a folder that is nobody else's, and removes it. `reached` is told of each step of a durable job
    (`ndfd.store.steps.Step`). Raises the error that kept the daemon from starting; a service manager has heard of it
    then.
    """
    _trace_aborts()
    # A private daemon is no service, though the program that keeps it for itself may be one.
    manager = platform.ServiceManager() if private_dir is not None else platform.service_manager(context.environment)
    disown_manager()
    reports = ManagerReports(manager)
    if private_dir is not None:
        context = context.private(private_dir)
    try:
        # First, so that no child inherits any of it.
        passed = manager.take_passed()
        with WaitingPeers(passed):
            loaded = load(context)
            first = _FirstZygote(context, loaded)
            try:
                # Not at the top: the zygote loads meanwhile.
                from ndfd.daemon.serve import serve

                private = private_dir is not None
                serve(
                    context, loaded, first.make, on_ready, owner_fd, passed, reports, private=private, reached=reached
                )
            finally:
                first.discard()
    except Exception as error:
        reports.failed(error)
        raise
    reports.stopped()
    return 0


def _trace_aborts() -> None:
    """SIGABRT, with which a manager ends what its watchdog finds hung, has all threads' stacks written to stderr."""
    # ValueError, AttributeError: a stderr that is no file, or none.
    with contextlib.suppress(ValueError, AttributeError, OSError):
        faulthandler.enable(sys.stderr)


class _FirstZygote:
    """That of the default pool, on its way already."""

    def __init__(self, context: Context, loaded: Loaded) -> None:
        self._head_start: HeadStart | None = None
        # What is wrong here is said when the pools are prepared.
        with contextlib.suppress(NdfdError):
            self._head_start = HeadStart(pool_plans(context, loaded.settings)[DEFAULT_POOL].options)

    def make(self, options: ZygoteOptions) -> Zygote:
        """A zygote; the first one that is made so goes on from the head start."""
        head_start = self._head_start
        if head_start is None or head_start.options != options:
            return Zygote(options)
        self._head_start = None
        return Zygote(options, head_start)

    def discard(self) -> None:
        """Ends it, when nobody has come for it."""
        if self._head_start is not None:
            self._head_start.discard()
            self._head_start = None
