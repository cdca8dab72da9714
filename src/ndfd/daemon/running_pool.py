"""A pool with the built-in document converted, and with those who still need it counted."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from ndfd import platform
from ndfd.daemon.probe import probe_document
from ndfd.errors import NdfdError, WorkerStartFailed
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.crash import CrashReport
from ndfd.model.pools import DEFAULT_POOL, Role
from ndfd.model.process_tuning import TuningState
from ndfd.model.sandbox import Sandbox
from ndfd.model.status import EngineStatus
from ndfd.model.tuning import FINE
from ndfd.server.occupancy import Held
from ndfd.supervisor import Load, Pool, PoolLimits, Snapshot, Zygote, ZygoteOptions

_log = logging.getLogger(__name__)

#: Seconds for the built-in document: milliseconds of work, on a machine that may be busy.
PROBE_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """What the configuration says of a pool."""

    role: Role
    #: How its workers are made.
    options: ZygoteOptions
    #: What it takes on.
    limits: PoolLimits
    #: Pages above which several workers read a document; None for never.
    pages_max: int | None = None
    #: Knobs of its zygote that are let be.
    untuned: tuple[TuningState, ...] = ()


class RunningPool:
    """Serves the generations whose workers are made alike."""

    def __init__(
        self,
        name: str,
        plan: PoolPlan,
        numbers: Iterator[int],
        on_crash: Callable[[CrashReport], None],
        make_zygote: Callable[[ZygoteOptions], Zygote] = Zygote,
    ) -> None:
        """`numbers` are those that its workers get; `on_crash` is told of each that a document ended."""
        self.name = name
        self.role = plan.role
        self._options = plan.options
        self._untuned = plan.untuned
        self._zygote = make_zygote(plan.options)
        self.pool = Pool(self._zygote, plan.limits, numbers=numbers, on_crash=on_crash)
        #: Held by each request that needs it.
        self.held = Held()

    @property
    def sandbox(self) -> Sandbox | None:
        """What confines its workers; None before it is started."""
        return self._zygote.sandbox

    @property
    def tuning(self) -> tuple[TuningState, ...]:
        """What came of the knobs that its workers have from their zygote."""
        return tuple(replace(state, pool=self.name) for state in (*self._zygote.tuning, *self._untuned))

    @property
    def engine(self) -> EngineStatus:
        """That its workers run, once it is started."""
        engine = self.pool.engine
        assert engine is not None, "the pool is not started"
        return engine

    def serves(self, plan: PoolPlan) -> bool:
        """Whether its workers are made as this plan says; how many there are can be changed."""
        return (self.role, self._options) == (plan.role, plan.options)

    async def start(self) -> None:
        """Returns when a worker has converted the built-in document; `WorkerStartFailed`, and nothing left, if not."""
        try:
            await self.pool.start()
            _log_confinement(self.name, self.sandbox)
            log_tuning(self.tuning)
            await self._probe()
        except BaseException as error:
            await self.pool.stop()
            if isinstance(error, NdfdError) and self.name != DEFAULT_POOL:
                raise type(error)(f"pool {self.name}: {error}", hint=error.hint) from error
            raise

    def load(self) -> Load:
        """How much is going on, which costs nothing to know."""
        load = self.pool.load()
        return dataclasses.replace(load, trouble=self._named(load.trouble))

    def stuck(self) -> str | None:
        """Why nothing goes on although it should; None while all is well."""
        return self._named(self.pool.stuck())

    def _named(self, text: str | None) -> str | None:
        return text if text is None or self.name == DEFAULT_POOL else f"pool {self.name}: {text}"

    def snapshot(self) -> Snapshot:
        """The pool at this moment, its workers told by its name and role."""
        snapshot = self.pool.snapshot()
        workers = (
            replace(
                worker,
                pool=self.name,
                role=self.role.value,
                tuning=tuple(replace(state, pool=self.name) for state in worker.tuning),
            )
            for worker in snapshot.workers
        )
        warnings = tuple(f"{self._named(warning)}" for warning in snapshot.warnings)
        return dataclasses.replace(snapshot, workers=tuple(workers), warnings=warnings)

    async def retire(self, grace_s: float) -> None:
        """Serves those that hold it to their ends, with no more workers than they need, and stops.

        After `grace_s` at the latest: a caller that sends its document a byte at a time keeps no pool for ever.
        """
        self.pool.wind_down()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self.held.free()
        await self.pool.stop()

    async def _probe(self) -> None:
        try:
            fd = platform.sealed_memfd("ndfd-probe", probe_document())
        except OSError as error:
            raise WorkerStartFailed(f"no document can be put into memory: {error.strerror}") from error
        options = ConvertOptions(OutputFormat.TEXT, name="the built-in document", deadline_s=PROBE_LIMIT_S)
        try:
            result = await self.pool.convert(fd, options, uid=os.geteuid())
            os.close(result.fd)
        except NdfdError as error:
            raise WorkerStartFailed(f"no worker converts the built-in document: {error}") from error
        finally:
            os.close(fd)


def log_tuning(states: Iterable[TuningState]) -> None:
    """What could not be tuned as it should be: nothing fails for it, but somebody may want it."""
    for state in states:
        if state.outcome not in FINE:
            said = {
                "knob": state.knob,
                # Not "process", which is a log record's own.
                "tuned": state.process,
                "pool": state.pool,
                "outcome": state.outcome.value,
                "wanted": state.wanted,
                "reason": state.reason,
            }
            _log.warning("a process is not tuned as it should be", extra=said)


def _log_confinement(pool: str, sandbox: Sandbox | None) -> None:
    assert sandbox is not None, "a pool that is started has measured it"
    said = {
        "seccomp_calls": sandbox.calls,
        "landlock_abi": sandbox.landlock_abi,
        "attempts_denied": len(sandbox.denied),
        "pool": pool,
    }
    _log.info("workers are confined", extra=said)
    if sandbox.missing:
        lacking = {"missing": sandbox.missing, "pool": pool}
        _log.warning("workers lack measures of confinement, as [sandbox] allow permits", extra=lacking)
