"""The HTTP door on the network: nobody gets in without the token, and beyond this machine nothing goes in the clear."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from ndfd.errors import ConfigError
from ndfd.server.access import REMOTE
from ndfd.server.http_door import HttpDoor
from ndfd.server.network import listen_on_network, tls_context
from tests.server.doors import Doors, UnixHttpConnection

TOKEN = "correct-horse-battery"


@pytest.fixture
def network(doors: Doors) -> Iterator[int]:
    """The port of a door without TLS."""
    doors.serving.current = doors.generation(1, token=TOKEN)
    with listening(doors) as port:
        yield port


@contextlib.contextmanager
def listening(doors: Doors, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    door = HttpDoor(doors.app, doors.serving, remote=True)
    doors.run(door.start(listener, tls))
    yield port
    doors.run(door.stop(0.1))


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, token: str | None = TOKEN, body: bytes | None = None
) -> http.client.HTTPResponse:
    headers = {} if token is None else {"Authorization": token if " " in token else f"Bearer {token}"}
    connection.request(method, path, body=body, headers=headers)
    return connection.getresponse()


def test_whoever_shows_the_token_has_documents_converted(doors: Doors, network: int) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", network)) as web:
        response = ask(web, "POST", "/v1/convert", body=b"%PDF")
        assert (response.status, response.headers["Ndfd-Generation"]) == (200, "1")
        response.read()
        assert json.loads(ask(web, "GET", "/v1/status").read())["workers"]
    assert [uid for _, uid in doors.conversions.seen] == [REMOTE.uid]


@pytest.mark.parametrize("token", [None, "", "wrong", f"Basic {TOKEN}", TOKEN[:-1], TOKEN + "x", "Bearer", "tökén"])
@pytest.mark.parametrize("path", ["/", "/v1/convert", "/v1/status", "/metrics", "/health", "/nowhere"])
def test_nobody_else_gets_anything(doors: Doors, network: int, token: str | None, path: str) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", network)) as web:
        response = ask(web, "POST", path, token, body=b"x" * 100_000)
        problem = json.loads(response.read())
    assert (response.status, problem["code"]) == (401, "not-authenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["Ndfd-Generation"] == "1"
    assert doors.conversions.seen == []


def test_who_is_refused_need_not_send_a_document_first(network: int) -> None:
    with socket.create_connection(("127.0.0.1", network), timeout=20) as sock:
        sock.sendall(b"POST /v1/convert HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/reload"), ("GET", "/v1/configuration")])
def test_the_daemon_is_not_administered_over_the_network(doors: Doors, network: int, method: str, path: str) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", network)) as web:
        response = ask(web, method, path)
        assert (response.status, json.loads(response.read())["code"]) == (403, "not-permitted")
    assert doors.configurations.reloads == []


def test_the_token_of_a_former_generation_opens_nothing(doors: Doors, network: int) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", network)) as web:
        ask(web, "GET", "/health").read()
        doors.serving.current = doors.generation(2, token="another-token-altogether")
        response = ask(web, "GET", "/health")
        assert (response.status, response.headers["Ndfd-Generation"]) == (401, "2")
        response.read()
    doors.serving.current = doors.generation(3)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", network)) as web:
        assert ask(web, "GET", "/health", token="").status == 401


def test_an_empty_token_in_the_configuration_opens_nothing(doors: Doors, network: int) -> None:
    doors.serving.current = doors.generation(2, token="")
    for token in (None, "", "Bearer"):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", network)) as web:
            assert ask(web, "GET", "/health", token).status == 401


def test_a_token_that_changes_amid_a_request_is_asked_for_by_the_next(doors: Doors, network: int) -> None:
    with socket.create_connection(("127.0.0.1", network), timeout=20) as sock:
        head = f"POST /v1/convert HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 8\r\n\r\nhalf"
        sock.sendall(head.encode())
        doors.run(_admitted(doors))
        doors.serving.current = doors.generation(2, token="another-token-altogether")
        sock.sendall(b"done")
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")


def test_the_unix_door_asks_for_no_token(doors: Doors, network: int) -> None:
    with contextlib.closing(UnixHttpConnection(doors.http_path)) as web:
        for token in (None, "wrong"):
            response = ask(web, "GET", "/v1/configuration", token)
            response.read()
            assert response.status == 200


def test_no_log_line_and_no_representation_holds_the_token(
    doors: Doors, network: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), contextlib.closing(http.client.HTTPConnection("127.0.0.1", network)) as web:
        ask(web, "POST", "/v1/convert?name=fault", body=b"x").read()
    assert caplog.records
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(doors.serving.current)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return ca, folder / "cert.pem", folder / "key.pem"


Certificate = tuple[trustme.CA, Path, Path]


def test_with_a_certificate_it_speaks_tls_and_nothing_else(doors: Doors, certificate: Certificate) -> None:
    ca, cert, key = certificate
    doors.serving.current = doors.generation(1, token=TOKEN)
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    with listening(doors, tls_context(cert, key)) as port:
        with (
            contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as web,
            pytest.raises((http.client.HTTPException, ConnectionError)),
        ):
            ask(web, "GET", "/health")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock, pytest.raises((ssl.SSLError, OSError)):
            old.wrap_socket(sock)
        # Last: what is answered here tells that the door has seen the ends of those before.
        with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", port, context=trusting)) as web:
            assert ask(web, "POST", "/v1/convert", body=b"%PDF").status == 200


def test_a_certificate_that_cannot_be_used_is_refused_by_name(certificate: Certificate, tmp_path: Path) -> None:
    ca, cert, key = certificate
    ca.issue_cert("127.0.0.1").private_key_pem.write_to_path(tmp_path / "other.pem")
    (tmp_path / "text.pem").write_text("no certificate")
    for one, two, says in (
        (tmp_path / "missing.pem", key, "network.tls_certificate: .*missing.pem is no file"),
        (cert, tmp_path / "missing.pem", "network.tls_key: .*missing.pem is no file"),
        (cert, tmp_path / "other.pem", "no certificate and its key in PEM"),
        (tmp_path / "text.pem", key, "no certificate and its key in PEM"),
        (key, cert, "no certificate and its key in PEM"),
    ):
        with pytest.raises(ConfigError, match=says):
            tls_context(one, two)


def test_an_address_that_cannot_be_had_is_refused_by_name() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigError, match=r"bind_address: cannot listen at 127\.0\.0\.1 port \d+: Address already"),
    ):
        listen_on_network("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(ConfigError, match=r"cannot listen at 192\.0\.2\.1 port 8300: Cannot assign"):
        listen_on_network("192.0.2.1", 8300)


def test_ipv6_means_ipv6_alone() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
            port = probe.getsockname()[1]
    except OSError:
        pytest.skip("no IPv6 here")
    with contextlib.closing(listen_on_network("::1", port)) as listener:
        assert listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


async def _admitted(doors: Doors) -> None:
    while not doors.occupancy.conversions:
        await asyncio.sleep(0)
