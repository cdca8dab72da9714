"""Learns that a peer is gone without reading from it.

While a call runs, nothing is read from its connection: what the peer pipelines waits in the kernel's buffer, which
slows the peer down as it should. A read of end-of-file could not tell a peer that only shut down its sending side
(and waits for its replies) from one that is gone; the kernel's hang-up can. epoll reports EPOLLHUP for a socket even
when asked for no event at all (epoll_ctl(2)), and raises it for a Unix socket only when both directions are shut down.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import AsyncIterator


class PeerGoneError(Exception):
    """The peer has closed its connection, or stopped reading from it."""


@contextlib.asynccontextmanager
async def cancelled_on_hangup(sock: socket.socket) -> AsyncIterator[None]:
    """Cancels the block when the peer hangs up, which then ends in `PeerGoneError`."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    gone = False

    def hang_up() -> None:
        nonlocal gone
        gone = True
        loop.remove_reader(watch.fileno())
        task.cancel()

    watch = select.epoll()
    try:
        watch.register(sock.fileno(), 0)
        loop.add_reader(watch.fileno(), hang_up)
        yield
    except asyncio.CancelledError:
        if gone and task.uncancel() == 0:
            raise PeerGoneError from None
        raise
    finally:
        loop.remove_reader(watch.fileno())
        watch.close()
