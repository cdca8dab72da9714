"""The pools with their conversions measured: a pool knows of no metrics, and the doors cannot forget them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from ndfd.dispatch.conversions import Conversions, Pools
from ndfd.errors import NdfdError
from ndfd.model.conversion import Converted, ConvertOptions, OnPage
from ndfd.supervisor.task import never, nothing
from ndfd.telemetry.metrics import Metrics


class Counts:
    """How conversions ended, over all generations of a daemon."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called when one begins or has ended."""
        self.changed = changed
        self.succeeded = 0
        self.failed = 0
        #: Of those that succeeded.
        self.pages = 0


class MeasuredConversions:
    """Passes conversions on and counts how they end; one that its caller cancels is not counted.

    The daemon's own (the built-in document) do not come through here: the counts are those of its users.
    """

    def __init__(self, conversions: Conversions, metrics: Metrics, counts: Counts) -> None:
        self._conversions = conversions
        self._metrics = metrics
        self._counts = counts

    async def convert(
        self,
        document_fd: int,
        options: ConvertOptions,
        *,
        uid: int,
        on_page: OnPage | None,
        background: Callable[[], bool] = never,
        on_worker: Callable[[], None] = nothing,
    ) -> Converted:
        """As the pool's."""
        begun = time.monotonic()
        self._counts.changed()
        try:
            result = await self._conversions.convert(
                document_fd, options, uid=uid, on_page=on_page, background=background, on_worker=on_worker
            )
        except Exception as error:
            self._counts.failed += 1
            known = error if isinstance(error, NdfdError) else NdfdError(type(error).__name__)
            self._metrics.failed(options.format, known, time.monotonic() - begun)
            raise
        finally:
            self._counts.changed()
        self._counts.succeeded += 1
        self._counts.pages += result.report.pages
        self._metrics.converted(options.format, result.report, time.monotonic() - begun)
        return result


class RenewablePools(Pools, Protocol):
    """Pools whose workers can be replaced."""

    async def renew(self, name: str | None) -> int:
        """Replaces every worker of this pool, or of all; how many were."""


class MeasuredPools:
    """Gives out pools whose conversions are counted."""

    def __init__(self, pools: RenewablePools, metrics: Metrics, counts: Counts) -> None:
        self._pools = pools
        self._metrics = metrics
        self._counts = counts

    @contextlib.contextmanager
    def held(self, name: str | None) -> Iterator[MeasuredConversions]:
        """As the pools' own."""
        with self._pools.held(name) as conversions:
            yield MeasuredConversions(conversions, self._metrics, self._counts)

    async def renew(self, name: str | None) -> int:
        """As the pools' own."""
        return await self._pools.renew(name)
