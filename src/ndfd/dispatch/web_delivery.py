"""Deliveries to a web server, in threads of their own: one that does not answer keeps no thread from anybody else."""

from __future__ import annotations

import asyncio
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

from ndfd.dispatch.delivery_lane import SERVER_AT_ONCE, DeliveryFailed
from ndfd.dispatch.hooks import Webhook
from ndfd.dispatch.webhook import Post, body_of
from ndfd.store import Delivery


class WebDelivery:
    """Posts to one webhook."""

    at_once = SERVER_AT_ONCE

    def __init__(self, hook: Webhook, tls: ssl.SSLContext | None = None) -> None:
        self._hook = hook
        self._tls = ssl.create_default_context() if tls is None else tls
        # Threads are made when they are first needed, and end with this object.
        self._threads = ThreadPoolExecutor(self.at_once, thread_name_prefix="ndfd-webhook")

    async def __call__(self, delivery: Delivery) -> None:
        """`DeliveryFailed` unless the server has taken it, within the hook's timeout."""
        loop = asyncio.get_running_loop()
        post = Post(self._hook, delivery.id, body_of(delivery.id, delivery.job), time.time(), self._tls)
        running = loop.run_in_executor(self._threads, post.run)
        cut = loop.call_later(self._hook.timeout_s, post.cut)
        try:
            answer = await running
        except asyncio.CancelledError:
            post.cut()
            raise
        finally:
            cut.cancel()
        if answer.failure is not None:
            raise DeliveryFailed(answer.failure, for_good=answer.refused, retry_after_s=answer.retry_after_s)
