"""The listening socket of [network] bind_address in the service manager's keeping, from one daemon to the next.

So whoever connects while there is no daemon waits for the next one instead of being refused.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import ip_address

from ndfd import platform
from ndfd.config.kinds import Address
from ndfd.daemon.handed_over import NETWORK_LISTENER
from ndfd.platform import ServiceManager

#: The manager's queue of messages is full: it empties it in less.
_AGAIN_S = 0.01


class KeptListener:
    """Belongs to the event loop. Does nothing for a manager that keeps nothing."""

    def __init__(self, manager: ServiceManager, passed: Iterable[socket.socket] = ()) -> None:
        """`passed` are those that a former daemon had kept."""
        self._manager = manager
        self._passed = list(passed)
        #: The cookie of the one that the manager has; 0 for none.
        self._kept = 0
        self._again: asyncio.TimerHandle | None = None

    def take_up(self, address: Address) -> socket.socket | None:
        """The former daemon's, when it listens at this address; it is the caller's then."""
        for sock in self._passed:
            if _address(sock) == address:
                self._passed.remove(sock)
                self._kept = platform.socket_cookie(sock)
                return sock
        return None

    def keep(self, listener: socket.socket | None) -> None:
        """Has this one kept from now on, and no other; None: none at all."""
        if not self._manager.keeps_descriptors():
            return
        if self._again is not None:
            self._again.cancel()
            self._again = None
        cookie = 0 if listener is None else platform.socket_cookie(listener)
        # All have the same name: they can be dropped only together.
        if self._passed or (self._kept and cookie != self._kept):
            for sock in self._passed:
                sock.close()
            self._passed.clear()
            self._manager.unstore(NETWORK_LISTENER)
            self._kept = 0
        if listener is not None and not self._kept:
            self._store(listener, cookie)

    def _store(self, listener: socket.socket, cookie: int) -> None:
        if listener.fileno() < 0:
            return  # The door was closed meanwhile.
        if self._manager.store(NETWORK_LISTENER, (listener.fileno(),)):
            self._kept = cookie
            return
        self._again = asyncio.get_running_loop().call_later(_AGAIN_S, self._store, listener, cookie)


def _address(listener: socket.socket) -> Address | None:
    name = listener.getsockname()
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    return Address(str(ip_address(name[0])), name[1])
