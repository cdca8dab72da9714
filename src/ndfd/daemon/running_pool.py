"""A pool with the built-in document converted, and with those who still need it counted."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator

from ndfd import platform
from ndfd.daemon.probe import probe_document
from ndfd.errors import NdfdError, WorkerStartFailed
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.model.crash import CrashReport
from ndfd.server.occupancy import Held
from ndfd.supervisor import Pool, PoolLimits, Zygote, ZygoteOptions

#: Seconds for the built-in document: milliseconds of work, on a machine that may be busy.
PROBE_LIMIT_S = 30.0


class RunningPool:
    """Serves the generations whose workers are made alike."""

    def __init__(
        self,
        options: ZygoteOptions,
        limits: PoolLimits,
        numbers: Iterator[int],
        on_crash: Callable[[CrashReport], None],
    ) -> None:
        #: How its workers are made.
        self.options = options
        self.pool = Pool(Zygote(options), limits, numbers=numbers, on_crash=on_crash)
        #: Held by each request that needs it.
        self.held = Held()

    async def start(self) -> None:
        """Returns when a worker has converted the built-in document; `WorkerStartFailed`, and nothing left, if not."""
        try:
            await self.pool.start()
            await self._probe()
        except BaseException:
            await self.pool.stop()
            raise

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
        fd = platform.sealed_memfd("ndfd-probe", probe_document())
        options = ConvertOptions(OutputFormat.TEXT, name="the built-in document", deadline_s=PROBE_LIMIT_S)
        try:
            result = await self.pool.convert(fd, options, uid=os.geteuid())
            os.close(result.fd)
        except NdfdError as error:
            raise WorkerStartFailed(f"no worker converts the built-in document: {error}") from error
        finally:
            os.close(fd)
