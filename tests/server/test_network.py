"""What the HTTP door needs to listen on the network is tried before it is used."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from ndfd.errors import ConfigError
from ndfd.server.network import listen_on_network, tls_context


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key."""
    made = trustme.CA().issue_cert("127.0.0.1")
    made.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def test_nobody_else_can_listen_beside() -> None:
    with listen_on_network("127.0.0.1", 0) as listener:
        assert not listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)


def test_a_port_is_free_again_at_once_after_its_connections() -> None:
    with listen_on_network("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        listener.setblocking(True)
        with socket.create_connection(("127.0.0.1", port), 20):
            # The side that closes first keeps the address in TIME_WAIT.
            listener.accept()[0].close()
    listen_on_network("127.0.0.1", port).close()


def test_a_certificate_with_its_key_makes_a_server_of_tls_1_2_or_newer(pair: tuple[Path, Path]) -> None:
    context = tls_context(*pair)
    assert context.protocol is ssl.PROTOCOL_TLS_SERVER
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_named(pair: tuple[Path, Path]) -> None:
    pair[1].chmod(0)
    with pytest.raises(ConfigError, match=r"network\.tls_key: .* Permission denied"):
        tls_context(*pair)


@pytest.mark.parametrize("position", [0, 1])
def test_what_is_no_pem_is_refused(pair: tuple[Path, Path], position: int) -> None:
    for content in (b"", b"garbage", pair[position].read_bytes()[:100]):
        pair[position].write_bytes(content)
        with pytest.raises(ConfigError, match=r"network\.tls_certificate, tls_key"):
            tls_context(*pair)


def test_a_key_with_a_password_is_refused_and_asks_nobody(pair: tuple[Path, Path]) -> None:
    key = serialization.load_pem_private_key(pair[1].read_bytes(), None)
    pair[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match="the key has a password"):
        tls_context(*pair)
