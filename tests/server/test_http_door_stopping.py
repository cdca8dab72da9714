"""A stopping HTTP door: what is in progress ends, nothing else keeps it, and another door can follow it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from ndfd.server.generation import DoorLimits
from ndfd.server.http_door import HttpDoor, HttpDoorLimits
from ndfd.server.network import listen_on_network, tls_context
from tests.server.doors import LIMITS, Doors, connected, open_descriptors

TOKEN = "a token of many characters"
HEALTH = f"GET /health HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()


def convert(size_bytes: int, name: str = "") -> bytes:
    """The head of a request with a document of that size."""
    head = f"POST /v1/convert?name={name} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {size_bytes}"
    return head.encode() + b"\r\n\r\n"


class NetworkDoor:
    """A door on a port of the loopback interface, in the loop of `doors`."""

    def __init__(
        self, doors: Doors, tls: ssl.SSLContext | None = None, listener: socket.socket | None = None, **limits: float
    ) -> None:
        self.doors = doors
        self.door = HttpDoor(doors.app, doors.serving, HttpDoorLimits(**limits), remote=True)  # type: ignore[arg-type]
        self.listener = listener or listen_on_network("127.0.0.1", 0)
        self.port: int = self.listener.getsockname()[1]
        doors.run(self.door.start(self.listener, tls))

    def connect(self) -> socket.socket:
        """A plain connection."""
        return socket.create_connection(("127.0.0.1", self.port), 20)

    def stop(self, grace_s: float) -> concurrent.futures.Future[None]:
        """Begins to stop, and returns when nobody is accepted any more."""
        stopped = self.doors.begin(self.door.stop(grace_s))
        self.doors.run(asyncio.sleep(0))
        return stopped


@pytest.fixture
def network(doors: Doors) -> Iterator[NetworkDoor]:
    """A door without TLS."""
    doors.serving.current = doors.generation(1, token=TOKEN)
    network = NetworkDoor(doors)
    yield network
    doors.run(network.door.stop(0))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Signs the daemon's certificates."""
    return trustme.CA()


@pytest.fixture
def secure(doors: Doors, authority: trustme.CA, tmp_path: Path) -> Iterator[NetworkDoor]:
    """A door with TLS."""
    doors.serving.current = doors.generation(1, token=TOKEN)
    network = NetworkDoor(doors, serving(authority, tmp_path / "tls"))
    yield network
    doors.run(network.door.stop(0))


def serving(authority: trustme.CA, directory: Path) -> ssl.SSLContext:
    """The daemon's side of TLS, with a certificate of its own."""
    directory.mkdir()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    issued.private_key_pem.write_to_path(directory / "key.pem")
    return tls_context(directory / "cert.pem", directory / "key.pem")


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's side of TLS that trusts the authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


def rest_of(sock: socket.socket) -> bytes:
    """What comes until the door closes."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            data += piece
    return data


def test_requests_end_idle_connections_are_closed_and_nobody_is_accepted(network: NetworkDoor, doors: Doors) -> None:
    with network.connect() as sock, network.connect() as idle:
        idle.sendall(HEALTH)
        assert idle.recv(1)
        sock.sendall(convert(8) + b"half")
        doors.run(_admitted(doors))
        stopped = network.stop(20)
        assert rest_of(idle).endswith(b'{"status":"ok"}')
        with pytest.raises(ConnectionRefusedError):
            network.connect()
        sock.sendall(b"done")
        answer = rest_of(sock)
        stopped.result(20)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"of 8 bytes: halfdone" in answer


def test_a_request_behind_the_one_in_progress_is_answered_too(network: NetworkDoor, doors: Doors) -> None:
    with network.connect() as sock:
        sock.sendall(convert(8) + b"half")
        doors.run(_admitted(doors))
        sock.sendall(b"done" + convert(3) + b"two")
        stopped = network.stop(20)
        answers = rest_of(sock)
        stopped.result(20)
    assert b"of 8 bytes: halfdone" in answers
    assert b"of 3 bytes: two" in answers


#: More than the kernel buffers for a Unix socket (net.core.wmem_default), less than what the door writes at once: the
#: request has ended, and a part of its answer is still in the door.
UNTAKEN = b"POST /v1/convert?name=big:250000 HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"


def test_an_answer_that_was_written_is_waited_for_until_it_was_taken(doors: Doors) -> None:
    with connected(doors.http_path) as sock:
        sock.sendall(UNTAKEN)
        begun = sock.recv(1)
        doors.run(_answered(doors))
        stopped = doors.begin(doors.http.stop(20))
        doors.run(asyncio.sleep(0))
        answer = begun + rest_of(sock)
        stopped.result(20)
    assert len(answer.partition(b"\r\n\r\n")[2]) == 250_000


def test_an_answer_that_nobody_takes_is_not_waited_for_for_long(tmp_path: Path) -> None:
    doors = Doors(tmp_path, DoorLimits(), HttpDoorLimits(flush_s=0.05), LIMITS)
    with doors.open(), connected(doors.http_path) as sock:
        sock.sendall(UNTAKEN)
        assert sock.recv(1)
        doors.run(_answered(doors))
        doors.begin(doors.http.stop(600)).result(20)


class HalfShaken:
    """A TLS connection that has the door's part of the handshake and has not sent what ends it."""

    def __init__(self, sock: socket.socket, authority: trustme.CA) -> None:
        self._sock = sock
        self._arrived, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trusting(authority).wrap_bio(self._arrived, self._to_send, server_hostname="127.0.0.1")
        while not self._is_shaken():
            sock.sendall(self._to_send.read())
            self._arrived.write(sock.recv(65536))

    def _is_shaken(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def end_and_send(self, data: bytes) -> None:
        """Sends the end of the handshake with `data` behind it, and takes what comes until the door closes."""
        self._tls.write(data)
        self._sock.sendall(self._to_send.read())
        self._arrived.write(rest_of(self._sock))

    def read(self) -> bytes:
        """What came; SSLWantReadError when nothing did."""
        return self._tls.read()


def test_a_handshake_that_was_only_begun_keeps_no_door_from_stopping(
    secure: NetworkDoor, doors: Doors, authority: trustme.CA
) -> None:
    with secure.connect() as sock:
        HalfShaken(sock, authority)
        secure.stop(20).result(10)
    # The loop hears of the end of this connection before it is closed itself.
    doors.wait_idle()


def test_a_handshake_that_ends_after_the_stop_leads_nowhere(secure: NetworkDoor, authority: trustme.CA) -> None:
    with secure.connect() as sock:
        peer = HalfShaken(sock, authority)
        secure.stop(0).result(20)
        peer.end_and_send(HEALTH)
        with pytest.raises(ssl.SSLWantReadError):
            peer.read()


def test_a_handshake_that_does_not_come_is_not_waited_for_long(
    doors: Doors, authority: trustme.CA, tmp_path: Path
) -> None:
    network = NetworkDoor(doors, serving(authority, tmp_path / "tls"), head_timeout_s=0.05)
    with network.connect() as sock:
        assert rest_of(sock) == b""
    doors.run(network.door.stop(0))


def test_a_door_with_a_new_certificate_follows_at_the_same_port_without_a_refused_connection(
    doors: Doors, authority: trustme.CA, tmp_path: Path
) -> None:
    doors.serving.current = doors.generation(1, token=TOKEN)
    before = open_descriptors()
    old = NetworkDoor(doors, serving(authority, tmp_path / "old"))
    web = http.client.HTTPSConnection("127.0.0.1", old.port, timeout=20, context=trusting(authority))
    web.request("GET", "/health", headers={"Authorization": f"Bearer {TOKEN}"})
    assert web.getresponse().read()
    assert isinstance(web.sock, ssl.SSLSocket)
    first = web.sock.getpeercert(binary_form=True)
    new = NetworkDoor(doors, serving(authority, tmp_path / "new"), old.listener.dup())
    stopped = old.stop(20)
    with trusting(authority).wrap_socket(new.connect(), server_hostname="127.0.0.1") as talk:
        assert talk.getpeercert(binary_form=True) != first
        talk.sendall(HEALTH)
        assert talk.recv(65536).startswith(b"HTTP/1.1 200 ")
    # The connection that idles on the old door is closed.
    assert web.sock.recv(1) == b""
    web.close()
    stopped.result(20)
    doors.run(new.door.stop(1))
    doors.wait_idle()
    assert open_descriptors() == before


async def _admitted(doors: Doors) -> None:
    """Returns when a conversion has been taken on."""
    while not doors.occupancy.conversions:
        await asyncio.sleep(0)


async def _answered(doors: Doors) -> None:
    """Returns when no request of the Unix door is in progress."""
    while doors.http.state.tasks:
        await asyncio.sleep(0)
