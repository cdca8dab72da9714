"""The HTTP door on the network: kept over a reload that does not concern it, else followed by another one."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from ndfd.config.kinds import Address
from ndfd.config.settings import NetworkSettings
from ndfd.errors import ConfigError
from ndfd.server.generation import Serving
from ndfd.server.http_door import HttpDoor
from ndfd.server.network import listen_on_network, tls_context


@dataclass(frozen=True, slots=True)
class _Identity:
    """Two doors that are alike in this need not follow each other."""

    address: Address
    #: SHA-256 of the certificate and of its key: a renewed one lies at the same path.
    tls: bytes


class NetworkDoor:
    """Listens from its making, so that whoever connects waits; answers from `start` to `stop`."""

    def __init__(
        self, door: HttpDoor, listener: socket.socket, tls: ssl.SSLContext | None, identity: _Identity
    ) -> None:
        self.identity = identity
        self._door = door
        self.listener = listener
        self._tls = tls

    async def start(self) -> None:
        """Begins to answer."""
        await self._door.start(self.listener, self._tls)

    def accept_no_more(self) -> None:
        """As `HttpDoor.accept_no_more`."""
        self._door.accept_no_more()

    async def stop(self, grace_s: float) -> None:
        """As `HttpDoor.stop`."""
        await self._door.stop(grace_s)

    def discard(self) -> None:
        """Puts away one that was never started."""
        self.listener.close()

    def same_listener(self) -> socket.socket:
        """The same listening socket once more: what waits there to be accepted is accepted by whoever comes first."""
        try:
            return self.listener.dup()
        except OSError as error:
            raise ConfigError(f"network.bind_address: cannot listen any more: {error.strerror}") from None


def prepare_network_door(
    network: NetworkSettings,
    app: ASGIApp,
    serving: Serving,
    former: NetworkDoor | None,
    take_up: Callable[[Address], socket.socket | None] = lambda address: None,
) -> NetworkDoor | None:
    """The door that the settings ask for: `former` if it is that, else a new one that listens; None for none.

    `take_up` gives what a former daemon has left listening at an address.
    `ConfigError` names the key that cannot be used.
    """
    if network.bind_address == "off":
        return None
    tls, digest = None, b""
    if network.tls_certificate is not None and network.tls_key is not None:
        # First, so that a file that is renewed in between is read again by the next reload.
        digest = _digest(network.tls_certificate) + _digest(network.tls_key)
        tls = tls_context(network.tls_certificate, network.tls_key)
    identity = _Identity(network.bind_address, digest)
    if former is not None and former.identity == identity:
        return former
    address = network.bind_address
    if former is not None and former.identity.address == address:
        listener = former.same_listener()
    elif (left := take_up(address)) is not None:
        listener = left
    else:
        try:
            listener = listen_on_network(address.host, address.port)
        except ConfigError as error:
            if former is None or former.identity.address.port != address.port:
                raise
            hint = 'this daemon itself listens at that port: reload with bind_address = "off" first'
            raise ConfigError(error.message, hint=hint) from None
    return NetworkDoor(HttpDoor(app, serving, remote=True), listener, tls, identity)


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes() if path.is_file() else b"").digest()
    except OSError:
        # `tls_context` says why.
        return b""
