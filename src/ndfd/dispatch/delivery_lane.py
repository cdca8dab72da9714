"""The deliveries to one target: some at a time, those that fail again later, those that fail too often given up."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections.abc import Callable
from typing import Protocol

from ndfd.dispatch.retries import retry_delay_s
from ndfd.errors import JobUnknown, NdfdError
from ndfd.store import Delivery

_log = logging.getLogger(__name__)

#: Under way at a time, to one server: enough for one that is far away, too few to be a burden.
SERVER_AT_ONCE = 8
#: Into one folder: so many share the file system's fsyncs (2,000 documents of a watch: 9 s, with 8 at a time 13).
FOLDER_AT_ONCE = 32
#: A store that cannot be written is asked again after this.
_STORE_AGAIN_S = 5.0
#: What is not given up is tried again at least so often.
_PATIENT_S = 900.0


class Deliver(Protocol):
    """Makes one delivery."""

    #: How many may be under way at a time.
    at_once: int

    async def __call__(self, delivery: Delivery) -> None:
        """`DeliveryFailed` or OSError when it cannot."""


class DeliveryFailed(Exception):
    """One attempt has failed."""

    def __init__(self, fault: str, *, for_good: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(fault)
        #: Trying again makes no sense.
        self.for_good = for_good
        #: What the other side asks for.
        self.retry_after_s = retry_after_s


class Ledger(Protocol):
    """What is asked of the store."""

    def now(self) -> float: ...

    async def due_deliveries(self, now: float, limit: int, target: str | None = None) -> tuple[Delivery, ...]: ...

    async def delivered(self, delivery_id: str) -> None: ...

    async def delivery_failed(self, delivery_id: str, fault: str, next_at: float | None) -> None: ...


class Lane:
    """Works whenever it is woken, until nothing is due."""

    def __init__(
        self,
        target: str,
        store: Ledger,
        deliver: Deliver,
        attempts_max: int | None,
        failed: Callable[[bool], None],
    ) -> None:
        """`attempts_max` None: it is tried until it succeeds. `failed` is told of each failure whether it was the last,
        or the delivery is to be tried again later."""
        self._on_failed = failed
        self._target = target
        self._store = store
        self._deliver = deliver
        self._attempts_max = attempts_max
        self._awake = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._task = asyncio.create_task(self._run(), name=f"deliveries to {target}")

    def wake(self) -> None:
        """Something is due."""
        self._awake.set()

    def reconfigure(self, deliver: Deliver, attempts_max: int | None) -> None:
        """From the next attempt on it is done so; what is under way goes to its end as it began."""
        self._deliver = deliver
        self._attempts_max = attempts_max

    def retire(self) -> None:
        """Begins nothing more; what is under way goes to its end."""
        self._task.cancel()

    async def stop(self) -> None:
        """Begins nothing more, and cuts off what is under way; it is due again in the next life."""
        tasks = [self._task, *self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _run(self) -> None:
        while True:
            await self._awake.wait()
            self._awake.clear()
            try:
                await self._begin_due()
            except NdfdError as error:
                _log.warning("deliveries to %s wait: %s", self._target, error)
                await asyncio.sleep(_STORE_AGAIN_S)
                self._awake.set()

    async def _begin_due(self) -> None:
        room = self._deliver.at_once - len(self._under_way)
        if room <= 0:
            return
        # What is under way is still due, and stands before all else.
        # The answer may be of a moment before one of these was recorded as delivered, and come after that.
        begun = set(self._under_way)
        due = await self._store.due_deliveries(self._store.now(), self._deliver.at_once, self._target)
        for each in [each for each in due if each.id not in begun][:room]:
            task = self._under_way[each.id] = asyncio.create_task(self._attempt(each))
            task.add_done_callback(functools.partial(self._ended, each.id))

    def _ended(self, delivery_id: str, task: asyncio.Task[None]) -> None:
        del self._under_way[delivery_id]
        # Not for each one: the question what is due costs about as much for many as for one.
        if len(self._under_way) <= self._deliver.at_once // 2:
            self._awake.set()

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            try:
                await self._deliver(delivery)
            except JobUnknown:
                pass  # Its owner has had it forgotten.
            except (DeliveryFailed, NdfdError) as error:
                await self._failed(delivery, error)
                return
            except OSError as error:
                await self._failed(delivery, DeliveryFailed(f"{error.filename or 'the folder'}: {error.strerror}"))
                return
            except Exception as error:  # noqa: BLE001 - it stays due: made again at once, it would fail so for ever
                _log.exception("the delivery %s failed for a fault of ndfd's own", delivery.id)
                await self._failed(delivery, DeliveryFailed(f"a fault in ndfd itself: {type(error).__name__}"))
                return
            await self._store.delivered(delivery.id)
        except NdfdError as error:
            # It stays due, and is made once more: at least once is what is promised.
            _log.error("the delivery %s cannot be recorded: %s", delivery.id, error)
            await asyncio.sleep(_STORE_AGAIN_S)

    async def _failed(self, delivery: Delivery, error: DeliveryFailed | NdfdError) -> None:
        failures = delivery.attempts + 1
        delay_s = retry_delay_s(failures, random.random(), error.retry_after_s)  # noqa: S311 - no secret
        given_up = isinstance(error, DeliveryFailed) and error.for_good
        if self._attempts_max is None:
            delay_s = min(delay_s, _PATIENT_S)
        else:
            given_up = given_up or failures >= self._attempts_max
        said = {"delivery": delivery.id, "job": delivery.job.id, "to": self._target, "attempt": failures}
        _log.warning("a delivery %s: %s", "is given up" if given_up else "has failed", error, extra=said)
        next_at = None if given_up else self._store.now() + delay_s
        await self._store.delivery_failed(delivery.id, str(error), next_at)
        self._on_failed(given_up)
