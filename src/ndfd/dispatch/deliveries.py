"""Deliveries: what became of jobs, told to hooks and put into folders, each at least once, from the store's outbox.

What waits is in the store, and stays there until it was delivered or given up; this is only what moves it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from ndfd.dispatch.delivery_lane import Deliver, DeliveryFailed, Lane
from ndfd.dispatch.folder_delivery import FolderDelivery, Results, WatchDelivery
from ndfd.dispatch.hooks import Hook, Webhook
from ndfd.dispatch.watches import Watch
from ndfd.errors import NdfdError
from ndfd.model.jobs import Job
from ndfd.store import Delivery

_log = logging.getLogger(__name__)

#: Before the name of a watch in the target of a delivery.
WATCH_TARGET = "watch:"
#: A store that cannot be read is asked again after this.
_STORE_AGAIN_S = 5.0
#: So often all targets are looked at, at most: one commit of many jobs wakes once for each.
_REST_S = 0.02


class Outbox(Results, Protocol):
    """What is asked of the store."""

    def now(self) -> float: ...

    def on_change(self, listener: Callable[[Job], None]) -> None: ...

    async def due_deliveries(self, now: float, limit: int, target: str | None = None) -> tuple[Delivery, ...]: ...

    async def delivery_moments(self) -> Mapping[str, float]: ...

    async def delivered(self, delivery_id: str) -> None: ...

    async def delivery_failed(self, delivery_id: str, fault: str, next_at: float | None) -> None: ...

    async def drop_taken(self, watch: str, paths: list[str]) -> None: ...


class Deliveries:
    """A lane for each target, so that a slow one holds up nobody else, and the one timer that wakes them."""

    def __init__(self, store: Outbox, make_webhook: Callable[[Webhook], Deliver] | None = None) -> None:
        self._store = store
        self._make_webhook = _make_webhook if make_webhook is None else make_webhook
        #: Deliveries since the start that are not tried again.
        self.given_up = 0
        self._lanes: dict[str, Lane] = {}
        #: Of targets that are gone, for the sake of what they have under way.
        self._retired: list[Lane] = []
        self._configured: dict[str, Hook | Watch] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, hooks: Mapping[str, Hook], watches: Mapping[str, Watch]) -> None:
        """Goes on with what an earlier life has left."""
        self.reconfigure(hooks, watches)
        self._store.on_change(self._changed)
        self._task = asyncio.create_task(self._run(), name="deliveries")

    def reconfigure(self, hooks: Mapping[str, Hook], watches: Mapping[str, Watch]) -> None:
        """From now on to these. An attempt that is under way goes to its end."""
        targets: dict[str, Hook | Watch] = {
            **hooks,
            **{f"{WATCH_TARGET}{name}": each for name, each in watches.items()},
        }
        for target in [target for target in self._lanes if target not in targets]:
            lane = self._lanes.pop(target)
            lane.retire()
            self._retired.append(lane)
        for target, to in targets.items():
            if target not in self._lanes:
                self._lanes[target] = Lane(target, self._store, *self._deliverer(to), self._failed)
            elif to != self._configured[target]:
                self._lanes[target].reconfigure(*self._deliverer(to))
        self._configured = targets
        self._wake.set()

    async def stop(self) -> None:
        """Begins nothing more; what is under way ends at once, or is cut off and made again in the next life."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await asyncio.gather(*(lane.stop() for lane in (*self._lanes.values(), *self._retired)))
        self._lanes, self._configured = {}, {}

    def _deliverer(self, to: Hook | Watch) -> tuple[Deliver, int | None]:
        """And the attempts at one delivery; None: until it succeeds."""
        if isinstance(to, Watch):
            # What waits there is a document in a folder, and its owner: that is never given up.
            return WatchDelivery(self._store, to), None
        if isinstance(to.to, Webhook):
            return _Filtered(to, self._make_webhook(to.to)), to.max_attempts
        return _Filtered(to, FolderDelivery(self._store, to.to.path)), to.max_attempts

    def _failed(self, given_up: bool) -> None:
        if given_up:
            self.given_up += 1
        else:
            self._wake.set()

    def _changed(self, job: Job) -> None:
        if job.deliveries_due:
            self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                wait_s = await self._wake_lanes()
            except NdfdError as error:
                _log.warning("the outbox cannot be read: %s", error)
                wait_s = _STORE_AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            await asyncio.sleep(_REST_S)

    async def _wake_lanes(self) -> float | None:
        """Returns the seconds until the next one has to be woken."""
        moments = await self._store.delivery_moments()
        now = self._store.now()
        for target, moment in moments.items():
            if target not in self._lanes:
                await self._give_up(target)
            elif moment <= now:
                self._lanes[target].wake()
        return min((moment - now for moment in moments.values() if moment > now), default=None)

    async def _give_up(self, target: str) -> None:
        """The operator has taken the target away. Files of a watch may be taken anew by one of that name."""
        what = (
            f"[watch.{target.removeprefix(WATCH_TARGET)}]" if target.startswith(WATCH_TARGET) else f"[hooks.{target}]"
        )
        # Every moment is past to this one: none of it will be tried again.
        while due := await self._store.due_deliveries(float("inf"), 100, target):
            for delivery in due:
                if delivery.source is not None and target.startswith(WATCH_TARGET):
                    await self._store.drop_taken(delivery.source.watch, [delivery.source.path])
                await self._store.delivery_failed(delivery.id, f"there is no {what} any more", None)
            _log.warning("%d deliveries are given up: there is no %s any more", len(due), what)


class _Filtered:
    """Tells a hook of the ends only that it wants to hear of."""

    def __init__(self, hook: Hook, deliver: Deliver) -> None:
        self.at_once = deliver.at_once
        self._events = hook.events
        self._deliver = deliver

    async def __call__(self, delivery: Delivery) -> None:
        # One that has been set going again will end again, and that is another delivery.
        if delivery.job.state in self._events:
            await self._deliver(delivery)


def _make_webhook(hook: Webhook) -> Deliver:
    # Not at the top: who has no webhook does not pay for HTTP and TLS.
    from ndfd.dispatch.web_delivery import WebDelivery

    return WebDelivery(hook)


__all__ = ["WATCH_TARGET", "Deliveries", "DeliveryFailed", "Outbox"]
