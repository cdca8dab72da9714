"""Where `ndfd doctor` gets what it judges: a private daemon, the host, the configuration, the running daemon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ndfd import __version__, platform
from ndfd.cli.doctor_confinement import GROUP as CONFINEMENT
from ndfd.cli.doctor_confinement import confinement
from ndfd.cli.doctor_folders import GROUP as FOLDERS
from ndfd.cli.doctor_folders import socket_folder, state_folder
from ndfd.cli.doctor_hardware import GROUP as HARDWARE
from ndfd.cli.doctor_hardware import hardware
from ndfd.cli.doctor_host import as_its_daemon_has_it, host
from ndfd.cli.endings import one_line
from ndfd.cli.options import Sources
from ndfd.cli.status import confined, duration
from ndfd.client import Client
from ndfd.client.private import PrivateDaemon
from ndfd.config.context import Context
from ndfd.config.load import Reading, read
from ndfd.config.places import default_socket_dir, default_state_dir
from ndfd.config.settings import Settings
from ndfd.errors import ConfigError, NdfdError, NotPermitted, Unavailable
from ndfd.model.checkup import Check, Verdict
from ndfd.model.hardware import Hardware
from ndfd.model.measures import MEASURES
from ndfd.model.sandbox import Sandbox
from ndfd.model.status import DaemonStatus, EngineStatus
from ndfd.platform.accelerators import hardware as platform_hardware


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was looked at."""

    checks: tuple[Check, ...]
    #: What confines workers, in full; None when none could be started.
    sandbox: Sandbox | None
    #: None when the daemon that runs does not say.
    hardware: Hardware | None


def of_running(socket: Path | None) -> Findings:
    """Of the daemon that runs; `Unavailable` when none does."""
    from ndfd.cli.connect import running_daemon

    path = running_daemon(socket)
    with Client.connect(path) as client:
        status = client.status()
        machine, unsaid = _machine(client)
    checks: list[Check] = []
    if status.sandbox is not None:
        # It runs, so what is missing is allowed.
        checks += confinement(status.sandbox, status.sandbox.missing)
    if status.engine is not None:
        checks += _engine(status.engine)
    checks += (unsaid,) if machine is None else hardware(machine)
    checks.append(_about(status, path))
    checks += (
        Check("daemon", "warning", Verdict.WARNING, text)
        for text in status.warnings
        # Those that a check above has said already.
        if not text.startswith(("workers are confined", "no font"))
    )
    return Findings(tuple(checks), status.sandbox, machine)


def of_host(sources: Sources) -> Findings:
    """Of this host, for a daemon that would be started here and now."""
    context, problem = _context(sources)
    reading = read(context) if context is not None else None
    settings = (reading.settings if reading is not None else None) or Settings()
    begun = time.monotonic()
    status, failure = _trial(context, settings.swarm.worker_memory)
    took_s = time.monotonic() - begun
    checks: list[Check] = []
    if status is not None and status.sandbox is not None:
        checks += confinement(status.sandbox, settings.sandbox.allow)
    if failure is not None:
        checks.append(failure)
    if status is not None and status.engine is not None:
        checks += _engine(status.engine)
        checks.append(
            Check("engine", "trial", Verdict.OK, f"a private daemon converted a document after {took_s:.1f} s")
        )
    machine = platform_hardware()
    checks += hardware(machine)
    workers, misfits = _fitting(context, settings)
    checks += host(
        as_its_daemon_has_it(platform.host(), settings.tuning), workers, settings.swarm, settings.network, time.time()
    )
    folder = settings.network.socket_dir
    checks.append(socket_folder(default_socket_dir() if folder == "auto" else folder))
    if settings.jobs.enabled:
        checks += _state(settings)
    if problem is not None:
        checks.append(problem)
    if reading is not None:
        checks += _configuration(reading)
    checks += misfits
    checks.append(_daemon())
    return Findings(tuple(checks), None if status is None else status.sandbox, machine)


def _machine(client: Client) -> tuple[Hardware | None, Check]:
    """The check says why it is not told."""
    try:
        return client.hardware().hardware, Check(HARDWARE, "hardware", Verdict.OK, "told")
    except NdfdError as error:
        # A daemon of an earlier version.
        return None, Check(HARDWARE, "hardware", Verdict.WARNING, one_line(error), error.hint)


def _state(settings: Settings) -> Iterator[Check]:
    folder = settings.storage.state_dir
    try:
        yield state_folder(default_state_dir() if folder == "auto" else folder, settings.storage)
    except ConfigError as error:
        yield Check(FOLDERS, "state folder", Verdict.FAILURE, error.message, error.hint)


def _context(sources: Sources) -> tuple[Context | None, Check | None]:
    try:
        return sources.context(), None
    except ConfigError as error:
        return None, Check("configuration", "place", Verdict.FAILURE, error.message, error.hint)


def _trial(context: Context | None, worker_memory: int) -> tuple[DaemonStatus | None, Check | None]:
    """What a daemon says that may lack every measure; the check says why there is none."""
    values = (f"sandbox.allow={','.join(MEASURES)}", "swarm.workers=1", f"swarm.worker_memory={worker_memory}")
    arguments = [argument for value in values for argument in ("--set", value)]
    environment = None if context is None else context.child_environment()
    try:
        with PrivateDaemon(arguments, environment) as daemon, Client.connect(daemon.socket) as client:
            return client.status(), None
    except NdfdError as error:
        return None, Check(CONFINEMENT, "trial", Verdict.FAILURE, f"no daemon can be started here: {error}", error.hint)


def _engine(engine: EngineStatus) -> Iterator[Check]:
    text = f"{engine.name}, kernels in {engine.native}"
    if engine.native == "c":
        yield Check("engine", "engine", Verdict.OK, text)
    else:
        advice = "build the extensions with ./scripts/setup, and leave NDFD_NATIVE unset"
        yield Check("engine", "engine", Verdict.WARNING, f"{text}: many times slower", advice)
    if engine.fallback_fonts:
        yield Check("engine", "fonts", Verdict.OK, f"for Chinese, Japanese, Korean: {', '.join(engine.fallback_fonts)}")
    else:
        text = "none for Chinese, Japanese or Korean: text in such a font that is not embedded is lost"
        advice = "install one (Debian: fonts-noto-cjk), or name its folder: [document] fallback_font_dirs"
        yield Check("engine", "fonts", Verdict.WARNING, text, advice)


def _fitting(context: Context | None, settings: Settings) -> tuple[int, list[Check]]:
    """The number of workers, and what of the configuration does not fit this machine."""
    # The whole daemon, 250 ms: what it refuses at its start is asked of it.
    from ndfd.daemon.parts import admin_uids, pool_plans, worker_counts

    asked: list[Callable[[], object]] = [lambda: admin_uids(settings.security)]
    if context is not None:
        asked.append(lambda: pool_plans(context, settings))
    misfits = [check for each in asked if (check := _misfit(each)) is not None]
    try:
        return sum(worker_counts(settings.runtime, settings.swarm).values()), misfits
    except ConfigError:
        # Said by the plans of the pools.
        return 1, misfits


def _misfit(asked: Callable[[], object]) -> Check | None:
    try:
        asked()
    except ConfigError as error:
        return Check("configuration", "this machine", Verdict.FAILURE, error.message, error.hint)
    return None


def _configuration(reading: Reading) -> Iterator[Check]:
    for mistake in reading.mistakes:
        yield Check("configuration", "mistake", Verdict.FAILURE, str(mistake), "`ndfd config check` lists them all")
    for warning in reading.warnings:
        yield Check("configuration", "warning", Verdict.WARNING, warning)
    if not reading.mistakes:
        yield Check("configuration", "files", Verdict.OK, ", ".join(reading.files) or "none; every key has a default")
    if reading.settings is not None and reading.settings.sandbox.reuse == "any":
        text = '[sandbox] reuse = "any": a document that takes a worker over can read those of other users'
        yield Check("configuration", "reuse", Verdict.WARNING, text, 'set it to "uid" or "never"')


def _daemon() -> Check:
    from ndfd.cli.connect import running_daemon

    try:
        path = running_daemon(None)
        with Client.connect(path) as client:
            return _about(client.status(), path)
    except (Unavailable, NotPermitted) as error:
        return Check("daemon", "running", Verdict.OK, f"none that this user can ask: {error}")
    except NdfdError as error:
        return Check("daemon", "running", Verdict.WARNING, one_line(error))


def _about(status: DaemonStatus, path: Path) -> Check:
    text = f"ndfd {status.version} at {path}, pid {status.pid}, up {duration(status.uptime_s)}"
    text += f"; confined: {confined(status.sandbox)}"
    if status.version != __version__:
        advice = f"restart it: this is ndfd {__version__}"
        return Check("daemon", "running", Verdict.WARNING, text, advice)
    return Check("daemon", "running", Verdict.OK, text)
