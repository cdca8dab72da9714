"""Pools without workers: what becomes of a conversion is the test's to decide, or its document says it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator

from ndfd import platform
from ndfd.errors import ShuttingDown
from ndfd.model.conversion import ConversionReport, ConvertOptions, OnPage, PageReport
from ndfd.model.document import PageStatus
from ndfd.model.pools import DEFAULT_POOL, pool_unknown
from ndfd.supervisor import Result


class Call:
    """A conversion that was asked for."""

    def __init__(self, pool: str, document: bytes, options: ConvertOptions, uid: int, on_page: OnPage | None) -> None:
        self.pool = pool
        self.document = document.decode()
        self.options = options
        self.uid = uid
        self.on_page = on_page
        self.outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.cancelled = False

    def page(self, number: int, total: int) -> None:
        """A page is finished."""
        assert self.on_page is not None
        self.on_page(PageReport(number, total, PageStatus.OK))

    def done(self, content: bytes | None = None) -> None:
        """It is finished: the document in capitals, unless something else is said."""
        content = self.document.upper().encode() if content is None else content
        report = ConversionReport(1, 0, 0, self.options.format.media_type, len(content), 0.1, 1000)
        self.outcome.set_result(Result(report, platform.sealed_memfd("result", content)))

    def fail(self, error: BaseException) -> None:
        """It fails."""
        self.outcome.set_exception(error)


class FakePools:
    """Some pools; `behaviour` is called with each conversion as it is asked for."""

    def __init__(self, *names: str, behaviour: Callable[[Call], None] | None = None) -> None:
        self.names = names or (DEFAULT_POOL,)
        self.behaviour = behaviour
        #: Whether a worker takes what comes; or else it waits for one.
        self.workers_free = True
        #: Every conversion there ever was, in order.
        self.calls: list[Call] = []
        #: Those that go on.
        self.running: list[Call] = []
        self.most_at_once: Counter[str] = Counter()
        self.held_now: Counter[str] = Counter()
        self._changed = asyncio.Event()

    @contextlib.contextmanager
    def held(self, name: str | None) -> Iterator[FakePool]:
        """As the daemon's."""
        name = DEFAULT_POOL if name is None else name
        if name not in self.names:
            raise pool_unknown(name, self.names)
        self.held_now[name] += 1
        try:
            yield FakePool(self, name)
        finally:
            self.held_now[name] -= 1

    async def asked(self, count: int) -> list[Call]:
        """Returns when so many go on."""
        while len(self.running) < count:
            self._changed.clear()
            await self._changed.wait()
        return list(self.running)

    async def called(self, count: int) -> Call:
        """Returns the one that was asked for after so many less one."""
        while len(self.calls) < count:
            self._changed.clear()
            await self._changed.wait()
        return self.calls[count - 1]

    def stop(self) -> None:
        """As a pool that stops: whoever is at work hears of it."""
        for call in self.running:
            call.fail(ShuttingDown("the daemon stops"))

    def told(self) -> None:
        self._changed.set()


class FakePool:
    """One of them."""

    def __init__(self, pools: FakePools, name: str) -> None:
        self._pools = pools
        self._name = name

    async def convert(
        self,
        document_fd: int,
        options: ConvertOptions,
        *,
        uid: int,
        on_page: OnPage | None,
        background: Callable[[], bool],
        on_worker: Callable[[], None],
    ) -> Result:
        """As the supervisor's."""
        assert options.deadline_s is not None
        pools = self._pools
        call = Call(self._name, os.pread(document_fd, os.fstat(document_fd).st_size, 0), options, uid, on_page)
        pools.calls.append(call)
        pools.running.append(call)
        at_once = sum(each.pool == self._name for each in pools.running)
        pools.most_at_once[self._name] = max(pools.most_at_once[self._name], at_once)
        if pools.workers_free:
            on_worker()
        pools.told()
        if pools.behaviour is not None:
            asyncio.get_running_loop().call_soon(pools.behaviour, call)
        try:
            return await call.outcome
        except asyncio.CancelledError:
            call.cancelled = True
            if call.outcome.done() and not call.outcome.cancelled() and call.outcome.exception() is None:
                os.close(call.outcome.result().fd)
            raise
        finally:
            pools.running.remove(call)
            call.on_page = None
            pools.told()
